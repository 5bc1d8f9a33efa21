//! The places that the ends of flows stand for: the addresses of segments, nodes, external routers and of the internet.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use weft_compile::{Allocations, ExternalRouters, Family, hosts};
use weft_intent::{IntentSet, spec::FlowEnd};
use weft_model::{IntentKind, InterfaceName, Name, Network, NodeName};
use weft_simulate::{Filters, PacketEnd};

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
    /// The subnets of host ports, by their gateways.
    subnets: BTreeMap<IpAddr, IpNet>,
    /// See [`own_ranges`].
    own: Vec<IpNet>,
    allocations: &'a Allocations,
    external: &'a ExternalRouters,
}

impl<'a> Places<'a> {
    pub(crate) fn new(
        intents: &IntentSet,
        network: &Network,
        allocations: &'a Allocations,
        external: &'a ExternalRouters,
    ) -> Self {
        let mut segments: BTreeMap<Name, Vec<Place>> = BTreeMap::new();
        let mut subnets = BTreeMap::new();
        for host in hosts(intents, network, allocations) {
            let gateways = [Some((host.gateway, host.address)), host.ipv6.map(|ipv6| (ipv6.gateway, ipv6.address))];
            let gateways = gateways.into_iter().flatten();
            subnets.extend(gateways.clone().map(|(gateway, address)| (gateway, address.trunc())));
            let place = |(address, _)| Place { node: host.port.node.clone(), address, known: true, answers: true };
            segments.entry(host.segment).or_default().extend(gateways.map(place));
        }
        Self { segments, subnets, own: own_ranges(intents), allocations, external }
    }

    /// Returns a place, and the same place with an address of each other part of what it stands for that access lists tell apart: of
    /// the hosts of a port, and of the sources behind an external router.
    pub(crate) fn parts(&self, place: &Place, end: PacketEnd, filters: &Filters) -> Vec<Place> {
        let at = |address| Place { address, ..place.clone() };
        if let Some(subnet) = self.subnets.get(&place.address) {
            return filters.parts(*subnet, place.address, end).into_iter().map(at).collect();
        }
        let mut parts = vec![place.clone()];
        let router = self.external.configs.get(&place.node).filter(|_| place.known && end == PacketEnd::Source);
        for behind in router.and_then(|router| router.bgp.as_ref()).iter().flat_map(|bgp| bgp.networks.keys()) {
            if behind.addr().is_ipv4() == place.address.is_ipv4() {
                let others = filters.parts(*behind, place.address, end).into_iter().skip(1);
                // What is let in because it is ours is not meant to come from there.
                let overlaps = |prefix: &IpNet| self.own.iter().any(|own| own.contains(prefix) || prefix.contains(own));
                parts.extend(others.filter(|other| !filters.prefixes(*other, end).any(overlaps)).map(at));
            }
        }
        parts
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

/// Returns the ranges of addresses that are in the network: those of segments and pools.
pub(crate) fn own_ranges(intents: &IntentSet) -> Vec<IpNet> {
    (intents.segments.values().flat_map(|segment| segment.spec.ranges().map(|(_, prefix, _)| prefix)))
        .chain(intents.pools.values().flat_map(|pools| pools.spec.addresses.iter().map(|pool| pool.prefix)))
        .collect()
}
