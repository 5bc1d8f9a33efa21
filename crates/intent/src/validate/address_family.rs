//! Refuses IPv6 where routing is IPv4 only, rather than leaving it out in silence.

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;

use super::Validation;
use crate::{Document, codes, spec::AddressPurpose};

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
}
