//! Pipeline definitions: `pipeline/*.yaml`, loaded and checked like any other input.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_intent::{Document, Metadata, SourceFile, document};

pub use allowed::{AllowedChange, TrafficEnd, nowhere, of_message};
pub use approval::{ApprovalStage, ApprovalWhen};

use crate::{codes, report::Format, run::StageName};

mod allowed;
mod approval;

/// A pipeline as the file holds it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Pipeline")]
pub struct PipelineDocument {
    /// The version of the language.
    #[schemars(extend("const" = "weft/v1"))]
    pub api_version: String,
    /// Always `Pipeline`.
    #[schemars(extend("const" = "Pipeline"))]
    pub kind: String,
    /// What the pipeline says of itself.
    pub metadata: Metadata,
    /// What it does.
    pub spec: PipelineSpec,
}

/// What a pipeline does.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineSpec {
    /// The stages in their order: each item is one stage with its parameters, such as `- check: {}`.
    #[schemars(length(min = 1))]
    pub stages: Vec<StageItem>,
}

/// One item of `stages`: exactly one of these.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StageItem {
    /// Reads and checks the intents.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub validate: Option<ValidateStage>,
    /// Makes the configuration of every device, and its text.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub compile: Option<CompileStage>,
    /// Checks the configurations against each other, and the intents against the predicted network.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckStage>,
    /// Compares with what runs on the devices.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanStage>,
    /// Changes the devices.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub push: Option<PushStage>,
    /// Observes the network and compares it with the intents.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub verify: Option<VerifyStage>,
    /// Writes reports.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportStage>,
}

/// A stage that is named without parameters has all its defaults.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Some(Option::<T>::deserialize(deserializer)?.unwrap_or_default()))
}

/// Parameters of `validate`. There are none yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValidateStage {}

/// Parameters of `compile`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompileStage {
    /// Whether it is an error when the lock file of the allocations would change. Default false: it is written.
    pub locked: bool,
}

/// Parameters of `check`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckStage {
    /// Whether a warning fails the stage. Default false.
    pub fail_on_warnings: bool,
    /// What is not to be told of the predicted data plane; that it is silenced is told.
    pub silence: Vec<Silenced>,
}

/// What holds without any intent, and can be silenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Silenced {
    /// Forwarding loops.
    Loops,
    /// Packets that are handed to a device without a route.
    Blackholes,
}

/// Parameters of `plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlanStage {
    /// How many devices are asked at the same time. Default 16.
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: u16,
    /// The revision that the devices run, for the traffic that moves. Default: the last run that changed the devices, or the
    /// commit before, whichever more devices run.
    pub base: Option<String>,
    /// The only traffic that may move; an empty list: none. Without it, any traffic may.
    pub allow_changes: Option<Vec<AllowedChange>>,
    /// Whether the message of the commit may allow further changes, in lines such as `Allow-change: segment/web -> internet:
    /// path, narrower`. Default false.
    pub changes_in_commit: bool,
    /// Where the list stands.
    #[serde(skip)]
    pub place: Option<SourceSpan>,
}

impl Default for PlanStage {
    fn default() -> Self {
        Self { concurrency: 16, base: None, allow_changes: None, changes_in_commit: false, place: None }
    }
}

/// Parameters of `push`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PushStage {
    /// Who is changed when.
    pub waves: Waves,
    /// How long a device waits for the confirmation before it goes back by itself, in seconds. Default 60.
    #[schemars(range(min = 5, max = 3600))]
    pub confirm_seconds: u16,
    /// How many devices of a wave are changed at the same time. Default 16.
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: u16,
    /// How long a wave may take until its sessions are established, in seconds. Default 30.
    #[schemars(range(min = 1, max = 3600))]
    pub converge_seconds: u16,
    /// Whether traffic is taken away from a device while it changes, where others can carry it. Default true. Devices with hosts
    /// keep theirs: there is no other way to those.
    pub drain: bool,
    /// What goes back when a device cannot be changed. Default `run`.
    pub atomicity: Atomicity,
    /// What a device means that cannot be reached beforehand. Default `fail`.
    pub unreachable: Unreachable,
    /// What must hold for the push to begin.
    pub gate: Gate,
    /// Who must approve the plan before it begins. Without it, nobody.
    pub approval: Option<ApprovalStage>,
}

impl Default for PushStage {
    fn default() -> Self {
        Self {
            waves: Waves::default(),
            confirm_seconds: 60,
            concurrency: 16,
            converge_seconds: 30,
            drain: true,
            atomicity: Atomicity::default(),
            unreachable: Unreachable::default(),
            gate: Gate::default(),
            approval: None,
        }
    }
}

/// Who is changed when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Waves {
    /// How many devices change first, alone; 0 for none. Default 1.
    #[schemars(range(max = 1000))]
    pub canary: u16,
    /// The most devices in each wave after that. Default 8.
    #[schemars(range(min = 1, max = 1000))]
    pub size: u16,
    /// How long each wave is watched once its sessions are established, in seconds: they must stay so before the devices are
    /// confirmed. Default 0.
    #[schemars(range(max = 3600))]
    pub soak_seconds: u16,
}

impl Default for Waves {
    fn default() -> Self {
        Self { canary: 1, size: 8, soak_seconds: 0 }
    }
}

impl From<&Waves> for weft_plan::WavePolicy {
    fn from(waves: &Waves) -> Self {
        Self { canary: waves.canary.into(), size: waves.size.into() }
    }
}

/// What goes back when a device cannot be changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Atomicity {
    /// That device alone.
    Device,
    /// All devices of its wave.
    Wave,
    /// All devices that the run has changed.
    #[default]
    Run,
}

/// What a device means that cannot be reached beforehand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unreachable {
    /// Nothing is changed.
    #[default]
    Fail,
    /// The others are changed; the report names it.
    Skip,
}

/// What must hold for the push to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// The most devices that may change. Without it, any number.
    #[schemars(range(min = 1))]
    pub max_devices: Option<u32>,
    /// Whether lines may go from a device. Default true.
    pub allow_removals: bool,
    /// Whether the files must be exactly those of a commit. Default false.
    pub require_clean_tree: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Self { max_devices: None, allow_removals: true, require_clean_tree: false }
    }
}

/// Parameters of `verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VerifyStage {
    /// How long the network may take until it is as intended, in seconds. Default 60.
    #[schemars(range(max = 3600))]
    pub converge_seconds: u16,
    /// How many devices are read at the same time. Default 16.
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: u16,
    /// The echo requests.
    pub probes: Probes,
    /// The first standing that fails the run. Default `degraded`: `unknown` and `violated` fail it too.
    pub fail_on: FailOn,
}

impl Default for VerifyStage {
    fn default() -> Self {
        Self { converge_seconds: 60, concurrency: 16, probes: Probes::default(), fail_on: FailOn::default() }
    }
}

/// The echo requests of `verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Probes {
    /// The most pairs of a source and a destination that are tried for one Reachability intent; 0 for no probes. Default 64.
    #[schemars(range(max = 10000))]
    pub pairs_limit: u16,
}

impl Default for Probes {
    fn default() -> Self {
        Self { pairs_limit: 64 }
    }
}

/// The first standing that fails a run; those that are worse do too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailOn {
    /// An intent holds with less redundancy than asked for.
    #[default]
    Degraded,
    /// An intent could not be observed.
    Unknown,
    /// An intent does not hold.
    Violated,
}

impl FailOn {
    /// Returns the worst standing that does not fail a run.
    pub const fn worst_accepted(self) -> weft_verify::Compliance {
        match self {
            Self::Degraded => weft_verify::Compliance::Compliant,
            Self::Unknown => weft_verify::Compliance::Degraded,
            Self::Violated => weft_verify::Compliance::Unknown,
        }
    }
}

/// Parameters of `report`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReportStage {
    /// The formats that are written. Default: all of them.
    pub formats: Option<BTreeSet<Format>>,
    /// A folder for copies, relative to the project; the reports of a run are in its own folder in any case.
    pub path: Option<String>,
}

/// One stage with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Reads and checks the intents.
    Validate(ValidateStage),
    /// Makes the configuration of every device, and its text.
    Compile(CompileStage),
    /// Checks the configurations against each other, and the intents against the predicted network.
    Check(CheckStage),
    /// Compares with what runs on the devices.
    Plan(PlanStage),
    /// Changes the devices.
    Push(PushStage),
    /// Observes the network and compares it with the intents.
    Verify(VerifyStage),
    /// Writes reports.
    Report(ReportStage),
}

impl Stage {
    /// Returns the name of the stage.
    pub const fn name(&self) -> StageName {
        match self {
            Self::Validate(_) => StageName::Validate,
            Self::Compile(_) => StageName::Compile,
            Self::Check(_) => StageName::Check,
            Self::Plan(_) => StageName::Plan,
            Self::Push(_) => StageName::Push,
            Self::Verify(_) => StageName::Verify,
            Self::Report(_) => StageName::Report,
        }
    }
}

/// A pipeline whose stages are in an order that makes sense.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The file that it was read from, relative to the project; none for one that Weft made.
    #[serde(default)]
    pub file: Option<String>,
    /// Its stages in their order.
    pub stages: Vec<Stage>,
}

impl Pipeline {
    /// The file of the pipeline that commands take when none is named.
    pub const DEFAULT_FILE: &str = "pipeline/default.yaml";

    /// Returns the words by which a command takes this pipeline; none where it takes it anyway.
    pub fn argument(&self) -> String {
        let file = self.file.as_ref().filter(|file| *file != Self::DEFAULT_FILE);
        file.map(|file| format!(" --pipeline {file}")).unwrap_or_default()
    }

    /// Returns the parameters of the pipeline's push, and the defaults where it has none.
    pub fn push(&self) -> PushStage {
        let push = self.stages.iter().find_map(|stage| match stage {
            Stage::Push(push) => Some(push.clone()),
            Stage::Validate(_)
            | Stage::Compile(_)
            | Stage::Check(_)
            | Stage::Plan(_)
            | Stage::Verify(_)
            | Stage::Report(_) => None,
        });
        push.unwrap_or_default()
    }
}

/// Reads a pipeline from its file. Returns `None` when a finding is an error.
pub fn load(file: &SourceFile) -> (Option<Pipeline>, Vec<Diagnostic>) {
    let (documents, mut findings) = document::parse(file);
    if !findings.is_empty() {
        return (None, findings);
    }
    let [(document, value)] = documents.as_slice() else {
        let at = documents
            .get(1)
            .map_or_else(|| SourceSpan::point(file.path.clone(), 1, 1), |(document, _)| document.start.clone());
        let message = format!("`{}` holds {} documents", file.path, documents.len());
        let finding = Diagnostic::error(codes::NOT_A_PIPELINE, message).at(at).help("write one pipeline to a file");
        return (None, vec![finding]);
    };
    let (typed, mistakes) = document::typed::<PipelineDocument>(document, value);
    findings.extend(mistakes);
    let Some(typed) = typed else { return (None, findings) };
    let stages = stages(document, typed.spec.stages, &mut findings);
    let Metadata { name, description, .. } = typed.metadata;
    let pipeline = Pipeline { name: name.to_string(), description, file: Some(file.path.to_string()), stages };
    findings.sort();
    (findings.is_empty().then_some(pipeline), findings)
}

/// Reads the pipeline `wanted` names: its path relative to the project, such as `pipeline/default.yaml`, or its file's name
/// without the ending, such as `default`.
pub fn find(files: &[SourceFile], wanted: &str) -> (Option<Pipeline>, Vec<Diagnostic>) {
    let matches = |path: &str| {
        path == wanted.strip_prefix("./").unwrap_or(wanted)
            || path.strip_prefix("pipeline/").and_then(|name| name.strip_suffix(".yaml")) == Some(wanted)
    };
    match files.iter().find(|file| matches(&file.path)) {
        Some(file) => load(file),
        None => {
            let known: Vec<&str> = files.iter().map(|file| &*file.path).collect();
            let help = match known.as_slice() {
                [] => "there are no files `pipeline/*.yaml`".to_owned(),
                known => format!("there are: {}", known.join(", ")),
            };
            let message = format!("there is no pipeline `{}`", wanted.escape_debug());
            (None, vec![Diagnostic::error(codes::NO_SUCH_PIPELINE, message).help(help)])
        }
    }
}

/// Returns the stages in their order, and finds what is wrong with it.
fn stages(document: &Document, items: Vec<StageItem>, findings: &mut Vec<Diagnostic>) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut seen: BTreeMap<StageName, String> = BTreeMap::new();
    for (index, item) in items.into_iter().enumerate() {
        let pointer = format!("/spec/stages/{index}");
        let mut given = item.stages();
        let (Some(mut stage), true) = (given.pop(), given.is_empty()) else {
            let names: Vec<&str> = StageName::ALL.iter().map(|name| name.as_str()).collect();
            findings.push(
                Diagnostic::error(codes::NOT_ONE_STAGE, "an item of `stages` is exactly one stage")
                    .at(document.span(&pointer))
                    .help(format!("begin an item of its own for each of {}", names.join(", "))),
            );
            continue;
        };
        let name = stage.name();
        let pointer = format!("{pointer}/{name}");
        let here = document.key_span(&pointer);
        if let Some(first) = seen.get(&name) {
            findings.push(
                Diagnostic::error(codes::STAGE_TWICE, format!("`{name}` is given twice"))
                    .at(here)
                    .label(document.key_span(first), "first given here"),
            );
            continue;
        }
        let missing: Vec<String> =
            needs(name).iter().filter(|need| !seen.contains_key(need)).map(|n| format!("`{n}`")).collect();
        if !missing.is_empty() {
            findings.push(
                Diagnostic::error(codes::STAGE_MISSING, format!("`{name}` needs {} before it", missing.join(" and ")))
                    .at(here.clone())
                    .help(format!("put {} before it", missing.join(" and "))),
            );
        }
        if let Some(report) = seen.get(&StageName::Report) {
            findings.push(
                Diagnostic::error(codes::STAGE_MISSING, format!("`{name}` stands behind `report`"))
                    .at(here)
                    .label(document.key_span(report), "the report is here")
                    .help("put `report` last: it tells of all the others"),
            );
        }
        if let Stage::Report(ReportStage { path: Some(path), .. }) = &stage
            && !is_inside(path)
        {
            findings.push(
                Diagnostic::error(codes::PATH_OUTSIDE, format!("`{}` leads out of the project", path.escape_debug()))
                    .at(document.span(&format!("{pointer}/path")))
                    .help("write a folder relative to the project, such as `reports`"),
            );
        }
        if let Stage::Plan(plan) = &mut stage
            && plan.allow_changes.is_some()
        {
            findings.extend(allowed::mistakes(document, &format!("{pointer}/allow_changes"), plan));
            plan.place = Some(document.key_span(&format!("{pointer}/allow_changes")));
        }
        if let Stage::Push(push) = &stage {
            findings.extend(approval::mistakes(document, &pointer, push));
        }
        seen.insert(name, pointer);
        stages.push(stage);
    }
    stages
}

impl StageItem {
    fn stages(self) -> Vec<Stage> {
        [
            self.validate.map(Stage::Validate),
            self.compile.map(Stage::Compile),
            self.check.map(Stage::Check),
            self.plan.map(Stage::Plan),
            self.push.map(Stage::Push),
            self.verify.map(Stage::Verify),
            self.report.map(Stage::Report),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Returns the stages that must stand before a stage.
fn needs(name: StageName) -> &'static [StageName] {
    match name {
        StageName::Validate | StageName::Report => &[],
        StageName::Compile => &[StageName::Validate],
        StageName::Check | StageName::Plan | StageName::Verify => &[StageName::Compile],
        StageName::Push => &[StageName::Check, StageName::Plan],
    }
}

/// Tells whether a path given by the user stays in the project.
fn is_inside(path: &str) -> bool {
    use std::path::{Component, Path};
    !path.is_empty()
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}
