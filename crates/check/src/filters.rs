//! What access lists tell apart: the kinds of packets that a promise is to be asked for.

use std::collections::{BTreeMap, BTreeSet};

use weft_device::config::{DeviceConfig, IpProtocol};
use weft_model::{NodeName, PortRange};

/// The access lists of a network, as far as they divide packets into kinds.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    /// Whether there are any.
    any: bool,
    /// The ports with which a range of an entry begins, or the next after one ends.
    ports: BTreeSet<u16>,
}

impl Filters {
    /// Returns the access lists that interfaces use.
    pub(crate) fn of(configs: &BTreeMap<NodeName, DeviceConfig>) -> Self {
        let mut filters = Self::default();
        for config in configs.values() {
            let used: BTreeSet<_> = config.interfaces.values().filter_map(|i| i.egress_acl.as_ref()).collect();
            for set in used.into_iter().filter_map(|name| config.acl_sets.get(name)) {
                filters.any = true;
                for range in set.entries.iter().flat_map(|entry| &entry.destination_ports) {
                    filters.ports.extend([Some(range.first()), range.last().checked_add(1)].into_iter().flatten());
                }
            }
        }
        filters
    }

    /// Tells whether there are access lists at all.
    pub(crate) fn any(&self) -> bool {
        self.any
    }

    /// Returns one protocol and port for each kind of packet of a promise, as far as access lists tell them apart. `all` asks for
    /// every packet where the promise names no protocol or no ports; without it, what is not named is what no entry names.
    pub(crate) fn kinds(
        &self,
        protocol: Option<IpProtocol>,
        ports: &[PortRange],
        all: bool,
    ) -> Vec<(Option<IpProtocol>, Option<u16>)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_each_range_that_is_told_apart_is_asked() {
        let filters = Filters { any: true, ports: [80, 81, 443, 444].into() };
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
