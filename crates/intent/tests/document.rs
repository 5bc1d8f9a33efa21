//! The loader that other kinds of file use: documents, places, and types with a JSON Schema.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use weft_diagnostics::{Diagnostic, SourceMap, render};
use weft_intent::{Document, SourceFile, document};

/// A thing.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Thing {
    /// Its size.
    size: u8,
    /// What may be inside.
    inner: Option<Inner>,
    /// How it moves.
    motion: Option<Motion>,
    /// Words by name.
    #[serde(default)]
    words: BTreeMap<String, Vec<String>>,
}

/// What may be inside.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Inner {
    /// How heavy.
    weight: u32,
}

/// How it moves.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
enum Motion {
    /// On wheels.
    Wheel {
        /// How many.
        count: u8,
    },
    /// On legs.
    Leg {
        /// How long.
        length: u8,
    },
}

fn only(text: &str) -> (Document, serde_json::Value) {
    let (mut documents, findings) = document::parse(&SourceFile::new("t.yaml", text));
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// Returns `line:column message` of each finding.
fn mistakes(text: &str) -> Vec<String> {
    let (document, value) = only(text);
    let (thing, findings) = document::typed::<Thing>(&document, &value);
    assert_eq!(thing.is_none(), !findings.is_empty());
    findings.iter().map(line).collect()
}

fn line(finding: &Diagnostic) -> String {
    let span = finding.span.as_ref().unwrap();
    format!("{}:{} {}", span.line, span.column, finding.message)
}

#[test]
fn a_document_becomes_its_type() {
    let (document, value) =
        only("size: 3\ninner: { weight: 7 }\nmotion: { by: wheel, count: 4 }\nwords: { a: [b, 'c\n d'] }\n");
    let (thing, findings) = document::typed::<Thing>(&document, &value);
    assert!(findings.is_empty(), "{findings:?}");
    let thing = thing.unwrap();
    assert_eq!(
        (thing.size, thing.inner, thing.motion),
        (3, Some(Inner { weight: 7 }), Some(Motion::Wheel { count: 4 }))
    );
    assert_eq!(thing.words["a"], ["b", "c d"]);
}

#[test]
fn a_mistake_in_an_optional_part_is_told_where_it_is() {
    assert_eq!(mistakes("size: 1\ninner: { wieght: 7 }\n"), ["2:10 unknown key `wieght`"]);
    assert_eq!(mistakes("size: 1\ninner: {}\n"), ["2:1 `inner` has no `weight`"]);
    assert_eq!(mistakes("size: 1\ninner: 5\n"), ["2:8 `inner` must be a mapping, not the number 5"]);
    assert_eq!(mistakes("size: 256\n"), ["1:7 `size` is 256, more than the most, 255"]);
    assert_eq!(mistakes("size: -1\ninner: { weight: 4294967296 }\n").len(), 2);
}

#[test]
fn a_mistake_in_one_of_several_forms_is_told_by_the_form_that_was_meant() {
    assert_eq!(
        mistakes("size: 1\nmotion: { by: wheel, count: x }\n"),
        ["2:29 `count` must be a whole number, not `x`"]
    );
    assert_eq!(mistakes("size: 1\nmotion: { by: wing }\n"), ["2:15 `by` must be one of `wheel`, `leg`, not `wing`"]);
    assert_eq!(mistakes("size: 1\nmotion: { by: leg }\n"), ["2:1 `motion` has no `length`"]);
}

#[test]
fn places_count_characters_and_lines_whatever_ends_them() {
    let (document, _) = only("\u{feff}größe: 1\r\nwords:\r\n  a/b~c: [é, 'x']\r\n");
    let place = |pointer: &str| {
        let span = document.span(pointer);
        (span.line, span.column, span.end_line, span.end_column)
    };
    assert_eq!(place("/größe"), (1, 8, 1, 9));
    assert_eq!(place("/words/a~1b~0c/1"), (3, 14, 3, 17));
    assert_eq!(place("/words/a~1b~0c"), (3, 10, 3, 18));
    let key = document.key_span("/words/a~1b~0c");
    assert_eq!((key.line, key.column, key.end_column), (3, 3, 8));
    assert_eq!(place("/words/a~1b~0c/7/x"), place("/words/a~1b~0c"), "the nearest value around");
    assert!(document.has("/words") && !document.has("/word"));
    assert_eq!((document.start.line, document.start.column), (1, 1));
}

#[test]
fn a_block_begins_at_its_first_key_or_item() {
    let (document, _) = only("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n");
    let at = |pointer: &str| (document.span(pointer).line, document.span(pointer).column);
    assert_eq!(at("/a"), (2, 3));
    assert_eq!(at("/a/c/1"), (5, 7));
    assert_eq!(at("/a/c/0"), (4, 7));
}

#[test]
fn what_an_alias_stands_for_is_at_the_alias() {
    let (document, value) = only("base: &b { size: 1 }\nother: *b\n");
    assert_eq!(value["other"]["size"], 1);
    assert_eq!((document.span("/other/size").line, document.span("/other/size").column), (2, 8));
}

#[test]
fn documents_that_are_well_formed_survive_those_that_are_not() {
    let file = SourceFile::new("t.yaml", "a: 1\n---\nb: [1\n---\n# nothing\n---\na: 1\na: 2\n---\nc: 3\n");
    let (documents, findings) = document::parse(&file);
    let values: Vec<String> = documents.iter().map(|(_, value)| value.to_string()).collect();
    assert_eq!(values, [r#"{"a":1}"#, r#"{"c":3}"#]);
    assert_eq!(findings.len(), 2, "{findings:?}");
    let sources: SourceMap = [(file.path.clone(), file.text.clone())].into_iter().collect();
    assert!(render::text(&findings, &sources, false).contains("t.yaml:8:1"));
}
