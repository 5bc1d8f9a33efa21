//! Refuses addresses of a family that is not routed where they are, rather than leaving them out in silence.

use std::collections::BTreeMap;

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;
use weft_model::{IntentKind, NodeName};

use super::{Validation, underlay::UnderlayScope};
use crate::{
    Document, codes,
    spec::{AddressPurpose, FlowEnd, Selector},
    suggest::first_of,
};

/// Which address families are routed on each node of an underlay: IPv4, IPv6.
pub(super) type Routed<'a> = BTreeMap<&'a NodeName, (bool, bool)>;

/// Returns which address families are routed on each node.
pub(super) fn routed<'a>(underlays: &[UnderlayScope<'a>]) -> Routed<'a> {
    let mut routed = Routed::new();
    for scope in underlays {
        let families = scope.intent.spec.families;
        for node in &scope.nodes {
            let (ipv4, ipv6) = routed.entry(&node.name).or_default();
            *ipv4 |= families.ipv4();
            *ipv6 |= families.ipv6();
        }
    }
    routed
}

/// Reports each prefix or address that would be routed on nodes that do not route its family; management addresses and
/// servers may be of any.
pub(super) fn check<'a>(validation: &mut Validation<'a>, underlays: &[UnderlayScope<'a>]) {
    if !validation.has_all(IntentKind::Underlay) || !validation.whole {
        return;
    }
    let set = validation.set;
    let routed = routed(underlays);
    for segment in set.segments.values() {
        let (spec, document) = (&segment.spec, &*segment.document);
        let network = validation.network;
        let nodes: Vec<&NodeName> =
            spec.ports.iter().flat_map(|ports| ports.select.pick(network)).map(|node| &node.name).collect();
        on_nodes(validation, &routed, &nodes, spec.prefix, (document, "/spec/prefix"));
        // Two prefixes of one family are a mistake of their own.
        if let (Some(ipv6), IpNet::V4(_)) = (&spec.ipv6, spec.prefix) {
            on_nodes(validation, &routed, &nodes, ipv6.prefix, (document, "/spec/ipv6/prefix"));
        }
    }
    for pools in set.pools.values() {
        for (index, pool) in pools.spec.addresses.iter().enumerate() {
            match pool.purpose {
                AddressPurpose::Link | AddressPurpose::Loopback => {
                    let place = (&*pools.document, format!("/spec/addresses/{index}/prefix"));
                    of_pool(validation, &routed, &pool.select, pool.prefix, place);
                }
                AddressPurpose::Management => {}
            }
        }
    }
    for peering in set.peerings.values() {
        let (spec, document) = (&peering.spec, &*peering.document);
        for (index, session) in spec.sessions.iter().enumerate() {
            let pointer = format!("/spec/sessions/{index}/address");
            if validation.network.node(session.port.node.as_str()).is_some() {
                on_nodes(validation, &routed, &[&session.port.node], session.address, (document, &pointer));
            }
        }
        let of_sessions = |prefix: &IpNet| {
            spec.sessions.iter().any(|session| session.address.addr().is_ipv6() == prefix.addr().is_ipv6())
        };
        for (field, prefixes) in [("accept", &spec.accept.prefixes), ("announce", &spec.announce.prefixes)] {
            for (index, prefix) in prefixes.iter().enumerate().filter(|(_, prefix)| !of_sessions(prefix)) {
                let message = format!("{prefix} is {}, and no session of the peering is", family(prefix));
                let place = document.span(&format!("/spec/{field}/prefixes/{index}"));
                let help = format!("remove it, or add a session with {} addresses", family(prefix));
                validation.report(Diagnostic::error(codes::FAMILY_NOT_ROUTED, message).at(place).help(help));
            }
        }
    }
    for promise in set.reachabilities.values() {
        for (pointer, end) in [("/spec/from", &promise.spec.from), ("/spec/to", &promise.spec.to)] {
            if let FlowEnd::Address(address) = end
                && address.is_ipv6()
                && !routed.values().any(|(_, ipv6)| *ipv6)
            {
                let message = format!("{address} is IPv6, and no underlay routes IPv6");
                let finding = Diagnostic::error(codes::FAMILY_NOT_ROUTED, message);
                validation.report(
                    finding
                        .at(promise.document.span(pointer))
                        .help("give an IPv4 address, or write `families: dual` in the underlay"),
                );
            }
        }
    }
}

fn family(prefix: &IpNet) -> &'static str {
    match prefix {
        IpNet::V4(_) => "IPv4",
        IpNet::V6(_) => "IPv6",
    }
}

/// Reports a prefix whose family some of the nodes do not route. IPv4 on a node in no underlay stays there by design.
fn on_nodes(
    validation: &mut Validation<'_>,
    routed: &Routed<'_>,
    nodes: &[&NodeName],
    prefix: IpNet,
    (document, pointer): (&Document, &str),
) {
    let without = |node: &&&NodeName| match (&prefix, routed.get(**node)) {
        (IpNet::V4(_), routes) => routes.is_some_and(|(ipv4, _)| !ipv4),
        (IpNet::V6(_), routes) => routes.is_none_or(|(_, ipv6)| !ipv6),
    };
    let mut without: Vec<&&NodeName> = nodes.iter().filter(without).collect();
    without.sort();
    without.dedup();
    if let Some(first) = without.first() {
        let family = family(&prefix);
        let message =
            format!("{prefix} is {family}, which is not routed on {}", first_of(first.as_str(), without.len()));
        let help = format!("write `families: dual` in their underlay, or leave {family} out here");
        validation.report(Diagnostic::error(codes::FAMILY_NOT_ROUTED, message).at(document.span(pointer)).help(help));
    }
}

/// Reports an IPv6 pool of which no node can take an address.
fn of_pool(
    validation: &mut Validation<'_>,
    routed: &Routed<'_>,
    select: &Selector,
    prefix: IpNet,
    (document, pointer): (&Document, String),
) {
    let picked = select.pick(validation.network);
    let used = picked.iter().any(|node| routed.get(&node.name).is_some_and(|(_, ipv6)| *ipv6));
    if prefix.addr().is_ipv6() && !used && !picked.is_empty() {
        let message = format!("{prefix} is IPv6, and no node of the pool routes IPv6");
        validation.report(
            Diagnostic::error(codes::FAMILY_NOT_ROUTED, message)
                .at(document.span(&pointer))
                .help("write `families: dual` in the underlay of its nodes, or remove the pool"),
        );
    }
}
