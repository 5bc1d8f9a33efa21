//! A device operating system as data: manifest, templates, parsers.
//!
//! A [`Pack`] is a folder of `device-templates/`. It renders a device's configuration, each line with the intents behind it,
//! renders the commands of a transaction, and reads what a device prints into state. The folder holds:
//!
//! - `manifest.yaml`: see [`Manifest`];
//! - `templates/*.j2`: the sections of the configuration files;
//! - `parsers/*.j2`: from what a command prints to a part of the state;
//! - `files/*`: what `prepare` brings to the device;
//! - `cases/render/*`, `cases/parse/*`: examples that tests run;
//! - `README.md`: quirks and the versions that were tried.

pub mod codes;
mod command;
mod environment;
mod filters;
mod lint;
mod load;
pub mod manifest;
mod normalise;
mod parse;
mod ports;
mod provenance;
mod render;
mod rendered;

pub use command::{PackError, RenderedCommand, Variables};
pub use load::Pack;
pub use manifest::Manifest;
pub use parse::StatePart;
pub use rendered::{Rendered, RenderedFile};
