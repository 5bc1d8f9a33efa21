//! How far a plan reaches, for people: a few lines of text of 80 columns, or the rows of a table.

use weft_plan::Radius;

use crate::report::{WIDTH, wrap};

/// The most intents, and the most prefixes, that are named; JSON has all.
const MOST_NAMED: usize = 8;
/// Where what is said begins.
const INDENT: usize = 12;

/// Returns what a plan touches, each with what it is about: devices, sessions, prefixes, intents.
pub fn rows(radius: &Radius) -> Vec<(&'static str, String)> {
    let sites: Vec<&str> = radius.sites.iter().map(String::as_str).collect();
    let sites = if sites.is_empty() { String::new() } else { format!(" at {}", sites.join(", ")) };
    let routes = match &radius.prefixes {
        None => "not known, as the routes of before are not".to_owned(),
        Some(prefixes) if prefixes.is_empty() => "none with other routes".to_owned(),
        Some(prefixes) => format!("{} with other routes: {}", prefixes.len(), few(prefixes)),
    };
    let approvals = radius.approvals.as_ref().map(|needed| {
        let people = crate::report::counted(usize::from(needed.required), "approval");
        ("needs", format!("{people}: {}", needed.because.join("; ")))
    });
    let intents = match radius.intents.len() {
        0 => "none".to_owned(),
        some => format!("{some}: {}", few(&radius.intents)),
    };
    let mut rows = vec![
        ("devices", format!("{}{sites}", radius.devices.len())),
        ("sessions", radius.session_counts()),
        ("prefixes", routes),
        ("intents", intents),
    ];
    rows.extend(approvals);
    rows
}

/// Names the first of many.
fn few<T: ToString>(all: &std::collections::BTreeSet<T>) -> String {
    let mut names: Vec<String> = all.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    if all.len() > MOST_NAMED {
        names.push(format!("{} more", all.len() - MOST_NAMED));
    }
    names.join(", ")
}

/// Returns it as text, with ANSI colours when `colour` is set.
pub fn text(radius: &Radius, colour: bool) -> String {
    let title = anstyle::Style::new().bold();
    let mut out = if colour { format!("{title}Blast radius{title:#}\n") } else { "Blast radius\n".to_owned() };
    for (what, words) in rows(radius) {
        let mut lead = format!("  {what:<9} ");
        for line in wrap(&words, WIDTH - INDENT, 0) {
            out.push_str(&format!("{lead}{line}\n"));
            lead = " ".repeat(INDENT);
        }
    }
    out
}
