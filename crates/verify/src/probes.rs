//! Echo requests from devices for Reachability intents: which, and what came of them.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task::JoinSet};
use weft_intent::spec::Expectation;
use weft_model::{IntentRef, NodeName};
use weft_simulate::Forwarding;
use weft_ssh::{Pool, Session};

use crate::{
    Compliance, Evidence, Intended, Observed, Part, flows,
    ledger::{Ledger, Topic},
    observe::{ObserveTarget, Reading, reason},
    owners::Owners,
};

/// So many echo requests a probe sends: the first may be lost to address resolution.
const ECHO_REQUESTS: u8 = 3;

/// Echo requests from a device, with one of its own addresses as the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The intent that asks for it.
    pub intent: IntentRef,
    /// The device that sends.
    pub from: NodeName,
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// Whether an answer is expected.
    pub answer_expected: bool,
}

/// How many of an intent's pairs of a source and a destination are probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// The pairs that are.
    pub probed: usize,
    /// The pairs that there are.
    pub of: usize,
}

/// What is to be probed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbePlan {
    /// The probes.
    pub probes: Vec<Probe>,
    /// What they cover, by intent. Flows that start outside of the network cannot be probed.
    pub coverage: BTreeMap<IntentRef, Coverage>,
}

/// What came of the probes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeResults {
    /// The results in the order of the probes.
    pub results: Vec<ProbeResult>,
    /// What they cover, by intent.
    pub coverage: BTreeMap<IntentRef, Coverage>,
}

/// What came of one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeResult {
    /// The probe.
    pub probe: Probe,
    /// What came of it.
    pub outcome: ProbeOutcome,
}

/// What came of one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum ProbeOutcome {
    /// It was made.
    Done {
        /// Echo requests sent.
        sent: u32,
        /// Echo requests answered.
        received: u32,
    },
    /// It could not be made.
    NotDone {
        /// Why, in a line.
        reason: String,
    },
}

impl ProbeResult {
    /// Tells whether the answers were as expected: all of them, or none.
    pub fn is_as_expected(&self) -> bool {
        match self.outcome {
            ProbeOutcome::Done { sent, received } if self.probe.answer_expected => sent > 0 && sent == received,
            ProbeOutcome::Done { received, .. } => received == 0,
            ProbeOutcome::NotDone { .. } => false,
        }
    }
}

/// Returns the probes for all Reachability intents. For each intent they are all pairs of a source and a destination on
/// different devices when these are no more than `limit`, else a choice with every source and every destination in it.
pub fn probes(intended: &Intended<'_>, limit: usize) -> ProbePlan {
    let owners = Owners::new(intended);
    let mut plan = ProbePlan::default();
    let forwarding = Forwarding::new(&intended.predicted.states, intended.cables);
    for reachability in intended.intents.reachabilities.values() {
        let mut sources = flows::sources(intended, &owners, &reachability.spec.from);
        sources.retain(|from| intended.configs.contains_key(&from.node));
        let destinations = flows::destinations(intended, &owners, &reachability.spec.to);
        let mut pairs = flows::cover(&sources, &destinations, limit);
        if reachability.spec.expect == Expectation::Isolated {
            // A gateway answers for itself, whatever access list is on the way to its hosts: what only such a list keeps apart
            // is not told by it.
            pairs.chosen.retain(|(from, to)| forwarding.trace(&from.node, from.address, to.address).is_isolated());
        }
        plan.coverage.insert(reachability.reference.clone(), Coverage { probed: pairs.chosen.len(), of: pairs.of });
        plan.probes.extend(pairs.chosen.iter().map(|(from, to)| Probe {
            intent: reachability.reference.clone(),
            from: from.node.clone(),
            source: from.address,
            destination: to.address,
            answer_expected: match reachability.spec.expect {
                Expectation::Reachable => true,
                Expectation::Isolated => false,
            },
        }));
    }
    plan
}

/// Makes the probes: devices next to each other, at most as many as `reading` says, the probes of one device over one session.
pub async fn run_probes(
    plan: &ProbePlan,
    devices: &BTreeMap<NodeName, ObserveTarget>,
    reading: &Reading,
) -> ProbeResults {
    let mut by_device: BTreeMap<&NodeName, Vec<usize>> = BTreeMap::new();
    for (index, probe) in plan.probes.iter().enumerate() {
        by_device.entry(&probe.from).or_default().push(index);
    }
    let places = Arc::new(Semaphore::new(reading.concurrency.max(1)));
    let mut tasks = JoinSet::new();
    let mut outcomes: Vec<Option<ProbeOutcome>> = vec![None; plan.probes.len()];
    for (device, indices) in by_device {
        let Some(target) = devices.get(device).cloned() else {
            for index in indices {
                outcomes[index] = Some(ProbeOutcome::NotDone { reason: "no way to log in is known".to_owned() });
            }
            continue;
        };
        let (device, pool, places) = (device.clone(), reading.pool.clone(), places.clone());
        let probes: Vec<(usize, IpAddr, IpAddr)> =
            indices.iter().map(|&i| (i, plan.probes[i].source, plan.probes[i].destination)).collect();
        tasks.spawn(async move {
            let _bound = pool.place(&device, &target.target).await;
            let _place = places.acquire_owned().await;
            ping_all(&device, &target, &probes, &pool).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        for (index, outcome) in done.unwrap_or_default() {
            outcomes[index] = Some(outcome);
        }
    }
    let results = plan.probes.iter().zip(outcomes).map(|(probe, outcome)| ProbeResult {
        probe: probe.clone(),
        outcome: outcome.unwrap_or_else(|| ProbeOutcome::NotDone { reason: "the probe was cut short".to_owned() }),
    });
    ProbeResults { results: results.collect(), coverage: plan.coverage.clone() }
}

/// Makes the probes of one device. A session that breaks is opened anew for the next probe.
async fn ping_all(
    device: &NodeName,
    target: &ObserveTarget,
    probes: &[(usize, IpAddr, IpAddr)],
    pool: &Pool,
) -> Vec<(usize, ProbeOutcome)> {
    let mut outcomes = Vec::with_capacity(probes.len());
    let mut session: Option<Session<'static>> = None;
    for (position, &(index, source, destination)) in probes.iter().enumerate() {
        let mut open = match session.take() {
            Some(open) => open,
            None => match pool.take(device, &target.target, target.pack.clone()).await {
                Ok(open) => open,
                Err(error) => {
                    // What cannot be reached now is not tried again for each of its probes.
                    let reason = reason(device, &error);
                    let rest = probes[position..].iter();
                    outcomes.extend(rest.map(|&(i, ..)| (i, ProbeOutcome::NotDone { reason: reason.clone() })));
                    return outcomes;
                }
            },
        };
        match open.ping(source, destination, ECHO_REQUESTS).await {
            Ok(answer) => {
                outcomes.push((index, ProbeOutcome::Done { sent: answer.sent, received: answer.received }));
                session = Some(open);
            }
            Err(error) => {
                outcomes.push((index, ProbeOutcome::NotDone { reason: reason(device, &error) }));
                open.close().await;
            }
        }
    }
    if let Some(session) = session {
        pool.give_back(device, &target.target, session).await;
    }
    outcomes
}

/// Keeps what came of the probes of an intent.
pub(crate) fn assess(
    intent: &IntentRef,
    probes: &ProbeResults,
    observed: &BTreeMap<NodeName, Observed>,
    ledger: &mut Ledger,
) {
    for result in probes.results.iter().filter(|result| result.probe.intent == *intent) {
        if result.is_as_expected() {
            ledger.holds(intent, Topic::Probe, 1);
            continue;
        }
        let Probe { from, source, destination, answer_expected, .. } = &result.probe;
        let (compliance, observed) = match &result.outcome {
            ProbeOutcome::Done { sent, received } => {
                let lossy = *answer_expected && *received > 0;
                let compliance = if lossy { Compliance::Degraded } else { Compliance::Violated };
                (compliance, format!("{received} of {sent} answered"))
            }
            // Said once of the device, not for each of its probes.
            ProbeOutcome::NotDone { .. } if observed.get(from).is_none_or(|seen| seen.unreachable.is_some()) => {
                ledger.unread(intent, from, observed.get(from), Part::Interfaces);
                continue;
            }
            ProbeOutcome::NotDone { reason } => (Compliance::Unknown, reason.clone()),
        };
        let evidence = Evidence {
            compliance,
            device: Some(from.clone()),
            subject: format!("ping from {source} to {destination}"),
            expected: if *answer_expected { "all answered" } else { "no answer" }.to_owned(),
            observed,
        };
        ledger.fails(intent, Topic::Probe, evidence);
    }
    match probes.coverage.get(intent) {
        Some(Coverage { probed: 0, of: 0 }) | None => {}
        Some(Coverage { probed, of }) => ledger.note(intent, format!("{probed} of {of} pairs probed")),
    }
}
