//! Values of documents as values of expressions, and back as text.

use std::collections::HashMap;

use cel::{
    Value,
    objects::{Key, Map},
};
use serde_json::Value as Json;

/// Returns a value of a document as one of an expression. Whole numbers are `int`, as they are written in expressions.
pub(crate) fn from_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Value::Int(number),
            (None, Some(number), _) => Value::UInt(number),
            (None, None, number) => Value::Float(number.unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::List(items.iter().map(from_json).collect::<Vec<_>>().into()),
        Json::Object(entries) => {
            let entries: HashMap<Key, Value> =
                entries.iter().map(|(key, value)| (Key::from(key.as_str()), from_json(value))).collect();
            Value::Map(Map::from(entries))
        }
    }
}

/// Most characters of a value that a message shows.
const MOST_SHOWN: usize = 120;

/// Returns a value as a message shows it: text as it is, everything else as JSON, cut, on one line.
pub(crate) fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.to_string(),
        Value::UInt(number) => number.to_string(),
        value => value.json().map_or_else(|_| "?".to_owned(), |json| sorted(json).to_string()),
    };
    let mut line = one_line(&text);
    if let Some((at, _)) = line.char_indices().nth(MOST_SHOWN) {
        line.truncate(at);
        line.push_str("...");
    }
    line
}

/// Maps of expressions have no order of their own.
fn sorted(value: Json) -> Json {
    match value {
        Json::Object(entries) => {
            let mut entries: Vec<(String, Json)> =
                entries.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Json::Object(entries.into_iter().collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value,
    }
}

/// Returns text on one line and without control characters.
pub(crate) fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
