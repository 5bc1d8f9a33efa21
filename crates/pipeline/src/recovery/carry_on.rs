//! Carries a run on whose process has gone, or puts its devices back.
//!
//! Either way the devices come to rest first: what waits for a confirmation goes back, no lock of the run is left, what is
//! confirmed stays. To carry on, the devices that are left get the same texts by the same plan and through the same gates,
//! under a new transaction. To go back, what is confirmed is undone, the last wave first: by the device where it still can, else
//! by a transaction with the texts of before.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use weft_model::NodeName;
use weft_plan::{DeviceChange, Plan};
use weft_push::{
    DeviceResult as Pushed, Ends, Goal, Journal, PushInputs, PushReport, RecoverInputs, Recovered, WaveOutcome,
    transaction_of,
};

use super::{
    cut_off::{Begun, CutOff, RecoveryError, Told, journal_of},
    kept::{changing, texts},
    made::{Made, give, put_in},
    rollback::known_secrets,
};
use crate::{
    definition::{Atomicity, PushStage, Stage},
    reach::{self, Reach},
    report::{counted, own_words},
    run::{AttemptRecord, DeviceResult, Recovery, RunRecord, RunState, StageName, StageRecord, StageState},
    runner::{Forward, Observer, Outcome, Run, RunEvent, RunOptions},
    stages::{self, PushRequest},
};

/// Most lines of a difference that are told of a device.
const MOST_LINES: usize = 12;

/// Carries a run on, or puts its devices back, and returns its record, which is also on disk.
///
/// # Errors
/// Fails when what the run kept cannot be read or makes something else by now; no device was changed then.
pub async fn carry_on(
    cut_off: CutOff,
    what: Recovery,
    options: &RunOptions,
    observer: &dyn Observer,
) -> Result<RunRecord, RecoveryError> {
    let CutOff { directory, mut record, begun, sources } = cut_off;
    let Some(Begun { handover, plan, told }) = begun else {
        if what == Recovery::Resume {
            return Err(RecoveryError::NotBegun(record.id));
        }
        close(&mut record);
        let now = (options.clock)();
        record.ended = Some(now);
        record.attempts.push(AttemptRecord {
            what,
            transaction: String::new(),
            started: now,
            ended: Some(now),
            summary: "nothing was changed".to_owned(),
            devices: BTreeMap::new(),
        });
        directory.save(&record)?;
        return Ok(record);
    };
    let id = record.id.clone();
    let moved = |what: String| RecoveryError::Moved { run: id.clone(), what };
    let inventory = options.inventory.as_deref().or(handover.inventory.as_deref());
    let made = Made::of(&options.root, &sources, inventory).map_err(|error| error.of_run(&id))?;
    let Made { project, mut compiled, inventory } = made;
    let kept = texts(&directory, "intended", &plan, &changing(&plan))?;
    let inventory = inventory.unwrap_or_else(|| reach::from_allocations(&compiled, &handover.user));
    let reach = Reach::new(&project, &compiled, inventory, options.secrets.clone());
    if handover.given {
        give(&mut compiled, kept, &project.packs, &reach.digests);
    } else if let Some(device) = put_in(&mut compiled, kept)
        && what == Recovery::Resume
    {
        return Err(moved(format!(
            "another text is made for {device} by now than the run was about to push: `weft abort {id}` puts its devices back"
        )));
    }
    if let Some((_, error)) = reach.missing.first_key_value() {
        return Err(moved(error.to_string()));
    }
    let other =
        |secret: &&weft_model::SecretRef| reach.digests.by_reference().get(*secret) != plan.secrets.get(*secret);
    if let Some(secret) = plan.secrets.keys().find(other) {
        return Err(moved(format!("the secret {secret} has another value than the run was about to push")));
    }
    let started = (options.clock)();
    (record.state, record.pid, record.ended) = (RunState::Running, Some(std::process::id()), None);
    record.attempts.push(AttemptRecord {
        what,
        transaction: transaction_of(&format!("{id}-r{}", record.attempts.len() + 2)),
        started,
        ended: None,
        summary: String::new(),
        devices: BTreeMap::new(),
    });
    directory.save(&record)?;
    observer.event(&RunEvent::RunBegins(&record));
    let mut run = Run {
        pipeline: &handover.pipeline,
        sources: &sources,
        options,
        observer,
        directory,
        record,
        findings: Vec::new(),
        project: Some(project),
        compiled: Some(compiled),
        predicted: None,
        reach: Some(reach),
        plan: Some(plan),
    };
    run.carry_on(what, &told).await?;
    Ok(run.record)
}

/// Ends the record of a run that had not begun to push.
fn close(record: &mut RunRecord) {
    for stage in &mut record.stages {
        match stage.state {
            StageState::Running => {
                (stage.state, stage.summary) = (StageState::Cancelled, "cut off; nothing was changed".to_owned());
            }
            StageState::Queued => {
                (stage.state, stage.summary) = (StageState::Skipped, "the run was aborted".to_owned());
            }
            _ => {}
        }
    }
    (record.state, record.pid) = (RunState::Cancelled, None);
}

impl Run<'_> {
    async fn carry_on(&mut self, what: Recovery, told: &Told) -> Result<(), RecoveryError> {
        let pipeline = self.pipeline;
        let parameters = pipeline.push();
        let position = pipeline.stages.iter().position(|stage| stage.name() == StageName::Push);
        let Some(index) = position.filter(|index| *index < self.record.stages.len()) else { return Ok(()) };
        for (stage, record) in pipeline.stages.iter().zip(&mut self.record.stages).skip(index) {
            *record = StageRecord::queued(stage.name());
        }
        let stage = &mut self.record.stages[index];
        (stage.state, stage.started) = (StageState::Running, Some((self.options.clock)()));
        self.directory.save(&self.record)?;
        self.observer.event(&RunEvent::StageBegins(StageName::Push));
        let all = self.plan.as_ref().map(changing).unwrap_or_default();
        let rest = self.recover(&parameters, told, Goal::Rest, &all).await?;
        let mut devices = Devices(rest);
        self.found(&devices);
        let outcome = match (what, &told.going_back) {
            (Recovery::Resume, None) => self.forward(&parameters, told, &mut devices).await?,
            (_, why) => {
                self.back(&parameters, told, &mut devices, &all).await?;
                self.note_back(told, &devices);
                self.went_back(why.as_deref())
            }
        };
        self.found(&devices);
        if let Some(attempt) = self.record.attempts.last_mut() {
            attempt.ended = Some((self.options.clock)());
            attempt.summary.clone_from(&outcome.summary);
        }
        self.end(index, outcome)?;
        for (index, stage) in pipeline.stages.iter().enumerate().skip(index + 1) {
            if what == Recovery::Abort && !matches!(stage, Stage::Report(_)) {
                let record = &mut self.record.stages[index];
                (record.state, record.summary) = (StageState::Skipped, "the run was aborted".to_owned());
                continue;
            }
            self.stage(index, stage).await?;
        }
        self.record.state = self.state();
        self.record.pid = None;
        self.record.ended.get_or_insert((self.options.clock)());
        self.directory.save(&self.record)?;
        self.observer.event(&RunEvent::RunEnds(&self.record));
        Ok(())
    }

    /// Writes down what was found and done so far, and says it the first time.
    fn found(&mut self, devices: &Devices) {
        let Some(attempt) = self.record.attempts.last_mut() else { return };
        let first = attempt.devices.is_empty();
        attempt.devices = devices.0.iter().map(|(name, device)| (name.clone(), device.did.clone())).collect();
        if first {
            self.observer.event(&RunEvent::Found(&attempt.devices));
        }
    }

    fn transaction(&self) -> String {
        self.record.attempts.last().map(|attempt| attempt.transaction.clone()).unwrap_or_default()
    }

    fn leases(&self) -> PathBuf {
        self.options.root.join(".weft").join("leases")
    }

    /// Brings devices to a goal.
    async fn recover(
        &self,
        parameters: &PushStage,
        told: &Told,
        goal: Goal,
        devices: &BTreeSet<NodeName>,
    ) -> Result<BTreeMap<NodeName, Recovered>, RecoveryError> {
        let (Some(plan), Some(compiled), Some(reach)) = (&self.plan, &self.compiled, &self.reach) else {
            return Ok(BTreeMap::new());
        };
        let journal = Journal::open(&journal_of(&self.directory))?;
        let transaction = self.transaction();
        // Those of attempts that were cut off themselves are in the journal, too; this one's own is there once it pushed.
        let mut attempts = vec![transaction_of(self.record.id.as_str())];
        for known in told.transactions.iter().chain([&transaction]) {
            if !attempts.contains(known) {
                attempts.push(known.clone());
            }
        }
        let mut confirmed = told.confirmed.clone();
        confirmed.extend(Told::by(&journal_of(&self.directory))?.confirmed);
        let push = PushInputs {
            plan,
            rendered: &compiled.rendered,
            inventory: &reach.inventory,
            packs: &reach.packs,
            secrets: &*reach.secrets,
            policy: &stages::policy(parameters, compiled, reach),
            run: &transaction,
            journal: &journal,
            leases: &self.leases(),
            cancel: self.options.cancel.clone(),
        };
        let inputs = RecoverInputs { push: &push, attempts: &attempts, confirmed: &confirmed, devices, goal };
        Ok(weft_push::recover(&inputs, &Forward(self.observer)).await)
    }

    /// Pushes to the devices that are left, unless what some device runs stands against it.
    async fn forward(
        &mut self,
        parameters: &PushStage,
        told: &Told,
        devices: &mut Devices,
    ) -> Result<Outcome, RecoveryError> {
        let obstacles = devices.obstacles();
        if !obstacles.is_empty() {
            self.note_rest(devices);
            let mut outcome = Outcome::error(obstacles.join("\n"));
            outcome.summary = format!("{}; say `weft resume {}` again", self.counts(), self.record.id);
            return Ok(outcome);
        }
        let (Some(plan), Some(compiled), Some(reach)) = (&self.plan, &self.compiled, &self.reach) else {
            return Ok(Outcome::error("nothing was compiled"));
        };
        let done = devices.that(|ends| *ends == Ends::Intended);
        let transaction = self.transaction();
        let request = PushRequest {
            plan: &remaining(plan, &done),
            compiled,
            reach,
            parameters,
            run: &transaction,
            journal: &journal_of(&self.directory),
            leases: &self.leases(),
            cancel: self.options.cancel.clone(),
        };
        let (mut report, findings) = match stages::push(request, &Forward(self.observer)).await {
            Ok(pushed) => pushed,
            Err(error) => return Ok(Outcome::error(error)),
        };
        for name in &done {
            if let Some(device) = report.devices.get_mut(name) {
                device.result = Pushed::Confirmed;
            }
        }
        self.directory.write_json("push.json", &report)?;
        for (device, pushed) in &report.devices {
            if let Some(record) = self.record.devices.get_mut(device).filter(|record| record.wave.is_some()) {
                stages::note(record, device, pushed, &report);
            }
        }
        stages::note_waves(&mut self.record.waves, &report);
        let together = together(plan, parameters, &report, &done);
        if !report.succeeded() && !report.cancelled && !together.is_empty() {
            self.back(parameters, told, devices, &together).await?;
            self.note_some(told, devices, &together);
        }
        let mut outcome = self.pushed(&report, findings, parameters)?;
        if !done.is_empty() {
            outcome.summary = format!("{}; {} confirmed before", outcome.summary, counted(done.len(), "device"));
        }
        Ok(outcome)
    }

    /// Puts confirmed devices back, the last wave first.
    async fn back(
        &self,
        parameters: &PushStage,
        told: &Told,
        devices: &mut Devices,
        which: &BTreeSet<NodeName>,
    ) -> Result<(), RecoveryError> {
        let Some(plan) = &self.plan else { return Ok(()) };
        for wave in plan.waves.iter().rev() {
            if *self.options.cancel.borrow() {
                break;
            }
            let runs_new = devices.that(|ends| *ends == Ends::Intended);
            let members: BTreeSet<NodeName> =
                wave.devices.iter().filter(|name| which.contains(*name) && runs_new.contains(*name)).cloned().collect();
            if members.is_empty() {
                continue;
            }
            devices.extend(self.recover(parameters, told, Goal::Before, &members).await?);
            let left: BTreeSet<NodeName> =
                devices.that(|ends| *ends == Ends::Intended).intersection(&members).cloned().collect();
            if !left.is_empty() {
                devices.extend(self.push_before(parameters, &left).await?);
            }
        }
        Ok(())
    }

    /// Gives devices, which can no longer undo it themselves, the texts that they ran before.
    async fn push_before(
        &self,
        parameters: &PushStage,
        devices: &BTreeSet<NodeName>,
    ) -> Result<BTreeMap<NodeName, Recovered>, RecoveryError> {
        let (Some(plan), Some(compiled), Some(reach)) = (&self.plan, &self.compiled, &self.reach) else {
            return Ok(BTreeMap::new());
        };
        let mut results = BTreeMap::new();
        let mut rendered = texts(&self.directory, "before", plan, devices)?;
        for device in devices {
            let known = match rendered.get_mut(device) {
                Some(texts) => known_secrets(texts, &reach.digests),
                None => Err("what it ran before was not kept".to_owned()),
            };
            if let Err(reason) = known {
                rendered.remove(device);
                results.insert(device.clone(), Recovered { did: "confirmed".into(), ends: Ends::Unknown { reason } });
            }
        }
        let journal = Journal::open(&journal_of(&self.directory))?;
        let mut policy = stages::policy(parameters, compiled, reach);
        // What goes back does so each for itself.
        policy.atomicity = weft_push::Atomicity::Device;
        let inputs = PushInputs {
            plan: &reversed(plan, rendered.keys().cloned().collect()),
            rendered: &rendered,
            inventory: &reach.inventory,
            packs: &reach.packs,
            secrets: &*reach.secrets,
            policy: &policy,
            run: &format!("{}b", self.transaction()),
            journal: &journal,
            leases: &self.leases(),
            cancel: self.options.cancel.clone(),
        };
        let gate = async |_: &WaveOutcome| Ok(());
        let report = weft_push::push(&inputs, gate, &Forward(self.observer)).await;
        for (device, pushed) in report.devices {
            let ends = match &pushed.result {
                Pushed::Confirmed => Ends::Before,
                other => Ends::Unknown { reason: format!("its former texts could not be put on it: {other}") },
            };
            results.insert(device, Recovered { did: "confirmed, former texts pushed".into(), ends });
        }
        Ok(results)
    }

    /// Writes down what devices run that were brought to rest and no further.
    fn note_rest(&mut self, devices: &Devices) {
        for (name, device) in &devices.0 {
            let Some(record) = self.record.devices.get_mut(name) else { continue };
            (record.result, record.detail) = match &device.ends {
                Ends::Before => (DeviceResult::Skipped, "not changed: other devices stand against it".to_owned()),
                Ends::Intended => (DeviceResult::Changed, String::new()),
                ends => (DeviceResult::Failed, own_words(name.as_str(), &words(ends)).to_owned()),
            };
        }
    }

    /// Writes down what became of all devices, which were to go back.
    fn note_back(&mut self, told: &Told, devices: &Devices) {
        let all = devices.0.keys().cloned().collect();
        self.note_some(told, devices, &all);
    }

    fn note_some(&mut self, told: &Told, devices: &Devices, which: &BTreeSet<NodeName>) {
        for (name, device) in devices.0.iter().filter(|(name, _)| which.contains(*name)) {
            let Some(record) = self.record.devices.get_mut(name) else { continue };
            (record.result, record.detail) = match &device.ends {
                Ends::Before if told.touched.contains(name) => (DeviceResult::RolledBack, "put back".to_owned()),
                Ends::Before => (DeviceResult::Skipped, "not changed".to_owned()),
                Ends::Intended => (DeviceResult::Changed, "its turn to go back did not come".to_owned()),
                ends => (DeviceResult::Failed, own_words(name.as_str(), &words(ends)).to_owned()),
            };
        }
    }

    fn counts(&self) -> String {
        let mut counts = BTreeMap::new();
        for device in self.record.devices.values().filter(|device| device.wave.is_some()) {
            *counts.entry(device.result).or_insert(0_usize) += 1;
        }
        counts.iter().map(|(result, count)| format!("{count} {result}")).collect::<Vec<_>>().join(", ")
    }

    /// Says what came of going back.
    fn went_back(&self, why: Option<&str>) -> Outcome {
        let results: BTreeSet<DeviceResult> = self.record.devices.values().map(|device| device.result).collect();
        let summary = self.counts();
        let failed = self.record.devices.iter().filter(|(_, device)| device.result == DeviceResult::Failed);
        let failed: Vec<String> = failed.map(|(name, device)| format!("{name}: {}", device.detail)).collect();
        let (state, error) = if !failed.is_empty() {
            (StageState::Failed, Some(failed.join("\n")))
        } else if results.contains(&DeviceResult::Changed) || !results.contains(&DeviceResult::RolledBack) {
            (StageState::Cancelled, None)
        } else {
            let why = match why {
                Some(why) => format!("it was going back, and went back to the end: {why}"),
                None => "it was aborted, and its devices were put back".to_owned(),
            };
            (StageState::Failed, Some(why))
        };
        Outcome { state, summary, findings: Vec::new(), error }
    }
}

/// What is known of the devices of a plan.
struct Devices(BTreeMap<NodeName, Recovered>);

impl Devices {
    fn that(&self, are: impl Fn(&Ends) -> bool) -> BTreeSet<NodeName> {
        self.0.iter().filter(|(_, device)| are(&device.ends)).map(|(name, _)| name.clone()).collect()
    }

    /// Takes what was found and done later.
    fn extend(&mut self, later: BTreeMap<NodeName, Recovered>) {
        self.0.extend(later);
    }

    /// Says of each device what stands against pushing.
    fn obstacles(&self) -> Vec<String> {
        let against = |ends: &Ends| matches!(ends, Ends::Other { .. } | Ends::Unknown { .. });
        let devices = self.0.iter().filter(|(_, device)| against(&device.ends));
        devices.map(|(name, device)| format!("{name}: {}", own_words(name.as_str(), &words(&device.ends)))).collect()
    }
}

fn words(ends: &Ends) -> String {
    match ends {
        Ends::Before => "runs what it ran before".to_owned(),
        Ends::Intended => "runs what it was to run".to_owned(),
        Ends::Other { difference } => {
            let mut words = "runs neither what it ran before nor what it was to run, and is left alone:".to_owned();
            for line in difference.iter().take(MOST_LINES) {
                words.push('\n');
                words.push_str(line);
            }
            words
        }
        Ends::Unknown { reason } => format!("it is not known what it runs: {reason}"),
    }
}

/// Returns the part of a plan that is left when some devices are done.
fn remaining(plan: &Plan, done: &BTreeSet<NodeName>) -> Plan {
    let mut left = plan.clone();
    for (name, device) in &mut left.devices {
        if let (true, DeviceChange::Replace { intended, .. }) = (done.contains(name), &device.change) {
            device.change = DeviceChange::None { running: intended.clone() };
        }
    }
    for wave in &mut left.waves {
        wave.devices.retain(|name| !done.contains(name));
    }
    left.waves.retain(|wave| !wave.devices.is_empty());
    left
}

/// Returns the way back of devices from a plan, in one wave.
fn reversed(plan: &Plan, devices: Vec<NodeName>) -> Plan {
    let mut back = plan.clone();
    back.devices.retain(|name, _| devices.contains(name));
    for device in back.devices.values_mut() {
        if let DeviceChange::Replace { running, intended, .. } = &mut device.change {
            std::mem::swap(running, intended);
        }
    }
    back.waves.truncate(1);
    if let Some(wave) = back.waves.first_mut() {
        (wave.name, wave.devices) = ("back".to_owned(), devices);
    }
    back
}

/// Returns the devices that were confirmed before and go back together with what failed now.
fn together(plan: &Plan, parameters: &PushStage, report: &PushReport, done: &BTreeSet<NodeName>) -> BTreeSet<NodeName> {
    match parameters.atomicity {
        Atomicity::Device => BTreeSet::new(),
        Atomicity::Run => done.clone(),
        Atomicity::Wave => {
            let failed = report.waves.iter().filter(|wave| wave.failure.is_some() && wave.seconds > 0.0);
            let failed: BTreeSet<&str> = failed.map(|wave| wave.name.as_str()).collect();
            let waves = plan.waves.iter().filter(|wave| failed.contains(wave.name.as_str()));
            waves.flat_map(|wave| &wave.devices).filter(|name| done.contains(*name)).cloned().collect()
        }
    }
}
