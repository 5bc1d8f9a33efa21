//! Refuses IPv6 where routing is IPv4 only, rather than leaving it out in silence.

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;

use super::Validation;
use crate::{
    Document, codes,
    spec::{AddressPurpose, FlowEnd},
};

/// Reports each IPv6 prefix or address that would be routed; management addresses and servers may be IPv6.
pub(super) fn check(validation: &mut Validation<'_>) {
    let set = validation.set;
    let mut ask = |document: &Document, pointer: String, prefix: IpNet, help: &str| {
        if prefix.addr().is_ipv6() {
            let shown = if prefix.prefix_len() == 128 { prefix.addr().to_string() } else { prefix.to_string() };
            let message = format!("{shown} is IPv6, and only IPv4 is routed");
            validation
                .report(Diagnostic::error(codes::IPV6_NOT_ROUTED, message).at(document.span(&pointer)).help(help));
        }
    };
    for segment in set.segments.values() {
        ask(&segment.document, "/spec/prefix".to_owned(), segment.spec.prefix, "give an IPv4 prefix");
    }
    for pools in set.pools.values() {
        for (index, pool) in pools.spec.addresses.iter().enumerate() {
            let pointer = format!("/spec/addresses/{index}/prefix");
            match pool.purpose {
                AddressPurpose::Link => ask(&pools.document, pointer, pool.prefix, "give an IPv4 prefix"),
                // RFC 4271 4.2.
                AddressPurpose::Loopback => {
                    ask(&pools.document, pointer, pool.prefix, "give an IPv4 prefix: a loopback is its router's id");
                }
                AddressPurpose::Management => {}
            }
        }
    }
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
            if let FlowEnd::Address(address) = end {
                ask(&promise.document, pointer.to_owned(), IpNet::from(*address), "give an IPv4 address");
            }
        }
    }
}
