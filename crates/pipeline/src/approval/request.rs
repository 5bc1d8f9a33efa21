//! The approvals of a plan in the folders of runs: asked for, given, gathered.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_plan::{Plan, PlanError};
use weft_ssh::{AllowedSigners, SignError, SignersError};

use super::{
    ApprovalText, Counted, NAMESPACE, Refused,
    judge::{Found, Rules, is_one_of, judge, moment},
    need,
};
use crate::{
    definition::ApprovalStage,
    report::counted,
    run::{RunDirectory, RunId, RunState, RunStore, StoreError, Timestamp},
    source,
};

/// The artifact of a run that tells what its plan needs.
const ARTIFACT: &str = "approval.json";
/// The folder of a run with the approvals of its plan: two files for each key.
const FOLDER: &str = "approvals";

/// The approvals that a plan needs and has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// The digest of the plan.
    pub plan: String,
    /// How many people must approve it.
    pub required: u16,
    /// Why.
    pub because: Vec<String>,
    /// How long an approval counts, in minutes.
    pub expires_minutes: u32,
    /// The file with those who may approve, relative to the project.
    pub allowed_signers: String,
    /// Those whose approvals do not count, as they made the plan or the commit.
    pub makers: BTreeSet<String>,
    /// The command that carries the plan out once they are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The approvals that count.
    pub counted: Vec<Counted>,
    /// The approvals that do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
}

/// Why a plan cannot be approved.
#[derive(Debug, thiserror::Error)]
pub enum ApproveError {
    /// A run cannot be read, or an approval not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run waits for nobody.
    #[error("run {run} does not wait for approval: it is {state}")]
    NotWaiting {
        /// The run.
        run: RunId,
        /// How far it is.
        state: RunState,
    },
    /// The plan of the run was changed.
    #[error("the plan of the run")]
    Plan(#[from] PlanError),
    /// The file with those who may approve cannot be read.
    #[error("read {path}, which says who may approve: {source}")]
    ReadSigners {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file with those who may approve is not one.
    #[error("{path}, which says who may approve: {source}")]
    Signers {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: SignersError,
    },
    /// The text could not be signed.
    #[error("sign the approval: {0}")]
    Sign(#[from] SignError),
    /// The person made what is to be approved.
    #[error("the approval of {0} does not count: four eyes are wanted, and these made it")]
    Own(String),
}

impl Approvals {
    /// Returns why it needs them, who approved and when, and which approvals do not count.
    pub fn rows(&self) -> Vec<(String, String)> {
        let mut rows = vec![("needed".to_owned(), self.because.join("; "))];
        let given = |approval: &Counted| (approval.by.clone(), format!("approved on {}", approval.at.readable()));
        rows.extend(self.counted.iter().map(given));
        rows.extend(
            self.refused.iter().map(|refused| (refused.by.clone(), format!("does not count: {}", refused.why))),
        );
        rows
    }

    /// Returns how many more people must approve.
    pub fn missing(&self) -> usize {
        usize::from(self.required).saturating_sub(self.counted.len())
    }

    /// Returns what it has and needs in a line, such as `1 of 2 approvals (ann@example.net): 20 devices, more than 10`.
    pub fn words(&self) -> String {
        let names: Vec<&str> = self.counted.iter().map(|approval| approval.by.as_str()).collect();
        let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        let has = self.counted.len();
        let wanted = counted(usize::from(self.required), "approval");
        format!("{has} of {wanted}{names}: {}", self.because.join("; "))
    }
}

/// Returns who made a plan: who ran Weft, and who wrote the commit.
///
/// # Errors
/// Fails when the repository cannot be read.
pub fn makers(root: &Path, commit: Option<&str>, user: &str) -> Result<BTreeSet<String>, source::SourceError> {
    let mut makers = source::people(root, commit)?;
    makers.insert(user.to_owned());
    Ok(makers)
}

/// Returns the approvals that a plan needs and has by `now`, with the run that asks for them already, if one does; `None` where it
/// needs none.
///
/// # Errors
/// Fails when it cannot be known who may approve, or a run cannot be read.
pub fn request(
    root: &Path,
    policy: &ApprovalStage,
    plan: &Plan,
    mut makers: BTreeSet<String>,
    now: Timestamp,
) -> Result<Option<(Approvals, Option<RunId>)>, ApproveError> {
    let because = need(policy, plan);
    if because.is_empty() {
        return Ok(None);
    }
    let digest = plan.digest.to_string();
    let asking = asking(root, &digest)?;
    let first = asking.first().map(|(directory, _)| directory.id()).transpose()?;
    if let Some((_, known)) = asking.first() {
        // Who carries out a plan has not made it.
        makers.clone_from(&known.makers);
    }
    let mut approvals = Approvals {
        plan: digest,
        required: policy.required,
        because,
        expires_minutes: policy.expires_minutes,
        allowed_signers: policy.allowed_signers.clone(),
        makers,
        command: None,
        counted: Vec::new(),
        refused: Vec::new(),
    };
    let signers = signers(root, &approvals.allowed_signers)?;
    let mut found = Vec::new();
    for (directory, _) in &asking {
        found.extend(given(directory)?);
    }
    settle(&mut approvals, &found, &signers, now);
    Ok(Some((approvals, first)))
}

/// Approves the plan of a run in the name of the person with the key, and keeps that in the folder of the run.
///
/// # Errors
/// Fails when the run does not wait, when nobody who may approve has the key, or when that person made the plan.
pub async fn approve(
    root: &Path,
    run: &str,
    key: Option<&Path>,
    now: Timestamp,
) -> Result<(RunId, Counted, Approvals, Plan), ApproveError> {
    let (directory, record) = RunStore::of_project(root).load(run)?;
    let asked: Option<Approvals> = directory.read_json(ARTIFACT)?;
    let (Some(mut approvals), RunState::Waiting) = (asked, record.state) else {
        return Err(ApproveError::NotWaiting { run: record.id, state: record.state });
    };
    let plan = Plan::from_json(&directory.read("plan.json")?.unwrap_or_default())?;
    approvals.plan = plan.digest.to_string();
    let signers = signers(root, &approvals.allowed_signers)?;
    let (id, plan_digest) = (record.id.clone(), approvals.plan.clone());
    let text = |by: &str| ApprovalText { run: id, plan: plan_digest, by: by.to_owned(), at: now }.to_string();
    let signed = weft_ssh::sign(key, &signers, NAMESPACE, moment(now), text).await?;
    let by = ApprovalText::parse(&signed.message).map(|text| text.by).unwrap_or_default();
    if is_one_of(&by, &approvals.makers) {
        return Err(ApproveError::Own(by));
    }
    // A second approval with the same key takes the place of the first.
    let name: String = signed.fingerprint.chars().filter(char::is_ascii_alphanumeric).collect();
    directory.write(&format!("{FOLDER}/{name}.txt"), signed.message.as_bytes())?;
    directory.write(&format!("{FOLDER}/{name}.txt.sig"), signed.signature.as_bytes())?;
    settle(&mut approvals, &given(&directory)?, &signers, now);
    directory.write_json(ARTIFACT, &approvals)?;
    Ok((record.id.clone(), Counted { by, at: now, run: record.id }, approvals, plan))
}

impl Approvals {
    /// Keeps the approvals in the folder of a run.
    pub(crate) fn keep(&self, directory: &RunDirectory) -> Result<(), StoreError> {
        directory.write_json(ARTIFACT, self)
    }

    /// Returns the approvals that a run asks for or went by.
    pub(crate) fn of_run(directory: &RunDirectory) -> Result<Option<Self>, StoreError> {
        directory.read_json(ARTIFACT)
    }
}

/// Says of the runs that ask for approvals of a plan that it was carried out.
pub(crate) fn carried_out(root: &Path, digest: &str, by: &RunId) -> Result<(), StoreError> {
    for (directory, _) in asking(root, digest)? {
        let mut record = directory.record()?;
        for stage in record.stages.iter_mut().filter(|stage| stage.state == crate::run::StageState::Waiting) {
            (stage.state, stage.summary) = (crate::run::StageState::Skipped, format!("run {by} carried it out"));
        }
        record.state = RunState::Succeeded;
        directory.save(&record)?;
    }
    Ok(())
}

/// Returns the runs that ask for approvals of a plan, the oldest first.
fn asking(root: &Path, digest: &str) -> Result<Vec<(RunDirectory, Approvals)>, StoreError> {
    let store = RunStore::of_project(root);
    let mut asking = Vec::new();
    for record in store.list()?.into_iter().filter(|record| record.state == RunState::Waiting) {
        let (directory, _) = store.load(record.id.as_str())?;
        if let Some(approvals) = Approvals::of_run(&directory)?.filter(|approvals| approvals.plan == digest) {
            asking.push((directory, approvals));
        }
    }
    Ok(asking)
}

fn settle(approvals: &mut Approvals, found: &[Found], signers: &AllowedSigners, now: Timestamp) {
    let expires = Duration::from_secs(u64::from(approvals.expires_minutes) * 60);
    let rules = Rules { plan: &approvals.plan, signers, makers: &approvals.makers, expires, now };
    let (counted, refused) = judge(found, &rules);
    (approvals.counted, approvals.refused) = (counted, refused);
}

/// Returns the approvals in the folder of a run.
fn given(directory: &RunDirectory) -> Result<Vec<Found>, StoreError> {
    let (run, folder) = (directory.id()?, directory.path().join(FOLDER));
    let read = |source| StoreError::Read { path: folder.clone(), source };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(read(error)),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let name = entry.map_err(read)?.file_name().to_string_lossy().into_owned();
        names.extend(name.ends_with(".txt").then_some(name));
    }
    let text = |name: &str| Ok::<_, StoreError>(directory.read(&format!("{FOLDER}/{name}"))?.unwrap_or_default());
    let found =
        |name: &String| Ok(Found { run: run.clone(), message: text(name)?, signature: text(&format!("{name}.sig"))? });
    names.iter().map(found).collect()
}

/// Reads who may approve. The file is one of this machine and not of the commit: who writes a commit does not say who approves it.
fn signers(root: &Path, file: &str) -> Result<AllowedSigners, ApproveError> {
    let path = root.join(file);
    let text = fs::read_to_string(&path).map_err(|source| ApproveError::ReadSigners { path: path.clone(), source })?;
    AllowedSigners::parse(&text).map_err(|source| ApproveError::Signers { path, source })
}
