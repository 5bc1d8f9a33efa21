//! What differs between two versions of a project: intents, allocations, and the configuration of devices.
//!
//! A [`Difference`] is a value; [`Difference::text`] and [`Difference::markdown`] print it.

mod fields;
mod markdown;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use weft_intent::{SourceFile, document};
use weft_model::{IntentKind, IntentRef, NodeName, PackName, SecretDigests};
use weft_pack::Rendered;
use weft_plan::{FileChange, Traffic};
use weft_simulate::Failed;

pub use fields::{FieldChange, field_changes};

use crate::{
    report::counted,
    source::Sources,
    stages::{AllocationChange, Carried, Compiled, Project, allocation_changes, traffic},
};

/// One version of a project, compiled.
#[derive(Debug)]
pub struct Version {
    /// Its files.
    pub sources: Sources,
    /// What they say.
    pub project: Project,
    /// What that comes to.
    pub compiled: Compiled,
}

/// What a version is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// What the user called it; `None` for the working tree.
    pub revision: Option<String>,
    /// The commit, in hexadecimal; for the working tree the one that is checked out.
    pub commit: Option<String>,
    /// Whether its allocations are more, or others, than its lock file says.
    pub lock_out_of_date: bool,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.revision, &self.commit) {
            (None, _) => f.write_str("the working tree"),
            (Some(revision), Some(commit)) if !commit.starts_with(revision.as_str()) => {
                write!(f, "{revision} ({})", short(commit))
            }
            (Some(revision), _) => f.write_str(short(revision)),
        }
    }
}

/// Returns the beginning of a commit's hash, or all of another name.
fn short(revision: &str) -> &str {
    let is_hash = revision.len() == 40 && revision.bytes().all(|octet| octet.is_ascii_hexdigit());
    if is_hash { &revision[..10] } else { revision }
}

/// What became of an intent or a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Became {
    /// It is in the second version only.
    Added,
    /// It is in both, and differs.
    Changed,
    /// It is in the first version only.
    Removed,
}

impl Became {
    /// Returns `added`, `changed` or `removed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// An intent that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IntentChange {
    /// The intent, `kind/name`.
    pub intent: IntentRef,
    /// What became of it.
    pub became: Became,
    /// The file that holds it, in the second version where it is in it.
    pub file: String,
    /// The line in the file, from 1.
    pub line: u32,
    /// The values that differ; none for an intent that is in one version only.
    pub fields: Vec<FieldChange>,
}

/// A device that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceDifference {
    /// What became of it.
    pub became: Became,
    /// The pack that renders it, in the second version where it is in it.
    pub pack: PackName,
    /// Lines that come.
    pub added: usize,
    /// Lines that go.
    pub removed: usize,
    /// The files whose text differs, by name.
    pub files: BTreeMap<String, FileChange>,
}

/// What differs between two versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The first version.
    pub from: Side,
    /// The second version.
    pub to: Side,
    /// The intents that differ, by kind and name.
    pub intents: Vec<IntentChange>,
    /// The allocations that differ.
    pub allocations: Vec<AllocationChange>,
    /// The devices whose configuration differs.
    pub devices: BTreeMap<NodeName, DeviceDifference>,
    /// How many devices have the same configuration in both versions.
    pub untouched: usize,
    /// The traffic that changes, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
}

impl Difference {
    /// Returns what differs between two versions.
    pub fn between(from: (Side, &Version), to: (Side, &Version)) -> Self {
        let ((from, old), (to, new)) = (from, to);
        let allocations = allocation_changes(&old.compiled.allocations, &new.compiled.allocations);
        let (devices, untouched) = devices(old, new);
        let intents = intents(&old.sources.intents, &new.sources.intents);
        Self { from, to, intents, allocations, devices, untouched, traffic: None }
    }

    /// Returns the difference with the traffic that changes beside the rest.
    #[must_use]
    pub fn with_traffic(self, old: &Version, new: &Version) -> Self {
        let carried = |version: &Version| Carried::of(&version.project, &version.compiled, &Failed::default());
        let (traffic, _) = traffic(&carried(old), &carried(new), None);
        Self { traffic: Some(traffic), ..self }
    }

    /// Tells whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.intents.is_empty() && self.allocations.is_empty() && self.devices.is_empty()
    }

    /// Returns how many devices became so, and how many lines come and go on them.
    fn devices_that(&self, became: Became) -> (usize, usize, usize) {
        let devices = self.devices.values().filter(|device| device.became == became);
        devices.fold((0, 0, 0), |(count, added, removed), device| {
            (count + 1, added + device.added, removed + device.removed)
        })
    }

    /// Returns the counts of devices in words: `1 added, 2 changed (+36 -0 lines), 18 untouched`.
    fn device_counts(&self) -> String {
        let mut parts: Vec<String> = [Became::Added, Became::Changed, Became::Removed]
            .into_iter()
            .map(|became| (became, self.devices_that(became)))
            .filter(|(_, (count, ..))| *count > 0)
            .map(|(became, (count, added, removed))| format!("{count} {} (+{added} -{removed} lines)", became.as_str()))
            .collect();
        parts.push(format!("{} untouched", self.untouched));
        parts.join(", ")
    }

    /// Returns the counts of intents in words: `1 added, 2 changed`; `none differ` for none.
    fn intent_counts(&self) -> String {
        let parts: Vec<String> = [Became::Added, Became::Changed, Became::Removed]
            .into_iter()
            .map(|became| (became, self.intents.iter().filter(|intent| intent.became == became).count()))
            .filter(|(_, count)| *count > 0)
            .map(|(became, count)| format!("{count} {}", became.as_str()))
            .collect();
        if parts.is_empty() { "none differ".to_owned() } else { parts.join(", ") }
    }

    /// Returns the sides whose lock file does not hold all that was compared.
    fn out_of_date(&self) -> impl Iterator<Item = &Side> {
        [&self.from, &self.to].into_iter().filter(|side| side.lock_out_of_date)
    }
}

/// Returns `20 devices have the same configuration`.
fn counted_devices(count: usize) -> String {
    let have = if count == 1 { "has" } else { "have" };
    format!("{} {have} the same configuration", counted(count, "device"))
}

/// Compares the intents as they are written: comments, order and place make no difference.
fn intents(old: &[SourceFile], new: &[SourceFile]) -> Vec<IntentChange> {
    let (old, new) = (documents(old), documents(new));
    let names: BTreeSet<&IntentRef> = old.keys().chain(new.keys()).collect();
    let change = |intent: &IntentRef| {
        let (became, (file, line, _), fields) = match (old.get(intent), new.get(intent)) {
            (Some(was), Some(is)) => match field_changes(&was.2, &is.2) {
                fields if fields.is_empty() => return None,
                fields => (Became::Changed, is, fields),
            },
            (Some(was), None) => (Became::Removed, was, Vec::new()),
            (None, Some(is)) => (Became::Added, is, Vec::new()),
            (None, None) => return None,
        };
        Some(IntentChange { intent: intent.clone(), became, file: file.clone(), line: *line, fields })
    };
    names.into_iter().filter_map(change).collect()
}

/// Returns the intents of some files: where each stands, and all that is written of it.
fn documents(files: &[SourceFile]) -> BTreeMap<IntentRef, (String, u32, serde_json::Value)> {
    let documents = files.iter().flat_map(|file| document::parse(file).0);
    documents
        .filter_map(|(document, value)| {
            let text = |pointer: &str| value.pointer(pointer).and_then(serde_json::Value::as_str);
            let kind =
                text("/kind").and_then(|kind| IntentKind::ALL.into_iter().find(|known| known.title() == kind))?;
            let intent = IntentRef { kind, name: text("/metadata/name")?.parse().ok()? };
            Some((intent, (document.file.to_string(), document.start.line, value)))
        })
        .collect()
}

/// Compares the configuration of every device, without what makes no difference to its operating system.
fn devices(old: &Version, new: &Version) -> (BTreeMap<NodeName, DeviceDifference>, usize) {
    let names: BTreeSet<&NodeName> = old.compiled.rendered.keys().chain(new.compiled.rendered.keys()).collect();
    let mut differ = BTreeMap::new();
    let mut untouched = 0;
    for name in names {
        let (was, is) = (old.compiled.rendered.get(name), new.compiled.rendered.get(name));
        let files = files(was.map(|was| (&old.project, was)), is.map(|is| (&new.project, is)));
        let (became, pack) = match (was, is) {
            (Some(_), Some(is)) => (Became::Changed, &is.pack),
            (None, Some(is)) => (Became::Added, &is.pack),
            (Some(was), None) => (Became::Removed, &was.pack),
            (None, None) => continue,
        };
        if became == Became::Changed && files.is_empty() {
            untouched += 1;
            continue;
        }
        let lines = |of: fn(&FileChange) -> usize| files.values().map(of).sum();
        let difference = DeviceDifference {
            became,
            pack: pack.clone(),
            added: lines(|file| file.added),
            removed: lines(|file| file.removed),
            files,
        };
        differ.insert(name.clone(), difference);
    }
    (differ, untouched)
}

/// Compares the files of a device.
fn files(was: Option<(&Project, &Rendered)>, is: Option<(&Project, &Rendered)>) -> BTreeMap<String, FileChange> {
    let texts = |side: Option<(&Project, &Rendered)>| -> BTreeMap<String, String> {
        let Some((project, rendered)) = side else { return BTreeMap::new() };
        let normalised = |name: &str, text: &str| match project.packs.get(&rendered.pack) {
            Some(pack) => pack.normalise(name, text),
            None => text.to_owned(),
        };
        rendered.files.iter().map(|(name, file)| (name.clone(), normalised(name, &file.text))).collect()
    };
    let (was, is) = (texts(was), texts(is));
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let text = |of: &BTreeMap<String, String>, name: &str| of.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .filter_map(|name| {
            let (old, new) = (text(&was, name), text(&is, name));
            let change = weft_plan::compare_named(
                (&format!("a/{name}"), &old),
                (&format!("b/{name}"), &new),
                &SecretDigests::default(),
            )?;
            Some((name.clone(), change))
        })
        .collect()
}
