//! Both ends of a session have the same timers.
//!
//! # What it does
//! Compares keepalive, hold and connect-retry time at the two ends of each session.
//!
//! # Why
//! The session runs with the smaller hold time (RFC 4271 4.2), so one of the two intents does not hold.
//!
//! # Example
//! Hold time 9 s at one end, 180 s at the other.

use weft_device::config::Neighbor;
use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let different = fleet.session_pairs().filter(|[a, b]| a.neighbor.timers != b.neighbor.timers);
    different
        .map(|[a, b]| {
            let [near, far] = [a, b].map(|end| words(end.neighbor));
            let message = format!("`{}` has {near} with `{}`, which has {far}", a.device, b.device);
            let sources = [a, b].map(|end| end.neighbor.provenance.of("timers"));
            disagreement(codes::SESSION_TIMERS_MISMATCH, message, sources)
        })
        .collect()
}

fn words(neighbor: &Neighbor) -> String {
    match neighbor.timers {
        Some(timers) => {
            format!("timers {} s/{} s/{} s", timers.keepalive.0, timers.hold.0, timers.connect_retry.0)
        }
        None => "the device's own timers".to_owned(),
    }
}
