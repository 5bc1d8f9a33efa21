//! Consistency rules, and intents against the predicted network.
//!
//! [`check`] compares the configurations of all devices with each other: what two ends must agree on, what must be there
//! once, what must be defined before it is used. Each rule is one file under `rules/` and one line of [`RULES`].
//! [`check_predicted`] asks the simulated data plane whether every Reachability intent holds, in the steady state and
//! after failures.
//!
//! Findings stand at the line of the intent that caused the element, which every element of a configuration knows.

pub mod codes;
mod filters;
mod fleet;
mod reachability;
mod rules;

use std::collections::BTreeMap;

use rayon::prelude::*;
use weft_device::config::DeviceConfig;
use weft_diagnostics::Diagnostic;
use weft_intent::IntentSet;
use weft_model::{Network, NodeName};

pub use fleet::Fleet;
pub use reachability::{Violation, check_predicted};
pub use rules::{RULES, Rule};

/// Returns what the rules find in the configurations of a network, in order. Near-linear in the size of the
/// configurations: no rule compares all pairs of anything.
pub fn check(intents: &IntentSet, network: &Network, configs: &BTreeMap<NodeName, DeviceConfig>) -> Vec<Diagnostic> {
    let fleet = Fleet::new(intents, network, configs);
    let mut findings: Vec<Diagnostic> = RULES.par_iter().flat_map_iter(|rule| (rule.find)(&fleet)).collect();
    findings.sort();
    findings.dedup();
    findings
}
