//! The report as JUnit XML: a suite for each stage that finds something, with a name that no other case has.

use std::{collections::BTreeSet, time::Duration};

use quick_junit::{NonSuccessKind, Report as Document, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{
    DeviceReport, IntentReport, Report, RouteReport, Standing, data::stage_milliseconds, network::causes, printable,
};
use crate::run::{DeviceResult, Finding, StageName, StageRecord, StageState};

/// Most routes that are listed in the output of the suite.
const MOST_ROUTES: usize = 50;

/// Returns the report as JUnit XML.
///
/// The suites `validate`, `compile`, `check` and `plan` have a case for each finding, or one that passes; `push` has one for
/// each device, `verify` one for each intent. Warnings pass: their text is in the output of the case.
pub(super) fn render(report: &Report) -> Result<String, SerializeError> {
    let mut document = Document::new(format!("weft {}", report.run.pipeline));
    if let Some(took) = report.run.duration_ms {
        document.set_time(Duration::from_millis(took));
    }
    for stage in &report.stages {
        let cases = match stage.name {
            StageName::Push if !report.devices.is_empty() && stage.state != StageState::Skipped => {
                report.devices.iter().map(device_case).collect()
            }
            StageName::Verify if !report.intents.is_empty() => report.intents.iter().map(intent_case).collect(),
            StageName::Validate
            | StageName::Compile
            | StageName::Check
            | StageName::Plan
            | StageName::Push
            | StageName::Verify
            | StageName::Report => Vec::new(),
        };
        let mut suite = suite(stage, cases);
        if stage.name == StageName::Verify {
            let seen = seen(report);
            if !seen.is_empty() {
                suite.set_system_out(seen);
            }
        }
        document.add_test_suite(suite);
    }
    let xml = document.to_string()?;
    Ok(if xml.ends_with('\n') { xml } else { xml + "\n" })
}

/// Returns what was seen on the devices, a line each: links that are down, lines that drifted, routes that differ.
fn seen(report: &Report) -> String {
    let links = report.links_down().map(|link| format!("link down: {} -- {}", link.a, link.b));
    let drift = report.drift.iter().map(|line| {
        format!(
            "drift: {} {} line {}: {} `{}`: {}",
            line.device,
            line.file,
            line.line,
            line.is.as_str(),
            line.text,
            causes(&line.sources)
        )
    });
    let routes = report.routes.iter().flat_map(|routes| {
        let total = (routes.mismatched > 0)
            .then(|| format!("routes: {} compared, {} not as predicted", routes.compared, routes.mismatched));
        total.into_iter().chain(routes.mismatches.iter().take(MOST_ROUTES).map(|route| {
            let (expected, found) = (RouteReport::hops(&route.expected), RouteReport::hops(&route.found));
            let cause = route.cause.as_ref().map(|cause| format!("; likely cause: {cause}")).unwrap_or_default();
            format!(
                "route: {} {} {}: expected {expected}; found {found}{cause}",
                route.device, route.table, route.prefix
            )
        }))
    });
    let lines: Vec<String> = links.chain(drift).chain(routes).map(|line| printable(&line)).collect();
    lines.join("\n")
}

/// Returns the suite of a stage: `cases`, its findings, and the stage itself where there is neither, or where it failed
/// without either saying so.
fn suite(stage: &StageRecord, mut cases: Vec<TestCase>) -> TestSuite {
    let mut suite = TestSuite::new(stage.name.as_str());
    if let Some(took) = stage_milliseconds(stage) {
        suite.set_time(Duration::from_millis(took));
    }
    cases.extend(stage.findings.iter().map(finding_case));
    let told = cases.iter().any(|case| matches!(case.status, TestCaseStatus::NonSuccess { .. }));
    if cases.is_empty() || stage.error.is_some() || (stage.state == StageState::Failed && !told) {
        cases.push(stage_case(stage));
    }
    let mut names = BTreeSet::new();
    for mut case in cases {
        let base = case.name.to_string();
        let mut nth = 2;
        while !names.insert(case.name.to_string()) {
            case.name = format!("{base} ({nth})").into();
            nth += 1;
        }
        case.set_classname(format!("weft.{}", stage.name));
        suite.add_test_case(case);
    }
    suite
}

fn stage_case(stage: &StageRecord) -> TestCase {
    let mut status = match stage.state {
        StageState::Succeeded => TestCaseStatus::success(),
        StageState::Failed => TestCaseStatus::non_success(NonSuccessKind::Error),
        StageState::Queued
        | StageState::Running
        | StageState::Skipped
        | StageState::Cancelled
        | StageState::Waiting => TestCaseStatus::skipped(),
    };
    if stage.state != StageState::Succeeded {
        status.set_message(printable(stage.error.as_deref().unwrap_or(&stage.summary)));
    }
    TestCase::new(format!("{} as a whole", stage.name), status)
}

fn finding_case(finding: &Finding) -> TestCase {
    let place = finding.place.as_ref().map(|place| format!(" {place}")).unwrap_or_default();
    let name = printable(&format!("{}{place} {}", finding.code, finding.message));
    let mut text = finding.message.clone();
    for step in &finding.path {
        text = format!("{text}\n  {}", step.text);
    }
    if let Some(help) = &finding.help {
        text = format!("{text}\nhelp: {help}");
    }
    if finding.is_error() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(printable(&finding.message)).set_type(finding.code.as_str()).set_description(text);
        TestCase::new(name, status)
    } else {
        let mut case = TestCase::new(name, TestCaseStatus::success());
        case.set_system_out(format!("{}: {text}", finding.severity));
        case
    }
}

fn device_case(device: &DeviceReport) -> TestCase {
    let mut status = match device.result {
        DeviceResult::Compiled | DeviceResult::Unchanged | DeviceResult::Changed => TestCaseStatus::success(),
        DeviceResult::Planned | DeviceResult::Skipped => TestCaseStatus::skipped(),
        DeviceResult::RolledBack | DeviceResult::Refused | DeviceResult::Unreachable | DeviceResult::Failed => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
    };
    if !matches!(status, TestCaseStatus::Success { .. }) {
        let detail = if device.detail.is_empty() { device.result.as_str() } else { &device.detail };
        status.set_message(format!("{}: {}", device.result, printable(detail)));
        if let Some(line) = device.failure.as_ref().and_then(|failure| failure.line.as_ref()) {
            status.set_description(printable(&format!("{}, because of {}", line.words(), causes(&line.sources))));
        }
    }
    let mut case = TestCase::new(device.name.as_str(), status);
    if let Some(took) = device.duration_ms {
        case.set_time(Duration::from_millis(took));
    }
    case
}

fn intent_case(intent: &IntentReport) -> TestCase {
    let mut status = match intent.standing {
        Standing::Compliant => TestCaseStatus::success(),
        Standing::Degraded | Standing::Violated => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Standing::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if intent.standing != Standing::Compliant {
        let evidence: Vec<String> = intent.evidence.iter().map(|evidence| printable(&evidence.words())).collect();
        status
            .set_message(format!("{}: {}", intent.standing.as_str(), printable(&intent.summary)))
            .set_type(intent.standing.as_str())
            .set_description(format!("{}:{}\n{}", intent.file, intent.line, evidence.join("\n")));
    }
    TestCase::new(intent.intent.as_str(), status)
}
