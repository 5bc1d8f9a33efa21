//! The record of a run: what was done, when, and what came of it. It is `run.json` in the folder of the run.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_diagnostics::{Diagnostic, PathStep, Severity, SourceSpan};
use weft_model::NodeName;

use super::{RunId, Timestamp};

/// One run of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The version of this format, 1.
    pub version: u32,
    /// Its id.
    pub id: RunId,
    /// The version of Weft that ran it.
    pub weft: String,
    /// The name of the pipeline.
    pub pipeline: String,
    /// The commit whose intents it ran, in hexadecimal; `None` outside a git repository or before the first commit.
    pub commit: Option<String>,
    /// Whether the files that it read differ from those of the commit.
    pub dirty: bool,
    /// How far it is.
    pub state: RunState,
    /// The process that runs it, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When it was started.
    pub started: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Its stages in their order, also those that have not begun.
    pub stages: Vec<StageRecord>,
    /// The waves of its plan.
    #[serde(default)]
    pub waves: Vec<WaveRecord>,
    /// The devices by name, as soon as they are known.
    #[serde(default)]
    pub devices: BTreeMap<NodeName, DeviceRecord>,
    /// What was done about it after its process had gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptRecord>,
}

/// What became of a run after its process had gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttemptRecord {
    /// What was asked for.
    pub what: Recovery,
    /// The id of its transaction on devices that were changed once more.
    pub transaction: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` where its process has gone, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What came of it, in a line.
    #[serde(default)]
    pub summary: String,
    /// What was found on each device and done about it.
    #[serde(default)]
    pub devices: BTreeMap<NodeName, String>,
}

/// What a run that was cut off is brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// To its end.
    Resume,
    /// Back to what ran before.
    Abort,
}

impl Recovery {
    /// Returns the word for it, such as `resume`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Abort => "abort",
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It has not begun.
    Queued,
    /// It is at work.
    Running,
    /// All stages did what they should.
    Succeeded,
    /// A stage found mistakes, or could not do its work; what runs on the devices is as it was, or as the report says.
    Failed,
    /// A change did not work out, and the devices are back on their former configuration.
    RolledBack,
    /// A person stopped it.
    Cancelled,
    /// Its plan waits for the approval of people; nothing was changed.
    #[serde(rename = "waiting-for-approval")]
    Waiting,
    /// Its process has gone without ending it. Never written: the store says so of a run that is `running` on disk.
    Interrupted,
}

impl RunState {
    /// Returns the state as it is written, such as `rolled-back`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Cancelled => "cancelled",
            Self::Waiting => "waiting-for-approval",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The stages there are, in the order in which they make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StageName {
    /// Reads and checks the intents.
    Validate,
    /// Makes the configuration of every device, and its text.
    Compile,
    /// Checks the configurations against each other, and the intents against the predicted network.
    Check,
    /// Compares with what runs on the devices.
    Plan,
    /// Changes the devices.
    Push,
    /// Observes the network and compares it with the intents.
    Verify,
    /// Writes reports.
    Report,
}

impl StageName {
    /// All stages in their order.
    pub const ALL: [Self; 7] =
        [Self::Validate, Self::Compile, Self::Check, Self::Plan, Self::Push, Self::Verify, Self::Report];

    /// Returns the stage as it is written, such as `validate`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Compile => "compile",
            Self::Check => "check",
            Self::Plan => "plan",
            Self::Push => "push",
            Self::Verify => "verify",
            Self::Report => "report",
        }
    }
}

impl fmt::Display for StageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StageState {
    /// It has not begun.
    Queued,
    /// It is at work.
    Running,
    /// It did what it should.
    Succeeded,
    /// It found mistakes, or could not do its work.
    Failed,
    /// It did not begin, because an earlier stage failed or because there was nothing to do.
    Skipped,
    /// A person stopped it.
    Cancelled,
    /// It waits for the approval of people.
    Waiting,
}

impl StageState {
    /// Returns the state as it is written, such as `skipped`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Waiting => "waiting",
        }
    }
}

impl fmt::Display for StageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One stage of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageRecord {
    /// The stage.
    pub name: StageName,
    /// How far it is.
    pub state: StageState,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What came of it, in a line.
    #[serde(default)]
    pub summary: String,
    /// What it found.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Why it could not do its work, where the world and not the intents was at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl StageRecord {
    /// Returns the record of a stage that has not begun.
    pub fn queued(name: StageName) -> Self {
        Self {
            name,
            state: StageState::Queued,
            started: None,
            ended: None,
            summary: String::new(),
            findings: Vec::new(),
            error: None,
        }
    }
}

/// A finding as it is kept: a diagnostic without its explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The stable code, such as `WEFT-101`.
    pub code: String,
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// What is wrong, in a line.
    pub message: String,
    /// Where, if a text causes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Related places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<FindingLabel>,
    /// The path of a packet that shows it, hop by hop, where it is about one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<FindingStep>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Finding {
    /// Tells whether the finding is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error.as_str()
    }
}

impl From<&Diagnostic> for Finding {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            code: diagnostic.code.id().to_owned(),
            severity: diagnostic.severity.as_str().to_owned(),
            message: diagnostic.message.clone(),
            place: diagnostic.span.as_ref().map(Place::from),
            labels: diagnostic
                .labels
                .iter()
                .map(|label| FindingLabel { place: Place::from(&label.span), message: label.message.clone() })
                .collect(),
            path: diagnostic.path.iter().map(FindingStep::from).collect(),
            help: diagnostic.help.clone(),
        }
    }
}

/// A related place and what it has to do with the finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingLabel {
    /// Where.
    pub place: Place,
    /// What is there.
    pub message: String,
}

/// What a device does with the packet that shows a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingStep {
    /// The device.
    pub node: String,
    /// The interface through which the packet leaves, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The protocol of the route that decides, such as `bgp`, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The prefix of that route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The step in words, such as `leaf-01 -> swp1 (bgp 10.0.1.0/24)`.
    pub text: String,
}

impl From<&PathStep> for FindingStep {
    fn from(step: &PathStep) -> Self {
        let PathStep { node, interface, protocol, prefix } = step.clone();
        Self { node, interface, protocol, prefix, text: step.to_string() }
    }
}

/// A place in a file of the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The file, relative to the project.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, in characters from 1.
    pub column: u32,
}

impl From<&SourceSpan> for Place {
    fn from(span: &SourceSpan) -> Self {
        Self { file: span.file.to_string(), line: span.line, column: span.column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Devices that change at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaveRecord {
    /// Its name, such as `canary`.
    pub name: String,
    /// Its devices.
    #[schemars(with = "Vec<String>")]
    pub devices: Vec<NodeName>,
    /// Why these devices are in this wave.
    pub reason: String,
    /// Why it failed; its devices went back or were not changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What became of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceRecord {
    /// The pack that renders it and changes it.
    pub pack: String,
    /// What became of it.
    pub result: DeviceResult,
    /// The wave in which it has its turn, if it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// What happened, where the result alone does not say it: the step that failed, what the device answered.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// How long its change took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// What became of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceResult {
    /// Its configuration was made; nothing was compared with it.
    Compiled,
    /// It ran what is intended already.
    Unchanged,
    /// It is going to be changed.
    Planned,
    /// It was changed.
    Changed,
    /// Its change was made and undone: it runs its former configuration.
    RolledBack,
    /// It refused its change and runs its former configuration.
    Refused,
    /// It could not be reached.
    Unreachable,
    /// Its turn did not come.
    Skipped,
    /// It is not known what it runs.
    Failed,
}

impl DeviceResult {
    /// Returns the result as it is written, such as `rolled-back`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compiled => "compiled",
            Self::Unchanged => "unchanged",
            Self::Planned => "planned",
            Self::Changed => "changed",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for DeviceResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The topology that a run is about: the artifact `network.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRecord {
    /// The nodes in the order of their names.
    pub nodes: Vec<NodeRecord>,
    /// The links in the order of their ends.
    pub links: Vec<LinkRecord>,
}

/// A node of the topology.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeRecord {
    /// Its name.
    pub name: String,
    /// What it is for; `external` for a network behind a peering.
    pub role: String,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Whether Weft configures it.
    pub managed: bool,
}

/// A link of the topology.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkRecord {
    /// One end, `NODE:INTERFACE`.
    pub a: String,
    /// The other end, `NODE:INTERFACE`, or the name of a peering.
    pub b: String,
    /// Whether it carries packets.
    pub state: LinkState,
}

/// Whether a link carries packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Both ends say so.
    Up,
    /// An end says that it does not.
    Down,
    /// It was not observed.
    #[default]
    Unknown,
}

impl LinkState {
    /// Returns the state as it is written, such as `up`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}
