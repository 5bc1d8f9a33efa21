//! The addresses that are ours: those of pools, segments and tenants.

use ipnet::IpNet;
use weft_model::IntentKind;

use super::{Spot, Validation};

/// Ranges of our own, each where it is given.
pub(super) struct Own<'a> {
    ranges: Vec<(IpNet, Spot<'a>)>,
    /// Whether all of them are known.
    pub(super) whole: bool,
}

impl<'a> Own<'a> {
    pub(super) fn of(validation: &Validation<'a>) -> Self {
        let set = validation.set;
        let mut ranges = Vec::new();
        for intent in set.segments.values() {
            ranges.push((intent.spec.prefix, Spot::new(&intent.document, "/spec/prefix")));
            if let Some(ipv6) = &intent.spec.ipv6 {
                ranges.push((ipv6.prefix, Spot::new(&intent.document, "/spec/ipv6/prefix")));
            }
        }
        for intent in set.tenants.values() {
            for (index, segment) in intent.spec.segments.iter().enumerate() {
                for (number, prefix) in segment.prefixes.iter().enumerate() {
                    let pointer = format!("/spec/segments/{index}/prefixes/{number}");
                    ranges.push((*prefix, Spot::new(&intent.document, pointer)));
                }
            }
        }
        for intent in set.pools.values() {
            for (index, pool) in intent.spec.addresses.iter().enumerate() {
                ranges.push((pool.prefix, Spot::new(&intent.document, format!("/spec/addresses/{index}/prefix"))));
            }
        }
        let kinds = [IntentKind::Segment, IntentKind::Tenant, IntentKind::Pools];
        Self { ranges, whole: kinds.into_iter().all(|kind| validation.has_all(kind)) }
    }

    /// Returns a range of ours that holds all of a prefix.
    pub(super) fn holding(&self, prefix: &IpNet) -> Option<&(IpNet, Spot<'a>)> {
        self.ranges.iter().find(|(range, _)| range.contains(prefix))
    }

    /// Tells whether some of a prefix is ours.
    pub(super) fn overlaps(&self, prefix: &IpNet) -> bool {
        self.ranges.iter().any(|(range, _)| range.contains(prefix) || prefix.contains(range))
    }
}
