//! Each end of a session knows the AS of the other.
//!
//! # What it does
//! Compares the AS that each end expects with the AS of the device at the other end.
//!
//! # Why
//! A BGP speaker refuses the OPEN of a neighbor in another AS than it expects (RFC 4271 6.2).
//!
//! # Example
//! `b1-leaf-01` expects AS 64601 at `b1-spine-01`, which is AS 64602.

use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for [a, b] in fleet.session_pairs() {
        for (near, far) in [(a, b), (b, a)] {
            if near.neighbor.peer_as != far.bgp.asn {
                let message = format!(
                    "`{}` expects AS {} at `{}`, which is AS {}",
                    near.device, near.neighbor.peer_as, far.device, far.bgp.asn
                );
                let sources = [near.neighbor.provenance.of("peer_as"), far.bgp.provenance.of("asn")];
                findings.push(disagreement(codes::SESSION_ASN_MISMATCH, message, sources));
            }
        }
    }
    findings
}
