//! Broken rules and mistakes in rules as data: the folders of `tests/errors` that have a `policy/` beside their intents.
//!
//! `UPDATE_EXPECT=1` rewrites what is expected.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

#[path = "../../intent/tests/fixture/mod.rs"]
mod fixture;

use std::{collections::BTreeSet, fs, path::Path};

use weft_diagnostics::{SourceMap, render};
use weft_guardrail::codes;

#[test]
fn every_mistake_is_told_as_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/errors");
    let update = std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1");
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for case in fs::read_dir(&root).unwrap() {
        let path = case.unwrap().path();
        if !path.join("policy").is_dir() {
            continue;
        }
        let mut parts: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        parts.retain(|name| name != "expected.txt");
        parts.sort();
        assert_eq!(parts, ["intents", "policy"], "the parts of the case {}", path.display());
        let read = |folder: &str| -> Vec<_> {
            fixture::folder(&path.join(folder), folder).into_iter().map(|file| file.unwrap()).collect()
        };
        let (intents, policies) = (read("intents"), read("policy"));
        let sources: SourceMap =
            intents.iter().chain(&policies).map(|file| (file.path.clone(), file.text.clone())).collect();
        let (set, mut findings) = weft_intent::load(&intents);
        findings.extend(weft_intent::validate(&set, &fixture::catalogue()).1);
        let (policies, mistakes) = weft_guardrail::load(&policies);
        findings.extend(mistakes);
        findings.extend(policies.check_intents(&set));
        findings.sort();
        seen.extend(findings.iter().map(|finding| finding.code.id()));
        for finding in &findings {
            assert!(finding.help.is_some(), "{}: a finding without help: {finding:?}", path.display());
            assert!(finding.span.is_some(), "{}: a finding without a place: {finding:?}", path.display());
        }
        let text = render::text(&findings, &sources, false);
        let text: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        let expected = path.join("expected.txt");
        if update {
            fs::write(&expected, &text).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("--- {}\n{text}", path.display()));
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
