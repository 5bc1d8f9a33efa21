//! Whatever is referenced is defined.
//!
//! # What it does
//! Looks up the policies and the interface of each neighbor, and the sets of prefixes and communities of each statement.
//!
//! # Why
//! Devices differ in what they do with an undefined policy: some reject everything, some accept everything.
//!
//! # Example
//! A neighbor has the export policy `leave-site`, which the device does not define.

use weft_device::config::{Bgp, DeviceConfig};
use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, error},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for config in fleet.configs.values() {
        if let Some(bgp) = &config.bgp {
            neighbors(config, bgp, &mut findings);
        }
        for (name, policy) in &config.routing_policy.policy_definitions {
            for statement in &policy.statements {
                let sets = &config.routing_policy;
                let (conditions, changes) = (&statement.conditions, &statement.transformations);
                let prefixes = conditions.prefix_set.iter().filter(|set| !sets.prefix_sets.contains_key(*set));
                let communities = conditions.community_set.iter().chain(&changes.remove_communities);
                let communities = communities.filter(|set| !sets.community_sets.contains_key(*set));
                for (kind, set) in prefixes.map(|set| ("prefix", set)).chain(communities.map(|set| ("community", set)))
                {
                    let message = format!(
                        "statement {} of policy `{name}` on `{}` refers to the {kind} set `{set}`, which is not defined",
                        statement.sequence, config.device
                    );
                    findings.push(error(codes::UNDEFINED_REFERENCE, message, &statement.provenance.sources));
                }
            }
        }
    }
    findings
}

fn neighbors(config: &DeviceConfig, bgp: &Bgp, findings: &mut Vec<Diagnostic>) {
    let device = &config.device;
    for (target, neighbor) in &bgp.neighbors {
        if !config.interfaces.contains_key(&neighbor.interface) {
            let message = format!(
                "the neighbor {target} of `{device}` is behind the interface `{}`, which is not defined",
                neighbor.interface
            );
            findings.push(error(codes::UNDEFINED_REFERENCE, message, neighbor.provenance.of("interface")));
        }
        for (field, policy) in [("import_policy", &neighbor.import_policy), ("export_policy", &neighbor.export_policy)]
        {
            let Some(policy) = policy else { continue };
            if !config.routing_policy.policy_definitions.contains_key(policy) {
                let message =
                    format!("the neighbor {target} of `{device}` uses the policy `{policy}`, which is not defined");
                findings.push(error(codes::UNDEFINED_REFERENCE, message, neighbor.provenance.of(field)));
            }
        }
    }
}
