//! The packets that access lists tell apart: kinds by protocol and port, and sources by the prefixes that entries name.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use weft_device::config::{DeviceConfig, IpProtocol};
use weft_model::NodeName;
use weft_simulate::Filters;

/// What the access lists of some networks tell apart.
pub(super) struct Sorts {
    /// One protocol and port of each kind, in order; a kind with a port goes up to the next one.
    pub(super) kinds: Vec<(Option<IpProtocol>, Option<u16>)>,
    /// The source prefixes that entries name.
    prefixes: BTreeSet<IpNet>,
    /// The access lists of all networks.
    pub(super) filters: Filters,
}

impl Sorts {
    /// Returns what is told apart in either of two networks.
    pub(super) fn of(networks: [&BTreeMap<NodeName, DeviceConfig>; 2]) -> Self {
        let configs = networks.into_iter().flat_map(BTreeMap::values);
        let sets = configs.clone().flat_map(|config| config.acl_sets.values());
        let prefixes = sets.flat_map(|set| &set.entries).flat_map(|entry| &entry.sources).copied().collect();
        let filters = Filters::of(configs);
        let kinds: BTreeSet<_> = filters.kinds(None, &[], true).into_iter().collect();
        Self { kinds: kinds.into_iter().collect(), prefixes, filters }
    }

    /// Returns which prefixes an address is in: entries do the same with all addresses of which this is the same.
    pub(super) fn signature(&self, address: IpAddr) -> Vec<bool> {
        self.prefixes.iter().map(|prefix| prefix.contains(&address)).collect()
    }

    /// Returns the words for some kinds, such as `tcp 80-99, icmp`, or `all but tcp 443`; none where they are all.
    pub(super) fn words(&self, some: &BTreeSet<usize>) -> Option<String> {
        let others: BTreeSet<usize> = (0..self.kinds.len()).filter(|kind| !some.contains(kind)).collect();
        match others.len() {
            0 => None,
            few if few < some.len() => Some(format!("all but {}", self.list(&others))),
            _ => Some(self.list(some)),
        }
    }

    fn list(&self, some: &BTreeSet<usize>) -> String {
        let mut parts = Vec::new();
        let protocols: BTreeSet<Option<IpProtocol>> = self.kinds.iter().map(|(protocol, _)| *protocol).collect();
        for protocol in protocols {
            let of = |index: &usize| self.kinds[*index].0 == protocol;
            let all: Vec<usize> = (0..self.kinds.len()).filter(of).collect();
            let chosen: Vec<usize> = some.iter().copied().filter(of).collect();
            let name = name(protocol);
            if chosen.len() == all.len() {
                parts.push(name.to_owned());
                continue;
            }
            let mut ranges: Vec<(u16, u16)> = Vec::new();
            for index in chosen {
                let Some(first) = self.kinds[index].1 else { continue };
                let next = all.iter().find(|&&other| other > index).and_then(|&other| self.kinds[other].1);
                let last = next.map_or(u16::MAX, |next| next - 1);
                match ranges.last_mut() {
                    Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
                    Some(_) | None => ranges.push((first, last)),
                }
            }
            let words = ranges.iter().map(|(first, last)| match first == last {
                true => first.to_string(),
                false => format!("{first}-{last}"),
            });
            let words: Vec<String> = words.collect();
            if !words.is_empty() {
                parts.push(format!("{name} {}", words.join("+")));
            }
        }
        parts.join(", ")
    }
}

/// Returns the name of a protocol.
pub(super) fn name(protocol: Option<IpProtocol>) -> &'static str {
    match protocol {
        Some(IpProtocol::Tcp) => "tcp",
        Some(IpProtocol::Udp) => "udp",
        Some(IpProtocol::Icmp) => "icmp",
        None => "other protocols",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_packets_have_short_words() {
        let ports = |protocol| [0, 80, 81, 443, 444].map(|port| (Some(protocol), Some(port)));
        let mut kinds = vec![(None, None)];
        kinds.extend(ports(IpProtocol::Tcp));
        kinds.extend(ports(IpProtocol::Udp));
        kinds.push((Some(IpProtocol::Icmp), None));
        let sorts = Sorts { kinds, prefixes: BTreeSet::new(), filters: Filters::default() };
        let words = |some: &[usize]| sorts.words(&some.iter().copied().collect());
        assert_eq!(words(&[2]).unwrap(), "tcp 80");
        assert_eq!(words(&[1, 2, 4]).unwrap(), "tcp 0-80+443");
        assert_eq!(words(&[1, 2, 3, 4, 5, 11]).unwrap(), "tcp, icmp");
        assert_eq!(words(&[0, 10]).unwrap(), "other protocols, udp 444-65535");
        assert_eq!(words(&[0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]).unwrap(), "all but tcp 443");
        assert_eq!(words(&(0..12).collect::<Vec<_>>()), None);
    }
}
