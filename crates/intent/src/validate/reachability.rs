//! Reachability intents: their ends, and promises that contradict each other.

use std::collections::BTreeMap;

use weft_diagnostics::Diagnostic;
use weft_model::IntentKind;

use super::{Spot, Validation, unknown};
use crate::{
    Document, codes,
    spec::{Expectation, FlowEnd},
};

pub(super) fn check(validation: &mut Validation<'_>) {
    let mut promises: BTreeMap<(&FlowEnd, &FlowEnd), (Expectation, Spot<'_>)> = BTreeMap::new();
    for intent in validation.set.reachabilities.values() {
        let (spec, document) = (&intent.spec, &*intent.document);
        end(validation, &spec.from, document, "/spec/from", true);
        end(validation, &spec.to, document, "/spec/to", false);
        let pair = (&spec.from, &spec.to);
        match promises.get(&pair) {
            Some((expect, first)) if *expect != spec.expect => {
                let (is, was) = match spec.expect {
                    Expectation::Reachable => ("reachable", "isolated"),
                    Expectation::Isolated => ("isolated", "reachable"),
                };
                let message = format!("`{}` cannot be {is} from `{}` and {was} at the same time", spec.to, spec.from);
                // Without `expect` the intent promises reachability by what it is.
                let place = |spot: &Spot<'_>| {
                    if spot.document.has("/spec/expect") { spot.document.span("/spec/expect") } else { spot.span() }
                };
                let finding = Diagnostic::error(codes::CONTRADICTION, message)
                    .at(place(&Spot::new(document, "/spec/to")))
                    .label(place(first), format!("here it is to be {was}"));
                validation.report(finding.help("remove one of the two intents"));
            }
            Some(_) => {}
            None => {
                promises.insert(pair, (spec.expect, Spot::new(document, "/spec/to")));
            }
        }
    }
}

/// Checks that a flow can start or end there.
fn end(validation: &mut Validation<'_>, end: &FlowEnd, document: &Document, pointer: &str, start: bool) {
    let (verb, kinds) = if start {
        ("start", "`segment/NAME`, `node/NAME` or `peering/NAME`")
    } else {
        ("end", "`segment/NAME`, `node/NAME` or an address")
    };
    let wrong = |what: String| {
        let finding = Diagnostic::error(codes::WRONG_END, format!("a flow cannot {verb} at {what}"));
        finding.at(document.span(pointer)).help(format!("write {kinds}"))
    };
    match end {
        FlowEnd::Address(address) if start => validation.report(wrong(format!("the address {address}"))),
        FlowEnd::Address(_) => {}
        FlowEnd::Node(name) => {
            validation.node(name, document, pointer);
        }
        FlowEnd::Intent(reference) => {
            let set = validation.set;
            let (known, names): (bool, Vec<&str>) = match reference.kind {
                IntentKind::Segment => (
                    set.segments.contains_key(&reference.name),
                    set.segments.keys().map(|name| name.as_str()).collect(),
                ),
                IntentKind::Peering if start => (
                    set.peerings.contains_key(&reference.name),
                    set.peerings.keys().map(|name| name.as_str()).collect(),
                ),
                IntentKind::Peering
                | IntentKind::Fabric
                | IntentKind::Topology
                | IntentKind::Pools
                | IntentKind::Underlay
                | IntentKind::Tenant
                | IntentKind::Steering
                | IntentKind::Reachability
                | IntentKind::Access
                | IntentKind::Maintenance
                | IntentKind::Baseline
                | IntentKind::Capacity => {
                    validation.report(wrong(format!("`{reference}`")));
                    return;
                }
            };
            if !known && validation.has_all(reference.kind) {
                let kind = reference.kind.as_str();
                let finding =
                    unknown(validation.suggester, codes::UNKNOWN_REFERENCE, kind, reference.name.as_str(), names);
                validation.report(finding.at(document.span(pointer)));
            }
        }
    }
}
