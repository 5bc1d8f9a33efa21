//! Whatever is defined is used.
//!
//! # What it does
//! Looks for policies that neither a neighbor nor OSPF uses, and for prefix sets that no policy matches.
//!
//! # Why
//! A policy that nothing uses was meant to filter something, which is now not filtered.
//!
//! # Example
//! A device defines the policy `transit-a-import`, and no neighbor has it.

use std::collections::BTreeSet;

use weft_diagnostics::Diagnostic;
use weft_model::Name;

use crate::{
    codes,
    fleet::{Fleet, warning},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for config in fleet.configs.values() {
        let redistributed = config.ospf.iter().flat_map(|ospf| &ospf.redistribute_bgp);
        let neighbors = config.bgp.iter().flat_map(|bgp| bgp.neighbors.values());
        let policies: BTreeSet<&Name> =
            neighbors.flat_map(|n| n.import_policy.iter().chain(&n.export_policy)).chain(redistributed).collect();
        let definitions = &config.routing_policy.policy_definitions;
        let statements = definitions.values().flat_map(|policy| &policy.statements);
        let sets: BTreeSet<&Name> =
            statements.filter_map(|statement| statement.conditions.prefix_set.as_ref()).collect();
        for (name, policy) in definitions.iter().filter(|(name, _)| !policies.contains(name)) {
            let message = format!("no neighbor of `{}` uses the policy `{name}`", config.device);
            findings.push(warning(codes::UNUSED_DEFINITION, message, &policy.provenance.sources));
        }
        for (name, set) in config.routing_policy.prefix_sets.iter().filter(|(name, _)| !sets.contains(name)) {
            let message = format!("no policy of `{}` matches the prefix set `{name}`", config.device);
            findings.push(warning(codes::UNUSED_DEFINITION, message, &set.provenance.sources));
        }
    }
    findings
}
