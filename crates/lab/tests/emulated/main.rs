//! The emulated lab, driven from outside: over SSH and over its control socket.
#![allow(clippy::unwrap_used, reason = "a failure ends the run")]

mod example;
mod fabric;
mod faults;
mod ssh;
mod transactions;
