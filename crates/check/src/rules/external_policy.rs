//! External neighbors have an import and an export policy.
//!
//! # What it does
//! Looks for external neighbors without an import policy or without an export policy.
//!
//! # Why
//! Without an export policy the device passes on routes of one external neighbor to another and becomes their transit (RFC 7908); without an import policy it believes whatever it is told. RFC 8212 wants both.
//!
//! # Example
//! The neighbor `192.0.2.1` of `b1-border-01` has no export policy.

use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, error},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for end in fleet.external_neighbors() {
        for (word, field, policy) in [
            ("import", "import_policy", &end.neighbor.import_policy),
            ("export", "export_policy", &end.neighbor.export_policy),
        ] {
            if policy.is_none() {
                let message = format!("the external neighbor {} of `{}` has no {word} policy", end.target, end.device);
                findings.push(error(codes::NO_EXTERNAL_POLICY, message, end.neighbor.provenance.of(field)));
            }
        }
    }
    findings
}
