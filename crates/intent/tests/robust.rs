//! No text makes the loader or the validator panic, and what they say about it prints.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod fixture;

use std::path::Path;

use proptest::prelude::*;
use weft_diagnostics::{SourceMap, render};
use weft_intent::{SourceFile, load, validate};

fn example() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/faults");
    let folders = ["example", "evpn"].map(|name| fixture::folder(&path.join(name).join("intents"), name));
    let files = folders.into_iter().flatten();
    files.map(|file| file.unwrap().text.to_string()).collect()
}

/// Returns the example with pieces of it cut, repeated or replaced.
fn mutated(texts: &[String], mutations: &[(usize, usize, usize, Mutation)]) -> Vec<SourceFile> {
    let mut texts: Vec<Vec<char>> = texts.iter().map(|text| text.chars().collect()).collect();
    for (file, at, length, mutation) in mutations {
        let file = file % texts.len();
        let text = &mut texts[file];
        if text.is_empty() {
            continue;
        }
        let at = at % text.len();
        let end = (at + length).min(text.len());
        match mutation {
            Mutation::Cut => drop(text.drain(at..end)),
            Mutation::Repeat => {
                let piece: Vec<char> = text[at..end].to_vec();
                text.splice(at..at, piece);
            }
            Mutation::Insert(piece) => drop(text.splice(at..at, piece.chars())),
        }
    }
    let file = |(index, text): (usize, Vec<char>)| SourceFile::new(format!("{index}.yaml"), String::from_iter(text));
    texts.into_iter().enumerate().map(file).collect()
}

#[derive(Debug, Clone)]
enum Mutation {
    Cut,
    Repeat,
    Insert(String),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let pieces = prop::sample::select(vec![
        "\n---\n",
        "*a",
        "&a ",
        "[",
        "]",
        "{",
        "}",
        ": ",
        "\t",
        "\"",
        "'",
        "- ",
        "!!str ",
        "\u{feff}",
        "\u{1b}",
        "\r",
        "|\n",
        ">-\n",
        "%YAML 1.1\n",
        "0.0.0.0/0",
        "::/0",
        "4294967295",
        "-1",
        "1e999",
        "null",
        "~",
        "segment/web",
        "#",
        "? ",
        "...\n",
        "<<: ",
        "é",
    ]);
    prop_oneof![
        Just(Mutation::Cut),
        Just(Mutation::Repeat),
        pieces.prop_map(|piece| Mutation::Insert(piece.to_owned())),
        any::<String>().prop_map(Mutation::Insert),
    ]
}

fn check(files: &[SourceFile]) {
    let sources: SourceMap = files.iter().map(|file| (file.path.clone(), file.text.clone())).collect();
    let (set, mut findings) = load(files);
    findings.extend(validate(&set, &fixture::catalogue()).1);
    render::text(&findings, &sources, false);
    for finding in &findings {
        let span = finding.span.as_ref().unwrap();
        let lines = sources.text(&span.file).unwrap().lines().count();
        assert!(span.line as usize <= lines + 1, "{finding:?} is behind the end");
        assert!(!finding.message.contains(|c: char| c.is_control()), "{finding:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_network_is_told_and_never_panics(
        mutations in prop::collection::vec((any::<usize>(), any::<usize>(), 0_usize..60, mutation()), 1..12)
    ) {
        check(&mutated(&example(), &mutations));
    }

    #[test]
    fn any_text_is_told_and_never_panics(text in any::<String>()) {
        check(&[SourceFile::new("any.yaml", text)]);
    }
}

/// Every way to nest: brackets and indentation, in values and in keys, closed and not.
fn nested(depth: usize) -> Vec<(&'static str, String)> {
    let repeated = |piece: &str| piece.repeat(depth);
    // Ten thousand levels of indentation would be 50 MB of spaces.
    let indented =
        |piece: &str| (0..depth.min(1_000)).map(|level| format!("{}{piece}\n", " ".repeat(level))).collect::<String>();
    vec![
        ("lists in brackets", format!("a: {}{}\n", repeated("["), repeated("]"))),
        ("lists in brackets that stay open", repeated("[")),
        ("mappings in braces", format!("a: {}1{}\n", repeated("{a: "), repeated("}"))),
        ("mappings in braces that stay open", repeated("{a: ")),
        ("mappings in the keys of mappings", format!("{}1{}: 1\n", repeated("{"), repeated("}"))),
        ("lists in the keys of mappings", repeated("{? [")),
        ("single pairs in brackets", format!("a: {}1{}\n", repeated("[a: "), repeated("]"))),
        ("dashes on a line", format!("{}1\n", repeated("- "))),
        ("question marks on a line", format!("{}1\n", repeated("? "))),
        ("mappings below each other", indented("a:")),
        ("dashes below each other", indented("-")),
        ("keys below each other", indented("?")),
        ("both by turns", format!("a: {}1{}\n", repeated("[{a: "), repeated("}]"))),
        ("anchors at each level", format!("a: {}1{}\n", repeated("&a ["), repeated("]"))),
    ]
}

#[test]
fn ten_thousand_levels_are_refused_in_little_stack_however_they_are_written() {
    // The loader recurses as deep as documents may be. In a debug build, this is what it may take of the stack.
    const STACK_OCTETS: usize = 1 << 20;
    for (what, text) in nested(10_000) {
        let work = move || load(&[SourceFile::new("deep.yaml", text)]).1;
        let thread = std::thread::Builder::new().stack_size(STACK_OCTETS).spawn(work).unwrap();
        let findings = thread.join().unwrap();
        let codes: Vec<&str> = findings.iter().map(|finding| finding.code.id()).collect();
        assert!(codes.contains(&"WEFT-125") || codes == ["WEFT-120"], "{what}: {codes:?}");
    }
}

#[test]
fn a_document_as_deep_as_may_be_needs_little_stack() {
    const STACK_OCTETS: usize = 1 << 20;
    for (what, text) in nested(60) {
        let work = move || check(&[SourceFile::new("deep.yaml", text)]);
        let thread = std::thread::Builder::new().stack_size(STACK_OCTETS).spawn(work).unwrap();
        assert!(thread.join().is_ok(), "{what}");
    }
}

#[test]
fn aliases_that_multiply_are_refused_where_they_stand() {
    let mut lists = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    let mut mappings = "a0: &a0 { k: x, l: x }\n".to_owned();
    let mut keys = "? &a0 [x, x]\n: 1\n".to_owned();
    for level in 1..40 {
        let (this, below) = (format!("a{level}"), format!("*a{}", level - 1));
        lists += &format!("{this}: &{this} [{}]\n", [below.as_str(); 10].join(", "));
        mappings += &format!("{this}: &{this} {{ k: {below}, l: {below} }}\n");
        keys += &format!("? &{this} [{below} , {below} ]\n: 1\n");
    }
    for text in [lists, mappings, keys] {
        let (_, findings) = load(&[SourceFile::new("bomb.yaml", text)]);
        let codes: Vec<&str> = findings.iter().map(|finding| finding.code.id()).collect();
        assert!(codes.contains(&"WEFT-126"), "{codes:?}");
    }
}
