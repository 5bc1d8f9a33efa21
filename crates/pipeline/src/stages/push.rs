//! Push: the gate before it, and the change of the devices.

use std::{path::Path, time::Duration};

use tokio::sync::watch;
use weft_diagnostics::Diagnostic;
use weft_model::NodeName;
use weft_plan::{DeviceChange, Plan};
use weft_push::{Journal, JournalError, Observer, PushInputs, PushPolicy, PushReport, UnreachablePolicy, WaveOutcome};

use super::Compiled;
use crate::{
    codes,
    definition::{Atomicity, PushStage, Unreachable},
    reach::Reach,
    run::{DeviceRecord, DeviceResult},
    source::Sources,
};

/// Most devices that a finding names.
const MOST_NAMED: usize = 5;

/// Why a push cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What a push is made of.
pub struct PushRequest<'a> {
    /// What is to be done.
    pub plan: &'a Plan,
    /// The configurations that the plan was made from.
    pub compiled: &'a Compiled,
    /// How the devices are reached.
    pub reach: &'a Reach,
    /// How it is done.
    pub parameters: &'a PushStage,
    /// The id of the run.
    pub run: &'a str,
    /// The file of the journal.
    pub journal: &'a Path,
    /// The folder of the leases, the same for all runs of the project.
    pub leases: &'a Path,
    /// Becomes `true` when the push is to end: what is not confirmed goes back.
    pub cancel: watch::Receiver<bool>,
}

/// Finds which gates of the push are closed for a plan.
pub fn gate_findings(plan: &Plan, sources: &Sources, parameters: &PushStage) -> Vec<Diagnostic> {
    let gate = &parameters.gate;
    let mut findings = Vec::new();
    let changing = plan.devices.values().filter(|device| matches!(device.change, DeviceChange::Replace { .. })).count();
    if let Some(most) = gate.max_devices
        && changing > usize::try_from(most).unwrap_or(usize::MAX)
    {
        let message = format!("{changing} devices would change, and `max_devices` is {most}");
        findings.push(Diagnostic::error(codes::GATE_CLOSED, message));
    }
    let removing: Vec<&NodeName> = plan
        .devices
        .iter()
        .filter(|(_, device)| match &device.change {
            DeviceChange::Replace { files, .. } => files.values().any(|file| file.removed > 0),
            DeviceChange::None { .. } | DeviceChange::Unreachable { .. } => false,
        })
        .map(|(name, _)| name)
        .collect();
    if !gate.allow_removals && !removing.is_empty() {
        let message = format!("lines would go from {}, and `allow_removals` is false", named(&removing));
        findings.push(Diagnostic::error(codes::GATE_CLOSED, message));
    }
    if gate.require_clean_tree && sources.exact_commit().is_none() {
        let message = match &sources.commit {
            Some(commit) => {
                format!("the files differ from those of commit {}, and `require_clean_tree` is true", short(commit))
            }
            None => "the files are of no commit, and `require_clean_tree` is true".to_owned(),
        };
        findings.push(Diagnostic::error(codes::GATE_CLOSED, message).help("commit the files, or run with `--commit`"));
    }
    findings
}

/// Returns a finding for each device whose running configuration could not be read: an error where that is to fail the run.
pub(crate) fn unreachable_findings(plan: &Plan, unreachable: Unreachable) -> Vec<Diagnostic> {
    let finding = |message: String| match unreachable {
        Unreachable::Fail => Diagnostic::error(codes::UNREACHABLE, message),
        Unreachable::Skip => Diagnostic::warning(codes::UNREACHABLE, message),
    };
    plan.unreachable().map(|(device, reason)| finding(format!("{device}: {reason}"))).collect()
}

fn named(devices: &[&NodeName]) -> String {
    let mut names: Vec<String> = devices.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    if devices.len() > MOST_NAMED {
        names.push(format!("{} more", devices.len() - MOST_NAMED));
    }
    names.join(", ")
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// Carries out a plan. Each wave is confirmed once all sessions between devices that run what is intended are established.
///
/// # Errors
/// Fails when the journal cannot be opened; nothing was changed then. All else is in the report.
pub async fn push(request: PushRequest<'_>, observer: &dyn Observer) -> Result<PushReport, PushError> {
    let PushRequest { plan, compiled, reach, parameters, .. } = &request;
    let policy = PushPolicy {
        confirm_seconds: parameters.confirm_seconds.into(),
        concurrency: parameters.concurrency.into(),
        limits: reach.limits.clone(),
        atomicity: match parameters.atomicity {
            Atomicity::Device => weft_push::Atomicity::Device,
            Atomicity::Wave => weft_push::Atomicity::Wave,
            Atomicity::Run => weft_push::Atomicity::Run,
        },
        unreachable: match parameters.unreachable {
            Unreachable::Fail => UnreachablePolicy::Fail,
            Unreachable::Skip => UnreachablePolicy::Skip,
        },
    };
    let journal = Journal::open(request.journal)?;
    let targets = reach.targets(compiled);
    let reading = reach.reading(parameters.concurrency.into());
    let limit = Duration::from_secs(parameters.converge_seconds.into());
    let same = plan.devices.iter().filter(|(_, device)| matches!(device.change, DeviceChange::None { .. }));
    let same: Vec<NodeName> = same.map(|(name, _)| name.clone()).collect();
    let gate = async |wave: &WaveOutcome| {
        let done = same.iter().chain(&wave.changed).cloned().collect();
        let settled = weft_verify::sessions_settled(&done, &compiled.configs, &targets, &reading, limit).await;
        settled.map_err(|unsettled| unsettled.to_string())
    };
    let inputs = PushInputs {
        plan,
        rendered: &compiled.rendered,
        inventory: &reach.inventory,
        packs: &reach.packs,
        secrets: &*reach.secrets,
        policy: &policy,
        run: request.run,
        journal: &journal,
        leases: request.leases,
        cancel: request.cancel.clone(),
    };
    Ok(weft_push::push(&inputs, gate, observer).await)
}

/// Writes what became of a device into its record.
pub(crate) fn note(record: &mut DeviceRecord, report: &weft_push::DeviceReport) {
    use weft_push::DeviceResult as Pushed;
    let (result, detail) = match &report.result {
        Pushed::Unchanged => (DeviceResult::Unchanged, String::new()),
        Pushed::Confirmed => (DeviceResult::Changed, String::new()),
        Pushed::RolledBack { step, reason } => (DeviceResult::RolledBack, format!("{step}: {reason}")),
        Pushed::WentBackByItself { step, reason } => {
            (DeviceResult::RolledBack, format!("went back by itself after {step}: {reason}"))
        }
        Pushed::FailedBeforeChange { step, reason } => (DeviceResult::Refused, format!("{step}: {reason}")),
        Pushed::Unreachable { reason } => (DeviceResult::Unreachable, reason.clone()),
        Pushed::Skipped { reason } => (DeviceResult::Skipped, reason.clone()),
        Pushed::Unknown { step, reason } => (DeviceResult::Failed, format!("{step}: {reason}")),
    };
    record.result = result;
    record.detail = detail;
    if let Some(line) = &report.line {
        let causes: Vec<String> = line.sources.iter().map(ToString::to_string).collect();
        record.detail.push_str(&format!("; {} line {}: `{}`", line.file, line.line, line.text.trim()));
        if !causes.is_empty() {
            record.detail.push_str(&format!(", caused by {}", causes.join(", ")));
        }
    }
    let seconds: f64 = report.steps.iter().map(|step| step.seconds).sum();
    if !report.steps.is_empty() {
        record.duration_ms = u64::try_from(Duration::from_secs_f64(seconds.max(0.0)).as_millis()).ok();
    }
}
