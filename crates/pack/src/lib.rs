//! A device operating system as data: manifest, templates, parsers.

pub mod manifest;
mod rendered;

pub use manifest::Manifest;
pub use rendered::{Rendered, RenderedFile};
