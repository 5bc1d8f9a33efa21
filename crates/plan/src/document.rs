//! The plan as a file, and in a few words.

use std::{collections::BTreeMap, fmt::Write as _};

use weft_model::{NodeName, PackName, SecretDigest, SecretDigests, SecretRef};
use weft_pack::Pack;

use crate::{DeviceChange, Digest, Plan, PlannedDevice, Wave, configuration_digest};

/// The version of the format that this code reads and writes.
pub(crate) const VERSION: u32 = 1;

/// Why a text is not a plan that may be carried out.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is not JSON of that shape.
    #[error("not a plan: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of another version.
    #[error("the plan has version {0}; this Weft carries out version {VERSION}")]
    Version(u32),
    /// Somebody changed it.
    #[error("the plan was changed after it was made: its digest is {said}, its contents have {found}")]
    Digest {
        /// What the plan says.
        said: Digest,
        /// What its contents give.
        found: Digest,
    },
}

/// A device that no longer runs what the plan was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The device.
    pub device: NodeName,
    /// What is different now, in a line.
    pub what: String,
}

/// All of a plan but its digest and what is only predicted of it, in the order in which it is hashed.
#[derive(serde::Serialize)]
struct Contents<'a> {
    version: u32,
    weft: &'a str,
    commit: &'a Option<String>,
    devices: &'a BTreeMap<NodeName, PlannedDevice>,
    waves: &'a [Wave],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    secrets: &'a BTreeMap<SecretRef, SecretDigest>,
}

impl Plan {
    /// Returns the digest that belongs to the contents.
    pub(crate) fn contents_digest(&self) -> Result<Digest, serde_json::Error> {
        let Self { version, weft, commit, devices, waves, secrets, digest: _, traffic: _, radius: _ } = self;
        Ok(Digest::of(&serde_json::to_vec(&Contents { version: *version, weft, commit, devices, waves, secrets })?))
    }

    /// Returns the plan with the digest of what it holds now: for one that was put together of others.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        if let Ok(digest) = self.contents_digest() {
            self.digest = digest;
        }
        self
    }

    /// Returns the plan as JSON, indented, with a line break at the end.
    ///
    /// # Errors
    /// None for a plan that [`crate::plan`] made.
    pub fn to_json(&self) -> Result<String, PlanError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads a plan and checks that nobody changed it.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        /// The part that tells whether the rest can be understood.
        #[derive(serde::Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_str(text)?;
        if version != VERSION {
            return Err(PlanError::Version(version));
        }
        let plan: Self = serde_json::from_str(text)?;
        let found = plan.contents_digest()?;
        if found == plan.digest { Ok(plan) } else { Err(PlanError::Digest { said: plan.digest, found }) }
    }

    /// Says whether any device changes.
    pub fn has_changes(&self) -> bool {
        !self.waves.is_empty()
    }

    /// Returns the devices whose running configuration could not be read, with the reason.
    pub fn unreachable(&self) -> impl Iterator<Item = (&NodeName, &str)> {
        self.devices.iter().filter_map(|(name, device)| match &device.change {
            DeviceChange::Unreachable { reason } => Some((name, reason.as_str())),
            DeviceChange::None { .. } | DeviceChange::Replace { .. } => None,
        })
    }

    /// Returns what is going to happen in a few lines: the counts, then one line for each wave.
    pub fn summary(&self) -> String {
        let (mut same, mut changed, mut unreachable, mut added, mut removed) = (0, 0, 0, 0, 0);
        for device in self.devices.values() {
            match &device.change {
                DeviceChange::None { .. } => same += 1,
                DeviceChange::Unreachable { .. } => unreachable += 1,
                DeviceChange::Replace { files, .. } => {
                    changed += 1;
                    added += files.values().map(|file| file.added).sum::<usize>();
                    removed += files.values().map(|file| file.removed).sum::<usize>();
                }
            }
        }
        let mut text = match changed {
            0 if unreachable > 0 && same == 0 => "nothing could be compared".to_owned(),
            0 => "no change".to_owned(),
            1 => format!("1 device changes (+{added} -{removed} lines)"),
            _ => format!("{changed} devices change (+{added} -{removed} lines)"),
        };
        if same > 0 {
            let _ = write!(text, ", {same} already as intended");
        }
        if unreachable > 0 {
            let _ = write!(text, ", {unreachable} unreachable");
        }
        text.push('\n');
        for wave in &self.waves {
            let names: Vec<&str> = wave.devices.iter().map(NodeName::as_str).collect();
            let _ = writeln!(text, "{}: {} ({})", wave.name, names.join(", "), wave.reason);
        }
        text
    }

    /// Returns the devices that no longer run what the plan was made for. A device that `running` does not mention was not
    /// asked and is left out, and so is one that did not answer when the plan was made either.
    pub fn verify_unmoved(
        &self,
        running: &BTreeMap<NodeName, Result<BTreeMap<String, String>, String>>,
        packs: &BTreeMap<PackName, std::sync::Arc<Pack>>,
        secrets: &SecretDigests,
    ) -> Vec<Moved> {
        let mut moved = Vec::new();
        for (name, device) in &self.devices {
            let was = match &device.change {
                DeviceChange::None { running } | DeviceChange::Replace { running, .. } => running,
                DeviceChange::Unreachable { .. } => continue,
            };
            let what = match (running.get(name), packs.get(&device.pack)) {
                (None, _) => continue,
                (Some(Err(reason)), _) => format!("its running configuration can no longer be read: {reason}"),
                (Some(Ok(_)), None) => format!("its pack `{}` is gone", device.pack),
                (Some(Ok(files)), Some(pack)) => {
                    let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
                    if configuration_digest(pack, files, secrets) == *was {
                        continue;
                    }
                    "its running configuration changed after the plan was made".to_owned()
                }
            };
            moved.push(Moved { device: name.clone(), what });
        }
        moved
    }
}
