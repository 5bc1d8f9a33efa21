//! The routers on the far side of every peering: labs build them and predictions include them; Weft never configures them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use weft_device::config::{
    Action, AfiSafi, Bgp, Conditions, DeviceConfig, Interface, InterfaceAddress, InterfaceKind, Neighbor,
    NeighborTarget, Network as Originated, PeerType, RoutingPolicy, SshServer, System,
};
use weft_intent::{
    Intent, IntentSet,
    spec::{FlowEnd, PeeringSpec},
};
use weft_model::{BehaviorProfile, InterfaceName, Mtu, Name, Network, NodeName, Provenance, Source, TerminationPoint};

use crate::{
    Allocations,
    bgp::timers,
    device::discard,
    statements::{Statements, exactly, prefix_sets, within},
};

/// The most equal-cost paths an external router uses.
const MAXIMUM_PATHS: u16 = 16;

/// The routers on the far side of the peerings, and how they are attached.
#[derive(Debug, Clone, Default)]
pub struct ExternalRouters {
    /// Their configurations; each has the name of its peering.
    pub configs: BTreeMap<NodeName, DeviceConfig>,
    /// The cables between them and the network, the smaller end first, in order.
    pub cables: Vec<[TerminationPoint; 2]>,
}

/// Returns one router for each peering, named like it.
///
/// What runs on them is the business of others: they behave as the RFCs say, and are of the pack of the device at their first session
/// until a lab puts its own in the place.
/// Its interfaces are `eth1`, `eth2` and so on in the order of the peering's sessions. It takes every route and announces
/// exactly the prefixes that the peering accepts; one from which everything is accepted announces a piece of the internet. On
/// `lo` it has every address that a Reachability or Capacity intent asks for, that is in no segment and no pool, and that it announces:
/// the internet's addresses are reachable through every transit, as anycast.
pub fn external_routers(intents: &IntentSet, network: &Network, allocations: &Allocations) -> ExternalRouters {
    let targets = internet_targets(intents);
    let mut routers = ExternalRouters::default();
    for (name, peering) in &intents.peerings {
        // A peering that is named like a node is refused elsewhere; the node stays.
        if network.node(name.as_str()).is_some() {
            continue;
        }
        if let Some(config) = router(name, peering, network, allocations, &targets) {
            routers.cables.extend(cables(&config.device, peering));
            routers.configs.insert(config.device.clone(), config);
        }
    }
    routers.cables.sort();
    routers
}

fn cables(router: &NodeName, peering: &Intent<PeeringSpec>) -> Vec<[TerminationPoint; 2]> {
    let cable = |(index, session): (usize, &weft_intent::spec::PeeringSession)| {
        let port = &session.port;
        let ours = TerminationPoint { node: port.node.clone(), interface: port.interface.clone() };
        let mut ends = [ours, TerminationPoint { node: router.clone(), interface: port_name(index)? }];
        ends.sort();
        Some(ends)
    };
    peering.spec.sessions.iter().enumerate().filter_map(cable).collect()
}

fn port_name(index: usize) -> Option<InterfaceName> {
    format!("eth{}", index + 1).parse().ok()
}

/// Returns the addresses that Reachability and Capacity intents ask for and that are in no segment and no pool, with who asks.
fn internet_targets(intents: &IntentSet) -> BTreeMap<IpAddr, BTreeSet<Source>> {
    let mut targets: BTreeMap<IpAddr, BTreeSet<Source>> = BTreeMap::new();
    for reachability in intents.reachabilities.values() {
        if let FlowEnd::Address(address) = reachability.spec.to {
            targets.entry(address).or_default().insert(reachability.source_at("/spec/to"));
        }
    }
    for capacity in intents.capacities.values() {
        for (index, demand) in capacity.spec.demands.iter().enumerate() {
            if let FlowEnd::Address(address) = demand.to {
                let source = capacity.source_at(&format!("/spec/demands/{index}/to"));
                targets.entry(address).or_default().insert(source);
            }
        }
    }
    let inside: Vec<IpNet> = (intents.segments.values().map(|segment| segment.spec.prefix))
        .chain(intents.segments.values().filter_map(|segment| segment.spec.ipv6.map(|ipv6| ipv6.prefix)))
        .chain(intents.pools.values().flat_map(|pools| pools.spec.addresses.iter().map(|pool| pool.prefix)))
        .chain(intents.peerings.values().flat_map(|p| p.spec.sessions.iter().map(|session| session.address)))
        .collect();
    targets.retain(|address, _| !inside.iter().any(|prefix| prefix.contains(address)));
    targets
}

fn router(
    name: &Name,
    peering: &Intent<PeeringSpec>,
    network: &Network,
    allocations: &Allocations,
    targets: &BTreeMap<IpAddr, BTreeSet<Source>>,
) -> Option<DeviceConfig> {
    let device = NodeName::from(name.clone());
    let source = peering.source();
    let spec = &peering.spec;
    let pack = spec.sessions.iter().find_map(|session| network.node(session.port.node.as_str()))?.pack.clone();
    let mut interfaces = BTreeMap::new();
    let mut neighbors = BTreeMap::new();
    let mut routing_policy = RoutingPolicy::default();
    let originated = originated(peering, targets);
    let export = export(&originated, &Provenance::from(peering.source_at("/spec/accept")), &mut routing_policy)?;
    for (index, session) in spec.sessions.iter().enumerate() {
        let interface = port_name(index)?;
        let line = peering.source_at(&format!("/spec/sessions/{index}"));
        let provenance = Provenance::from(line);
        let prefix = IpNet::new(session.neighbor, session.address.prefix_len()).ok()?;
        interfaces.insert(
            interface.clone(),
            Interface {
                kind: InterfaceKind::External,
                description: format!("to {} {}", session.port.node, session.port.interface),
                mtu: Some(Mtu::ETHERNET),
                addresses: vec![InterfaceAddress { prefix, provenance: provenance.clone() }],
                unnumbered: false,
                egress_acl: None,
                provenance: provenance.clone(),
            },
        );
        let Some(peer_as) = allocations.asns.get(&session.port.node).copied() else { continue };
        let neighbor = Neighbor {
            description: format!("{} {}", session.port.node, session.port.interface),
            interface,
            local_address: None,
            route_reflector_client: false,
            next_hop_self: false,
            peer_as,
            peer_type: PeerType::External,
            timers: spec.timers.map(timers),
            bfd: None,
            authentication: spec.authentication.as_ref().and_then(|key| key.tcp_md5.clone()),
            import_policy: None,
            export_policy: Some(export.clone()),
            maximum_prefixes: None,
            afi_safis: [AfiSafi::Ipv4Unicast].into(),
            provenance,
        };
        neighbors.insert(NeighborTarget::Address(session.address.addr()), neighbor);
    }
    let behind = targets.iter().filter(|(address, _)| originated.keys().any(|prefix| prefix.contains(*address)));
    interfaces.insert(InterfaceName::loopback(), loopback(behind, &source));
    let mut networks = BTreeMap::new();
    let mut static_routes = BTreeMap::new();
    for (prefix, provenance) in originated {
        networks.insert(prefix, Originated { provenance: provenance.clone() });
        static_routes.insert(prefix, discard(provenance));
    }
    let bgp = Bgp {
        asn: spec.asn,
        router_id: router_id(spec)?,
        cluster_id: None,
        maximum_paths: MAXIMUM_PATHS,
        networks,
        neighbors,
        provenance: Provenance::from(source.clone()),
    };
    let system = System {
        hostname: device.clone(),
        ntp_servers: Vec::new(),
        dns_servers: Vec::new(),
        syslog_servers: Vec::new(),
        banner: None,
        ssh: SshServer::default(),
        snmp: None,
        users: BTreeMap::new(),
        provenance: Provenance::from(source),
    };
    Some(DeviceConfig {
        device,
        pack,
        profile: BehaviorProfile::default(),
        system,
        interfaces,
        routing_policy,
        static_routes,
        bgp: Some(bgp),
        ospf: None,
        acl_sets: BTreeMap::new(),
    })
}

/// Returns what the router announces: what is listed, and, where everything is accepted, a prefix of documentation of each
/// family and those around the addresses that are asked for.
fn originated(
    peering: &Intent<PeeringSpec>,
    targets: &BTreeMap<IpAddr, BTreeSet<Source>>,
) -> BTreeMap<IpNet, Provenance> {
    let accept = &peering.spec.accept;
    let listed = accept.prefixes.iter().enumerate().map(|(index, prefix)| {
        (prefix.trunc(), Provenance::from(peering.source_at(&format!("/spec/accept/prefixes/{index}"))))
    });
    let mut originated: BTreeMap<IpNet, Provenance> = listed.collect();
    if accept.everything {
        let internet: [IpAddr; 2] =
            [Ipv4Addr::new(198, 51, 100, 0).into(), Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0).into()];
        let with_sessions = |address: &&IpAddr| {
            peering.spec.sessions.iter().any(|session| session.neighbor.is_ipv4() == address.is_ipv4())
        };
        for address in internet.iter().chain(targets.keys()).filter(with_sessions) {
            if let Ok(prefix) = IpNet::new(*address, if address.is_ipv4() { 24 } else { 48 }) {
                let everything = || Provenance::from(peering.source_at("/spec/accept/everything"));
                originated.entry(prefix.trunc()).or_insert_with(everything);
            }
        }
    }
    originated
}

/// Defines the policy that announces exactly what is originated.
fn export(
    originated: &BTreeMap<IpNet, Provenance>,
    provenance: &Provenance,
    policy: &mut RoutingPolicy,
) -> Option<Name> {
    let entries = originated.iter().map(|(prefix, provenance)| exactly(*prefix, provenance.clone()));
    let sets = prefix_sets(policy, "announce", entries, provenance);
    let mut statements = Statements::default();
    for set in &sets {
        statements.decide(within(set.clone()), Action::Accept, provenance);
    }
    if sets.is_empty() {
        statements.decide(Conditions::default(), Action::Reject, provenance);
    }
    Some(statements.define(policy, "export".parse().ok()?))
}

fn loopback<'a>(targets: impl Iterator<Item = (&'a IpAddr, &'a BTreeSet<Source>)>, source: &Source) -> Interface {
    let address = |(address, sources): (&IpAddr, &BTreeSet<Source>)| InterfaceAddress {
        prefix: (*address).into(),
        provenance: Provenance { sources: sources.clone(), leaves: BTreeMap::new() },
    };
    Interface {
        kind: InterfaceKind::Loopback,
        description: "the internet".to_owned(),
        mtu: None,
        addresses: targets.map(address).collect(),
        unnumbered: false,
        egress_acl: None,
        provenance: Provenance::from(source.clone()),
    }
}

/// The addresses on `lo` are the same on all external routers, so the router id is the address of the first session.
fn router_id(spec: &PeeringSpec) -> Option<Ipv4Addr> {
    spec.sessions.iter().find_map(|session| match session.neighbor {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    })
}
