//! Prefixes that are nobody's on the internet, and our own: neither is taken from a neighbor.

use ipnet::IpNet;
use weft_device::config::PrefixMatch;
use weft_intent::{IntentSet, spec::AddressPurpose};
use weft_model::Provenance;

use crate::statements::all_within;

/// What no neighbor has anything to say about, from RFC 6890. The prefixes of documentation (RFC 5737, RFC 3849) are not among
/// them: in examples and labs they are the internet.
const BOGONS: [&str; 18] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/8",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// Returns the bogons, each with all that is within it.
pub(crate) fn bogons(provenance: &Provenance) -> impl Iterator<Item = PrefixMatch> {
    BOGONS.iter().filter_map(|text| text.parse().ok()).map(|prefix| all_within(prefix, provenance.clone()))
}

/// Returns what is ours, each with all that is within it: segments, what peerings announce, and the pools of addresses of nodes
/// and links.
pub(crate) fn own_prefixes(intents: &IntentSet) -> Vec<PrefixMatch> {
    let mut own: Vec<PrefixMatch> = Vec::new();
    let mut add = |prefix: IpNet, source| {
        // Who announces the default route does not own the internet.
        if prefix.prefix_len() > 0 {
            own.push(all_within(prefix, Provenance::from(source)));
        }
    };
    for segment in intents.segments.values() {
        add(segment.spec.prefix, segment.source_at("/spec/prefix"));
    }
    for peering in intents.peerings.values() {
        for (index, prefix) in peering.spec.announce.prefixes.iter().enumerate() {
            add(*prefix, peering.source_at(&format!("/spec/announce/prefixes/{index}")));
        }
    }
    for pools in intents.pools.values() {
        for (index, pool) in pools.spec.addresses.iter().enumerate() {
            if matches!(pool.purpose, AddressPurpose::Loopback | AddressPurpose::Link) {
                add(pool.prefix, pools.source_at(&format!("/spec/addresses/{index}/prefix")));
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bogon_is_a_prefix_and_the_default_route_is_none() {
        let bogons: Vec<PrefixMatch> = bogons(&Provenance::default()).collect();
        assert_eq!(bogons.len(), BOGONS.len());
        let has = |prefix: &str| bogons.iter().any(|bogon| bogon.matches(&prefix.parse().unwrap()));
        assert!(["10.0.0.0/8", "10.1.2.0/24", "fd00:1::/32", "127.0.0.1/32"].iter().all(|prefix| has(prefix)));
        assert!(
            !["0.0.0.0/0", "::/0", "198.51.100.0/24", "2001:db8::/32", "2600::/16"].iter().any(|prefix| has(prefix))
        );
    }
}
