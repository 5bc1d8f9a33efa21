//! Which intents answer for a session and for a prefix. Built once, then looked up.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use ipnet::IpNet;
use weft_compile::PortKey;
use weft_model::{IntentRef, InterfaceName, NodeName, TerminationPoint};

use crate::Intended;

/// Which intents answer for a session and for a prefix.
pub(crate) struct Owners {
    sessions: HashMap<TerminationPoint, IntentRef>,
    prefixes: HashMap<IpNet, Claims>,
    underlays: HashMap<NodeName, Vec<IntentRef>>,
    peerings: HashMap<NodeName, BTreeSet<IntentRef>>,
    /// The host ports of each segment, with their subnets.
    pub(crate) segment_ports: BTreeMap<IntentRef, Vec<(TerminationPoint, Option<IpNet>)>>,
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
            segment_ports: BTreeMap::new(),
        };
        for underlay in intents.underlays.values() {
            let picked: BTreeSet<&NodeName> =
                network.nodes().filter(|node| underlay.spec.select.picks(node)).map(|node| &node.name).collect();
            for node in &picked {
                owners.underlays.entry((*node).clone()).or_default().push(underlay.reference.clone());
                for link in network.links_of(node) {
                    if link.ends.iter().all(|end| picked.contains(&end.node))
                        && let Some(end) = link.near_end(node)
                    {
                        owners.sessions.insert(end.clone(), underlay.reference.clone());
                    }
                }
            }
        }
        for (node, address) in &allocations.loopbacks {
            owners.claim(IpNet::from(*address)).loopback = Some(node.clone());
        }
        for segment in intents.segments.values() {
            let subnets = allocations.segments.get(&segment.reference.name);
            let mut ports = BTreeMap::new();
            for selection in &segment.spec.ports {
                for node in network.nodes().filter(|node| selection.select.picks(node)) {
                    for interface in &selection.interfaces {
                        let port = termination_point(&node.name, interface);
                        let subnet = subnets.and_then(|subnets| subnets.get(&PortKey::from(&port))).copied();
                        ports.insert(port, subnet);
                    }
                }
            }
            for (port, subnet) in &ports {
                if let Some(subnet) = subnet {
                    owners.claim(subnet.trunc()).host_port = Some((segment.reference.clone(), port.clone()));
                }
            }
            owners.segment_ports.insert(segment.reference.clone(), ports.into_iter().collect());
        }
        for peering in intents.peerings.values() {
            for session in &peering.spec.sessions {
                let port = termination_point(&session.port.node, &session.port.interface);
                owners.peerings.entry(port.node.clone()).or_default().insert(peering.reference.clone());
                owners.sessions.insert(port, peering.reference.clone());
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

    fn claim(&mut self, prefix: IpNet) -> &mut Claims {
        self.prefixes.entry(prefix).or_default()
    }

    /// Returns the underlay or peering whose session runs over this port.
    pub(crate) fn session(&self, port: &TerminationPoint) -> Option<&IntentRef> {
        self.sessions.get(port)
    }

    /// Returns why a prefix is in the network, if an intent is the reason.
    pub(crate) fn prefix(&self, prefix: &IpNet) -> Option<&Claims> {
        self.prefixes.get(prefix)
    }

    /// Returns the underlays that answer for the loopback of `origin` at `device`: those that select both, or else, where
    /// the one is reached over several underlays, those that select the origin.
    pub(crate) fn underlays<'a>(
        &'a self,
        origin: &NodeName,
        device: &NodeName,
    ) -> impl Iterator<Item = &'a IntentRef> + use<'a> {
        let none: &[IntentRef] = &[];
        let of_origin = self.underlays.get(origin).map_or(none, Vec::as_slice);
        let of_device = self.underlays.get(device).map_or(none, Vec::as_slice);
        let shared = of_origin.iter().any(|underlay| of_device.contains(underlay));
        of_origin.iter().filter(move |underlay| !shared || of_device.contains(underlay))
    }

    /// Tells whether `peering` has a session on `device`.
    pub(crate) fn peers_at(&self, peering: &IntentRef, device: &NodeName) -> bool {
        self.peerings.get(device).is_some_and(|peerings| peerings.contains(peering))
    }

    /// Returns the address of a host port, which is the gateway of its subnet.
    pub(crate) fn gateway(intended: &Intended<'_>, port: &TerminationPoint) -> Option<IpAddr> {
        let interface = intended.configs.get(&port.node)?.interfaces.get(&port.interface)?;
        interface.addresses.first().map(|address| address.prefix.addr())
    }
}

pub(crate) fn termination_point(node: &NodeName, interface: &InterfaceName) -> TerminationPoint {
    TerminationPoint { node: node.clone(), interface: interface.clone() }
}
