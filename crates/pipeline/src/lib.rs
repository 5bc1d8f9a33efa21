//! Pipeline definitions, the stage runner, the run store, reports.
