//! The only crate that opens a connection to a device.
//!
//! A [`Connection`] runs commands, each in a channel of its own. A [`Shell`] talks to an interactive command line. A
//! [`Session`] is a connection together with the pack of the device's OS: it knows the steps of a change, what can be
//! read, and which secrets belong into the text. Every wait has a limit and says what it waited for.

mod authentication;
mod connection;
mod error;
mod inventory;
mod known_hosts;
mod limits;
mod secret;
mod session;
mod shell;
mod signature;
mod tcp;

pub use authentication::login_key;
pub use connection::{Connection, ExecOutput};
pub use error::{SecretError, SessionError, SshError};
pub use inventory::{Inventory, Target};
pub use known_hosts::{HostKeyProblem, KnownHosts};
pub use limits::Limits;
pub use secret::{
    DigestKey, DigestKeyError, EncryptError, EncryptedFile, SecretStore, SecretValue, Secrets, digests, references,
    reveal,
};
pub use session::{PingResult, Session};
pub use shell::{Answer, Shell, ShellRules};
pub use signature::{AllowedSigners, SignError, Signed, SignersError, VerifyError, sign};
