//! What a report says, whatever its format. Serialised, it is the JSON report.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_plan::{DeviceChange, Plan, Radius, Traffic};
use weft_push::PushReport;
use weft_verify::{Assessment, IntentResult};

use super::network::{self, DriftReport, FailureReport, RoutesReport, SessionsReport};
use crate::approval::Approvals;
use crate::run::{
    DeviceResult, LinkRecord, LinkState, NetworkRecord, NodeRecord, RunDirectory, RunId, RunRecord, RunState,
    StageRecord, StoreError, Timestamp, WaveRecord,
};

/// A report of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The version of this format, 1. It changes when a field goes or changes its meaning, not when one comes.
    pub version: u32,
    /// The run.
    pub run: RunReport,
    /// How many of what.
    pub totals: Totals,
    /// The stages in their order.
    pub stages: Vec<StageRecord>,
    /// The waves of the plan, in their order.
    pub waves: Vec<WaveRecord>,
    /// The devices in the order of their names.
    pub devices: Vec<DeviceReport>,
    /// The approvals that the plan needs and has; `None` where it needs none.
    #[serde(default)]
    pub approvals: Option<Approvals>,
    /// How far the plan reaches; `None` where none was planned.
    #[serde(default)]
    pub radius: Option<Radius>,
    /// The traffic that the plan moves; `None` where none was planned.
    #[serde(default)]
    pub traffic: Option<Traffic>,
    /// The intents that were verified, the worst first, then in the order of their names.
    pub intents: Vec<IntentReport>,
    /// The lines of configurations that were seen not to be as intended, by device, file and place.
    #[serde(default)]
    pub drift: Vec<DriftReport>,
    /// How far the observed sessions are the predicted ones; `None` where none were compared.
    #[serde(default)]
    pub sessions: Option<SessionsReport>,
    /// How far the observed routes are the predicted ones; `None` where none were compared.
    #[serde(default)]
    pub routes: Option<RoutesReport>,
    /// The devices that could not be observed, and why.
    #[serde(default)]
    pub unobserved: BTreeMap<String, String>,
    /// The nodes of the topology, devices and networks behind peerings.
    pub nodes: Vec<NodeRecord>,
    /// The links of the topology.
    pub links: Vec<LinkRecord>,
}

/// The run as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunReport {
    /// Its id.
    pub id: RunId,
    /// How it ended, or how far it is.
    pub state: RunState,
    /// The name of the pipeline.
    pub pipeline: String,
    /// The version of Weft.
    pub weft: String,
    /// The commit, in hexadecimal.
    pub commit: Option<String>,
    /// Whether the files that it read differ from those of the commit.
    pub dirty: bool,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
}

/// How many of what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Findings that are errors.
    pub errors: usize,
    /// Findings that are warnings.
    pub warnings: usize,
    /// Devices by result; a result that no device has is left out.
    #[schemars(with = "BTreeMap<String, usize>")]
    pub devices: BTreeMap<DeviceResult, usize>,
    /// Intents by standing; one that no intent has is left out.
    #[schemars(with = "BTreeMap<String, usize>")]
    pub intents: BTreeMap<Standing, usize>,
    /// Configuration lines that come, on all devices.
    pub lines_added: usize,
    /// Configuration lines that go, on all devices.
    pub lines_removed: usize,
}

/// What became of one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceReport {
    /// Its name.
    pub name: String,
    /// Its pack.
    pub pack: String,
    /// What became of it.
    pub result: DeviceResult,
    /// The wave in which it has its turn, if it changes.
    pub wave: Option<String>,
    /// What happened, where the result alone does not say it.
    pub detail: String,
    /// What went wrong on it while it was changed.
    #[serde(default)]
    pub failure: Option<FailureReport>,
    /// How long its change took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The worst of what was observed on it; `None` where nothing was observed.
    pub standing: Option<Standing>,
    /// Its files that change, by name.
    pub files: BTreeMap<String, FileReport>,
}

/// How one file of a device changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileReport {
    /// Lines that come.
    pub added: usize,
    /// Lines that go.
    pub removed: usize,
    /// The unified diff.
    pub diff: String,
}

/// Whether the network does what an intent says (compliance as in RFC 9315). They sort from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It does.
    Compliant,
    /// It does, with less redundancy than asked for.
    Degraded,
    /// It could not be observed.
    Unknown,
    /// It does not.
    Violated,
}

impl Standing {
    /// Returns the standing as it is written, such as `compliant`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compliant => "compliant",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::Violated => "violated",
        }
    }
}

impl From<weft_verify::Compliance> for Standing {
    fn from(compliance: weft_verify::Compliance) -> Self {
        match compliance {
            weft_verify::Compliance::Compliant => Self::Compliant,
            weft_verify::Compliance::Degraded => Self::Degraded,
            weft_verify::Compliance::Unknown => Self::Unknown,
            weft_verify::Compliance::Violated => Self::Violated,
        }
    }
}

/// What became of one intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntentReport {
    /// The intent, `kind/name`.
    pub intent: String,
    /// The file that holds it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// How it stands.
    pub standing: Standing,
    /// How many observations were made for it.
    pub observations: usize,
    /// In a line: what holds, or the worst that does not.
    pub summary: String,
    /// The observations that do not speak for it, the worst first.
    pub evidence: Vec<EvidenceReport>,
}

/// One observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceReport {
    /// What it alone makes of the intent.
    pub standing: Standing,
    /// The device that was observed, if it was one.
    pub device: Option<String>,
    /// What was looked at.
    pub subject: String,
    /// What should be.
    pub expected: String,
    /// What is.
    pub observed: String,
}

impl Report {
    /// Returns the report of the run in `directory`, from its record and its artifacts.
    ///
    /// # Errors
    /// Fails when an artifact is there and cannot be read.
    pub fn load(directory: &RunDirectory, record: &RunRecord) -> Result<Self, StoreError> {
        let network: NetworkRecord = directory.read_json("network.json")?.unwrap_or_default();
        let plan: Option<Plan> = directory.read_json("plan.json")?;
        let assessment: Option<Assessment> = directory.read_json("assessment.json")?;
        let push: Option<PushReport> = directory.read_json("push.json")?;
        let report = Self::new(record, &network, plan.as_ref(), push.as_ref(), assessment.as_ref());
        Ok(Self { approvals: Approvals::of_run(directory)?, ..report })
    }

    /// Returns the report of a run: its record, the topology, and the plan, the push and the assessment where the run came
    /// so far.
    pub fn new(
        record: &RunRecord,
        network: &NetworkRecord,
        plan: Option<&Plan>,
        push: Option<&PushReport>,
        assessment: Option<&Assessment>,
    ) -> Self {
        let results = assessment.map(|assessment| assessment.intents.as_slice()).unwrap_or_default();
        let mut intents: Vec<IntentReport> = results.iter().map(IntentReport::from).collect();
        intents.sort_by(|a, b| (b.standing, &a.intent).cmp(&(a.standing, &b.intent)));

        let mut standings: BTreeMap<&str, Standing> = BTreeMap::new();
        for evidence in intents.iter().flat_map(|intent| &intent.evidence) {
            if let Some(device) = &evidence.device {
                let worst = standings.entry(device).or_insert(evidence.standing);
                *worst = (*worst).max(evidence.standing);
            }
        }
        let unobserved: BTreeMap<String, String> = assessment
            .iter()
            .flat_map(|assessment| &assessment.unobserved)
            .map(|(device, reason)| (device.to_string(), network::own_words(device.as_str(), reason).to_owned()))
            .collect();
        // What was observed and of which nothing bad is known is well.
        let standing = |name: &str| {
            assessment?;
            let unknown = unobserved.contains_key(name).then_some(Standing::Unknown);
            Some(standings.get(name).copied().max(unknown).unwrap_or(Standing::Compliant))
        };
        let pushed = |name: &str| push.and_then(|push| push.devices.get(name));
        let files = |name: &str| match plan.and_then(|plan| plan.devices.get(name)).map(|device| &device.change) {
            Some(DeviceChange::Replace { files, .. }) => files
                .iter()
                .map(|(name, change)| {
                    let report = FileReport { added: change.added, removed: change.removed, diff: change.diff.clone() };
                    (name.clone(), report)
                })
                .collect(),
            Some(DeviceChange::None { .. } | DeviceChange::Unreachable { .. }) | None => BTreeMap::new(),
        };
        let devices: Vec<DeviceReport> = record
            .devices
            .iter()
            .map(|(name, device)| DeviceReport {
                name: name.to_string(),
                pack: device.pack.clone(),
                result: device.result,
                wave: device.wave.clone(),
                detail: device.detail.clone(),
                failure: pushed(name.as_str()).and_then(|pushed| network::failure(name.as_str(), pushed)),
                duration_ms: device.duration_ms,
                standing: standing(name.as_str()),
                files: files(name.as_str()),
            })
            .collect();

        let mut totals = Totals::default();
        for finding in record.stages.iter().flat_map(|stage| &stage.findings) {
            totals.errors += usize::from(finding.severity == "error");
            totals.warnings += usize::from(finding.severity == "warning");
        }
        for device in &devices {
            *totals.devices.entry(device.result).or_default() += 1;
            totals.lines_added += device.files.values().map(|file| file.added).sum::<usize>();
            totals.lines_removed += device.files.values().map(|file| file.removed).sum::<usize>();
        }
        for intent in &intents {
            *totals.intents.entry(intent.standing).or_default() += 1;
        }
        Self {
            version: 1,
            run: RunReport {
                id: record.id.clone(),
                state: record.state,
                pipeline: record.pipeline.clone(),
                weft: record.weft.clone(),
                commit: record.commit.clone(),
                dirty: record.dirty,
                started: record.started,
                ended: record.ended,
                duration_ms: record.ended.map(|ended| milliseconds(record.started, ended)),
            },
            totals,
            stages: record.stages.clone(),
            waves: record.waves.clone(),
            devices,
            approvals: None,
            radius: plan.and_then(|plan| plan.radius.clone()),
            traffic: plan.and_then(|plan| plan.traffic.clone()),
            intents,
            drift: assessment.map(network::drift).unwrap_or_default(),
            sessions: assessment.and_then(network::sessions),
            routes: assessment.and_then(network::routes),
            unobserved,
            nodes: network.nodes.clone(),
            links: network.links.clone(),
        }
    }

    /// Returns the devices that change or were to be changed, unreachable ones included.
    pub(super) fn touched(&self) -> impl Iterator<Item = &DeviceReport> {
        self.devices.iter().filter(|device| device.is_touched())
    }

    /// Returns the devices that change or were to be changed, those first on which something went wrong; those of one
    /// result and one reason stand together.
    pub(super) fn touched_worst_first(&self) -> Vec<&DeviceReport> {
        let mut devices: Vec<&DeviceReport> = self.touched().collect();
        devices.sort_by(|a, b| {
            let key = |device: &DeviceReport| (device.failure.is_none(), device.result);
            key(a).cmp(&key(b)).then_with(|| (&a.detail, &a.name).cmp(&(&b.detail, &b.name)))
        });
        devices
    }

    /// Returns the other devices.
    pub(super) fn untouched(&self) -> impl Iterator<Item = &DeviceReport> {
        self.devices.iter().filter(|device| !device.is_touched())
    }

    /// Returns the links that were seen to be down.
    pub(super) fn links_down(&self) -> impl Iterator<Item = &LinkRecord> {
        self.links.iter().filter(|link| link.state == LinkState::Down)
    }

    /// Says whether the detail of a device stands in a finding or with its wave already, which a reader has read by then.
    pub(super) fn is_told(&self, device: &DeviceReport) -> bool {
        let findings = self.stages.iter().flat_map(|stage| &stage.findings).map(|finding| finding.message.as_str());
        let waves = self.waves.iter().filter_map(|wave| wave.failure.as_deref());
        device.detail.is_empty() || findings.chain(waves).any(|text| text.contains(&device.detail))
    }

    /// Counts the devices: by what became of them, or by their standing where they were only observed.
    pub(super) fn device_counts(&self) -> Vec<String> {
        let mut counts: BTreeMap<(DeviceResult, Option<Standing>), usize> = BTreeMap::new();
        for device in &self.devices {
            let standing = device.standing.filter(|_| device.result == DeviceResult::Compiled);
            *counts.entry((device.result, standing)).or_default() += 1;
        }
        let words = |(result, standing): (DeviceResult, Option<Standing>)| match standing {
            Some(Standing::Compliant) => "as intended",
            Some(standing) => standing.as_str(),
            None => result.as_str(),
        };
        counts.into_iter().map(|(key, count)| format!("{count} {}", words(key))).collect()
    }

    /// Returns the commit for people: its first digits, with a mark where the files differ from it.
    pub(super) fn revision(&self) -> String {
        match (&self.run.commit, self.run.dirty) {
            (Some(commit), false) => commit.chars().take(10).collect(),
            (Some(commit), true) => format!("{} + changes", commit.chars().take(10).collect::<String>()),
            (None, _) => "no commit".to_owned(),
        }
    }
}

impl EvidenceReport {
    /// Returns the observation for people, such as `b1-leaf-01: session swp15: expected established, observed idle`.
    pub(super) fn words(&self) -> String {
        let device = self.device.as_deref().map(|device| format!("{device}: ")).unwrap_or_default();
        match self.standing {
            Standing::Unknown => format!("{device}{}: not observed: {}", self.subject, self.observed),
            _ => format!("{device}{}: expected {}, observed {}", self.subject, self.expected, self.observed),
        }
    }
}

impl DeviceReport {
    fn is_touched(&self) -> bool {
        !matches!(self.result, DeviceResult::Compiled | DeviceResult::Unchanged)
    }
}

/// Returns how long a stage took, in milliseconds; `None` while it has not ended.
pub(super) fn stage_milliseconds(stage: &StageRecord) -> Option<u64> {
    Some(milliseconds(stage.started?, stage.ended?))
}

fn milliseconds(started: Timestamp, ended: Timestamp) -> u64 {
    u64::try_from(ended.since(started).as_millis()).unwrap_or(u64::MAX)
}

impl From<&IntentResult> for IntentReport {
    fn from(result: &IntentResult) -> Self {
        Self {
            intent: result.intent.to_string(),
            file: result.source.file.to_string(),
            line: result.source.line,
            standing: result.compliance.into(),
            observations: result.observations,
            summary: result.summary.clone(),
            evidence: result
                .evidence
                .iter()
                .map(|evidence| EvidenceReport {
                    standing: evidence.compliance.into(),
                    device: evidence.device.as_ref().map(ToString::to_string),
                    subject: evidence.subject.clone(),
                    expected: evidence.expected.clone(),
                    observed: evidence.observed.clone(),
                })
                .collect(),
        }
    }
}
