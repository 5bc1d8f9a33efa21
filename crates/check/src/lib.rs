//! Consistency rules, and intents against the predicted network.
//!
//! [`check`] compares the configurations of all devices with each other: what two ends must agree on, what must be there
//! once, what must be defined before it is used. Each rule is one file under `rules/` and one line of [`RULES`].
//! [`check_predicted`] asks the simulated data plane whether every Reachability and Capacity intent holds, in the steady state and
//! after failures; whether Peerings leak and Steerings are followed; and what must hold without any intent: no loop, no blackhole.
//! [`traffic`] tells which traffic goes other ways in one predicted network than in another, [`paths()`] which way one packet goes
//! and why, [`without`] what is left of a network after a failure, and [`while_away`] what breaks while devices are away.
//!
//! Findings stand at the line of the intent that caused the element, which every element of a configuration knows.

mod away;
mod capacity;
pub mod codes;
mod cuts;
mod dataplane;
mod drained;
mod entries;
mod exchange;
mod failures;
mod fleet;
mod flow;
mod monotone;
mod path;
mod places;
mod predicted;
mod reachability;
mod remaining;
mod rules;
pub mod traffic;

#[cfg(test)]
#[path = "../../simulate/tests/fabric/mod.rs"]
mod fabric;

use std::collections::BTreeMap;

use rayon::prelude::*;
use weft_device::config::DeviceConfig;
use weft_diagnostics::{Diagnostic, PathStep};
use weft_intent::IntentSet;
use weft_model::{Network, NodeName};
use weft_simulate::Hop;

pub use away::{Absences, while_away};
pub use capacity::Overload;
pub use failures::{Element, Failure};
pub use fleet::Fleet;
pub use path::{Asked, Because, Decision, Ending, Paths, Visit, paths};
pub use predicted::{Broken, check_predicted};
pub use reachability::Violation;
pub use remaining::{Remaining, without};
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

/// Returns hops as a finding shows them.
pub(crate) fn steps(hops: &[Hop]) -> Vec<PathStep> {
    let step = |hop: &Hop| PathStep {
        node: hop.node.to_string(),
        interface: hop.interface.as_ref().map(ToString::to_string),
        protocol: hop.route.as_ref().map(|route| route.protocol_name().to_owned()),
        prefix: hop.route.as_ref().map(|route| route.prefix.to_string()),
    };
    hops.iter().map(step).collect()
}
