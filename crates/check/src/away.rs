//! What breaks while some devices are away, such as those that change together.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use weft_compile::{Allocations, ExternalRouters};
use weft_device::config::DeviceConfig;
use weft_intent::IntentSet;
use weft_model::{IntentRef, Network, NodeName};
use weft_simulate::{Cable, Filters, Scenario, Scenarios};

use crate::{
    codes,
    failures::{Element, Elements, Failure},
    flow::{Flow, Seen, follow},
    monotone::is_monotone,
    places::Places,
    reachability::{self, Checked, Starts, breaches},
};

/// A predicted network that is asked what breaks while some of its devices are away. Nothing is predicted before the first question.
pub struct Absences<'c> {
    checked: Checked<'c>,
    known: OnceCell<Known<'c>>,
}

/// What holds while no device is away.
struct Known<'c> {
    flows: Vec<Flow<'c>>,
    /// The numbers of the flows that keep their promise.
    sound: BTreeSet<usize>,
    scenarios: Scenarios<'c>,
    starts: Starts,
    /// The devices without which packets may go otherwise; `None` where that is not known.
    transit: Option<BTreeSet<NodeName>>,
}

/// Lends a predicted network to `work`, which asks it what breaks while devices are away.
pub fn while_away<T>(
    intents: &IntentSet,
    network: &Network,
    allocations: &Allocations,
    configs: &BTreeMap<NodeName, DeviceConfig>,
    external: &ExternalRouters,
    work: impl FnOnce(&Absences<'_>) -> T,
) -> T {
    let mut all = external.configs.clone();
    all.extend(configs.clone());
    let mut cables: Vec<Cable> = network.links().map(|link| link.ends.clone()).chain(external.cables.clone()).collect();
    cables.sort();
    let places = Places::new(intents, network, allocations, external);
    let filters = Filters::of(all.values());
    let elements = Elements::new(network, &cables);
    let monotone = is_monotone(&all, &cables);
    let checked = Checked {
        intents,
        configs: &all,
        cables: &cables,
        places: &places,
        filters: &filters,
        elements: &elements,
        monotone,
    };
    work(&Absences { checked, known: OnceCell::new() })
}

impl<'c> Absences<'c> {
    /// Returns the Reachability intents that hold while no device is away, and do not while these are. A flow that loses its start or
    /// its end is not asked for, and neither is the number of paths. One that starts or ends at a device that nothing else misses is:
    /// that device may be there again while others are not.
    pub fn broken(&self, away: &BTreeSet<NodeName>) -> BTreeSet<IntentRef> {
        let known = self.known.get_or_init(|| self.predict());
        // What no packet passes makes no difference to it, where only what packets pass does.
        let missed = match &known.transit {
            Some(transit) => away & transit,
            None => away.clone(),
        };
        if missed.is_empty() {
            return BTreeSet::new();
        }
        let failure = Failure(missed.into_iter().map(Element::Node).collect());
        let scenario = known.scenarios.fail(&failure.failed());
        let concerned = known.starts.concerned(&known.scenarios, std::slice::from_ref(&failure), &known.sound);
        let concerned = concerned.iter().flatten().map(|&flow| &known.flows[flow]);
        let asked: Vec<&Flow<'_>> = concerned.filter(|flow| !flow.loses_end(&failure)).collect();
        let broken = breaches(self.checked, &asked, &scenario, self.checked.filters, Some(&failure));
        broken.into_iter().map(|(_, violation)| violation.intent).collect()
    }

    fn predict(&self) -> Known<'c> {
        let (flows, _) = reachability::flows(self.checked);
        let filters = self.checked.filters;
        let destinations = reachability::destinations(&flows);
        let scenarios = Scenarios::new(self.checked.configs, self.checked.cables, &destinations);
        let asked: Vec<&Flow<'_>> = flows.iter().collect();
        let (sound, starts, transit) = {
            let steady = scenarios.steady();
            let mut sound: BTreeSet<usize> = (0..flows.len()).collect();
            for (flow, violation) in breaches(self.checked, &asked, &steady, filters, None) {
                if violation.code != codes::TOO_FEW_PATHS {
                    sound.remove(&flow);
                }
            }
            let transit = self.checked.monotone.then(|| transit(&asked, &steady, filters)).flatten();
            (sound, Starts::new(&asked, &steady, filters), transit)
        };
        Known { flows, sound, scenarios, starts, transit }
    }
}

/// Returns the devices that flows pass between their ends while nothing is broken; `None` where that is not known of every flow.
fn transit(flows: &[&Flow<'_>], steady: &Scenario<'_, '_>, filters: &Filters) -> Option<BTreeSet<NodeName>> {
    let visit = |flow: &Flow<'_>, seen: Option<&Seen<'_, '_>>, from: usize, _: bool| {
        let names = seen?.ways.passed(from).into_iter().filter_map(|device| steady.name(device));
        Some(names.filter(|name| !flow.ends_at(name)).cloned().collect::<Vec<_>>())
    };
    let mut all = BTreeSet::new();
    for (_, passed) in follow(flows, steady, filters, visit) {
        all.extend(passed?);
    }
    Some(all)
}
