//! The vendor-neutral device tree.
//!
//! [`config`] is what a device is meant to do (RFC 8342's intended datastore), with provenance on every leaf; [`state`]
//! is what a device does, predicted or observed (the operational datastore). Names are OpenConfig's.

pub mod config;
pub mod state;
