//! Plan: reads what the devices run and compares it with what is intended.

use std::collections::{BTreeMap, BTreeSet};

use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_model::{IntentKind, NodeName, SecretRef, Sources};
use weft_plan::{DeviceChange, Plan, PlanInputs, WavePolicy, moved_line};
use weft_ssh::SessionError;

use super::{Compiled, Project};
use crate::{codes, reach::Reach, report::named};

/// What each device runs: the text of each file, or why it could not be read.
pub type Running = BTreeMap<NodeName, Result<BTreeMap<String, String>, String>>;

/// Reads the running configuration of every device over SSH, `concurrency` at the same time; tells `done` how many are done.
pub async fn read_running(reach: &Reach, compiled: &Compiled, concurrency: usize, done: impl FnMut(usize)) -> Running {
    let targets = reach.targets(compiled);
    let read = |device: NodeName, target: weft_verify::ObserveTarget, reach: Reach| async move {
        let read = async {
            let mut session = reach.pool.take(&device, &target.target, target.pack.clone()).await?;
            let read = async {
                // Asked first: a device may make up for a power cycle when it is asked.
                let unconfirmed = session.unconfirmed().await?;
                Ok((unconfirmed, session.running().await?))
            };
            let read = read.await;
            reach.pool.give_back(&device, &target.target, session).await;
            read
        };
        match read.await.map_err(|error: SessionError| in_a_line(&error))? {
            (None, running) => Ok(running),
            (Some(transaction), _) => Err(format!(
                "what it runs is not confirmed (transaction {transaction}): another push is at work, or was cut off and the \
                 device goes back by itself"
            )),
        }
    };
    let mut running = reach.for_each(targets, concurrency, read, done).await;
    for device in compiled.rendered.keys() {
        let missing = || {
            Err(match reach.inventory.devices.contains_key(device) {
                true => "the reading was cut short".to_owned(),
                false => "no way to log in is known: it is not in the inventory".to_owned(),
            })
        };
        running.entry(device.clone()).or_insert_with(missing);
    }
    running
}

fn in_a_line(error: &dyn std::error::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Makes the plan. `commit` is the one that the files are exactly, if they are one's.
pub fn plan(
    project: &Project,
    compiled: &Compiled,
    reach: &Reach,
    running: &Running,
    waves: &WavePolicy,
    commit: Option<&str>,
) -> Plan {
    let Compiled { allocations, configs, external, .. } = compiled;
    weft_check::while_away(&project.intents, &project.network, allocations, configs, external, |absences| {
        weft_plan::plan(&PlanInputs {
            commit,
            weft: env!("CARGO_PKG_VERSION"),
            rendered: &compiled.rendered,
            running,
            packs: &project.packs,
            network: &project.network,
            waves,
            secrets: &reach.digests,
            absences: &|away| absences.broken(away),
        })
    })
}

/// Warns of each intent that does not hold while a device of the plan changes, should it be away then.
pub fn absence_findings(project: &Project, plan: &Plan) -> Vec<Diagnostic> {
    let broken = |wave: &weft_plan::Wave| {
        let devices = wave.devices.clone();
        let finding = move |intent: &weft_model::IntentRef| {
            let names: Vec<&str> = devices.iter().map(NodeName::as_str).collect();
            let message = format!("{intent} does not hold while {} changes, should it be away then", named(&names));
            let finding = Diagnostic::warning(codes::BREAKS_WHILE_AWAY, message);
            match project.intents.reachabilities.get(intent.name.as_str()) {
                Some(intent) => finding.at(intent.document.span("/spec")),
                None => finding,
            }
        };
        wave.breaks.iter().map(finding).collect::<Vec<_>>()
    };
    plan.waves.iter().flat_map(broken).collect()
}

/// Warns of each device that is to be drained and changed in other ways in one go: traffic still goes through it while it
/// changes.
pub fn drain_findings(plan: &Plan, compiled: &Compiled) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (name, device) in &plan.devices {
        let (DeviceChange::Replace { files, .. }, Some(rendered)) = (&device.change, compiled.rendered.get(name))
        else {
            continue;
        };
        let mut drain = None;
        let mut others = BTreeSet::new();
        for (file, change) in files {
            let Some(rendered) = rendered.files.get(file) else { continue };
            // A line may be there several times, for several reasons.
            let mut causes: BTreeMap<&str, Vec<&Sources>> = BTreeMap::new();
            for (line, sources) in rendered.text.lines().map(str::trim_end).zip(&rendered.lines) {
                causes.entry(line).or_default().push(sources);
            }
            let added = change.diff.lines().skip(2).filter_map(|line| line.strip_prefix('+'));
            for causes in added.filter_map(|line| causes.get(line.trim_end())) {
                let mut sources = causes.iter().copied().flatten();
                match sources.find(|source| source.intent.kind == IntentKind::Maintenance) {
                    Some(source) => drain = Some(source),
                    None => others.extend(causes.iter().copied().flatten().map(|source| source.intent.to_string())),
                }
            }
        }
        if let (Some(drain), false) = (drain, others.is_empty()) {
            let others: Vec<String> = others.into_iter().collect();
            let message = format!("{name} is drained and changed in one go, also for {}", others.join(", "));
            findings.push(
                Diagnostic::warning(codes::DRAINED_AND_CHANGED, message)
                    .at(SourceSpan::point(drain.file.clone(), drain.line, 1))
                    .help("carry out the maintenance first, and the other changes once traffic has left"),
            );
        }
    }
    findings
}

/// Finds whether `wanted` is another plan than the one that would be made `now`, and says which devices differ and why.
pub fn moved(wanted: &Plan, now: &Plan) -> Option<Diagnostic> {
    if wanted.digest == now.digest {
        return None;
    }
    let names: BTreeSet<_> = wanted.devices.keys().chain(now.devices.keys()).collect();
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut lines: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        let reason = match (wanted.devices.get(name), now.devices.get(name)) {
            (Some(was), Some(is)) if was == is => continue,
            (Some(_), None) => "no longer in the network",
            (None, _) => "not in the plan",
            (Some(was), Some(is)) => match (&was.change, &is.change) {
                (_, DeviceChange::Unreachable { .. }) => "cannot be read any more",
                (DeviceChange::Unreachable { .. }, _) => "can be read by now",
                (was, is) if was.running() != is.running() => {
                    // The two lead to the same only while the same is intended.
                    let moved = (was.intended() == is.intended()).then(|| moved_line(was, is)).flatten();
                    if let Some(line) = moved {
                        lines.entry(line.words()).or_default().push(name.as_str());
                        continue;
                    }
                    "runs something else by now"
                }
                (_, _) => "is to run something else by now",
            },
        };
        reasons.entry(reason).or_default().push(name.as_str());
    }
    let secrets: BTreeSet<&SecretRef> = wanted.secrets.keys().chain(now.secrets.keys()).collect();
    let differ = |secret: &&&SecretRef| wanted.secrets.get(**secret) != now.secrets.get(**secret);
    let secrets: Vec<&str> = secrets.iter().filter(differ).map(|secret| secret.as_str()).collect();
    let mut told: Vec<String> = lines
        .iter()
        .map(|(line, names)| format!("{} runs something else by now ({line})", named(names)))
        .chain(reasons.iter().map(|(reason, names)| format!("{} {reason}", named(names))))
        .collect();
    if wanted.commit != now.commit {
        let of =
            |plan: &Plan| plan.commit.as_ref().map_or_else(|| "a working tree".to_owned(), |id| format!("commit {id}"));
        told.insert(0, format!("it is of {}, and this is {}", of(wanted), of(now)));
    }
    if !secrets.is_empty() {
        let (noun, verb) = if secrets.len() == 1 { ("secret", "differs") } else { ("secrets", "differ") };
        told.push(format!("the {noun} {} {verb}, or the key of the digests (.weft/digest.key)", secrets.join(", ")));
    }
    let why = if told.is_empty() { "its waves differ".to_owned() } else { told.join("; ") };
    let message = format!("the plan that was given is not the one that would be made now: {why}");
    Some(Diagnostic::error(codes::PLAN_MOVED, message).help("make a new plan and look at it"))
}
