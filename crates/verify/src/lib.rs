//! Observes devices and compares: compliance of each intent, drift.

mod compliance;

pub use compliance::{Compliance, Evidence, IntentResult};
