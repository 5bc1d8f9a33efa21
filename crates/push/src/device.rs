//! One device's transaction, step by step.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use weft_model::NodeName;
use weft_pack::{
    Pack, Rendered,
    manifest::{Arm, Step},
};
use weft_plan::{DeviceChange, Digest, PlannedDevice, configuration_digest};
use weft_ssh::{Session, Target};

use crate::{
    DeviceReport, DeviceResult, JournalEntry, JournalLine, Lease, Moment, NamedLine, PushEvent, StepName, StepTime,
    context::{Context, Failure},
    journal,
};

/// How long the running text may take to show what `apply` did.
const READ_BACK_LIMIT: Duration = Duration::from_secs(5);
/// How often it is asked meanwhile.
const READ_BACK_INTERVAL: Duration = Duration::from_millis(250);

/// A device that is to change.
pub(crate) struct Device<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) name: NodeName,
    /// The id of the transaction on the device.
    pub(crate) transaction: String,
    pub(crate) target: &'a Target,
    pub(crate) pack: Arc<Pack>,
    pub(crate) rendered: &'a Rendered,
    /// What it ran when the plan was made.
    pub(crate) before: Digest,
    pub(crate) intended: Digest,
    pub(crate) session: Option<Session<'a>>,
    pub(crate) lease: Option<Lease>,
    /// Whether the lock is ours and to be given back.
    pub(crate) locked: bool,
    /// When the device was armed: from then on it may run the new configuration.
    pub(crate) armed_at: Option<Instant>,
    /// Whether `apply` was tried.
    pub(crate) applied: bool,
    /// Whether it may run the new configuration for good.
    pub(crate) confirmed: bool,
    pub(crate) steps: Vec<StepTime>,
    pub(crate) failure: Option<Failure>,
    pub(crate) result: Option<DeviceResult>,
}

impl<'a> AsRef<Device<'a>> for Device<'a> {
    fn as_ref(&self) -> &Device<'a> {
        self
    }
}

impl<'a> Device<'a> {
    /// Returns a device of the plan that is to change, with what it is made of; `Err` says what is missing.
    pub(crate) fn of_plan(
        context: &'a Context<'a>,
        name: &NodeName,
        planned: &PlannedDevice,
    ) -> Result<Self, DeviceResult> {
        let inputs = context.inputs;
        let (before, intended) = match &planned.change {
            DeviceChange::None { .. } => return Err(DeviceResult::Unchanged),
            DeviceChange::Unreachable { reason } => return Err(DeviceResult::Unreachable { reason: reason.clone() }),
            DeviceChange::Replace { running, intended, .. } => (running.clone(), intended.clone()),
        };
        let missing = |reason| DeviceResult::FailedBeforeChange { step: StepName::Connect, reason };
        let target =
            inputs.inventory.devices.get(name).ok_or_else(|| missing("the inventory has no such device".into()))?;
        let pack =
            inputs.packs.get(&planned.pack).ok_or_else(|| missing(format!("there is no pack `{}`", planned.pack)))?;
        let rendered =
            inputs.rendered.get(name).ok_or_else(|| missing("no configuration is rendered for it".into()))?;
        Ok(Self {
            context,
            name: name.clone(),
            transaction: context.transaction.clone(),
            target,
            pack: pack.clone(),
            rendered,
            before,
            intended,
            session: None,
            lease: None,
            locked: false,
            armed_at: None,
            applied: false,
            confirmed: false,
            steps: Vec::new(),
            failure: None,
            result: None,
        })
    }

    /// Returns the variables of the commands.
    fn variables(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("transaction", self.transaction.clone()),
            ("device", self.name.to_string()),
            ("seconds", self.context.inputs.policy.confirm_seconds.to_string()),
        ])
    }

    fn begin(&self, step: StepName) -> Instant {
        self.context.observer.event(&PushEvent::StepBegins { device: self.name.clone(), step });
        Instant::now()
    }

    fn end(&mut self, step: StepName, began: Instant, failure: Option<&Failure>) {
        let seconds = began.elapsed().as_secs_f64();
        self.steps.push(StepTime { step, seconds });
        self.context.observer.event(&PushEvent::StepEnds {
            device: self.name.clone(),
            step,
            seconds,
            failure: failure.map(|failure| failure.reason.clone()),
        });
    }

    /// Writes into the journal; a step whose beginning cannot be written down must not be done.
    pub(crate) async fn journal(&self, step: StepName, moment: Moment) -> Result<(), Failure> {
        let entry = JournalEntry {
            at: journal::now(),
            transaction: self.transaction.clone(),
            device: self.name.clone(),
            step,
            moment,
            before: self.before.clone(),
            intended: self.intended.clone(),
        };
        let journal = self.context.inputs.journal;
        journal.append(&JournalLine::Device(entry)).await.map_err(|error| Failure::new(step, error.to_string()))
    }

    /// Opens a session in the place of the one that there is.
    pub(crate) async fn connect(&mut self, step: StepName) -> Result<(), Failure> {
        let began = self.begin(step);
        if let Some(old) = self.session.take() {
            old.close().await;
        }
        let inputs = self.context.inputs;
        let opened = match (&inputs.policy.pool, step) {
            // Before anything is changed the session of whoever read the device is as good as a new one.
            (Some(pool), StepName::Connect) => pool.take(&self.name, self.target, self.pack.clone()).await,
            (Some(pool), _) => pool.open(&self.name, self.target, self.pack.clone()).await,
            (None, _) => {
                Session::open(&self.name, self.target, self.pack.clone(), &inputs.policy.limits, inputs.secrets).await
            }
        };
        let done = opened.map_err(|error| Failure::session(step, &error));
        self.end(step, began, done.as_ref().err());
        self.session = Some(done?);
        Ok(())
    }

    /// Leaves the session to those who look at the device meanwhile.
    async fn park(&mut self) {
        if let Some(pool) = &self.context.inputs.policy.pool
            && let Some(session) = self.session.take()
        {
            pool.give_back(&self.name, self.target, session).await;
        }
    }

    /// Takes the session that was left, or a new one.
    async fn unpark(&mut self, step: StepName) -> Result<(), Failure> {
        if let (Some(pool), None) = (&self.context.inputs.policy.pool, &self.session) {
            let taken = pool.take(&self.name, self.target, self.pack.clone()).await;
            self.session = Some(taken.map_err(|error| Failure::session(step, &error))?);
        }
        Ok(())
    }

    /// Does a step of the manifest on the open session.
    pub(crate) async fn step(
        &mut self,
        name: StepName,
        step: &Step,
        more: &[(&'static str, &str)],
    ) -> Result<Vec<String>, Failure> {
        let began = self.begin(name);
        let mut variables = self.variables();
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let done = match &mut self.session {
            Some(session) => session.step(step, &variables).await.map_err(|error| Failure::session(name, &error)),
            None => Err(Failure::new(name, "there is no session")),
        };
        self.end(name, began, done.as_ref().err());
        done
    }

    /// Does a step that changes the device, between two lines of the journal. What sets a device free or puts it back is done
    /// also where the journal takes nothing any more.
    pub(crate) async fn changing_step(&mut self, name: StepName, step: &Step) -> Result<Vec<String>, Failure> {
        let undoes = matches!(name, StepName::Rollback | StepName::Unlock);
        match self.journal(name, Moment::Before).await {
            Err(failure) if !undoes => return Err(failure),
            Ok(()) | Err(_) => {}
        }
        let done = self.step(name, step, &[]).await;
        let moment = match &done {
            Ok(_) => Moment::Done,
            Err(failure) => Moment::Failed { reason: failure.reason.clone() },
        };
        match self.journal(name, moment).await {
            Err(failure) if !undoes => return Err(failure),
            Ok(()) | Err(_) => {}
        }
        done
    }

    /// Reads the running configuration; returns its digest and its texts.
    pub(crate) async fn read(&mut self, step: StepName) -> Result<(Digest, BTreeMap<String, String>), Failure> {
        let running = match &mut self.session {
            Some(session) => session.running().await.map_err(|error| Failure::session(step, &error))?,
            None => return Err(Failure::new(step, "there is no session")),
        };
        let files = running.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        Ok((configuration_digest(&self.pack, files, &self.context.secrets), running))
    }

    /// Lets the device say which transaction is on it, in its own words.
    pub(crate) async fn says_of_transaction(&mut self, step: StepName) -> Result<Vec<String>, Failure> {
        let pack = self.pack.clone();
        let variables = self.variables();
        match &mut self.session {
            Some(session) => session
                .step(&pack.manifest().transaction.status, &variables)
                .await
                .map_err(|error| Failure::session(step, &error)),
            None => Err(Failure::new(step, "there is no session")),
        }
    }

    /// Asks the device for the state of this transaction.
    pub(crate) async fn status(&mut self, step: StepName) -> Result<Status, Failure> {
        let outputs = self.says_of_transaction(step).await?;
        Status::read(&outputs.concat(), &self.transaction).ok_or_else(|| {
            Failure::new(step, format!("the device says of its transaction: {}", outputs.concat().trim()))
        })
    }

    fn not_cancelled(&self, step: StepName) -> Result<(), Failure> {
        if self.context.is_cancelled() { Err(Failure::new(step, "the push was cancelled")) } else { Ok(()) }
    }

    /// Brings what the other steps need to the device.
    pub(crate) async fn prepare_session(&mut self) -> Result<(), Failure> {
        if self.pack.manifest().transaction.prepare.is_none() {
            return Ok(());
        }
        let began = self.begin(StepName::Prepare);
        let prepared = match &mut self.session {
            Some(session) => session.prepare().await.map_err(|e| Failure::session(StepName::Prepare, &e)),
            None => Err(Failure::new(StepName::Prepare, "there is no session")),
        };
        self.end(StepName::Prepare, began, prepared.as_ref().err());
        prepared
    }

    /// From `connect` to `check`: nothing that counts is changed.
    pub(crate) async fn prepare(&mut self) -> Result<(), Failure> {
        let pack = self.pack.clone();
        let transaction = &pack.manifest().transaction;
        self.not_cancelled(StepName::Connect)?;
        self.connect(StepName::Connect).await?;
        self.prepare_session().await?;
        self.not_cancelled(StepName::Lock)?;
        self.lock().await?;
        let began = self.begin(StepName::Compare);
        let compared = match self.read(StepName::Compare).await {
            Ok((running, _)) if running == self.before => Ok(()),
            Ok((_, running)) => Err(Failure::new(
                StepName::Compare,
                format!(
                    "its running configuration changed after the plan was made{}: make a new plan",
                    self.moved(&running)
                ),
            )),
            Err(failure) => Err(failure),
        };
        self.end(StepName::Compare, began, compared.as_ref().err());
        compared?;
        if let Some(step) = &transaction.backup {
            self.step(StepName::Backup, step, &[]).await?;
        }
        for file in &pack.manifest().files {
            self.not_cancelled(StepName::Upload)?;
            let text = self.rendered.files.get(&file.name).map_or("", |file| file.text.as_str());
            self.step(StepName::Upload, &transaction.upload, &[("file", &file.name), ("text", text)]).await?;
        }
        if let Some(step) = &transaction.check {
            self.step(StepName::Check, step, &[]).await?;
        }
        Ok(())
    }

    /// Says which line is another one than when the plan was made.
    fn moved(&self, running: &BTreeMap<String, String>) -> String {
        let inputs = self.context.inputs;
        let planned = inputs.plan.devices.get(&self.name).map(|device| &device.change);
        let now = weft_plan::change(&self.pack, self.rendered, running, &self.context.secrets);
        let line = planned.and_then(|planned| weft_plan::moved_line(planned, &now));
        line.map(|line| format!(" ({})", line.words())).unwrap_or_default()
    }

    /// Takes the lock of the device, also from transactions whose controllers are dead.
    async fn lock(&mut self) -> Result<(), Failure> {
        let pack = self.pack.clone();
        let transaction = &pack.manifest().transaction;
        // A lock outlives its controller.
        self.journal(StepName::Lock, Moment::Before).await?;
        let mut locked = self.step(StepName::Lock, &transaction.lock, &[]).await;
        let dead = self.lease.as_ref().map(|lease| lease.dead().to_vec()).unwrap_or_default();
        if matches!(&locked, Err(failure) if !failure.unreachable) && !dead.is_empty() {
            for dead in dead {
                // The device refuses unless it is this one's lock, and also while it waits for that one's confirmation.
                if self.step(StepName::Unlock, &transaction.unlock, &[("transaction", &dead)]).await.is_ok() {
                    self.journal(StepName::Lock, Moment::TakenOver { from: dead }).await?;
                }
            }
            locked = self.step(StepName::Lock, &transaction.lock, &[]).await;
        }
        // A lock whose answer was lost may be ours all the same.
        self.locked = !matches!(&locked, Err(failure) if !failure.unreachable);
        locked?;
        if let Some(lease) = &mut self.lease {
            lease.settled();
        }
        Ok(())
    }

    /// From `arm` to the read-back: afterwards the device runs the new configuration and waits for `confirm`.
    pub(crate) async fn change(&mut self) -> Result<(), Failure> {
        let pack = self.pack.clone();
        let transaction = &pack.manifest().transaction;
        self.not_cancelled(StepName::Arm)?;
        match &transaction.arm {
            Arm::Step(step) => {
                self.armed_at = Some(Instant::now());
                self.changing_step(StepName::Arm, step).await?;
                self.not_cancelled(StepName::Apply)?;
            }
            Arm::Apply { .. } => self.armed_at = Some(Instant::now()),
        }
        if let Some(drain) =
            transaction.drain.as_ref().filter(|_| self.context.inputs.policy.drain.contains(&self.name))
        {
            self.changing_step(StepName::Drain, drain).await?;
            self.not_cancelled(StepName::Apply)?;
        }
        self.applied = true;
        self.changing_step(StepName::Apply, &transaction.apply).await?;
        // The old session proves nothing about reaching the device again.
        self.connect(StepName::Reconnect).await?;
        if let Some(step) = &transaction.health {
            self.step(StepName::Health, step, &[]).await?;
        }
        let began = self.begin(StepName::ReadBack);
        let read = self.read_back(began + READ_BACK_LIMIT).await;
        self.end(StepName::ReadBack, began, read.as_ref().err());
        if read.is_ok() {
            self.park().await;
        }
        read
    }

    /// Waits until the running configuration is the intended one.
    async fn read_back(&mut self, deadline: Instant) -> Result<(), Failure> {
        loop {
            let (digest, running) = self.read(StepName::ReadBack).await?;
            if digest == self.intended {
                return Ok(());
            }
            if Instant::now() >= deadline || self.context.is_cancelled() {
                let difference = self.difference(&running);
                return Err(Failure::new(StepName::ReadBack, format!("it does not run what was pushed:{difference}")));
            }
            tokio::time::sleep(READ_BACK_INTERVAL).await;
        }
    }

    /// Says in a few lines how the running texts differ from the intended ones.
    pub(crate) fn difference(&self, running: &BTreeMap<String, String>) -> String {
        const MOST: usize = 20;
        let mut words = String::new();
        for (name, file) in &self.rendered.files {
            let secrets = &self.context.secrets;
            let running = secrets.comparable(running.get(name).map_or("", String::as_str));
            let intended = secrets.comparable(&file.text);
            let (running, intended) = (self.pack.normalise(name, &running), self.pack.normalise(name, &intended));
            if let Some(change) = weft_plan::compare_texts(name, &running, &intended, secrets) {
                for line in change.diff.lines().take(MOST) {
                    words.push('\n');
                    words.push_str(line);
                }
            }
        }
        words
    }

    /// Makes the change final, and asks the device whether it is.
    pub(crate) async fn confirm(&mut self) -> Result<(), Failure> {
        let pack = self.pack.clone();
        self.not_cancelled(StepName::Confirm)?;
        self.unpark(StepName::Confirm).await?;
        // Until the answer is known the change may be final.
        self.confirmed = true;
        let step = &pack.manifest().transaction.confirm;
        if let Err(failure) = self.changing_step(StepName::Confirm, step).await {
            // A confirmation whose answer was lost may have arrived; only the device knows.
            if !failure.unreachable {
                return Err(failure);
            }
            self.connect(StepName::Confirm).await?;
        }
        match self.status(StepName::Confirm).await? {
            Status::Confirmed => Ok(()),
            Status::Armed if !self.context.is_cancelled() => {
                self.changing_step(StepName::Confirm, step).await?;
                match self.status(StepName::Confirm).await? {
                    Status::Confirmed => Ok(()),
                    other => Err(Failure::new(StepName::Confirm, format!("the device says {other:?} after confirm"))),
                }
            }
            other => Err(Failure::new(StepName::Confirm, format!("the device says {other:?} after confirm"))),
        }
    }

    /// Gives the device free; that it cannot be said is no failure, since the lock belongs to this transaction alone, and the
    /// next one hears of it by the lease.
    pub(crate) async fn unlock(&mut self) {
        if self.locked {
            let pack = self.pack.clone();
            let step = &pack.manifest().transaction.unlock;
            let mut done = self.changing_step(StepName::Unlock, step).await;
            // The session may be what failed before, and to unlock twice does no harm.
            if matches!(&done, Err(failure) if failure.unreachable) || self.session.is_none() {
                done = match self.connect(StepName::Unlock).await {
                    Ok(()) => self.changing_step(StepName::Unlock, step).await,
                    Err(failure) => Err(failure),
                };
            }
            self.locked = done.is_err();
        }
        // What went well left nothing behind in the session; of anything else nobody knows.
        if self.confirmed && !self.locked && self.failure.is_none() {
            self.park().await;
        }
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    /// Settles what became of the device.
    pub(crate) fn settle(&mut self, result: DeviceResult) {
        self.context.observer.event(&PushEvent::DeviceEnds { device: self.name.clone(), result: result.clone() });
        self.result = Some(result);
    }

    pub(crate) fn report(mut self) -> (NodeName, DeviceReport) {
        if let (true, Some(lease)) = (self.locked, &mut self.lease) {
            lease.leave_locked(&self.context.transaction);
        }
        let line = self.failure.as_ref().and_then(|failure| match failure.step {
            StepName::Upload | StepName::Check | StepName::Arm | StepName::Apply | StepName::Health => {
                NamedLine::find(&failure.reason, self.rendered)
            }
            _ => None,
        });
        let result = self.result.unwrap_or(DeviceResult::Skipped { reason: "its turn did not come".into() });
        (self.name, DeviceReport { result, line, steps: self.steps })
    }
}

/// The state of our transaction on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// None at all.
    None,
    /// One of somebody else.
    Other,
    Locked,
    Armed,
    Confirmed,
    RolledBack,
}

impl Status {
    fn read(text: &str, transaction: &str) -> Option<Self> {
        let (status, id) = Self::of_device(text)?;
        Some(if id.is_some_and(|id| id != transaction) { Self::Other } else { status })
    }

    /// Reads what a device says of the transaction that is on it: the state, and the id where there is one.
    pub(crate) fn of_device(text: &str) -> Option<(Self, Option<&str>)> {
        text.lines().rev().find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (state, id) = match words.as_slice() {
                ["none"] => return Some((Self::None, None)),
                [state, id] => (*state, *id),
                _ => return None,
            };
            let status = match state {
                "locked" => Self::Locked,
                "armed" => Self::Armed,
                "confirmed" => Self::Confirmed,
                "rolled-back" => Self::RolledBack,
                _ => return None,
            };
            Some((status, Some(id)))
        })
    }
}
