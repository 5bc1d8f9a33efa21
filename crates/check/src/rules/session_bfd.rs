//! Both ends of a session ask for the same BFD.
//!
//! # What it does
//! Compares interval and multiplier of BFD at the two ends of each session.
//!
//! # Why
//! BFD that only one end runs never comes up (RFC 5880 6.2), and some devices keep the BGP session down with it.
//!
//! # Example
//! BFD every 1000 ms at one end, none at the other.

use weft_device::config::Neighbor;
use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let different = fleet.session_pairs().filter(|[a, b]| a.neighbor.bfd != b.neighbor.bfd);
    different
        .map(|[a, b]| {
            let [near, far] = [a, b].map(|end| words(end.neighbor));
            let message = format!("`{}` has {near} with `{}`, which has {far}", a.device, b.device);
            let sources = [a, b].map(|end| end.neighbor.provenance.of("bfd"));
            disagreement(codes::SESSION_BFD_MISMATCH, message, sources)
        })
        .collect()
}

fn words(neighbor: &Neighbor) -> String {
    match neighbor.bfd {
        Some(bfd) => format!("BFD every {} ms, {} times", bfd.interval_ms, bfd.multiplier),
        None => "no BFD".to_owned(),
    }
}
