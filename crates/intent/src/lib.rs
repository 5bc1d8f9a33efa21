//! Text to typed intents with spans: schema check and semantic validation against the topology graph.

mod set;
pub mod spec;

pub use set::{Document, Intent, IntentSet, Metadata};
