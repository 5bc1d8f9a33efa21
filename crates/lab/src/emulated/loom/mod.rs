//! loom, the switch OS of the emulated lab: its configuration language, datastores, transactions and command line.

mod cli;
mod datastore;
pub(crate) mod parser;
mod ping;
mod print;
mod show;

pub(crate) use cli::{Cli, Reply};
pub(crate) use datastore::{Configuration, Datastore};
pub(crate) use ping::from_host as ping_from_host;
pub(crate) use print::print;
