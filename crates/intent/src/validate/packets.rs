//! Sets of packets, exactly: by source, destination, and protocol with its ports.

use std::net::IpAddr;

use ipnet::IpNet;
use weft_model::PortRange;

use crate::spec::TransportProtocol;

/// Numbers from the first to the last.
type Span = (u128, u128);

/// Where packets have their protocol and destination port on one axis.
mod axis {
    pub(super) const UDP: u128 = 0x1_0000;
    pub(super) const ICMP: u128 = 0x2_0000;
    /// Every protocol that has no name in the language.
    pub(super) const OTHER: u128 = 0x2_0001;
}

/// More blocks than this are not computed with: a set of packets is then said to be unknown.
const MOST_BLOCKS: usize = 2_000;

/// Packets of one address family, within a span of each dimension: source, destination, transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    ipv4: bool,
    spans: [Span; 3],
}

impl Block {
    fn and(&self, other: &Self) -> Option<Self> {
        let mut both = *self;
        for (span, theirs) in both.spans.iter_mut().zip(&other.spans) {
            *span = (span.0.max(theirs.0), span.1.min(theirs.1));
            if span.0 > span.1 {
                return None;
            }
        }
        (self.ipv4 == other.ipv4).then_some(both)
    }

    /// Adds what is in this block and not in `other`, in blocks that have nothing in common.
    fn without(&self, other: &Self, out: &mut Vec<Self>) {
        let Some(both) = self.and(other) else {
            out.push(*self);
            return;
        };
        let mut rest = *self;
        for (dimension, &(first, last)) in both.spans.iter().enumerate() {
            let span = rest.spans[dimension];
            if span.0 < first {
                let mut below = rest;
                below.spans[dimension] = (span.0, first - 1);
                out.push(below);
            }
            if last < span.1 {
                let mut above = rest;
                above.spans[dimension] = (last + 1, span.1);
                out.push(above);
            }
            rest.spans[dimension] = (first, last);
        }
    }
}

/// A set of packets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packets(Vec<Block>);

impl Packets {
    /// Returns the packets from any of some prefixes to any of others. None goes from one address family to the other.
    pub(super) fn of(from: &[IpNet], to: &[IpNet], protocol: TransportProtocol, ports: &[PortRange]) -> Self {
        let transports = transports(protocol, ports);
        let mut blocks = Vec::new();
        for (from, to) in from.iter().flat_map(|from| to.iter().map(move |to| (from, to))) {
            let ipv4 = from.addr().is_ipv4();
            if to.addr().is_ipv4() == ipv4 {
                let (from, to) = (addresses(from), addresses(to));
                blocks.extend(transports.iter().map(|transport| Block { ipv4, spans: [from, to, *transport] }));
            }
        }
        Self(blocks)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the packets that are in both sets.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().flat_map(|block| other.0.iter().filter_map(move |theirs| block.and(theirs))).collect())
    }

    /// Tells whether some packet is in both sets.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().any(|block| other.0.iter().any(|theirs| block.and(theirs).is_some()))
    }

    /// Returns the packets that are not in the other set, and `None` when they are too many pieces.
    pub(super) fn without(&self, other: &Self) -> Option<Self> {
        let mut blocks = self.0.clone();
        for theirs in &other.0 {
            let mut rest = Vec::with_capacity(blocks.len());
            blocks.iter().for_each(|block| block.without(theirs, &mut rest));
            if rest.len() > MOST_BLOCKS {
                return None;
            }
            blocks = rest;
        }
        Some(Self(blocks))
    }

    /// Adds the packets of another set.
    pub(super) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Returns the same packets with every protocol and port.
    pub(super) fn of_every_transport(mut self) -> Self {
        for block in &mut self.0 {
            block.spans[2] = (0, axis::OTHER);
        }
        self
    }
}

/// Every address.
pub(super) fn everywhere() -> [IpNet; 2] {
    let any = |address: IpAddr| IpNet::new_assert(address, 0);
    [any(IpAddr::from([0; 4])), any(IpAddr::from([0_u16; 8]))]
}

fn addresses(prefix: &IpNet) -> Span {
    match prefix {
        IpNet::V4(net) => (u32::from(net.network()).into(), u32::from(net.broadcast()).into()),
        IpNet::V6(net) => (net.network().into(), net.broadcast().into()),
    }
}

fn transports(protocol: TransportProtocol, ports: &[PortRange]) -> Vec<Span> {
    let with_ports = |base: u128| {
        let all = [PortRange::ALL];
        let ports = if ports.is_empty() { &all } else { ports };
        ports.iter().map(|range| (base + u128::from(range.first()), base + u128::from(range.last()))).collect()
    };
    match protocol {
        TransportProtocol::Any => vec![(0, axis::OTHER)],
        TransportProtocol::Tcp => with_ports(0),
        TransportProtocol::Udp => with_ports(axis::UDP),
        TransportProtocol::Icmp => vec![(axis::ICMP, axis::ICMP)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(from: &str, to: &str, protocol: TransportProtocol, ports: &[&str]) -> Packets {
        let ports: Vec<PortRange> = ports.iter().map(|text| text.parse().unwrap()).collect();
        Packets::of(&[from.parse().unwrap()], &[to.parse().unwrap()], protocol, &ports)
    }

    #[test]
    fn a_set_can_be_covered_by_several_that_each_do_not() {
        let all = packets("10.0.0.0/8", "10.1.0.0/16", TransportProtocol::Tcp, &["1-100"]);
        let low = packets("0.0.0.0/0", "10.1.0.0/17", TransportProtocol::Any, &[]);
        let high = packets("0.0.0.0/0", "10.1.128.0/17", TransportProtocol::Tcp, &[]);
        let rest = all.without(&low).unwrap();
        assert!(!rest.is_empty() && rest.meets(&high) && !rest.meets(&low));
        assert!(rest.without(&high).unwrap().is_empty());
    }

    #[test]
    fn protocols_and_families_are_apart() {
        let tcp = packets("::/0", "2001:db8::/32", TransportProtocol::Tcp, &["443"]);
        let udp = packets("::/0", "2001:db8::/32", TransportProtocol::Udp, &["443"]);
        assert!(!tcp.meets(&udp) && tcp.and(&udp).is_empty());
        assert!(packets("0.0.0.0/0", "2001:db8::/32", TransportProtocol::Any, &[]).is_empty());
        let everything = packets("::/0", "::/0", TransportProtocol::Any, &[]);
        assert!(tcp.without(&everything).unwrap().is_empty());
        assert!(!everything.without(&tcp).unwrap().is_empty());
    }
}
