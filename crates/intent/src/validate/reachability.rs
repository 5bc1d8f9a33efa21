//! Reachability intents: their ends and ways, and promises that contradict each other or an Access.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_model::{IntentKind, NodeName};

use super::{
    Packets, Routing, Spot, Validation,
    access::{Verdicts, common, prefixes},
    flow,
    packets::everywhere,
};
use crate::{
    Intent, codes,
    spec::{AccessAction, AccessEnd, AddressPurpose, Expectation, FlowEnd, ReachabilitySpec, TransportProtocol},
};

pub(super) fn check(validation: &mut Validation<'_>, routing: &Routing<'_>, verdicts: &[Verdicts<'_>]) {
    let mut promises: BTreeMap<(&FlowEnd, &FlowEnd), Vec<&Intent<ReachabilitySpec>>> = BTreeMap::new();
    for intent in validation.set.reachabilities.values() {
        let (spec, document) = (&intent.spec, &*intent.document);
        let known = flow::ends(validation, routing, (&spec.from, &spec.to), document, "/spec");
        let with_ports = flow::ports(validation, spec.protocol, &spec.ports, document, "/spec");
        ways(validation, intent);
        if !known || !with_ports {
            continue;
        }
        let earlier = promises.entry((&spec.from, &spec.to)).or_default();
        match earlier.iter().find(|other| contradict(&other.spec, spec)) {
            Some(other) => {
                let (is, was) = match spec.expect {
                    Expectation::Reachable => ("reachable", "isolated"),
                    Expectation::Isolated => ("isolated", "reachable"),
                };
                let message = format!("`{}` cannot be {is} from `{}` and {was} at the same time", spec.to, spec.from);
                let finding = Diagnostic::error(codes::CONTRADICTION, message)
                    .at(promise(intent))
                    .label(promise(other), format!("here it is to be {was}"));
                validation.report(finding.help("remove one of the two intents"));
            }
            None => {
                earlier.push(intent);
                for verdicts in verdicts.iter().filter(|verdicts| verdicts.whole) {
                    match spec.expect {
                        Expectation::Reachable => denied(validation, intent, verdicts),
                        Expectation::Isolated => allowed(validation, intent, verdicts),
                    }
                }
            }
        }
    }
}

/// Returns where an intent promises what it does: by `expect`, or without it by what it is.
fn promise(intent: &Intent<ReachabilitySpec>) -> SourceSpan {
    let document = &intent.document;
    if document.has("/spec/expect") { document.span("/spec/expect") } else { document.span("/spec/to") }
}

/// Tells whether two promises about the same ends cannot both hold. That something arrives, of whatever protocol, and that
/// a certain protocol does not, can.
fn contradict(a: &ReachabilitySpec, b: &ReachabilitySpec) -> bool {
    let (reachable, isolated) = match (a.expect, b.expect) {
        (Expectation::Reachable, Expectation::Isolated) => (a, b),
        (Expectation::Isolated, Expectation::Reachable) => (b, a),
        (Expectation::Reachable, Expectation::Reachable) | (Expectation::Isolated, Expectation::Isolated) => {
            return false;
        }
    };
    let any = everywhere();
    let of = |spec: &ReachabilitySpec| Packets::of(&any, &any, spec.protocol, &spec.ports);
    match (reachable.protocol, isolated.protocol) {
        (TransportProtocol::Any, TransportProtocol::Any) => true,
        (TransportProtocol::Any, _) => false,
        _ => of(reachable).meets(&of(isolated)),
    }
}

/// Checks the nodes that packets are to pass and to avoid.
fn ways(validation: &mut Validation<'_>, intent: &Intent<ReachabilitySpec>) {
    let (spec, document) = (&intent.spec, &*intent.document);
    for (index, node) in spec.via.iter().enumerate() {
        validation.node(node, document, &format!("/spec/via/{index}"));
    }
    let via: BTreeSet<&NodeName> = spec.via.iter().collect();
    for (index, node) in spec.avoid.iter().enumerate() {
        let spot = Spot::new(document, format!("/spec/avoid/{index}"));
        // A node that is not there was reported at `via`.
        let conflict = if via.contains(node) {
            Some(("/spec/via", "every packet passes one of these"))
        } else if spec.from == FlowEnd::Node(node.clone()) {
            Some(("/spec/from", "the flow starts there"))
        } else if spec.to == FlowEnd::Node(node.clone()) {
            Some(("/spec/to", "the flow ends there"))
        } else {
            validation.node(node, document, &spot.pointer);
            None
        };
        if let Some((other, why)) = conflict {
            validation.report(
                Diagnostic::error(codes::VIA_AVOIDED, format!("packets cannot avoid `{node}`"))
                    .at(spot.span())
                    .label(document.setting_span(other), why)
                    .help("remove it from one of the two"),
            );
        }
    }
}

/// Where the packets of a promise come from.
enum Origin {
    /// Each of these addresses.
    Every(Vec<IpNet>),
    /// Some of these addresses, not known yet which.
    Some(Vec<IpNet>),
}

/// Returns where the packets of a promise come from. A node's loopback is of one of its pools; an external neighbor has any
/// address that is not ours.
fn origin(validation: &Validation<'_>, from: &FlowEnd) -> Option<Origin> {
    let set = validation.set;
    match from {
        FlowEnd::Address(_) => None,
        FlowEnd::Node(name) => {
            let node = validation.network.node(name.as_str())?;
            let pools = set.pools.values().flat_map(|intent| &intent.spec.addresses);
            let of_node = pools.filter(|pool| pool.purpose == AddressPurpose::Loopback && pool.select.picks(node));
            Some(Origin::Some(of_node.map(|pool| pool.prefix).collect()))
        }
        FlowEnd::Intent(reference) if reference.kind == IntentKind::Segment => {
            Some(Origin::Every(prefixes(&set.segments.get(&reference.name)?.spec).collect()))
        }
        FlowEnd::Intent(_) => Some(Origin::Some(everywhere().to_vec())),
    }
}

/// Returns where the packets of a promise go within the segments that an Access protects.
fn destinations(validation: &Validation<'_>, to: &FlowEnd, verdicts: &Verdicts<'_>) -> Vec<IpNet> {
    match to {
        FlowEnd::Address(address) => {
            let address = IpNet::from(*address);
            verdicts.protected.iter().filter_map(|range| common(range, &address)).collect()
        }
        FlowEnd::Intent(reference) if verdicts.intent.spec.protect.contains(reference) => {
            let segment = validation.set.segments.get(&reference.name);
            segment.into_iter().flat_map(|segment| prefixes(&segment.spec)).collect()
        }
        FlowEnd::Intent(_) | FlowEnd::Node(_) => Vec::new(),
    }
}

/// Returns the packets of a promise that an Access lets through, with the rule that drops the first of the others, and
/// `None` when that is too much to compute.
fn let_through(flow: &Packets, verdicts: &Verdicts<'_>) -> Option<(Packets, Option<usize>)> {
    let (mut through, mut rest, mut dropped_by) = (Packets::default(), flow.clone(), None);
    for (index, (rule, packets)) in verdicts.intent.spec.rules.iter().zip(&verdicts.rules).enumerate() {
        let packets = packets.as_ref()?;
        let hit = rest.and(packets);
        if hit.is_empty() {
            continue;
        }
        rest = rest.without(packets)?;
        match rule.action {
            AccessAction::Allow => through.add(hit),
            AccessAction::Deny => dropped_by = dropped_by.or(Some(index)),
        }
    }
    match verdicts.intent.spec.default {
        AccessAction::Allow => through.add(rest),
        AccessAction::Deny => {}
    }
    Some((through, dropped_by))
}

/// Reports a promise that a flow arrives, where an Access drops it. Of a flow of a certain protocol every packet is to
/// arrive; of one without, something between each source and each destination.
fn denied(validation: &mut Validation<'_>, intent: &Intent<ReachabilitySpec>, verdicts: &Verdicts<'_>) {
    let spec = &intent.spec;
    let to = destinations(validation, &spec.to, verdicts);
    let Some(origin) = origin(validation, &spec.from) else { return };
    let (from, every) = match &origin {
        Origin::Every(from) => (from, true),
        Origin::Some(from) => (from, false),
    };
    let flow = Packets::of(from, &to, spec.protocol, &spec.ports);
    if flow.is_empty() {
        return;
    }
    let Some((through, dropped_by)) = let_through(&flow, verdicts) else { return };
    let missing = if !every {
        through.is_empty()
    } else {
        let arrived = if spec.protocol == TransportProtocol::Any { through.of_every_transport() } else { through };
        flow.without(&arrived).is_some_and(|missing| !missing.is_empty())
    };
    if !missing {
        return;
    }
    let access = verdicts.intent;
    let (place, why) = match dropped_by {
        Some(rule) => {
            let at = access.document.span(&format!("/spec/rules/{rule}/name"));
            (at, "this rule drops it".to_owned())
        }
        None if access.document.has("/spec/default") => {
            (access.document.span("/spec/default"), "no rule allows it".to_owned())
        }
        None => (access.document.key_span("/spec/rules"), "no rule allows it".to_owned()),
    };
    let message = format!(
        "`{}` is to be reachable from `{}`, and `{}` does not let all of it through",
        spec.to, spec.from, access.reference
    );
    validation.report(
        Diagnostic::error(codes::CONTRADICTION, message)
            .at(promise(intent))
            .label(place, why)
            .help("add a rule that allows the flow before those that deny it, or correct the promise"),
    );
}

/// Reports a promise that a flow never arrives, where a rule of an Access lets some of it through and names its source. A
/// rule for any source, and the default, say nothing of this flow: something else may stop it.
fn allowed(validation: &mut Validation<'_>, intent: &Intent<ReachabilitySpec>, verdicts: &Verdicts<'_>) {
    let spec = &intent.spec;
    let to = destinations(validation, &spec.to, verdicts);
    let Some(Origin::Every(from)) = origin(validation, &spec.from) else { return };
    let mut rest = Packets::of(&from, &to, spec.protocol, &spec.ports);
    if rest.is_empty() {
        return;
    }
    let access = verdicts.intent;
    for (index, (rule, packets)) in access.spec.rules.iter().zip(&verdicts.rules).enumerate() {
        let Some(packets) = packets else { return };
        let named = match &rule.from {
            AccessEnd::Any => false,
            AccessEnd::Segment(_) => true,
            AccessEnd::Prefix(prefix) => prefix.prefix_len() > 0,
        };
        if named && rule.action == AccessAction::Allow && rest.meets(packets) {
            let message = format!(
                "`{}` is to be isolated from `{}`, and `{}` allows some of it",
                spec.to, spec.from, access.reference
            );
            let rule = access.document.span(&format!("/spec/rules/{index}/name"));
            validation.report(
                Diagnostic::error(codes::CONTRADICTION, message)
                    .at(promise(intent))
                    .label(rule, "this rule allows it")
                    .help("remove the rule, or correct the promise"),
            );
            return;
        }
        match rest.without(packets) {
            Some(left) => rest = left,
            None => return,
        }
    }
}
