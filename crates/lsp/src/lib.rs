//! The language server: findings as you type, completion, hover and definitions, for any editor that speaks the Language
//! Server Protocol.
//!
//! ```text
//! editor --didChange--> server --(newest texts)--> worker: reads the project, examines it, publishes findings
//!        --completion-> server: outline of the text, schema of its kind, index of the newest examined project
//! ```
//!
//! Nothing of a kind of intent is known here: keys and words come from the schemas, what a name refers to from its key.

mod completion;
mod definition;
mod documents;
mod findings;
mod hover;
mod index;
mod outline;
mod positions;
mod project;
mod reference;
mod schemas;
mod server;
mod view;

pub use server::{ServeError, serve};
