//! Refuses addresses of a family that nothing routes, rather than leaving them out in silence.

use std::collections::{BTreeSet, HashSet};

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;
use weft_model::NodeName;

use super::{Validation, underlay::UnderlayScope};
use crate::{Document, codes, spec::FlowEnd};

/// Reports each IPv6 prefix or address that would be routed and is not; management addresses, servers and pools may be IPv6.
pub(super) fn check<'a>(validation: &mut Validation<'a>, underlays: &[UnderlayScope<'a>]) {
    let set = validation.set;
    segments(validation, underlays);
    let anywhere = underlays.iter().any(|scope| scope.intent.spec.families.ipv6());
    let mut ask = |document: &Document, pointer: String, prefix: IpNet, help: &str| {
        if prefix.addr().is_ipv6() {
            validation.report(not_routed(prefix, "only IPv4 is routed").at(document.span(&pointer)).help(help));
        }
    };
    for peering in set.peerings.values() {
        let (spec, document) = (&peering.spec, &peering.document);
        for (index, session) in spec.sessions.iter().enumerate() {
            ask(document, format!("/spec/sessions/{index}/address"), session.address, "give an IPv4 address");
        }
        for (field, prefixes) in [("accept", &spec.accept.prefixes), ("announce", &spec.announce.prefixes)] {
            for (index, prefix) in prefixes.iter().enumerate() {
                ask(document, format!("/spec/{field}/prefixes/{index}"), *prefix, "remove it, or give an IPv4 prefix");
            }
        }
    }
    for promise in set.reachabilities.values() {
        for (pointer, end) in [("/spec/from", &promise.spec.from), ("/spec/to", &promise.spec.to)] {
            if let FlowEnd::Address(address) = end
                && !anywhere
            {
                ask(&promise.document, pointer.to_owned(), IpNet::from(*address), "give an IPv4 address");
            }
        }
    }
}

/// Reports each segment of which a family is not routed on the nodes that have it.
fn segments<'a>(validation: &mut Validation<'a>, underlays: &[UnderlayScope<'a>]) {
    // Without any underlay the network is not routed at all, which is no matter of families.
    if underlays.is_empty() && validation.set.segments.values().all(|segment| segment.spec.prefix.addr().is_ipv4()) {
        return;
    }
    let routed = |ipv6: bool| -> HashSet<&NodeName> {
        let routes = |scope: &&UnderlayScope<'a>| {
            if ipv6 { scope.intent.spec.families.ipv6() } else { scope.intent.spec.families.ipv4() }
        };
        underlays.iter().filter(routes).flat_map(|scope| scope.nodes.iter().map(|node| &node.name)).collect()
    };
    let in_any: HashSet<&NodeName> =
        underlays.iter().flat_map(|scope| scope.nodes.iter().map(|node| &node.name)).collect();
    let (ipv4, ipv6) = (routed(false), routed(true));
    for segment in validation.set.segments.values() {
        let nodes: BTreeSet<&NodeName> = (segment.spec.ports.iter())
            .flat_map(|ports| ports.select.pick(validation.network))
            .map(|node| &node.name)
            .collect();
        let ranges = [Some(("/spec/prefix", segment.spec.prefix)), segment.spec.ipv6.map(|v6| ("/spec/ipv6/prefix", v6.prefix))];
        for (pointer, prefix) in ranges.into_iter().flatten() {
            let (is_ipv6, routed) = if prefix.addr().is_ipv6() { (true, &ipv6) } else { (false, &ipv4) };
            // A node outside of every underlay keeps its IPv4 segments to itself.
            let without = nodes.iter().find(|node| !routed.contains(**node) && (is_ipv6 || in_any.contains(**node)));
            let Some(node) = without else { continue };
            let other = if is_ipv6 { "IPv4" } else { "IPv6" };
            let why = if routed.is_empty() { format!("only {other} is routed") } else { format!("only {other} is routed on `{node}`") };
            let help = if is_ipv6 { "write `families: dual` in the underlay, or give an IPv4 prefix" } else { "write `families: dual` in the underlay" };
            let finding = not_routed(prefix, &why).at(segment.document.span(pointer)).help(help);
            validation.findings.push(finding);
        }
    }
}

fn not_routed(prefix: IpNet, why: &str) -> Diagnostic {
    let shown = if prefix.prefix_len() == prefix.max_prefix_len() { prefix.addr().to_string() } else { prefix.to_string() };
    let family = if prefix.addr().is_ipv6() { "IPv6" } else { "IPv4" };
    Diagnostic::error(codes::IPV6_NOT_ROUTED, format!("{shown} is {family}, and {why}"))
}
