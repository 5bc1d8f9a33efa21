//! What a finding is: code, severity, source span, labels and help; and how findings print.
//!
//! A finding is a user's mistake or a broken promise of the network, told as data. It is produced by the pure crates
//! and printed only at the edge: [`render::text`] for people, [`render::json`] for programs, [`sarif::sarif`] for forges.

mod code;
mod diagnostic;
pub mod render;
pub mod sarif;
mod span;

pub use code::Code;
pub use diagnostic::{Diagnostic, Label, PathStep, Severity, has_errors};
pub use span::{SourceMap, SourceSpan};
