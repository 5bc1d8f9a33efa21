//! Tenant intents: their nodes, segments, trunks and leaks.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;
use weft_model::{IntentKind, Name, Node, NodeName};

use super::{
    Spot, Validation, reference,
    segment::{self, SmallPorts},
    selector, tenant_numbers,
    underlay::UnderlayScope,
    unknown,
};
use crate::{
    Intent, codes,
    spec::{Protocol, Selector, TenantSpec},
    suggest::{first_of, list},
};

/// A tenant with the nodes it selects.
pub(super) struct TenantScope<'a> {
    pub(super) intent: &'a Intent<TenantSpec>,
    pub(super) nodes: Vec<&'a Node>,
    names: HashSet<&'a NodeName>,
}

pub(super) fn check<'a>(validation: &mut Validation<'a>, underlays: &[UnderlayScope<'a>]) {
    let mut scopes = Vec::new();
    for intent in validation.set.tenants.values() {
        let nodes = selector::select(validation, &intent.spec.select, &intent.document, "/spec/select");
        let names = nodes.iter().map(|node| &node.name).collect();
        scopes.push(TenantScope { intent, nodes, names });
    }
    for scope in &scopes {
        nodes(validation, scope, underlays);
        segments(validation, scope, underlays);
        trunks(validation, scope);
        leaks(validation, scope);
    }
    tenant_numbers::check(validation, &scopes);
}

/// Checks that the nodes of a tenant can hold it, and that an underlay carries its routes.
fn nodes<'a>(validation: &mut Validation<'a>, scope: &TenantScope<'a>, underlays: &[UnderlayScope<'a>]) {
    let document = &*scope.intent.document;
    // Without a selector, the tenant as such.
    let at = if document.has("/spec/select") { "/spec/select" } else { "/metadata/name" };
    validation.feature(scope.nodes.iter().copied(), "evpn.l2", document, at);
    let able: Vec<&Node> = scope.nodes.iter().copied().filter(|node| validation.can(node, "evpn.l2")).collect();
    validation.feature(able, "evpn.l3", document, at);
    if !validation.has_all(IntentKind::Underlay) || !validation.whole {
        return;
    }
    let ebgp = underlays.iter().filter(|scope| matches!(scope.intent.spec.protocol, Protocol::Ebgp));
    let covered: HashSet<&NodeName> = ebgp.flat_map(|scope| &scope.nodes).map(|node| &node.name).collect();
    let without: Vec<&Node> = scope.nodes.iter().copied().filter(|node| !covered.contains(&node.name)).collect();
    if let Some(first) = without.first() {
        let message = format!("{} is in no underlay with eBGP", first_of(first.name.as_str(), without.len()));
        let message = if without.len() > 1 { message.replace(" is in", " are in") } else { message };
        validation.report(
            Diagnostic::error(codes::NO_UNDERLAY, message)
                .at(document.key_span(at))
                .help("select them in an Underlay with `protocol: ebgp`, or narrow the tenant"),
        );
    }
}

/// Octets that VXLAN puts around a packet: Ethernet, VXLAN, UDP, IPv4 (RFC 7348 5).
const VXLAN: u16 = 50;

fn segments<'a>(validation: &mut Validation<'a>, scope: &TenantScope<'a>, underlays: &[UnderlayScope<'a>]) {
    let document = &*scope.intent.document;
    let links = underlays.iter().flat_map(|underlay| &underlay.links);
    let smallest = links
        .filter(|link| link.ends.iter().any(|end| scope.names.contains(&end.node)))
        .min_by(|a, b| a.mtu.cmp(&b.mtu).then_with(|| a.ends.cmp(&b.ends)));
    let mut first: BTreeMap<&Name, usize> = BTreeMap::new();
    for (index, segment) in scope.intent.spec.segments.iter().enumerate() {
        let at = format!("/spec/segments/{index}");
        if let Some(first) = first.get(&segment.name) {
            let message = format!("there are two segments `{}`", segment.name);
            let finding = Diagnostic::error(codes::SEGMENT_TWICE, message)
                .at(document.span(&format!("{at}/name")))
                .label(document.span(&format!("/spec/segments/{first}/name")), "the first one is here");
            validation.report(finding.help("join them, or give one of them another name"));
            // A copy of the first has its ports, too.
            if segment.ports == scope.intent.spec.segments[*first].ports {
                continue;
            }
        } else {
            first.insert(&segment.name, index);
        }
        prefixes(validation, scope, &at, &segment.prefixes);
        let mut small = SmallPorts::default();
        for (number, ports) in segment.ports.iter().enumerate() {
            let ports_at = format!("{at}/ports/{number}");
            let nodes = inside(validation, scope, &ports.select, &format!("{ports_at}/select"));
            for (number, interface) in ports.interfaces.iter().enumerate() {
                let pointer = format!("{ports_at}/interfaces/{number}");
                small.note(validation, &nodes, interface, segment.mtu, &pointer);
                segment::host_port(validation, &nodes, interface, document, &pointer);
            }
        }
        let mtu_at = format!("{at}/mtu");
        small.report(validation, segment.mtu, document, &mtu_at);
        if let Some(link) = smallest
            && segment.mtu.octets() + VXLAN > link.mtu.octets()
        {
            let (mtu, least) = (segment.mtu, link.mtu);
            let message = format!(
                "packets of {mtu} octets are {} in VXLAN, and `{link}` carries {least} at most",
                mtu.octets() + VXLAN
            );
            let place = if document.has(&mtu_at) { mtu_at } else { format!("{at}/name") };
            validation.report(
                Diagnostic::error(codes::TUNNEL_MTU, message).at(document.span(&place)).help(format!(
                    "raise the MTU of the links, or write an `mtu` of at most {}",
                    least.octets() - VXLAN
                )),
            );
        }
    }
}

/// Checks the families and lengths of a segment's prefixes.
fn prefixes(validation: &mut Validation<'_>, scope: &TenantScope<'_>, at: &str, prefixes: &[IpNet]) {
    let document = &*scope.intent.document;
    let place = |number: usize| document.span(&format!("{at}/prefixes/{number}"));
    for (number, prefix) in prefixes.iter().enumerate() {
        let same = |other: &IpNet| other.addr().is_ipv6() == prefix.addr().is_ipv6();
        if let Some(first) = prefixes[..number].iter().position(same) {
            let family = if prefix.addr().is_ipv6() { "IPv6" } else { "IPv4" };
            let message = format!("the segment has two {family} prefixes, {} and {prefix}", prefixes[first]);
            let finding = Diagnostic::error(codes::FAMILY_TWICE, message).at(place(number));
            validation
                .report(finding.label(place(first), "the first one").help("give the other one a segment of its own"));
        }
        let longest = segment::longest(prefix);
        if prefix.prefix_len() > longest {
            let message = format!("{prefix} has no room for a gateway and a host");
            let finding = Diagnostic::error(codes::SUBNET_LENGTH, message).at(place(number));
            validation.report(finding.help(format!("take a prefix of at most {longest} bits")));
        }
    }
}

/// Returns the nodes of a selection that are the tenant's, and reports those that are not.
fn inside<'a>(
    validation: &mut Validation<'a>,
    scope: &TenantScope<'a>,
    select: &Selector,
    pointer: &str,
) -> Vec<&'a Node> {
    let document = &*scope.intent.document;
    let picked = selector::select(validation, select, document, pointer);
    // What a tenant selects in vain was told there.
    if scope.nodes.is_empty() {
        return Vec::new();
    }
    let (inside, outside): (Vec<&Node>, Vec<&Node>) =
        picked.into_iter().partition(|node| scope.names.contains(&node.name));
    if let Some(first) = outside.first() {
        let verb = if outside.len() > 1 { "are" } else { "is" };
        let nodes = first_of(first.name.as_str(), outside.len());
        let message = format!("{nodes} {verb} not among the nodes of the tenant `{}`", scope.intent.reference.name);
        validation.report(
            Diagnostic::error(codes::OUTSIDE_TENANT, message)
                .at(document.key_span(pointer))
                .label(document.key_span("/spec/select"), "the nodes of the tenant")
                .help("narrow the selection, or widen that of the tenant"),
        );
    }
    inside
}

fn trunks<'a>(validation: &mut Validation<'a>, scope: &TenantScope<'a>) {
    let (spec, document) = (&scope.intent.spec, &*scope.intent.document);
    for (index, trunk) in spec.trunks.iter().enumerate() {
        let at = format!("/spec/trunks/{index}");
        let nodes = inside(validation, scope, &trunk.select, &format!("{at}/select"));
        for (number, interface) in trunk.interfaces.iter().enumerate() {
            segment::host_port(validation, &nodes, interface, document, &format!("{at}/interfaces/{number}"));
        }
        let mut first: BTreeMap<&Name, usize> = BTreeMap::new();
        for (number, name) in trunk.segments.iter().enumerate() {
            let place = document.span(&format!("{at}/segments/{number}"));
            if let Some(first) = first.get(name) {
                let finding =
                    Diagnostic::error(codes::SEGMENT_TWICE, format!("the trunk names the segment `{name}` twice"))
                        .at(place)
                        .label(document.span(&format!("{at}/segments/{first}")), "first named here");
                validation.report(finding.help("remove one of the two"));
                continue;
            }
            first.insert(name, number);
            if !spec.segments.iter().any(|segment| segment.name == *name) {
                let names: BTreeSet<&str> = spec.segments.iter().map(|segment| segment.name.as_str()).collect();
                let mut finding =
                    unknown(validation.suggester, codes::UNKNOWN_SEGMENT, "segment", name.as_str(), names);
                finding.message = format!("the tenant `{}` has no segment `{name}`", scope.intent.reference.name);
                validation.report(finding.at(place));
            }
        }
    }
}

fn leaks(validation: &mut Validation<'_>, scope: &TenantScope<'_>) {
    let (spec, document) = (&scope.intent.spec, &*scope.intent.document);
    let mut taken: Vec<(IpNet, Spot<'_>)> = Vec::new();
    for (index, leak) in spec.leaks.iter().enumerate() {
        let from_at = format!("/spec/leaks/{index}/from");
        if leak.from == scope.intent.reference {
            let message = format!("the tenant `{}` takes prefixes from itself", leak.from.name);
            let finding = Diagnostic::error(codes::LEAK, message).at(document.span(&from_at));
            validation.report(finding.help("name the tenant that has them; its own need no leak"));
            continue;
        }
        let known = reference::check(validation, &leak.from, IntentKind::Tenant, document, &from_at);
        let Some(other) = validation.set.tenants.get(&leak.from.name).filter(|_| known) else { continue };
        let theirs = || other.spec.segments.iter().flat_map(|segment| &segment.prefixes);
        for (number, prefix) in leak.prefixes.iter().enumerate() {
            let spot = Spot::new(document, format!("/spec/leaks/{index}/prefixes/{number}"));
            if !theirs().any(|theirs| theirs == prefix) {
                let message = format!("the tenant `{}` has no segment with the prefix {prefix}", leak.from.name);
                let all: Vec<String> = theirs().map(ToString::to_string).collect();
                validation.report(
                    Diagnostic::error(codes::LEAK, message)
                        .at(spot.span())
                        .label(other.document.key_span("/spec/segments"), "its segments")
                        .help(format!("its prefixes are {}", list(&all))),
                );
                continue;
            }
            if let Some((message, place)) = overlap(scope, *prefix, &taken) {
                let finding = Diagnostic::error(codes::LEAK, message).at(spot.span());
                validation.report(
                    finding
                        .label(place, "the other prefix")
                        .help("an address is in a tenant once: give one up, or renumber it"),
                );
            }
            taken.push((*prefix, spot));
        }
    }
}

/// Returns what a leaked prefix overlaps in the tenant that takes it, in words, and where that is.
fn overlap(
    scope: &TenantScope<'_>,
    prefix: IpNet,
    taken: &[(IpNet, Spot<'_>)],
) -> Option<(String, weft_diagnostics::SourceSpan)> {
    let meets = |other: &IpNet| other.contains(&prefix) || prefix.contains(other);
    for (index, segment) in scope.intent.spec.segments.iter().enumerate() {
        if let Some(number) = segment.prefixes.iter().position(meets) {
            let message = format!(
                "{prefix} overlaps {} of the tenant's own segment `{}`",
                segment.prefixes[number], segment.name
            );
            let place = scope.intent.document.span(&format!("/spec/segments/{index}/prefixes/{number}"));
            return Some((message, place));
        }
    }
    let (other, spot) = taken.iter().find(|(other, _)| meets(other))?;
    let message = if *other == prefix {
        format!("{prefix} is taken twice")
    } else {
        format!("{prefix} overlaps {other}, which the tenant takes, too")
    };
    Some((message, spot.span()))
}
