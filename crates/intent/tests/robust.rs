//! No text makes the loader or the validator panic, and what they say about it prints.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod fixture;

use std::path::Path;

use proptest::prelude::*;
use weft_diagnostics::{SourceMap, render};
use weft_intent::{SourceFile, load, validate};

fn example() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../intents");
    let evpn = path.join("../tests/faults/evpn/intents");
    let files = fixture::folder(&path, "intents").into_iter().chain(fixture::folder(&evpn, "evpn"));
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
