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

use weft_diagnostics::Diagnostic;
use weft_model::{NodeName, Provenance};

use crate::{
    codes,
    fleet::{Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut first: BTreeMap<Ipv4Addr, (&NodeName, &Provenance)> = BTreeMap::new();
    let mut findings = Vec::new();
    let ids = fleet.configs.iter().flat_map(|(device, config)| {
        let bgp = config.bgp.iter().map(|bgp| (bgp.router_id, &bgp.provenance));
        let ospf = config.ospf.iter().map(|ospf| (ospf.router_id, &ospf.provenance));
        // A device has one for all its processes.
        let ids: BTreeMap<Ipv4Addr, &Provenance> = bgp.chain(ospf).collect();
        ids.into_iter().map(move |(id, provenance)| (device, id, provenance))
    });
    for (device, id, provenance) in ids {
        let Some((other, taken)) = first.get(&id) else {
            first.insert(id, (device, provenance));
            continue;
        };
        let message = format!("{id} is the router id of `{other}` and of `{device}`");
        let sources = [provenance.of("router_id"), taken.of("router_id")];
        findings.push(disagreement(codes::DUPLICATE_ROUTER_ID, message, sources));
    }
    findings
}
