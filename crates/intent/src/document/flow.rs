//! Writes values as YAML on one line, in the style of the intents.

use serde_json::Value;

use super::scalar;

/// Returns a value as YAML on one line, such as `{ count: 2, pack: frr }`: what [`super::parse`] reads back as the value.
pub fn flow(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{}: {}", quoted(key), flow(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// Returns a text as YAML: as it is where no reader of YAML, old ones included, takes it for something else.
fn quoted(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@' | '+' | ' ');
    let plain = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(harmless)
        && !text.ends_with(' ')
        && matches!(scalar::plain(text), Value::String(_))
        && !["yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str())
        && (!text.starts_with('0') || text.contains(['.', '/']))
        && !text.chars().all(|c| c.is_ascii_digit() || c == '_');
    // A text of JSON is a double-quoted scalar of YAML.
    if plain { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::SourceFile;

    #[test]
    fn values_look_as_in_the_intents() {
        let value = json!({ "count": 2, "pack": "frr", "select": { "roles": ["spine"], "labels": {} } });
        assert_eq!(flow(&value), "{ count: 2, pack: frr, select: { labels: {}, roles: [spine] } }");
        for (text, written) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("64601-64619", "64601-64619"),
            ("Front ends", "Front ends"),
            ("leaf-01:swp1", "\"leaf-01:swp1\""),
            ("no", "\"no\""),
            ("12", "\"12\""),
            ("0755", "\"0755\""),
            ("", "\"\""),
        ] {
            assert_eq!(flow(&json!(text)), written);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(texts in proptest::collection::vec("[ -~é]{0,8}", 1..4), number in any::<i64>()) {
            let value = json!({ "spec": { "texts": texts, "number": number, "of": { (texts[0].as_str()): true } } });
            let (documents, findings) = super::super::parse(&SourceFile::new("a.yaml", flow(&value)));
            prop_assert!(findings.is_empty(), "{findings:?}");
            prop_assert_eq!(&documents[0].1, &value);
        }
    }
}
