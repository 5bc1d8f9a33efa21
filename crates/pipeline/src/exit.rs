//! What a run means for the process that ran it.

use crate::run::{DeviceResult, Recovery, RunRecord, RunState, StageName, StageState};

/// The exit codes of the command `weft`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitCode {
    /// All is as it should be.
    Success = 0,
    /// There are findings that are errors, or intents that are not kept.
    Findings = 1,
    /// The command cannot be understood.
    Usage = 2,
    /// A device could not be changed; it is back on its former configuration, or the report says that it is not known.
    NotChanged = 3,
    /// Weft itself, or the machine that it runs on, could not do its work.
    Internal = 4,
    /// The plan waits for the approval of people; nothing was changed.
    Waiting = 5,
}

impl ExitCode {
    /// Returns the exit code of a run that has ended.
    pub fn of(record: &RunRecord) -> Self {
        let not_changed = record.devices.values().any(|device| {
            matches!(device.result, DeviceResult::RolledBack | DeviceResult::Refused | DeviceResult::Failed)
        });
        // A push that could not begin leaves every device planned.
        let began = record.devices.values().all(|device| device.result != DeviceResult::Planned);
        let failed = record.stages.iter().find(|stage| stage.state == StageState::Failed);
        // An abort does what it is to do when nothing of the run is left.
        if record.attempts.last().is_some_and(|attempt| attempt.what == Recovery::Abort && attempt.ended.is_some()) {
            let of_plan = record.devices.values().filter(|device| device.wave.is_some());
            return match of_plan.map(|device| device.result).max() {
                Some(DeviceResult::Failed) => Self::NotChanged,
                _ if record.devices.values().any(|device| device.result == DeviceResult::Changed) => Self::Findings,
                _ => Self::Success,
            };
        }
        match record.state {
            RunState::Succeeded => Self::Success,
            RunState::RolledBack => Self::NotChanged,
            RunState::Failed | RunState::Cancelled if not_changed => Self::NotChanged,
            RunState::Failed => match failed {
                Some(stage) if stage.name == StageName::Push && stage.findings.is_empty() && began => Self::NotChanged,
                Some(stage) if stage.error.is_some() => Self::Internal,
                Some(_) | None => Self::Findings,
            },
            RunState::Cancelled => Self::Findings,
            RunState::Waiting => Self::Waiting,
            RunState::Queued | RunState::Running | RunState::Interrupted => Self::Internal,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        (code as u8).into()
    }
}
