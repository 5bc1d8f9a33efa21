//! The reference pages that are made from the code: `docs/cli.md` and `docs/codes.md`. A test keeps them current.

use std::{fmt::Write, fs, path::Path};

use clap::{Command, CommandFactory};

use crate::{args::Arguments, commands::codes};

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

/// Returns every code with what it means.
fn all_codes() -> String {
    let mut page =
        "# Codes of findings\n\nMade from the code. `weft explain WEFT-101` prints one of them.\n".to_owned();
    for code in codes() {
        let _ = write!(page, "\n## {}: {}\n\n{}\n", code.id(), code.title(), code.explanation());
    }
    page
}

#[test]
fn the_reference_pages_are_current() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for (name, expected) in [("cli.md", cli()), ("codes.md", all_codes())] {
        let path = docs.join(name);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&path, &expected).expect("write the page");
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == expected, "docs/{name} is not current: UPDATE_EXPECT=1 cargo test -p weft-cli");
    }
}
