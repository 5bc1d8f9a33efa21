//! The report as Markdown, fit for a comment on a pull request: the summary first, diffs folded away, bounded in size.

use super::{
    DeviceReport, DriftReport, Report, RouteReport, Standing, counted, data::stage_milliseconds, duration,
    network::causes, printable,
};
use crate::{
    radius,
    run::{DeviceResult, RunState, StageState},
    traffic,
};

/// The most characters of a report; forges refuse comments of more than 65,536.
pub(super) const MOST_CHARACTERS: usize = 65_000;
/// Kept free for the note that says what was left out.
const RESERVE: usize = 300;
/// The most characters of one diff, so that the first device cannot take the place of all others.
const MOST_OF_A_DIFF: usize = 12_000;
/// The most observations of one intent.
const MOST_EVIDENCE: usize = 5;
/// The most lines that drifted, and the most routes.
const MOST_ROWS: usize = 30;

/// Returns the report as Markdown of at most [`MOST_CHARACTERS`] characters.
pub(super) fn render(report: &Report) -> String {
    let mut page = Bounded::default();
    page.section(&head(report));
    page.section(&stages(report));
    page.rows("\n### Findings\n\n| | Code | Where | What |\n|---|---|---|---|\n", findings(report));
    page.rows("\n### Intents\n\n| | Intent | Where | What |\n|---|---|---|---|\n", intents(report));
    page.rows("\n### Links down\n\n", links(report));
    page.rows("\n### Drift\n\n| | Device | Where | Line | Intent |\n|---|---|---|---|---|\n", drift(report));
    page.rows(&routes_title(report), routes(report));
    page.rows("\n### Devices\n\n| | Device | Wave | Lines | What |\n|---|---|---|---|---|\n", devices(report));
    if let Some(approvals) = &report.approvals {
        let row = |(who, what): (String, String)| format!("| {} | {} |\n", cell(&who), cell(&what));
        let title =
            format!("\n### Approvals: {} of {}\n\n| | |\n|---|---|\n", approvals.counted.len(), approvals.required);
        page.rows(&title, approvals.rows().into_iter().map(row).collect());
    }
    if let Some(touched) = &report.radius {
        let row = |(what, words): (&str, String)| format!("| {what} | {} |\n", cell(&words));
        page.rows("\n### Blast radius\n\n| | |\n|---|---|\n", radius::rows(touched).into_iter().map(row).collect());
    }
    if let Some(traffic) = &report.traffic {
        if traffic.changes.is_empty() {
            page.section("\n### Traffic\n");
        }
        page.rows(traffic::MARKDOWN_HEAD, traffic::markdown(traffic));
        page.section(&traffic::markdown_rest(traffic));
    }
    page.rows("\n### Diffs\n\n", report.touched().filter_map(diff).collect());
    page.end("`weft report` has them")
}

/// A page that takes no more than a forge does.
#[derive(Default)]
pub(crate) struct Bounded {
    out: String,
    length: usize,
    left_out: usize,
}

impl Bounded {
    /// Adds `text` whole, or counts it as left out.
    pub(crate) fn section(&mut self, text: &str) -> bool {
        let length = text.chars().count();
        if self.length + length > MOST_CHARACTERS - RESERVE {
            self.left_out += 1;
            return false;
        }
        self.length += length;
        self.out.push_str(text);
        true
    }

    /// Adds a title and rows under it, as many as there is room for; nothing where there are none.
    pub(crate) fn rows(&mut self, title: &str, rows: Vec<String>) {
        if !rows.is_empty() && self.section(title) {
            for row in rows {
                self.section(&row);
            }
        }
    }

    /// Returns the page; where something was left out it says so, and `elsewhere` where that can be had.
    pub(crate) fn end(mut self, elsewhere: &str) -> String {
        if self.left_out > 0 {
            let parts = counted(self.left_out, "part");
            self.out.push_str(&format!("\n*{parts} left out for length; {elsewhere}.*\n"));
        }
        self.out
    }
}

fn head(report: &Report) -> String {
    let run = &report.run;
    let mark = match run.state {
        RunState::Succeeded => "✅",
        RunState::Failed | RunState::RolledBack | RunState::Interrupted => "❌",
        RunState::Queued | RunState::Running | RunState::Cancelled | RunState::Waiting => "⏸️",
    };
    let counts = |counts: Vec<String>| if counts.is_empty() { "–".to_owned() } else { counts.join(", ") };
    let devices = report.device_counts();
    let intents =
        report.totals.intents.iter().map(|(standing, count)| format!("{count} {}", standing.as_str())).collect();
    let mut out = format!("## {mark} weft {}: {}\n\n", cell(&run.pipeline), run.state);
    out.push_str("| | |\n|---|---|\n");
    out.push_str(&format!(
        "| Run | `{}`{} |\n",
        run.id,
        run.duration_ms.map(|took| format!(", {}", duration(took))).unwrap_or_default()
    ));
    out.push_str(&format!("| Commit | {} |\n", cell(&report.revision())));
    out.push_str(&format!(
        "| Findings | {}, {} |\n",
        counted(report.totals.errors, "error"),
        counted(report.totals.warnings, "warning")
    ));
    out.push_str(&format!("| Devices | {} |\n", counts(devices)));
    out.push_str(&format!("| Lines | +{} −{} |\n", report.totals.lines_added, report.totals.lines_removed));
    out.push_str(&format!("| Intents | {} |\n", counts(intents)));
    out
}

fn stages(report: &Report) -> String {
    let mut out = "\n### Stages\n\n| | Stage | Time | What |\n|---|---|---:|---|\n".to_owned();
    for stage in &report.stages {
        let mark = match stage.state {
            StageState::Succeeded => "✅",
            StageState::Failed => "❌",
            StageState::Cancelled => "⏹️",
            StageState::Waiting => "⏸️",
            StageState::Running => "▶️",
            StageState::Queued | StageState::Skipped => "➖",
        };
        let took = stage_milliseconds(stage).map(duration).unwrap_or_default();
        let what = match (&stage.error, stage.summary.is_empty()) {
            (Some(error), true) => error.clone(),
            (Some(error), false) => format!("{}: {error}", stage.summary),
            (None, true) => stage.state.to_string(),
            (None, false) => stage.summary.clone(),
        };
        out.push_str(&format!("| {mark} | {} | {took} | {} |\n", stage.name, cell(&what)));
    }
    out
}

fn findings(report: &Report) -> Vec<String> {
    let findings = report.stages.iter().flat_map(|stage| &stage.findings);
    findings
        .map(|finding| {
            let mark = match finding.severity.as_str() {
                "error" => "❌",
                "warning" => "⚠️",
                _ => "ℹ️",
            };
            let place = finding.place.as_ref().map(|place| code(&place.to_string())).unwrap_or_default();
            let help = finding.help.as_ref().map(|help| format!("<br>*{}*", cell(help))).unwrap_or_default();
            let path: String = finding.path.iter().map(|step| format!("<br>{}", code(&step.text))).collect();
            format!("| {mark} | {} | {place} | {}{path}{help} |\n", finding.code, cell(&finding.message))
        })
        .collect()
}

fn intents(report: &Report) -> Vec<String> {
    report
        .intents
        .iter()
        .map(|intent| {
            let mark = match intent.standing {
                Standing::Compliant => "✅",
                Standing::Degraded => "⚠️",
                Standing::Unknown => "❔",
                Standing::Violated => "❌",
            };
            let evidence: String = intent
                .evidence
                .iter()
                .take(MOST_EVIDENCE)
                .map(|evidence| format!("<br>– {}", cell(&evidence.words())))
                .collect();
            let more = match intent.evidence.len().saturating_sub(MOST_EVIDENCE) {
                0 => String::new(),
                more => format!("<br>and {more} more"),
            };
            // The evidence says what the summary says, in full.
            let what = match evidence.strip_prefix("<br>") {
                Some(evidence) => evidence.to_owned(),
                None => cell(&intent.summary),
            };
            let place = code(&format!("{}:{}", intent.file, intent.line));
            format!("| {mark} {} | {} | {place} | {what}{more} |\n", intent.standing.as_str(), code(&intent.intent))
        })
        .collect()
}

fn links(report: &Report) -> Vec<String> {
    report.links_down().map(|link| format!("- ❌ {} – {}\n", code(&link.a), code(&link.b))).collect()
}

fn drift(report: &Report) -> Vec<String> {
    let row = |line: &DriftReport| {
        format!(
            "| {} | {} | {}:{} | {} | {} |\n",
            line.is.as_str(),
            code(&line.device),
            cell(&line.file),
            line.line,
            code(&line.text),
            cell(&causes(&line.sources))
        )
    };
    let rows = report.drift.iter().take(MOST_ROWS).map(row);
    rows.chain(more(report.drift.len(), 4)).collect()
}

fn routes_title(report: &Report) -> String {
    let (compared, mismatched) = report.routes.as_ref().map_or((0, 0), |routes| (routes.compared, routes.mismatched));
    format!(
        "\n### Routes: {compared} compared, {mismatched} not as predicted\n\n\
         | Device | Route | Expected | Found | Likely cause |\n|---|---|---|---|---|\n"
    )
}

fn routes(report: &Report) -> Vec<String> {
    let Some(routes) = &report.routes else { return Vec::new() };
    let row = |route: &RouteReport| {
        format!(
            "| {} | {} {} | {} | {} | {} |\n",
            code(&route.device),
            route.table.to_uppercase(),
            route.prefix,
            cell(&RouteReport::hops(&route.expected)),
            cell(&RouteReport::hops(&route.found)),
            cell(route.cause.as_deref().unwrap_or(""))
        )
    };
    let rows = routes.mismatches.iter().take(MOST_ROWS).map(row);
    rows.chain(more(routes.mismatched, 4)).collect()
}

/// Returns a last row that says how many there are beyond those listed, if there are any.
fn more(count: usize, empty_cells: usize) -> Option<String> {
    let left = count.checked_sub(MOST_ROWS).filter(|&left| left > 0)?;
    Some(format!("| and {left} more {}|\n", "| ".repeat(empty_cells)))
}

fn devices(report: &Report) -> Vec<String> {
    report
        .touched()
        .map(|device| {
            let mark = match device.result {
                DeviceResult::Compiled | DeviceResult::Unchanged | DeviceResult::Changed => "✅",
                DeviceResult::Planned => "📝",
                DeviceResult::Skipped => "➖",
                DeviceResult::RolledBack => "↩️",
                DeviceResult::Refused | DeviceResult::Unreachable | DeviceResult::Failed => "❌",
            };
            let (added, removed) = lines(device);
            let mut what = if report.is_told(device) { String::new() } else { device.detail.clone() };
            if let Some(line) = device.failure.as_ref().and_then(|failure| failure.line.as_ref()) {
                what.push_str(&format!("; {}, because of {}", line.words(), causes(&line.sources)));
            }
            format!(
                "| {mark} {} | {} | {} | +{added} −{removed} | {} |\n",
                device.result,
                code(&device.name),
                cell(device.wave.as_deref().unwrap_or("")),
                cell(&what)
            )
        })
        .collect()
}

fn lines(device: &DeviceReport) -> (usize, usize) {
    device.files.values().fold((0, 0), |(added, removed), file| (added + file.added, removed + file.removed))
}

fn diff(device: &DeviceReport) -> Option<String> {
    if device.files.is_empty() {
        return None;
    }
    let files = device.files.iter().map(|(name, file)| (name.as_str(), file.diff.as_str()));
    Some(folded(&device.name, lines(device), files))
}

/// Returns the diffs of a device's files, folded away below a line with its name and the lines that come and go.
pub(crate) fn folded<'a>(
    device: &str,
    (added, removed): (usize, usize),
    files: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut out = format!("<details><summary><code>{}</code> +{added} −{removed}</summary>\n", escape(device));
    for (name, diff) in files {
        let text: String = diff.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
        let (text, cut) = match text.char_indices().nth(MOST_OF_A_DIFF) {
            Some((at, _)) => (text[..at].rfind('\n').map_or(&text[..at], |end| &text[..end]), true),
            None => (text.trim_end_matches('\n'), false),
        };
        // Longer than any run of backticks in the diff, which then cannot end the block.
        let fence = "`".repeat(longest_run_of_backticks(text).max(2) + 1);
        out.push_str(&format!("\n{}\n{fence}diff\n{text}\n{fence}\n", code(name)));
        if cut {
            out.push_str("\n*The rest of this diff is left out for length.*\n");
        }
    }
    out.push_str("\n</details>\n");
    out
}

fn longest_run_of_backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Returns `text` for the cell of a table: nothing in it is markup, and it stays on its line.
pub(crate) fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A zero-width space keeps `@name` and `#1` from becoming a mention or a reference.
            '@' | '#' => {
                out.push(c);
                out.push('\u{200b}');
            }
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Returns `text` as code in the cell of a table. Markup within the tags is still read as such, so it is escaped too.
pub(crate) fn code(text: &str) -> String {
    format!("<code>{}</code>", cell(text))
}

/// Returns `text` for a place where HTML, but no Markdown, is read.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
