//! Putting a device back, and proving it.

use std::time::{Duration, Instant};

use crate::{
    DeviceResult, Moment, StepName,
    context::Failure,
    device::{Device, Status},
};

/// What a device may need beyond `seconds` to go back and to be reached again.
pub(crate) const MARGIN: Duration = Duration::from_secs(20);
/// How long is waited between two tries.
pub(crate) const INTERVAL: Duration = Duration::from_millis(500);

impl Device<'_> {
    /// Puts the device back to what it ran before. Returns only when that is proved, or when the device's own timer must
    /// have run out: then nobody knows what it runs, and the result says so.
    pub(crate) async fn restore(&mut self, cause: &Failure) -> DeviceResult {
        let own_timer = Duration::from_secs(self.context.inputs.policy.confirm_seconds.into()) + MARGIN;
        let armed_at = self.armed_at.unwrap_or_else(Instant::now);
        // A confirmed device has no timer; it is given as long from now.
        let deadline = if self.confirmed { Instant::now() } else { armed_at } + own_timer;
        let (step, reason) = (cause.step, cause.reason.clone());
        let mut told = false;
        loop {
            let last = match self.put_back(&mut told).await {
                Ok(status) => {
                    self.unlock().await;
                    let journal = self.journal(StepName::Rollback, Moment::Done).await;
                    let reason = match journal {
                        Ok(()) => reason,
                        Err(failure) => format!("{reason}; {}", failure.reason),
                    };
                    // A device that is locked and no more has never begun to change.
                    let applied = self.applied && status != Status::Locked;
                    return match (told, applied) {
                        (true, _) => DeviceResult::RolledBack { step, reason },
                        (false, true) => DeviceResult::WentBackByItself { step, reason },
                        (false, false) => DeviceResult::FailedBeforeChange { step, reason },
                    };
                }
                Err(failure) => failure,
            };
            if Instant::now() >= deadline {
                let words = format!(
                    "{reason}; and it could not be put back: {} (tried until {} s after it was armed)",
                    last.reason,
                    armed_at.elapsed().as_secs()
                );
                // The result says the same, whether or not the journal takes it.
                let _ = self.journal(StepName::Rollback, Moment::Failed { reason: words.clone() }).await;
                self.session = None;
                return DeviceResult::Unknown { step, reason: words };
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// One try. It succeeds when the device runs what it ran before and no timer is ticking; returns what the device said of the
    /// transaction at the beginning.
    async fn put_back(&mut self, told: &mut bool) -> Result<Status, Failure> {
        let pack = self.pack.clone();
        let rollback = &pack.manifest().transaction.rollback;
        // Always by a new session: the old one may be the reason.
        self.connect(StepName::Rollback).await?;
        if self.confirmed && !self.locked {
            self.step(StepName::Lock, &pack.manifest().transaction.lock, &[]).await?;
            self.locked = true;
        }
        let status = self.status(StepName::Rollback).await?;
        match status {
            Status::RolledBack => {}
            Status::None | Status::Locked | Status::Armed | Status::Confirmed => {
                let (running, _) = self.read(StepName::Rollback).await?;
                let ticking = self.status(StepName::Rollback).await? == Status::Armed;
                if ticking || running != self.before {
                    *told = true;
                    self.changing_step(StepName::Rollback, rollback).await?;
                }
            }
            Status::Other => {
                return Err(Failure::new(StepName::Rollback, "another transaction is on the device"));
            }
        }
        let (running, _) = self.read(StepName::Rollback).await?;
        if running == self.before {
            Ok(status)
        } else {
            Err(Failure::new(StepName::Rollback, "it does not run what it ran before"))
        }
    }
}
