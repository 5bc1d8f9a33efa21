//! The report for a terminal, 80 columns wide.

use std::{collections::BTreeSet, fmt::Write};

use anstyle::{AnsiColor, Style};

use super::{
    DriftIs, Report, RouteReport, Standing, counted, data::stage_milliseconds, duration, network::causes, printable,
};
use crate::{
    radius,
    run::{DeviceResult, RunState, StageName, StageState},
    traffic,
};

/// The columns of a terminal that nobody has widened.
pub const WIDTH: usize = 80;
/// Most findings, devices, links and lines of configurations that are printed in full; the JSON report has all.
const MOST_LINES: usize = 40;
/// Most observations that are printed of one intent, and most routes.
const MOST_EVIDENCE: usize = 6;
/// Most columns for the names of intents; the summary of a longer one begins in the next line.
const MOST_NAME: usize = 28;

/// Returns the report as text, with ANSI colours when `colour` is set.
pub(super) fn render(report: &Report, colour: bool) -> String {
    let mut page = Page { out: String::new(), colour };
    page.head(report);
    page.stages(report);
    page.findings(report);
    page.links(report);
    page.drift(report);
    page.waves(report);
    page.devices(report);
    page.approvals(report);
    if let Some(touched) = &report.radius {
        page.out.push('\n');
        page.out.push_str(&radius::text(touched, colour));
    }
    if let Some(traffic) = &report.traffic {
        page.out.push('\n');
        page.out.push_str(&traffic::text(traffic, colour));
    }
    page.intents(report);
    page.sessions(report);
    page.routes(report);
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
        // A lead that is longer than the indentation takes room of the first line only.
        let taken = visible(first).saturating_sub(indent);
        for line in wrap(&printable(text), WIDTH - indent, taken) {
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
            RunState::Queued | RunState::Running | RunState::Cancelled | RunState::Waiting => WARN,
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
                StageState::Waiting => ("waiting", WARN),
                StageState::Running => ("running", WARN),
                StageState::Queued => ("queued", QUIET),
                StageState::Skipped => ("skipped", QUIET),
            };
            let took = stage_milliseconds(stage).map(duration).unwrap_or_default();
            let lead =
                format!("  {} {:<9} {took:>11}  ", self.styled(&format!("{mark:<9}"), style), stage.name.as_str());
            let text = if stage.summary.is_empty() { "-" } else { &stage.summary };
            self.wrapped(&lead, 35, text, Style::new());
            // What a wave says of itself is said there.
            let told = |error: &&String| {
                let mut failures = report.waves.iter().filter_map(|wave| wave.failure.as_ref());
                stage.name == StageName::Push && failures.any(|failure| error.ends_with(failure.as_str()))
            };
            if let Some(error) = stage.error.as_ref().filter(|error| !told(error)) {
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
            for (index, step) in finding.path.iter().enumerate() {
                self.wrapped(if index == 0 { "    path: " } else { "          " }, 10, &step.text, Style::new());
            }
            if let Some(help) = &finding.help {
                self.wrapped("    help: ", 10, help, Style::new());
            }
        }
        self.more(findings.len(), MOST_LINES, "findings");
    }

    fn waves(&mut self, report: &Report) {
        if report.waves.iter().all(|wave| wave.failure.is_none()) {
            return;
        }
        self.title("Waves");
        for wave in &report.waves {
            let names: Vec<&str> = wave.devices.iter().map(weft_model::NodeName::as_str).collect();
            let lead = format!("  {:<10} ", wave.name);
            self.wrapped(&lead, 13, &super::named(&names), Style::new());
            if let Some(failure) = &wave.failure {
                let lead = format!("             {} ", self.styled("failed:", BAD));
                self.wrapped(&lead, 21, failure, Style::new());
            }
        }
    }

    fn approvals(&mut self, report: &Report) {
        let Some(approvals) = &report.approvals else { return };
        self.title(&format!("Approvals: {} of {}", approvals.counted.len(), approvals.required));
        for (who, what) in approvals.rows() {
            self.wrapped(&format!("  {who}: "), 4, &what, Style::new());
        }
    }

    fn devices(&mut self, report: &Report) {
        if report.devices.is_empty() {
            return;
        }
        self.title(&format!("Devices: {}", report.device_counts().join(", ")));
        let touched = report.touched_worst_first();
        // A reason of several devices stands above them once.
        let mut above = "";
        for (index, device) in touched.iter().take(MOST_LINES).enumerate() {
            let next = touched.get(index + 1).is_some_and(|next| next.detail == device.detail);
            if next && above != device.detail && !report.is_told(device) {
                self.wrapped("  ", 2, &format!("{}:", device.detail), QUIET);
                above = &device.detail;
            }
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
            if !report.is_told(device) && above != device.detail {
                self.wrapped("    ", 4, &device.detail, QUIET);
            }
            if let Some(line) = device.failure.as_ref().and_then(|failure| failure.line.as_ref()) {
                self.wrapped("    ", 4, &line.words(), BAD);
                if !line.sources.is_empty() {
                    self.wrapped("    because of ", 15, &causes(&line.sources), Style::new());
                }
            }
        }
        self.more(touched.len(), MOST_LINES, "devices");
    }

    fn intents(&mut self, report: &Report) {
        if report.intents.is_empty() {
            return;
        }
        let counts: Vec<String> =
            report.totals.intents.iter().map(|(standing, count)| format!("{count} {}", standing.as_str())).collect();
        self.title(&format!("Intents: {}", counts.join(", ")));
        let longest = report.intents.iter().map(|intent| intent.intent.chars().count()).max().unwrap_or(0);
        let width = longest.min(MOST_NAME);
        for intent in &report.intents {
            let standing = format!("{:<9}", intent.standing.as_str());
            let lead =
                format!("  {} {:<width$}  ", self.styled(&standing, standing_style(intent.standing)), intent.intent);
            if intent.evidence.is_empty() {
                self.beside(&lead, 12, width, &intent.intent, &intent.summary);
                continue;
            }
            // The evidence says what the summary says, in full.
            let place = format!("{}:{}", intent.file, intent.line);
            self.beside(&lead, 12, width, &intent.intent, &place);
            for evidence in intent.evidence.iter().take(MOST_EVIDENCE) {
                let lead = format!("    {} ", self.styled("-", standing_style(evidence.standing)));
                self.wrapped(&lead, 6, &evidence.words(), Style::new());
            }
            self.more(intent.evidence.len(), MOST_EVIDENCE, "observations");
        }
    }

    /// Writes `text` in a column beside `lead`, or below it where the name in it leaves no room.
    fn beside(&mut self, lead: &str, before: usize, width: usize, name: &str, text: &str) {
        let indent = before + width + 2;
        if name.chars().count() > width {
            self.line(lead.trim_end());
            self.wrapped(&" ".repeat(indent), indent, text, Style::new());
        } else {
            self.wrapped(lead, indent, text, Style::new());
        }
    }

    fn links(&mut self, report: &Report) {
        let down: Vec<_> = report.links_down().collect();
        if down.is_empty() {
            return;
        }
        self.title(&format!("Links down: {}", down.len()));
        for link in down.iter().take(MOST_LINES) {
            self.wrapped("  ", 4, &format!("{} -- {}", link.a, link.b), BAD);
        }
        self.more(down.len(), MOST_LINES, "links");
    }

    fn drift(&mut self, report: &Report) {
        if report.drift.is_empty() {
            return;
        }
        let devices: BTreeSet<&str> = report.drift.iter().map(|line| line.device.as_str()).collect();
        self.title(&format!(
            "Drift: {} on {} (- missing, + not intended)",
            counted(report.drift.len(), "line"),
            counted(devices.len(), "device")
        ));
        let mut last = None;
        for line in report.drift.iter().take(MOST_LINES) {
            let file = (&line.device, &line.file);
            if last.replace(file) != Some(file) {
                self.wrapped("  ", 4, &format!("{} {}", line.device, line.file), STRONG);
            }
            let lead = format!("    line {:>4}  {} ", line.line, line.is.mark());
            self.wrapped(&lead, 17, &line.text, if line.is == DriftIs::Missing { BAD } else { WARN });
            if !line.sources.is_empty() {
                let word = if line.is == DriftIs::Missing { "intended by" } else { "in the section of" };
                self.wrapped("                 ", 17, &format!("{word} {}", causes(&line.sources)), QUIET);
            }
        }
        self.more(report.drift.len(), MOST_LINES, "lines");
    }

    fn routes(&mut self, report: &Report) {
        let Some(routes) = &report.routes else { return };
        self.title(&format!("Routes: {} compared, {} not as predicted", routes.compared, routes.mismatched));
        for cause in routes.causes.iter().take(MOST_EVIDENCE) {
            self.wrapped("  ", 4, &cause.words(), Style::new());
            if let Some(route) = routes.mismatches.iter().find(|route| cause.explains(route)) {
                let (expected, found) = (RouteReport::hops(&route.expected), RouteReport::hops(&route.found));
                let table = route.table.to_uppercase();
                let example = format!("{} in the {table}: expected {expected}; found {found}", route.prefix);
                self.wrapped("    such as ", 12, &example, QUIET);
            }
        }
        self.more(routes.causes.len(), MOST_EVIDENCE, "causes");
    }

    fn sessions(&mut self, report: &Report) {
        let Some(sessions) = report.sessions.as_ref().filter(|sessions| sessions.mismatched > 0) else { return };
        self.title(&format!("Sessions: {} compared, {} not as predicted", sessions.compared, sessions.mismatched));
        for session in sessions.mismatches.iter().take(MOST_EVIDENCE) {
            let lead = format!("  {} {}: ", session.device, session.neighbor);
            let cause = session.cause.as_ref().map(|cause| format!("; likely cause: {cause}")).unwrap_or_default();
            let words = format!("expected {}; found {}{cause}", session.expected, session.found);
            self.wrapped(&lead, 4, &words, Style::new());
        }
        self.more(sessions.mismatched, MOST_EVIDENCE, "sessions");
    }

    fn more(&mut self, count: usize, most: usize, noun: &str) {
        if count > most {
            // Writing to a String cannot fail.
            let _ = writeln!(self.out, "    and {} more {noun}; the JSON report has them", count - most);
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

/// Returns how many columns a text with ANSI colours takes.
fn visible(text: &str) -> usize {
    let mut columns = 0;
    let mut escaped = false;
    for c in text.chars() {
        match c {
            '\u{1b}' => escaped = true,
            'm' if escaped => escaped = false,
            _ if escaped => {}
            _ => columns += 1,
        }
    }
    columns
}

/// Breaks `text` at spaces into lines of at most `width` characters, of which `taken` are gone in the first; a longer word
/// keeps a line of its own. At least one line.
pub fn wrap(text: &str, width: usize, taken: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = taken;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let word_length = word.chars().count();
        let begun = lines.last().is_some_and(|line| !line.is_empty());
        if length + usize::from(begun) + word_length > width && (begun || length > 0) {
            lines.push(String::new());
            length = 0;
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += word_length;
        }
    }
    lines
}
