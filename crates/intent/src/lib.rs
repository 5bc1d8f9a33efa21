//! Text to typed intents with spans: schema check and semantic validation against the topology graph.
//!
//! [`load`] reads YAML files into an [`IntentSet`]; [`validate`] checks what the intents say together and builds the
//! topology graph. Both report every mistake of a file set in one go, each once, at the place that causes it.
//! [`document`] is the loader beneath, for other kinds of file: one text to documents with places, one document to a
//! type with a JSON Schema. [`mod@reference`] tells of the kinds and their keys.

pub mod codes;
pub mod document;
mod formats;
mod kinds;
mod load;
pub mod reference;
pub mod schema;
mod secret;
mod set;
pub mod shape;
mod source;
pub mod spec;
pub mod suggest;
mod validate;

pub use document::Document;
pub use load::load;
pub use set::{Intent, IntentSet, Metadata, Rejected, Written};
pub use source::SourceFile;
pub use validate::validate;
