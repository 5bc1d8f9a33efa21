//! The typed intents of a file set, each with the document it was read from.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_diagnostics::SourceSpan;
use weft_model::{IntentRef, Name, Source};

use crate::spec::{
    BaselineSpec, FabricSpec, PeeringSpec, PoolsSpec, ReachabilitySpec, SegmentSpec, TopologySpec, UnderlaySpec,
};

/// What every intent says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The name, unique among the intents of its kind.
    #[schemars(with = "String")]
    pub name: Name,
    /// Labels, for people and for selectors.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What the intent is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<String>,
}

/// Where each value of a YAML document stands.
#[derive(Debug, Clone)]
pub struct Document {
    /// The file.
    pub file: Arc<str>,
    /// The place of the document's first key.
    pub start: SourceSpan,
    /// The place of each value by its JSON pointer (RFC 6901): `/spec/leaf/count`. The root is the empty pointer.
    pub values: BTreeMap<String, SourceSpan>,
    /// The place of each mapping key by the JSON pointer of its value.
    pub keys: BTreeMap<String, SourceSpan>,
}

impl Document {
    /// Returns the place of the value at `pointer`, or of the nearest value around it that is written out.
    pub fn span(&self, pointer: &str) -> SourceSpan {
        let mut pointer = pointer;
        loop {
            if let Some(span) = self.values.get(pointer) {
                return span.clone();
            }
            match pointer.rfind('/') {
                Some(at) => pointer = &pointer[..at],
                None => return self.start.clone(),
            }
        }
    }
}

/// An intent whose spec has type `S`.
#[derive(Debug, Clone)]
pub struct Intent<S> {
    /// Its kind and name.
    pub reference: IntentRef,
    /// What it says of itself.
    pub metadata: Metadata,
    /// What it asks for.
    pub spec: S,
    /// Where it stands.
    pub document: Arc<Document>,
}

impl<S> Intent<S> {
    /// Returns the source that names the whole intent, at its first line.
    pub fn source(&self) -> Source {
        Source { intent: self.reference.clone(), file: self.document.file.clone(), line: self.document.start.line }
    }

    /// Returns the source that names the line of the value at a JSON pointer, such as `/spec/leaf`.
    pub fn source_at(&self, pointer: &str) -> Source {
        Source { line: self.document.span(pointer).line, ..self.source() }
    }
}

/// The intents of a file set, by kind and name.
#[derive(Debug, Clone, Default)]
pub struct IntentSet {
    /// Fabrics.
    pub fabrics: BTreeMap<Name, Intent<FabricSpec>>,
    /// Topologies.
    pub topologies: BTreeMap<Name, Intent<TopologySpec>>,
    /// Pools.
    pub pools: BTreeMap<Name, Intent<PoolsSpec>>,
    /// Underlays.
    pub underlays: BTreeMap<Name, Intent<UnderlaySpec>>,
    /// Segments.
    pub segments: BTreeMap<Name, Intent<SegmentSpec>>,
    /// Peerings.
    pub peerings: BTreeMap<Name, Intent<PeeringSpec>>,
    /// Reachability.
    pub reachabilities: BTreeMap<Name, Intent<ReachabilitySpec>>,
    /// Baselines.
    pub baselines: BTreeMap<Name, Intent<BaselineSpec>>,
}
