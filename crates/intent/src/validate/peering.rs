//! Peering intents: their ports, the addresses of their sessions, and how these are authenticated.

use std::net::IpAddr;

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;
use weft_model::{Node, TerminationPoint};

use super::{Own, Routing, Spot, Validation, authentication, exchange, martian, routing::family_name, timers};
use crate::{
    Intent, codes,
    spec::{PeeringSession, PeeringSpec, UnderlaySpec},
};

pub(super) fn check<'a>(validation: &mut Validation<'a>, routing: &Routing<'a>) {
    let own = Own::of(validation);
    for intent in validation.set.peerings.values() {
        let (spec, document) = (&intent.spec, &*intent.document);
        timers(validation, spec.timers.as_ref(), document);
        let mut nodes = Vec::new();
        for (index, session) in spec.sessions.iter().enumerate() {
            let at = format!("/spec/sessions/{index}");
            let node = port(validation, intent, index);
            let usable = addresses(validation, intent, session, &at);
            if let Some(node) = node {
                nodes.push(node);
                if usable {
                    family(validation, routing, intent, (index, node));
                }
            }
        }
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        nodes.dedup_by(|a, b| a.name == b.name);
        validation.feature(nodes.iter().copied(), "bgp", document, "/spec/sessions");
        // What may go to whom is carried from router to router by communities.
        validation.feature(nodes.iter().copied(), "bgp.communities", document, "/spec/relationship");
        authentication::check(validation, spec.authentication.as_ref(), &nodes, document);
        exchange::check(validation, intent, &own);
        own_number(validation, intent);
    }
}

/// Puts a session on its port. Returns the node.
fn port<'a>(validation: &mut Validation<'a>, intent: &'a Intent<PeeringSpec>, index: usize) -> Option<&'a Node> {
    let document = &*intent.document;
    let session = &intent.spec.sessions[index];
    let pointer = format!("/spec/sessions/{index}/port");
    let node = validation.node(&session.port.node, document, &pointer)?;
    if let Some(finding) = validation.ports.unknown(node, &session.port.interface, validation.suggester) {
        validation.report(finding.at(document.span(&pointer)));
        return Some(node);
    }
    // A neighbor with both address families has a session of each at one port.
    let family = |session: &PeeringSession| session.address.addr().is_ipv4();
    let on_port = intent.spec.sessions[..index].iter().filter(|earlier| earlier.port == session.port);
    let earlier: Vec<bool> = on_port.map(family).collect();
    if earlier.len() == 1 && earlier[0] != family(session) {
        return Some(node);
    }
    let point = TerminationPoint { node: node.name.clone(), interface: session.port.interface.clone() };
    if let Err(taken) = validation.ports.take(&point, Spot::new(document, &*pointer)) {
        validation.report(taken.0.at(document.span(&pointer)));
    }
    Some(node)
}

/// Reports a session of an address family that its node does not route.
fn family(
    validation: &mut Validation<'_>,
    routing: &Routing<'_>,
    intent: &Intent<PeeringSpec>,
    (index, node): (usize, &Node),
) {
    let address = intent.spec.sessions[index].address.addr();
    if routing.routes(&node.name, address) {
        return;
    }
    let name = family_name(address);
    let message = format!("the session is {name}, and no Underlay of `{}` routes {name}", node.name);
    let pointer = format!("/spec/sessions/{index}/address");
    let mut finding = Diagnostic::error(codes::FAMILY_NOT_ROUTED, message).at(intent.document.span(&pointer));
    if let Some(underlay) = routing.of_node(&node.name).first() {
        finding = finding.label(underlay.document.setting_span("/spec/families"), "the Underlay of the node");
    }
    validation.report(finding.help("write `families: dual` in the Underlay, or give addresses of the other family"));
}

/// Checks the two addresses of a session. Returns whether they can be.
fn addresses(
    validation: &mut Validation<'_>,
    intent: &Intent<PeeringSpec>,
    session: &PeeringSession,
    at: &str,
) -> bool {
    let before = validation.findings.len();
    let document = &*intent.document;
    let (ours, neighbor) = (session.address, session.neighbor);
    let (address_at, neighbor_at) = (format!("{at}/address"), format!("{at}/neighbor"));
    if let Some((range, what)) = martian::of_session(ours.addr()) {
        let message = format!("our address {} is of {range}: {what}", ours.addr());
        validation.report(
            Diagnostic::error(codes::MARTIAN, message)
                .at(document.span(&address_at))
                .help("take an address that the neighbor and you agreed upon"),
        );
        return false;
    }
    if let Some((range, what)) = martian::of_session(neighbor) {
        let message = format!("the neighbor's address {neighbor} is of {range}: {what}");
        validation.report(
            Diagnostic::error(codes::MARTIAN, message)
                .at(document.span(&neighbor_at))
                .help("take the address that the neighbor has on the link"),
        );
        return false;
    }
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
    validation.findings.len() == before
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
    let ours = |underlay: &&Intent<UnderlaySpec>| underlay.spec.ibgp.as_ref().is_some_and(|ibgp| ibgp.asn == asn);
    if let Some(underlay) = validation.set.underlays.values().find(ours) {
        let message =
            format!("AS {asn} of the neighbor is our own, that of the underlay `{}`", underlay.reference.name);
        let finding = Diagnostic::error(codes::OWN_ASN, message)
            .at(intent.document.span("/spec/asn"))
            .label(underlay.document.span("/spec/ibgp/asn"), "our AS");
        validation.report(finding.help("write the neighbor's own number"));
    }
}
