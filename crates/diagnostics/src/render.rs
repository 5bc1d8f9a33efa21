//! Prints findings: for people with the source line and a caret, for programs as JSON.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};

use crate::{Diagnostic, Severity, SourceMap, SourceSpan};

/// Lines of source shown above and below a place. The printer gets only this window: its cost grows with the text it
/// is given, not with the number of places.
const CONTEXT_LINES: u32 = 1;

/// Returns the findings as text for a terminal, each ending in an empty line; with ANSI colours when `colour` is set.
///
/// Findings are printed in the order given. A place whose file is not in `sources` is printed as `file:line:column`
/// without its line.
pub fn text(diagnostics: &[Diagnostic], sources: &SourceMap, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(120);
    let mut texts = Texts::new(diagnostics, sources);
    let paths: Vec<String> = diagnostics.iter().map(path).collect();
    let mut out = String::new();
    for (diagnostic, path) in diagnostics.iter().zip(&paths) {
        out.push_str(&renderer.render(&groups(diagnostic, path, &mut texts)));
        out.push_str("\n\n");
    }
    out
}

/// Returns the findings as a JSON array of objects with `code`, `severity`, `message`, `span`, `labels`,
/// `path` where there is one, and `help`.
pub fn json(diagnostics: &[Diagnostic]) -> String {
    // Strings, numbers and lists only: nothing in a Diagnostic can fail to serialise.
    serde_json::to_string_pretty(diagnostics).unwrap_or_default()
}

/// Returns `1 error, 2 warnings`, or `no findings`.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    let parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .map(|severity| (severity, count(severity)))
        .filter(|(_, n)| *n > 0)
        .map(|(severity, n)| format!("{n} {}{}", severity.as_str(), if n == 1 { "" } else { "s" }))
        .collect();
    if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") }
}

/// A place in a window of source lines, with the text of its label.
type Marked<'a> = (AnnotationKind, &'a SourceSpan, Option<&'a str>);

/// Returns the path of a finding, a line for each hop.
fn path(diagnostic: &Diagnostic) -> String {
    let steps: Vec<String> = diagnostic.path.iter().map(ToString::to_string).collect();
    steps.join("\n")
}

fn groups<'a>(diagnostic: &'a Diagnostic, path: &'a str, texts: &mut Texts<'a>) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.id()));
    if let Some(primary) = &diagnostic.span {
        // Places of one file share a window when they are near each other; the others get one of their own.
        let mut windows: BTreeMap<(u8, &str, u32), Vec<Marked<'_>>> = BTreeMap::new();
        windows.entry((0, &primary.file, primary.line)).or_default().push((AnnotationKind::Primary, primary, None));
        for label in &diagnostic.labels {
            let near = label.span.file == primary.file && label.span.line.abs_diff(primary.line) <= 10;
            let key = if near { (0, &*primary.file, primary.line) } else { (1, &*label.span.file, label.span.line) };
            windows.entry(key).or_default().push((AnnotationKind::Context, &label.span, Some(&label.message)));
        }
        for ((_, file, _), places) in windows {
            match snippet(file, &places, texts) {
                Some(snippet) => group = group.element(snippet),
                None => {
                    for (_, span, _) in &places {
                        let origin = annotate_snippets::Origin::path(file)
                            .line(span.line as usize)
                            .char_column(span.column as usize);
                        group = group.element(origin);
                    }
                }
            }
        }
    }
    if !path.is_empty() {
        group = group.element(Level::NOTE.with_name("path").message(path));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    vec![group]
}

fn snippet<'a>(file: &'a str, places: &[Marked<'a>], texts: &mut Texts<'a>) -> Option<Snippet<'a, Annotation<'a>>> {
    let first = places.iter().map(|(_, span, _)| span.line).min()?.saturating_sub(CONTEXT_LINES).max(1);
    let last = places.iter().map(|(_, span, _)| span.line).max()?.saturating_add(CONTEXT_LINES);
    let window = texts.window(file, first, last)?;
    let annotations: Vec<Annotation<'a>> = places
        .iter()
        .map(|(kind, span, label)| {
            let annotation = kind.span(byte_range(&window, first, span));
            match label {
                Some(label) => annotation.label(*label),
                None => annotation,
            }
        })
        .collect();
    Some(Snippet::source(window).path(file).line_start(first as usize).fold(false).annotations(annotations))
}

/// The texts of one printing: where the lines of each begin, found when a place in it is printed first, and what is hidden.
struct Texts<'a> {
    sources: &'a SourceMap,
    lines: BTreeMap<&'a str, Vec<usize>>,
    concealed: BTreeMap<&'a str, Vec<&'a SourceSpan>>,
}

impl<'a> Texts<'a> {
    fn new(diagnostics: &'a [Diagnostic], sources: &'a SourceMap) -> Self {
        let mut concealed: BTreeMap<&str, Vec<&SourceSpan>> = BTreeMap::new();
        for span in diagnostics.iter().flat_map(|diagnostic| &diagnostic.concealed) {
            concealed.entry(&span.file).or_default().push(span);
        }
        for spans in concealed.values_mut() {
            spans.sort();
            spans.dedup();
        }
        Self { sources, lines: BTreeMap::new(), concealed }
    }

    /// Returns the lines `first..=last` (from 1) of a file without the final line break, each character of a hidden place
    /// as `*`; `None` when there is no such file or line.
    fn window(&mut self, file: &'a str, first: u32, last: u32) -> Option<Cow<'a, str>> {
        let text = self.sources.text(file)?;
        let starts = self
            .lines
            .entry(file)
            .or_insert_with(|| std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect());
        let start = *starts.get((first as usize).checked_sub(1)?)?;
        let end = match starts.get(last as usize) {
            Some(next) => next - 1,
            None => text.trim_end_matches('\n').len().max(start),
        };
        let window = text.get(start..end)?;
        let hidden: Vec<&SourceSpan> = self
            .concealed
            .get(file)
            .map(|spans| spans.iter().copied().filter(|span| span.line <= last && span.end_line >= first).collect())
            .unwrap_or_default();
        Some(if hidden.is_empty() { Cow::Borrowed(window) } else { Cow::Owned(masked(window, first, &hidden)) })
    }
}

/// Returns `window`, whose first line is `first_line`, with `*` for each character of the hidden places.
fn masked(window: &str, first_line: u32, hidden: &[&SourceSpan]) -> String {
    let mut out = String::with_capacity(window.len());
    for (line, text) in (first_line..).zip(window.split_inclusive('\n')) {
        for (column, character) in (1_u32..).zip(text.chars()) {
            let at = (line, column);
            let inside = |span: &&SourceSpan| (span.line, span.column) <= at && at < (span.end_line, span.end_column);
            let visible = character.is_whitespace() || !hidden.iter().any(inside);
            out.push(if visible { character } else { '*' });
        }
    }
    out
}

/// Returns the bytes of `span` in `slice`, whose first line is `first_line`; only the first line of the span is marked.
fn byte_range(slice: &str, first_line: u32, span: &SourceSpan) -> Range<usize> {
    let mut offset = 0;
    for (index, line) in (first_line..).zip(slice.split_inclusive('\n')) {
        if index == span.line {
            let content = line.trim_end_matches(['\n', '\r']);
            let byte_at = |column: u32| {
                content.char_indices().nth(column.saturating_sub(1) as usize).map_or(content.len(), |(at, _)| at)
            };
            let start = byte_at(span.column);
            let end = if span.end_line > span.line { content.len() } else { byte_at(span.end_column) };
            return offset + start..offset + end.max(start);
        }
        offset += line.len();
    }
    slice.len()..slice.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    const CODE: Code = Code::new("WEFT-000", "an example", "Only tests report it.");

    fn sources() -> SourceMap {
        [("intents/a.yaml", "kind: Fabric\nspec:\n  spines: two\n  leaves: 4\n")].into_iter().collect()
    }

    #[test]
    fn a_finding_shows_its_line_with_a_caret_and_its_help() {
        let finding = Diagnostic::error(CODE, "`two` is not a number")
            .at(SourceSpan::on_line("intents/a.yaml", 3, 11, 3))
            .label(SourceSpan::on_line("intents/a.yaml", 1, 7, 6), "in this intent")
            .help("write a number, such as `2`");
        let expected = "\
error[WEFT-000]: `two` is not a number
 --> intents/a.yaml:3:11
  |
1 | kind: Fabric
  |       ------ in this intent
2 | spec:
3 |   spines: two
  |           ^^^
4 |   leaves: 4
  |
  = help: write a number, such as `2`

";
        let printed = text(&[finding], &sources(), false);
        assert_eq!(printed.lines().map(str::trim_end).collect::<Vec<_>>(), expected.lines().collect::<Vec<_>>());
    }

    #[test]
    fn a_place_in_an_unknown_file_still_names_file_line_and_column() {
        let finding = Diagnostic::warning(CODE, "gone").at(SourceSpan::point("lost.yaml", 7, 3));
        assert!(text(&[finding], &sources(), false).contains("lost.yaml:7:3"));
    }

    #[test]
    fn a_place_behind_the_end_of_the_text_does_not_panic() {
        for line in 0..8 {
            for column in 0..20 {
                let finding = Diagnostic::error(CODE, "x").at(SourceSpan::on_line("intents/a.yaml", line, column, 4));
                text(&[finding], &sources(), false);
            }
        }
    }

    #[test]
    fn a_concealed_place_is_hidden_from_every_line_that_is_printed() {
        let sources: SourceMap = [("a.yaml", "x: 1\nkey: \"hunter2 ü\"\nbad: y\n")].into_iter().collect();
        let secret = SourceSpan::on_line("a.yaml", 2, 6, 11);
        let findings = [
            Diagnostic::error(CODE, "first").at(SourceSpan::on_line("a.yaml", 1, 4, 1)),
            Diagnostic::error(CODE, "a secret").at(secret.clone()).conceal(secret),
            Diagnostic::error(CODE, "its neighbor").at(SourceSpan::on_line("a.yaml", 3, 6, 1)),
        ];
        let printed = text(&findings, &sources, false);
        assert!(!printed.contains("hunter2") && !printed.contains('ü'), "{printed}");
        assert_eq!(printed.matches("2 | key: ******** **").count(), 3, "{printed}");
        assert!(printed.contains("  |      ^^^^^^^^^^^"), "{printed}");
        assert!(!json(&findings).contains("hunter2"));
    }

    #[test]
    fn text_outside_ascii_is_printed_with_its_caret_in_place() {
        let sources: SourceMap = [("a.yaml", "description: Dätenbänke ☃ 数据\nmtu: zwölf\n")].into_iter().collect();
        let finding = Diagnostic::error(CODE, "x").at(SourceSpan::on_line("a.yaml", 2, 6, 5));
        let printed = text(&[finding], &sources, false);
        assert!(printed.contains("1 | description: Dätenbänke ☃ 数据"), "{printed}");
        assert!(printed.contains("2 | mtu: zwölf\n  |      ^^^^^"), "{printed}");
    }

    #[test]
    #[allow(clippy::print_stderr, reason = "it prints a figure")]
    #[ignore = "a measurement: run it alone, as `cargo test --release -- --ignored --nocapture`"]
    fn many_findings_in_a_large_file_print_in_a_second() {
        let line = format!("  - {{ name: node, note: {} }}\n", "x".repeat(76));
        let file = line.repeat(10_000_000 / line.len());
        let lines = u32::try_from(file.lines().count()).unwrap();
        let sources: SourceMap = [("large.yaml", file)].into_iter().collect();
        let findings: Vec<Diagnostic> = (0..5000)
            .map(|n| Diagnostic::error(CODE, "x").at(SourceSpan::on_line("large.yaml", 1 + n * (lines / 5000), 5, 4)))
            .collect();
        let start = std::time::Instant::now();
        let printed = text(&findings, &sources, false);
        let taken = start.elapsed();
        eprintln!("5,000 findings in 10 MB: {taken:?}, {} octets", printed.len());
        assert!(taken.as_secs_f64() < 1.0, "{taken:?}");
    }

    #[test]
    fn json_has_the_code_and_the_place() {
        let finding = Diagnostic::error(CODE, "x").at(SourceSpan::point("a", 1, 2));
        let value: serde_json::Value = serde_json::from_str(&json(&[finding])).unwrap();
        assert_eq!(value[0]["code"], "WEFT-000");
        assert_eq!(value[0]["span"]["column"], 2);
    }
}
