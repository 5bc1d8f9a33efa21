//! The places that the ends of flows stand for: the addresses of segments, nodes, external routers and of the internet.

use std::{collections::BTreeMap, net::IpAddr};

use weft_compile::{Allocations, ExternalRouters, Family, Host};
use weft_intent::spec::FlowEnd;
use weft_model::{IntentKind, InterfaceName, Name, NodeName};

/// Where packets start or go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The device that has the address; any for an address of the internet, which several external routers may have.
    pub(crate) node: NodeName,
    pub(crate) address: IpAddr,
    /// Whether the device is known beforehand.
    pub(crate) known: bool,
    /// Whether packets to the address can be expected to find it.
    pub(crate) answers: bool,
}

/// The places of a network.
pub(crate) struct Places<'a> {
    segments: BTreeMap<Name, Vec<Place>>,
    allocations: &'a Allocations,
    external: &'a ExternalRouters,
}

impl<'a> Places<'a> {
    pub(crate) fn new(hosts: Vec<Host>, allocations: &'a Allocations, external: &'a ExternalRouters) -> Self {
        let mut segments: BTreeMap<Name, Vec<Place>> = BTreeMap::new();
        for host in hosts {
            let gateways = [Some(host.gateway), host.ipv6.map(|ipv6| ipv6.gateway)];
            let place = |address| Place { node: host.port.node.clone(), address, known: true, answers: true };
            segments.entry(host.segment).or_default().extend(gateways.into_iter().flatten().map(place));
        }
        Self { segments, allocations, external }
    }

    /// Returns each pair of a place of `from` and another one of `to`.
    pub(crate) fn pairs(&self, from: &FlowEnd, to: &FlowEnd) -> Vec<(Place, Place)> {
        let (sources, destinations) = (self.of(from), self.of(to));
        let mut pairs = Vec::new();
        for from in sources.iter().filter(|place| place.known) {
            let same_family = |to: &&Place| to.address.is_ipv4() == from.address.is_ipv4();
            // A port of both families has an address of each; no packet goes from one to the other.
            for to in destinations.iter().filter(|to| *to != from).filter(same_family) {
                pairs.push((from.clone(), to.clone()));
            }
        }
        pairs
    }

    fn of(&self, end: &FlowEnd) -> Vec<Place> {
        match end {
            FlowEnd::Node(node) => {
                let loopbacks = Family::ALL.into_iter().filter_map(|family| self.allocations.loopback(node, family));
                let place = |address| Place { node: node.clone(), address, known: true, answers: true };
                loopbacks.map(place).collect()
            }
            FlowEnd::Address(address) => {
                // Any device may have it; the trace tells which.
                let anywhere = self.external.configs.keys().next().cloned();
                let anywhere = anywhere.or_else(|| self.allocations.loopbacks.keys().next().cloned());
                let place = |node| Place { node, address: *address, known: false, answers: true };
                anywhere.map(place).into_iter().collect()
            }
            FlowEnd::Intent(intent) => match intent.kind {
                IntentKind::Segment => self.segments.get(&intent.name).cloned().unwrap_or_default(),
                IntentKind::Peering => self.external_router(&intent.name).into_iter().collect(),
                IntentKind::Fabric
                | IntentKind::Topology
                | IntentKind::Pools
                | IntentKind::Underlay
                | IntentKind::Tenant
                | IntentKind::Steering
                | IntentKind::Reachability
                | IntentKind::Access
                | IntentKind::Maintenance
                | IntentKind::Baseline
                | IntentKind::Capacity => Vec::new(),
            },
        }
    }

    /// Returns the external router of a peering, with an address of the internet where it has one. Only to such an address
    /// do answers find a way: peering subnets are not announced.
    fn external_router(&self, peering: &Name) -> Option<Place> {
        let (node, config) = self.external.configs.get_key_value(peering.as_str())?;
        let address_of = |name: &InterfaceName| config.interfaces.get(name)?.addresses.first();
        let internet = address_of(&InterfaceName::loopback());
        let address = internet.or_else(|| config.interfaces.values().find_map(|i| i.addresses.first()))?;
        Some(Place { node: node.clone(), address: address.prefix.addr(), known: true, answers: internet.is_some() })
    }
}
