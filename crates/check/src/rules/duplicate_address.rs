//! No address is used twice.
//!
//! # What it does
//! Looks for interfaces with the same address, on one device or on two.
//!
//! # Why
//! Packets to the address end at whichever of the two is nearer.
//!
//! # Example
//! `10.0.1.3` is the loopback of `b1-leaf-01` and of `b1-leaf-02`.

use std::{collections::BTreeMap, net::IpAddr};

use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{ConfiguredAddress, Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut first: BTreeMap<IpAddr, ConfiguredAddress<'_>> = BTreeMap::new();
    let mut findings = Vec::new();
    for address in fleet.addresses() {
        let value = address.address.prefix.addr();
        let Some(taken) = first.get(&value) else {
            first.insert(value, address);
            continue;
        };
        let message = format!(
            "{value} is the address of {}:{} and of {}:{}",
            taken.device, taken.name, address.device, address.name
        );
        let sources = [&address.address.provenance.sources, &taken.address.provenance.sources];
        findings.push(disagreement(codes::DUPLICATE_ADDRESS, message, sources));
    }
    findings
}
