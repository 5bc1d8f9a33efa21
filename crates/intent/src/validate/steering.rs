//! Steering intents: their ways, and orders that contradict each other or a Maintenance.

use std::collections::BTreeSet;

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;
use weft_model::{Asn, IntentKind, Link, Name, NodeName};

use super::{
    Routing, Validation,
    maintenance::{Drained, link},
    reference, selector,
};
use crate::{
    Intent, codes,
    spec::{Accept, Direction, PeeringSpec, Protocol, SteeringMethod, SteeringSpec, Way},
    suggest::list,
};

/// A way, where all that it names is there.
enum Known<'a> {
    /// Sessions of a peering: those on these nodes.
    Peering(&'a Intent<PeeringSpec>, BTreeSet<&'a NodeName>),
    Link(&'a Link),
    Node(&'a NodeName),
}

impl Known<'_> {
    /// Tells whether two ways are the same.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Peering(a, at), Self::Peering(b, there)) => a.reference == b.reference && at == there,
            (Self::Link(a), Self::Link(b)) => a.ends == b.ends,
            (Self::Node(a), Self::Node(b)) => a == b,
            (Self::Peering(..) | Self::Link(_) | Self::Node(_), _) => false,
        }
    }
}

/// A Steering with its ways and the nodes whose traffic it is about.
struct Order<'a> {
    intent: &'a Intent<SteeringSpec>,
    ways: Vec<Option<Known<'a>>>,
    from: BTreeSet<&'a NodeName>,
}

impl<'a> Order<'a> {
    /// Returns the ways when all are known.
    fn known(&self) -> Option<Vec<&Known<'a>>> {
        self.ways.iter().map(Option::as_ref).collect()
    }
}

pub(super) fn check<'a>(validation: &mut Validation<'a>, routing: &Routing<'a>, drained: &[Drained<'a>]) {
    let mut orders: Vec<Order<'a>> = Vec::new();
    for intent in validation.set.steerings.values() {
        let (spec, document) = (&intent.spec, &*intent.document);
        let before = validation.findings.len();
        let ways = (0..spec.prefer.len()).map(|index| way(validation, intent, index)).collect();
        let from = if document.has("/spec/from") {
            selector::select(validation, &spec.from, document, "/spec/from")
        } else {
            validation.network.nodes().collect()
        };
        let order = Order { intent, ways, from: from.into_iter().map(|node| &node.name).collect() };
        let clear = direction(validation, intent) && validation.findings.len() == before;
        unreachable(validation, &order);
        if clear {
            method(validation, routing, &order);
            offered(validation, &order);
        }
        over_drained(validation, &order, drained);
        if clear && let Some(other) = orders.iter().find(|other| contradict(other, &order)) {
            let message = format!(
                "`{}` and `{}` prefer different ways for the same traffic",
                intent.reference, other.intent.reference
            );
            validation.report(
                Diagnostic::error(codes::CONTRADICTION, message)
                    .at(document.key_span("/spec/prefer"))
                    .label(other.intent.document.key_span("/spec/prefer"), "the other order")
                    .help("join them, or give them prefixes or nodes of their own"),
            );
        } else if clear {
            orders.push(order);
        }
    }
}

/// Returns what a way names, or reports why it is nothing.
fn way<'a>(validation: &mut Validation<'a>, intent: &'a Intent<SteeringSpec>, index: usize) -> Option<Known<'a>> {
    let document = &*intent.document;
    let Way { peering, at, link: end, node } = &intent.spec.prefer[index];
    let pointer = format!("/spec/prefer/{index}");
    let unclear = |message: &str, place: &str| {
        Diagnostic::error(codes::UNCLEAR_WAY, message.to_owned())
            .at(document.setting_span(place))
            .help("write one of `peering`, `link` and `node`; with `peering` also `at`")
    };
    let given = [("peering", peering.is_some()), ("link", end.is_some()), ("node", node.is_some())];
    let given: Vec<&str> = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect();
    match given.as_slice() {
        [] => {
            validation.report(unclear("the way names no peering, link or node", &pointer));
            return None;
        }
        [_] => {}
        [_, second, ..] => {
            let message = format!("the way has {} at once", list(&given));
            validation.report(unclear(&message, &format!("{pointer}/{second}")));
            return None;
        }
    }
    if peering.is_none() && !at.is_empty() {
        validation.report(unclear("`at` is given without a peering", &format!("{pointer}/at")));
        return None;
    }
    if let Some(end) = end {
        return link(validation, end, document, &format!("{pointer}/link")).map(Known::Link);
    }
    if let Some(name) = node {
        return validation.node(name, document, &format!("{pointer}/node")).map(|node| Known::Node(&node.name));
    }
    let reference = peering.as_ref()?;
    let peering_at = format!("{pointer}/peering");
    if !reference::check(validation, reference, IntentKind::Peering, document, &peering_at) {
        return None;
    }
    let found = validation.set.peerings.get(&reference.name)?;
    let there: BTreeSet<&NodeName> = found.spec.sessions.iter().map(|session| &session.port.node).collect();
    let mut sessions = BTreeSet::new();
    let mut known = true;
    for (number, name) in at.iter().enumerate() {
        let at = format!("{pointer}/at/{number}");
        let node = validation.node(name, document, &at);
        known &= node.is_some();
        let Some(node) = node else { continue };
        if there.contains(name) {
            sessions.insert(&node.name);
            continue;
        }
        known = false;
        let nodes: Vec<&str> = there.iter().map(|node| node.as_str()).collect();
        validation.report(
            Diagnostic::error(codes::NO_SESSION_THERE, format!("`{reference}` has no session on `{name}`"))
                .at(document.span(&at))
                .help(format!("its sessions are on {}", list(&nodes))),
        );
    }
    known.then_some(Known::Peering(found, if at.is_empty() { there } else { sessions }))
}

/// Checks that what is given is for the direction. Returns whether it is.
fn direction(validation: &mut Validation<'_>, intent: &Intent<SteeringSpec>) -> bool {
    let (spec, document) = (&intent.spec, &*intent.document);
    if spec.direction == Direction::Outbound {
        return true;
    }
    let mut clear = true;
    let mut wrong = |pointer: &str, message: &str, help: &str| {
        clear = false;
        validation.report(
            Diagnostic::error(codes::STEERING_DIRECTION, message)
                .at(document.setting_span(pointer))
                .label(document.span("/spec/direction"), "the direction")
                .help(help),
        );
    };
    for (index, way) in spec.prefer.iter().enumerate().filter(|(_, way)| way.peering.is_none()) {
        for (key, given) in [("link", way.link.is_some()), ("node", way.node.is_some())] {
            if given {
                let message = format!("traffic that comes in cannot be asked to pass a {key}");
                wrong(&format!("/spec/prefer/{index}/{key}"), &message, "name a peering, `at` some of its nodes");
            }
        }
    }
    if spec.community.is_some() {
        let message = "our own prefixes are not told apart by a neighbor's community";
        wrong("/spec/community", message, "remove it, and list `prefixes`");
    }
    if document.has("/spec/from") {
        wrong("/spec/from", "traffic that comes in is not of our nodes", "remove it");
    }
    clear
}

/// Reports ways of which nothing is left when the earlier ones are gone.
fn unreachable(validation: &mut Validation<'_>, order: &Order<'_>) {
    let mut sessions: BTreeSet<(&Name, &NodeName)> = BTreeSet::new();
    for (index, way) in order.ways.iter().enumerate() {
        let Some(way) = way else { continue };
        let earlier = || order.ways[..index].iter().enumerate().filter_map(|(i, way)| Some((i, way.as_ref()?)));
        let covered = match way {
            Known::Peering(peering, nodes) => {
                let own: Vec<_> = nodes.iter().map(|node| (&peering.reference.name, *node)).collect();
                let fresh = own.iter().any(|session| !sessions.contains(session));
                sessions.extend(own);
                let same = |way: &Known<'_>| matches!(way, Known::Peering(p, _) if p.reference == peering.reference);
                if fresh { None } else { earlier().find(|(_, way)| same(way)) }
            }
            Known::Link(link) => earlier().find(|(_, way)| match way {
                Known::Link(other) => other.ends == link.ends,
                Known::Node(node) => link.near_end(node).is_some(),
                Known::Peering(..) => false,
            }),
            Known::Node(node) => earlier().find(|(_, way)| match way {
                Known::Node(other) => other == node,
                Known::Link(_) | Known::Peering(..) => false,
            }),
        };
        if let Some((first, _)) = covered {
            let document = &order.intent.document;
            validation.report(
                Diagnostic::error(codes::UNREACHABLE_WAY, "the earlier ways have all of this one")
                    .at(document.span(&format!("/spec/prefer/{index}")))
                    .label(document.span(&format!("/spec/prefer/{first}")), "this way is there as long")
                    .help("remove it, or put the narrower way first"),
            );
        }
    }
}

/// Checks that the order can be expressed by what `by` names.
fn method(validation: &mut Validation<'_>, routing: &Routing<'_>, order: &Order<'_>) {
    let (spec, document) = (&order.intent.spec, &*order.intent.document);
    let Some(ways) = order.known() else { return };
    let wrong = |message: &str, way: Option<usize>, help: &str| {
        let mut finding = Diagnostic::error(codes::STEERING_METHOD, message.to_owned()).at(document.span("/spec/by"));
        if let Some(index) = way {
            finding = finding.label(document.span(&format!("/spec/prefer/{index}")), "this way");
        }
        finding.help(help.to_owned())
    };
    let outbound = spec.direction == Direction::Outbound;
    let finding = match spec.by {
        SteeringMethod::Auto => None,
        SteeringMethod::LocalPreference if outbound => None,
        SteeringMethod::LocalPreference => {
            Some(wrong("local-preference says nothing to others", None, "write `by: auto`, `med` or `prepend`"))
        }
        SteeringMethod::Prepend | SteeringMethod::Med if outbound => {
            let message = "this is for traffic that comes in, and the direction is outbound";
            Some(wrong(message, None, "write `by: auto` or `local-preference`, or `direction: inbound`"))
        }
        SteeringMethod::Prepend => None,
        SteeringMethod::Med => {
            let mut first: Option<Asn> = None;
            let other = ways.iter().position(|way| match way {
                Known::Peering(peering, _) => *first.get_or_insert(peering.spec.asn) != peering.spec.asn,
                Known::Link(_) | Known::Node(_) => false,
            });
            let message = "MED is compared within one neighbor AS, and the ways lead to several";
            other.map(|other| wrong(message, Some(other), "write `by: prepend` or `auto`"))
        }
        SteeringMethod::Metric if !outbound => {
            Some(wrong("metrics say nothing to others", None, "write `by: auto`, `med` or `prepend`"))
        }
        SteeringMethod::Metric if !routing.is_whole() => None,
        SteeringMethod::Metric => {
            let other = ways.iter().position(|way| match way {
                Known::Peering(..) => true,
                Known::Link(link) => routing.on_link(link) != Some(Protocol::Ospf),
                Known::Node(node) => !routing.runs(node, Protocol::Ospf),
            });
            let message = "metrics are of links and nodes in OSPF, and a way is something else";
            other.map(|other| wrong(message, Some(other), "write `by: auto` or `local-preference`"))
        }
    };
    validation.findings.extend(finding);
}

/// Reports prefixes that none of the peerings brings, or announces.
fn offered(validation: &mut Validation<'_>, order: &Order<'_>) {
    let (spec, document) = (&order.intent.spec, &*order.intent.document);
    let Some(ways) = order.known() else { return };
    let mut peerings = Vec::new();
    for way in ways {
        match way {
            Known::Peering(peering, _) => peerings.push(&peering.spec),
            // What is reached by links is not known by prefix.
            Known::Link(_) | Known::Node(_) => return,
        }
    }
    for (index, prefix) in spec.prefixes.iter().enumerate() {
        let (offered, what) = match spec.direction {
            Direction::Outbound => (peerings.iter().any(|peering| accepts(&peering.accept, prefix)), "accepts"),
            Direction::Inbound => (
                peerings.iter().any(|peering| {
                    let announce = &peering.announce;
                    announce.prefixes.contains(prefix) || (announce.default_route && prefix.prefix_len() == 0)
                }),
                "announces",
            ),
        };
        if !offered {
            validation.report(
                Diagnostic::error(codes::STEERS_NOTHING, format!("none of these peerings {what} {prefix}"))
                    .at(document.span(&format!("/spec/prefixes/{index}")))
                    .label(document.key_span("/spec/prefer"), "the peerings")
                    .help("write a prefix as it stands in the peering, or remove it"),
            );
        }
    }
}

/// Tells whether a neighbor may send this prefix.
fn accepts(accept: &Accept, prefix: &IpNet) -> bool {
    let (ipv4, length) = (prefix.addr().is_ipv4(), prefix.prefix_len());
    let longest = accept.more_specific.map(|longest| if ipv4 { longest.ipv4 } else { longest.ipv6 });
    (accept.everything && length <= if ipv4 { 24 } else { 48 })
        || accept.prefixes.contains(prefix)
        || longest.is_some_and(|longest| {
            length <= longest && accept.prefixes.iter().any(|accepted| accepted.contains(prefix))
        })
}

/// Reports a preferred way that is drained for as long as the intents are as they are.
fn over_drained(validation: &mut Validation<'_>, order: &Order<'_>, drained: &[Drained<'_>]) {
    let Some(Some(way)) = order.ways.first() else { return };
    let now = || drained.iter().filter(|drained| drained.intent.spec.window.is_none());
    let (key, spot) = match way {
        Known::Link(link) => ("link", now().find_map(|drained| drained.link(link))),
        Known::Node(node) => ("node", now().find_map(|drained| drained.node(node))),
        Known::Peering(_, nodes) => {
            let spots: Option<Vec<_>> = nodes.iter().map(|node| now().find_map(|drained| drained.node(node))).collect();
            ("peering", spots.and_then(|spots| spots.first().copied()))
        }
    };
    if let Some(spot) = spot {
        validation.report(
            Diagnostic::error(codes::CONTRADICTION, "the preferred way is drained")
                .at(order.intent.document.span(&format!("/spec/prefer/0/{key}")))
                .label(spot.span(), "drained here, without a window")
                .help("prefer another way, or give the Maintenance a window"),
        );
    }
}

/// Tells whether two orders are about some traffic in common and cannot both hold: each list puts its ways before all that
/// are not in it, so one must be the beginning of the other.
fn contradict(a: &Order<'_>, b: &Order<'_>) -> bool {
    let (one, other) = (&a.intent.spec, &b.intent.spec);
    let prefixes = one.prefixes.is_empty()
        || other.prefixes.is_empty()
        || one.prefixes.iter().any(|prefix| other.prefixes.contains(prefix));
    // Routes with one community need not have the other.
    let communities = one.community == other.community || one.community.is_none() || other.community.is_none();
    if one.direction != other.direction || !prefixes || !communities || a.from.is_disjoint(&b.from) {
        return false;
    }
    let (Some(ours), Some(theirs)) = (a.known(), b.known()) else { return false };
    ours.iter().zip(&theirs).any(|(a, b)| !a.is(b))
}
