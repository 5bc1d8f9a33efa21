//! Why a command could not do its work, and the exit code that follows.

use std::fmt;

use weft_pipeline::ExitCode as Exit;

/// A failure that ends the command.
#[derive(Debug)]
pub(crate) struct Failure {
    error: anyhow::Error,
    exit: Exit,
}

impl Failure {
    /// Returns a failure that the user can put right: a missing file, an unknown name.
    pub(crate) fn of_input(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), exit: Exit::Findings }
    }

    /// Returns a failure of an argument.
    pub(crate) fn of_usage(message: impl Into<String>) -> Self {
        Self { error: anyhow::anyhow!(message.into()), exit: Exit::Usage }
    }

    /// Returns how the command ends.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), exit: Exit::Internal }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.error.to_string();
        f.write_str(&said)?;
        // An error that already ends in its cause's words does not need them twice.
        for cause in self.error.chain().skip(1).map(ToString::to_string) {
            if !said.contains(&cause) {
                write!(f, ": {cause}")?;
            }
            said = cause;
        }
        Ok(())
    }
}
