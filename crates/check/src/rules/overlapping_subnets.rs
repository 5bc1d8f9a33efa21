//! Subnets on different links do not overlap.
//!
//! # What it does
//! Looks for subnets within each other on interfaces that are not the two ends of one link.
//!
//! # Why
//! Packets for the smaller subnet take the wrong way wherever only the larger one is known, and the other way round.
//!
//! # Example
//! `10.20.1.0/24` on `b1-leaf-03:swp1`, and `10.20.0.0/16` on `b1-leaf-04:swp1`.

use std::net::IpAddr;

use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{ConfiguredAddress, Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut addresses: Vec<ConfiguredAddress<'_>> = fleet.addresses().collect();
    // A subnet comes behind those that contain it; subnets of one start are in the order of their size.
    addresses.sort_by_key(|address| (address.subnet().network(), address.subnet().prefix_len()));
    let mut open: Vec<ConfiguredAddress<'_>> = Vec::new();
    let mut findings = Vec::new();
    for address in addresses {
        let start: IpAddr = address.subnet().network();
        while open.last().is_some_and(|outer| !outer.subnet().contains(&start)) {
            open.pop();
        }
        // The same address twice is another rule's.
        let clash = |outer: &&ConfiguredAddress<'_>| {
            outer.medium() != address.medium() && outer.address.prefix.addr() != address.address.prefix.addr()
        };
        if let Some(outer) = open.last().filter(clash) {
            let message = format!(
                "{} on {}:{} overlaps {} on {}:{}",
                address.subnet(),
                address.device,
                address.name,
                outer.subnet(),
                outer.device,
                outer.name
            );
            let sources = [&address.address.provenance.sources, &outer.address.provenance.sources];
            findings.push(disagreement(codes::OVERLAPPING_SUBNETS, message, sources));
        }
        open.push(address);
    }
    findings
}
