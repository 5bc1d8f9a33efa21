//! The assessment: every intent against everything that was observed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weft_model::NodeName;

use crate::{
    Compliance, DeviceDrift, Intended, IntentResult, Observed, Parts, ProbeResults, RouteComparison, SessionComparison,
    adjacencies, capacity, drift, faults::Faults, ledger::Ledger, links, neighbors, owners::Owners, peering, pools,
    reachability, routes, segments, sessions, versions,
};

/// How the network stands against its intents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    /// One result for each intent, by kind in the order of the reference, then by name.
    pub intents: Vec<IntentResult>,
    /// The devices whose running configuration is not the intended one.
    pub drift: Vec<DeviceDrift>,
    /// The devices that could not be observed, and why.
    pub unobserved: BTreeMap<NodeName, String>,
    /// How far the observed sessions are the predicted ones.
    pub sessions: SessionComparison,
    /// How far the observed routes are the predicted ones.
    pub routes: RouteComparison,
}

impl Assessment {
    /// Returns the worst compliance of all intents; compliant when there are none.
    pub fn worst(&self) -> Compliance {
        self.intents.iter().map(|result| result.compliance).max().unwrap_or(Compliance::Compliant)
    }

    /// Returns how many intents there are of each compliance; those without any are left out.
    pub fn counts(&self) -> BTreeMap<Compliance, usize> {
        let mut counts = BTreeMap::new();
        for result in &self.intents {
            *counts.entry(result.compliance).or_default() += 1;
        }
        counts
    }

    /// Returns the worst that the evidence says of each device that it speaks of.
    pub fn devices(&self) -> BTreeMap<&NodeName, Compliance> {
        let mut devices = BTreeMap::new();
        for evidence in self.intents.iter().flat_map(|result| &result.evidence) {
            if let Some(device) = &evidence.device {
                let worst = devices.entry(device).or_insert(evidence.compliance);
                *worst = (*worst).max(evidence.compliance);
            }
        }
        devices
    }
}

/// Compares what was observed with what is intended and predicted, and sums it up for each intent.
///
/// It looks at nothing else: the same inputs give the same assessment. The cost is linear in the entries of all tables, and
/// logarithmic in the number of prefixes.
pub fn assess(intended: &Intended<'_>, observed: &BTreeMap<NodeName, Observed>, probes: &ProbeResults) -> Assessment {
    assess_and_ask(intended, observed, probes).0
}

/// Like [`assess`], and tells which parts of which devices are not yet as intended.
pub(crate) fn assess_and_ask(
    intended: &Intended<'_>,
    observed: &BTreeMap<NodeName, Observed>,
    probes: &ProbeResults,
) -> (Assessment, BTreeMap<NodeName, Parts>) {
    let owners = Owners::new(intended);
    let mut ledger = Ledger::new(intended.intents);
    let drift = drift::assess(intended, observed, &mut ledger);
    let mut faults = Faults::new(intended, observed, &drift);
    links::assess(intended, observed, &faults, &mut ledger);
    versions::assess(intended, observed, &mut ledger);
    segments::assess(intended, observed, &owners, &mut ledger);
    pools::assess(intended, observed, &mut ledger);
    sessions::assess(intended, observed, &owners, &mut faults, &mut ledger);
    adjacencies::assess(intended, observed, &owners, &mut faults, &mut ledger);
    peering::assess(intended, observed, &mut ledger);
    let routes = routes::assess(intended, observed, &owners, &faults, &mut ledger);
    let compared = neighbors::assess(intended, observed, &faults);
    reachability::assess(intended, observed, probes, &owners, &faults, &mut ledger);
    capacity::assess(intended, observed, &owners, &mut ledger);
    let unobserved = intended
        .configs
        .keys()
        .filter_map(|device| match observed.get(device) {
            None => Some((device.clone(), "it was not asked".to_owned())),
            Some(seen) => seen.unreachable.clone().map(|reason| (device.clone(), reason)),
        })
        .collect();
    let (intents, unsettled) = ledger.results();
    (Assessment { intents, drift, unobserved, sessions: compared, routes }, unsettled)
}
