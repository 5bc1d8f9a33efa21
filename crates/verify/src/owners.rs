//! Which intents answer for a session and for a prefix. Built once, then looked up.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use ipnet::IpNet;
use weft_device::state::NextHop;
use weft_model::{IntentKind, IntentRef, InterfaceName, NodeName, TerminationPoint};

use crate::Intended;

/// Which intents answer for a session and for a prefix.
pub(crate) struct Owners {
    sessions: HashMap<NodeName, HashMap<InterfaceName, IntentRef>>,
    prefixes: HashMap<IpNet, Claims>,
    underlays: HashMap<NodeName, Vec<IntentRef>>,
    peerings: HashMap<NodeName, BTreeSet<IntentRef>>,
    with_hosts: BTreeSet<NodeName>,
    /// The host ports of each segment, with their subnets, at most one of each address family.
    pub(crate) segment_ports: BTreeMap<IntentRef, Vec<(TerminationPoint, Vec<IpNet>)>>,
}

/// Why a prefix is in the network.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// It is the loopback of this node.
    pub(crate) loopback: Option<NodeName>,
    /// It is the subnet of this host port.
    pub(crate) host_port: Option<(IntentRef, TerminationPoint)>,
    /// These peerings accept it.
    pub(crate) accepted: Vec<IntentRef>,
    /// These peerings announce it.
    pub(crate) announced: Vec<IntentRef>,
}

impl Owners {
    /// Indexes the intents.
    pub(crate) fn new(intended: &Intended<'_>) -> Self {
        let Intended { intents, network, allocations, .. } = intended;
        let mut owners = Self {
            sessions: HashMap::new(),
            prefixes: HashMap::new(),
            underlays: HashMap::new(),
            peerings: HashMap::new(),
            with_hosts: BTreeSet::new(),
            segment_ports: BTreeMap::new(),
        };
        for underlay in intents.underlays.values() {
            let picked: BTreeSet<&NodeName> =
                network.nodes().filter(|node| underlay.spec.select.picks(node)).map(|node| &node.name).collect();
            for node in &picked {
                owners.underlays.entry((*node).clone()).or_default().push(underlay.reference.clone());
                if underlay.spec.ibgp.is_some() {
                    owners.run(termination_point(node, &InterfaceName::loopback()), &underlay.reference);
                }
                for link in network.links_of(node) {
                    if link.ends.iter().all(|end| picked.contains(&end.node))
                        && let Some(end) = link.near_end(node)
                    {
                        owners.run(end.clone(), &underlay.reference);
                    }
                }
            }
        }
        for (node, address) in allocations.loopbacks.iter().chain(&allocations.loopbacks_ipv6) {
            owners.claim(IpNet::from(*address)).loopback = Some(node.clone());
        }
        for segment in intents.segments.values() {
            let mut ports: BTreeMap<TerminationPoint, Vec<IpNet>> = BTreeMap::new();
            for selection in &segment.spec.ports {
                for node in network.nodes().filter(|node| selection.select.picks(node)) {
                    for interface in &selection.interfaces {
                        let port = termination_point(&node.name, interface);
                        let subnets = allocations.subnets(&segment.reference.name, &port).collect();
                        ports.insert(port, subnets);
                    }
                }
            }
            for (port, subnets) in &ports {
                owners.with_hosts.insert(port.node.clone());
                for subnet in subnets {
                    owners.claim(subnet.trunc()).host_port = Some((segment.reference.clone(), port.clone()));
                }
            }
            owners.segment_ports.insert(segment.reference.clone(), ports.into_iter().collect());
        }
        for peering in intents.peerings.values() {
            for session in &peering.spec.sessions {
                let port = termination_point(&session.port.node, &session.port.interface);
                owners.peerings.entry(port.node.clone()).or_default().insert(peering.reference.clone());
                owners.run(port, &peering.reference);
            }
            for prefix in &peering.spec.accept.prefixes {
                owners.claim(prefix.trunc()).accepted.push(peering.reference.clone());
            }
            for prefix in &peering.spec.announce.prefixes {
                owners.claim(prefix.trunc()).announced.push(peering.reference.clone());
            }
        }
        owners
    }

    /// Keeps whose session runs over a port.
    fn run(&mut self, port: TerminationPoint, intent: &IntentRef) {
        self.sessions.entry(port.node).or_default().insert(port.interface, intent.clone());
    }

    fn claim(&mut self, prefix: IpNet) -> &mut Claims {
        self.prefixes.entry(prefix).or_default()
    }

    /// Returns the underlay or peering whose session runs over this interface of a device.
    pub(crate) fn session(&self, device: &NodeName, interface: &InterfaceName) -> Option<&IntentRef> {
        self.sessions.get(device)?.get(interface)
    }

    /// Returns why a prefix is in the network, if an intent is the reason.
    pub(crate) fn prefix(&self, prefix: &IpNet) -> Option<&Claims> {
        self.prefixes.get(prefix)
    }

    /// Returns the underlays that carry a route with these next hops out of a device; those that select the device where
    /// no next hop leads out of it.
    pub(crate) fn carrying<'a>(&'a self, device: &NodeName, hops: &BTreeSet<NextHop>) -> BTreeSet<&'a IntentRef> {
        let over: BTreeSet<&IntentRef> = hops
            .iter()
            .filter_map(|hop| self.session(device, hop.interface()?))
            .filter(|intent| intent.kind == IntentKind::Underlay)
            .collect();
        if over.is_empty() { self.underlays.get(device).into_iter().flatten().collect() } else { over }
    }

    /// Tells whether `peering` has a session on `device`.
    pub(crate) fn peers_at(&self, peering: &IntentRef, device: &NodeName) -> bool {
        self.peerings.get(device).is_some_and(|peerings| peerings.contains(peering))
    }

    /// Tells whether a device has neither host ports nor external neighbors.
    pub(crate) fn only_passes_on(&self, device: &NodeName) -> bool {
        !self.with_hosts.contains(device) && !self.peerings.contains_key(device)
    }

    /// Returns the addresses of a host port, which are the gateways of its subnets.
    pub(crate) fn gateways<'i>(
        intended: &Intended<'i>,
        port: &TerminationPoint,
    ) -> impl Iterator<Item = IpAddr> + use<'i> {
        let interface = intended.configs.get(&port.node).and_then(|config| config.interfaces.get(&port.interface));
        interface.into_iter().flat_map(|interface| &interface.addresses).map(|address| address.prefix.addr())
    }
}

pub(crate) fn termination_point(node: &NodeName, interface: &InterfaceName) -> TerminationPoint {
    TerminationPoint { node: node.clone(), interface: interface.clone() }
}
