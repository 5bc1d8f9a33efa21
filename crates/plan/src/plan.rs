//! The plan itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use weft_model::{IntentRef, NodeName, PackName, SecretDigest, SecretRef};

use crate::{Radius, Traffic};

/// A SHA-256 digest in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub(crate) String);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What is going to be done to which device in which order. It holds no time and no path: the same inputs give the same
/// plan, byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this format, 1.
    pub version: u32,
    /// The version of Weft that made the plan.
    pub weft: String,
    /// The commit whose intents it carries out; `None` for a working tree.
    pub commit: Option<String>,
    /// The devices, also those that do not change.
    pub devices: BTreeMap<NodeName, PlannedDevice>,
    /// The devices that change, in the order of their turn.
    pub waves: Vec<Wave>,
    /// The keyed digests of the secrets in the intended configurations: with another value it is another plan. One that had no
    /// value is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<SecretRef, SecretDigest>,
    /// The digest of all the above.
    pub digest: Digest,
    /// The traffic that is predicted to move. Nothing is done by it, so it is no part of the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// How far it reaches. Nothing is done by it, so it is no part of the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub radius: Option<Radius>,
}

/// One device of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedDevice {
    /// The pack that renders it and changes it.
    pub pack: PackName,
    /// What becomes of it.
    pub change: DeviceChange,
}

/// What becomes of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum DeviceChange {
    /// It runs what is intended.
    None {
        /// The digest of its running configuration.
        running: Digest,
    },
    /// It gets a new configuration.
    Replace {
        /// The digest of the running configuration that the plan was made for.
        running: Digest,
        /// The digest of the intended configuration.
        intended: Digest,
        /// The files whose text differs, by name.
        files: BTreeMap<String, FileChange>,
    },
    /// Its running configuration could not be read.
    Unreachable {
        /// Why, in a line.
        reason: String,
    },
}

impl DeviceChange {
    /// Returns the digest of what the device runs, where that is known.
    pub fn running(&self) -> Option<&Digest> {
        match self {
            Self::None { running } | Self::Replace { running, .. } => Some(running),
            Self::Unreachable { .. } => None,
        }
    }

    /// Returns the digest of what the device is to run, where what it runs is known.
    pub fn intended(&self) -> Option<&Digest> {
        match self {
            // It runs what is intended.
            Self::None { running } => Some(running),
            Self::Replace { intended, .. } => Some(intended),
            Self::Unreachable { .. } => None,
        }
    }
}

/// The difference between the running and the intended text of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileChange {
    /// Lines that come.
    pub added: usize,
    /// Lines that go.
    pub removed: usize,
    /// The unified diff of the normalised texts, with each hunk's section in its header.
    pub diff: String,
    /// The secrets of which the device has another value than the intended one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<SecretRef>,
}

/// Devices that change at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Its name: `canary`, then `wave 1`, `wave 2` and so on.
    pub name: String,
    /// Its devices.
    pub devices: Vec<NodeName>,
    /// Why these devices are in this wave.
    pub reason: String,
    /// The intents that do not hold while its device is away, which goes alone then.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub breaks: BTreeSet<IntentRef>,
}

/// How waves are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WavePolicy {
    /// How many devices change first, alone; 0 for none.
    pub canary: usize,
    /// The most devices in one of the waves after that.
    pub size: usize,
}
