//! The only crate that opens a connection to a device.
//!
//! A [`Connection`] runs commands, each in a channel of its own. A [`Shell`] talks to an interactive command line. A
//! [`Session`] is a connection together with the pack of the device's OS: it knows the steps of a change, what can be
//! read, and which secrets belong into the text. A [`Pool`] keeps the sessions of a run, so that a device is logged in to
//! once, and bounds how many are used at the same time. Every wait has a limit and says what it waited for.

mod algorithms;
mod authentication;
mod connection;
mod dial;
mod error;
mod inventory;
mod jump;
mod known_hosts;
mod limits;
mod pool;
mod secret;
mod session;
mod shell;
mod signature;
mod tcp;

pub use algorithms::Algorithms;
pub use authentication::login_key;
pub use connection::{Connection, ExecOutput};
pub use error::{SecretError, SessionError, SshError};
pub use inventory::{Inventory, Target};
pub use jump::{Endpoint, Hop, JumpHost};
pub use known_hosts::{HostKeyProblem, KnownHosts};
pub use limits::Limits;
pub use pool::{Place, Pool};
pub use secret::{
    DigestKey, DigestKeyError, EncryptError, EncryptedFile, SecretStore, SecretValue, Secrets, digests, references,
    reveal,
};
pub use session::{PingResult, Session};
pub use shell::{Answer, Shell, ShellRules};
pub use signature::{AllowedSigners, SignError, Signed, SignersError, VerifyError, sign};
