//! The two ends of a session exchange the same address families, those that it can carry.
//!
//! # What it does
//! Compares the address families at the two ends of each session. A session between addresses is to carry the family of the
//! addresses, and no other.
//!
//! # Why
//! What only one end asks for is not exchanged (RFC 4760 8), and routes whose next hops would be of another family than the
//! session have none that can be used.
//!
//! # Example
//! `b1-leaf-01` has the neighbor `10.1.0.9`, with which it is to exchange IPv6.

use std::collections::BTreeSet;

use weft_device::config::AfiSafi;
use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, SessionEnd, Sort, disagreement, error, family_name},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for [a, b] in fleet.session_pairs() {
        let mistakes: Vec<Diagnostic> = [a, b].into_iter().filter_map(foreign).collect();
        if mistakes.is_empty() && a.neighbor.afi_safis != b.neighbor.afi_safis {
            let [near, far] = [a, b].map(|end| words(&end.neighbor.afi_safis));
            let message = format!("`{}` exchanges {near} with `{}`, which exchanges {far}", a.device, b.device);
            let sources = [a, b].map(|end| end.neighbor.provenance.of("afi_safis"));
            findings.push(disagreement(codes::SESSION_FAMILY_MISMATCH, message, sources));
        }
        findings.extend(mistakes);
    }
    findings.extend(fleet.external_neighbors().filter_map(foreign));
    findings
}

/// Returns the mistake of an end that is to carry what its addresses do not.
fn foreign(end: SessionEnd<'_>) -> Option<Diagnostic> {
    let Sort::Address(family) = end.sort() else { return None };
    if end.neighbor.afi_safis == [family].into() {
        return None;
    }
    let asked = words(&end.neighbor.afi_safis);
    let message = format!(
        "`{}` is to exchange {asked} with the neighbor {}, over which goes {}",
        end.device,
        end.target,
        family_name(family)
    );
    Some(error(codes::SESSION_FAMILY_MISMATCH, message, end.neighbor.provenance.of("afi_safis")))
}

fn words(families: &BTreeSet<AfiSafi>) -> String {
    let names: Vec<&str> = families.iter().copied().map(family_name).collect();
    names.join(" and ")
}
