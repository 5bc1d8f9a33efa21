//! Pipeline definitions, the stage runner, the run store, reports.
//!
//! ```text
//! source::read -> Sources --+--> definition::find -> Pipeline
//!                           |                           |
//!                           +--> stages::*  <--- run(Pipeline, Sources, options, observer) -> RunRecord
//!                                                       |
//!                                    .weft/runs/<id>/ (run::RunStore) --> report::Report -> text, JSON, JUnit, ...
//! ```
//!
//! The stages are functions that can be used alone; [`run()`] puts them together, and writes down at every moment how far it
//! is, so that a process that is killed leaves a record that can be read.

pub mod approval;
pub mod codes;
pub mod definition;
pub mod difference;
mod exit;
pub mod radius;
pub mod reach;
pub mod recovery;
pub mod report;
pub mod run;
mod runner;
pub mod secrets;
pub mod source;
pub mod stages;
pub mod traffic;

pub use exit::ExitCode;
pub use runner::{Observer, RunEvent, RunOptions, run};
