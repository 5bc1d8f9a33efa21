//! Intended against running: an immutable, hashed plan of diffs and waves.

mod plan;

pub use plan::{DeviceChange, Digest, FileChange, Plan, PlannedDevice, Wave, WavePolicy};
