//! The schemas of the documents of a project.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use weft_guardrail::PolicyDocument;
use weft_intent::schema;
use weft_model::IntentKind;
use weft_pipeline::{
    definition::PipelineDocument,
    source::{INTENTS, LOCK_FILE, PIPELINES, POLICIES},
};

/// Every schema, made once.
pub(crate) struct Schemas {
    kinds: BTreeMap<&'static str, Value>,
    intent: Value,
    policy: Value,
    pipeline: Value,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let mut intent = schema::intent();
        // Before its kind is written, an intent has these keys, too.
        intent["properties"]["metadata"] = json!({ "$ref": "#/$defs/Metadata" });
        intent["properties"]["spec"] = json!({ "type": "object", "description": "What the intent asks for." });
        Self {
            kinds: IntentKind::ALL.into_iter().map(|kind| (kind.title(), schema::of_kind(kind))).collect(),
            intent,
            policy: schema::of::<PolicyDocument>(),
            pipeline: schema::of::<PipelineDocument>(),
        }
    }

    /// Returns the schema of a document in the file at `path` that says it is of `kind`.
    pub(crate) fn of(&self, path: &str, kind: Option<&str>) -> Option<&Value> {
        let within = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        if within(INTENTS) && path != LOCK_FILE && !path.ends_with(".lock.yaml") {
            Some(kind.and_then(|kind| self.kinds.get(kind)).unwrap_or(&self.intent))
        } else if within(POLICIES) {
            Some(&self.policy)
        } else if within(PIPELINES) {
            Some(&self.pipeline)
        } else {
            None
        }
    }

    /// Returns what a kind of intent is for.
    pub(crate) fn about(&self, kind: &str) -> Option<&str> {
        self.kinds.get(kind)?.get("description")?.as_str()
    }
}
