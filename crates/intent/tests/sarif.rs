//! Every finding that the cases of `tests/errors` have, as SARIF: the log meets the standard's schema, with
//! the correction of its errata 01 to the pattern of languages, and holds no secret.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod fixture;

use std::{fs, path::Path};

use serde_json::Value;
use weft_diagnostics::sarif::{Context, sarif};
use weft_intent::{load, validate};

#[test]
fn every_finding_meets_the_schema_of_sarif() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    let schema = fs::read_to_string(tests.join("sarif/sarif-schema-2.1.0.json")).unwrap();
    let validator = jsonschema::options().build(&serde_json::from_str(&schema).unwrap()).unwrap();
    let mut cases: Vec<_> = fs::read_dir(tests.join("errors")).unwrap().map(|case| case.unwrap().path()).collect();
    cases.sort();
    let mut findings = Vec::new();
    for case in cases {
        let mut files = Vec::new();
        for file in fixture::folder(&case.join("intents"), "intents") {
            match file {
                Ok(file) => files.push(file),
                Err(finding) => findings.push(*finding),
            }
        }
        let (set, mistakes) = load(&files);
        findings.extend(mistakes);
        findings.extend(validate(&set, &fixture::catalogue()).1);
    }
    let concealing = findings.iter().filter(|finding| !finding.concealed.is_empty()).count();
    assert!(concealing > 0, "no case conceals a secret");

    let text = sarif(&findings, &Context { version: "0.0.0", project: "" });
    let log: Value = serde_json::from_str(&text).unwrap();
    if let Some(error) = validator.iter_errors(&log).next() {
        panic!("{error} at {}", error.instance_path());
    }
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), findings.len());
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results {
        assert_eq!(rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()]["id"], result["ruleId"]);
    }
    assert!(!text.contains("hunter2"), "a secret was printed");
}
