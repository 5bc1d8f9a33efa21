//! What can go wrong in a lab.

use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

use weft_model::TerminationPoint;

/// Why something could not be done with a lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The machine lacks something.
    #[error("this machine cannot run a lab in network namespaces: {}", .0.join("; "))]
    Missing(Vec<String>),
    /// The topology cannot be built.
    #[error("the topology cannot be built: {0}")]
    Topology(String),
    /// There is a lab in the folder already.
    #[error("there is a lab in {} already", .0.display())]
    AlreadyUp(PathBuf),
    /// There is no lab in the folder.
    #[error("there is no lab in {}", .0.display())]
    NotUp(PathBuf),
    /// A namespace of this name is there, and this lab did not make it.
    #[error("network namespace {0} exists already: another lab has the same name")]
    NameTaken(String),
    /// A file operation failed.
    #[error("{operation} {}", path.display())]
    File {
        /// What was done.
        operation: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The state of the lab cannot be read.
    #[error("read the state of the lab in {}: {reason}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A text to be written does not come out.
    #[error("write {what}: {reason}")]
    Encode {
        /// Which.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// A program could not be started.
    #[error("start {program}")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// A program failed.
    #[error("{what}: {command} ended with {status}: {output}")]
    Command {
        /// What it was run for.
        what: String,
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        output: String,
    },
    /// A router did not boot.
    #[error("{node} did not boot: {reason}; its log: {log}")]
    Boot {
        /// The router.
        node: String,
        /// What happened.
        reason: String,
        /// What it printed.
        log: String,
    },
    /// A process does not end.
    #[error("process {pid} of {node} still runs {} s after it was killed", limit.as_secs())]
    StillRuns {
        /// Whose it is.
        node: String,
        /// Which.
        pid: i32,
        /// How long it was given.
        limit: Duration,
    },
    /// There is no such router or host.
    #[error("there is no `{0}` in the lab")]
    NoSuchNode(String),
    /// The port has no cable.
    #[error("no cable of the lab ends at {0}")]
    NoSuchCable(TerminationPoint),
    /// The router is off.
    #[error("{0} is down")]
    NodeDown(String),
    /// The thing has no management port or SSH server.
    #[error("{0} is not managed: it has no SSH server")]
    NotManaged(String),
    /// The routing suite has no such daemon.
    #[error("{node} has no daemon `{daemon}`; it has {}", known.join(", "))]
    NoSuchDaemon {
        /// The router.
        node: String,
        /// What was asked for.
        daemon: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A condition did not come true.
    #[error("{what} did not happen within {} s", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
}
