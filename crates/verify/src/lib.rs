//! Observes devices and compares: compliance of each intent, drift.
