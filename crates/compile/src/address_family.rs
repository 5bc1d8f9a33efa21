//! Refuses IPv6 where routing is IPv4 only, rather than leaving it out in silence.

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;
use weft_intent::{Document, IntentSet, spec::AddressPurpose};

use crate::codes;

/// Returns an error for each IPv6 prefix or address that would be routed; management addresses may be IPv6.
pub(crate) fn unsupported(intents: &IntentSet) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut ask = |document: &Document, pointer: String, prefix: IpNet| {
        if prefix.addr().is_ipv6() {
            findings.push(
                Diagnostic::error(codes::IPV6_NOT_ROUTED, format!("{prefix} is IPv6, and only IPv4 is routed"))
                    .at(document.span(&pointer))
                    .help("give an IPv4 prefix"),
            );
        }
    };
    for segment in intents.segments.values() {
        ask(&segment.document, "/spec/prefix".to_owned(), segment.spec.prefix);
    }
    for pools in intents.pools.values() {
        for (index, pool) in pools.spec.addresses.iter().enumerate() {
            match pool.purpose {
                AddressPurpose::Link => ask(&pools.document, format!("/spec/addresses/{index}/prefix"), pool.prefix),
                // A loopback is reported with the device that would have it as its router id.
                AddressPurpose::Loopback | AddressPurpose::Management => {}
            }
        }
    }
    for peering in intents.peerings.values() {
        let (spec, document) = (&peering.spec, &peering.document);
        for (index, session) in spec.sessions.iter().enumerate() {
            ask(document, format!("/spec/sessions/{index}/address"), session.address);
        }
        for (field, prefixes) in [("accept", &spec.accept.prefixes), ("announce", &spec.announce.prefixes)] {
            for (index, prefix) in prefixes.iter().enumerate() {
                ask(document, format!("/spec/{field}/prefixes/{index}"), *prefix);
            }
        }
    }
    findings
}
