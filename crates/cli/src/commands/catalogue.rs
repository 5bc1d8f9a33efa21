//! `weft catalogue`: the kinds of intent, their keys and an example of each.

use std::fmt::Write as _;

use serde_json::{Value, json};
use weft_intent::reference::{self, Field};
use weft_model::IntentKind;
use weft_pipeline::{
    ExitCode as Exit,
    report::{WIDTH, wrap},
};

use crate::{args::Format, failure::Failure, output::Output};

/// Most columns for a key and what it takes; the description of a longer one begins in the next line.
const MOST_NAME: usize = 38;

pub(crate) fn run(kind: Option<&str>, output: &Output) -> Result<Exit, Failure> {
    let kind = kind.and_then(|kind| IntentKind::ALL.into_iter().find(|known| known.as_str() == kind));
    output.result(match (output.format, kind) {
        (Format::Json, Some(kind)) => serde_json::to_string_pretty(&as_json(kind))?,
        (Format::Json, None) => serde_json::to_string_pretty(&IntentKind::ALL.map(as_json).to_vec())?,
        (_, Some(kind)) => of_kind(kind),
        (_, None) => all(),
    });
    Ok(Exit::Success)
}

fn all() -> String {
    let mut text = String::new();
    for kind in IntentKind::ALL {
        let _ = writeln!(text, "{}", beside(&format!("{:<14}", kind.as_str()), 14, kind.purpose()));
    }
    text.push_str("\n`weft catalogue KIND` tells its keys, `weft new KIND` writes one.\n");
    text
}

fn of_kind(kind: IntentKind) -> String {
    let mut text = format!("{}\n\n{}\n", kind.title(), beside("", 0, &reference::description(kind)));
    for table in reference::tables(kind) {
        let _ = writeln!(text, "\n{} (* must be there)\n", table.of);
        let name =
            |field: &Field| format!("  {}{}  {}", field.key, if field.required { " *" } else { "" }, field.takes);
        let widest = table.fields.iter().map(|field| name(field).chars().count()).filter(|width| *width <= MOST_NAME);
        let indent = widest.max().unwrap_or(4) + 2;
        for field in &table.fields {
            let name = name(field);
            let lead = if name.chars().count() + 2 > indent {
                format!("{name}\n{}", " ".repeat(indent))
            } else {
                format!("{name:<indent$}")
            };
            let _ = writeln!(text, "{}", beside(&lead, indent, &field.description));
        }
    }
    let _ = write!(text, "\nFor example:\n\n{}", reference::example(kind));
    text
}

/// Returns `text` wrapped, its first line behind `lead` and the others behind as many spaces as `indent`.
fn beside(lead: &str, indent: usize, text: &str) -> String {
    let lines = wrap(text, WIDTH - indent, 0);
    format!("{lead}{}", lines.join(&format!("\n{}", " ".repeat(indent)))).trim_end().to_owned()
}

fn as_json(kind: IntentKind) -> Value {
    json!({
        "kind": kind.as_str(),
        "title": kind.title(),
        "purpose": kind.purpose(),
        "description": reference::description(kind),
        "tables": reference::tables(kind),
        "example": reference::example(kind),
    })
}
