//! Push: the gate before it, and the change of the devices.

use std::{collections::BTreeSet, path::Path, time::Duration};

use tokio::sync::watch;
use weft_device::config::{DeviceConfig, InterfaceKind};
use weft_diagnostics::Diagnostic;
use weft_model::NodeName;
use weft_plan::{DeviceChange, Plan};
use weft_push::{
    DeviceResult as Pushed, Journal, JournalError, Observer, PushInputs, PushPolicy, PushReport, UnreachablePolicy,
    WaveOutcome,
};

use super::Compiled;
use crate::{
    codes,
    definition::{Atomicity, PushStage, Unreachable},
    reach::Reach,
    report::{by_reason, named as named_devices, own_failure, own_words},
    run::{DeviceRecord, DeviceResult, WaveRecord},
    source::Sources,
};

/// Most devices that a finding names.
const MOST_NAMED: usize = 5;

/// How often a wave is looked at while it is watched.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

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

/// Returns a finding for each reason for which running configurations could not be read, with the devices: an error where
/// that is to fail the run.
pub(crate) fn unreachable_findings(plan: &Plan, unreachable: Unreachable) -> Vec<Diagnostic> {
    let reasons = plan.unreachable().map(|(device, reason)| {
        let reason = own_words(device.as_str(), reason);
        (device.as_str(), without_address(reason))
    });
    by_reason(reasons)
        .into_iter()
        .map(|(reason, devices)| {
            let message = format!("{}: {reason}", devices.join(", "));
            match unreachable {
                Unreachable::Fail => Diagnostic::error(codes::UNREACHABLE, message),
                Unreachable::Skip => Diagnostic::warning(codes::UNREACHABLE, message),
            }
        })
        .collect()
}

/// Returns `reason` without the address of the device, so that many devices have one reason.
fn without_address(reason: &str) -> String {
    match reason.strip_prefix("connection refused by ").and_then(|rest| rest.split_once(": ")) {
        Some((_, why)) => format!("connection refused: {why}"),
        None => reason.to_owned(),
    }
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

/// Returns how a plan is carried out by the parameters of a stage.
pub(crate) fn policy(parameters: &PushStage, compiled: &Compiled, reach: &Reach) -> PushPolicy {
    let carrying = compiled.configs.iter().filter(|(_, config)| carries_for_others(config));
    PushPolicy {
        confirm_seconds: parameters.confirm_seconds.into(),
        concurrency: parameters.concurrency.into(),
        limits: reach.limits.clone(),
        pool: Some(reach.pool.clone()),
        atomicity: match parameters.atomicity {
            Atomicity::Device => weft_push::Atomicity::Device,
            Atomicity::Wave => weft_push::Atomicity::Wave,
            Atomicity::Run => weft_push::Atomicity::Run,
        },
        unreachable: match parameters.unreachable {
            Unreachable::Fail => UnreachablePolicy::Fail,
            Unreachable::Skip => UnreachablePolicy::Skip,
        },
        drain: match parameters.drain {
            true => carrying.map(|(name, _)| name.clone()).collect(),
            false => BTreeSet::new(),
        },
    }
}

/// Carries out a plan. Each wave is confirmed once all sessions between devices that run what is intended are established, and have
/// stayed so for as long as the pipeline wants them watched. Those that were down before anything was done, between devices that do
/// not change, are none of its business: they are returned as a finding.
///
/// # Errors
/// Fails when the journal cannot be opened; nothing was changed then. All else is in the report.
pub async fn push(
    request: PushRequest<'_>,
    observer: &dyn Observer,
) -> Result<(PushReport, Vec<Diagnostic>), PushError> {
    let PushRequest { plan, compiled, reach, parameters, .. } = &request;
    let policy = policy(parameters, compiled, reach);
    let journal = Journal::open(request.journal)?;
    let targets = reach.targets(compiled);
    let reading = reach.reading(parameters.concurrency.into());
    let limit = Duration::from_secs(parameters.converge_seconds.into());
    let soak = Duration::from_secs(parameters.waves.soak_seconds.into());
    let same = plan.devices.iter().filter(|(_, device)| matches!(device.change, DeviceChange::None { .. }));
    let same: BTreeSet<NodeName> = same.map(|(name, _)| name.clone()).collect();
    let before = weft_verify::sessions_down(&same, &compiled.configs, &targets, &reading).await;
    let gate = async |wave: &WaveOutcome| {
        let done = same.iter().chain(&wave.changed).cloned().collect();
        let settled = async |limit| {
            weft_verify::sessions_settled(&done, &before, &compiled.configs, &targets, &reading, limit).await
        };
        settled(limit).await.map_err(|unsettled| unsettled.to_string())?;
        // What is established must stay so.
        let watched = tokio::time::Instant::now() + soak;
        while tokio::time::Instant::now() < watched {
            tokio::time::sleep_until(watched.min(tokio::time::Instant::now() + WATCH_INTERVAL)).await;
            let down = |down: weft_verify::Unsettled| format!("went down while watched: {}", down.sessions.join("; "));
            settled(Duration::ZERO).await.map_err(down)?;
        }
        Ok(())
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
    let report = weft_push::push(&inputs, gate, observer).await;
    Ok((report, down_before(&before).into_iter().collect()))
}

/// Returns a finding about sessions that were down before the push.
fn down_before(sessions: &BTreeSet<String>) -> Option<Diagnostic> {
    let named: Vec<&str> = sessions.iter().take(MOST_NAMED).map(String::as_str).collect();
    let more = sessions.len() - named.len();
    let more = if more > 0 { format!("; {more} more") } else { String::new() };
    let message = format!("down before the push, and not waited for: {}{more}", named.join("; "));
    (!sessions.is_empty()).then(|| {
        Diagnostic::warning(codes::DOWN_BEFORE, message)
            .help("no device at their ends is changed; `weft verify --now` tells what is wrong with them")
    })
}

/// Tells whether a device carries traffic that can take other ways: not that of hosts of its own.
fn carries_for_others(config: &DeviceConfig) -> bool {
    config.interfaces.values().all(|interface| match interface.kind {
        InterfaceKind::Loopback | InterfaceKind::Link { .. } | InterfaceKind::External => true,
        InterfaceKind::Host => false,
    })
}

/// Says in a line why a push did not succeed, each reason once with its devices; `None` when it did.
pub(crate) fn why(report: &PushReport) -> Option<String> {
    let failed = failed_wave(report);
    let own = report.devices.iter().filter_map(|(name, device)| {
        let (step, reason) = own_failure(&device.result)?;
        Some((name.as_str(), format!("{step} failed: {}", own_words(name.as_str(), reason))))
    });
    let own: Vec<String> =
        by_reason(own).into_iter().map(|(reason, devices)| format!("{}: {reason}", named_devices(&devices))).collect();
    match failed {
        // What a gate says is of the wave as a whole.
        Some((wave, failure)) if own.is_empty() => Some(format!("{wave}: {failure}")),
        Some((wave, _)) => Some(format!("{wave}: {}", own.join("; "))),
        None if own.is_empty() => report.devices.values().find_map(|device| match &device.result {
            Pushed::Skipped { reason } => Some(reason.clone()),
            _ => None,
        }),
        None => Some(own.join("; ")),
    }
}

/// Returns the wave that failed and why; those after it were not begun.
fn failed_wave(report: &PushReport) -> Option<(&str, &str)> {
    // A wave that was not begun took no time.
    let failed = |wave: &&weft_push::WaveReport| wave.failure.is_some() && wave.seconds > 0.0;
    report.waves.iter().find(failed).and_then(|wave| Some((wave.name.as_str(), wave.failure.as_deref()?)))
}

/// Writes what became of the waves into their records.
pub(crate) fn note_waves(waves: &mut [WaveRecord], report: &PushReport) {
    let Some((failed, _)) = failed_wave(report) else { return };
    let reason = why(report).map(|why| own_words(failed, &why).to_owned());
    if let Some(wave) = waves.iter_mut().find(|wave| wave.name == failed) {
        wave.failure = reason;
    }
}

/// Writes what became of a device into its record. What is true of its whole wave stands with the wave only.
pub(crate) fn note(record: &mut DeviceRecord, name: &NodeName, device: &weft_push::DeviceReport, push: &PushReport) {
    let failed = failed_wave(push).map(|(wave, _)| wave);
    let its_wave = failed.is_some() && record.wave.as_deref() == failed;
    let with_others = match failed {
        _ if push.cancelled => "since the run was stopped".to_owned(),
        Some(_) if its_wave => "with its wave".to_owned(),
        Some(failed) => format!("since {failed} failed"),
        None => "with the others".to_owned(),
    };
    let failure = own_failure(&device.result)
        .map(|(step, reason)| format!("{step} failed: {}", own_words(name.as_str(), reason)));
    let (result, detail) = match &device.result {
        Pushed::Unchanged => (DeviceResult::Unchanged, String::new()),
        Pushed::Confirmed => (DeviceResult::Changed, String::new()),
        Pushed::RolledBack { .. } => {
            (DeviceResult::RolledBack, failure.unwrap_or_else(|| format!("went back {with_others}")))
        }
        Pushed::WentBackByItself { .. } => {
            let detail = match failure {
                Some(failure) => format!("{failure}; it went back by itself"),
                None => format!("went back by itself {with_others}"),
            };
            (DeviceResult::RolledBack, detail)
        }
        Pushed::FailedBeforeChange { .. } => (DeviceResult::Refused, failure.unwrap_or_default()),
        Pushed::Unreachable { reason } => (DeviceResult::Unreachable, own_words(name.as_str(), reason).to_owned()),
        Pushed::Skipped { .. } if its_wave => (DeviceResult::Skipped, "not changed since its wave failed".to_owned()),
        Pushed::Skipped { .. } => (DeviceResult::Skipped, format!("not changed {with_others}")),
        Pushed::Unknown { .. } => (DeviceResult::Failed, failure.unwrap_or_default()),
    };
    (record.result, record.detail) = (result, detail);
    let seconds: f64 = device.steps.iter().map(|step| step.seconds).sum();
    if !device.steps.is_empty() {
        record.duration_ms = u64::try_from(Duration::from_secs_f64(seconds.max(0.0)).as_millis()).ok();
    }
}
