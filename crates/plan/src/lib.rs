//! Intended against running: an immutable, hashed plan of diffs and waves.
//!
//! [`plan`] compares the rendered configuration of every device with the running one, both normalised by the device's pack,
//! and orders the devices that change into waves whose members may be away together. It is pure: the same inputs give the same plan, byte
//! by byte.

mod diff;
mod digest;
mod document;
mod moved;
mod plan;
mod planner;
mod radius;
mod traffic;
mod waves;

pub use diff::{compare as compare_texts, compare_named};
pub use digest::configuration_digest;
pub use document::{Moved, PlanError};
pub use moved::{MovedLine, moved_line};
pub use plan::{DeviceChange, Digest, FileChange, Plan, PlannedDevice, Wave, WavePolicy};
pub use planner::{PlanInputs, change, is_bare, plan};
pub use radius::{ApprovalsNeeded, Radius, SessionProtocol, TouchedSession};
pub use traffic::{BeforeAfter, Traffic, TrafficChange};
pub use waves::Absences;
