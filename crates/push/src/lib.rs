//! Carries out a plan: device transactions, waves, journal, rollback.
//!
//! Every device goes through the same transaction: connect, prepare, lock, compare, backup, upload, check, arm, drain, apply,
//! reconnect, health, read back; then the gate for the wave; then confirm, unlock. From `arm` until `confirm` the device
//! goes back by itself when it hears nothing. No device of a wave is armed before all of them have passed `check`. What goes
//! wrong is rolled back, the rollback is proved by reading back, and what could not be proved is reported as unknown.

mod context;
mod device;
mod inputs;
mod journal;
mod lease;
mod report;
mod restore;
mod wave;

pub use inputs::{Atomicity, Observer, PushEvent, PushInputs, PushPolicy, UnreachablePolicy, WaveOutcome};
pub use journal::{Journal, JournalEntry, JournalError, Moment};
pub use lease::{Lease, LeaseError};
pub use report::{DeviceReport, DeviceResult, NamedLine, PushReport, StepName, StepTime, WaveReport};
pub use wave::push;
