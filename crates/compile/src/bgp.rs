//! Compiles Underlay, Segment and Peering intents into the BGP process, its networks and neighbors.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use weft_device::config::{AfiSafi, Bfd, Bgp, Neighbor, NeighborTarget, Network, PeerType, Seconds, Timers};
use weft_intent::{
    Intent,
    spec::{AddressPurpose, Addressing, BfdSpec, IbgpSpec, Protocol, TimersSpec, UnderlaySpec},
};
use weft_model::{InterfaceName, Link, Name, Node, Provenance, TerminationPoint};

use crate::{
    device::{Compiler, Routing, caused, discard, not_allocated},
    pool::Family,
    selection::{Session, Touching},
};

impl Compiler<'_> {
    /// Returns the BGP process of a node, and `None` where no underlay of BGP selects it and it has no peering.
    pub(crate) fn bgp(&self, node: &Node, routing: &mut Routing) -> Option<Bgp> {
        let touching = self.selection.of(&node.name);
        if !touching.speaks_bgp() {
            return None;
        }
        let internal = touching.ibgp();
        let underlays: Vec<_> =
            touching.underlays_of(Protocol::Ebgp).chain(internal.map(|(underlay, _)| underlay)).collect();
        let asn = self.allocations.asns.get(&node.name).copied();
        if asn.is_none() {
            routing.diagnostics.push(not_allocated("AS number", node));
        }
        if !self.allocations.loopbacks.contains_key(&node.name) {
            routing.diagnostics.push(not_allocated("loopback", node));
        }
        let (asn, router_id) = (asn?, self.router_id(node, &mut routing.diagnostics)?);
        let mut sources: Vec<_> = underlays.iter().map(|underlay| underlay.source()).collect();
        sources.extend(touching.sessions.iter().map(|session| session.peering.source()));
        let mut provenance = Provenance { sources: sources.into_iter().collect(), leaves: BTreeMap::new() };
        if let Some(source) = self.asn_source(node, asn) {
            provenance = provenance.leaf("asn", source);
        }
        if let Some(pool) = self.address_source(AddressPurpose::Loopback, &[node], router_id.into()) {
            provenance = provenance.leaf("router_id", pool);
        }
        // Without an underlay nobody asks for more than one path.
        let maximum_paths = underlays.iter().map(|underlay| underlay.spec.maximum_paths).max().unwrap_or(1);
        for underlay in underlays.iter().filter(|underlay| underlay.spec.maximum_paths == maximum_paths) {
            provenance = provenance.leaf("maximum_paths", underlay.source_at("/spec/maximum_paths"));
        }
        let mut neighbors = BTreeMap::new();
        for link in self.network.links_of(&node.name) {
            if let Some(underlay) = self.selection.underlay_of(link).filter(|u| u.spec.protocol == Protocol::Ebgp) {
                neighbors.extend(self.over_link(node, link, underlay, routing));
            }
        }
        let mut cluster_id = None;
        if let Some((underlay, ibgp)) = internal {
            neighbors.extend(self.between_loopbacks(node, underlay, ibgp));
            let reflects = neighbors.values().any(|neighbor| neighbor.route_reflector_client);
            cluster_id = reflects.then_some(router_id);
        }
        for session in &touching.sessions {
            let Routing { policy, diagnostics, .. } = routing;
            let policies = self.peering_policies(session.peering, node, asn, policy, diagnostics);
            if let Some(policies) = policies {
                neighbors.insert(NeighborTarget::Address(session.session.neighbor), external(session, policies));
            }
        }
        let networks = self.networks(node, touching, routing);
        Some(Bgp { asn, router_id, cluster_id, maximum_paths, networks, neighbors, provenance })
    }

    /// Returns what a node originates: its loopbacks, the subnets of its segment ports, what its peerings announce. Where
    /// OSPF routes between the nodes, only the last.
    fn networks(&self, node: &Node, touching: &Touching<'_>, routing: &mut Routing) -> BTreeMap<IpNet, Network> {
        let mut networks: BTreeMap<IpNet, Network> = BTreeMap::new();
        let mut add = |prefix: IpNet, provenance: Provenance| {
            let network = networks.entry(prefix).or_insert_with(|| Network { provenance: Provenance::default() });
            network.provenance.sources.extend(provenance.sources);
        };
        let carrying = |family: Family| {
            touching.underlays_of(Protocol::Ebgp).filter(move |underlay| family.is_in(underlay.spec.families))
        };
        for family in Family::ALL {
            let Some(loopback) = self.allocations.loopback(&node.name, family) else { continue };
            if carrying(family).next().is_some() {
                let mut provenance =
                    caused(self.address_source(AddressPurpose::Loopback, &[node], loopback), &node.source);
                provenance.sources.extend(carrying(family).map(|underlay| underlay.source()));
                add(loopback.into(), provenance);
            }
        }
        for port in &touching.ports {
            let segment = port.segment;
            let point = TerminationPoint { node: node.name.clone(), interface: port.interface.clone() };
            let subnets = self.allocations.subnets(&segment.reference.name, &point);
            let subnets = subnets.zip(["/spec/prefix", "/spec/ipv6/prefix"]);
            for (subnet, prefix) in subnets {
                // Without an underlay the neighbors of peerings are the only ones, and have policies of their own.
                if touching.underlays.is_empty() || carrying(Family::of(&subnet)).next().is_some() {
                    let selection = segment.source_at(&format!("/spec/ports/{}", port.selection));
                    add(subnet, Provenance::from(segment.source_at(prefix)).and(selection));
                }
            }
        }
        for session in &touching.sessions {
            let peering = session.peering;
            for (index, prefix) in peering.spec.announce.prefixes.iter().enumerate() {
                let provenance = Provenance::from(peering.source_at(&format!("/spec/announce/prefixes/{index}")));
                let route = routing.static_routes.entry(*prefix).or_insert_with(|| discard(Provenance::default()));
                route.provenance.sources.extend(provenance.sources.iter().cloned());
                add(*prefix, provenance);
            }
        }
        networks
    }

    /// Returns the sessions over a link: one for each family over its own addresses, or one for all where the link is
    /// unnumbered. There is none where a value of either end is not allocated.
    fn over_link(
        &self,
        node: &Node,
        link: &Link,
        underlay: &Intent<UnderlaySpec>,
        routing: &mut Routing,
    ) -> Vec<(NeighborTarget, Neighbor)> {
        let families: Vec<Family> =
            Family::ALL.into_iter().filter(|family| family.is_in(underlay.spec.families)).collect();
        let (Some(near), Some(far)) = (link.near_end(&node.name), link.far_end(&node.name)) else { return Vec::new() };
        let sessions: Vec<(NeighborTarget, BTreeSet<AfiSafi>)> = match underlay.spec.addressing {
            Addressing::Unnumbered => {
                vec![(NeighborTarget::Interface(near.interface.clone()), families.into_iter().map(unicast).collect())]
            }
            Addressing::Numbered => {
                let session = |family: Family| {
                    let address = self.link_address(link, far, family)?.addr();
                    Some((NeighborTarget::Address(address), [unicast(family)].into()))
                };
                families.into_iter().filter_map(session).collect()
            }
        };
        let neighbor = self.neighbor(node, link, underlay, routing);
        let with = |(target, afi_safis)| Some((target, Neighbor { afi_safis, ..neighbor.clone()? }));
        sessions.into_iter().filter_map(with).collect()
    }

    /// Returns what the sessions over a link have in common.
    fn neighbor(
        &self,
        node: &Node,
        link: &Link,
        underlay: &Intent<UnderlaySpec>,
        routing: &mut Routing,
    ) -> Option<Neighbor> {
        let (near, far) = (link.near_end(&node.name)?, link.far_end(&node.name)?);
        let peer = self.network.node(far.node.as_str())?;
        let peer_as = self.allocations.asns.get(&peer.name).copied()?;
        let mut provenance = Provenance::from(underlay.source()).and(link.source.clone());
        if let Some(source) = self.asn_source(peer, peer_as) {
            provenance = provenance.leaf("peer_as", source);
        }
        provenance = settings(provenance, underlay);
        if underlay.spec.bfd.is_some() {
            provenance = provenance.leaf("bfd", underlay.source_at("/spec/bfd"));
        }
        let import_policy = self.link_import(node, link, &mut routing.policy);
        let export_policy = self.link_export(node, link, node.site != peer.site, &mut routing.policy);
        for (field, name) in [("import_policy", &import_policy), ("export_policy", &export_policy)] {
            let definition = name.as_ref().and_then(|name| routing.policy.policy_definitions.get(name));
            for source in definition.into_iter().flat_map(|policy| &policy.provenance.sources) {
                provenance = provenance.leaf(field, source.clone());
            }
        }
        Some(Neighbor {
            description: format!("{} {}", far.node, far.interface),
            interface: near.interface.clone(),
            local_address: None,
            route_reflector_client: false,
            next_hop_self: false,
            afi_safis: BTreeSet::new(),
            peer_as,
            peer_type: PeerType::Internal,
            timers: underlay.spec.timers.map(timers),
            bfd: underlay.spec.bfd.map(bfd),
            authentication: underlay.spec.authentication.as_ref().and_then(|key| key.tcp_md5.clone()),
            import_policy,
            export_policy,
            maximum_prefixes: None,
            provenance,
        })
    }

    /// Returns the sessions of internal BGP of a node: with every other node, or, where there are reflectors, with those; one of
    /// each family. There is none where a loopback of either end is not allocated.
    fn between_loopbacks(
        &self,
        node: &Node,
        underlay: &Intent<UnderlaySpec>,
        ibgp: &IbgpSpec,
    ) -> BTreeMap<NeighborTarget, Neighbor> {
        let reflects = |node: &Node| ibgp.route_reflectors.as_ref().is_none_or(|reflectors| reflectors.picks(node));
        let source = underlay.source_at("/spec/ibgp");
        let next_hop_self = !self.selection.of(&node.name).sessions.is_empty();
        let mut neighbors = BTreeMap::new();
        let peers = self.selection.internal.get(&underlay.reference).into_iter().flatten();
        for peer in peers.filter(|peer| peer.name != node.name && (reflects(node) || reflects(peer))) {
            let client = reflects(node) && !reflects(peer);
            for family in Family::ALL.into_iter().filter(|family| family.is_in(underlay.spec.families)) {
                let loopback = |node: &Node| self.allocations.loopback(&node.name, family);
                let (Some(local), Some(remote)) = (loopback(node), loopback(peer)) else { continue };
                let mut provenance =
                    Provenance::from(source.clone()).leaf("peer_as", underlay.source_at("/spec/ibgp/asn")).leaf(
                        "local_address",
                        self.address_source(AddressPurpose::Loopback, &[node], local).unwrap_or_else(|| source.clone()),
                    );
                if client {
                    let reflectors = underlay.source_at("/spec/ibgp/route_reflectors");
                    provenance = provenance.leaf("route_reflector_client", reflectors);
                }
                for session in &self.selection.of(&node.name).sessions {
                    provenance = provenance.leaf("next_hop_self", session.peering.source());
                }
                let neighbor = Neighbor {
                    description: peer.name.to_string(),
                    interface: InterfaceName::loopback(),
                    local_address: Some(local),
                    route_reflector_client: client,
                    next_hop_self,
                    afi_safis: [unicast(family)].into(),
                    peer_as: ibgp.asn,
                    peer_type: PeerType::Internal,
                    timers: underlay.spec.timers.map(timers),
                    // The links are watched, and OSPF tells of what is lost.
                    bfd: None,
                    authentication: underlay.spec.authentication.as_ref().and_then(|key| key.tcp_md5.clone()),
                    import_policy: None,
                    export_policy: None,
                    maximum_prefixes: None,
                    provenance: settings(provenance, underlay),
                };
                neighbors.insert(NeighborTarget::Address(remote), neighbor);
            }
        }
        neighbors
    }
}

/// Names the sources of the settings that all sessions of an underlay have.
fn settings(provenance: Provenance, underlay: &Intent<UnderlaySpec>) -> Provenance {
    let given =
        [("timers", underlay.spec.timers.is_some()), ("authentication", underlay.spec.authentication.is_some())];
    given.into_iter().filter(|(_, given)| *given).fold(provenance, |provenance, (field, _)| {
        provenance.leaf(field, underlay.source_at(&format!("/spec/{field}")))
    })
}

/// Returns our end of a session with an external neighbor.
fn external(session: &Session<'_>, [import, export]: [Name; 2]) -> Neighbor {
    let peering = session.peering;
    let spec = &peering.spec;
    let mut provenance = Provenance::from(peering.source_at(&session.pointer("neighbor")))
        .leaf("peer_as", peering.source_at("/spec/asn"))
        .leaf("import_policy", peering.source_at("/spec/accept"))
        .leaf("export_policy", peering.source_at("/spec/announce"));
    for (field, pointer, given) in [
        ("timers", "/spec/timers", spec.timers.is_some()),
        ("authentication", "/spec/authentication", spec.authentication.is_some()),
        ("maximum_prefixes", "/spec/accept/maximum_prefixes", spec.accept.maximum_prefixes.is_some()),
    ] {
        if given {
            provenance = provenance.leaf(field, peering.source_at(pointer));
        }
    }
    Neighbor {
        description: peering.reference.name.to_string(),
        interface: session.session.port.interface.clone(),
        local_address: None,
        route_reflector_client: false,
        next_hop_self: false,
        afi_safis: [AfiSafi::Ipv4Unicast].into(),
        peer_as: spec.asn,
        peer_type: PeerType::External,
        timers: spec.timers.map(timers),
        bfd: None,
        authentication: spec.authentication.as_ref().and_then(|key| key.tcp_md5.clone()),
        import_policy: Some(import),
        export_policy: Some(export),
        maximum_prefixes: spec.accept.maximum_prefixes,
        provenance,
    }
}

pub(crate) fn unicast(family: Family) -> AfiSafi {
    match family {
        Family::Ipv4 => AfiSafi::Ipv4Unicast,
        Family::Ipv6 => AfiSafi::Ipv6Unicast,
    }
}

/// Returns how a neighbor is watched.
pub(crate) fn bfd(BfdSpec { interval_ms, multiplier }: BfdSpec) -> Bfd {
    Bfd { interval_ms, multiplier }
}

/// Returns the timers of a session.
pub(crate) fn timers(spec: TimersSpec) -> Timers {
    Timers {
        keepalive: Seconds(spec.keepalive_seconds),
        hold: Seconds(spec.hold_seconds),
        connect_retry: Seconds(spec.connect_retry_seconds),
    }
}
