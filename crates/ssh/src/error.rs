//! What can go wrong between Weft and a device. Refused, timed out, lost and rejected are different things.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use weft_model::{NodeName, PackName, SecretRef};

use crate::HostKeyProblem;

/// A failure of the connection to a device.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// Nothing listens there.
    #[error("{device}: connection refused by {address}: no SSH server listens there")]
    Refused {
        /// The device.
        device: NodeName,
        /// Where it was tried.
        address: SocketAddr,
    },
    /// The device cannot be reached.
    #[error("{device}: connect to {address}: {source}")]
    Unreachable {
        /// The device.
        device: NodeName,
        /// Where it was tried.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The name of a jump host has no address.
    #[error("{device}: look up {name}: {reason}")]
    Name {
        /// The device.
        device: NodeName,
        /// The name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The network namespace from which the connection starts cannot be entered.
    #[error("{device}: enter the network namespace {}: {source}", path.display())]
    NetworkNamespace {
        /// The device.
        device: NodeName,
        /// The namespace's file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Something took longer than it may.
    #[error("{device}: waited {} s for {waited_for}", limit.as_secs_f64())]
    TimedOut {
        /// The device.
        device: NodeName,
        /// What did not come.
        waited_for: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The connection ended while it was in use.
    #[error("{device}: connection lost {during}: {reason}")]
    Lost {
        /// The device.
        device: NodeName,
        /// What was going on, such as `while "show version" ran`.
        during: String,
        /// How it was noticed.
        reason: String,
    },
    /// The device's host key is not one that is trusted.
    #[error("{device}: {problem}")]
    HostKey {
        /// The device.
        device: NodeName,
        /// What is wrong with it and how to accept it.
        problem: Box<HostKeyProblem>,
    },
    /// The file with the trusted host keys cannot be used.
    #[error("{device}: read the known hosts {}: {reason}", path.display())]
    KnownHosts {
        /// The device.
        device: NodeName,
        /// The file.
        path: PathBuf,
        /// Why, with the line where it is one.
        reason: String,
    },
    /// The private key cannot be used.
    #[error("{device}: use the private key {}: {reason}", path.display())]
    Identity {
        /// The device.
        device: NodeName,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The device does not take our key.
    #[error("{device}: log in as `{user}`: {reason}")]
    Authentication {
        /// The device.
        device: NodeName,
        /// The user.
        user: String,
        /// What was tried and how it ended.
        reason: String,
    },
    /// A command ended without an exit status: it was killed, or the device forgot.
    #[error("{device}: `{command}` ended without an exit status{}", signal.as_ref().map(|s| format!(": killed by signal {s}")).unwrap_or_default())]
    NoExitStatus {
        /// The device.
        device: NodeName,
        /// The command.
        command: String,
        /// The signal that killed it, where the device says so.
        signal: Option<String>,
    },
    /// A jump host on the way to the device cannot be used.
    #[error("{device}: on the way, at the jump host {hop}: {}", source.to_string().strip_prefix(&format!("{device}: ")).unwrap_or(&source.to_string()))]
    Jump {
        /// The device.
        device: NodeName,
        /// The jump host, as the inventory names it.
        hop: String,
        /// Why; the devices behind it share it.
        source: Arc<SshError>,
    },
    /// A jump host does not lead further.
    #[error("{device}: the jump host {hop} does not connect to {to}: {reason}")]
    Forward {
        /// The device.
        device: NodeName,
        /// The jump host, as the inventory names it.
        hop: String,
        /// Where it was to connect to.
        to: String,
        /// What it says.
        reason: String,
    },
    /// The password has no value.
    #[error("{device}: log in as `{user}`: {source}")]
    Password {
        /// The device.
        device: NodeName,
        /// The user.
        user: String,
        /// Which secret, and why.
        source: Box<SecretError>,
    },
    /// The two ends do not understand each other.
    #[error("{device}: SSH {during}: {source}")]
    Protocol {
        /// The device.
        device: NodeName,
        /// What was going on.
        during: String,
        /// What the SSH library says.
        source: Box<russh::Error>,
    },
}

impl SshError {
    /// Says whether the device could not be reached or was lost, as opposed to having answered in a way that is wrong.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Lost { .. }
            | Self::Name { .. }
            | Self::Forward { .. } => true,
            Self::Jump { source, .. } => source.is_unreachable(),
            Self::NetworkNamespace { .. }
            | Self::HostKey { .. }
            | Self::KnownHosts { .. }
            | Self::Identity { .. }
            | Self::Authentication { .. }
            | Self::Password { .. }
            | Self::NoExitStatus { .. }
            | Self::Protocol { .. } => false,
        }
    }
}

/// Why a secret has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It is not there, or cannot be read.
    #[error("the secret {reference} has no value: {reason}")]
    Missing {
        /// The secret.
        reference: SecretRef,
        /// Why not, and what to do.
        reason: String,
    },
    /// It cannot stand in a configuration.
    #[error("the secret {0} cannot stand in a configuration: {1}")]
    Unusable(SecretRef, &'static str),
}

impl SecretError {
    /// Returns that a secret has no value, and why.
    pub fn missing(reference: &SecretRef, reason: impl Into<String>) -> Self {
        Self::Missing { reference: reference.clone(), reason: reason.into() }
    }
}

/// A failure of a session with a device.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The connection failed.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// The device refused a command.
    #[error("{device}: `{command}` was rejected{}: {words}", status.map(|s| format!(" (exit status {s})")).unwrap_or_default())]
    Rejected {
        /// The device.
        device: NodeName,
        /// The command, secrets left out.
        command: String,
        /// The exit status, where the transport has one.
        status: Option<u32>,
        /// The device's own words, secrets left out.
        words: String,
    },
    /// The pack cannot say what to send.
    #[error("{device}: pack `{pack}`: {reason}")]
    Pack {
        /// The device.
        device: NodeName,
        /// The pack.
        pack: PackName,
        /// Why.
        reason: String,
    },
    /// A secret has no value.
    #[error("{device}: {source}")]
    Secret {
        /// The device.
        device: NodeName,
        /// Which one and why.
        source: SecretError,
    },
}

impl SessionError {
    /// Says whether the device could not be reached or was lost.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Ssh(error) => error.is_unreachable(),
            Self::Rejected { .. } | Self::Pack { .. } | Self::Secret { .. } => false,
        }
    }
}
