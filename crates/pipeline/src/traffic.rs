//! Traffic that changes, for people: as text of 80 columns, and as rows of Markdown.

use anstyle::{AnsiColor, Style};
use weft_model::{NodeName, TrafficWhat};
use weft_plan::{BeforeAfter, Traffic, TrafficChange};

use crate::report::{WIDTH, cell, code, counted, named, wrap};

/// The most kinds of change that are printed, and the most pairs of classes of each; JSON has all.
const MOST_KINDS: usize = 12;
const MOST_ROWS: usize = 12;
/// Where what is said of a kind of change begins.
const INDENT: usize = 12;
/// Most columns for a pair of classes; what is said of a longer one begins in the next line.
const MOST_NAME: usize = 36;

const BAD: Style = AnsiColor::Red.on_default();
const GOOD: Style = AnsiColor::Green.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const STRONG: Style = Style::new().bold();

/// Changes of which the same is to be said but for the numbers.
struct Kind<'t> {
    what: TrafficWhat,
    allowed: bool,
    /// How packets end, and which devices they leave and join.
    head: String,
    because: Option<&'t str>,
    changes: Vec<&'t TrafficChange>,
}

/// Returns the changes in a line, such as `24 of 1056 pairs change`.
pub fn headline(traffic: &Traffic) -> String {
    match (traffic.compared, traffic.compared - traffic.same) {
        (0, _) => traffic.notes.first().cloned().unwrap_or_else(|| "there is none".to_owned()),
        (all, 0) => format!("none of {} changes", counted(all, "pair")),
        (all, 1) => format!("1 of {} changes", counted(all, "pair")),
        (all, changed) => format!("{changed} of {} change", counted(all, "pair")),
    }
}

/// Returns what is left beside the changes: `nothing else changes`, with how much was compared.
pub fn rest(traffic: &Traffic) -> Option<String> {
    match (traffic.same, traffic.changes.is_empty()) {
        (0, _) => None,
        (all, true) => Some(format!("nothing changes: {} as before, path by path", go(all, ""))),
        (others, false) => Some(format!("nothing else changes: {} as before, path by path", go(others, "other "))),
    }
}

fn go(count: usize, other: &str) -> String {
    if count == 1 { format!("the {other}pair goes") } else { format!("the {other}{count} pairs go") }
}

/// Returns the changes as text, with ANSI colours when `colour` is set.
pub fn text(traffic: &Traffic, colour: bool) -> String {
    let mut page = Page { out: String::new(), colour };
    page.wrapped(STRONG, "", 2, &format!("Traffic: {}", headline(traffic)));
    if let Some(base) = &traffic.base {
        page.wrapped(Style::new(), "  ", 2, &format!("compared with {base}"));
    }
    // Where nothing was compared, the first note is the headline.
    for note in traffic.notes.iter().skip(usize::from(traffic.compared == 0)) {
        page.wrapped(WARN, "  ", 4, &format!("note: {note}"));
    }
    let kinds = kinds(traffic);
    for kind in kinds.iter().take(MOST_KINDS) {
        let lead = format!("  {:<9} ", kind.what.as_str());
        let allowed = if kind.allowed { "" } else { "not allowed: " };
        page.wrapped(style(kind.what), &lead, INDENT, &format!("{allowed}{}", kind.head));
        if let Some(because) = kind.because {
            page.wrapped(Style::new(), &" ".repeat(INDENT), INDENT + 2, &format!("because of {because}"));
        }
        let shown = || kind.changes.iter().take(MOST_ROWS);
        let width = shown().map(|change| pair(change).chars().count()).max().unwrap_or(0).min(MOST_NAME);
        for change in shown() {
            let lead = format!("    {:<width$}  ", pair(change));
            let indent = 4 + width + 2;
            if lead.chars().count() > indent {
                page.wrapped(Style::new(), "    ", 4, &pair(change));
                page.wrapped(Style::new(), &" ".repeat(indent), indent, &numbers(change));
            } else {
                page.wrapped(Style::new(), &lead, indent, &numbers(change));
            }
        }
        if kind.changes.len() > MOST_ROWS {
            let more = kind.changes.len() - MOST_ROWS;
            page.wrapped(Style::new(), "    ", 4, &format!("and {more} more pairs of classes; the JSON has them"));
        }
        page.wrapped(Style::new(), "    ", 4, &example(kind));
    }
    if kinds.len() > MOST_KINDS {
        let more = kinds.len() - MOST_KINDS;
        page.wrapped(Style::new(), "  ", 2, &format!("and {more} more; the JSON has them"));
    }
    if let Some(rest) = rest(traffic) {
        page.wrapped(GOOD, "  ", 2, &rest);
    }
    page.out
}

/// The title and the head of the table of [`markdown`].
pub(crate) const MARKDOWN_HEAD: &str = "\n### Traffic\n\n| | From → to | What |\n|---|---|---|\n";

/// Returns the changes as the rows of a table.
pub(crate) fn markdown(traffic: &Traffic) -> Vec<String> {
    let row = |kind: &Kind<'_>| {
        let mark = if kind.allowed { mark(kind.what) } else { "❌" };
        let change = |change: &&TrafficChange| {
            let (from, to) = (code(&change.from), code(&change.to));
            format!("{from} → {to}: {}", cell(&numbers(change)))
        };
        let mut changes: Vec<String> = kind.changes.iter().take(MOST_ROWS).map(change).collect();
        if kind.changes.len() > MOST_ROWS {
            changes.push(format!("and {} more", kind.changes.len() - MOST_ROWS));
        }
        let because = kind.because.map(|because| format!("<br>because of {}", cell(because))).unwrap_or_default();
        let allowed = if kind.allowed { "" } else { "not allowed: " };
        format!(
            "| {mark} {} | {} | {allowed}{}{because}<br>{} |\n",
            kind.what.as_str(),
            changes.join("<br>"),
            cell(&kind.head),
            cell(&example(kind))
        )
    };
    let kinds = kinds(traffic);
    let mut rows: Vec<String> = kinds.iter().take(MOST_KINDS).map(row).collect();
    if kinds.len() > MOST_KINDS {
        rows.push(format!("| and {} more | | |\n", kinds.len() - MOST_KINDS));
    }
    rows
}

/// Returns what is said below the table of [`markdown`], or in its place.
pub(crate) fn markdown_rest(traffic: &Traffic) -> String {
    let mut lines = Vec::new();
    lines.extend(traffic.base.as_ref().map(|base| format!("Compared with {}.", cell(base))));
    lines.extend(traffic.notes.iter().map(|note| format!("⚠️ {}.", cell(note))));
    lines.extend(rest(traffic).map(|rest| format!("✅ {}.", cell(&rest))));
    if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join("<br>\n")) }
}

/// One kind of change as a table shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Row {
    /// How the traffic changes.
    pub(crate) what: TrafficWhat,
    /// Whether the pipeline allows it.
    pub(crate) allowed: bool,
    /// How packets end, and which devices they leave and join.
    pub(crate) head: String,
    /// The intent with the rule that drops them.
    pub(crate) because: Option<String>,
    /// Each pair of classes with its numbers.
    pub(crate) pairs: Vec<[String; 2]>,
    /// One pair of places.
    pub(crate) example: String,
}

/// Returns the changes as the rows of a table.
pub(crate) fn rows(traffic: &Traffic) -> Vec<Row> {
    let row = |kind: &Kind<'_>| Row {
        what: kind.what,
        allowed: kind.allowed,
        head: kind.head.clone(),
        because: kind.because.map(str::to_owned),
        pairs: kind.changes.iter().map(|change| [pair(change), numbers(change)]).collect(),
        example: example(kind),
    };
    kinds(traffic).iter().map(row).collect()
}

/// Puts changes together of which the same is to be said. Loopbacks come last: people ask for hosts first.
fn kinds(traffic: &Traffic) -> Vec<Kind<'_>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    for change in &traffic.changes {
        let (head, because) = (head(change), change.because.as_deref());
        let same = |kind: &&mut Kind<'_>| {
            (kind.what, kind.allowed, &kind.head, kind.because) == (change.what, change.allowed, &head, because)
        };
        match kinds.iter_mut().find(same) {
            Some(kind) => kind.changes.push(change),
            None => {
                kinds.push(Kind { what: change.what, allowed: change.allowed, head, because, changes: vec![change] })
            }
        }
    }
    for kind in &mut kinds {
        kind.changes.sort_by_key(|change| change.from == "loopbacks" || change.to == "loopbacks");
    }
    kinds
}

/// Returns how packets end, and which devices they leave and join.
fn head(change: &TrafficChange) -> String {
    let packets = change.packets.as_ref().map(|packets| format!("{packets}: ")).unwrap_or_default();
    let ends = match (&change.before, &change.after) {
        (Some(before), Some(after)) if before != after => format!("{before} -> {after}"),
        (Some(both), Some(_)) | (None, Some(both)) => both.clone(),
        (Some(before), None) => format!("was {before}"),
        (None, None) => String::new(),
    };
    let names =
        |names: &std::collections::BTreeSet<NodeName>| named(&names.iter().map(NodeName::as_str).collect::<Vec<_>>());
    let mut parts = vec![format!("{packets}{ends}")];
    if arrives(change) {
        let ways = [("no longer over", &change.leaves), ("now over", &change.joins)];
        let ways = ways.iter().filter(|(_, devices)| !devices.is_empty());
        parts.extend(ways.map(|(words, devices)| format!("{words} {}", names(devices))));
    }
    parts.join("; ")
}

/// Returns a pair of classes, such as `segment/web -> internet`.
fn pair(change: &TrafficChange) -> String {
    format!("{} -> {}", change.from, change.to)
}

/// Returns how many pairs of places change, and the numbers that change with them.
fn numbers(change: &TrafficChange) -> String {
    let mut parts = vec![match (change.pairs, change.of) {
        (pairs, of) if pairs == of => format!("all {}", counted(of, "pair")),
        (pairs, of) => format!("{pairs} of {}", counted(of, "pair")),
    }];
    let differ = |word: &str, numbers: BeforeAfter| {
        let words = if numbers.differs() { numbers.words() } else { None };
        words.map(|words| format!("{word} {words}"))
    };
    if arrives(change) {
        parts.extend(differ("width", change.width).or_else(|| differ("paths", change.paths)));
        parts.extend(differ("hops", change.hops));
    }
    parts.join(", ")
}

/// Tells whether packets arrive after the change, so that somebody asks for their ways.
fn arrives(change: &TrafficChange) -> bool {
    let some = |ends: &String| ends.contains("delivered") || ends.contains("out at ");
    change.what != TrafficWhat::Lost && change.after.as_ref().is_some_and(some)
}

/// Returns one of the pairs of places.
fn example(kind: &Kind<'_>) -> String {
    let Some(change) = kind.changes.first() else { return String::new() };
    let [from, to] = &change.example;
    match (kind.changes.len(), change.pairs) {
        (1, 1) => format!("from {from} to {to}"),
        _ => format!("such as {from} to {to}"),
    }
}

const fn style(what: TrafficWhat) -> Style {
    match what {
        TrafficWhat::Lost | TrafficWhat::Goes => BAD,
        TrafficWhat::Gained | TrafficWhat::Comes => GOOD,
        TrafficWhat::Verdict | TrafficWhat::Path | TrafficWhat::Narrower | TrafficWhat::Wider => WARN,
    }
}

const fn mark(what: TrafficWhat) -> &'static str {
    match what {
        TrafficWhat::Lost => "⛔",
        TrafficWhat::Gained | TrafficWhat::Comes => "➕",
        TrafficWhat::Goes => "➖",
        TrafficWhat::Verdict | TrafficWhat::Path => "🔀",
        TrafficWhat::Narrower => "🔽",
        TrafficWhat::Wider => "🔼",
    }
}

struct Page {
    out: String,
    colour: bool,
}

impl Page {
    /// Writes `text` behind `lead`, with `indent` spaces before its further lines.
    fn wrapped(&mut self, style: Style, lead: &str, indent: usize, text: &str) {
        let taken = lead.chars().count().saturating_sub(indent);
        let mut lead = lead.to_owned();
        for line in wrap(text, WIDTH - indent, taken) {
            let line = if self.colour && style != Style::new() {
                format!("{style}{lead}{line}{style:#}")
            } else {
                format!("{lead}{line}")
            };
            self.out.push_str(line.trim_end());
            self.out.push('\n');
            lead = " ".repeat(indent);
        }
    }
}
