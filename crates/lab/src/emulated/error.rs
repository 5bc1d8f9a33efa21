//! What goes wrong with an emulated lab.

use std::{io, path::PathBuf};

/// Why something cannot be done with an emulated lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A lab runs there already.
    #[error("a lab runs in {} already: stop it first", dir.display())]
    AlreadyRunning {
        /// The folder of the lab.
        dir: PathBuf,
    },
    /// No lab runs there.
    #[error("no emulated lab runs in {}: {reason}", dir.display())]
    NotRunning {
        /// The folder of the lab.
        dir: PathBuf,
        /// What was tried.
        reason: String,
    },
    /// The cables and names do not fit together.
    #[error("the lab cannot be built: {0}")]
    Topology(String),
    /// An external router cannot start with its configuration.
    #[error("the external router {router} cannot start: {reason}")]
    ExternalRouter {
        /// The router.
        router: String,
        /// What is wrong with its configuration.
        reason: String,
    },
    /// A key pair cannot be made.
    #[error("make {what}: {reason}")]
    Key {
        /// The key.
        what: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// A file cannot be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// An SSH server cannot listen.
    #[error("listen for SSH to {device}")]
    Listen {
        /// The device.
        device: String,
        /// What the system says.
        source: io::Error,
    },
    /// The control socket cannot be made.
    #[error("make the control socket {}", path.display())]
    Control {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The lab does not answer, or not in its language.
    #[error("talk to the lab in {}: {reason}", dir.display())]
    Talk {
        /// The folder of the lab.
        dir: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The lab refuses what it was asked for.
    #[error("the lab refuses: {0}")]
    Refused(String),
}
