//! Intended against running: an immutable, hashed plan of diffs and waves.
//!
//! [`plan`] compares the rendered configuration of every device with the running one, both normalised by the device's pack,
//! and orders the devices that change into waves. It is pure: the same inputs give the same plan, byte by byte.

mod diff;
mod digest;
mod document;
mod plan;
mod planner;
mod traffic;
mod waves;

pub use diff::{compare as compare_texts, compare_named};
pub use digest::configuration_digest;
pub use document::{Moved, PlanError};
pub use plan::{DeviceChange, Digest, FileChange, Plan, PlannedDevice, Wave, WavePolicy};
pub use planner::{PlanInputs, is_bare, plan};
pub use traffic::{BeforeAfter, Traffic, TrafficChange, TrafficWhat};
