//! Pipeline definitions, the stage runner, the run store, reports.

pub mod report;
pub mod run;
