//! Mistakes as data: each folder of `tests/errors` holds intents and, in `expected.txt`, every finding about them.
//!
//! `UPDATE_EXPECT=1` rewrites what is expected.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod fixture;

use std::{collections::BTreeSet, fs, path::Path};

use weft_diagnostics::{Diagnostic, SourceMap, render};
use weft_intent::codes;

#[test]
fn every_mistake_is_told_as_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/errors");
    let update = std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1");
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in entries(&root) {
        let path = root.join(&case);
        // Cases about rules of the organisation are those of the guardrails.
        if path.join("policy").is_dir() {
            continue;
        }
        let unknown: Vec<String> =
            entries(&path).into_iter().filter(|name| name != "intents" && name != "expected.txt").collect();
        assert!(unknown.is_empty(), "{}: {unknown:?} is no part of a case", path.display());
        let no_yaml: Vec<String> =
            entries(&path.join("intents")).into_iter().filter(|name| !name.ends_with(".yaml")).collect();
        assert!(no_yaml.is_empty(), "{}: {no_yaml:?} is not read", path.display());

        let (findings, sources) = findings(&path.join("intents"));
        seen.extend(findings.iter().map(|finding| finding.code.id()));
        for finding in &findings {
            assert!(finding.help.is_some(), "{case}: a finding without help: {finding:?}");
            assert!(finding.span.is_some(), "{case}: a finding without a place: {finding:?}");
        }
        // The printer leaves blanks at the ends of lines, which editors remove.
        let text = render::text(&findings, &sources, false);
        let text: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        let expected = path.join("expected.txt");
        if update {
            fs::write(&expected, &text).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("--- {case}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "not as in expected.txt:\n{}", wrong.join("\n"));
    let without: Vec<&str> = codes::ALL.iter().map(|code| code.id()).filter(|id| !seen.contains(id)).collect();
    assert!(without.is_empty(), "codes without a case in tests/errors: {without:?}");
}

#[test]
fn codes_are_unique_and_in_order() {
    let ids: Vec<&str> = codes::ALL.iter().map(|code| code.id()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

fn entries(path: &Path) -> Vec<String> {
    let list = fs::read_dir(path).unwrap_or_else(|error| panic!("list {}: {error}", path.display()));
    let mut names: Vec<String> = list.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn findings(path: &Path) -> (Vec<Diagnostic>, SourceMap) {
    let (mut findings, sources) = fixture::findings(fixture::folder(path, "intents"), &fixture::catalogue());
    findings.sort();
    (findings, sources)
}
