//! JSON Schemas (draft 2020-12), generated from the types that hold the values.

use std::marker::PhantomData;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use weft_model::IntentKind;

use crate::{kinds::each_kind, set::Metadata, spec};

/// The version of the intent language.
pub const API_VERSION: &str = "weft/v1";

/// Returns the JSON Schema of `T`, with the keys of every object sorted.
pub fn of<T: JsonSchema>() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    refine(&mut schema);
    sorted(schema)
}

/// Returns the JSON Schema of one kind of intent: of the whole document, not only its `spec`.
pub fn of_kind(kind: IntentKind) -> Value {
    macro_rules! schemas {
        ($($kind:ident, $spec:ident, $field:ident;)*) => {
            match kind {
                $(IntentKind::$kind => envelope::<spec::$spec>(kind),)*
            }
        };
    }
    each_kind!(schemas)
}

/// Returns the JSON Schema of any intent, for editors: `kind` decides which of the others holds.
pub fn intent() -> Value {
    let mut definitions = Map::new();
    let mut choices = Vec::new();
    for kind in IntentKind::ALL {
        let Value::Object(mut schema) = of_kind(kind) else { continue };
        schema.remove("$schema");
        if let Some(Value::Object(inner)) = schema.remove("$defs") {
            definitions.extend(inner);
        }
        let name = kind.title();
        definitions.insert(name.to_owned(), Value::Object(schema));
        choices.push(json!({
            "if": { "properties": { "kind": { "const": name } }, "required": ["kind"] },
            "then": { "$ref": format!("#/$defs/{name}") },
        }));
    }
    sorted(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Intent",
        "description": "One intent of Weft.",
        "type": "object",
        "properties": {
            "apiVersion": { "const": API_VERSION },
            "kind": { "enum": IntentKind::ALL.map(IntentKind::title) },
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "allOf": choices,
        "$defs": definitions,
    }))
}

/// A document that holds one intent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Intent")]
pub(crate) struct Envelope<S> {
    /// The version of the intent language.
    pub(crate) api_version: String,
    /// The kind of the intent.
    pub(crate) kind: String,
    /// What the intent says of itself.
    pub(crate) metadata: Metadata,
    /// What the intent asks for.
    pub(crate) spec: S,
    #[serde(skip)]
    of: PhantomData<S>,
}

fn envelope<S: JsonSchema>(kind: IntentKind) -> Value {
    let mut schema = of::<Envelope<S>>();
    schema["title"] = json!(kind.title());
    for (key, value) in [("apiVersion", API_VERSION), ("kind", kind.title())] {
        let property = &mut schema["properties"][key];
        property["const"] = json!(value);
    }
    if let Some(description) = schema.pointer(&format!("/$defs/{}Spec/description", kind.title())).cloned() {
        schema["description"] = description;
    }
    sorted(schema)
}

/// Adds the limits that the formats of numbers imply: formats of numbers are not checked.
fn refine(schema: &mut Value) {
    match schema {
        Value::Object(keys) => {
            if keys.get("format").and_then(Value::as_str) == Some("uint32") && !keys.contains_key("maximum") {
                keys.insert("maximum".to_owned(), json!(u32::MAX));
            }
            keys.values_mut().for_each(refine);
        }
        Value::Array(items) => items.iter_mut().for_each(refine),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Sorts the keys of every object: their order must not depend on how serde_json was built.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(keys) => {
            let mut keys: Vec<(String, Value)> = keys.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            keys.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(keys.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
