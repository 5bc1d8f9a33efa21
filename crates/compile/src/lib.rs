//! Intents, topology and allocations to vendor-neutral device configuration, with provenance.

mod allocations;

pub use allocations::{Allocations, LinkKey, PortKey};
