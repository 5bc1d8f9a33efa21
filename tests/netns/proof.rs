//! Proves the prediction with real routers: sessions, RIB and FIB of every device, entry by entry, whole and without each link.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;
use weft_device::{
    config::DeviceConfig,
    state::{DeviceState, SessionState},
};
use weft_lab::netns::{Fault, Lab};
use weft_model::{NodeName, Ospfv3Deviation, TerminationPoint};
use weft_pipeline::{
    reach::{self, Reach},
    secrets, source,
    stages::{self, Compiled, Predicted},
};
use weft_simulate::{Cable, Failed, simulate};
use weft_ssh::Session;
use weft_verify::{
    ObserveTarget, Observed, Part, Parts, Table, WhatToCollect, compare_routes, compare_sessions, deviation,
};

use crate::weft::Project;

/// The most that a network may take to settle on what is predicted, as for every wait of the labs. BGP and OSPF take some
/// seconds.
const LIMIT: Duration = Duration::from_secs(90);
/// Between two readings of what is not yet as predicted.
const PAUSE: Duration = Duration::from_millis(150);
/// What is compared.
const PARTS: [Part; 4] = [Part::Neighbors, Part::OspfNeighbors, Part::Rib, Part::Fib];

/// Which links are cut, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cuts {
    /// Each.
    Every,
    /// Those at these ports, such as `leaf-1:swp1`.
    At(&'static [&'static str]),
}

/// What was compared in a lab.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// The lab.
    name: String,
    routers: usize,
    links: usize,
    cut: usize,
    entries: usize,
    /// What differed and is not explained, each with the cut link.
    pub(crate) mismatches: Vec<String>,
    /// What differed by a quirk of a routing daemon that is known, by quirk.
    explained: BTreeMap<Ospfv3Deviation, usize>,
    took: Duration,
}

/// An entry that differs.
struct Difference {
    device: NodeName,
    part: Part,
    words: String,
    quirk: Option<Ospfv3Deviation>,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, routers, links, cut, entries, mismatches, explained, took } = self;
        let quirks: Vec<String> = explained.iter().map(|(quirk, number)| format!("{number}: {quirk}")).collect();
        let (all, seconds) = (mismatches.len() + explained.values().sum::<usize>(), took.as_secs_f64());
        let quirks = quirks.join("; ");
        write!(f, "| {name} | {routers} | {cut} of {links} | {entries} | {all} | {quirks} | {seconds:.0} s |")
    }
}

/// Says something at once, whatever becomes of the test.
fn say(words: impl fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// Brings up a lab of real routers, lets the pipeline configure them, and compares.
pub(crate) fn prove(name: &str, intents: &str, cuts: Cuts) -> Counts {
    let begun = Instant::now();
    let project = Project::of(intents);
    project.weft("compile -q").expect(0);
    project.weft("lab up --backend netns").expect(0);
    let lab = Lab::attach(&project.path().join(".weft/lab")).expect("the lab runs");
    project.weft("run").expect(0);
    say(format_args!("- {name}: runs after {:.1} s", begun.elapsed().as_secs_f64()));
    let mut counts = prove_running(&project, &lab, name, cuts);
    counts.took = begun.elapsed();
    say(&counts);
    counts
}

/// Compares in a lab that runs and is as its intents say.
fn prove_running(project: &Project, lab: &Lab, name: &str, cuts: Cuts) -> Counts {
    let begun = Instant::now();
    let root = project.path();
    let (sources, _) = source::read(root, None).expect("the project's files");
    let (parsed, findings) = stages::validate(&sources);
    let parsed = parsed.unwrap_or_else(|| panic!("{findings:?}"));
    let (compiled, findings) = stages::compile(&parsed, &BTreeMap::new());
    let compiled = compiled.unwrap_or_else(|| panic!("{findings:?}"));
    let Predicted { cables, prediction } = stages::predict(&parsed, &compiled);
    let (inventory, _) = reach::inventory(root, None).expect("an inventory").expect("that of the lab");
    let values = secrets::store(root, &sources, None, None).expect("no secrets");
    let reach = Reach::new(&parsed, &compiled, inventory, Arc::new(values));
    let targets = reach.targets(&compiled);
    let runtime = Runtime::new().expect("threads");
    let mut routers = Routers {
        sessions: runtime.block_on(open(&targets, &reach)),
        compiled: &compiled,
        observed: BTreeMap::new(),
        runtime: &runtime,
    };
    let mut counts = Counts { name: name.to_owned(), routers: targets.len(), links: cables.len(), ..Counts::default() };

    routers.settle(&prediction.states, "nothing is cut", &mut counts);
    let mut configs: BTreeMap<NodeName, DeviceConfig> = compiled.external.configs.clone();
    configs.extend(compiled.configs.clone());
    let mut whole: Option<Fault> = None;
    for end in cables.iter().filter(|cable| cuts.contain(cable)).map(|cable| &cable[0]) {
        let failed = Failed { links: [end.clone()].into(), nodes: BTreeSet::new() };
        let predicted = simulate(&configs, &cables, &failed).states;
        // The last link is repaired when the next one is cut: the network has both to cope with.
        let fault = Fault::LinkDown(end.clone());
        if let Some(repaired) = whole.replace(fault.clone()) {
            lab.heal(&repaired).expect("a link is repaired");
        }
        lab.inject(&fault).expect("a link is cut");
        routers.settle(&predicted, &format!("{end} is cut"), &mut counts);
        counts.cut += 1;
    }
    if let Cuts::At(ports) = cuts {
        assert_eq!(counts.cut, ports.len(), "each of {ports:?} is the port of a link of its own");
    }
    if let Some(repaired) = whole {
        lab.heal(&repaired).expect("a link is repaired");
        routers.settle(&prediction.states, "all is whole again", &mut counts);
    }
    counts.took = begun.elapsed();
    counts
}

impl Cuts {
    fn contain(self, cable: &Cable) -> bool {
        match self {
            Self::Every => true,
            Self::At(ports) => {
                let at = |end: &TerminationPoint| ports.contains(&end.to_string().as_str());
                cable.iter().any(at)
            }
        }
    }
}

/// The routers of a lab, each with a session that stays open: a login costs more than what is read over it.
struct Routers<'a> {
    sessions: BTreeMap<NodeName, Session<'a>>,
    compiled: &'a Compiled,
    observed: BTreeMap<NodeName, Observed>,
    runtime: &'a Runtime,
}

/// Logs in to every router.
async fn open<'a>(targets: &BTreeMap<NodeName, ObserveTarget>, reach: &'a Reach) -> BTreeMap<NodeName, Session<'a>> {
    let mut sessions = BTreeMap::new();
    for (device, ObserveTarget { target, pack }) in targets {
        let session = Session::open(device, target, pack.clone(), &reach.limits, &*reach.secrets).await;
        sessions.insert(device.clone(), session.expect("a router lets us in"));
    }
    sessions
}

impl Routers<'_> {
    /// Reads parts of some devices, all at the same time.
    fn read(&mut self, ask: &BTreeMap<NodeName, Parts>) {
        let compiled = self.compiled;
        let readings = self.sessions.iter_mut().filter_map(|(device, session)| {
            let what = WhatToCollect::of(compiled.configs.get(device)?, ask.get(device)?);
            Some(async move { (device.clone(), weft_verify::read(session, device, &what).await) })
        });
        for (device, seen) in self.runtime.block_on(futures_util::future::join_all(readings)) {
            let parts = &ask[&device];
            self.observed.entry(device).or_default().update(seen, parts);
        }
    }

    /// Reads until all is as predicted: first what forwards packets, which is cheap to ask, then everything of every device.
    fn settle(&mut self, predicted: &BTreeMap<NodeName, DeviceState>, cut: &str, counts: &mut Counts) {
        let begun = Instant::now();
        let all = |parts: &[Part]| -> BTreeMap<NodeName, Parts> {
            let devices = self.sessions.keys();
            devices.map(|device| (device.clone(), parts.iter().copied().collect())).collect()
        };
        let everything = all(&PARTS);
        let mut ask = all(&[Part::Fib]);
        // What is not read again must not count as what it was before.
        self.observed.clear();
        let (entries, differing) = loop {
            self.read(&ask);
            let is_whole = ask == everything;
            let (entries, differing) = self.differences(predicted, &ask);
            let known = differing.iter().all(|difference| difference.quirk.is_some());
            let over = begun.elapsed() > if known { LIMIT / 2 } else { LIMIT };
            if is_whole && (differing.is_empty() || over) {
                break (entries, differing);
            }
            if differing.is_empty() || over {
                ask = everything.clone();
            } else {
                ask.clear();
                for difference in differing {
                    ask.entry(difference.device).or_default().insert(difference.part);
                }
                std::thread::sleep(PAUSE);
            }
        };
        counts.entries += entries;
        say(format_args!(
            "  {cut}: {entries} entries, {} differ, after {:.1} s",
            differing.len(),
            begun.elapsed().as_secs_f64()
        ));
        for Difference { device, words, quirk, .. } in differing {
            let mismatch = format!("{cut}: {device}: {words}");
            match quirk {
                Some(quirk) => *counts.explained.entry(quirk).or_default() += 1,
                None => counts.mismatches.push(mismatch.clone()),
            }
            let quirk = quirk.map_or_else(|| "not explained".to_owned(), |quirk| quirk.to_string());
            say(format_args!("    {mismatch} ({quirk})"));
        }
    }

    /// Returns how many entries there are, and those that differ; what was asked for and not read differs too.
    fn differences(
        &self,
        predicted: &BTreeMap<NodeName, DeviceState>,
        asked: &BTreeMap<NodeName, Parts>,
    ) -> (usize, Vec<Difference>) {
        let routes = compare_routes(predicted, &self.observed);
        let sessions = compare_sessions(predicted, &self.observed);
        let mut entries = routes.compared + sessions.compared;
        let mut differing = Vec::new();
        for mismatch in routes.mismatches {
            let part = match mismatch.table {
                Table::Rib => Part::Rib,
                Table::Fib => Part::Fib,
            };
            let hops = |hops: &BTreeSet<weft_device::state::NextHop>| {
                hops.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            };
            let (expected, found) = (hops(&mismatch.expected), hops(&mismatch.found));
            let words = format!("{} {}: predicted [{expected}], observed [{found}]", mismatch.table, mismatch.prefix);
            let quirk = deviation(&self.compiled.configs, &mismatch);
            differing.push(Difference { device: mismatch.device, part, words, quirk });
        }
        for mismatch in sessions.mismatches {
            let part = if mismatch.neighbor.starts_with("BGP") { Part::Neighbors } else { Part::OspfNeighbors };
            let words = format!("{}: predicted {}, observed {}", mismatch.neighbor, mismatch.expected, mismatch.found);
            differing.push(Difference { device: mismatch.device, part, words, quirk: None });
        }
        for (device, seen) in &self.observed {
            let problems =
                asked.get(device).into_iter().flatten().filter_map(|part| Some((part, seen.problems.get(part)?)));
            differing.extend(problems.map(|(part, problem)| {
                let (part, words) = (*part, problem.clone());
                Difference { device: device.clone(), part, words, quirk: None }
            }));
            let Some((expected, found)) = predicted[device].neighbors.as_ref().zip(seen.state.neighbors.as_ref())
            else {
                continue;
            };
            let up = expected.iter().filter(|(_, state)| state.session_state == SessionState::Established);
            for (target, expected) in up {
                let counts =
                    [Some(expected), found.get(target)].map(|state| state.and_then(|state| state.prefixes_received));
                let [Some(expected), Some(found)] = counts else { continue };
                entries += 1;
                if expected != found {
                    let words = format!("BGP {target}: predicted {expected} accepted prefixes, observed {found}");
                    let (device, part) = (device.clone(), Part::Neighbors);
                    differing.push(Difference { device, part, words, quirk: None });
                }
            }
        }
        (entries, differing)
    }
}
