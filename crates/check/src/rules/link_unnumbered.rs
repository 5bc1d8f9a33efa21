//! Both ends of a link are unnumbered, or neither is.
//!
//! # What it does
//! Compares whether BGP unnumbered is set up at the two ends of each link.
//!
//! # Why
//! BGP unnumbered finds its neighbor by the router advertisements of the other end (RFC 8950, RFC 4861), which only sends them when it is set up so.
//!
//! # Example
//! `unnumbered` on `b2-leaf-01:swp15`, and not on `b2-spine-01:swp1`.

use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let different = fleet.interface_pairs().filter(|(_, [(_, near), (_, far)])| near.unnumbered != far.unnumbered);
    different
        .map(|(_, [(a, near), (b, far)])| {
            let (with, without) = if near.unnumbered { (a, b) } else { (b, a) };
            let message = format!("{with} is unnumbered, {without} is not");
            let sources = [near.provenance.of("unnumbered"), far.provenance.of("unnumbered")];
            disagreement(codes::LINK_UNNUMBERED_MISMATCH, message, sources)
        })
        .collect()
}
