//! Peering intents: their ports, the addresses of their sessions, and what they announce.

use std::net::IpAddr;

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;
use weft_model::{IntentKind, TerminationPoint};

use super::{Spot, Validation, timers};
use crate::{
    Intent, codes,
    spec::{PeeringSession, PeeringSpec},
};

pub(super) fn check(validation: &mut Validation<'_>) {
    for intent in validation.set.peerings.values() {
        let (spec, document) = (&intent.spec, &*intent.document);
        timers(validation, spec.timers.as_ref(), document);
        let mut nodes = Vec::new();
        for (index, session) in spec.sessions.iter().enumerate() {
            let at = format!("/spec/sessions/{index}");
            let port = format!("{at}/port");
            if let Some(node) = validation.node(&session.port.node, document, &port) {
                nodes.push(node);
                match validation.ports.unknown(node, &session.port.interface, validation.suggester) {
                    Some(finding) => validation.report(finding.at(document.span(&port))),
                    None => {
                        let point =
                            TerminationPoint { node: node.name.clone(), interface: session.port.interface.clone() };
                        if let Err(taken) = validation.ports.take(&point, Spot::new(document, &*port)) {
                            validation.report(taken.0.at(document.span(&port)));
                        }
                    }
                }
            }
            addresses(validation, intent, session, &at);
        }
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        nodes.dedup_by(|a, b| a.name == b.name);
        validation.feature(nodes.iter().copied(), "bgp", document, "/spec/sessions");
        if spec.authentication.is_some() {
            validation.feature(nodes, "bgp.md5", document, "/spec/authentication/tcp_md5");
        }
        announced(validation, intent);
        own_number(validation, intent);
    }
}

fn addresses(validation: &mut Validation<'_>, intent: &Intent<PeeringSpec>, session: &PeeringSession, at: &str) {
    let document = &*intent.document;
    let (ours, neighbor) = (session.address, session.neighbor);
    let (address_at, neighbor_at) = (format!("{at}/address"), format!("{at}/neighbor"));
    let mut fail = |message: String, pointer: &str, help: String| {
        let other =
            if pointer == address_at { (&neighbor_at, "the neighbor's address") } else { (&address_at, "our address") };
        validation.report(
            Diagnostic::error(codes::NEIGHBOR_ADDRESS, message)
                .at(document.span(pointer))
                .label(document.span(other.0), other.1)
                .help(help),
        );
    };
    if let Some(name) = unusable(&ours, ours.addr()) {
        fail(
            format!("{} is the {name} address of its subnet", ours.addr()),
            &address_at,
            "take an address between them".into(),
        );
    }
    if !ours.contains(&neighbor) {
        let message = format!("the neighbor {neighbor} is not in the subnet {} of our address", ours.trunc());
        let example =
            other_address(&ours).map(|address| format!("take an address of {}, such as `{address}`", ours.trunc()));
        fail(
            message,
            &neighbor_at,
            example.unwrap_or_else(|| "give our address the length of a subnet with two addresses".into()),
        );
    } else if neighbor == ours.addr() {
        let help = other_address(&ours)
            .map_or_else(String::new, |address| format!("the other address of a link would be `{address}`"));
        fail(format!("the neighbor has our own address {neighbor}"), &neighbor_at, help);
    } else if let Some(name) = unusable(&ours, neighbor) {
        fail(
            format!("{neighbor} is the {name} address of its subnet"),
            &neighbor_at,
            "take an address between them".into(),
        );
    }
}

/// Returns what an address of a subnet is that no interface may have, if it is so (RFC 1122 3.2.1.3; RFC 3021 and RFC
/// 6164 except links with two addresses).
fn unusable(subnet: &IpNet, address: IpAddr) -> Option<&'static str> {
    match subnet {
        IpNet::V4(net) if net.prefix_len() < 31 && address == IpAddr::V4(net.network()) => Some("network"),
        IpNet::V4(net) if net.prefix_len() < 31 && address == IpAddr::V4(net.broadcast()) => Some("broadcast"),
        IpNet::V6(net) if net.prefix_len() < 127 && address == IpAddr::V6(net.network()) => {
            Some("subnet-router anycast")
        }
        IpNet::V4(_) | IpNet::V6(_) => None,
    }
}

/// Returns an address of the subnet that is not ours.
fn other_address(ours: &IpNet) -> Option<IpAddr> {
    ours.trunc().hosts().take(3).find(|address| *address != ours.addr() && unusable(ours, *address).is_none())
}

/// Warns about prefixes that are announced though no segment has any of them.
fn announced(validation: &mut Validation<'_>, intent: &Intent<PeeringSpec>) {
    if !validation.has_all(IntentKind::Segment) {
        return;
    }
    for (index, prefix) in intent.spec.announce.prefixes.iter().enumerate() {
        let overlaps = |segment: &IpNet| segment.contains(prefix) || prefix.contains(segment);
        // That IPv6 is not routed is a finding of its own.
        if prefix.addr().is_ipv6() || validation.set.segments.values().any(|segment| overlaps(&segment.spec.prefix)) {
            continue;
        }
        let message = format!("{prefix} is announced, and no segment has an address of it");
        validation.report(
            Diagnostic::warning(codes::NOTHING_ANNOUNCED, message)
                .at(intent.document.span(&format!("/spec/announce/prefixes/{index}")))
                .help("announce what a segment has, or add the segment"),
        );
    }
}

/// Reports an external neighbor whose AS number a pool of ours may give to a node.
fn own_number(validation: &mut Validation<'_>, intent: &Intent<PeeringSpec>) {
    let asn = intent.spec.asn;
    for pools in validation.set.pools.values() {
        for (index, pool) in pools.spec.asns.iter().enumerate() {
            if (pool.range.first..=pool.range.last).contains(&asn) {
                let message = format!("AS {asn} of the neighbor lies in a pool of ours, {}", pool.range);
                let finding = Diagnostic::error(codes::OWN_ASN, message)
                    .at(intent.document.span("/spec/asn"))
                    .label(pools.document.span(&format!("/spec/asns/{index}/range")), "the pool");
                validation.report(finding.help("write the neighbor's own number, or move the pool"));
                return;
            }
        }
    }
}
