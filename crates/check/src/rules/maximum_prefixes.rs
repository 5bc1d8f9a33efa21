//! External neighbors have a limit on their prefixes.
//!
//! # What it does
//! Looks for external neighbors without `maximum_prefixes`.
//!
//! # Why
//! A neighbor that leaks its full table by mistake fills the memory of the router before any policy looks at the routes (RFC 7454 8).
//!
//! # Example
//! The peering `transit-a` has no `accept.maximum_prefixes`.

use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, warning},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let unlimited = fleet.external_neighbors().filter(|end| end.neighbor.maximum_prefixes.is_none());
    unlimited
        .map(|end| {
            let message = format!("`{}` takes any number of prefixes from {}", end.device, end.target);
            warning(codes::NO_MAXIMUM_PREFIXES, message, end.neighbor.provenance.of("maximum_prefixes"))
                .help("set `accept.maximum_prefixes` of the peering")
        })
        .collect()
}
