//! Carries out a plan: device transactions, waves, journal, rollback.
//!
//! Every device goes through the same transaction: connect, prepare, lock, compare, backup, upload, check, arm, drain, apply,
//! reconnect, health, read back; then the gate for the wave; then confirm, unlock. From `arm` until `confirm` the device
//! goes back by itself when it hears nothing. No device of a wave is armed before all of them have passed `check`. What goes
//! wrong is rolled back, the rollback is proved by reading back, and what could not be proved is reported as unknown.
//!
//! A controller may die at any moment. [`recover`] then asks every device which transaction is on it and what it runs, and
//! brings it to rest, or back.

mod context;
mod decide;
mod device;
mod inputs;
mod journal;
mod lease;
mod recover;
mod report;
mod restore;
mod wave;

pub use decide::Goal;
pub use inputs::{Atomicity, Observer, PushEvent, PushInputs, PushPolicy, UnreachablePolicy, WaveOutcome};
pub use journal::{Journal, JournalEntry, JournalError, JournalLine, JournalTurn, Moment, Turn};
pub use lease::{Lease, LeaseError};
pub use recover::{Ends, RecoverInputs, Recovered, recover};
pub use report::{DeviceReport, DeviceResult, NamedLine, PushReport, StepName, StepTime, WaveReport};
pub use wave::{push, transaction_of};
