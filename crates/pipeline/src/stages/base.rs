//! What the devices run, in terms of intents: the network that a plan starts from, for the traffic that it moves.
//!
//! Running configurations are texts, and predictions are made of intents. So a device is taken to do what that revision says whose
//! text it runs: the intended one, or that of a base. The base is the revision that the user names; else the files of the last run
//! that changed the devices, or the commit before, whichever more devices run.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::{Deserialize, Serialize};
use weft_check::traffic::{Place, places};
use weft_diagnostics::{Diagnostic, has_errors};
use weft_intent::SourceFile;
use weft_model::{NodeName, TerminationPoint};
use weft_plan::{DeviceChange, Plan, Radius, Traffic, configuration_digest, is_bare};
use weft_simulate::{Cable, Failed, simulate};

use super::{
    Carried, Compiled, Project, Running, compile, moved_findings,
    radius::{Before, radius},
    traffic, validate,
};
use crate::{
    codes,
    definition::{AllowedChange, PlanStage, nowhere, of_message},
    reach::{self, Reach},
    report::named,
    run::{RunDirectory, RunStore, StageName, StageState, StoreError},
    source::{self, INTENTS, LOCK_FILE, Sources},
};

/// The artifact that keeps the files of a run.
const ARTIFACT: &str = "sources.json";

/// What a plan is about, for the traffic that it moves.
pub struct Planned<'a> {
    /// The folder of the project.
    pub root: &'a Path,
    /// The files that the plan is made of.
    pub sources: &'a Sources,
    /// What they say.
    pub project: &'a Project,
    /// What that comes to.
    pub compiled: &'a Compiled,
    /// How devices are reached.
    pub reach: &'a Reach,
    /// What devices run.
    pub running: &'a Running,
    /// The plan.
    pub plan: &'a Plan,
    /// The parameters of the stage.
    pub parameters: &'a PlanStage,
}

/// The files of a run that make its network.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    intents: BTreeMap<String, String>,
    lock: String,
}

/// Keeps the files of a run, so that later ones can tell what its network was.
///
/// # Errors
/// Fails when the artifact cannot be written.
pub fn keep_sources(directory: &RunDirectory, sources: &Sources, compiled: &Compiled) -> Result<(), StoreError> {
    let text = |file: &SourceFile| (file.path.to_string(), file.text.to_string());
    let kept = Kept { intents: sources.intents.iter().map(text).collect(), lock: compiled.allocations.to_yaml() };
    directory.write_json(ARTIFACT, &kept)
}

/// Returns the intents and the lock file of a run, as it read them; `None` where it kept none.
pub(crate) fn kept_sources(directory: &RunDirectory) -> Result<Option<Sources>, StoreError> {
    let Some(kept) = directory.read_json::<Kept>(ARTIFACT)? else { return Ok(None) };
    let intents = kept.intents.into_iter().filter(|(path, _)| path.starts_with(INTENTS));
    Ok(Some(Sources {
        intents: intents.map(|(path, text)| SourceFile::new(path, text)).collect(),
        lock: Some(SourceFile::new(LOCK_FILE, kept.lock)),
        ..Sources::default()
    }))
}

/// A revision that devices may run.
struct Candidate {
    said: String,
    project: Project,
    compiled: Compiled,
}

/// What is known of the network that devices run.
struct Known {
    said: String,
    carried: Carried,
    /// The revision that it is taken for.
    compiled: Compiled,
    /// The devices that run neither what the base says nor what is intended.
    unknown: Vec<NodeName>,
}

/// What is predicted of a plan.
#[derive(Debug)]
pub struct Forecast {
    /// The traffic that moves; none where no device changes.
    pub traffic: Option<Traffic>,
    /// How far it reaches; none where no device changes.
    pub radius: Option<Radius>,
    /// What is wrong with the traffic that moves: what is not among the changes that the pipeline allows, and where it lists any,
    /// that the comparison is not whole.
    pub findings: Vec<Diagnostic>,
}

/// Predicts what a plan moves and how far it reaches.
pub fn forecast(planned: &Planned<'_>) -> Forecast {
    let known = planned.plan.has_changes().then(|| known(planned));
    let after = || Carried::of(planned.project, planned.compiled, &Failed::default());
    let after = known.as_ref().map(|_| after()).unwrap_or_default();
    let radius = known.as_ref().map(|known| {
        let before = match known {
            Ok(Some(known)) => Before::Network(&known.carried, &known.compiled),
            Ok(None) => Before::Nothing,
            Err(_) => Before::Unknown,
        };
        radius(planned, before, &after)
    });
    let (traffic, findings) = moving(planned, known, &after);
    Forecast { traffic: planned.plan.has_changes().then_some(traffic), radius, findings }
}

/// Returns the traffic that a plan moves, and what is wrong with that.
fn moving(
    planned: &Planned<'_>,
    known: Option<Result<Option<Known>, String>>,
    after: &Carried,
) -> (Traffic, Vec<Diagnostic>) {
    let nothing =
        |note: &str| Traffic { base: None, notes: vec![note.to_owned()], compared: 0, same: 0, changes: Vec::new() };
    let gated = planned.parameters.allow_changes.is_some();
    let unknown = |why: &str| {
        let finding = Diagnostic::error(codes::TRAFFIC_UNKNOWN, why.to_owned())
            .help("name the revision that the devices run: `base: REV` in the pipeline, or `weft plan --base REV`");
        let finding = match &planned.parameters.place {
            Some(place) => finding.at(place.clone()),
            None => finding,
        };
        if gated { vec![finding] } else { Vec::new() }
    };
    let Some(known) = known else {
        let unreachable: Vec<&str> = planned.plan.unreachable().map(|(device, _)| device.as_str()).collect();
        if unreachable.is_empty() {
            return (nothing("no device changes, so no traffic moves"), Vec::new());
        }
        let why = format!("what {} runs is not known", named(&unreachable));
        return (nothing(&why), unknown(&why));
    };
    let known = match known {
        Ok(Some(known)) => known,
        Ok(None) => return (nothing("no device routes anything yet, so no traffic moves"), Vec::new()),
        Err(why) => {
            let why = format!("the traffic of before is not known: {why}");
            return (nothing(&why), unknown(&why));
        }
    };
    let (allowed, mut findings) = allowed(planned);
    let places = known.carried.places.iter().chain(&after.places);
    findings.extend(nowhere(allowed.as_deref().unwrap_or_default(), places).into_iter().map(|end| {
        let message = format!("no traffic starts or goes at `{end}`, so that a change of it need not be allowed");
        let finding = Diagnostic::warning(codes::NO_SUCH_TRAFFIC_END, message);
        let finding = planned.parameters.place.iter().fold(finding, |finding, place| finding.at(place.clone()));
        finding.help("name a place that the network has, before or after the change; see the names with `weft diff A..B --traffic`")
    }));
    let (mut traffic, moves) = traffic(&known.carried, after, allowed.as_deref());
    findings.extend(moved_findings(&moves, planned.parameters.place.as_ref()));
    if !known.unknown.is_empty() {
        let names: Vec<&str> = known.unknown.iter().map(NodeName::as_str).collect();
        let why = format!(
            "{} may run something else than {} says, which is taken for its traffic of before",
            named(&names),
            known.said
        );
        findings.extend(unknown(&why));
        traffic.notes.push(why);
    }
    traffic.base = Some(known.said);
    (traffic, findings)
}

/// Returns the changes that the pipeline allows and, where it lets it, the commit; `None` where any change is.
fn allowed(planned: &Planned<'_>) -> (Option<Vec<AllowedChange>>, Vec<Diagnostic>) {
    let Some(mut allowed) = planned.parameters.allow_changes.clone() else { return (None, Vec::new()) };
    let commit = planned.sources.exact_commit().filter(|_| planned.parameters.changes_in_commit);
    let message = commit.map(|commit| source::message(planned.root, commit));
    let mut findings = Vec::new();
    match message {
        None => {}
        Some(Ok(message)) => {
            let (further, malformed) = of_message(&message);
            allowed.extend(further);
            findings.extend(malformed.into_iter().map(|line| {
                let message = format!("the commit says `{}`, which allows nothing", line.escape_debug());
                Diagnostic::error(codes::NOT_AN_ALLOWED_CHANGE, message)
                    .help("write a line such as `Allow-change: segment/web -> internet: path, narrower`")
            }));
        }
        Some(Err(error)) => findings.push(Diagnostic::error(codes::NOT_AN_ALLOWED_CHANGE, error.to_string())),
    }
    (Some(allowed), findings)
}

/// Returns the network that devices run; `None` where none of them routes anything.
fn known(planned: &Planned<'_>) -> Result<Option<Known>, String> {
    let mut best: Option<Known> = None;
    let mut reasons = Vec::new();
    for candidate in candidates(planned) {
        let candidate = match candidate {
            Ok(candidate) => candidate,
            Err(reason) => {
                reasons.push(reason);
                continue;
            }
        };
        let Some(known) = of_candidate(planned, candidate) else { return Ok(None) };
        if best.as_ref().is_none_or(|best| known.unknown.len() < best.unknown.len()) {
            best = Some(known);
        }
        if best.as_ref().is_some_and(|best| best.unknown.is_empty()) {
            break;
        }
    }
    match best {
        Some(best) => Ok(Some(best)),
        None if all_bare(planned) => Ok(None),
        None if reasons.is_empty() => Err("there is no earlier run and no earlier commit".to_owned()),
        None => Err(reasons.join("; ")),
    }
}

/// Returns the revisions that devices may run, the likeliest first.
fn candidates<'p>(planned: &'p Planned<'_>) -> Box<dyn Iterator<Item = Result<Candidate, String>> + 'p> {
    let overrides = reach::overrides(Some(&planned.reach.inventory));
    let made = move |sources: &Sources, said: String| {
        let invalid = |said: &str| format!("{said} has mistakes");
        let (project, findings) = validate(sources);
        let project = project.filter(|_| !has_errors(&findings)).ok_or_else(|| invalid(&said))?;
        let (compiled, _) = compile(&project, &overrides);
        let compiled = compiled.ok_or_else(|| invalid(&said))?;
        Ok(Candidate { said, project, compiled })
    };
    let committed = move |revision: &str, words: &str| {
        let (sources, findings) = source::read(planned.root, Some(revision)).map_err(|error| error.to_string())?;
        let commit = sources.commit.clone().unwrap_or_default();
        let short = commit.get(..10).unwrap_or(&commit).to_owned();
        if has_errors(&findings) {
            return Err(format!("commit {short} has mistakes"));
        }
        Ok((sources, words.replace("COMMIT", &format!("commit {short}"))))
    };
    if let Some(base) = planned.parameters.base.as_deref() {
        let read = committed(base, &format!("{base} (COMMIT)"));
        return Box::new(std::iter::once(read.and_then(|(sources, said)| made(&sources, said))));
    }
    let last = last_applied(planned);
    let head = match (&planned.sources.commit, planned.sources.exact_commit()) {
        (_, Some(commit)) => Some(format!("{commit}^")),
        (Some(commit), None) => Some(commit.clone()),
        (None, None) => None,
    };
    // The first commit of a repository has none before it.
    let before = head.and_then(|revision| committed(&revision, "COMMIT, the one before").ok());
    Box::new(last.into_iter().chain(before).map(move |(sources, said)| made(&sources, said)))
}

/// Returns the files of the last run that changed devices, or found them as intended.
fn last_applied(planned: &Planned<'_>) -> Option<(Sources, String)> {
    let store = RunStore::of_project(planned.root);
    let runs = store.list().ok()?;
    let applied =
        |stage: &crate::run::StageRecord| stage.name == StageName::Push && stage.state == StageState::Succeeded;
    let run = runs.iter().rev().find(|run| run.stages.iter().any(applied))?;
    let (directory, _) = store.load(run.id.as_str()).ok()?;
    let sources = Sources { packs: planned.sources.packs.clone(), ..kept_sources(&directory).ok()?? };
    let what = match &run.commit {
        Some(commit) if !run.dirty => format!("commit {}", commit.get(..10).unwrap_or(commit)),
        Some(_) | None => "what it found in the working tree".to_owned(),
    };
    Some((sources, format!("run {} ({what})", run.id)))
}

/// Tells whether a device with this running configuration routes nothing; of one that is to run OSPF alone that is not known.
fn routes_nothing(planned: &Planned<'_>, device: &NodeName) -> bool {
    let speaks_bgp = planned.compiled.configs.get(device).is_some_and(|config| config.bgp.is_some());
    let running = planned.running.get(device);
    speaks_bgp && running.is_some_and(|running| running.as_ref().is_ok_and(is_bare))
}

fn all_bare(planned: &Planned<'_>) -> bool {
    planned.plan.devices.keys().all(|device| routes_nothing(planned, device))
}

/// Returns the network that devices run, if it is that of a candidate as far as they do not run what is intended already; `None`
/// where none of them routes anything.
fn of_candidate(planned: &Planned<'_>, candidate: Candidate) -> Option<Known> {
    let Candidate { said, project, compiled } = candidate;
    let mut configs = compiled.configs.clone();
    let mut unknown = Vec::new();
    for (name, device) in &planned.plan.devices {
        match &device.change {
            DeviceChange::None { .. } => {
                configs.extend(planned.compiled.configs.get(name).map(|config| (name.clone(), config.clone())));
            }
            DeviceChange::Unreachable { .. } => unknown.push(name.clone()),
            DeviceChange::Replace { running, .. } => {
                let same = compiled.rendered.get(name).is_some_and(|rendered| {
                    let files = rendered.files.iter().map(|(name, file)| (name.as_str(), file.text.as_str()));
                    let pack = planned.project.packs.get(&rendered.pack);
                    pack.is_some_and(|pack| configuration_digest(pack, files, &planned.reach.digests) == *running)
                });
                if same {
                    continue;
                }
                if routes_nothing(planned, name) {
                    configs.remove(name);
                } else {
                    unknown.push(name.clone());
                }
            }
        }
    }
    if configs.is_empty() {
        return None;
    }
    let external = compiled.external.configs.clone();
    let present = |node: &NodeName| configs.contains_key(node) || external.contains_key(node);
    let of = |project: &Project, compiled: &Compiled| {
        places(&project.intents, &project.network, &compiled.allocations, &compiled.external)
    };
    let (old, new) = (of(&project, &compiled), of(planned.project, planned.compiled));
    let already = |place: &Place| place.node.as_ref().is_some_and(|node| !project_has(&project, node) && present(node));
    let mut there: Vec<Place> = old.into_iter().filter(|place| place.node.as_ref().is_none_or(present)).collect();
    there.extend(new.into_iter().filter(already));
    let cables = cables(&project, &compiled, planned);
    let mut all = external.clone();
    all.extend(configs);
    let prediction = simulate(&all, &cables, &Failed::default());
    let carried = Carried { configs: all, external, cables, prediction, places: there };
    Some(Known { said, carried, compiled, unknown })
}

fn project_has(project: &Project, node: &NodeName) -> bool {
    project.network.node(node.as_str()).is_some()
}

/// Returns the cables of before, and those of now where no port of before is in the way.
fn cables(project: &Project, compiled: &Compiled, planned: &Planned<'_>) -> Vec<Cable> {
    let links = |project: &Project| -> Vec<Cable> { project.network.links().map(|link| link.ends.clone()).collect() };
    let mut cables = links(project);
    cables.extend(compiled.external.cables.iter().cloned());
    let used: BTreeSet<TerminationPoint> = cables.iter().flatten().cloned().collect();
    cables.extend(links(planned.project).into_iter().filter(|cable| !cable.iter().any(|end| used.contains(end))));
    cables.sort();
    cables
}
