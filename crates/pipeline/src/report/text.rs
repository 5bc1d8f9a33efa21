//! The report for a terminal, 80 columns wide.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::{Report, Standing, counted, data::stage_milliseconds, duration, printable};
use crate::run::{DeviceResult, RunState, StageState};

/// The columns of a terminal that nobody has widened.
const WIDTH: usize = 80;
/// Most findings, observations and devices that are printed in full; the JSON report has all.
const MOST_LINES: usize = 40;

/// Returns the report as text, with ANSI colours when `colour` is set.
pub(super) fn render(report: &Report, colour: bool) -> String {
    let mut page = Page { out: String::new(), colour };
    page.head(report);
    page.stages(report);
    page.findings(report);
    page.devices(report);
    page.intents(report);
    page.out
}

struct Page {
    out: String,
    colour: bool,
}

const GOOD: Style = AnsiColor::Green.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = AnsiColor::BrightBlack.on_default();
const STRONG: Style = Style::new().bold();

impl Page {
    fn styled(&self, text: &str, style: Style) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn title(&mut self, title: &str) {
        let title = self.styled(title, STRONG);
        self.out.push('\n');
        self.line(&title);
    }

    /// Writes `text` broken at spaces, its first line behind `first` and the others behind as many spaces as `indent`.
    fn wrapped(&mut self, first: &str, indent: usize, text: &str, style: Style) {
        let mut lead = first.to_owned();
        for line in wrap(&printable(text), WIDTH - indent) {
            let line = format!("{lead}{}", self.styled(&line, style));
            self.line(line.trim_end());
            lead = " ".repeat(indent);
        }
    }

    fn head(&mut self, report: &Report) {
        let run = &report.run;
        let style = match run.state {
            RunState::Succeeded => GOOD,
            RunState::Failed | RunState::RolledBack | RunState::Interrupted => BAD,
            RunState::Queued | RunState::Running | RunState::Cancelled => WARN,
        };
        let took = run.duration_ms.map(|took| format!(" in {}", duration(took))).unwrap_or_default();
        let state = self.styled(run.state.as_str(), style);
        self.line(&format!("{} {}: {state}{took}", self.styled("run", STRONG), run.id));
        let origin = format!("pipeline {}, {}, {}", run.pipeline, report.revision(), run.started.readable());
        let origin = self.styled(&origin, QUIET);
        self.line(&origin);
    }

    fn stages(&mut self, report: &Report) {
        self.title("Stages");
        for stage in &report.stages {
            let (mark, style) = match stage.state {
                StageState::Succeeded => ("ok", GOOD),
                StageState::Failed => ("failed", BAD),
                StageState::Cancelled => ("cancelled", WARN),
                StageState::Running => ("running", WARN),
                StageState::Queued => ("queued", QUIET),
                StageState::Skipped => ("skipped", QUIET),
            };
            let took = stage_milliseconds(stage).map(duration).unwrap_or_default();
            let lead =
                format!("  {} {:<9} {took:>11}  ", self.styled(&format!("{mark:<9}"), style), stage.name.as_str());
            let text = if stage.summary.is_empty() { "-" } else { &stage.summary };
            self.wrapped(&lead, 35, text, Style::new());
            if let Some(error) = &stage.error {
                self.wrapped("    ", 4, error, BAD);
            }
        }
    }

    fn findings(&mut self, report: &Report) {
        let findings: Vec<_> = report.stages.iter().flat_map(|stage| &stage.findings).collect();
        if findings.is_empty() {
            return;
        }
        self.title(&format!(
            "Findings: {}, {}",
            counted(report.totals.errors, "error"),
            counted(report.totals.warnings, "warning")
        ));
        for finding in findings.iter().take(MOST_LINES) {
            let style = match finding.severity.as_str() {
                "error" => BAD,
                "warning" => WARN,
                _ => QUIET,
            };
            let lead = format!("  {} ", self.styled(&format!("{}[{}]", finding.severity, finding.code), style));
            let indent = 5 + finding.severity.len() + finding.code.len();
            self.wrapped(&lead, indent, &finding.message, Style::new());
            if let Some(place) = &finding.place {
                self.wrapped("    at ", 7, &place.to_string(), QUIET);
            }
            if let Some(help) = &finding.help {
                self.wrapped("    help: ", 10, help, Style::new());
            }
        }
        self.more(findings.len(), "findings");
    }

    fn devices(&mut self, report: &Report) {
        if report.devices.is_empty() {
            return;
        }
        let counts: Vec<String> =
            report.totals.devices.iter().map(|(result, count)| format!("{count} {result}")).collect();
        self.title(&format!("Devices: {}", counts.join(", ")));
        let touched: Vec<_> = report.touched().collect();
        for device in touched.iter().take(MOST_LINES) {
            let (added, removed) = device
                .files
                .values()
                .fold((0, 0), |(added, removed), file| (added + file.added, removed + file.removed));
            let lines = if added + removed > 0 { format!("+{added} -{removed}") } else { String::new() };
            let took = device.duration_ms.map(duration).unwrap_or_default();
            let result = self.styled(&format!("{:<11}", device.result), result_style(device.result));
            let wave = device.wave.clone().unwrap_or_default();
            let line = format!("  {:<24} {result} {wave:<10} {lines:>12} {took:>12}", device.name);
            self.line(line.trim_end());
            if !device.detail.is_empty() {
                self.wrapped("    ", 4, &device.detail, QUIET);
            }
        }
        self.more(touched.len(), "devices");
    }

    fn intents(&mut self, report: &Report) {
        if report.intents.is_empty() {
            return;
        }
        let counts: Vec<String> =
            report.totals.intents.iter().map(|(standing, count)| format!("{count} {}", standing.as_str())).collect();
        self.title(&format!("Intents: {}", counts.join(", ")));
        for intent in &report.intents {
            let style = standing_style(intent.standing);
            let lead =
                format!("  {} {}  ", self.styled(&format!("{:<9}", intent.standing.as_str()), style), intent.intent);
            let indent = (14 + intent.intent.chars().count()).min(WIDTH / 2);
            self.wrapped(&lead, indent, &intent.summary, Style::new());
            if intent.standing == Standing::Compliant {
                continue;
            }
            self.wrapped("    ", 4, &format!("{}:{}", intent.file, intent.line), QUIET);
            for evidence in intent.evidence.iter().take(MOST_LINES) {
                let device = evidence.device.as_deref().map(|device| format!("{device}: ")).unwrap_or_default();
                let text = format!(
                    "{device}{}: expected {}, observed {}",
                    evidence.subject, evidence.expected, evidence.observed
                );
                let lead = format!("    {} ", self.styled("-", standing_style(evidence.standing)));
                self.wrapped(&lead, 6, &text, Style::new());
            }
            self.more(intent.evidence.len(), "observations");
        }
    }

    fn more(&mut self, count: usize, noun: &str) {
        if count > MOST_LINES {
            // Writing to a String cannot fail.
            let _ = writeln!(self.out, "    and {} more {noun}; the JSON report has all", count - MOST_LINES);
        }
    }
}

fn result_style(result: DeviceResult) -> Style {
    match result {
        DeviceResult::Compiled | DeviceResult::Unchanged => QUIET,
        DeviceResult::Changed => GOOD,
        DeviceResult::Planned | DeviceResult::Skipped | DeviceResult::Unreachable => WARN,
        DeviceResult::RolledBack | DeviceResult::Refused | DeviceResult::Failed => BAD,
    }
}

fn standing_style(standing: Standing) -> Style {
    match standing {
        Standing::Compliant => GOOD,
        Standing::Degraded | Standing::Unknown => WARN,
        Standing::Violated => BAD,
    }
}

/// Breaks `text` at spaces into lines of at most `width` characters; a longer word keeps a line of its own. At least one line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > width {
            lines.push(String::new());
            length = 0;
        }
        if let Some(line) = lines.last_mut() {
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += word_length;
        }
    }
    lines
}
