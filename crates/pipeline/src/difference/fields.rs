//! Which values of an intent differ.

use serde::Serialize;
use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use weft_intent::document::flow;

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange {
    /// Where it stands: a JSON pointer (RFC 6901) into the second version, into the first one for a value that is removed.
    pub pointer: String,
    /// What it was; `None` where there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What it is; `None` where there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

impl FieldChange {
    /// Returns the change on one line: `/spec/leaf/count: 4 -> 5`.
    pub fn words(&self) -> String {
        let Self { pointer, old, new } = self;
        match (old, new) {
            (Some(old), Some(new)) => format!("{pointer}: {} -> {}", flow(old), flow(new)),
            (None, Some(new)) => format!("{pointer}: added {}", flow(new)),
            (Some(old), None) => format!("{pointer}: removed {}", flow(old)),
            (None, None) => pointer.clone(),
        }
    }
}

/// Returns the values that differ, the innermost that do: of a mapping its keys, of a list its items. Items that only moved
/// up or down because others came or went are the same.
pub fn field_changes(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare("", old, new, &mut changes);
    changes
}

fn compare(pointer: &str, old: &Value, new: &Value, changes: &mut Vec<FieldChange>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Object(was), Value::Object(is)) => {
            let mut keys: Vec<&String> = was.keys().chain(is.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                either(pointer, was.get(key), is.get(key), changes);
            }
        }
        (Value::Array(was), Value::Array(is)) => {
            // Values have no order and no hash; their texts do.
            let texts = |items: &[Value]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
            for op in capture_diff_slices(Algorithm::Myers, &texts(was), &texts(is)) {
                if matches!(op, DiffOp::Equal { .. }) {
                    continue;
                }
                let (from, to) = (op.old_range(), op.new_range());
                for step in 0..from.len().max(to.len()) {
                    let (old, new) = (was[from.clone()].get(step), is[to.clone()].get(step));
                    let index = if new.is_some() { to.start + step } else { from.start + step };
                    either(format!("{pointer}/{index}"), old, new, changes);
                }
            }
        }
        _ => either(pointer.to_owned(), Some(old), Some(new), changes),
    }
}

fn either(pointer: String, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<FieldChange>) {
    match (old, new) {
        (Some(old @ (Value::Object(_) | Value::Array(_))), Some(new))
            if std::mem::discriminant(old) == std::mem::discriminant(new) =>
        {
            compare(&pointer, old, new, changes);
        }
        (Some(old), Some(new)) if old == new => {}
        (old, new) => changes.push(FieldChange { pointer, old: old.cloned(), new: new.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(old: Value, new: Value) -> Vec<String> {
        field_changes(&old, &new).iter().map(FieldChange::words).collect()
    }

    #[test]
    fn the_innermost_values_are_named() {
        let old = json!({ "spec": { "leaf": { "count": 4, "pack": "frr" }, "mtu": 9100, "a/b": 1 } });
        let new = json!({ "spec": { "leaf": { "count": 5, "pack": "frr" }, "site": "b1", "a/b": 2 } });
        assert_eq!(
            words(old, new),
            ["/spec/a~1b: 1 -> 2", "/spec/leaf/count: 4 -> 5", "/spec/mtu: removed 9100", "/spec/site: added b1"]
        );
    }

    #[test]
    fn an_item_that_comes_first_does_not_make_all_others_differ() {
        let port = |name: &str| json!({ "port": name, "mtu": 1500 });
        let old = json!([port("a"), port("b"), port("c")]);
        let new = json!([port("x"), port("a"), { "port": "b", "mtu": 9000 }, port("c")]);
        assert_eq!(words(old.clone(), new), ["/0: added { mtu: 1500, port: x }", "/2/mtu: 1500 -> 9000"]);
        assert_eq!(
            words(old, json!([port("c")])),
            ["/0: removed { mtu: 1500, port: a }", "/1: removed { mtu: 1500, port: b }"]
        );
    }

    #[test]
    fn a_value_of_another_type_is_a_change_of_the_whole() {
        assert_eq!(words(json!({ "a": [1] }), json!({ "a": { "b": 1 } })), ["/a: [1] -> { b: 1 }"]);
        assert_eq!(words(json!({ "a": null }), json!({ "a": null })), Vec::<String>::new());
    }
}
