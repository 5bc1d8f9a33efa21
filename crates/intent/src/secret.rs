//! Where secrets may stand in a text that does not say what it should: findings never print them.

use std::collections::BTreeSet;

use weft_diagnostics::{Diagnostic, SourceSpan};

use crate::{SourceFile, source::clamp};

/// The keys whose values refer to secrets.
const KEYS: [&str; 3] = ["tcp_md5", "tcp_ao_key", "snmp_community"];
/// The keys of the mappings that hold them.
const AROUND: [&str; 2] = ["authentication", "tcp_ao"];

/// Lines around a place that a finding may print.
const NEAR: u32 = 16;

/// Hides from each finding the secrets near its places.
pub(crate) fn conceal(files: &[SourceFile], findings: &mut [Diagnostic]) {
    let secrets: BTreeSet<SourceSpan> = files.iter().flat_map(places).collect();
    if secrets.is_empty() {
        return;
    }
    for finding in findings {
        let mut near = BTreeSet::new();
        for span in finding.span.iter().chain(finding.labels.iter().map(|label| &label.span)) {
            let line = |line: u32| SourceSpan::point(span.file.clone(), line, 0);
            near.extend(secrets.range(line(span.line.saturating_sub(NEAR))..line(span.line.saturating_add(NEAR))));
        }
        finding.concealed = near.into_iter().cloned().collect();
    }
}

/// Returns the places of a file where a secret may have been written instead of a reference to it.
///
/// The text is read line by line and not as YAML: a secret must not be printed either when the text around it is broken.
fn places(file: &SourceFile) -> Vec<SourceSpan> {
    let mut places = Vec::new();
    if !AROUND.iter().chain(&KEYS).any(|key| file.text.contains(key)) {
        return places;
    }
    // The indentation of the key whose value goes on below it.
    let mut below: Option<usize> = None;
    for (line, text) in (1_u32..).zip(file.text.lines()) {
        let indentation = text.len() - text.trim_start().len();
        let continues = below.is_some_and(|key| indentation > key || text.trim().is_empty());
        if !continues {
            below = None;
        }
        let value = match value(text) {
            Some(at) => {
                below = below.or(Some(indentation));
                at
            }
            None if continues => indentation,
            None => continue,
        };
        let (start, end) = trimmed(text, value);
        if start < end && !harmless(&text[start..end]) {
            let column = clamp(text[..start].chars().count()) + 1;
            places.push(SourceSpan::on_line(file.path.clone(), line, column, clamp(text[start..end].chars().count())));
        }
    }
    places
}

/// Returns where the value of the last of the keys on a line begins.
fn value(text: &str) -> Option<usize> {
    let after = |key: &&str| {
        let behind = text.rfind(key)? + key.len();
        let rest = text[behind..].trim_start_matches(['"', '\'']).trim_start();
        rest.strip_prefix(':').map(|rest| text.len() - rest.len())
    };
    // The inner key where there is one: what stands before it is no value.
    KEYS.iter().filter_map(after).max().or_else(|| AROUND.iter().filter_map(after).max())
}

/// Cuts what stands around a value: white space, and brackets where the line opens one.
fn trimmed(text: &str, value: usize) -> (usize, usize) {
    let mut end = text.trim_end().len();
    if text[..value.min(text.len())].contains('{') {
        end = text[..end].trim_end_matches(['}', ',', ']', ' ']).len();
    }
    let start = value + text[value..].len() - text[value..].trim_start().len();
    (start, end.max(start))
}

/// Tells whether a text is a reference to a secret, a comment or the beginning of a mapping.
fn harmless(text: &str) -> bool {
    let bare = text.trim_matches(['"', '\'']);
    text == "{" || text.starts_with('#') || bare.parse::<weft_model::SecretRef>().is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_key_of_a_secret_is_known() {
        fn walk(schema: &Value, keys: &mut Vec<String>) {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                for (key, property) in properties {
                    if property.get("format").and_then(Value::as_str) == Some("secret") {
                        keys.push(key.clone());
                    }
                    if ["Authentication", "TcpAo\""]
                        .iter()
                        .any(|of| property.to_string().contains(&format!("#/$defs/{of}")))
                    {
                        keys.push(key.clone());
                    }
                }
            }
            match schema {
                Value::Object(inner) => inner.values().for_each(|value| walk(value, keys)),
                Value::Array(inner) => inner.iter().for_each(|value| walk(value, keys)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let mut keys = Vec::new();
        walk(&crate::schema::intent(), &mut keys);
        keys.sort();
        keys.dedup();
        assert_eq!(keys, ["authentication", "snmp_community", "tcp_ao", "tcp_ao_key", "tcp_md5"]);
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        for text in [
            "a: { tcp_md5: hunter2 }",
            "tcp_md5: hunter2",
            "'tcp_md5' : \"hunter2\"",
            "a: { tcp_md5: \"hunter2 }",
            "authentication: hunter2",
            "authentication: { md5: hunter2 }",
            "authentication: { hunter2 }",
            "authentication:\n  md5: hunter2",
            "authentication:\n  tcp_md5: |\n    hunter2\n\n    hunter2",
            "spec:\n  authentication: {\n    tcp_md5: hunter2 }",
            "tcp_md5: !hunter2",
        ] {
            let places = places(&SourceFile::new("a", text));
            for (line, text) in (1_u32..).zip(text.lines()).filter(|(_, text)| text.contains("hunter2")) {
                let column = clamp(text.find("hunter2").unwrap()) + 1;
                let hides =
                    |span: &SourceSpan| span.line == line && span.column <= column && span.end_column >= column + 7;
                assert!(places.iter().any(hides), "{text}: {places:?}");
            }
        }
    }

    #[test]
    fn a_reference_is_shown() {
        for text in [
            "authentication: { tcp_md5: env/KEY }",
            "authentication:\n  tcp_md5: env/KEY\nbfd: { interval_ms: 300 }",
            "authentication: # keys\n  tcp_md5: 'env/KEY'",
        ] {
            assert_eq!(places(&SourceFile::new("a", text)), [], "{text}");
        }
    }
}
