//! Runs a pipeline: one stage after the other, with a record on disk that is true at every moment.

mod push;

use std::{collections::BTreeMap, fmt::Display, path::PathBuf, sync::Arc};

use tokio::sync::watch;
use weft_diagnostics::{Diagnostic, Severity, has_errors, render};
use weft_model::NodeName;
use weft_plan::{DeviceChange, Plan};
use weft_push::PushEvent;
use weft_ssh::Secrets;
use weft_verify::Round;

use crate::{
    definition::{CheckStage, CompileStage, Pipeline, PlanStage, ReportStage, Stage, VerifyStage},
    reach::{self, InventoryOrigin, Reach},
    recovery,
    report::{Format, Report},
    run::{
        Clock, DeviceRecord, DeviceResult, Finding, LinkRecord, LinkState, NetworkRecord, NodeRecord, RunDirectory,
        RunId, RunRecord, RunState, RunStore, StageName, StageRecord, StageState, StoreError, WaveRecord,
    },
    secrets,
    source::Sources,
    stages::{self, Compiled, Predicted, Project},
};

/// What a run is told beside its pipeline.
pub struct RunOptions {
    /// The folder of the project.
    pub root: PathBuf,
    /// The inventory; without it that of the lab, else the management addresses of the allocations.
    pub inventory: Option<PathBuf>,
    /// Who logs in where no inventory says it.
    pub user: String,
    /// Whether the lock file may not change, whatever the pipeline says.
    pub locked: bool,
    /// The plan that must be carried out: the run fails when the plan it makes is another one.
    pub plan: Option<Plan>,
    /// Where the values of secrets come from. Those that stand in the configurations need not be among its references.
    pub secrets: Arc<dyn Secrets>,
    /// The clock.
    pub clock: Clock,
    /// Becomes `true` when the run is to end: what is not confirmed goes back.
    pub cancel: watch::Receiver<bool>,
}

/// Something that happened during a run.
#[derive(Debug)]
pub enum RunEvent<'a> {
    /// The run begins.
    RunBegins(&'a RunRecord),
    /// A run was cut off: what was found on each device, and how it was brought to rest.
    Found(&'a BTreeMap<NodeName, String>),
    /// A stage begins.
    StageBegins(StageName),
    /// It is known how the devices are reached.
    Inventory(&'a InventoryOrigin),
    /// Some of a stage's devices are done.
    Progress {
        /// The stage.
        stage: StageName,
        /// So many are done.
        done: usize,
        /// So many there are.
        total: usize,
    },
    /// Something happened during the push.
    Push(&'a PushEvent),
    /// The network was observed once more.
    Round(&'a Round),
    /// A stage found something; sorted by place.
    Findings(StageName, &'a [Diagnostic]),
    /// A stage ended.
    StageEnds(&'a StageRecord),
    /// The run ended.
    RunEnds(&'a RunRecord),
}

/// Is told what happens, for progress. It must return at once.
pub trait Observer: Sync {
    /// Takes an event.
    fn event(&self, event: &RunEvent<'_>);
}

/// Looks away.
impl Observer for () {
    fn event(&self, _: &RunEvent<'_>) {}
}

/// Runs a pipeline over the files of a project, and returns the record, which is also on disk. `findings` is what reading the
/// files found. After a stage that fails only the report follows.
///
/// # Errors
/// Fails when the record or an artifact cannot be written or read.
pub async fn run(
    pipeline: &Pipeline,
    sources: &Sources,
    findings: Vec<Diagnostic>,
    options: &RunOptions,
    observer: &dyn Observer,
) -> Result<RunRecord, StoreError> {
    let started = (options.clock)();
    let commit = sources.commit.clone();
    let store = RunStore::of_project(&options.root);
    let id = |nth| RunId::new(started, commit.as_deref(), nth);
    let (directory, record) = store.begin(id, |id| RunRecord {
        version: 1,
        id,
        weft: env!("CARGO_PKG_VERSION").to_owned(),
        pipeline: pipeline.name.clone(),
        commit: commit.clone(),
        dirty: sources.dirty,
        state: RunState::Running,
        pid: Some(std::process::id()),
        started,
        ended: None,
        stages: pipeline.stages.iter().map(|stage| StageRecord::queued(stage.name())).collect(),
        waves: Vec::new(),
        devices: BTreeMap::new(),
        attempts: Vec::new(),
    })?;
    observer.event(&RunEvent::RunBegins(&record));
    let mut run = Run {
        pipeline,
        sources,
        options,
        observer,
        directory,
        record,
        findings,
        project: None,
        compiled: None,
        predicted: None,
        reach: None,
        plan: None,
    };
    for (index, stage) in pipeline.stages.iter().enumerate() {
        run.stage(index, stage).await?;
    }
    if let Some(reach) = &run.reach {
        reach.pool.close().await;
    }
    run.record.state = run.state();
    run.record.pid = None;
    run.record.ended.get_or_insert((options.clock)());
    run.directory.save(&run.record)?;
    observer.event(&RunEvent::RunEnds(&run.record));
    Ok(run.record)
}

/// A run at work.
pub(crate) struct Run<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) sources: &'a Sources,
    pub(crate) options: &'a RunOptions,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) directory: RunDirectory,
    pub(crate) record: RunRecord,
    pub(crate) findings: Vec<Diagnostic>,
    pub(crate) project: Option<Project>,
    pub(crate) compiled: Option<Compiled>,
    pub(crate) predicted: Option<Predicted>,
    pub(crate) reach: Option<Reach>,
    pub(crate) plan: Option<Plan>,
}

/// What came of a stage.
pub(crate) struct Outcome {
    pub(crate) state: StageState,
    pub(crate) summary: String,
    pub(crate) findings: Vec<Diagnostic>,
    pub(crate) error: Option<String>,
}

impl Outcome {
    pub(crate) fn succeeded(summary: String) -> Self {
        Self { state: StageState::Succeeded, summary, findings: Vec::new(), error: None }
    }

    /// Succeeded or failed, as the findings say; `summary` is what came of it when it succeeded.
    pub(crate) fn found(findings: Vec<Diagnostic>, summary: String) -> Self {
        let failed = has_errors(&findings);
        let summary = if failed { render::summary(&findings) } else { summary };
        let state = if failed { StageState::Failed } else { StageState::Succeeded };
        Self { state, summary, findings, error: None }
    }

    pub(crate) fn error(error: impl Display) -> Self {
        let error = Some(error.to_string());
        Self { state: StageState::Failed, summary: String::new(), findings: Vec::new(), error }
    }

    fn skipped(summary: &str) -> Self {
        Self { state: StageState::Skipped, summary: summary.to_owned(), findings: Vec::new(), error: None }
    }
}

impl Run<'_> {
    pub(crate) async fn stage(&mut self, index: usize, stage: &Stage) -> Result<(), StoreError> {
        let first = |state| self.record.stages.iter().find(|stage| stage.state == state).map(|stage| stage.name);
        let (failed, waits) = (first(StageState::Failed), first(StageState::Waiting));
        if !matches!(stage, Stage::Report(_)) {
            let cancelled = *self.options.cancel.borrow();
            if cancelled || failed.is_some() || waits.is_some() {
                let record = &mut self.record.stages[index];
                (record.state, record.summary) = match (failed, waits) {
                    (Some(failed), _) => (StageState::Skipped, format!("{failed} failed")),
                    (None, Some(waits)) => (StageState::Skipped, format!("{waits} waits for approval")),
                    (None, None) => (StageState::Cancelled, "stopped before it began".to_owned()),
                };
                self.observer.event(&RunEvent::StageEnds(&self.record.stages[index]));
                return self.directory.save(&self.record);
            }
        }
        self.record.stages[index].state = StageState::Running;
        self.record.stages[index].started = Some((self.options.clock)());
        self.directory.save(&self.record)?;
        self.observer.event(&RunEvent::StageBegins(stage.name()));
        let outcome = match stage {
            Stage::Validate(_) => self.validate(),
            Stage::Compile(parameters) => self.compile(parameters)?,
            Stage::Check(parameters) => self.check(parameters),
            Stage::Plan(parameters) => self.plan(parameters).await?,
            Stage::Push(parameters) => self.push(parameters).await?,
            Stage::Verify(parameters) => self.verify(parameters).await?,
            Stage::Report(parameters) => return self.report(index, parameters),
        };
        self.end(index, outcome)
    }

    pub(crate) fn end(&mut self, index: usize, outcome: Outcome) -> Result<(), StoreError> {
        let record = &mut self.record.stages[index];
        record.state = outcome.state;
        record.ended = Some((self.options.clock)());
        record.summary = outcome.summary;
        record.findings = outcome.findings.iter().map(Finding::from).collect();
        record.error = outcome.error;
        self.directory.save(&self.record)?;
        if !outcome.findings.is_empty() {
            self.observer.event(&RunEvent::Findings(self.record.stages[index].name, &outcome.findings));
        }
        self.observer.event(&RunEvent::StageEnds(&self.record.stages[index]));
        Ok(())
    }

    fn validate(&mut self) -> Outcome {
        let mut findings = std::mem::take(&mut self.findings);
        let unread = has_errors(&findings);
        let (project, mistakes) = stages::validate(self.sources);
        findings.extend(mistakes);
        findings.sort();
        let Some(project) = project.filter(|_| !unread) else { return Outcome::found(findings, String::new()) };
        let summary = format!(
            "{}, {}, {}",
            crate::report::counted(intents(&project), "intent"),
            crate::report::counted(project.network.nodes().len(), "device"),
            crate::report::counted(project.network.links().count(), "link"),
        );
        self.project = Some(project);
        Outcome::found(findings, summary)
    }

    fn compile(&mut self, parameters: &CompileStage) -> Result<Outcome, StoreError> {
        let Some(project) = &self.project else { return Ok(Outcome::skipped("nothing was validated")) };
        let inventory = match reach::inventory(&self.options.root, self.options.inventory.as_deref()) {
            Ok(inventory) => inventory,
            Err(error) => return Ok(Outcome::error(error)),
        };
        let overrides = reach::overrides(inventory.as_ref().map(|(inventory, _)| inventory));
        let (compiled, mut findings) = stages::compile(project, &overrides);
        let Some(compiled) = compiled else { return Ok(Outcome::found(findings, String::new())) };
        let mut wrote = false;
        // What comes from a commit cannot be written back to it.
        if parameters.locked || self.options.locked || self.sources.detached {
            findings.extend(stages::lock_findings(project, &compiled));
        } else {
            match stages::write_lock(&self.options.root, project, &compiled) {
                Ok(written) => wrote = written,
                Err(error) => return Ok(Outcome::error(error)),
            }
        }
        for (device, rendered) in &compiled.rendered {
            for (name, file) in &rendered.files {
                self.directory.write(&format!("intended/{device}/{name}"), file.text.as_bytes())?;
            }
            let record = DeviceRecord {
                pack: rendered.pack.to_string(),
                result: DeviceResult::Compiled,
                wave: None,
                detail: String::new(),
                duration_ms: None,
            };
            self.record.devices.insert(device.clone(), record);
        }
        stages::keep_sources(&self.directory, self.sources, &compiled)?;
        let network = network_record(project, &compiled, |_| LinkState::Unknown);
        self.directory.write_json("network.json", &network)?;
        let (inventory, origin) = inventory
            .unwrap_or_else(|| (reach::from_allocations(&compiled, &self.options.user), InventoryOrigin::Allocations));
        self.observer.event(&RunEvent::Inventory(&origin));
        let reach = Reach::new(project, &compiled, inventory, self.options.secrets.clone());
        // Told before any device is asked for anything.
        let has = |wanted: &[StageName]| self.record.stages.iter().any(|stage| wanted.contains(&stage.name));
        if has(&[StageName::Push]) {
            findings.extend(secrets::findings(&project.intents, &reach.missing, Severity::Error));
        } else if has(&[StageName::Plan, StageName::Verify]) {
            findings.extend(secrets::findings(&project.intents, &reach.missing, Severity::Warning));
        }
        self.reach = Some(reach);
        let lines = compiled.lines();
        let devices = crate::report::counted(compiled.rendered.len(), "device");
        let lock = if wrote { "; the lock file was written" } else { "" };
        self.compiled = Some(compiled);
        Ok(Outcome::found(findings, format!("{devices}, {lines} lines{lock}")))
    }

    fn check(&mut self, parameters: &CheckStage) -> Outcome {
        let (Some(project), Some(compiled)) = (&self.project, &self.compiled) else {
            return Outcome::skipped("nothing was compiled");
        };
        let findings = stages::silence(stages::check(project, compiled), &parameters.silence);
        let summary = render::summary(&findings);
        let warned =
            parameters.fail_on_warnings && findings.iter().any(|finding| finding.severity == Severity::Warning);
        let mut outcome = Outcome::found(findings, summary);
        if warned {
            outcome.state = StageState::Failed;
        }
        outcome
    }

    async fn plan(&mut self, parameters: &PlanStage) -> Result<Outcome, StoreError> {
        let (Some(project), Some(compiled), Some(reach)) = (&self.project, &self.compiled, &self.reach) else {
            return Ok(Outcome::skipped("nothing was compiled"));
        };
        let total = compiled.rendered.len();
        let progress = |done| self.observer.event(&RunEvent::Progress { stage: StageName::Plan, done, total });
        let mut cancel = self.options.cancel.clone();
        let reading = stages::read_running(reach, compiled, parameters.concurrency.into(), progress);
        let running = tokio::select! {
            running = reading => running,
            () = cancelled(&mut cancel) => return Ok(stopped()),
        };
        let push = self.pipeline.push();
        let waves = (&push.waves).into();
        let mut plan = stages::plan(project, compiled, reach, &running, &waves, self.sources.exact_commit());
        let (root, sources) = (self.options.root.as_path(), self.sources);
        let planned =
            stages::Planned { root, sources, project, compiled, reach, running: &running, plan: &plan, parameters };
        let forecast = stages::forecast(&planned);
        (plan.traffic, plan.radius) = (forecast.traffic, forecast.radius);
        stages::note_approvals(&mut plan, &push);
        let json = plan.to_json().map_err(|error| internal(&self.directory, "plan.json", &error))?;
        self.directory.write("plan.json", json.as_bytes())?;
        recovery::keep_running(&self.directory, &plan, &running)?;
        let mut waves = BTreeMap::new();
        for wave in &plan.waves {
            waves.extend(wave.devices.iter().map(|device| (device.clone(), wave.name.clone())));
            self.record.waves.push(WaveRecord {
                name: wave.name.clone(),
                devices: wave.devices.clone(),
                reason: wave.reason.clone(),
                failure: None,
            });
        }
        for (name, device) in &plan.devices {
            let Some(record) = self.record.devices.get_mut(name) else { continue };
            record.wave = waves.get(name).cloned();
            match &device.change {
                DeviceChange::None { .. } => record.result = DeviceResult::Unchanged,
                DeviceChange::Replace { files, .. } => {
                    record.result = DeviceResult::Planned;
                    let diffs: String = files.values().map(|file| file.diff.as_str()).collect();
                    self.directory.write(&format!("diffs/{name}.diff"), diffs.as_bytes())?;
                }
                DeviceChange::Unreachable { reason } => {
                    record.result = DeviceResult::Unreachable;
                    record.detail = crate::report::own_words(name.as_str(), reason).to_owned();
                }
            }
        }
        let mut findings = stages::unreachable_findings(&plan, push.unreachable);
        findings.extend(stages::drain_findings(&plan, compiled));
        findings.extend(recovery::cut_off_findings(root, &plan)?);
        findings.extend(stages::absence_findings(project, &plan));
        findings.extend(stages::lockout_findings(&plan, compiled, reach));
        findings.extend(self.options.plan.as_ref().and_then(|wanted| stages::moved(wanted, &plan)));
        findings.extend(stages::guard_findings(project, &plan));
        findings.extend(forecast.findings);
        let mut summary = plan.summary().lines().next().unwrap_or_default().to_owned();
        if let Some(traffic) = plan.traffic.as_ref().filter(|traffic| traffic.compared > 0) {
            summary.push_str(&format!("; traffic: {}", crate::traffic::headline(traffic)));
        }
        self.plan = Some(plan);
        Ok(Outcome::found(findings, summary))
    }

    async fn verify(&mut self, parameters: &VerifyStage) -> Result<Outcome, StoreError> {
        let (Some(project), Some(compiled), Some(reach)) = (&self.project, &self.compiled, &self.reach) else {
            return Ok(Outcome::skipped("nothing was compiled"));
        };
        let predicted = self.predicted.get_or_insert_with(|| stages::predict(project, compiled));
        let on_round = |round: &Round| self.observer.event(&RunEvent::Round(round));
        let mut cancel = self.options.cancel.clone();
        let verifying = stages::verify(project, compiled, predicted, reach, parameters, on_round);
        let converged = tokio::select! {
            converged = verifying => converged,
            () = cancelled(&mut cancel) => return Ok(stopped()),
        };
        self.directory.write_json("assessment.json", &converged.assessment)?;
        self.directory.write_json("observed.json", &converged.observed)?;
        let states = stages::link_states(predicted, compiled, &converged.observed);
        let network = network_record(project, compiled, |cable| states.get(&cable[0]).copied().unwrap_or_default());
        self.directory.write_json("network.json", &network)?;
        let counts = converged.assessment.counts();
        let counts: Vec<String> =
            counts.iter().rev().map(|(compliance, count)| format!("{count} {compliance}")).collect();
        let summary = format!("{} after {}", counts.join(", "), crate::report::counted(converged.rounds, "round"));
        let mut outcome = Outcome::succeeded(summary);
        if converged.assessment.worst() > parameters.fail_on.worst_accepted() {
            outcome.state = StageState::Failed;
        }
        Ok(outcome)
    }

    /// The report tells of itself, so its stage and the run are ended before it is written.
    fn report(&mut self, index: usize, parameters: &ReportStage) -> Result<(), StoreError> {
        let formats: Vec<Format> = match &parameters.formats {
            Some(formats) => formats.iter().copied().collect(),
            None => Format::ALL.to_vec(),
        };
        let now = (self.options.clock)();
        let stage = &mut self.record.stages[index];
        (stage.state, stage.ended) = (StageState::Succeeded, Some(now));
        stage.summary = formats.iter().map(Format::to_string).collect::<Vec<_>>().join(", ");
        self.record.state = self.state();
        self.record.ended = Some(now);
        let report = Report::load(&self.directory, &self.record)?;
        let mut problem = None;
        for format in formats {
            match report.render(format, false) {
                Ok(text) => {
                    self.directory.write(format.file_name(), text.as_bytes())?;
                    if let Some(path) = &parameters.path {
                        let folder = self.options.root.join(path);
                        let file = folder.join(format.file_name());
                        let copied = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, text));
                        copied.map_err(|source| StoreError::Write { path: file, source })?;
                    }
                }
                Err(error) => problem = Some(format!("{format}: {error}")),
            }
        }
        if let Some(problem) = problem {
            let stage = &mut self.record.stages[index];
            (stage.state, stage.error) = (StageState::Failed, Some(problem));
            self.record.state = self.state();
        }
        self.directory.save(&self.record)?;
        self.observer.event(&RunEvent::StageEnds(&self.record.stages[index]));
        Ok(())
    }

    /// How the run ends, given its stages and its devices.
    pub(crate) fn state(&self) -> RunState {
        let any = |state| self.record.stages.iter().any(|stage| stage.state == state);
        let back = self.record.devices.values().any(|device| device.result == DeviceResult::RolledBack);
        if any(StageState::Cancelled) {
            RunState::Cancelled
        } else if back && any(StageState::Failed) {
            RunState::RolledBack
        } else if any(StageState::Failed) || self.reached_nobody_that_differs() {
            RunState::Failed
        } else if any(StageState::Waiting) {
            RunState::Waiting
        } else {
            RunState::Succeeded
        }
    }
}

impl Run<'_> {
    /// Whether there was nothing to push only because devices could not be reached: nobody knows what those run.
    fn reached_nobody_that_differs(&self) -> bool {
        let skipped = |stage: &StageRecord| stage.name == StageName::Push && stage.state == StageState::Skipped;
        self.record.stages.iter().any(skipped)
            && self.record.devices.values().any(|device| device.result == DeviceResult::Unreachable)
    }
}

/// Hands the events of a push on.
pub(crate) struct Forward<'a>(pub(crate) &'a dyn Observer);

impl weft_push::Observer for Forward<'_> {
    fn event(&self, event: &PushEvent) {
        self.0.event(&RunEvent::Push(event));
    }
}

/// Ends when the run is to end, and never when nobody can say so any more.
async fn cancelled(cancel: &mut watch::Receiver<bool>) {
    if cancel.wait_for(|cancel| *cancel).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn stopped() -> Outcome {
    let summary = "stopped; nothing was changed".to_owned();
    Outcome { state: StageState::Cancelled, summary, findings: Vec::new(), error: None }
}

fn internal(directory: &RunDirectory, name: &str, error: &dyn Display) -> StoreError {
    StoreError::Write { path: directory.path().join(name), source: std::io::Error::other(error.to_string()) }
}

fn intents(project: &Project) -> usize {
    let set = &project.intents;
    set.fabrics.len()
        + set.topologies.len()
        + set.pools.len()
        + set.underlays.len()
        + set.segments.len()
        + set.peerings.len()
        + set.reachabilities.len()
        + set.baselines.len()
}

/// Returns the topology with the networks behind peerings, each at the site of the first device that leads to it.
fn network_record(
    project: &Project,
    compiled: &Compiled,
    state: impl Fn(&[weft_model::TerminationPoint; 2]) -> LinkState,
) -> NetworkRecord {
    let mut record = NetworkRecord::default();
    for node in project.network.nodes() {
        record.nodes.push(NodeRecord {
            name: node.name.to_string(),
            role: node.role.to_string(),
            site: node.site.as_ref().map(ToString::to_string),
            managed: true,
        });
    }
    for name in compiled.external.configs.keys() {
        let cables = compiled.external.cables.iter().filter(|cable| cable.iter().any(|end| end.node == *name));
        let mut devices = cables.flatten().filter_map(|end| project.network.node(end.node.as_str()));
        let site = devices.next().and_then(|node| node.site.as_ref()).map(ToString::to_string);
        record.nodes.push(NodeRecord { name: name.to_string(), role: "external".to_owned(), site, managed: false });
    }
    record.nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let links = project.network.links().map(|link| &link.ends);
    for cable in links.chain(&compiled.external.cables) {
        record.links.push(LinkRecord { a: cable[0].to_string(), b: cable[1].to_string(), state: state(cable) });
    }
    record
}
