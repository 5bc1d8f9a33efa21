//! The JSON Schemas in `schemas/` and the pages in `docs/intents/` are what the types say, and the examples hold.
//!
//! `UPDATE_EXPECT=1` rewrites the schemas and the tables of the pages.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod fixture;

use std::{fs, path::PathBuf};

use serde_json::Value;
use weft_diagnostics::{SourceMap, render};
use weft_intent::{SourceFile, load, reference, schema, validate};
use weft_model::IntentKind;

const BEGIN: &str = "<!-- fields: generated -->\n";
const END: &str = "<!-- /fields -->\n";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares a file with what it must hold, or rewrites it.
fn expect(path: &str, text: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1") {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == text, "{path} is not current: run the tests with UPDATE_EXPECT=1");
}

#[test]
fn schemas_are_current_and_meet_the_metaschema() {
    let mut schemas: Vec<(String, Value)> =
        IntentKind::ALL.into_iter().map(|kind| (kind.as_str().to_owned(), schema::of_kind(kind))).collect();
    schemas.push(("intent".to_owned(), schema::intent()));
    for (name, schema) in schemas {
        if let Err(error) = jsonschema::meta::validate(&schema) {
            panic!("{name}: {error}");
        }
        expect(
            &format!("schemas/{name}.schema.json"),
            &format!("{}\n", serde_json::to_string_pretty(&schema).unwrap()),
        );
    }
}

#[test]
fn the_schema_of_any_intent_takes_the_examples_and_refuses_a_wrong_key() {
    let validator = jsonschema::draft202012::new(&schema::intent()).unwrap();
    for kind in IntentKind::ALL {
        let (documents, findings) = weft_intent::document::parse(&example(kind));
        assert!(findings.is_empty(), "{findings:?}");
        for (_, mut value) in documents {
            if let Some(error) = validator.iter_errors(&value).next() {
                panic!("{}: {error} at {}", kind.title(), error.instance_path());
            }
            value["spec"]["no_such_key"] = Value::Null;
            assert!(!validator.is_valid(&value), "{}", kind.title());
        }
    }
}

#[test]
fn pages_have_the_fields_of_the_types() {
    for kind in IntentKind::ALL {
        let path = format!("docs/intents/{}.md", kind.as_str());
        let page = page(kind);
        let (before, rest) = page.split_once(BEGIN).unwrap_or_else(|| panic!("{path} has no {BEGIN}"));
        let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{path} has no {END}"));
        expect(&path, &format!("{before}{BEGIN}{}{END}{after}", reference::markdown(kind)));
    }
}

#[test]
fn examples_of_the_pages_have_no_findings() {
    let files = IntentKind::ALL.map(example);
    let sources: SourceMap = files.iter().map(|file| (file.path.clone(), file.text.clone())).collect();
    let (set, mut findings) = load(&files);
    findings.extend(validate(&set, &fixture::catalogue()).1);
    assert!(findings.is_empty(), "{}", render::text(&findings, &sources, false));
}

#[test]
fn every_kind_has_the_example_of_its_page_and_describes_its_keys() {
    for kind in IntentKind::ALL {
        let example = reference::example(kind);
        assert!(example.contains(&format!("kind: {}", kind.title())), "{}: {example}", kind.title());
        for field in reference::tables(kind).iter().flat_map(|table| &table.fields) {
            assert!(!field.description.is_empty(), "{} has a key without a description: {}", kind.title(), field.key);
        }
    }
}

fn page(kind: IntentKind) -> String {
    let path = root().join(format!("docs/intents/{}.md", kind.as_str()));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// Returns the YAML of a page, at the lines where it stands in the page.
fn example(kind: IntentKind) -> SourceFile {
    let page = page(kind);
    let (mut inside, mut text) = (false, String::new());
    for line in page.lines() {
        match (inside, line) {
            (false, "```yaml") => inside = true,
            (true, "```") => inside = false,
            (true, line) => text.push_str(line),
            (false, _) => {}
        }
        text.push('\n');
    }
    assert!(text.contains("kind: "), "{} has no example", kind.title());
    SourceFile::new(format!("docs/intents/{}.md", kind.as_str()), text)
}
