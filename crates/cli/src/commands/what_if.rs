//! `weft what-if`: what a failure does to sessions, traffic and intents, as the prediction says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use weft_check::{check_predicted, codes, without};
use weft_device::state::{DeviceState, OspfState, SessionState};
use weft_diagnostics::{Code, Diagnostic, Severity, SourceSpan, has_errors};
use weft_intent::{IntentSet, spec::Survive};
use weft_model::{NodeName, TerminationPoint, TrafficWhat};
use weft_pipeline::{
    ExitCode as Exit,
    report::{WIDTH, counted, wrap},
    stages::{Carried, Compiled, Project, traffic},
    traffic,
};
use weft_plan::Traffic;
use weft_simulate::{Cable, Failed};

use crate::{
    args::{Failures, Format, Global, Revision},
    commands::failures,
    failure::Failure,
    output::Output,
    workspace::Workspace,
};

/// The most sessions that are printed; JSON has all.
const MOST_SESSIONS: usize = 12;

pub(crate) fn run(global: &Global, failures: &Failures, revision: &Revision, output: &Output) -> Result<Exit, Failure> {
    if failures.fail.is_empty() {
        return Err(Failure::of_usage(
            "say what fails: `--fail link:NODE:PORT`, `--fail node:NAME` or `--fail group:NAME`",
        ));
    }
    let mut workspace = Workspace::read(global, revision, output)?;
    let Some(project) = workspace.project() else { return Ok(Exit::Findings) };
    let Some(compiled) = workspace.compiled(&project, None, None)? else { return Ok(Exit::Findings) };
    let failed = failures::failed(failures, &project, &compiled)?;
    let broken = failures::broken(&failed, &project, &compiled);
    let (before, after) =
        (Carried::of(&project, &compiled, &Failed::default()), Carried::of(&project, &compiled, &failed));
    let sessions = sessions_down(&before, &after, &failed);
    let (mut traffic, _) = traffic(&before, &after, None);
    let findings = breaks(&project, &compiled, &failed);
    let breaks = has_errors(&findings);
    if output.format == Format::Json {
        let sessions: Vec<_> = sessions
            .iter()
            .map(|([a, b], protocols)| json!({ "a": a.to_string(), "b": b.to_string(), "protocols": protocols }))
            .collect();
        let found = json!({
            "failed": { "links": failed.links.iter().map(ToString::to_string).collect::<Vec<_>>(), "nodes": failed.nodes },
            "sessions": sessions,
            "traffic": traffic,
            "intents": findings,
        });
        output.result(serde_json::to_string_pretty(&found)?);
        return Ok(if breaks { Exit::Findings } else { Exit::Success });
    }
    let mut page = String::new();
    lines(&mut page, "", &format!("While {broken}:"));
    page.push('\n');
    page.push_str(&sessions_text(&sessions));
    page.push('\n');
    fold(&mut traffic, &failed);
    page.push_str(&traffic::text(&traffic, output.colour()));
    page.push('\n');
    page.push_str(&intents_text(&findings, &project.intents));
    output.result(page);
    output.complain(&findings, &workspace.map);
    Ok(if breaks { Exit::Findings } else { Exit::Success })
}

/// Returns the cables over which sessions go down, with the protocols that lose them.
fn sessions_down(before: &Carried, after: &Carried, failed: &Failed) -> BTreeMap<Cable, BTreeSet<&'static str>> {
    let far_ends: BTreeMap<&TerminationPoint, &Cable> =
        before.cables.iter().flat_map(|cable| cable.iter().map(move |end| (end, cable))).collect();
    let mut down: BTreeMap<Cable, BTreeSet<&'static str>> = BTreeMap::new();
    for (node, was) in &before.prediction.states {
        let is = after.prediction.states.get(node).filter(|_| !failed.nodes.contains(node));
        let gone = |interface: &weft_model::InterfaceName| {
            far_ends.get(&TerminationPoint { node: node.clone(), interface: interface.clone() }).copied().cloned()
        };
        let bgp = before.configs.get(node).and_then(|config| config.bgp.as_ref());
        for target in up(was).filter(|target| !is.is_some_and(|is| up(is).any(|other| other == *target))) {
            let neighbor = bgp.and_then(|bgp| bgp.neighbors.get(target));
            if let Some(cable) = neighbor.and_then(|neighbor| gone(&neighbor.interface)) {
                down.entry(cable).or_default().insert("BGP");
            }
        }
        let left: BTreeSet<_> = is.map(|is| full(is).collect()).unwrap_or_default();
        for interface in full(was).filter(|interface| !left.contains(interface)) {
            if let Some(cable) = gone(interface) {
                down.entry(cable).or_default().insert("OSPF");
            }
        }
    }
    down
}

/// Returns the BGP neighbors whose sessions are up.
fn up(state: &DeviceState) -> impl Iterator<Item = &weft_device::config::NeighborTarget> {
    let neighbors = state.neighbors.iter().flatten();
    neighbors.filter(|(_, state)| state.session_state == SessionState::Established).map(|(target, _)| target)
}

/// Returns the interfaces with OSPF neighbors, of all families that run there.
fn full(state: &DeviceState) -> impl Iterator<Item = &weft_model::InterfaceName> {
    let neighbors = state.ospf_neighbors.iter().flatten();
    neighbors
        .filter(|(_, families)| families.values().all(|state| state.state == OspfState::Full))
        .map(|(name, _)| name)
}

/// Returns what breaks of what holds without the failure. What is to survive a failure is not asked to survive another one.
fn breaks(project: &Project, compiled: &Compiled, failed: &Failed) -> Vec<Diagnostic> {
    let mut intents = project.intents.clone();
    intents.reachabilities.values_mut().for_each(|intent| intent.spec.survive = Survive::default());
    intents.capacities.values_mut().for_each(|intent| intent.spec.survive = Survive::default());
    let asked = |failed: &Failed| {
        let left = without(&project.network, &compiled.configs, &compiled.external, failed);
        check_predicted(&intents, &left.network, &compiled.allocations, &left.configs, &left.external).0
    };
    let key = |finding: &Diagnostic| -> (Code, Option<SourceSpan>) { (finding.code, finding.span.clone()) };
    let known: BTreeSet<_> = asked(&Failed::default()).iter().map(key).collect();
    let mut new = asked(failed);
    new.retain(|finding| !known.contains(&key(finding)));
    for finding in &mut new {
        // Fewer paths are what a failure is about; the promise is one of the whole network.
        if finding.code == codes::TOO_FEW_PATHS {
            finding.severity = Severity::Warning;
        }
    }
    new
}

fn sessions_text(sessions: &BTreeMap<Cable, BTreeSet<&'static str>>) -> String {
    let mut page = format!("Sessions down: {}\n", sessions.len());
    for ([a, b], protocols) in sessions.iter().take(MOST_SESSIONS) {
        let protocols: Vec<&str> = protocols.iter().copied().collect();
        lines(&mut page, "  ", &format!("{} {a} -- {b}", protocols.join(", ")));
    }
    if sessions.len() > MOST_SESSIONS {
        page.push_str(&format!("  and {} more; the JSON has them\n", sessions.len() - MOST_SESSIONS));
    }
    page
}

/// Puts what is gone with the devices that are off into one note: it is what was asked for.
fn fold(traffic: &mut Traffic, failed: &Failed) {
    let gone: usize = traffic.changes.iter().filter(|c| c.what == TrafficWhat::Goes).map(|change| change.pairs).sum();
    if gone > 0 {
        traffic.changes.retain(|change| change.what != TrafficWhat::Goes);
        let names = failures::names(failed.nodes.iter().map(NodeName::as_str));
        traffic.notes.push(format!("{} from or to {names} went down with it", counted(gone, "pair")));
    }
}

fn intents_text(findings: &[Diagnostic], intents: &IntentSet) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let fewer = findings.len() - errors;
    let asked = intents.reachabilities.len();
    let mut words = match (errors, asked) {
        (0, 0) => "there is no Reachability intent to ask".to_owned(),
        (0, asked) => format!("none breaks of {}", counted(asked, "Reachability intent")),
        (1, _) => "1 breaks".to_owned(),
        (errors, _) => format!("{errors} break"),
    };
    if fewer > 0 {
        words.push_str(&format!(
            ", {} with less than asked for",
            if fewer == 1 { "1 holds".to_owned() } else { format!("{fewer} hold") }
        ));
    }
    format!("Intents: {words}\n")
}

fn lines(page: &mut String, lead: &str, text: &str) {
    for line in wrap(text, WIDTH - lead.len() - 2, 0) {
        page.push_str(&format!("{lead}{line}\n"));
    }
}
