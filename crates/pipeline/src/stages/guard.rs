//! Guard: the rules of the organisation about what is going to change.

use serde_json::{Value, json};
use weft_diagnostics::Diagnostic;
use weft_model::Network;
use weft_plan::{DeviceChange, Plan};

use super::Project;

/// Returns which rules about plans a plan breaks.
pub fn guard_findings(project: &Project, plan: &Plan) -> Vec<Diagnostic> {
    if !project.policies.has_plan_rules() {
        return Vec::new();
    }
    project.policies.check_plan(&seen(&project.network, plan))
}

/// Returns a plan as rules see it: docs/guardrails.md tells what is in it.
fn seen(network: &Network, plan: &Plan) -> Value {
    let devices: Vec<Value> = plan
        .devices
        .iter()
        .map(|(name, device)| {
            let (change, files): (&str, Vec<&String>) = match &device.change {
                DeviceChange::None { .. } => ("none", Vec::new()),
                DeviceChange::Replace { files, .. } => ("replace", files.keys().collect()),
                DeviceChange::Unreachable { .. } => ("unreachable", Vec::new()),
            };
            let count = |of: fn(&weft_plan::FileChange) -> usize| match &device.change {
                DeviceChange::Replace { files, .. } => files.values().map(of).sum(),
                DeviceChange::None { .. } | DeviceChange::Unreachable { .. } => 0_usize,
            };
            let mut seen = json!({
                "name": name, "pack": device.pack, "change": change, "files": files,
                "added": count(|file| file.added), "removed": count(|file| file.removed),
            });
            if let Some(node) = network.node(name.as_str()) {
                seen["role"] = json!(node.role);
                seen["labels"] = json!(node.labels);
                // What a node does not have is not there, so that rules can ask for it with `has`.
                if let Some(site) = &node.site {
                    seen["site"] = json!(site);
                }
                if let Some(fabric) = &node.fabric {
                    seen["fabric"] = json!(fabric);
                }
            }
            seen
        })
        .collect();
    let named = |change: &str| -> Vec<&Value> {
        devices.iter().filter(|device| device["change"] == change).map(|device| &device["name"]).collect()
    };
    let waves: Vec<Value> =
        plan.waves.iter().map(|wave| json!({ "name": wave.name, "devices": wave.devices })).collect();
    let mut seen = json!({
        "waves": waves, "changed": named("replace"), "unreachable": named("unreachable"), "devices": devices,
    });
    if let Some(commit) = &plan.commit {
        seen["commit"] = json!(commit);
    }
    seen
}
