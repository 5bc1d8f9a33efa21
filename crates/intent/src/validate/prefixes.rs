//! Ranges of addresses that must not overlap: pools, segments, those of tenants, subnets of peerings.

use std::collections::HashSet;

use ipnet::IpNet;
use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_model::{Name, NodeName};

use super::{Spot, Validation};
use crate::{
    codes,
    spec::{AddressPurpose, Selector},
};

/// What a range is for.
#[derive(Clone, Copy)]
enum Use<'a> {
    Pool(AddressPurpose, &'a Selector),
    Segment,
    /// The tenant, and its segment.
    Tenant(&'a Name, &'a Name),
    Peering,
}

impl Use<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Pool(AddressPurpose::Loopback, _) => "loopback pool",
            Self::Pool(AddressPurpose::Link, _) => "link pool",
            Self::Pool(AddressPurpose::Management, _) => "management pool",
            Self::Segment => "segment prefix",
            Self::Tenant(..) => "tenant prefix",
            Self::Peering => "peering subnet",
        }
    }

    /// Returns which of two overlapping ranges the finding is about: the more particular one.
    fn rank(self) -> u8 {
        match self {
            Self::Pool(..) => 0,
            Self::Segment => 1,
            Self::Tenant(..) => 2,
            Self::Peering => 3,
        }
    }
}

struct Range<'a> {
    prefix: IpNet,
    of: Use<'a>,
    spot: Spot<'a>,
}

/// Reports each range that overlaps another, with the nearest one around it.
pub(super) fn check(validation: &mut Validation<'_>) {
    let set = validation.set;
    let mut ranges = Vec::new();
    for intent in set.pools.values() {
        for (index, pool) in intent.spec.addresses.iter().enumerate() {
            let spot = Spot::new(&intent.document, format!("/spec/addresses/{index}/prefix"));
            ranges.push(Range { prefix: pool.prefix, of: Use::Pool(pool.purpose, &pool.select), spot });
        }
    }
    for intent in set.segments.values() {
        for (at, prefix, _) in intent.spec.ranges() {
            ranges.push(Range { prefix, of: Use::Segment, spot: Spot::new(&intent.document, format!("{at}/prefix")) });
        }
    }
    for (name, intent) in &set.tenants {
        for (index, segment) in intent.spec.segments.iter().enumerate() {
            for (number, prefix) in segment.prefixes.iter().enumerate() {
                let spot = Spot::new(&intent.document, format!("/spec/segments/{index}/prefixes/{number}"));
                ranges.push(Range { prefix: *prefix, of: Use::Tenant(name, &segment.name), spot });
            }
        }
    }
    for intent in set.peerings.values() {
        for (index, session) in intent.spec.sessions.iter().enumerate() {
            let spot = Spot::new(&intent.document, format!("/spec/sessions/{index}/address"));
            ranges.push(Range { prefix: session.address.trunc(), of: Use::Peering, spot });
        }
    }
    // Sorted so, a prefix comes before all that lie in it: those around it are a stack.
    ranges.sort_by_key(|range| (range.prefix.network(), range.prefix.prefix_len()));
    let mut around: Vec<usize> = Vec::new();
    let mut overlaps: Vec<Diagnostic> = Vec::new();
    for index in 0..ranges.len() {
        while around.last().is_some_and(|&outer| !ranges[outer].prefix.contains(&ranges[index].prefix)) {
            around.pop();
        }
        let conflict = around.iter().rev().find(|&&outer| !may_overlap(validation, ranges[outer].of, ranges[index].of));
        if let Some(&outer) = conflict {
            overlaps.push(overlap(&ranges[outer], &ranges[index]));
        }
        around.push(index);
    }
    // A range over several others is one mistake.
    overlaps.sort();
    overlaps.dedup_by(|next, first| {
        let same = next.code == first.code && next.span == first.span;
        if same {
            first.labels.append(&mut next.labels);
        }
        same
    });
    validation.findings.extend(overlaps.into_iter().map(|mut finding| {
        if finding.labels.len() > 1 {
            finding.message = format!("{}, and {} more", finding.message, finding.labels.len() - 1);
        }
        finding
    }));
}

/// Pools of one purpose may share addresses when they are for different nodes: none is given twice. A tenant is a network
/// of its own: of what others have, only segments, which have the same hosts for neighbors, must differ.
fn may_overlap(validation: &Validation<'_>, a: Use<'_>, b: Use<'_>) -> bool {
    let (a_purpose, a, b_purpose, b) = match (a, b) {
        // Two segments of one name, or two prefixes of one family in a segment, are told as such.
        (Use::Tenant(a, a_segment), Use::Tenant(b, b_segment)) => return a != b || a_segment == b_segment,
        (Use::Tenant(..), Use::Pool(..) | Use::Peering) | (Use::Pool(..) | Use::Peering, Use::Tenant(..)) => {
            return true;
        }
        (Use::Pool(a_purpose, a), Use::Pool(b_purpose, b)) => (a_purpose, a, b_purpose, b),
        (Use::Pool(..), Use::Segment | Use::Peering)
        | (Use::Segment, Use::Pool(..) | Use::Segment | Use::Tenant(..) | Use::Peering)
        | (Use::Peering, Use::Pool(..) | Use::Segment | Use::Peering)
        | (Use::Tenant(..), Use::Segment) => return false,
    };
    if a_purpose != b_purpose {
        return false;
    }
    let nodes: HashSet<&NodeName> = a.pick(validation.network).into_iter().map(|node| &node.name).collect();
    b.pick(validation.network).iter().all(|node| !nodes.contains(&node.name))
}

fn overlap(outer: &Range<'_>, inner: &Range<'_>) -> Diagnostic {
    let key = |range: &Range<'_>| -> (u8, SourceSpan) { (range.of.rank(), range.spot.span()) };
    let (first, second) = if key(outer) < key(inner) { (outer, inner) } else { (inner, outer) };
    let (this, other) = (second.of.name(), first.of.name());
    let message = if first.prefix == second.prefix {
        format!("the {this} {} is the same range as a {other}", second.prefix)
    } else {
        format!("the {this} {} overlaps the {other} {}", second.prefix, first.prefix)
    };
    let code = match (first.of, second.of) {
        (_, Use::Peering) | (Use::Peering, _) => codes::SUBNET_USED_TWICE,
        (_, Use::Segment | Use::Tenant(..)) | (Use::Segment | Use::Tenant(..), _) => codes::SEGMENT_OVERLAP,
        (Use::Pool(..), Use::Pool(..)) => codes::POOLS_OVERLAP,
    };
    Diagnostic::error(code, message)
        .at(second.spot.span())
        .label(first.spot.span(), "the other range")
        .help("take a range that nothing else uses")
}
