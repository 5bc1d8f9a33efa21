//! What became of every device.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use weft_model::{NodeName, Sources};
use weft_pack::Rendered;

/// A step of a device's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the crate's documentation and `weft_pack::manifest::Transaction` say what they are")]
pub enum StepName {
    Lease,
    Connect,
    Prepare,
    Lock,
    Compare,
    Backup,
    Upload,
    Check,
    Arm,
    Drain,
    Apply,
    Reconnect,
    Health,
    ReadBack,
    Gate,
    Confirm,
    Unlock,
    Rollback,
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Lease => "lease",
            Self::Connect => "connect",
            Self::Prepare => "prepare",
            Self::Lock => "lock",
            Self::Compare => "compare",
            Self::Backup => "backup",
            Self::Upload => "upload",
            Self::Check => "check",
            Self::Arm => "arm",
            Self::Drain => "drain",
            Self::Apply => "apply",
            Self::Reconnect => "reconnect",
            Self::Health => "health",
            Self::ReadBack => "read-back",
            Self::Gate => "gate",
            Self::Confirm => "confirm",
            Self::Unlock => "unlock",
            Self::Rollback => "rollback",
        })
    }
}

/// What became of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum DeviceResult {
    /// It already ran what is intended and was not touched.
    Unchanged,
    /// It runs the new configuration for good.
    Confirmed,
    /// It was put back, and reading back proved that it runs what it ran before.
    RolledBack {
        /// Where it went wrong.
        step: StepName,
        /// Why, in the device's words where it has any.
        reason: String,
    },
    /// It could not be told to go back, and did so by itself; reading back proved it.
    WentBackByItself {
        /// Where it went wrong.
        step: StepName,
        /// Why.
        reason: String,
    },
    /// It was not changed because something failed before.
    FailedBeforeChange {
        /// Where it went wrong.
        step: StepName,
        /// Why, in the device's words where it has any.
        reason: String,
    },
    /// It could not be reached before anything was changed there.
    Unreachable {
        /// Why.
        reason: String,
    },
    /// It was not changed because of something elsewhere.
    Skipped {
        /// What.
        reason: String,
    },
    /// Nobody knows what it runs: somebody must look.
    Unknown {
        /// Where it went wrong.
        step: StepName,
        /// What is known.
        reason: String,
    },
}

impl fmt::Display for DeviceResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged => f.write_str("unchanged"),
            Self::Confirmed => f.write_str("confirmed"),
            Self::RolledBack { step, reason } => write!(f, "rolled back after {step}: {reason}"),
            Self::WentBackByItself { step, reason } => write!(f, "went back by itself after {step}: {reason}"),
            Self::FailedBeforeChange { step, reason } => write!(f, "not changed, {step} failed: {reason}"),
            Self::Unreachable { reason } => write!(f, "unreachable: {reason}"),
            Self::Skipped { reason } => write!(f, "skipped: {reason}"),
            Self::Unknown { step, reason } => write!(f, "UNKNOWN after {step}: {reason}"),
        }
    }
}

/// How long a step took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepTime {
    /// The step.
    pub step: StepName,
    /// How long it took.
    pub seconds: f64,
}

/// A line of the rendered configuration that a device complained about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedLine {
    /// The file.
    pub file: String,
    /// The line's number, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
    /// The intents behind it.
    pub sources: Sources,
}

impl NamedLine {
    /// Finds the line that a device names as `line N` or `FILE:N`. Without a file name in the words, the only file of the
    /// configuration is meant.
    pub(crate) fn find(words: &str, rendered: &Rendered) -> Option<Self> {
        let lower = words.to_lowercase();
        let named = rendered.files.iter().find(|(name, _)| lower.contains(&name.to_lowercase()));
        let (name, file) = match named {
            Some(found) => found,
            None if rendered.files.len() == 1 => rendered.files.first_key_value()?,
            None => return None,
        };
        let after_file = format!("{}:", name.to_lowercase());
        let number = number_after(&lower, "line ").or_else(|| number_after(&lower, &after_file))?;
        let index = number.checked_sub(1)?;
        Some(Self {
            file: name.clone(),
            line: number,
            text: file.text.lines().nth(index)?.to_owned(),
            sources: file.lines.get(index).cloned().unwrap_or_default(),
        })
    }
}

fn number_after(text: &str, mark: &str) -> Option<usize> {
    text.match_indices(mark).find_map(|(at, _)| {
        let digits: String = text[at + mark.len()..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

/// What became of a device, and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// What became of it.
    pub result: DeviceResult,
    /// The line that the device complained about, if it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<NamedLine>,
    /// The steps in the order in which they were done.
    pub steps: Vec<StepTime>,
}

/// What became of a wave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaveReport {
    /// Its name.
    pub name: String,
    /// Why it went back or was not begun; `None` when it is confirmed.
    pub failure: Option<String>,
    /// How long it took, gate included.
    pub seconds: f64,
}

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushReport {
    /// The transaction's id on the devices.
    pub transaction: String,
    /// Every device of the plan.
    pub devices: BTreeMap<NodeName, DeviceReport>,
    /// The waves in their order.
    pub waves: Vec<WaveReport>,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// How long it took.
    pub seconds: f64,
}

impl PushReport {
    /// Says whether every device that was to change is confirmed; devices that the policy lets pass are no failure.
    pub fn succeeded(&self) -> bool {
        !self.cancelled
            && self.waves.iter().all(|wave| wave.failure.is_none())
            && self.devices.values().all(|device| match device.result {
                DeviceResult::Unchanged | DeviceResult::Confirmed | DeviceResult::Unreachable { .. } => true,
                DeviceResult::RolledBack { .. }
                | DeviceResult::WentBackByItself { .. }
                | DeviceResult::FailedBeforeChange { .. }
                | DeviceResult::Skipped { .. }
                | DeviceResult::Unknown { .. } => false,
            })
    }
}
