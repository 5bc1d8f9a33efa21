//! All checks on the predicted network: promises, exchange with neighbors, and what must hold without any intent.

use std::collections::{BTreeMap, BTreeSet};

use weft_compile::{Allocations, ExternalRouters};
use weft_device::config::DeviceConfig;
use weft_diagnostics::{Code, Diagnostic};
use weft_intent::IntentSet;
use weft_model::{Network, NodeName};
use weft_simulate::{Cable, Failed, Filters, Prediction, Scenarios, simulate};

use crate::{
    Overload, Violation, capacity, codes, dataplane,
    dataplane::Fibs,
    drained::Drained,
    entries::Entries,
    exchange::{self, Orders},
    failures::Elements,
    fleet::error,
    monotone::is_monotone,
    places::Places,
    reachability::{self, Checked},
};

/// Every single breach of a promise, for programs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Broken {
    /// The flows that break a Reachability intent.
    pub flows: Vec<Violation>,
    /// The links that break a Capacity intent.
    pub links: Vec<Overload>,
}

/// Returns what the intents promise and the predicted network does not keep, one finding for each intent and kind of breach with
/// the first one as its example, and every single breach for programs.
///
/// Every source place of a Reachability is traced to every destination place, and back where packets are to arrive: a segment is
/// the gateway addresses of its ports, and an address of each other part of their subnets that access lists tell apart, a node its
/// loopback, a peering its external router. With `survive` the same is asked
/// after failures: each single one of links, those to external routers included, of shared-risk groups, and of nodes that are no
/// end of the flow; and where several may fail at the same time, all combinations, or those of elements in use one after the other,
/// with a warning where these are not shown to be all that matter. A flow is asked again only where it comes, there or back, to a
/// device that takes a way that it did not take before, or none. The `via`, `avoid` and `max_hops` of a promise are about all paths
/// there, also after failures.
///
/// Packets pass the access lists on their way; their answers belong to a connection that was let through, and pass. A promise
/// for a protocol or some ports is asked for all that access lists tell apart of them. One that is for any protocol holds where some
/// packets arrive; where none are to arrive, it is about all packets.
///
/// The demands of a Capacity are spread evenly over all pairs of their places and over the equal-cost ways of each device, past no
/// access list, and the load of each link with a capacity is compared with it in each direction.
///
/// The routes that cover the addresses of flows are computed once, and mended for each failure, one destination at a time. Whole
/// states are made only for flows that break their promise.
pub fn check_predicted(
    intents: &IntentSet,
    network: &Network,
    allocations: &Allocations,
    configs: &BTreeMap<NodeName, DeviceConfig>,
    external: &ExternalRouters,
) -> (Vec<Diagnostic>, Broken) {
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

    let (flows, mut findings) = reachability::flows(checked);
    let orders = Orders::new(checked, network);
    let entries = Entries::new(checked);
    let mut destinations: BTreeSet<_> = reachability::destinations(&flows);
    destinations.extend(capacity::destinations(checked));
    destinations.extend(orders.destinations().chain(entries.destinations()));
    let scenarios = Scenarios::new(&all, &cables, &destinations);
    let Prediction { states, unstable, ambiguous } = simulate(&all, &cables, &Failed::default());
    findings.extend(unsettled(&unstable, codes::UNSTABLE_ROUTES, "never settle", configs));
    findings.extend(unsettled(&ambiguous, codes::AMBIGUOUS_ROUTES, "settle in more than one way", configs));

    let (violations, unfinished) = reachability::violations(checked, &flows, &scenarios);
    findings.extend(reachability::findings(intents, &all, &violations));
    findings.extend(unfinished);
    let (of_capacity, overloads) = capacity::check(checked, network, &scenarios);
    findings.extend(of_capacity);

    // What does not settle has no data plane that could be looked at.
    if unstable.is_empty() {
        let fibs = Fibs::new(&states, &cables);
        findings.extend(dataplane::check(&fibs, configs));
        findings.extend(exchange::leaks(intents, &states, &fibs));
        let drained = Drained::new(checked, network);
        findings.extend(orders.check(checked, &drained, &states, &scenarios));
        findings.extend(entries.check(checked, &drained, &states, &scenarios));
    }
    findings.sort();
    findings.dedup();
    (findings, Broken { flows: violations, links: overloads })
}

/// Returns an error for each prefix whose routes do not settle.
fn unsettled(
    prefixes: &BTreeSet<ipnet::IpNet>,
    code: Code,
    what: &str,
    configs: &BTreeMap<NodeName, DeviceConfig>,
) -> Vec<Diagnostic> {
    let finding = |prefix: &ipnet::IpNet| {
        let origin = configs.values().find_map(|config| config.bgp.as_ref()?.networks.get(prefix));
        let message = format!("the routes to {prefix} {what}");
        match origin {
            Some(network) => error(code, message, &network.provenance.sources),
            None => Diagnostic::error(code, message),
        }
    };
    prefixes.iter().map(finding).collect()
}
