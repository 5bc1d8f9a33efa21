//! `weft explain node/NAME`: every setting of a node, and which of the places that could give it does.
//!
//! The order of precedence: what is said of the node itself, then what is said of its tier, then what is said of its fabric,
//! then the default of the kind. What no intent says comes from a pool, and stands in the lock file.

use std::fmt::Write;

use weft_intent::{
    Intent,
    spec::{FabricSpec, NodeOverride, Tier},
};
use weft_model::{Node, Source};
use weft_pipeline::stages::{Compiled, Project};

/// A setting, its value, and where it comes from.
struct Setting {
    name: String,
    value: String,
    from: String,
}

/// Returns the settings of a node as a table; `None` when there is no such node.
pub(super) fn of_node(project: &Project, compiled: &Compiled, name: &str) -> Option<String> {
    let node = project.network.node(name)?;
    let fabric = node.fabric.as_ref().and_then(|fabric| project.intents.fabrics.get(fabric.as_str()));
    let mut settings = match fabric {
        Some(fabric) => of_fabric(node, fabric),
        None => of_topology(node),
    };
    let allocations = &compiled.allocations;
    let mut allocated = |name: &str, value: Option<String>| {
        let from = "a pool; kept in intents/allocations.lock.yaml".to_owned();
        settings.extend(value.map(|value| Setting { name: name.to_owned(), value, from }));
    };
    if node.management.is_none() {
        allocated("management", allocations.management.get(&node.name).map(ToString::to_string));
    }
    allocated("loopback", allocations.loopbacks.get(&node.name).map(ToString::to_string));
    allocated("AS number", allocations.asns.get(&node.name).map(ToString::to_string));
    let widths = [
        settings.iter().map(|setting| setting.name.len()).max().unwrap_or(0),
        settings.iter().map(|setting| setting.value.len()).max().unwrap_or(0),
    ];
    let mut text = format!("node {} of {}\n", node.name, node.source);
    for Setting { name, value, from } in settings {
        let _ = writeln!(text, "  {name:<0$}  {value:<1$}  {from}", widths[0], widths[1]);
    }
    Some(text)
}

/// Returns the settings of a node that a topology has: it says all of them itself.
fn of_topology(node: &Node) -> Vec<Setting> {
    let place = |what: &str| format!("{what} ({}:{})", node.source.file, node.source.line);
    let mut settings = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        settings.extend(value.map(|value| Setting { name: name.to_owned(), value, from: place("the node") }));
    };
    add("role", Some(node.role.to_string()));
    add("site", node.site.as_ref().map(ToString::to_string));
    add("pack", Some(node.pack.to_string()));
    add("behaves as version", node.profile.version.as_ref().map(ToString::to_string));
    add("platform", Some(node.platform.to_string()));
    add("management", node.management.map(|address| address.to_string()));
    for (key, value) in &node.labels {
        add(&format!("label {key}"), Some(value.clone()));
    }
    settings
}

/// Returns the settings of a node that a fabric makes.
fn of_fabric(node: &Node, fabric: &Intent<FabricSpec>) -> Vec<Setting> {
    let spec = &fabric.spec;
    let (key, tier): (&str, Option<&Tier>) = match node.role.as_str() {
        "super-spine" => ("super_spine", spec.super_spine.as_ref()),
        "spine" => ("spine", Some(&spec.spine)),
        "border" => ("border", spec.border.as_ref()),
        _ => ("leaf", Some(&spec.leaf)),
    };
    let own = spec.overrides.iter().position(|entry| entry.node == node.name);
    let at = |pointer: &str| {
        let Source { file, line, .. } = fabric.source_at(pointer);
        format!("({file}:{line})")
    };
    let mut settings = vec![Setting {
        name: "role".to_owned(),
        value: node.role.to_string(),
        from: format!("tier {key} {}", at(&format!("/spec/{key}"))),
    }];
    if let Some(site) = &spec.site {
        settings.push(Setting {
            name: "site".to_owned(),
            value: site.to_string(),
            from: format!("fabric {}", at("/spec/site")),
        });
    }
    let entry: Option<(usize, &NodeOverride)> = own.map(|index| (index, &spec.overrides[index]));
    let mut layered = |name: String, of_node: Option<&str>, of_tier: Option<&str>, pointer: &str| {
        let tier_at = at(&format!("/spec/{key}/{pointer}"));
        let (value, from) = match (entry, of_node, of_tier) {
            (Some((index, _)), Some(value), below) => {
                let mut from = format!("override {}", at(&format!("/spec/overrides/{index}/{pointer}")));
                if let Some(below) = below {
                    let _ = write!(from, ", in place of {below} of the tier {tier_at}");
                }
                (value, from)
            }
            (_, _, Some(value)) => (value, format!("tier {key} {tier_at}")),
            _ => return,
        };
        settings.push(Setting { name, value: value.to_owned(), from });
    };
    let of_override = |value: fn(&NodeOverride) -> Option<&str>| entry.and_then(|(_, entry)| value(entry));
    layered(
        "pack".to_owned(),
        of_override(|entry| entry.pack.as_ref().map(|pack| pack.as_str())),
        tier.map(|tier| tier.pack.as_str()),
        "pack",
    );
    layered(
        "os_version".to_owned(),
        of_override(|entry| entry.os_version.as_ref().map(|version| version.as_str())),
        tier.filter(|tier| tier.pack == node.pack)
            .and_then(|tier| tier.os_version.as_ref())
            .map(|version| version.as_str()),
        "os_version",
    );
    layered(
        "platform".to_owned(),
        of_override(|entry| entry.platform.as_ref().map(|platform| platform.as_str())),
        tier.map(|tier| tier.platform.as_str()),
        "platform",
    );
    for (label, value) in &node.labels {
        let of_node = entry.and_then(|(_, entry)| entry.labels.get(label)).map(String::as_str);
        let of_tier = tier.and_then(|tier| tier.labels.get(label)).map(String::as_str);
        if of_node.is_none() && of_tier.is_none() {
            // Such as the pod, which follows from the name.
            layered(format!("label {label}"), None, Some(value), "count");
        } else {
            layered(format!("label {label}"), of_node, of_tier, &format!("labels/{label}"));
        }
    }
    let mtu =
        if fabric.document.has("/spec/mtu") { format!("fabric {}", at("/spec/mtu")) } else { "default".to_owned() };
    settings.push(Setting { name: "mtu of links".to_owned(), value: spec.mtu.to_string(), from: mtu });
    settings
}
