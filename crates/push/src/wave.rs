//! The waves of a push, one after the other.

use std::{collections::BTreeMap, time::Instant};

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use weft_model::NodeName;
use weft_plan::Wave;

use crate::{
    Atomicity, DeviceReport, DeviceResult, JournalError, JournalLine, JournalTurn, Lease, Observer, PushEvent,
    PushInputs, PushReport, StepName, Turn, UnreachablePolicy, WaveOutcome, WaveReport,
    context::{Context, Failure},
    device::Device,
    journal,
};

/// Carries out a plan. `gate` looks at each wave after its devices run the new configuration and before they are confirmed;
/// its error puts the wave back. `observer` is told what happens.
///
/// Everything that goes wrong is in the report; the push returns when no device waits for anything any more.
pub async fn push(
    inputs: &PushInputs<'_>,
    gate: impl AsyncFn(&WaveOutcome) -> Result<(), String>,
    observer: &dyn Observer,
) -> PushReport {
    let began = Instant::now();
    let context = Context {
        inputs,
        observer,
        transaction: transaction_of(inputs.run),
        secrets: weft_ssh::digests(inputs.secrets).0,
        slots: Semaphore::new(inputs.policy.concurrency.max(1)),
    };
    let mut reports = BTreeMap::new();
    let mut devices = BTreeMap::new();
    for (name, planned) in &inputs.plan.devices {
        let result = match Device::of_plan(&context, name, planned) {
            Ok(device) => {
                devices.insert(name.clone(), device);
                continue;
            }
            Err(result) => result,
        };
        observer.event(&PushEvent::DeviceEnds { device: name.clone(), result: result.clone() });
        reports.insert(name.clone(), DeviceReport { result, line: None, steps: Vec::new() });
    }
    let mut failure = obstacle(&context, &mut devices, &reports);
    let mut waves = Vec::new();
    for (index, wave) in inputs.plan.waves.iter().enumerate() {
        let wave_began = Instant::now();
        if failure.is_none() && context.is_cancelled() {
            failure = Some("the push was cancelled".to_owned());
        }
        if failure.is_none() {
            failure = run_wave(&context, index, wave, &mut devices, &gate).await;
            waves.push(WaveReport {
                name: wave.name.clone(),
                failure: failure.clone(),
                seconds: wave_began.elapsed().as_secs_f64(),
            });
        } else {
            waves.push(WaveReport { name: wave.name.clone(), failure: Some("not begun".into()), seconds: 0.0 });
        }
    }
    let skipped = failure.unwrap_or_else(|| "its turn did not come".into());
    for (_, mut device) in devices {
        if device.result.is_none() {
            device.settle(DeviceResult::Skipped { reason: skipped.clone() });
        }
        let (name, report) = device.report();
        reports.insert(name, report);
    }
    PushReport {
        transaction: context.transaction.clone(),
        devices: reports,
        waves,
        cancelled: context.is_cancelled(),
        seconds: began.elapsed().as_secs_f64(),
    }
}

/// Returns the id by which devices know the transaction of a run: the run's, in characters that every device takes.
pub fn transaction_of(run: &str) -> String {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    run.to_ascii_lowercase().chars().map(|c| if allowed(c) { c } else { '-' }).collect()
}

/// Finds what keeps the push from beginning at all; else takes the leases of all devices.
fn obstacle(
    context: &Context<'_>,
    devices: &mut BTreeMap<NodeName, Device<'_>>,
    reports: &BTreeMap<NodeName, DeviceReport>,
) -> Option<String> {
    for (name, report) in reports {
        match (&report.result, context.inputs.policy.unreachable) {
            (DeviceResult::Unreachable { reason }, UnreachablePolicy::Fail) => {
                return Some(format!("{name} is unreachable: {reason}"));
            }
            (DeviceResult::FailedBeforeChange { reason, .. }, _) => return Some(format!("{name}: {reason}")),
            _ => {}
        }
    }
    let mut obstacle = None;
    // A secret that is missing is missed now, and not when the first devices run something new.
    for device in devices.values_mut() {
        let texts = device.rendered.files.values().map(|file| file.text.as_str());
        let references = weft_ssh::references(texts);
        let missing = references.iter().find_map(|reference| context.inputs.secrets.resolve(reference).err());
        if let Some(missing) = missing {
            device.settle(DeviceResult::FailedBeforeChange { step: StepName::Upload, reason: missing.to_string() });
            obstacle.get_or_insert(format!("{}: {missing}", device.name));
        }
    }
    if obstacle.is_some() {
        return obstacle;
    }
    for device in devices.values_mut() {
        match Lease::take(context.inputs.leases, &device.name, &context.transaction) {
            Ok(lease) => device.lease = Some(lease),
            Err(error) => {
                device.settle(DeviceResult::FailedBeforeChange { step: StepName::Lease, reason: error.to_string() });
                obstacle.get_or_insert(error.to_string());
            }
        }
    }
    obstacle
}

/// Does something with devices, as many at the same time as there are slots.
pub(crate) async fn each<'d, 'a: 'd, D: AsRef<Device<'a>> + 'd>(
    devices: impl Iterator<Item = &'d mut D>,
    work: impl AsyncFn(&mut D),
) {
    let work = &work;
    join_all(devices.map(|device| async move {
        let Device { context, name, target, .. } = device.as_ref();
        let context: &Context<'_> = context;
        let _bound = match &context.inputs.policy.pool {
            Some(pool) => Some(pool.place(name, target).await),
            None => None,
        };
        // The semaphore is never closed.
        let _slot = context.slots.acquire().await;
        work(device).await;
    }))
    .await;
}

/// Says what failed on the devices of a wave, in a line.
fn failed(devices: &[&mut Device<'_>]) -> Option<String> {
    let failed: Vec<String> = devices
        .iter()
        .filter_map(|device| {
            let failure = device.failure.as_ref()?;
            let reason = failure.reason.strip_prefix(&format!("{}: ", device.name)).unwrap_or(&failure.reason);
            Some(format!("{}: {} failed: {reason}", device.name, failure.step))
        })
        .collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

/// Carries out one wave. Returns why the push ends here, if it does.
async fn run_wave<'a>(
    context: &'a Context<'a>,
    index: usize,
    wave: &Wave,
    devices: &mut BTreeMap<NodeName, Device<'a>>,
    gate: &impl AsyncFn(&WaveOutcome) -> Result<(), String>,
) -> Option<String> {
    let policy = context.inputs.policy;
    if let Err(error) = turn(context, &wave.name, Turn::Begins, None).await {
        return Some(error.to_string());
    }
    context.observer.event(&PushEvent::WaveBegins { wave: wave.name.clone(), devices: wave.devices.clone() });
    let (mut members, mut others): (Vec<_>, Vec<_>) =
        devices.values_mut().partition(|device| wave.devices.contains(&device.name));

    // 1. Everything up to the check; nothing that counts is changed.
    each(members.iter_mut().map(|device| &mut **device), async |device| {
        device.failure = device.prepare().await.err();
    })
    .await;
    for device in &mut members {
        if policy.unreachable == UnreachablePolicy::Skip
            && let Some(failure) =
                device.failure.take_if(|failure| failure.unreachable && failure.step == StepName::Connect)
        {
            device.settle(DeviceResult::Unreachable { reason: failure.reason });
        }
    }
    let mut trouble = failed(&members);
    let go_on = trouble.is_none() || policy.atomicity == Atomicity::Device;

    // 2. The change itself.
    if go_on && !context.is_cancelled() {
        let ready = members.iter_mut().filter(|device| device.failure.is_none() && device.result.is_none());
        each(ready.map(|device| &mut **device), async |device| {
            device.failure = device.change().await.err();
        })
        .await;
        trouble = failed(&members);
    }
    if context.is_cancelled() {
        trouble = Some("the push was cancelled".into());
    }

    // 3. The gate.
    let is_running = |device: &Device<'_>| device.armed_at.is_some() && device.failure.is_none();
    let alone = policy.atomicity == Atomicity::Device && !context.is_cancelled();
    let mut whole_wave_back = trouble.is_some() && !alone;
    let mut unhealthy = None;
    if !whole_wave_back && members.iter().any(|device| is_running(device)) {
        let running: Vec<NodeName> =
            members.iter().filter(|device| is_running(device)).map(|device| device.name.clone()).collect();
        let earlier = others.iter().filter(|device| device.confirmed).map(|device| device.name.clone());
        let outcome = WaveOutcome {
            index,
            name: wave.name.clone(),
            changed: earlier.chain(running.iter().cloned()).collect(),
            waiting: others.iter().filter(|device| device.result.is_none()).map(|device| device.name.clone()).collect(),
            devices: running,
        };
        context.observer.event(&PushEvent::GateBegins { wave: wave.name.clone() });
        let mut cancel = context.inputs.cancel.clone();
        let verdict = tokio::select! {
            biased;
            () = cancelled(&mut cancel) => Err("the push was cancelled".to_owned()),
            verdict = gate(&outcome) => verdict,
        };
        context
            .observer
            .event(&PushEvent::GateEnds { wave: wave.name.clone(), failure: verdict.as_ref().err().cloned() });
        if let Err(reason) = verdict {
            unhealthy = Some(Failure::new(StepName::Gate, reason.clone()));
            trouble = Some(format!("the gate: {reason}"));
            whole_wave_back = true;
        }
    }

    // 4. Final, unless something is wrong.
    if !whole_wave_back && let Err(error) = turn(context, &wave.name, Turn::GoesOn, None).await {
        unhealthy = Some(Failure::new(StepName::Gate, error.to_string()));
        trouble = Some(error.to_string());
        whole_wave_back = true;
    }
    if !whole_wave_back {
        each(members.iter_mut().map(|device| &mut **device).filter(|device| is_running(device)), async |device| {
            match device.confirm().await {
                Ok(()) => {
                    device.unlock().await;
                    device.settle(DeviceResult::Confirmed);
                }
                Err(failure) => device.failure = Some(failure),
            }
        })
        .await;
        trouble = failed(&members);
        whole_wave_back = trouble.is_some() && !alone;
    }

    // 5. Back, together with what belongs together.
    if whole_wave_back {
        // What goes back does so also where it cannot be written down.
        let _ = turn(context, &wave.name, Turn::GoesBack, trouble.clone()).await;
    }
    let elsewhere =
        unhealthy.unwrap_or_else(|| Failure::new(StepName::Gate, trouble.clone().unwrap_or_else(|| "trouble".into())));
    if trouble.is_some() && policy.atomicity == Atomicity::Run && !context.is_cancelled() {
        let confirmed = others.iter_mut().map(|device| &mut **device).filter(|device| device.confirmed);
        let confirmed: Vec<&mut Device<'a>> = confirmed.collect();
        each(confirmed.into_iter().chain(members.iter_mut().map(|device| &mut **device)), async |device| {
            go_back(device, true, &elsewhere).await;
        })
        .await;
    } else {
        each(members.iter_mut().map(|device| &mut **device), async |device| {
            go_back(device, whole_wave_back, &elsewhere).await;
        })
        .await;
    }
    // With each device on its own, one that failed does not keep the others from their turn; an unhealthy network does.
    trouble.filter(|_| whole_wave_back || !alone)
}

/// Writes down what becomes of a wave.
async fn turn(context: &Context<'_>, wave: &str, turn: Turn, why: Option<String>) -> Result<(), JournalError> {
    let transaction = context.transaction.clone();
    let line = JournalTurn { at: journal::now(), transaction, wave: wave.to_owned(), turn, why };
    context.inputs.journal.append(&JournalLine::Wave(line)).await
}

/// Puts a device back when it, or what it belongs together with, went wrong.
async fn go_back(device: &mut Device<'_>, together: bool, elsewhere: &Failure) {
    let own = device.failure.clone();
    match (own, device.armed_at) {
        // It was not touched.
        (Some(failure), None) => {
            device.unlock().await;
            device.settle(DeviceResult::FailedBeforeChange { step: failure.step, reason: failure.reason });
        }
        (None, None) if device.result.is_none() => {
            device.unlock().await;
            device.settle(DeviceResult::Skipped { reason: elsewhere.reason.clone() });
        }
        (None, None) => {}
        // A device that was confirmed and is well stays so, unless it belongs together with what went wrong.
        (None, Some(_)) if !together => {}
        (Some(cause), Some(_)) => {
            let result = device.restore(&cause).await;
            device.settle(result);
        }
        (None, Some(_)) => {
            let result = device.restore(elsewhere).await;
            device.settle(result);
        }
    }
}

async fn cancelled(cancel: &mut tokio::sync::watch::Receiver<bool>) {
    if cancel.wait_for(|cancelled| *cancelled).await.is_err() {
        // Nobody is left who could cancel.
        std::future::pending::<()>().await;
    }
}
