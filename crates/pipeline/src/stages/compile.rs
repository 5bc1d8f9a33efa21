//! Compile: intents to the configuration of every device and its text; the lock file.

use std::{collections::BTreeMap, fs, io, path::Path, path::PathBuf};

use jiff::Timestamp;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;
use weft_compile::{Allocations, ExternalRouters};
use weft_device::config::DeviceConfig;
use weft_diagnostics::{Diagnostic, SourceSpan, has_errors};
use weft_model::{NodeName, PackName};
use weft_pack::Rendered;

use super::Project;
use crate::{codes, source::LOCK_FILE};

/// Most changes of the lock file that a finding lists.
const MOST_CHANGES: usize = 8;

/// What the intents come to.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The allocations, new ones included.
    pub allocations: Allocations,
    /// The configuration of every device.
    pub configs: BTreeMap<NodeName, DeviceConfig>,
    /// The routers of somebody else, as far as the intents tell.
    pub external: ExternalRouters,
    /// The text of every configuration, rendered by the pack that runs on the device.
    pub rendered: BTreeMap<NodeName, Rendered>,
}

impl Compiled {
    /// Returns how many lines all configurations have together.
    pub fn lines(&self) -> usize {
        self.rendered.values().flat_map(|device| device.files.values()).map(|file| file.lines.len()).sum()
    }
}

/// Why the lock file cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It cannot be written.
    #[error("write {path}: {source}")]
    Write {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes the configuration of every device, and its text, all devices in parallel. `overrides` names the pack that runs on a
/// device where it is not the one that the intents name. Maintenance windows
/// are asked for the present time. Returns `None` when a finding is an error.
pub fn compile(project: &Project, overrides: &BTreeMap<NodeName, PackName>) -> (Option<Compiled>, Vec<Diagnostic>) {
    let (allocations, mut findings) = weft_compile::allocate(&project.intents, &project.network, &project.locked);
    if has_errors(&findings) {
        return (None, findings);
    }
    let (mut configs, mistakes) =
        weft_compile::compile(&project.intents, &project.network, &allocations, Timestamp::now());
    findings.extend(mistakes);
    for (device, name) in overrides {
        if let (Some(config), Some(pack)) = (configs.get_mut(device), project.packs.get(name))
            && config.pack != *name
        {
            config.profile = pack.default_profile();
        }
    }
    let external = weft_compile::external_routers(&project.intents, &project.network, &allocations);
    let results: Vec<_> = configs
        .par_iter()
        .map(|(device, config)| {
            let name = overrides.get(device).unwrap_or(&config.pack);
            match project.packs.get(name) {
                Some(pack) => pack.render(config),
                None => {
                    let message = format!("{device} runs the pack `{name}`, which is not installed");
                    let known: Vec<&str> = project.packs.keys().map(PackName::as_str).collect();
                    let help = format!("the packs in device-templates are: {}", known.join(", "));
                    (None, vec![Diagnostic::error(codes::NO_SUCH_PACK, message).help(help)])
                }
            }
        })
        .collect();
    let mut rendered = BTreeMap::new();
    for (text, mistakes) in results {
        findings.extend(mistakes);
        rendered.extend(text.map(|text| (text.device.clone(), text)));
    }
    findings.sort();
    findings.dedup();
    let compiled = Compiled { allocations, configs, external, rendered };
    ((!has_errors(&findings)).then_some(compiled), findings)
}

/// Finds whether the lock file is not what it would be after this compilation: an error that says what would change.
pub fn lock_findings(project: &Project, compiled: &Compiled) -> Vec<Diagnostic> {
    if compiled.allocations == project.locked {
        return Vec::new();
    }
    let changes = allocation_changes(&project.locked, &compiled.allocations);
    let mut shown: Vec<String> = changes.iter().take(MOST_CHANGES).map(ToString::to_string).collect();
    if changes.len() > MOST_CHANGES {
        shown.push(format!("and {} more", changes.len() - MOST_CHANGES));
    }
    let message = format!("the lock file would change: {}", shown.join("; "));
    vec![
        Diagnostic::error(codes::LOCK_OUT_OF_DATE, message)
            .at(SourceSpan::point(LOCK_FILE, 1, 1))
            .help("run `weft compile` without `--locked`, and commit the lock file with the intents"),
    ]
}

/// Writes the lock file of the project in `root` where it would change; tells whether it did.
///
/// # Errors
/// Fails when it cannot be written; the former file is then still whole.
pub fn write_lock(root: &Path, project: &Project, compiled: &Compiled) -> Result<bool, CompileError> {
    if compiled.allocations == project.locked {
        return Ok(false);
    }
    let path = root.join(LOCK_FILE);
    let beside = path.with_extension(format!("yaml.{}.new", std::process::id()));
    let written = fs::write(&beside, compiled.allocations.to_yaml()).and_then(|()| fs::rename(&beside, &path));
    if let Err(source) = written {
        // The error to report is this one; a leftover does no harm.
        let _ = fs::remove_file(&beside);
        return Err(CompileError::Write { path, source });
    }
    Ok(true)
}

/// An allocation that differs. It prints as `asns.b1-leaf-05 comes: 64705`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AllocationChange {
    /// What it is for, as it stands in the lock file: `asns.b1-leaf-05`.
    pub key: String,
    /// What it was; `None` where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What it is; `None` where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

impl std::fmt::Display for AllocationChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = &self.key;
        match (&self.old, &self.new) {
            (Some(was), Some(is)) => write!(f, "{key} becomes {is}, was {was}"),
            (None, Some(is)) => write!(f, "{key} comes: {is}"),
            (Some(was), None) => write!(f, "{key} goes: {was}"),
            (None, None) => f.write_str(key),
        }
    }
}

/// Returns the allocations that differ: those that come or change, then those that go, each in the order of their keys.
pub fn allocation_changes(old: &Allocations, new: &Allocations) -> Vec<AllocationChange> {
    let flat = |allocations: &Allocations| {
        let mut entries = BTreeMap::new();
        // Maps of texts and numbers: nothing in them can fail to serialise.
        flatten("", &serde_json::to_value(allocations).unwrap_or_default(), &mut entries);
        entries
    };
    let (old, new) = (flat(old), flat(new));
    let change =
        |key: &String| AllocationChange { key: key.clone(), old: old.get(key).cloned(), new: new.get(key).cloned() };
    let come = new.iter().filter(|(key, value)| old.get(*key) != Some(value)).map(|(key, _)| change(key));
    let go = old.keys().filter(|key| !new.contains_key(*key)).map(change);
    come.chain(go).collect()
}

fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&path, value, into);
            }
        }
        Value::String(text) => {
            into.insert(prefix.to_owned(), text.clone());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            into.insert(prefix.to_owned(), value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_the_lock_file_are_told_entry_by_entry() {
        let old: Allocations = Allocations {
            asns: [
                ("a".parse().unwrap(), 64_601.try_into().unwrap()),
                ("b".parse().unwrap(), 64_602.try_into().unwrap()),
            ]
            .into(),
            ..Allocations::default()
        };
        let new: Allocations = Allocations {
            asns: [
                ("a".parse().unwrap(), 64_603.try_into().unwrap()),
                ("c".parse().unwrap(), 64_602.try_into().unwrap()),
            ]
            .into(),
            ..Allocations::default()
        };
        assert_eq!(
            allocation_changes(&old, &new).iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["asns.a becomes 64603, was 64601", "asns.c comes: 64602", "asns.b goes: 64602"]
        );
    }
}
