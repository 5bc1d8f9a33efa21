//! What is made from the code and the cases: `docs/cli.md`, `docs/codes.md` and the examples of codes. A test keeps them
//! current.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use clap::{Command, CommandFactory};

use crate::{
    args::Arguments,
    commands::{code_of, codes, findings},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the help of every command.
fn cli() -> String {
    let mut page = "# The command `weft`\n\nMade from the command itself.\n".to_owned();
    let mut command = Arguments::command().term_width(100);
    command.build();
    add(&mut page, &mut command, "weft");
    page
}

fn add(page: &mut String, command: &mut Command, name: &str) {
    let help = command.render_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## `{name}`\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    let names: Vec<String> = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
        .map(|command| command.get_name().to_owned())
        .collect();
    for below in names {
        if let Some(subcommand) = command.find_subcommand_mut(&below) {
            add(page, subcommand, &format!("{name} {below}"));
        }
    }
}

/// Returns every code with what it means and an example.
fn all_codes(examples: &BTreeMap<String, String>) -> String {
    let mut page =
        "# Codes of findings\n\nMade from the code. `weft explain-code WEFT-101` prints one of them.\n".to_owned();
    for code in codes() {
        let _ = write!(page, "\n## {}: {}\n\n{}\n", code.id(), code.title(), code.explanation());
        if let Some(example) = examples.get(code.id()) {
            let _ = write!(page, "\n```text\n{}\n```\n", example.trim_end());
        }
    }
    page
}

/// Returns a finding of each code that a case of `tests/errors` has: of the case with the fewest findings, the shortest.
fn examples() -> BTreeMap<String, String> {
    let cases = fs::read_dir(root().join("tests/errors")).expect("tests/errors is there");
    let mut found: Vec<(usize, usize, PathBuf, String)> = Vec::new();
    for case in cases.flatten() {
        let expected = case.path().join("expected.txt");
        let text = fs::read_to_string(&expected).expect("a case has expected.txt");
        found.push((findings(&text).count(), text.len(), expected, text));
    }
    found.sort();
    let mut examples = BTreeMap::new();
    for (.., text) in &found {
        for finding in findings(text) {
            if let Some(code) = code_of(finding) {
                examples.entry(code.to_owned()).or_insert_with(|| format!("{}\n\n", finding.trim_end()));
            }
        }
    }
    examples
}

#[test]
fn the_reference_pages_and_examples_are_current() {
    let examples = examples();
    for (name, expected) in [
        ("docs/cli.md", cli()),
        ("docs/codes.md", all_codes(&examples)),
        ("crates/cli/src/examples.txt", examples.values().map(String::as_str).collect()),
    ] {
        let path = root().join(name);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&path, &expected).expect("write the page");
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == expected, "{name} is not current: UPDATE_EXPECT=1 cargo test -p weft-cli");
    }
}
