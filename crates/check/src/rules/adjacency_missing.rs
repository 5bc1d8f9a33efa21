//! A link over which OSPF is to run has it at both ends.
//!
//! # What it does
//! Looks for OSPF, not passive, at both ends of each link that an underlay of OSPF runs over or that one end has it on.
//!
//! # Why
//! An end that sends no hellos has no neighbor, and the link carries nothing.
//!
//! # Example
//! The underlay `campus` runs over `core-2:swp3 -- edge-1:swp1`; `swp3` is passive on `core-2`.

use weft_diagnostics::Diagnostic;
use weft_intent::spec::Protocol;

use crate::{
    codes,
    fleet::{Fleet, error},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for link in &fleet.links {
        let of_ospf = link.underlay.filter(|underlay| underlay.spec.protocol == Protocol::Ospf);
        let active: Vec<bool> =
            link.ends.iter().map(|end| fleet.ospf_interface(end.point).is_some_and(|on| !on.passive)).collect();
        for (end, _) in link.ends.iter().zip(&active).filter(|(_, active)| !**active) {
            if of_ospf.is_none() && !active.contains(&true) {
                continue;
            }
            let message = format!("the link {} has no OSPF on `{}`", link.link, end.point.node);
            let source = link.underlay.map_or_else(|| link.link.source.clone(), |underlay| underlay.source());
            findings.push(error(codes::ADJACENCY_MISSING, message, &[source].into()));
        }
    }
    findings
}
