//! Compiles Underlay, Segment and Peering intents into the BGP process, its networks and neighbors.

use std::collections::BTreeMap;

use ipnet::IpNet;
use weft_device::config::{AfiSafi, Bfd, Bgp, Neighbor, NeighborTarget, Network, PeerType, Seconds, Timers};
use weft_intent::{
    Intent,
    spec::{AddressPurpose, Addressing, BfdSpec, TimersSpec, UnderlaySpec},
};
use weft_model::{Link, Name, Node, Provenance, TerminationPoint};

use crate::{
    PortKey,
    device::{Compiler, Routing, caused, discard, not_allocated},
    selection::{Session, Touching},
};

impl Compiler<'_> {
    /// Returns the BGP process of a node, and `None` where no underlay selects it and it has no peering.
    pub(crate) fn bgp(&self, node: &Node, routing: &mut Routing) -> Option<Bgp> {
        let touching = self.selection.of(&node.name);
        if touching.underlays.is_empty() && touching.sessions.is_empty() {
            return None;
        }
        let asn = self.allocations.asns.get(&node.name).copied();
        if asn.is_none() {
            routing.diagnostics.push(not_allocated("AS number", node));
        }
        if !self.allocations.loopbacks.contains_key(&node.name) {
            routing.diagnostics.push(not_allocated("loopback", node));
        }
        let (asn, router_id) = (asn?, self.router_id(node, &mut routing.diagnostics)?);
        let mut sources: Vec<_> = touching.underlays.iter().map(|underlay| underlay.source()).collect();
        sources.extend(touching.sessions.iter().map(|session| session.peering.source()));
        let mut provenance = Provenance { sources: sources.into_iter().collect(), leaves: BTreeMap::new() };
        if let Some(pool) = self.asn_source(node, asn) {
            provenance = provenance.leaf("asn", pool);
        }
        if let Some(pool) = self.address_source(AddressPurpose::Loopback, &[node], router_id.into()) {
            provenance = provenance.leaf("router_id", pool);
        }
        // Without an underlay nobody asks for more than one path.
        let maximum_paths = touching.underlays.iter().map(|underlay| underlay.spec.maximum_paths).max().unwrap_or(1);
        for underlay in touching.underlays.iter().filter(|underlay| underlay.spec.maximum_paths == maximum_paths) {
            provenance = provenance.leaf("maximum_paths", underlay.source_at("/spec/maximum_paths"));
        }
        let mut neighbors = BTreeMap::new();
        for link in self.network.links_of(&node.name) {
            if let Some(underlay) = self.selection.underlay_of(link) {
                neighbors.extend(self.internal(node, link, underlay, routing));
            }
        }
        for session in &touching.sessions {
            let Routing { policy, diagnostics, .. } = routing;
            let policies = self.peering_policies(session.peering, node, asn, policy, diagnostics);
            if let Some(policies) = policies {
                neighbors.insert(NeighborTarget::Address(session.session.neighbor), external(session, policies));
            }
        }
        let networks = self.networks(node, touching, routing);
        Some(Bgp { asn, router_id, maximum_paths, networks, neighbors, provenance })
    }

    /// Returns what a node originates: its loopback, the subnets of its segment ports, what its peerings announce.
    fn networks(&self, node: &Node, touching: &Touching<'_>, routing: &mut Routing) -> BTreeMap<IpNet, Network> {
        let mut networks: BTreeMap<IpNet, Network> = BTreeMap::new();
        let mut add = |prefix: IpNet, provenance: Provenance| {
            let network = networks.entry(prefix).or_insert_with(|| Network { provenance: Provenance::default() });
            network.provenance.sources.extend(provenance.sources);
        };
        if let Some(loopback) = self.allocations.loopbacks.get(&node.name)
            && !touching.underlays.is_empty()
        {
            let mut provenance =
                caused(self.address_source(AddressPurpose::Loopback, &[node], *loopback), &node.source);
            provenance.sources.extend(touching.underlays.iter().map(|underlay| underlay.source()));
            add((*loopback).into(), provenance);
        }
        for port in &touching.ports {
            let segment = port.segment;
            let point = TerminationPoint { node: node.name.clone(), interface: port.interface.clone() };
            let ports = self.allocations.segments.get(&segment.reference.name);
            if let Some(subnet) = ports.and_then(|ports| ports.get(&PortKey::from(&point))) {
                let selection = segment.source_at(&format!("/spec/ports/{}", port.selection));
                add(*subnet, Provenance::from(segment.source_at("/spec/prefix")).and(selection));
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

    /// Returns the session over a link; `None` where a value of either end is not allocated.
    fn internal(
        &self,
        node: &Node,
        link: &Link,
        underlay: &Intent<UnderlaySpec>,
        routing: &mut Routing,
    ) -> Option<(NeighborTarget, Neighbor)> {
        let (near, far) = (link.near_end(&node.name)?, link.far_end(&node.name)?);
        let peer = self.network.node(far.node.as_str())?;
        let peer_as = self.allocations.asns.get(&peer.name).copied()?;
        let target = match underlay.spec.addressing {
            Addressing::Unnumbered => NeighborTarget::Interface(near.interface.clone()),
            Addressing::Numbered => NeighborTarget::Address(self.link_address(link, far)?.addr()),
        };
        let mut provenance = Provenance::from(underlay.source()).and(link.source.clone());
        if let Some(pool) = self.asn_source(peer, peer_as) {
            provenance = provenance.leaf("peer_as", pool);
        }
        for (field, given) in [
            ("timers", underlay.spec.timers.is_some()),
            ("bfd", underlay.spec.bfd.is_some()),
            ("authentication", underlay.spec.authentication.is_some()),
        ] {
            if given {
                provenance = provenance.leaf(field, underlay.source_at(&format!("/spec/{field}")));
            }
        }
        let import_policy = self.link_import(node, link, &mut routing.policy);
        let export_policy = self.link_export(node, link, node.site != peer.site, &mut routing.policy);
        for (field, name) in [("import_policy", &import_policy), ("export_policy", &export_policy)] {
            let definition = name.as_ref().and_then(|name| routing.policy.policy_definitions.get(name));
            for source in definition.into_iter().flat_map(|policy| &policy.provenance.sources) {
                provenance = provenance.leaf(field, source.clone());
            }
        }
        let neighbor = Neighbor {
            description: format!("{} {}", far.node, far.interface),
            interface: near.interface.clone(),
            afi_safis: [AfiSafi::Ipv4Unicast].into(),
            peer_as,
            peer_type: PeerType::Internal,
            timers: underlay.spec.timers.map(timers),
            bfd: underlay.spec.bfd.map(|BfdSpec { interval_ms, multiplier }| Bfd { interval_ms, multiplier }),
            authentication: underlay.spec.authentication.as_ref().and_then(|key| key.tcp_md5.clone()),
            import_policy,
            export_policy,
            maximum_prefixes: None,
            provenance,
        };
        Some((target, neighbor))
    }
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

/// Returns the timers of a session.
pub(crate) fn timers(spec: TimersSpec) -> Timers {
    Timers {
        keepalive: Seconds(spec.keepalive_seconds),
        hold: Seconds(spec.hold_seconds),
        connect_retry: Seconds(spec.connect_retry_seconds),
    }
}
