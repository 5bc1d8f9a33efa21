//! Both ends of a session use the same key.
//!
//! # What it does
//! Compares the reference to the key at the two ends of each session. The key itself is never looked at.
//!
//! # Why
//! Segments without the right digest are dropped without an answer (RFC 2385), so the session never comes up and nothing says why.
//!
//! # Example
//! `env/UNDERLAY_KEY` at one end, no key at the other.

use weft_device::config::Neighbor;
use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let different = fleet.session_pairs().filter(|[a, b]| a.neighbor.authentication != b.neighbor.authentication);
    different
        .map(|[a, b]| {
            let [near, far] = [a, b].map(|end| words(end.neighbor));
            let message = format!("`{}` has {near} with `{}`, which has {far}", a.device, b.device);
            let sources = [a, b].map(|end| end.neighbor.provenance.of("authentication"));
            disagreement(codes::SESSION_AUTHENTICATION_MISMATCH, message, sources)
        })
        .collect()
}

fn words(neighbor: &Neighbor) -> String {
    match &neighbor.authentication {
        Some(key) => format!("the key `{key}`"),
        None => "no key".to_owned(),
    }
}
