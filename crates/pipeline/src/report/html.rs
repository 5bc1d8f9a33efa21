//! The report as one self-contained HTML file: it asks nothing of any network, and works without scripts.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{
    Environment, UndefinedBehavior,
    syntax::SyntaxConfig,
    value::{Serde, Value},
};
use serde::Serialize;
use weft_model::TrafficWhat;
use weft_plan::Traffic;

use super::{
    CauseReport, DeviceReport, DriftIs, DriftReport, LineReport, Report, RouteReport, RoutesReport, RunReport,
    SessionsReport, Standing, Totals, counted, data::stage_milliseconds, duration, network::causes, topology,
};
use crate::{
    approval::Approvals,
    radius,
    run::{DeviceResult, RunState, StageRecord, StageState, WaveRecord},
    traffic,
};

/// Most lines of one diff on the page; the artifact has all.
const MOST_DIFF_LINES: usize = 2_000;
/// Most observations shown for one intent; the JSON report has all.
const MOST_EVIDENCE: usize = 50;
/// Most lines that drifted and most routes on the page; the JSON report has more.
const MOST_ROWS: usize = 100;

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/style.css");
/// The colours of the dark mode; they stand in the style twice, for the reader's system and for the reader's choice.
const DARK: &str = include_str!("html/dark.css");
const SCRIPT: &str = include_str!("html/script.js");

/// The five ways in which a thing is marked, each by a colour and a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Tone {
    /// Nothing to say.
    Quiet,
    /// As it should be.
    Good,
    /// Going to change.
    Coming,
    /// Not as it should be, and nothing is broken; or not known.
    Warn,
    /// Broken.
    Bad,
}

/// Returns the page.
pub(super) fn render(report: &Report) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment
        .set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Escaping follows from the name's ending.
    environment.add_template("page.html", PAGE)?;
    // Every node has an entry, since a look-up that finds nothing is an error in the template.
    let mut tones: BTreeMap<&str, Tone> = report.nodes.iter().map(|node| (node.name.as_str(), Tone::Quiet)).collect();
    let mut results: BTreeMap<&str, &'static str> =
        report.nodes.iter().map(|node| (node.name.as_str(), "not compiled")).collect();
    for device in &report.devices {
        tones.insert(&device.name, device_tone(device));
        results.insert(&device.name, says(device));
    }
    let page = Page {
        style: STYLE.replace("/*dark*/", DARK.trim_end()),
        script: SCRIPT,
        run: &report.run,
        run_tone: run_tone(report.run.state),
        revision: report.revision(),
        started: report.run.started.readable(),
        took: report.run.duration_ms.map(duration),
        totals: &report.totals,
        tiles: tiles(report),
        stages: report.stages.iter().map(|stage| StageView::new(stage, report)).collect(),
        findings: report.stages.iter().map(|stage| stage.findings.len()).sum(),
        counts: format!("{}, {}", counted(report.totals.errors, "error"), counted(report.totals.warnings, "warning")),
        drawing: topology::draw(report),
        tones,
        results,
        links_down: report.links_down().map(|link| format!("{} – {}", link.a, link.b)).collect(),
        drift: report.drift.iter().take(MOST_ROWS).map(DriftView::new).collect(),
        drifted: report.drift.len(),
        sessions: report.sessions.as_ref(),
        routes: report.routes.as_ref().map(RoutesView::new),
        approvals: report.approvals.as_ref().map(ApprovalsView::new),
        radius: report.radius.as_ref().map(radius::rows).unwrap_or_default(),
        traffic: report.traffic.as_ref().map(TrafficView::new),
        intents: report.intents.iter().map(IntentView::new).collect(),
        standings: standings(report),
        waves: &report.waves,
        touched: report.touched_worst_first().into_iter().map(DeviceView::new).collect(),
        untouched: report.untouched().map(DeviceView::new).collect(),
    };
    environment.get_template("page.html")?.render(Value::from(Serde(page)))
}

/// What the template gets.
#[derive(Serialize)]
struct Page<'a> {
    style: String,
    script: &'static str,
    run: &'a RunReport,
    run_tone: Tone,
    revision: String,
    started: String,
    took: Option<String>,
    totals: &'a Totals,
    tiles: Vec<Tile>,
    stages: Vec<StageView<'a>>,
    findings: usize,
    counts: String,
    drawing: Option<topology::Drawing>,
    tones: BTreeMap<&'a str, Tone>,
    results: BTreeMap<&'a str, &'static str>,
    links_down: Vec<String>,
    drift: Vec<DriftView<'a>>,
    drifted: usize,
    sessions: Option<&'a SessionsReport>,
    routes: Option<RoutesView<'a>>,
    approvals: Option<ApprovalsView>,
    radius: Vec<(&'static str, String)>,
    traffic: Option<TrafficView<'a>>,
    intents: Vec<IntentView<'a>>,
    standings: Vec<StandingView>,
    waves: &'a [WaveRecord],
    touched: Vec<DeviceView<'a>>,
    untouched: Vec<DeviceView<'a>>,
}

/// The approvals of the plan.
#[derive(Serialize)]
struct ApprovalsView {
    has: usize,
    required: u16,
    rows: Vec<(String, String)>,
}

impl ApprovalsView {
    fn new(approvals: &Approvals) -> Self {
        Self { has: approvals.counted.len(), required: approvals.required, rows: approvals.rows() }
    }
}

fn run_tone(state: RunState) -> Tone {
    match state {
        RunState::Succeeded => Tone::Good,
        RunState::Queued | RunState::Running => Tone::Coming,
        RunState::Cancelled | RunState::Waiting => Tone::Warn,
        RunState::Failed | RunState::RolledBack | RunState::Interrupted => Tone::Bad,
    }
}

fn result_tone(result: DeviceResult) -> Tone {
    match result {
        DeviceResult::Compiled => Tone::Quiet,
        DeviceResult::Unchanged | DeviceResult::Changed => Tone::Good,
        DeviceResult::Planned => Tone::Coming,
        DeviceResult::Unreachable | DeviceResult::Skipped | DeviceResult::RolledBack => Tone::Warn,
        DeviceResult::Refused | DeviceResult::Failed => Tone::Bad,
    }
}

fn standing_tone(standing: Standing) -> Tone {
    match standing {
        Standing::Compliant => Tone::Good,
        Standing::Degraded | Standing::Unknown => Tone::Warn,
        Standing::Violated => Tone::Bad,
    }
}

/// The worse of what became of a device and of what was observed on it.
fn device_tone(device: &DeviceReport) -> Tone {
    // Of those that went back, the one that failed stands out.
    let failure = if device.failure.is_some() { Tone::Bad } else { Tone::Quiet };
    result_tone(device.result).max(failure).max(device.standing.map_or(Tone::Quiet, standing_tone))
}

/// What a device is marked with in the drawing, in a word or two.
fn says(device: &DeviceReport) -> &'static str {
    match device.standing {
        Some(Standing::Compliant) if device.result == DeviceResult::Compiled => "as intended",
        Some(Standing::Unknown) => "not observed",
        Some(standing) if standing_tone(standing) > result_tone(device.result) => standing.as_str(),
        Some(_) | None => device.result.as_str(),
    }
}

#[derive(Serialize)]
struct Tile {
    label: &'static str,
    value: String,
    note: String,
    tone: Tone,
}

fn tiles(report: &Report) -> Vec<Tile> {
    let totals = &report.totals;
    let mut tiles = Vec::new();
    if !report.intents.is_empty() {
        let compliant = totals.intents.get(&Standing::Compliant).copied().unwrap_or(0);
        let others: Vec<String> = totals
            .intents
            .iter()
            .rev()
            .filter(|(standing, _)| **standing != Standing::Compliant)
            .map(|(standing, count)| format!("{count} {}", standing.as_str()))
            .collect();
        tiles.push(Tile {
            label: "Intents compliant",
            value: format!("{compliant}/{}", report.intents.len()),
            note: if others.is_empty() { "every one of them".to_owned() } else { others.join(", ") },
            tone: report.intents.iter().map(|intent| standing_tone(intent.standing)).max().unwrap_or(Tone::Quiet),
        });
    }
    if !report.devices.is_empty() {
        let touched = report.touched().count();
        // Where nothing was to be changed, what was observed is the matter.
        let observed = report.devices.iter().all(|device| device.result == DeviceResult::Compiled)
            && report.devices.iter().any(|device| device.standing.is_some());
        let well = report.devices.iter().filter(|device| device.standing == Some(Standing::Compliant)).count();
        tiles.push(Tile {
            label: if observed { "Devices as intended" } else { "Devices touched" },
            value: format!("{}/{}", if observed { well } else { touched }, report.devices.len()),
            note: report.device_counts().join(", "),
            tone: report.devices.iter().map(device_tone).max().unwrap_or(Tone::Quiet),
        });
        if let Some(routes) = report.routes.as_ref().filter(|_| observed) {
            tiles.push(Tile {
                label: "Routes as predicted",
                value: format!("{}/{}", routes.compared - routes.mismatched.min(routes.compared), routes.compared),
                note: format!("{} down", counted(report.links_down().count(), "link")),
                tone: if routes.mismatched == 0 { Tone::Good } else { Tone::Warn },
            });
        } else {
            tiles.push(Tile {
                label: "Configuration lines",
                value: format!("+{} −{}", totals.lines_added, totals.lines_removed),
                note: match report.waves.len() {
                    0 => "nothing to change".to_owned(),
                    waves => format!("in {}", counted(waves, "wave")),
                },
                tone: Tone::Quiet,
            });
        }
    }
    if !report.drift.is_empty() {
        let devices: BTreeSet<&str> = report.drift.iter().map(|line| line.device.as_str()).collect();
        tiles.push(Tile {
            label: "Lines drifted",
            value: report.drift.len().to_string(),
            note: format!("on {}", counted(devices.len(), "device")),
            tone: Tone::Bad,
        });
    }
    tiles.push(Tile {
        label: "Findings",
        value: (totals.errors + totals.warnings).to_string(),
        note: format!("{}, {}", counted(totals.errors, "error"), counted(totals.warnings, "warning")),
        tone: match (totals.errors, totals.warnings) {
            (0, 0) => Tone::Good,
            (0, _) => Tone::Warn,
            _ => Tone::Bad,
        },
    });
    tiles
}

#[derive(Serialize)]
struct StageView<'a> {
    #[serde(flatten)]
    record: &'a StageRecord,
    tone: Tone,
    sign: &'static str,
    took: Option<String>,
    /// The share of the run's time, in percent.
    share: u64,
}

impl<'a> StageView<'a> {
    fn new(record: &'a StageRecord, report: &Report) -> Self {
        let (tone, sign) = match record.state {
            StageState::Succeeded => (Tone::Good, "✓"),
            StageState::Failed => (Tone::Bad, "✕"),
            StageState::Cancelled => (Tone::Warn, "■"),
            StageState::Waiting => (Tone::Warn, "⏸"),
            StageState::Running => (Tone::Coming, "▶"),
            StageState::Queued | StageState::Skipped => (Tone::Quiet, "–"),
        };
        let took = stage_milliseconds(record);
        let whole = report.stages.iter().filter_map(stage_milliseconds).sum::<u64>().max(1);
        Self { record, tone, sign, took: took.map(duration), share: took.unwrap_or(0) * 100 / whole }
    }
}

#[derive(Serialize)]
struct DriftView<'a> {
    device: &'a str,
    file: &'a str,
    line: usize,
    is: &'static str,
    mark: char,
    kind: &'static str,
    text: &'a str,
    causes: String,
}

impl<'a> DriftView<'a> {
    fn new(line: &'a DriftReport) -> Self {
        Self {
            device: &line.device,
            file: &line.file,
            line: line.line,
            is: line.is.as_str(),
            mark: line.is.mark(),
            kind: if line.is == DriftIs::Missing { "minus" } else { "plus" },
            text: &line.text,
            causes: causes(&line.sources),
        }
    }
}

#[derive(Serialize)]
struct RoutesView<'a> {
    compared: usize,
    mismatched: usize,
    causes: Vec<String>,
    shown: Vec<RouteView<'a>>,
    left_out: usize,
}

#[derive(Serialize)]
struct RouteView<'a> {
    device: &'a str,
    table: String,
    prefix: &'a str,
    expected: String,
    found: String,
    cause: &'a str,
}

impl<'a> RoutesView<'a> {
    fn new(routes: &'a RoutesReport) -> Self {
        let shown: Vec<RouteView<'_>> = routes
            .mismatches
            .iter()
            .take(MOST_ROWS)
            .map(|route| RouteView {
                device: &route.device,
                table: route.table.to_uppercase(),
                prefix: &route.prefix,
                expected: RouteReport::hops(&route.expected),
                found: RouteReport::hops(&route.found),
                cause: route.cause.as_deref().unwrap_or(""),
            })
            .collect();
        let left_out = routes.mismatched.saturating_sub(shown.len());
        let causes = routes.causes.iter().take(MOST_ROWS).map(CauseReport::words).collect();
        Self { compared: routes.compared, mismatched: routes.mismatched, causes, shown, left_out }
    }
}

#[derive(Serialize)]
struct TrafficView<'a> {
    headline: String,
    base: Option<&'a str>,
    notes: &'a [String],
    rows: Vec<TrafficRow>,
    rest: Option<String>,
}

#[derive(Serialize)]
struct TrafficRow {
    #[serde(flatten)]
    row: traffic::Row,
    tone: Tone,
}

impl<'a> TrafficView<'a> {
    fn new(traffic: &'a Traffic) -> Self {
        let row = |row: traffic::Row| {
            let tone = match row.what {
                _ if !row.allowed => Tone::Bad,
                TrafficWhat::Lost => Tone::Bad,
                TrafficWhat::Gained | TrafficWhat::Comes | TrafficWhat::Goes => Tone::Coming,
                TrafficWhat::Verdict | TrafficWhat::Path | TrafficWhat::Narrower | TrafficWhat::Wider => Tone::Warn,
            };
            TrafficRow { row, tone }
        };
        Self {
            headline: traffic::headline(traffic),
            base: traffic.base.as_deref(),
            // Where nothing was compared, the first note is the headline.
            notes: &traffic.notes[usize::from(traffic.compared == 0).min(traffic.notes.len())..],
            rows: traffic::rows(traffic).into_iter().map(row).collect(),
            rest: traffic::rest(traffic),
        }
    }
}

#[derive(Serialize)]
struct IntentView<'a> {
    #[serde(flatten)]
    intent: &'a super::IntentReport,
    tone: Tone,
    shown: Vec<&'a super::EvidenceReport>,
    left_out: usize,
}

impl<'a> IntentView<'a> {
    fn new(intent: &'a super::IntentReport) -> Self {
        Self {
            intent,
            tone: standing_tone(intent.standing),
            shown: intent.evidence.iter().take(MOST_EVIDENCE).collect(),
            left_out: intent.evidence.len().saturating_sub(MOST_EVIDENCE),
        }
    }
}

#[derive(Serialize)]
struct StandingView {
    name: &'static str,
    count: usize,
    tone: Tone,
}

fn standings(report: &Report) -> Vec<StandingView> {
    let counts = report.totals.intents.iter().rev();
    counts
        .map(|(standing, &count)| StandingView { name: standing.as_str(), count, tone: standing_tone(*standing) })
        .collect()
}

#[derive(Serialize)]
struct DeviceView<'a> {
    name: &'a str,
    pack: &'a str,
    result: &'static str,
    tone: Tone,
    wave: Option<&'a str>,
    detail: &'a str,
    /// The rendered line that the device named, with its intents.
    line: Option<String>,
    took: Option<String>,
    added: usize,
    removed: usize,
    files: Vec<FileView<'a>>,
}

#[derive(Serialize)]
struct FileView<'a> {
    name: &'a str,
    added: usize,
    removed: usize,
    lines: Vec<DiffLine<'a>>,
    left_out: usize,
}

#[derive(Serialize)]
struct DiffLine<'a> {
    kind: &'static str,
    text: &'a str,
}

impl<'a> DeviceView<'a> {
    fn new(device: &'a DeviceReport) -> Self {
        let files: Vec<FileView<'a>> = device
            .files
            .iter()
            .map(|(name, file)| FileView {
                name,
                added: file.added,
                removed: file.removed,
                lines: file.diff.lines().take(MOST_DIFF_LINES).map(diff_line).collect(),
                left_out: file.diff.lines().count().saturating_sub(MOST_DIFF_LINES),
            })
            .collect();
        Self {
            name: &device.name,
            pack: &device.pack,
            result: says(device),
            tone: device_tone(device),
            wave: device.wave.as_deref(),
            detail: &device.detail,
            line: device.failure.as_ref().and_then(|failure| failure.line.as_ref()).map(named_line),
            took: device.duration_ms.map(duration),
            added: files.iter().map(|file| file.added).sum(),
            removed: files.iter().map(|file| file.removed).sum(),
            files,
        }
    }
}

fn named_line(line: &LineReport) -> String {
    match causes(&line.sources) {
        causes if causes.is_empty() => line.words(),
        causes => format!("{}, because of {causes}", line.words()),
    }
}

fn diff_line(text: &str) -> DiffLine<'_> {
    let kind = match text.as_bytes() {
        [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => "file",
        [b'@', b'@', ..] => "hunk",
        [b'+', ..] => "added",
        [b'-', ..] => "removed",
        _ => "same",
    };
    DiffLine { kind, text }
}
