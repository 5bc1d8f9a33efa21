//! Puts the devices of a run back to what they ran before it, as a new run with a plan of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use weft_diagnostics::{Diagnostic, has_errors};
use weft_model::{NodeName, SecretDigests};
use weft_pack::Rendered;
use weft_plan::{DeviceChange, Digest, Plan, PlannedDevice, compare_texts, configuration_digest, is_bare};
use weft_ssh::Inventory;

use super::{
    cut_off::{RecoveryError, journal_of},
    kept::{Handover, hand_over, keep_running, texts},
    made::{Made, give},
};
use crate::{
    codes,
    definition::{Pipeline, PlanStage, PushStage, Stage},
    reach::{self, Reach},
    run::{
        DeviceRecord, DeviceResult, RunId, RunRecord, RunState, RunStore, StageName, StageRecord, StageState,
        StoreError, Timestamp, WaveRecord,
    },
    runner::{Forward, Observer, Outcome, Run, RunEvent, RunOptions},
    source::Sources,
    stages::{self, Compiled, Project, PushRequest, Running},
};

/// The name under which the runs are listed.
const NAME: &str = "rollback";
/// Most earlier runs in which the network of before is looked for.
const MOST_RUNS: usize = 5;
/// Most lines that are told of a device that runs something else.
const MOST_LINES: usize = 12;

/// The run whose devices go back.
pub struct Undone {
    id: RunId,
    commit: Option<String>,
    plan: Plan,
    /// What its devices ran before.
    before: BTreeMap<NodeName, Rendered>,
    started: Timestamp,
    /// The files of the network to which they go back where an earlier run kept them, else those of the run.
    sources: Sources,
    handover: Handover,
}

/// The way back, as it is shown before anything is done.
pub struct Rollback {
    /// What will be done.
    pub plan: Plan,
    /// What stands against it, and what must be known of it.
    pub findings: Vec<Diagnostic>,
    undone: Undone,
    project: Project,
    compiled: Compiled,
    reach: Reach,
    running: Running,
    pipeline: Pipeline,
}

impl Undone {
    /// Returns the file of the pipeline by which the run was carried out.
    pub fn pipeline(&self) -> &Path {
        Path::new(self.handover.pipeline.file.as_deref().unwrap_or(Pipeline::DEFAULT_FILE))
    }

    /// Reads what the run that `which` names left behind.
    ///
    /// # Errors
    /// Fails when the run has not ended, changed nothing, or kept too little.
    pub fn read(root: &Path, which: &str) -> Result<Self, RecoveryError> {
        let store = RunStore::of_project(root);
        let (directory, record) = store.load(which)?;
        if matches!(record.state, RunState::Running | RunState::Queued) {
            return Err(StoreError::AtWork { id: record.id, pid: record.pid }.into());
        }
        if record.state == RunState::Interrupted {
            return Err(RecoveryError::CutOff(record.id, record.state));
        }
        let changed: BTreeSet<NodeName> = record
            .devices
            .iter()
            .filter(|(_, device)| device.result == DeviceResult::Changed && device.wave.is_some())
            .map(|(name, _)| name.clone())
            .collect();
        if changed.is_empty() {
            return Err(RecoveryError::NothingChanged(record.id));
        }
        let (Some(handover), Some(plan)) = (Handover::of(&directory)?, directory.read("plan.json")?) else {
            return Err(RecoveryError::NothingKept(record.id));
        };
        let failed = |source| RecoveryError::Plan { run: record.id.clone(), source };
        let mut plan = Plan::from_json(&plan).map_err(failed)?;
        // What it did not change does not go back, and is expected to run what it ran.
        let stays = |name: &NodeName, device: &PlannedDevice| {
            changed.contains(name) || matches!(device.change, DeviceChange::None { .. })
        };
        plan.devices.retain(|name, device| stays(name, device));
        let before = texts(&directory, "before", &plan, &changed)?;
        if before.len() < changed.len() {
            return Err(RecoveryError::NothingKept(record.id));
        }
        let own = stages::kept_sources(&directory)?.ok_or_else(|| RecoveryError::NothingKept(record.id.clone()))?;
        Ok(Self {
            sources: Sources { packs: handover.packs.clone(), detached: true, ..own },
            id: record.id,
            commit: record.commit,
            started: record.started,
            plan,
            before,
            handover,
        })
    }

    /// Looks for the files whose network the devices ran before: those of an earlier run.
    fn look_for_network(&mut self, options: &RunOptions) -> Result<(), StoreError> {
        let store = RunStore::of_project(&options.root);
        let pushed = |stage: &StageRecord| stage.name == StageName::Push && stage.state == StageState::Succeeded;
        let runs = store.list()?;
        let earlier = runs.iter().rev().filter(|run| (run.started, &run.id) < (self.started, &self.id));
        for run in earlier.filter(|run| run.stages.iter().any(pushed)).take(MOST_RUNS) {
            let (directory, _) = store.load(run.id.as_str())?;
            let Some(kept) = stages::kept_sources(&directory)? else { continue };
            let sources = Sources { packs: self.sources.packs.clone(), detached: true, ..kept };
            let inventory = options.inventory.as_deref().or(self.handover.inventory.as_deref());
            let Ok(mut made) = Made::of(&options.root, &sources, inventory) else { continue };
            let reach = Reach::new(&made.project, &made.compiled, Inventory::default(), options.secrets.clone());
            let routes = self.before.iter().filter(|(_, text)| !routes_nothing(text));
            let routes = routes.map(|(name, text)| (name.clone(), text.clone())).collect();
            if give(&mut made.compiled, routes, &made.project.packs, &reach.digests).is_empty() {
                self.sources = sources;
                break;
            }
        }
        Ok(())
    }

    /// Reads what the devices run, and plans the way back by the parameters of a pipeline.
    ///
    /// # Errors
    /// Fails when what the run kept cannot be understood any more.
    pub async fn plan(mut self, pipeline: &Pipeline, options: &RunOptions) -> Result<Rollback, RecoveryError> {
        self.look_for_network(options)?;
        let inventory = options.inventory.as_deref().or(self.handover.inventory.as_deref());
        let Made { project, mut compiled, inventory } =
            Made::of(&options.root, &self.sources, inventory).map_err(|error| error.of_run(&self.id))?;
        let inventory = inventory.unwrap_or_else(|| reach::from_allocations(&compiled, &self.handover.user));
        let reach = Reach::new(&project, &compiled, inventory, options.secrets.clone());
        let mut findings = Vec::new();
        let mut before = self.before.clone();
        for (device, texts) in &mut before {
            if let Err(reason) = known_secrets(texts, &reach.digests) {
                findings.push(Diagnostic::error(codes::NOT_PUT_BACK, format!("{device}: {reason}")));
            }
        }
        let unknown = give(&mut compiled, before.clone(), &project.packs, &reach.digests);
        let only: BTreeMap<NodeName, Rendered> = before.clone();
        let asked = Compiled { rendered: only, ..compiled.clone() };
        let mut push = pipeline.push();
        // It goes back to texts, not to a commit.
        push.gate.require_clean_tree = false;
        let running = stages::read_running(&reach, &asked, push.concurrency.into(), |_| ()).await;
        let mut plan = stages::plan(&project, &asked, &reach, &running, &(&push.waves).into(), None);
        findings.extend(self.others(&project, &reach.digests, &running));
        findings.extend(stages::unreachable_findings(&plan, push.unreachable));
        // What the run did not change stands beside the others, so that the sessions with it count.
        let beside = self.plan.devices.iter().filter(|(name, _)| !before.contains_key(*name));
        plan.devices.extend(beside.map(|(name, device)| (name.clone(), device.clone())));
        let mut plan = plan.sealed();
        findings.extend(stages::gate_findings(&plan, &self.sources, &push));
        findings.extend(stages::absence_findings(&project, &plan));
        findings.extend(stages::lockout_findings(&plan, &compiled, &reach));
        let forecast = stages::forecast(&stages::Planned {
            root: &options.root,
            sources: &self.sources,
            project: &project,
            compiled: &compiled,
            reach: &reach,
            running: &running,
            plan: &plan,
            parameters: &PlanStage::default(),
        });
        (plan.traffic, plan.radius) = (forecast.traffic, forecast.radius);
        stages::note_approvals(&mut plan, &push);
        let sessionless: Vec<&str> = unknown
            .iter()
            .filter(|name| !before.get(*name).is_some_and(routes_nothing))
            .map(NodeName::as_str)
            .collect();
        if !sessionless.is_empty() {
            let message = format!(
                "what {} ran before is of no run that is kept here: its sessions are not waited for",
                crate::report::named(&sessionless)
            );
            findings.push(Diagnostic::warning(codes::NOT_PUT_BACK, message));
        }
        let stages = vec![Stage::Plan(PlanStage::default()), Stage::Push(push)];
        let description = Some(format!("puts the devices of run {} back", self.id));
        let pipeline = Pipeline { name: NAME.to_owned(), description, file: pipeline.file.clone(), stages };
        Ok(Rollback { plan, findings, undone: self, project, compiled, reach, running, pipeline })
    }

    /// Finds the devices that run something else than the run left there.
    fn others(&self, project: &Project, secrets: &SecretDigests, running: &Running) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        for (name, device) in &self.plan.devices {
            let (DeviceChange::Replace { running: was, intended, .. }, Some(Ok(texts)), Some(pack)) =
                (&device.change, running.get(name), project.packs.get(&device.pack))
            else {
                continue;
            };
            let files = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
            let digest: Digest = configuration_digest(pack, files, secrets);
            if digest == *was || digest == *intended {
                continue;
            }
            let mut message = format!("{name} runs something else than run {} left there", self.id);
            let difference = self.before.get(name).into_iter().flat_map(|before| &before.files);
            let difference = difference.filter_map(|(file, before)| {
                let now = secrets.comparable(texts.get(file).map_or("", String::as_str));
                let before = secrets.comparable(&before.text);
                compare_texts(file, &pack.normalise(file, &now), &pack.normalise(file, &before), secrets)
            });
            let lines: Vec<String> =
                difference.flat_map(|change| change.diff.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
            if !lines.is_empty() {
                message.push_str("; the way back would be:");
            }
            for line in lines.iter().take(MOST_LINES) {
                message.push('\n');
                message.push_str(line);
            }
            let help = "undo what was changed since, or bring it back with a change of the intents";
            findings.push(Diagnostic::error(codes::NOT_PUT_BACK, message).help(help));
        }
        findings
    }
}

impl Rollback {
    /// Returns the commit whose intents say what goes away.
    pub fn commit(&self) -> Option<&str> {
        self.undone.commit.as_deref()
    }
}

/// Carries the way back out, as a run of its own, and returns its record, which is also on disk.
///
/// # Errors
/// Fails when the record or an artifact cannot be written.
pub async fn rollback(
    rollback: Rollback,
    options: &RunOptions,
    observer: &dyn Observer,
) -> Result<RunRecord, RecoveryError> {
    let Rollback { plan, findings, undone, project, compiled, reach, running, pipeline } = rollback;
    let started = (options.clock)();
    let store = RunStore::of_project(&options.root);
    let waves: BTreeMap<&NodeName, &str> =
        plan.waves.iter().flat_map(|wave| wave.devices.iter().map(|name| (name, wave.name.as_str()))).collect();
    let devices = plan.devices.iter().map(|(name, device)| {
        let result = match &device.change {
            DeviceChange::None { .. } => DeviceResult::Unchanged,
            DeviceChange::Replace { .. } => DeviceResult::Planned,
            DeviceChange::Unreachable { .. } => DeviceResult::Unreachable,
        };
        let wave = waves.get(name).map(|wave| (*wave).to_owned());
        let pack = device.pack.to_string();
        (name.clone(), DeviceRecord { pack, result, wave, detail: String::new(), duration_ms: None })
    });
    let (directory, record) = store.begin(
        |nth| RunId::new(started, undone.commit.as_deref(), nth),
        |id| RunRecord {
            version: 1,
            id,
            weft: env!("CARGO_PKG_VERSION").to_owned(),
            pipeline: pipeline.name.clone(),
            commit: None,
            dirty: false,
            state: RunState::Running,
            pid: Some(std::process::id()),
            started,
            ended: None,
            stages: pipeline
                .stages
                .iter()
                .map(|stage| StageRecord { started: Some(started), ..StageRecord::queued(stage.name()) })
                .collect(),
            waves: plan
                .waves
                .iter()
                .map(|wave| WaveRecord {
                    name: wave.name.clone(),
                    devices: wave.devices.clone(),
                    reason: wave.reason.clone(),
                    failure: None,
                })
                .collect(),
            devices: devices.collect(),
            attempts: Vec::new(),
        },
    )?;
    observer.event(&RunEvent::RunBegins(&record));
    let mut run = Run {
        pipeline: &pipeline,
        sources: &undone.sources,
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
    run.rollback(&undone.id, &running, findings).await?;
    Ok(run.record)
}

impl Run<'_> {
    async fn rollback(
        &mut self,
        undone: &RunId,
        running: &Running,
        findings: Vec<Diagnostic>,
    ) -> Result<(), RecoveryError> {
        let outcome = self.write_way_back(running, findings)?;
        let stands_against = has_errors(&outcome.findings);
        self.end(0, outcome)?;
        self.record.stages[1].state = StageState::Running;
        self.record.stages[1].started = Some((self.options.clock)());
        self.directory.save(&self.record)?;
        let outcome = if stands_against {
            Outcome { state: StageState::Skipped, summary: "plan failed".to_owned(), findings: Vec::new(), error: None }
        } else {
            self.observer.event(&RunEvent::StageBegins(StageName::Push));
            self.push_back(undone, &self.pipeline.push()).await?
        };
        self.end(1, outcome)?;
        self.record.state = self.state();
        self.record.pid = None;
        self.record.ended = Some((self.options.clock)());
        self.directory.save(&self.record)?;
        self.observer.event(&RunEvent::RunEnds(&self.record));
        Ok(())
    }

    fn write_way_back(&self, running: &Running, findings: Vec<Diagnostic>) -> Result<Outcome, StoreError> {
        let (Some(plan), Some(compiled)) = (&self.plan, &self.compiled) else {
            return Ok(Outcome::error("there is no plan"));
        };
        stages::keep_sources(&self.directory, self.sources, compiled)?;
        let json = plan.to_json().unwrap_or_default();
        self.directory.write("plan.json", json.as_bytes())?;
        keep_running(&self.directory, plan, running)?;
        for (name, device) in &plan.devices {
            let DeviceChange::Replace { files, .. } = &device.change else { continue };
            let diffs: String = files.values().map(|file| file.diff.as_str()).collect();
            self.directory.write(&format!("diffs/{name}.diff"), diffs.as_bytes())?;
            for (file, text) in compiled.rendered.get(name).into_iter().flat_map(|rendered| &rendered.files) {
                self.directory.write(&format!("intended/{name}/{file}"), text.text.as_bytes())?;
            }
        }
        Ok(Outcome::found(findings, plan.summary().lines().next().unwrap_or_default().to_owned()))
    }

    async fn push_back(&mut self, undone: &RunId, parameters: &PushStage) -> Result<Outcome, StoreError> {
        let (Some(plan), Some(compiled), Some(reach)) = (&self.plan, &self.compiled, &self.reach) else {
            return Ok(Outcome::error("there is no plan"));
        };
        if !plan.has_changes() {
            return Ok(Outcome::succeeded("every device runs what it ran before".to_owned()));
        }
        if let Some(outcome) = self.unapproved(plan, parameters, format!("weft rollback {undone}"))? {
            return Ok(outcome);
        }
        hand_over(&self.directory, self.pipeline, self.sources, self.options, true)?;
        let request = PushRequest {
            plan,
            compiled,
            reach,
            parameters,
            run: self.record.id.as_str(),
            journal: &journal_of(&self.directory),
            leases: &self.options.root.join(".weft").join("leases"),
            cancel: self.options.cancel.clone(),
        };
        let (report, findings) = match stages::push(request, &Forward(self.observer)).await {
            Ok(pushed) => pushed,
            Err(error) => return Ok(Outcome::error(error)),
        };
        self.directory.write_json("push.json", &report)?;
        for (device, pushed) in &report.devices {
            if let Some(record) = self.record.devices.get_mut(device).filter(|record| record.wave.is_some()) {
                stages::note(record, device, pushed, &report);
            }
        }
        stages::note_waves(&mut self.record.waves, &report);
        self.pushed(&report, findings, parameters)
    }
}

/// Tells whether a device with these texts routes nothing.
fn routes_nothing(rendered: &Rendered) -> bool {
    is_bare(&rendered.files.iter().map(|(name, file)| (name.clone(), file.text.clone())).collect())
}

/// Puts the references of our own secrets in the place of their digests.
///
/// # Errors
/// Names the first line with a secret whose value is not known here: it cannot be put back.
pub(crate) fn known_secrets(rendered: &mut Rendered, secrets: &SecretDigests) -> Result<(), String> {
    for (name, file) in &mut rendered.files {
        file.text = secrets.comparable(&file.text);
        let unknown = file.text.lines().enumerate().find(|(_, line)| line.contains("${secret:?:"));
        if let Some((index, line)) = unknown {
            let number = index + 1;
            return Err(format!("{name}, line {number}, has a secret that is not known here: {}", line.trim()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use weft_model::SecretDigest;
    use weft_pack::RenderedFile;

    use super::*;

    #[test]
    fn secrets_of_ours_are_put_back_by_reference_and_others_are_named() {
        let known = SecretDigest::of_hash(&[9; 32]);
        let secrets = SecretDigests::new([("env/KEY".parse().unwrap(), known.clone())].into());
        let other = SecretDigest::of_hash(&[1; 32]);
        let texts = |text: String| Rendered {
            device: "a".parse().unwrap(),
            pack: "loom".parse().unwrap(),
            files: [("running.conf".to_owned(), RenderedFile { text, lines: Vec::new() })].into(),
        };
        let mut ours = texts(format!("bgp 1\n  password {}\n", known.placeholder()));
        assert_eq!(known_secrets(&mut ours, &secrets), Ok(()));
        assert_eq!(ours.files["running.conf"].text, "bgp 1\n  password ${secret:env/KEY}\n");
        let mut others = texts(format!("bgp 1\n  password {}\n", other.placeholder()));
        assert_eq!(
            known_secrets(&mut others, &secrets),
            Err("running.conf, line 2, has a secret that is not known here: password ${secret:?:0101010101010101}"
                .into())
        );
    }
}
