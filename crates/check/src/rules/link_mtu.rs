//! Both ends of a link have the same MTU.
//!
//! # What it does
//! Compares the MTU at the two ends of each link.
//!
//! # Why
//! The larger end sends packets that the smaller one drops; small packets, pings among them, still pass.
//!
//! # Example
//! MTU 9100 at one end, 1500 at the other.

use weft_device::config::Interface;
use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let different = fleet.interface_pairs().filter(|(_, [(_, near), (_, far)])| near.mtu != far.mtu);
    different
        .map(|(_, [(a, near), (b, far)])| {
            let message = format!("{a} has {}, {b} has {}", words(near), words(far));
            let sources = [near.provenance.of("mtu"), far.provenance.of("mtu")];
            disagreement(codes::LINK_MTU_MISMATCH, message, sources)
        })
        .collect()
}

fn words(interface: &Interface) -> String {
    interface.mtu.map_or_else(|| "the device's own MTU".to_owned(), |mtu| format!("MTU {mtu}"))
}
