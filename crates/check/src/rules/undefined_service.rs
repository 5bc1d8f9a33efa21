//! Access lists and OSPF refer to what is defined.
//!
//! # What it does
//! Looks up the access list of each interface, and the interfaces and the policy of OSPF.
//!
//! # Why
//! An access list that is not defined lets everything pass on some devices and nothing on others; an interface that is not there
//! has no neighbors.
//!
//! # Example
//! `b1-leaf-03:swp1` has the access list `data-bases`, which the device does not define.

use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, error},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (device, config) in fleet.configs {
        for (name, interface) in &config.interfaces {
            let Some(acl) = &interface.egress_acl else { continue };
            if !config.acl_sets.contains_key(acl) {
                let message = format!("{device}:{name} has the access list `{acl}`, which is not defined");
                let sources = interface.provenance.of("egress_acl");
                findings.push(error(codes::UNDEFINED_SERVICE, message, sources));
            }
        }
        let Some(ospf) = &config.ospf else { continue };
        for (name, on) in ospf.interfaces.iter().filter(|(name, _)| !config.interfaces.contains_key(*name)) {
            let message = format!("OSPF of `{device}` runs on the interface `{name}`, which is not defined");
            findings.push(error(codes::UNDEFINED_SERVICE, message, &on.provenance.sources));
        }
        let undefined = |policy: &&weft_model::Name| !config.routing_policy.policy_definitions.contains_key(*policy);
        if let Some(policy) = ospf.redistribute_bgp.as_ref().filter(undefined) {
            let message =
                format!("OSPF of `{device}` takes from BGP what the policy `{policy}` takes, which is not defined");
            findings.push(error(codes::UNDEFINED_SERVICE, message, ospf.provenance.of("redistribute_bgp")));
        }
    }
    findings
}
