//! Observes and compares again and again until the network is as intended or the time is over.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use weft_device::{
    config::{DeviceConfig, InterfaceKind, Neighbor, NeighborTarget, PeerType},
    state::SessionState,
};
use weft_model::NodeName;

use crate::{
    Assessment, Compliance, Intended, ObserveTarget, Observed, Part, Parts, ProbePlan, ProbeResults, Reading,
    WhatToCollect, adjacencies, assess::assess_and_ask, observe, probes, run_probes,
};

/// The first wait between two rounds.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait between two rounds; each wait is twice the one before.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What is waited for, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvergePolicy {
    /// The worst that is good enough: nothing is waited for once no intent is worse.
    pub target: Compliance,
    /// After this time no further round begins. Zero makes one round.
    pub limit: Duration,
    /// What is read of every device.
    pub parts: Parts,
    /// So many pairs of one Reachability intent are probed, see [`probes`]; 0 for no probes at all.
    pub probes_per_intent: usize,
}

impl Default for ConvergePolicy {
    /// All parts, until every intent is compliant or 60 s are over, with up to 64 probes for an intent.
    fn default() -> Self {
        Self {
            target: Compliance::Compliant,
            limit: Duration::from_secs(60),
            parts: Part::ALL.into(),
            probes_per_intent: 64,
        }
    }
}

/// What became of the waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Converged {
    /// The last assessment.
    pub assessment: Assessment,
    /// What it was made of.
    pub observed: BTreeMap<NodeName, Observed>,
    /// The last result of each probe.
    pub probes: ProbeResults,
    /// Whether no intent is worse than the target.
    pub reached: bool,
    /// So often devices were read.
    pub rounds: usize,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What is known after a round, for those who watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Its number, from 1.
    pub number: usize,
    /// The devices that were read in it.
    pub read: usize,
    /// The devices of which parts are not as they should be.
    pub unsettled: usize,
    /// How many intents there are of each compliance.
    pub counts: BTreeMap<Compliance, usize>,
}

/// Reads every device and compares; then reads again what is not as it should be, until no intent is worse than the
/// target or the time is over. Probes are made once the rest is good enough, or at the end: they are slow while routes are
/// missing.
///
/// A part that was right in one round is not read again in a later one.
pub async fn converge(
    intended: &Intended<'_>,
    devices: &BTreeMap<NodeName, ObserveTarget>,
    reading: &Reading,
    policy: &ConvergePolicy,
    mut on_round: impl FnMut(&Round),
) -> Converged {
    let begin = Instant::now();
    let plan = match policy.probes_per_intent {
        0 => ProbePlan::default(),
        limit => probes(intended, limit),
    };
    let mut made = ProbeResults::default();
    let mut observed: BTreeMap<NodeName, Observed> = BTreeMap::new();
    let mut ask: BTreeMap<NodeName, Parts> =
        intended.configs.keys().map(|device| (device.clone(), policy.parts.clone())).collect();
    let mut wait = FIRST_WAIT;
    let mut rounds = 0;
    loop {
        rounds += 1;
        let what: BTreeMap<NodeName, WhatToCollect> = ask
            .iter()
            .filter_map(|(device, parts)| {
                Some((device.clone(), WhatToCollect::of(intended.configs.get(device)?, parts)))
            })
            .collect();
        for (device, seen) in observe(devices, &what, reading).await {
            observed.entry(device.clone()).or_default().update(seen, &what[&device].parts);
        }
        let (mut assessment, mut unsettled) = assess_and_ask(intended, &observed, &made);
        let over = begin.elapsed() >= policy.limit;
        let only_probes_left = unsettled.is_empty();
        if !plan.probes.is_empty() && (over || only_probes_left || assessment.worst() <= policy.target) {
            let again = not_as_expected(&plan, &made);
            let results = run_probes(&again, devices, reading).await;
            merge(&plan, &mut made, results);
            (assessment, unsettled) = assess_and_ask(intended, &observed, &made);
        }
        let worst = assessment.worst();
        let round = Round { number: rounds, read: what.len(), unsettled: unsettled.len(), counts: assessment.counts() };
        on_round(&round);
        let reached = worst <= policy.target;
        if reached || over {
            let took_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
            return Converged { assessment, observed, probes: made, reached, rounds, took_ms };
        }
        for parts in unsettled.values_mut() {
            parts.retain(|part| policy.parts.contains(part));
        }
        unsettled.retain(|_, parts| !parts.is_empty());
        ask = unsettled;
        let left = policy.limit.saturating_sub(begin.elapsed());
        tokio::time::sleep(wait.min(left)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Returns the probes that were not yet made, or whose answers were not as expected.
fn not_as_expected(plan: &ProbePlan, made: &ProbeResults) -> ProbePlan {
    let good: BTreeSet<_> =
        made.results.iter().filter(|result| result.is_as_expected()).map(|result| &result.probe).collect();
    ProbePlan {
        probes: plan.probes.iter().filter(|probe| !good.contains(probe)).cloned().collect(),
        coverage: plan.coverage.clone(),
    }
}

/// Puts newer results in the place of older ones, in the order of the plan.
fn merge(plan: &ProbePlan, made: &mut ProbeResults, newer: ProbeResults) {
    let older = std::mem::take(&mut made.results).into_iter();
    let mut by_probe: BTreeMap<_, _> =
        older.chain(newer.results).map(|result| (result.probe.clone(), result)).collect();
    made.results = plan.probes.iter().filter_map(|probe| by_probe.remove(probe)).collect();
    made.coverage.clone_from(&plan.coverage);
}

/// Intended sessions that did not come up within the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("after {} s not established: {}", limit.as_secs_f64(), sessions.join("; "))]
pub struct Unsettled {
    /// How long it was waited.
    pub limit: Duration,
    /// The sessions, each in words such as `b1-leaf-01 swp15 to b1-spine-01: active`.
    pub sessions: Vec<String>,
}

/// Returns the intended sessions and OSPF adjacencies between two of some devices, and from each of them to external neighbors, that
/// are not there now, in words such as `b1-leaf-01 swp15 to b1-spine-01`. Devices that cannot be read have none.
pub async fn sessions_down(
    some: &BTreeSet<NodeName>,
    configs: &BTreeMap<NodeName, DeviceConfig>,
    devices: &BTreeMap<NodeName, ObserveTarget>,
    reading: &Reading,
) -> BTreeSet<String> {
    let asked = asked(some, configs, false);
    let observed = observe(devices, &asked, reading).await;
    let of_device = |(device, seen): (&NodeName, &Observed)| {
        let down = configs.get(device).map(|config| down(config, configs, (some, false), seen));
        down.unwrap_or_default()
    };
    observed.iter().flat_map(of_device).filter_map(|down| down.session).collect()
}

/// Waits until every intended session is established, and every OSPF adjacency full, between two of the `done` devices, and from each of them to external
/// neighbors; until sessions between loopbacks are established only once all devices are done, as every device may be on the way. It is the gate between two waves: what is not yet done has nothing to answer for.
///
/// Nor has a session that is one of `except`.
///
/// # Errors
/// Names the sessions that are not established when the limit is over.
pub async fn sessions_settled(
    done: &BTreeSet<NodeName>,
    except: &BTreeSet<String>,
    configs: &BTreeMap<NodeName, DeviceConfig>,
    devices: &BTreeMap<NodeName, ObserveTarget>,
    reading: &Reading,
    limit: Duration,
) -> Result<(), Unsettled> {
    let begin = Instant::now();
    let all = configs.keys().all(|device| done.contains(device));
    let mut left = asked(done, configs, all);
    let mut wait = FIRST_WAIT;
    loop {
        let observed = observe(devices, &left, reading).await;
        let mut sessions = Vec::new();
        for (device, seen) in &observed {
            let down = configs.get(device).map(|config| down(config, configs, (done, all), seen)).unwrap_or_default();
            let excepted = |down: &Down| down.session.as_ref().is_some_and(|session| except.contains(session));
            let down: Vec<String> = down.iter().filter(|down| !excepted(down)).map(Down::to_string).collect();
            if down.is_empty() {
                left.remove(device);
            }
            sessions.extend(down);
        }
        if left.is_empty() {
            return Ok(());
        }
        if begin.elapsed() >= limit {
            return Err(Unsettled { limit, sessions });
        }
        tokio::time::sleep(wait.min(limit.saturating_sub(begin.elapsed()))).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Returns what is read of devices to know their sessions.
fn asked(
    done: &BTreeSet<NodeName>,
    configs: &BTreeMap<NodeName, DeviceConfig>,
    all: bool,
) -> BTreeMap<NodeName, WhatToCollect> {
    let of_device = |device: &NodeName| {
        let config = configs.get(device)?;
        let mut parts = Parts::new();
        if wanted(config, done, all).next().is_some() {
            parts.insert(Part::Neighbors);
        }
        if adjacencies::of(config, configs).any(|adjacency| done.contains(adjacency.peer)) {
            parts.insert(Part::OspfNeighbors);
        }
        (!parts.is_empty()).then(|| (device.clone(), WhatToCollect::of(config, &parts)))
    };
    done.iter().filter_map(of_device).collect()
}

/// A session that is not there, or a device that does not tell.
struct Down {
    /// The session; none where none is known.
    session: Option<String>,
    /// Where it is in words where no session is known, and how it is.
    words: String,
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.session {
            Some(session) => write!(f, "{session}: {}", self.words),
            None => f.write_str(&self.words),
        }
    }
}

/// Returns the sessions of a device that are to be established once the `done` devices are; `all` when those are all there are.
fn wanted<'a>(
    config: &'a DeviceConfig,
    done: &BTreeSet<NodeName>,
    all: bool,
) -> impl Iterator<Item = (&'a NeighborTarget, &'a Neighbor, String)> {
    config.bgp.iter().flat_map(|bgp| &bgp.neighbors).filter_map(move |(target, neighbor)| {
        if neighbor.local_address.is_some() {
            return all.then(|| (target, neighbor, neighbor.description.clone()));
        }
        let far = match config.interfaces.get(&neighbor.interface).map(|interface| &interface.kind) {
            Some(InterfaceKind::Link { peer }) => Some(&peer.node),
            Some(InterfaceKind::Loopback | InterfaceKind::Host | InterfaceKind::External) | None => None,
        };
        match (neighbor.peer_type, far) {
            (PeerType::Internal, Some(far)) if done.contains(far) => Some((target, neighbor, far.to_string())),
            (PeerType::Internal, _) => None,
            (PeerType::External, _) => Some((target, neighbor, neighbor.description.clone())),
        }
    })
}

/// Names the sessions of a device that are not established, and the adjacencies that are not full.
fn down(
    config: &DeviceConfig,
    configs: &BTreeMap<NodeName, DeviceConfig>,
    (done, all): (&BTreeSet<NodeName>, bool),
    seen: &Observed,
) -> Vec<Down> {
    let device = &config.device;
    let mut down = Vec::new();
    let untold = |part| Down { session: None, words: format!("{device}: {}", seen.reason(part)) };
    match &seen.state.neighbors {
        None if wanted(config, done, all).next().is_some() => {
            down.push(untold(Part::Neighbors));
        }
        None => {}
        Some(states) => down.extend(wanted(config, done, all).filter_map(|(target, neighbor, far)| {
            let words = match states.get(target).map(|state| state.session_state) {
                Some(SessionState::Established) => return None,
                Some(state) => state.to_string(),
                None => "not configured".to_owned(),
            };
            Some(Down { session: Some(format!("{device} {} to {far}", neighbor.interface)), words })
        })),
    }
    for adjacency in adjacencies::of(config, configs).filter(|adjacency| done.contains(adjacency.peer)) {
        let Some(neighbors) = &seen.state.ospf_neighbors else {
            down.push(untold(Part::OspfNeighbors));
            break;
        };
        if let Some((_, _, found)) = adjacency.differs(neighbors) {
            down.push(Down { session: Some(format!("{device} {}", adjacency.words())), words: found.to_string() });
        }
    }
    down
}
