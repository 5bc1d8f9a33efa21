//! Prints findings as SARIF 2.1.0, so that a forge shows each at its line.
//!
//! A result says where and what, never the text that stands there: what a finding conceals is in none of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{Code, Diagnostic, Severity, SourceSpan};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The base of all paths: the root of the repository, wherever it is checked out.
const ROOT: &str = "%SRCROOT%";

/// What a log says of the run besides its findings.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The version of Weft.
    pub version: &'a str,
    /// The project's folder relative to the root of its repository, `/` between its parts; empty where they are the same.
    pub project: &'a str,
}

/// Returns the findings as a SARIF log with one run, in the order given.
pub fn sarif(diagnostics: &[Diagnostic], context: &Context<'_>) -> String {
    let rules: BTreeMap<&str, &Code> = diagnostics.iter().map(|found| (found.code.id(), &found.code)).collect();
    let mut fingerprints = Fingerprints::default();
    let results: Vec<Value> = diagnostics
        .iter()
        .map(|found| {
            let index = rules.keys().position(|id| *id == found.code.id());
            result(found, index, &fingerprints.next(found), context)
        })
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "weft",
                "version": context.version,
                "rules": rules.values().map(|code| rule(code)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { ROOT: { "description": { "text": "The root of the repository." } } },
            "results": results,
        }],
    });
    // Strings, numbers and lists only: nothing in a log can fail to serialise.
    serde_json::to_string_pretty(&log).unwrap_or_default()
}

fn rule(code: &Code) -> Value {
    let example = format!("weft explain-code {}", code.id());
    json!({
        "id": code.id(),
        "name": name(code.title()),
        "shortDescription": { "text": code.title() },
        "fullDescription": { "text": code.explanation() },
        "help": {
            "text": format!("{}\n\n{example} prints this, with an example.", code.explanation()),
            "markdown": format!("{}\n\n`{example}` prints this, with an example.", code.explanation()),
        },
    })
}

/// Returns a title as one word, such as `UnknownKey`: that is how viewers know names of rules.
fn name(title: &str) -> String {
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
        })
        .collect()
}

fn result(found: &Diagnostic, rule: Option<usize>, fingerprint: &str, context: &Context<'_>) -> Value {
    let (text, markdown) = match &found.help {
        Some(help) => (format!("{}\nhelp: {help}", found.message), format!("{}\n\n**Help:** {help}", found.message)),
        None => (found.message.clone(), found.message.clone()),
    };
    let level = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut result = json!({
        "ruleId": found.code.id(),
        "level": level,
        "message": { "text": text, "markdown": markdown },
        // Forges refuse a result without a place: one that no text causes is the whole project's.
        "locations": [match &found.span {
            Some(span) => json!({ "physicalLocation": place(span, context) }),
            None => json!({ "physicalLocation": { "artifactLocation": artifact("", context) } }),
        }],
        "partialFingerprints": { "weftFinding/v1": fingerprint },
    });
    if let Some(rule) = rule {
        result["ruleIndex"] = json!(rule);
    }
    if !found.labels.is_empty() {
        let labels = found.labels.iter().enumerate().map(|(index, label)| {
            json!({
                "id": index,
                "message": { "text": label.message },
                "physicalLocation": place(&label.span, context),
            })
        });
        result["relatedLocations"] = labels.collect();
    }
    result
}

fn place(span: &SourceSpan, context: &Context<'_>) -> Value {
    let mut region = Map::new();
    let mut set = |key: &str, number: u32| region.insert(key.to_owned(), json!(number.max(1)));
    set("startLine", span.line);
    set("startColumn", span.column);
    // A place that is only known by its start has no end: viewers then mark the rest of the line.
    if (span.end_line, span.end_column) > (span.line, span.column) {
        set("endLine", span.end_line);
        set("endColumn", span.end_column);
    }
    json!({ "artifactLocation": artifact(&span.file, context), "region": region })
}

/// Returns where a file of the project is in the repository; the project's folder for no file.
fn artifact(file: &str, context: &Context<'_>) -> Value {
    let parts = [context.project, file].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    let uri = match (file, parts.as_str()) {
        (_, "") => "./".to_owned(),
        ("", folder) => format!("{}/", encoded(folder)),
        (_, path) => encoded(path),
    };
    json!({ "uri": uri, "uriBaseId": ROOT })
}

/// Returns a path as a relative reference (RFC 3986 4.2).
fn encoded(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut out, octet| {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(octet)),
            _ => out.push_str(&format!("%{octet:02X}")),
        }
        out
    })
}

/// Makes fingerprints that stay when lines move: from code, file and message, and the number of the finding among those
/// that are the same in all three.
#[derive(Default)]
struct Fingerprints(BTreeMap<String, usize>);

impl Fingerprints {
    fn next(&mut self, found: &Diagnostic) -> String {
        let file = found.span.as_ref().map_or("", |span| &*span.file);
        let digest = Sha256::digest(format!("{}\0{file}\0{}", found.code.id(), found.message));
        let hash: String = digest.iter().take(16).map(|octet| format!("{octet:02x}")).collect();
        let number = self.0.entry(hash.clone()).or_default();
        *number += 1;
        format!("{hash}:{number}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: Code = Code::new("WEFT-000", "an example, for tests", "Only tests report it.");
    const CONTEXT: Context<'_> = Context { version: "1.2.3", project: "" };

    fn log(diagnostics: &[Diagnostic], context: &Context<'_>) -> Value {
        serde_json::from_str(&sarif(diagnostics, context)).unwrap()
    }

    #[test]
    fn a_result_has_its_rule_place_and_related_places() {
        let found = Diagnostic::error(CODE, "there are two intents `fabric/é`")
            .at(SourceSpan::on_line("intents/ü b.yaml", 7, 9, 2))
            .label(SourceSpan::point("intents/a.yaml", 2, 1), "the first one is here")
            .help("join them");
        let log = log(&[found], &Context { version: "1.2.3", project: "networks/east" });
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"][0]["name"], "AnExampleForTests");
        let result = &run["results"][0];
        assert_eq!(result["ruleIndex"], 0);
        assert_eq!(result["message"]["text"], "there are two intents `fabric/é`\nhelp: join them");
        assert_eq!(
            result["locations"][0]["physicalLocation"],
            json!({
                "artifactLocation": { "uri": "networks/east/intents/%C3%BC%20b.yaml", "uriBaseId": "%SRCROOT%" },
                "region": { "startLine": 7, "startColumn": 9, "endLine": 7, "endColumn": 11 },
            })
        );
        assert_eq!(
            result["relatedLocations"][0]["physicalLocation"]["region"],
            json!({ "startLine": 2, "startColumn": 1 })
        );
    }

    #[test]
    fn a_fingerprint_stays_when_its_line_moves_and_is_never_there_twice() {
        let at = |line| Diagnostic::error(CODE, "a").at(SourceSpan::point("a.yaml", line, 1));
        let of = |diagnostics: &[Diagnostic]| -> Vec<String> {
            let log = log(diagnostics, &CONTEXT);
            let results = log["runs"][0]["results"].as_array().unwrap().clone();
            results.iter().map(|r| r["partialFingerprints"]["weftFinding/v1"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(of(&[at(1)]), of(&[at(40)]));
        let two = of(&[at(1), at(2)]);
        assert_ne!(two[0], two[1]);
    }

    #[test]
    fn a_finding_without_a_place_is_the_projects() {
        let log = log(&[Diagnostic::warning(CODE, "a")], &CONTEXT);
        let location = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(location, &json!({ "artifactLocation": { "uri": "./", "uriBaseId": "%SRCROOT%" } }));
    }
}
