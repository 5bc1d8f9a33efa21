//! Both ends of a link are in the same subnets.
//!
//! # What it does
//! Compares the subnets of the addresses at the two ends of each link.
//!
//! # Why
//! Two routers in different subnets do not reach each other, although the link is up.
//!
//! # Example
//! `10.1.0.0/31` at one end, `10.1.0.3/31` at the other.

use std::collections::BTreeSet;

use ipnet::IpNet;
use weft_device::config::Interface;
use weft_diagnostics::Diagnostic;
use weft_model::Sources;

use crate::{
    codes,
    fleet::{Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (_, [(a, near), (b, far)]) in fleet.interface_pairs() {
        let [left, right] = [subnets(near), subnets(far)];
        if left != right {
            let message = format!("{a} is in {}, {b} in {}", words(&left), words(&right));
            let sources = [sources(near), sources(far)];
            findings.push(disagreement(codes::LINK_SUBNET_MISMATCH, message, [&sources[0], &sources[1]]));
        }
    }
    findings
}

fn subnets(interface: &Interface) -> BTreeSet<IpNet> {
    interface.addresses.iter().map(|address| address.prefix.trunc()).collect()
}

fn sources(interface: &Interface) -> Sources {
    match interface.addresses.first() {
        Some(address) => address.provenance.sources.clone(),
        None => interface.provenance.of("addresses").clone(),
    }
}

fn words(subnets: &BTreeSet<IpNet>) -> String {
    if subnets.is_empty() {
        return "no subnet".to_owned();
    }
    subnets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
