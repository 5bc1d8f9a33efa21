//! How the command ends.

use std::process::ExitCode;

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Ok,
    /// Findings: mistakes in the input, changes that are refused, intents that do not hold.
    Findings,
    /// The command line is wrong.
    Usage,
    /// A device could not be changed, and what was changed has been rolled back.
    RolledBack,
    /// Something failed that is neither the user's nor a device's fault.
    Internal,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::RolledBack => 3,
            Exit::Internal => 4,
        })
    }
}
