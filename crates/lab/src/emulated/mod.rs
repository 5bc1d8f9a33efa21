//! The emulated lab: every switch is an SSH server on a loopback port, in one process, without root.
//!
//! A switch runs loom, a switch OS with an interactive command line, a candidate configuration and commits that go back
//! unless they are confirmed. What it does follows from the text that it was sent: the text is parsed by loom's own parser,
//! and the routes of all switches are computed from what they run and from the lab's cables ([`weft_simulate`]). Nothing is
//! taken from whoever made the text.
//!
//! ```text
//! SSH (server) -> terminal (shell) -> command line (loom::cli) -> datastores (loom::datastore)
//!                                                             -> state of the fabric (fabric) -> weft_simulate
//! control socket (control) -> faults, status, commands by hand
//! ```
//!
//! [`Lab::start`] starts one; other processes reach it with [`Client`].

mod control;
mod error;
mod fabric;
mod lab;
mod loom;
mod server;
mod shared;
mod shell;

pub use control::{Client, DeviceStatus, Executed, Status};
pub use error::LabError;
pub use lab::{Lab, LabTopology};
