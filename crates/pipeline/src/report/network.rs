//! What was found on the devices: lines that drifted, routes that are not the predicted ones, and what a device said when
//! it refused its change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::Source;
use weft_push::{DeviceResult, StepName};
use weft_verify::{Assessment, CauseGroup, DriftKind, MismatchKind, SessionMismatch};

/// Most routes that are listed one by one; all are counted.
const MOST_ROUTES: usize = 200;

/// An intent and the line of it that is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceReport {
    /// The intent, `kind/name`.
    pub intent: String,
    /// Its file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

impl SourceReport {
    pub(super) fn words(&self) -> String {
        format!("{} ({}:{})", self.intent, self.file, self.line)
    }
}

impl From<&Source> for SourceReport {
    fn from(source: &Source) -> Self {
        Self { intent: source.intent.to_string(), file: source.file.to_string(), line: source.line }
    }
}

/// A line of a device's configuration that is not as intended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftReport {
    /// The device.
    pub device: String,
    /// The file of the device.
    pub file: String,
    /// `missing`: intended, and the device lacks it. `extra`: on the device, and nobody intends it.
    pub is: DriftIs,
    /// Its number, from 1: in the intended text where it is missing, in the running text where it is extra.
    pub line: usize,
    /// The line, without its indentation.
    pub text: String,
    /// The intents behind it; for an extra line those behind the section that it stands in.
    pub sources: Vec<SourceReport>,
}

/// On which side a line is alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DriftIs {
    /// It is intended, and the device lacks it.
    Missing,
    /// The device has it, and nobody intends it.
    Extra,
}

impl DriftIs {
    /// Returns the word as it is written, such as `missing`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
        }
    }

    /// Returns the mark that diffs use: `-` for what is gone from the device, `+` for what came to it.
    pub(super) const fn mark(self) -> char {
        match self {
            Self::Missing => '-',
            Self::Extra => '+',
        }
    }
}

/// Returns the lines that drifted, by device, file and place.
pub(super) fn drift(assessment: &Assessment) -> Vec<DriftReport> {
    let mut lines = Vec::new();
    for device in &assessment.drift {
        for (file, drifted) in &device.files {
            lines.extend(drifted.iter().map(|line| DriftReport {
                device: device.device.to_string(),
                file: file.clone(),
                is: match line.is {
                    DriftKind::Missing => DriftIs::Missing,
                    DriftKind::Extra => DriftIs::Extra,
                },
                line: line.line,
                text: line.text.trim().to_owned(),
                sources: line.sources.iter().map(SourceReport::from).collect(),
            }));
        }
    }
    lines
}

/// How far the observed routes are the predicted ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutesReport {
    /// Entries of routing and forwarding tables that were compared.
    pub compared: usize,
    /// Entries that differ.
    pub mismatched: usize,
    /// What most likely causes them, by device, those first that explain most; the first 200.
    #[serde(default)]
    pub causes: Vec<CauseReport>,
    /// The entries that differ, by device, table and prefix; the first 200.
    pub mismatches: Vec<RouteReport>,
}

/// How many routes of a device one cause explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CauseReport {
    /// The device.
    pub device: String,
    /// `interface-down`, `session-down`, `unobserved` (a device did not answer), `drift`, `missing-origin` (the prefix is not
    /// where it comes from), `policy` (a session is up and something is kept back), `multipath-limit`, `stale-forwarding` (the
    /// routing daemon is right), `known-deviation` (of this version from an RFC) or `unknown`.
    pub kind: String,
    /// What it is, such as `link down: b1-leaf-01:swp15`.
    pub cause: String,
    /// The prefixes whose routes differ for it.
    pub routes: usize,
    /// The entries of routing and forwarding tables.
    pub entries: usize,
}

impl From<&CauseGroup> for CauseReport {
    fn from(group: &CauseGroup) -> Self {
        Self {
            device: group.device.to_string(),
            kind: group.cause.kind.as_str().to_owned(),
            cause: group.cause.to_string(),
            routes: group.routes,
            entries: group.entries,
        }
    }
}

impl CauseReport {
    /// Says it in a line, such as `12 routes of b1-leaf-01: link down: b1-leaf-01:swp15`.
    pub(super) fn words(&self) -> String {
        let Self { device, cause, routes, .. } = self;
        format!("{routes} {} of {device}: {cause}", if *routes == 1 { "route" } else { "routes" })
    }

    /// Tells whether it explains an entry.
    pub(super) fn explains(&self, route: &RouteReport) -> bool {
        let cause = route.cause.as_deref().unwrap_or("unknown");
        self.device == route.device && self.kind == route.cause_kind && self.cause == cause
    }
}

/// An entry of a table that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteReport {
    /// The device.
    pub device: String,
    /// `rib`, what the routing daemon selected, or `fib`, what forwards packets.
    pub table: String,
    /// The prefix.
    pub prefix: String,
    /// `missing`, `unexpected`, `thinner` (fewer next hops) or `different`.
    pub is: String,
    /// The predicted next hops, such as `10.1.0.17 (swp15)`; none where no route was predicted.
    pub expected: Vec<String>,
    /// The observed next hops; none where there is no route.
    pub found: Vec<String>,
    /// What most likely causes it, if anything else is seen to be broken.
    pub cause: Option<String>,
    /// Of what kind the cause is, as in `causes`.
    pub cause_kind: String,
}

impl RouteReport {
    /// Returns the hops for people.
    pub(super) fn hops(hops: &[String]) -> String {
        if hops.is_empty() { "no route".to_owned() } else { hops.join(", ") }
    }
}

/// Returns the routes of an assessment; `None` where none could be compared.
pub(super) fn routes(assessment: &Assessment) -> Option<RoutesReport> {
    let routes = &assessment.routes;
    let words = |hops: &std::collections::BTreeSet<_>| -> Vec<String> {
        hops.iter().map(|hop: &weft_device::state::NextHop| hop.to_string()).collect()
    };
    (routes.compared > 0).then(|| RoutesReport {
        compared: routes.compared,
        mismatched: routes.mismatched,
        causes: routes.causes.iter().take(MOST_ROUTES).map(CauseReport::from).collect(),
        mismatches: routes
            .mismatches
            .iter()
            .take(MOST_ROUTES)
            .map(|mismatch| RouteReport {
                device: mismatch.device.to_string(),
                table: mismatch.table.to_string().to_lowercase(),
                prefix: mismatch.prefix.to_string(),
                is: match mismatch.is {
                    MismatchKind::Missing => "missing",
                    MismatchKind::Unexpected => "unexpected",
                    MismatchKind::Thinner => "thinner",
                    MismatchKind::Different => "different",
                }
                .to_owned(),
                expected: words(&mismatch.expected),
                found: words(&mismatch.found),
                cause: mismatch.cause.known().map(ToString::to_string),
                cause_kind: mismatch.cause.kind.as_str().to_owned(),
            })
            .collect(),
    })
}

/// How far the observed sessions are the predicted ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionsReport {
    /// BGP sessions and OSPF adjacencies that were compared, each from both of its ends.
    pub compared: usize,
    /// Those that differ.
    pub mismatched: usize,
    /// Those that differ, by device; the first 200.
    pub mismatches: Vec<SessionReport>,
}

/// A session that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionReport {
    /// The device.
    pub device: String,
    /// The neighbor as the device names it, such as `BGP 10.1.0.17` or `OSPFv2 swp15`.
    pub neighbor: String,
    /// The predicted state.
    pub expected: String,
    /// The observed state.
    pub found: String,
    /// What most likely causes it, if anything else is seen to be broken.
    pub cause: Option<String>,
    /// Of what kind the cause is, as in `routes.causes`.
    pub cause_kind: String,
}

/// Returns the sessions of an assessment; `None` where none could be compared.
pub(super) fn sessions(assessment: &Assessment) -> Option<SessionsReport> {
    let sessions = &assessment.sessions;
    let report = |mismatch: &SessionMismatch| SessionReport {
        device: mismatch.device.to_string(),
        neighbor: mismatch.neighbor.clone(),
        expected: mismatch.expected.clone(),
        found: mismatch.found.clone(),
        cause: mismatch.cause.known().map(ToString::to_string),
        cause_kind: mismatch.cause.kind.as_str().to_owned(),
    };
    (sessions.compared > 0).then(|| SessionsReport {
        compared: sessions.compared,
        mismatched: sessions.mismatches.len(),
        mismatches: sessions.mismatches.iter().take(MOST_ROUTES).map(report).collect(),
    })
}

/// What went wrong on a device during the push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureReport {
    /// The step that failed, such as `upload`.
    pub step: String,
    /// Why, in the device's own words where it has any.
    pub words: String,
    /// The rendered line that the device named.
    pub line: Option<LineReport>,
}

/// A line of a rendered configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LineReport {
    /// The file.
    pub file: String,
    /// The line's number, from 1.
    pub line: usize,
    /// The line, without its indentation.
    pub text: String,
    /// The intents behind it.
    pub sources: Vec<SourceReport>,
}

impl LineReport {
    /// Returns the line for people, such as ``running.conf line 44: `maximum-paths 12` ``.
    pub(super) fn words(&self) -> String {
        format!("{} line {}: `{}`", self.file, self.line, self.text)
    }
}

/// Returns the words for intents, such as `underlay/b2 (intents/underlay.yaml:23)`.
pub(super) fn causes(sources: &[SourceReport]) -> String {
    sources.iter().map(SourceReport::words).collect::<Vec<_>>().join(", ")
}

/// Returns what failed on the device itself; `None` where it only went back, or had no turn, because of others.
pub(super) fn failure(name: &str, pushed: &weft_push::DeviceReport) -> Option<FailureReport> {
    let (step, reason) = own_failure(&pushed.result)?;
    Some(FailureReport {
        step: step.to_string(),
        words: own_words(name, reason).to_owned(),
        line: pushed.line.as_ref().map(|line| LineReport {
            file: line.file.clone(),
            line: line.line,
            text: line.text.trim().to_owned(),
            sources: line.sources.iter().map(SourceReport::from).collect(),
        }),
    })
}

/// Returns the step that failed on a device, and why. What a gate says is about the wave, and no failure of a device.
pub(crate) fn own_failure(result: &DeviceResult) -> Option<(StepName, &str)> {
    match result {
        DeviceResult::RolledBack { step: StepName::Gate, .. }
        | DeviceResult::WentBackByItself { step: StepName::Gate, .. }
        | DeviceResult::Unchanged
        | DeviceResult::Confirmed
        | DeviceResult::Unreachable { .. }
        | DeviceResult::Skipped { .. } => None,
        DeviceResult::RolledBack { step, reason }
        | DeviceResult::WentBackByItself { step, reason }
        | DeviceResult::FailedBeforeChange { step, reason }
        | DeviceResult::Unknown { step, reason } => Some((*step, reason)),
    }
}

/// Returns `reason` without the name of the device before it, which stands beside it anyway.
pub fn own_words<'a>(device: &str, reason: &'a str) -> &'a str {
    reason.strip_prefix(device).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(reason)
}

/// Puts together the devices that have one reason: each reason once, with its devices, in the order of the first ones.
pub(crate) fn by_reason<'a>(reasons: impl IntoIterator<Item = (&'a str, String)>) -> Vec<(String, Vec<&'a str>)> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (device, reason) in reasons {
        match groups.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, devices)) => devices.push(device),
            None => groups.push((reason, vec![device])),
        }
    }
    groups
}

/// Names devices: all of a few, and of many their number and the first.
pub(crate) fn named(devices: &[&str]) -> String {
    match devices {
        [] | [_] => devices.concat(),
        few if few.len() <= 4 => few.join(", "),
        many => format!("{} devices ({}, and {} more)", many.len(), many[..3].join(", "), many.len() - 3),
    }
}
