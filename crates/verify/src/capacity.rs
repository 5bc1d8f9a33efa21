//! Capacity intents: the load of each link when the demands are spread over the observed forwarding tables.

use std::collections::BTreeMap;

use weft_intent::{Intent, spec::CapacitySpec};
use weft_model::{NodeName, TerminationPoint};
use weft_simulate::Forwarding;

use crate::{
    Compliance, Evidence, Intended, Observed, flows,
    ledger::{Ledger, Topic},
    owners::Owners,
    reachability,
};

/// Keeps what the demands of every Capacity intent come to. Nobody measures traffic: it is the demands that are spread.
pub(crate) fn assess(
    intended: &Intended<'_>,
    observed: &BTreeMap<NodeName, Observed>,
    owners: &Owners,
    ledger: &mut Ledger,
) {
    if intended.intents.capacities.is_empty() {
        return;
    }
    let states = reachability::states(intended, observed);
    let forwarding = Forwarding::new(&states, intended.cables);
    for capacity in intended.intents.capacities.values() {
        let load = load(intended, owners, capacity, &forwarding, ledger);
        links(intended, capacity, &load, ledger);
    }
}

/// Returns what leaves each port, in bits per second.
fn load(
    intended: &Intended<'_>,
    owners: &Owners,
    capacity: &Intent<CapacitySpec>,
    forwarding: &Forwarding<'_>,
    ledger: &mut Ledger,
) -> BTreeMap<TerminationPoint, f64> {
    let mut load = BTreeMap::new();
    for demand in &capacity.spec.demands {
        let sources = flows::sources(intended, owners, &demand.from);
        let destinations = flows::destinations(intended, owners, &demand.to);
        let pairs = flows::cover(&sources, &destinations, usize::MAX);
        #[allow(clippy::cast_precision_loss, reason = "exact up to 9 Pbit/s")]
        let [all, of] = [demand.bandwidth.bits_per_second() as f64, pairs.of.max(1) as f64];
        let mut to: BTreeMap<_, Vec<(usize, f64)>> = BTreeMap::new();
        for (from, destination) in &pairs.chosen {
            let Some(start) = forwarding.number(&from.node) else { continue };
            to.entry(destination.address).or_default().push((start, all / of));
        }
        let mut lost = 0.0;
        for (destination, traffic) in to {
            let ways = forwarding.ways(destination, None, traffic.iter().map(|(from, _)| *from));
            lost += ways.spread(&traffic, |device, port, amount| {
                let Some(node) = forwarding.name(device) else { return };
                let end = TerminationPoint { node: node.clone(), interface: port.clone() };
                *load.entry(end).or_insert(0.0) += amount;
            });
        }
        if lost > 0.0 {
            let evidence = Evidence {
                compliance: Compliance::Degraded,
                device: None,
                subject: format!("demand from {} to {}", demand.from, demand.to),
                expected: format!("all {} arrive", demand.bandwidth),
                observed: format!("{:.0} % do not", lost * 100.0 / all),
            };
            ledger.fails(&capacity.reference, Topic::Load, evidence);
        }
    }
    load
}

/// Compares the load of the links with their capacities.
fn links(
    intended: &Intended<'_>,
    capacity: &Intent<CapacitySpec>,
    load: &BTreeMap<TerminationPoint, f64>,
    ledger: &mut Ledger,
) {
    let most = f64::from(capacity.spec.maximum_utilisation_percent);
    for link in intended.network.links() {
        let Some(carries) = link.capacity else { continue };
        for end in &link.ends {
            #[allow(clippy::cast_precision_loss, reason = "exact up to 9 Pbit/s")]
            let percent = load.get(end).copied().unwrap_or(0.0) * 100.0 / carries.bits_per_second() as f64;
            // Sums of shares are not exact to the last bit.
            if percent <= most * (1.0 + 1e-9) {
                ledger.holds(&capacity.reference, Topic::Load, 1);
                continue;
            }
            let far = link.far_end(&end.node).map(ToString::to_string).unwrap_or_default();
            let evidence = Evidence {
                compliance: Compliance::Violated,
                device: Some(end.node.clone()),
                subject: format!("load of {end} towards {far} by the demands"),
                expected: format!("at most {most} % of {carries}"),
                observed: format!("{percent:.1} %"),
            };
            ledger.fails(&capacity.reference, Topic::Load, evidence);
        }
    }
}
