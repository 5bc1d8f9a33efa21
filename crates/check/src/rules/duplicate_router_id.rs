//! No router id is used twice.
//!
//! # What it does
//! Looks for devices with the same BGP identifier.
//!
//! # Why
//! A session between two routers with one identifier may be refused (RFC 4271 6.2), and ties between their routes are not decided.
//!
//! # Example
//! `10.0.1.3` is the router id of `b1-leaf-01` and of `b1-leaf-02`.

use std::{collections::BTreeMap, net::Ipv4Addr};

use weft_device::config::Bgp;
use weft_diagnostics::Diagnostic;
use weft_model::NodeName;

use crate::{
    codes,
    fleet::{Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut first: BTreeMap<Ipv4Addr, (&NodeName, &Bgp)> = BTreeMap::new();
    let mut findings = Vec::new();
    for (device, bgp) in fleet.configs.iter().filter_map(|(device, config)| Some((device, config.bgp.as_ref()?))) {
        let Some((other, taken)) = first.get(&bgp.router_id) else {
            first.insert(bgp.router_id, (device, bgp));
            continue;
        };
        let message = format!("{} is the router id of `{other}` and of `{device}`", bgp.router_id);
        let sources = [bgp.provenance.of("router_id"), taken.provenance.of("router_id")];
        findings.push(disagreement(codes::DUPLICATE_ROUTER_ID, message, sources));
    }
    findings
}
