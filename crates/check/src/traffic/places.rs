//! The places between which traffic goes, in the words of the intents: segments, loopbacks, peerings, the internet.

use std::{collections::BTreeSet, fmt, net::IpAddr};

use ipnet::IpNet;
use weft_compile::{Allocations, ExternalRouters, Family, hosts};
use weft_intent::IntentSet;
use weft_model::{InterfaceName, Name, Network, Node, NodeName, Role};
use weft_simulate::{Filters, PacketEnd};

use crate::places::own_ranges;

/// A class of places that a person understands. It prints as `segment/web`, `peering/transit-a`, `internet` or `loopbacks`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlaceClass {
    /// The host ports of a segment.
    Segment(Name),
    /// An external neighbor.
    Peering(Name),
    /// What is behind external neighbors and belongs to none of them.
    Internet,
    /// The loopbacks of nodes.
    Loopbacks,
}

impl fmt::Display for PlaceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(name) => write!(f, "segment/{name}"),
            Self::Peering(name) => write!(f, "peering/{name}"),
            Self::Internet => f.write_str("internet"),
            Self::Loopbacks => f.write_str("loopbacks"),
        }
    }
}

/// Where packets start or go. Two networks have the same place when all but the address is the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What it belongs to.
    pub class: PlaceClass,
    /// The device that it is at; none for the internet.
    pub node: Option<NodeName>,
    /// The interface at the device; none for what is behind an external neighbor.
    pub interface: Option<InterfaceName>,
    /// The prefix behind external neighbors that it stands for, or the hosts of a port that access lists tell from the others.
    pub prefix: Option<IpNet>,
    /// Whether its address is one of IPv6.
    pub ipv6: bool,
    /// The fabric of the device.
    pub fabric: Option<Name>,
    /// The site of the device.
    pub site: Option<Name>,
    /// The role of the device.
    pub role: Option<Role>,
    /// Whether packets start here too; else they only go here.
    pub starts: bool,
    /// Whether packets go here too; else they only start here.
    pub ends: bool,
    /// An address of it.
    pub address: IpAddr,
    /// The subnet of a port of a segment.
    pub subnet: Option<IpNet>,
}

impl Place {
    /// Returns what makes it the same place in two networks.
    pub(super) fn key(&self) -> (&PlaceClass, Option<&NodeName>, Option<&InterfaceName>, Option<IpNet>, bool) {
        let Self { class, node, interface, prefix, ipv6, .. } = self;
        (class, node.as_ref(), interface.as_ref(), *prefix, *ipv6)
    }
}

impl Place {
    /// Returns the hosts of a port of a segment that access lists tell from those for which the port stands: an address of each part
    /// of its subnet, as a place of one end of packets.
    pub(super) fn parts(&self, filters: &Filters, end: PacketEnd) -> Vec<Self> {
        let Some(subnet) = self.subnet else { return Vec::new() };
        let part = |address: IpAddr| Self {
            address,
            prefix: Some(address.into()),
            starts: end == PacketEnd::Source,
            ends: end == PacketEnd::Destination,
            ..self.clone()
        };
        filters.parts(subnet, self.address, end).into_iter().skip(1).map(part).collect()
    }
}

/// It prints as `b1-leaf-01:swp1`, `b1-leaf-01` for a loopback, `transit-a`, or as a prefix of the internet.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.node, &self.interface, self.prefix) {
            (_, _, Some(prefix)) => write!(f, "{prefix}"),
            (Some(node), Some(interface), None) if *interface != InterfaceName::loopback() => {
                write!(f, "{node}:{interface}")
            }
            (Some(node), _, None) => write!(f, "{node}"),
            (None, _, None) => write!(f, "{}", self.address),
        }
    }
}

/// Returns the places of a network: every port of every segment, every loopback, every external router, and for each prefix
/// that external routers announce an address in it.
pub fn places(
    intents: &IntentSet,
    network: &Network,
    allocations: &Allocations,
    external: &ExternalRouters,
) -> Vec<Place> {
    let at = |node: &Node, class, interface, (address, subnet): (IpAddr, Option<IpNet>)| Place {
        class,
        node: Some(node.name.clone()),
        interface: Some(interface),
        prefix: None,
        ipv6: address.is_ipv6(),
        fabric: node.fabric.as_ref().and_then(|fabric| fabric.as_str().parse().ok()),
        site: node.site.as_ref().and_then(|site| site.as_str().parse().ok()),
        role: Some(node.role.clone()),
        starts: true,
        ends: true,
        address,
        subnet,
    };
    let mut places = Vec::new();
    for host in hosts(intents, network, allocations) {
        let Some(node) = network.node(host.port.node.as_str()) else { continue };
        let ipv6 = host.ipv6.map(|ipv6| (ipv6.gateway, ipv6.address));
        for (gateway, address) in [Some((host.gateway, host.address)), ipv6].into_iter().flatten() {
            let class = PlaceClass::Segment(host.segment.clone());
            places.push(at(node, class, host.port.interface.clone(), (gateway, Some(address.trunc()))));
        }
    }
    for node in network.nodes() {
        for address in Family::ALL.into_iter().filter_map(|family| allocations.loopback(&node.name, family)) {
            places.push(at(node, PlaceClass::Loopbacks, InterfaceName::loopback(), (address, None)));
        }
    }
    places.extend(outside(intents, external));
    places.sort();
    places.dedup_by(|a, b| a.key() == b.key());
    places
}

/// Returns the places behind external neighbors: each router as a source, what it announces as a destination.
fn outside(intents: &IntentSet, external: &ExternalRouters) -> Vec<Place> {
    let inside = own_ranges(intents);
    let place = |class, node, prefix, starts, address: IpAddr| Place {
        class,
        node,
        interface: None,
        prefix,
        ipv6: address.is_ipv6(),
        fabric: None,
        site: None,
        role: None,
        starts,
        ends: !starts,
        address,
        subnet: None,
    };
    let mut places = Vec::new();
    let mut announced: BTreeSet<(IpNet, &NodeName)> = BTreeSet::new();
    for (name, config) in &external.configs {
        let Ok(peering) = name.as_str().parse::<Name>() else { continue };
        // An address behind the router, else one of its own; only to the former do answers find a way.
        let loopback = config.interfaces.get(&InterfaceName::loopback());
        let addresses = loopback.into_iter().chain(config.interfaces.values()).flat_map(|i| &i.addresses);
        for ipv6 in [false, true] {
            let own = addresses.clone().map(|address| address.prefix.addr()).find(|address| address.is_ipv6() == ipv6);
            let class = PlaceClass::Peering(peering.clone());
            places.extend(own.map(|address| place(class, Some(name.clone()), None, true, address)));
        }
        announced.extend(config.bgp.iter().flat_map(|bgp| bgp.networks.keys()).map(|prefix| (*prefix, name)));
    }
    for (prefix, name) in &announced {
        let alone = announced.iter().filter(|(other, _)| other == prefix).count() == 1;
        let class = match name.as_str().parse() {
            Ok(peering) if alone && prefix.prefix_len() > 0 => PlaceClass::Peering(peering),
            Ok(_) | Err(_) => PlaceClass::Internet,
        };
        let node = (class != PlaceClass::Internet).then(|| (*name).clone());
        let Some(address) = representative(*prefix, &inside) else { continue };
        places.push(place(class, node, Some(*prefix), false, address));
    }
    places
}

/// Returns an address that stands for a prefix: its first one, and for a default route one that no intent has.
fn representative(prefix: IpNet, inside: &[IpNet]) -> Option<IpAddr> {
    if prefix.prefix_len() > 0 {
        return prefix.hosts().next();
    }
    // Addresses of documentation first, then of the earliest networks of the internet.
    let candidates: &[&str] = if prefix.addr().is_ipv4() {
        &["198.51.100.1", "192.0.2.129", "203.0.113.129", "8.0.0.1", "4.0.0.1"]
    } else {
        &["2001:db8:ffff::1", "2001:200::1", "2001:500::1"]
    };
    let mut candidates = candidates.iter().filter_map(|text| text.parse::<IpAddr>().ok());
    candidates.find(|address| !inside.iter().any(|range| range.contains(address)))
}
