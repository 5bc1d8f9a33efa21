//! The JSON Schemas in `schemas/` and the pages in `docs/intents/` are what the types say, and the examples hold.
//!
//! `UPDATE_EXPECT=1` rewrites the schemas and the tables of the pages.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod fixture;

use std::{fmt::Write as _, fs, path::PathBuf};

use serde_json::Value;
use weft_diagnostics::{SourceMap, render};
use weft_intent::{SourceFile, load, schema, validate};
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
        expect(&path, &format!("{before}{BEGIN}{}{END}{after}", tables(kind)));
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

/// Returns a table for the spec and one for each type in it.
fn tables(kind: IntentKind) -> String {
    let schema = schema::of_kind(kind);
    let spec = format!("{}Spec", kind.title());
    let mut out = String::new();
    let mut queue = vec![spec];
    let mut done: Vec<String> = Vec::new();
    while let Some(name) = queue.pop() {
        if done.contains(&name) {
            continue;
        }
        let definition = &schema["$defs"][&name];
        let Some(properties) = definition["properties"].as_object() else { continue };
        let title =
            if done.is_empty() { "`spec`".to_owned() } else { format!("<a id=\"{0}\"></a>{0}", name.to_lowercase()) };
        writeln!(out, "\n### {title}\n\n| key | value | what it is |\n|---|---|---|").unwrap();
        let required: Vec<&str> =
            definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut inner = Vec::new();
        for (key, property) in properties {
            let star = if required.contains(&key.as_str()) { " *" } else { "" };
            let value = value(property, &schema, &mut inner);
            let description =
                property["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
            writeln!(out, "| `{key}`{star} | {value} | {description} |").unwrap();
        }
        done.push(name);
        inner.reverse();
        queue.extend(inner);
    }
    out.push_str("\nKeys with * are required.\n\n");
    out
}

/// Returns what a key takes, in words, and notes the types that have tables of their own.
fn value(property: &Value, schema: &Value, inner: &mut Vec<String>) -> String {
    if let Some(name) = property["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
        let definition = &schema["$defs"][name];
        if definition["properties"].is_object() {
            inner.push(name.to_owned());
            return format!("[{name}](#{})", name.to_lowercase());
        }
        return value(definition, schema, inner);
    }
    if let Some(word) = property["const"].as_str() {
        return format!("`{word}`");
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = property[choice].as_array() {
            let words: Vec<String> =
                choices.iter().filter(|c| c["type"] != "null").map(|choice| value(choice, schema, inner)).collect();
            return words.join(" or ");
        }
    }
    if let Some(words) = property["enum"].as_array() {
        return words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect::<Vec<_>>().join(" or ");
    }
    let kind = property["type"].as_str().or_else(|| property["type"][0].as_str()).unwrap_or("anything");
    match kind {
        "array" => format!("list of {}", value(&property["items"], schema, inner)),
        "object" => "mapping of text".to_owned(),
        "integer" => match (&property["minimum"], &property["maximum"]) {
            (Value::Null, Value::Null) => "number".to_owned(),
            (least, Value::Null) => format!("number from {least}"),
            (Value::Null, most) => format!("number to {most}"),
            (least, most) => format!("number, {least} to {most}"),
        },
        "string" => match property["format"].as_str() {
            Some("ip") => "address",
            Some("prefix") => "prefix",
            Some("interface-address") => "address/length",
            Some("endpoint") => "`NODE:INTERFACE`",
            Some("asn-range") => "`FIRST-LAST`",
            Some("secret") => "[secret](../secrets.md)",
            Some("flow-end") => "end of a flow",
            Some("ssh-public-key") => "public key",
            _ if property["pattern"].is_string() => "name",
            _ => "text",
        }
        .to_owned(),
        other => other.to_owned(),
    }
}
