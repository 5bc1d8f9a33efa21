//! The two ends of an eBGP session are in different ASes.
//!
//! # What it does
//! Compares the AS numbers of the devices at the two ends of each session on a link.
//!
//! # Why
//! A router drops a route whose path has its own AS (RFC 4271 9.1.2), and the session would be an internal one, whose rules are others.
//!
//! # Example
//! `b1-leaf-01` and `b1-spine-01` are both in AS 64601.

use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let same = fleet.link_session_pairs().filter(|[a, b]| a.bgp.asn == b.bgp.asn);
    same.map(|[a, b]| {
        let message = format!("`{}` and `{}` are neighbors and both in AS {}", a.device, b.device, a.bgp.asn);
        disagreement(codes::SAME_ASN, message, [a, b].map(|end| end.bgp.provenance.of("asn")))
            .help("take their AS numbers from different pools, or from one that gives each node its own")
    })
    .collect()
}
