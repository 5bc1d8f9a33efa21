//! A run whose process has gone, taken over by this one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use weft_diagnostics::{Diagnostic, SourceMap};
use weft_model::NodeName;
use weft_plan::{Plan, PlanError};
use weft_push::{Journal, JournalError, JournalLine, Moment, StepName, Turn};

use super::kept::{Handover, changing};
use crate::{
    codes,
    report::named,
    run::{DeviceResult, Recovery, RunDirectory, RunId, RunRecord, RunState, RunStore, StoreError},
    source::{self, Sources},
    stages,
};

/// Why a run cannot be carried on or put back.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The store, or what is in it, cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its plan was changed.
    #[error("the plan of run {run}: {source}")]
    Plan {
        /// The run.
        run: RunId,
        /// Why it is none.
        source: PlanError,
    },
    /// It ended as it should, or as somebody wanted.
    #[error("run {run} is not cut off but {state}: {help}")]
    Ended {
        /// The run.
        run: RunId,
        /// How it ended.
        state: RunState,
        /// What can be done.
        help: String,
    },
    /// It had not begun to change anything.
    #[error(
        "run {0} was cut off before it changed a device, and so there is nothing to carry on: `weft run` starts anew, and \
         `weft abort {0}` closes its record"
    )]
    NotBegun(RunId),
    /// It never changed a device.
    #[error("run {0} changed no device: there is nothing to put back")]
    NothingChanged(RunId),
    /// It changed devices, and what they ran before is not kept.
    #[error("run {0} kept no texts of what its devices ran before")]
    NothingKept(RunId),
    /// It is cut off itself.
    #[error("run {0} is {1}: `weft abort {0}` puts its devices back")]
    CutOff(RunId, RunState),
    /// What it was made of makes something else by now.
    #[error("run {run}: {what}")]
    Moved {
        /// The run.
        run: RunId,
        /// What.
        what: String,
    },
    /// How the devices are reached cannot be read.
    #[error(transparent)]
    Inventory(#[from] crate::reach::InventoryError),
}

/// A run whose process has gone, taken over by this one.
pub struct CutOff {
    pub(crate) directory: RunDirectory,
    pub(crate) record: RunRecord,
    /// What it is carried on with; `None` where it had not begun to push.
    pub(crate) begun: Option<Begun>,
    /// The files that its network is made of.
    pub sources: Sources,
}

/// What a push had done until its process was gone.
pub(crate) struct Begun {
    pub(crate) handover: Handover,
    pub(crate) plan: Plan,
    pub(crate) told: Told,
}

/// What the journal of a run tells.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The ids of its transactions on the devices, in their order.
    pub(crate) transactions: Vec<String>,
    /// Of each device the transaction whose confirmation began last.
    pub(crate) confirmed: BTreeMap<NodeName, String>,
    /// The devices on which something that counts was begun.
    pub(crate) touched: BTreeSet<NodeName>,
    /// Why it was going back when its process went.
    pub(crate) going_back: Option<String>,
}

impl Told {
    pub(crate) fn by(journal: &Path) -> Result<Self, JournalError> {
        let mut told = Self::default();
        if !journal.exists() {
            return Ok(told);
        }
        for line in Journal::lines(journal)? {
            let transaction = match &line {
                JournalLine::Device(entry) => &entry.transaction,
                JournalLine::Wave(turn) => &turn.transaction,
            };
            if !told.transactions.contains(transaction) {
                told.transactions.push(transaction.clone());
            }
            match line {
                JournalLine::Device(entry) if entry.moment == Moment::Before => match entry.step {
                    StepName::Confirm => {
                        told.confirmed.insert(entry.device.clone(), entry.transaction);
                        told.touched.insert(entry.device);
                    }
                    StepName::Arm | StepName::Apply => {
                        told.touched.insert(entry.device);
                    }
                    _ => {}
                },
                JournalLine::Device(_) => {}
                JournalLine::Wave(turn) => {
                    told.going_back = (turn.turn == Turn::GoesBack)
                        .then(|| turn.why.unwrap_or_else(|| format!("{} went back", turn.wave)));
                }
            }
        }
        Ok(told)
    }
}

/// Returns the journal of a run.
pub(crate) fn journal_of(directory: &RunDirectory) -> PathBuf {
    directory.path().join("journal.jsonl")
}

impl CutOff {
    /// Takes over the run that `which` names: an id, the beginning of one, or `latest`.
    ///
    /// # Errors
    /// Fails while a process is at work on it, when it is not cut off, and when its folder cannot be read.
    pub fn take_over(root: &Path, which: &str) -> Result<Self, RecoveryError> {
        let (directory, record) = RunStore::of_project(root).take_over(which)?;
        if !is_open(&record) {
            return Err(RecoveryError::Ended {
                help: match record.state {
                    RunState::Succeeded | RunState::Cancelled => {
                        format!("`weft rollback {}` puts its devices back", record.id)
                    }
                    _ => "its devices are as the report says".to_owned(),
                },
                run: record.id,
                state: record.state,
            });
        }
        // Secrets are looked for where they are now.
        let encrypted = match source::files(root).and_then(|files| source::of_files(root, &files)) {
            Ok((now, _)) => now.encrypted,
            Err(_) => BTreeMap::new(),
        };
        let mut sources = stages::kept_sources(&directory)?.unwrap_or_default();
        (sources.commit, sources.dirty, sources.detached) = (record.commit.clone(), record.dirty, true);
        sources.encrypted = encrypted;
        let handover = Handover::of(&directory)?;
        let plan = directory.read("plan.json")?;
        let begun = match (handover, plan) {
            (Some(handover), Some(plan)) => {
                let failed = |source| RecoveryError::Plan { run: record.id.clone(), source };
                let plan = Plan::from_json(&plan).map_err(failed)?;
                sources.packs.clone_from(&handover.packs);
                Some(Begun { handover, plan, told: Told::by(&journal_of(&directory))? })
            }
            _ => None,
        };
        Ok(Self { directory, record, begun, sources })
    }

    /// Returns its record as it was found.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// Returns the texts that findings point into.
    pub fn source_map(&self) -> SourceMap {
        self.sources.source_map()
    }
}

/// Tells whether a run waits for somebody: its process has gone, or an attempt to end it did not come to its end.
fn is_open(record: &RunRecord) -> bool {
    let any = |result| record.devices.values().any(|device| device.wave.is_some() && device.result == result);
    let unknown = any(DeviceResult::Failed);
    let stopped = record.attempts.last().is_some_and(|last| match last.what {
        Recovery::Resume => true,
        Recovery::Abort => any(DeviceResult::Changed),
    });
    match record.state {
        RunState::Interrupted => true,
        RunState::Failed | RunState::RolledBack => unknown,
        RunState::Cancelled => unknown || stopped,
        RunState::Queued | RunState::Running | RunState::Waiting | RunState::Succeeded => false,
    }
}

/// Finds runs that were cut off while they changed devices of a plan: those may be locked, or wait for a confirmation.
///
/// # Errors
/// Fails when the record of a run cannot be read.
pub fn cut_off_findings(root: &Path, plan: &Plan) -> Result<Vec<Diagnostic>, StoreError> {
    let store = RunStore::of_project(root);
    let changes = changing(plan);
    let mut findings = Vec::new();
    let runs = store.list()?;
    for run in runs.iter().filter(|run| run.state == RunState::Interrupted) {
        let (directory, _) = store.load(run.id.as_str())?;
        if !journal_of(&directory).exists() {
            continue;
        }
        let of_plan =
            |name: &&NodeName| changes.contains(*name) || plan.unreachable().any(|(device, _)| device == *name);
        let shared: Vec<&str> = run
            .devices
            .iter()
            .filter(|(_, device)| device.wave.is_some())
            .map(|(name, _)| name)
            .filter(of_plan)
            .map(NodeName::as_str)
            .collect();
        // What a later run brought to its end is not held any more.
        let after = runs.iter().filter(|later| (later.started, &later.id) > (run.started, &run.id));
        let ended = |later: &RunRecord| {
            let known = |name: &&str| {
                let result = later.devices.iter().find(|(device, _)| device.as_str() == *name).map(|(_, is)| is.result);
                matches!(result, Some(DeviceResult::Changed | DeviceResult::Unchanged | DeviceResult::RolledBack))
            };
            shared.iter().all(known)
        };
        if shared.is_empty() || after.into_iter().any(ended) {
            continue;
        }
        let message = format!("run {} was cut off while it changed {}", run.id, named(&shared));
        let help = format!("`weft resume {0}` carries it on, `weft abort {0}` puts its devices back", run.id);
        findings.push(Diagnostic::warning(codes::RUN_CUT_OFF, message).help(help));
    }
    Ok(findings)
}
