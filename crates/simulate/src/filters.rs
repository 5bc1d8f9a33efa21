//! What access lists tell apart: the kinds of packets that a promise is to be asked for, and the addresses.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use weft_device::config::{DeviceConfig, Interface, InterfaceKind, IpProtocol};
use weft_model::PortRange;

use crate::acl::Packet;

/// A protocol and a destination port.
pub type Kind = (Option<IpProtocol>, Option<u16>);

/// The access lists of a network, as far as they divide packets into kinds.
#[derive(Debug, Default)]
pub struct Filters {
    /// Whether there are any.
    any: bool,
    /// The ports with which a range of an entry begins, or the next after one ends.
    ports: BTreeSet<u16>,
    /// The prefixes that entries name, as those of sources and of destinations.
    prefixes: [BTreeSet<IpNet>; 2],
}

/// An end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketEnd {
    /// Where it comes from.
    Source,
    /// Where it goes.
    Destination,
}

impl Filters {
    /// Returns the access lists that interfaces of some devices use.
    pub fn of<'c>(configs: impl IntoIterator<Item = &'c DeviceConfig>) -> Self {
        let mut filters = Self::default();
        for config in configs {
            let used: BTreeSet<_> = config.interfaces.values().filter_map(|i| i.egress_acl.as_ref()).collect();
            for set in used.into_iter().filter_map(|name| config.acl_sets.get(name)) {
                filters.any = true;
                for entry in &set.entries {
                    filters.prefixes[PacketEnd::Source as usize].extend(entry.sources.iter().map(IpNet::trunc));
                    filters.prefixes[PacketEnd::Destination as usize]
                        .extend(entry.destinations.iter().map(IpNet::trunc));
                }
                for range in set.entries.iter().flat_map(|entry| &entry.destination_ports) {
                    filters.ports.extend([Some(range.first()), range.last().checked_add(1)].into_iter().flatten());
                }
            }
        }
        filters
    }

    /// Tells whether there are access lists at all.
    pub fn any(&self) -> bool {
        self.any
    }

    /// Returns `own`, an address of a subnet, and another one for each other part of it that access lists tell apart. For n prefixes
    /// within the subnet there are no more than n + 1 of them, found in n² steps.
    pub fn parts(&self, subnet: IpNet, own: IpAddr, end: PacketEnd) -> Vec<IpAddr> {
        let begin = IpNet::new_assert(subnet.network(), 0);
        let within: Vec<IpNet> = (self.prefixes[end as usize].range(begin..))
            .take_while(|prefix| prefix.network() <= subnet.broadcast())
            .filter(|prefix| **prefix != subnet && subnet.contains(*prefix))
            .copied()
            .collect();
        // A part begins where a prefix does, or behind one; the first and the last address of a subnet are no host's.
        let begins: BTreeSet<IpAddr> = within
            .iter()
            .chain([&subnet])
            .flat_map(|prefix| {
                [Some(prefix.network()), next(prefix.network()), next(prefix.broadcast())].into_iter().flatten()
            })
            .collect();
        let is_host = |address: &IpAddr| {
            let edge = *address == subnet.network() || *address == subnet.broadcast();
            subnet.contains(address) && !(edge && subnet.max_prefix_len() - subnet.prefix_len() > 1)
        };
        let part = |address: &IpAddr| within.iter().map(|prefix| prefix.contains(address)).collect::<Vec<bool>>();
        let mut known = BTreeSet::from([part(&own)]);
        let mut parts = vec![own];
        parts.extend(begins.into_iter().filter(is_host).filter(|address| known.insert(part(address))));
        parts
    }

    /// Returns the prefixes that entries name as those of an end and that hold an address.
    pub fn prefixes(&self, address: IpAddr, end: PacketEnd) -> impl Iterator<Item = &IpNet> {
        self.prefixes[end as usize].iter().filter(move |prefix| prefix.contains(&address))
    }

    /// Returns the first kind of packets from a source that the access list of a device lets through to the hosts of a port. None where
    /// there is no such port, or it lets nothing through.
    pub fn let_in(&self, config: &DeviceConfig, source: IpAddr, destination: IpAddr) -> Option<Kind> {
        let has = |interface: &Interface| {
            let mut addresses = interface.addresses.iter();
            interface.kind == InterfaceKind::Host && addresses.any(|address| address.prefix.contains(&destination))
        };
        let (port, _) = config.interfaces.iter().find(|(_, interface)| has(interface))?;
        self.kinds(None, &[], true).into_iter().find(|&(protocol, number)| {
            let packet = Packet { source, destination, protocol, port: number };
            packet.judged(config, port).is_none_or(|judged| judged.passes)
        })
    }

    /// Returns one protocol and port for each kind of packet of a promise, as far as access lists tell them apart. `all` asks for
    /// every packet where the promise names no protocol or no ports; without it, what is not named is what no entry names.
    pub fn kinds(&self, protocol: Option<IpProtocol>, ports: &[PortRange], all: bool) -> Vec<Kind> {
        if !self.any {
            return vec![(protocol, ports.first().map(|range| range.first()))];
        }
        let protocols = match protocol {
            None if all => vec![None, Some(IpProtocol::Tcp), Some(IpProtocol::Udp), Some(IpProtocol::Icmp)],
            Some(_) | None => vec![protocol],
        };
        let mut kinds = Vec::new();
        for protocol in protocols {
            let has_ports = matches!(protocol, Some(IpProtocol::Tcp | IpProtocol::Udp));
            if !has_ports || (ports.is_empty() && !all) {
                kinds.push((protocol, None));
                continue;
            }
            let ranges = if ports.is_empty() { &[PortRange::ALL] } else { ports };
            let begins = |range: &PortRange| self.ports.range(range.first()..=range.last()).copied();
            let asked = ranges.iter().flat_map(|range| begins(range).chain([range.first()]));
            let asked: BTreeSet<u16> = asked.collect();
            kinds.extend(asked.into_iter().map(|port| (protocol, Some(port))));
        }
        kinds
    }
}

/// Returns the address behind another one.
fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => u32::from(address).checked_add(1).map(|next| IpAddr::V4(next.into())),
        IpAddr::V6(address) => u128::from(address).checked_add(1).map(|next| IpAddr::V6(next.into())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_of_each_part_of_a_subnet_is_asked() {
        let parts = |prefixes: &[&str], subnet: &str, own: &str| {
            let prefixes = prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect();
            let filters = Filters { any: true, prefixes: [prefixes, BTreeSet::new()], ..Filters::default() };
            let parts = filters.parts(subnet.parse().unwrap(), own.parse().unwrap(), PacketEnd::Source);
            parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let (subnet, own) = ("10.30.0.0/24", "10.30.0.1");
        assert_eq!(parts(&[], subnet, own), own);
        assert_eq!(parts(&["10.0.0.0/8", "10.30.0.0/24", "10.31.0.0/25"], subnet, own), own);
        assert_eq!(parts(&["10.30.0.128/25"], subnet, own), "10.30.0.1 10.30.0.128");
        assert_eq!(parts(&["10.30.0.0/25"], subnet, own), "10.30.0.1 10.30.0.128");
        assert_eq!(parts(&["10.30.0.1/32"], subnet, own), "10.30.0.1 10.30.0.2");
        assert_eq!(parts(&["10.30.0.0/32", "10.30.0.255/32"], subnet, own), own);
        assert_eq!(parts(&["10.30.0.0/25", "10.30.0.0/26"], subnet, own), "10.30.0.1 10.30.0.64 10.30.0.128");
        assert_eq!(parts(&["2001:db8::8000/113"], "2001:db8::/64", "2001:db8::1"), "2001:db8::1 2001:db8::8000");
        assert_eq!(parts(&["128.0.0.0/1"], "0.0.0.0/0", "1.1.1.1"), "1.1.1.1 128.0.0.0");
    }

    proptest! {
        #[test]
        fn every_host_is_in_the_part_of_an_address_that_is_asked(
            prefixes in proptest::collection::btree_set((0_u32..64, 26_u8..=32), 0..6),
            own in 1_u32..63,
        ) {
            let at = |number: u32| IpAddr::V4((0x0a00_0000 + number).into());
            let prefixes: BTreeSet<IpNet> =
                prefixes.into_iter().map(|(number, length)| IpNet::new(at(number), length).unwrap().trunc()).collect();
            let part = |address: IpAddr| prefixes.iter().map(|prefix| prefix.contains(&address)).collect::<Vec<_>>();
            let filters = Filters { any: true, prefixes: [BTreeSet::new(), prefixes.clone()], ..Filters::default() };
            let parts = filters.parts(IpNet::new(at(0), 26).unwrap(), at(own), PacketEnd::Destination);
            let asked: BTreeSet<_> = parts.iter().map(|address| part(*address)).collect();
            prop_assert_eq!(asked.len(), parts.len());
            let all: BTreeSet<_> = (1..63).map(|number| part(at(number))).collect();
            prop_assert_eq!(asked, all);
        }
    }

    #[test]
    fn a_port_of_each_range_that_is_told_apart_is_asked() {
        let filters = Filters { any: true, ports: [80, 81, 443, 444].into(), ..Filters::default() };
        let tcp = Some(IpProtocol::Tcp);
        let ranges = ["80-100".parse().unwrap(), "443".parse().unwrap()];
        assert_eq!(filters.kinds(tcp, &ranges, false), [80, 81, 443].map(|port| (tcp, Some(port))));
        assert_eq!(filters.kinds(tcp, &[], false), [(tcp, None)]);
        assert_eq!(filters.kinds(None, &[], false), [(None, None)]);
        assert_eq!(filters.kinds(Some(IpProtocol::Icmp), &[], true), [(Some(IpProtocol::Icmp), None)]);
        // 1, 80, 81, 443 and 444 for TCP and for UDP, ICMP, and any other protocol.
        assert_eq!(filters.kinds(None, &[], true).len(), 12);
        assert_eq!(Filters::default().kinds(None, &[], true), [(None, None)]);
    }
}
