//! Checks Capacity intents: the load of each link in each direction on the predicted data plane, with traffic spread over
//! equal-cost ways, in the steady state and after failures.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use weft_diagnostics::Diagnostic;
use weft_intent::{Intent, spec::CapacitySpec};
use weft_model::{IntentRef, Network, NodeName, TerminationPoint};
use weft_simulate::{Forwarding, Scenario, Scenarios};

use crate::{
    codes,
    failures::{Element, Failure, Kind, Search},
    flow::Plane,
    places::Place,
    reachability::{Checked, not_exhausted, nothing_to_fail},
};

/// So many demands are named that make up the load of a link; the rest is counted.
const MOST_DEMANDS: usize = 3;

/// A link that carries more than a Capacity intent allows, in one direction.
#[derive(Debug, Clone, PartialEq)]
pub struct Overload {
    /// The intent.
    pub intent: IntentRef,
    /// Where the traffic leaves a device.
    pub from: TerminationPoint,
    /// Where it comes to the next.
    pub to: TerminationPoint,
    /// What goes over the link in this direction, in bits per second.
    pub load: f64,
    /// What the link carries, in bits per second.
    pub capacity: u64,
    /// The demands that make up the load, the largest first: the place in the intent, from 0, and its part.
    pub demands: Vec<(usize, f64)>,
    /// What has failed; `None` in the steady state.
    pub failure: Option<Failure>,
}

/// One demand between two places.
struct Stream {
    /// The place of its demand in the intent.
    demand: usize,
    from: Place,
    to: IpAddr,
    end: Option<NodeName>,
    amount: f64,
}

/// What the streams of an intent come to.
#[derive(Default)]
struct Load {
    /// What leaves each device over each port, by demand.
    over: BTreeMap<TerminationPoint, BTreeMap<usize, f64>>,
    /// What does not arrive, by demand.
    lost: BTreeMap<usize, f64>,
}

/// Returns the places to which the demands of Capacity intents go.
pub(crate) fn destinations(checked: Checked<'_>) -> BTreeSet<IpAddr> {
    let intents = checked.intents.capacities.values();
    intents.flat_map(|intent| streams(checked, intent)).map(|stream| stream.to).collect()
}

/// Returns what the Capacity intents find, and each link that carries too much.
pub(crate) fn check(
    checked: Checked<'_>,
    network: &Network,
    scenarios: &Scenarios<'_>,
) -> (Vec<Diagnostic>, Vec<Overload>) {
    let (mut findings, mut overloads) = (Vec::new(), Vec::new());
    for intent in checked.intents.capacities.values() {
        let one = Matrix { checked, network, intent, streams: streams(checked, intent) };
        findings.extend(nothing_to_fail(checked.elements, intent.spec.survive.groups, &intent.document));
        one.check(scenarios, &mut findings, &mut overloads);
    }
    (findings, overloads)
}

fn streams(checked: Checked<'_>, intent: &Intent<CapacitySpec>) -> Vec<Stream> {
    let mut streams = Vec::new();
    for (demand, asked) in intent.spec.demands.iter().enumerate() {
        let pairs = checked.places.pairs(&asked.from, &asked.to);
        let amount = exact(asked.bandwidth.bits_per_second()) / exact(pairs.len().max(1) as u64);
        streams.extend(pairs.into_iter().map(|(from, to)| {
            let end = to.known.then(|| to.node.clone());
            Stream { demand, from, to: to.address, end, amount }
        }));
    }
    streams
}

/// The demands of one intent.
struct Matrix<'a> {
    checked: Checked<'a>,
    network: &'a Network,
    intent: &'a Intent<CapacitySpec>,
    streams: Vec<Stream>,
}

impl Matrix<'_> {
    fn check(&self, scenarios: &Scenarios<'_>, findings: &mut Vec<Diagnostic>, overloads: &mut Vec<Overload>) {
        let (document, spec) = (&self.intent.document, &self.intent.spec);
        for (index, demand) in spec.demands.iter().enumerate() {
            if !self.streams.iter().any(|stream| stream.demand == index) {
                let message = format!("nothing goes from {} to {}", demand.from, demand.to);
                let span = document.span(&format!("/spec/demands/{index}/to"));
                findings.push(Diagnostic::warning(codes::NO_FLOW, message).at(span));
            }
        }
        let steady = self.load(&scenarios.steady(), None);
        for (&demand, lost) in &steady.lost {
            let asked = &spec.demands[demand];
            let message = format!(
                "{} of the {} from {} to {} do not arrive: they are in the load of no link behind the place where they end",
                bits(*lost),
                asked.bandwidth,
                asked.from,
                asked.to
            );
            let span = document.span(&format!("/spec/demands/{demand}/to"));
            findings.push(Diagnostic::warning(codes::DEMAND_LOST, message).at(span));
        }
        let mut found = self.overloads(&steady, None);
        if found.is_empty() {
            for kind in Kind::ALL {
                let most = kind.most(&spec.survive);
                if most == 0 {
                    continue;
                }
                let local = self.checked.monotone;
                let search = Search { scenarios, elements: self.checked.elements, kind, most, local };
                let judge = |scenario: &Scenario<'_, '_>, failure: &Failure, _: &BTreeSet<usize>| {
                    let found = self.overloads(&self.load(scenario, Some(failure)), Some(failure));
                    found.into_iter().map(|overload| (0, overload)).collect::<Vec<_>>()
                };
                let used =
                    |scenario: &Scenario<'_, '_>, failure: &Failure, _: usize| self.used(scenario, failure, kind);
                // A load may grow wherever traffic goes another way.
                let concerned = |failures: &[Failure], all: &BTreeSet<usize>| vec![all.clone(); failures.len()];
                let (after, searched) = search.run([0].into(), concerned, used, judge);
                found.extend(after.into_iter().map(|(_, overload)| overload));
                if most > 1 && !searched.exhausted {
                    findings.push(not_exhausted(&searched, kind, most, document.span(kind.pointer())));
                }
            }
        }
        findings.extend(self.worst(&found));
        overloads.extend(found);
    }

    /// Returns the load while something is broken, or nothing.
    fn load(&self, scenario: &Scenario<'_, '_>, failure: Option<&Failure>) -> Load {
        let mut to: BTreeMap<IpAddr, Vec<&Stream>> = BTreeMap::new();
        // What starts or ends at a device that is off is not there.
        let gone = |stream: &Stream| {
            failure.is_some_and(|failure| {
                failure.takes(&stream.from.node) || stream.end.as_ref().is_some_and(|end| failure.takes(end))
            })
        };
        for stream in self.streams.iter().filter(|stream| !gone(stream)) {
            to.entry(stream.to).or_default().push(stream);
        }
        let mut load = Load::default();
        let mut left = BTreeMap::new();
        for (destination, streams) in to {
            let name = |device| scenario.name(device);
            if !spread(scenario, name, destination, &streams, &mut load) {
                left.insert(destination, streams);
            }
        }
        if !left.is_empty() {
            let states = scenario.states(&left.keys().copied().collect());
            let forwarding = Forwarding::new(&states, self.checked.cables);
            for (destination, streams) in left {
                spread(&forwarding, |device| forwarding.name(device), destination, &streams, &mut load);
            }
        }
        load
    }

    /// Returns the elements that traffic uses after a failure.
    fn used(&self, scenario: &Scenario<'_, '_>, failure: &Failure, kind: Kind) -> BTreeSet<Element> {
        let load = self.load(scenario, Some(failure));
        let used = |element: &&Element| match element {
            Element::Link(ends) => ends.iter().any(|end| load.over.contains_key(end)),
            Element::Group(_, cables) => cables.iter().flatten().any(|end| load.over.contains_key(end)),
            Element::Node(node) => load.over.keys().any(|end| end.node == *node),
        };
        self.checked.elements.of(kind).iter().filter(used).cloned().collect()
    }

    /// Returns the links that carry more than they may.
    fn overloads(&self, load: &Load, failure: Option<&Failure>) -> Vec<Overload> {
        let most = f64::from(self.intent.spec.maximum_utilisation_percent) / 100.0;
        let mut overloads = Vec::new();
        for (from, parts) in &load.over {
            let Some(link) = self.network.link_at(from) else { continue };
            let (Some(capacity), Some(to)) = (link.capacity, link.far_end(&from.node)) else { continue };
            let load: f64 = parts.values().sum();
            let allowed = exact(capacity.bits_per_second()) * most;
            // Sums of shares are not exact to the last bit.
            if load > allowed * (1.0 + 1e-9) {
                let mut demands: Vec<(usize, f64)> = parts.iter().map(|(demand, part)| (*demand, *part)).collect();
                demands.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                overloads.push(Overload {
                    intent: self.intent.reference.clone(),
                    from: from.clone(),
                    to: to.clone(),
                    load,
                    capacity: capacity.bits_per_second(),
                    demands,
                    failure: failure.cloned(),
                });
            }
        }
        overloads
    }

    /// Returns the finding about the fullest link.
    fn worst(&self, overloads: &[Overload]) -> Option<Diagnostic> {
        let utilisation = |overload: &Overload| overload.load * 100.0 / exact(overload.capacity);
        // The first of equally full ones.
        let worst = overloads.iter().reduce(|a, b| if utilisation(b) > utilisation(a) { b } else { a })?;
        let spec = &self.intent.spec;
        let part = |(demand, part): &(usize, f64)| {
            let asked = &spec.demands[*demand];
            format!("{} from {} to {}", bits(*part), asked.from, asked.to)
        };
        let mut parts: Vec<String> = worst.demands.iter().take(MOST_DEMANDS).map(part).collect();
        if worst.demands.len() > MOST_DEMANDS {
            parts.push(format!("{} more demands", worst.demands.len() - MOST_DEMANDS));
        }
        let failure = worst.failure.as_ref().map(|failure| format!(" while {failure}")).unwrap_or_default();
        let links: BTreeSet<_> = overloads.iter().map(|overload| (&overload.from, &overload.to)).collect();
        let one_of = if links.len() > 1 { format!(" (the fullest of {})", links.len()) } else { String::new() };
        let message = format!(
            "{} -> {} carries {} of {}, {:.1} % and more than {} %{failure}{one_of}: {}",
            worst.from,
            worst.to,
            bits(worst.load),
            bits(exact(worst.capacity)),
            utilisation(worst),
            spec.maximum_utilisation_percent,
            parts.join(", ")
        );
        let (code, pointer) = match &worst.failure {
            Some(failure) => (codes::OVERLOADED_BY_FAILURE, Kind::of(failure).pointer()),
            None => (codes::OVERLOADED, "/spec/maximum_utilisation_percent"),
        };
        Some(Diagnostic::error(code, message).at(self.intent.document.span(pointer)))
    }
}

/// Adds what streams to one destination come to; `false` where the plane cannot tell.
fn spread<'n>(
    plane: &impl Plane,
    name: impl Fn(usize) -> Option<&'n NodeName>,
    destination: IpAddr,
    streams: &[&Stream],
    load: &mut Load,
) -> bool {
    let mut by_demand: BTreeMap<usize, Vec<(usize, f64)>> = BTreeMap::new();
    for stream in streams {
        let Some(from) = plane.number(&stream.from.node) else { continue };
        by_demand.entry(stream.demand).or_default().push((from, stream.amount));
    }
    let from: Vec<usize> = by_demand.values().flatten().map(|(from, _)| *from).collect();
    let Some(ways) = plane.ways(destination, None, &from) else { return false };
    for (demand, traffic) in by_demand {
        let lost = ways.spread(&traffic, |device, port, amount| {
            let Some(node) = name(device) else { return };
            let end = TerminationPoint { node: node.clone(), interface: port.clone() };
            *load.over.entry(end).or_default().entry(demand).or_default() += amount;
        });
        if lost > 0.0 {
            *load.lost.entry(demand).or_default() += lost;
        }
    }
    true
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 9 Pbit/s")]
fn exact(number: u64) -> f64 {
    number as f64
}

/// Returns a number of bits per second in words, such as `12.5 Gbit/s`.
fn bits(amount: f64) -> String {
    let units = [(1e12, "Tbit/s"), (1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")];
    let (unit, name) = units.into_iter().find(|(unit, _)| amount >= *unit).unwrap_or((1.0, "bit/s"));
    let text = format!("{:.2}", amount / unit);
    format!("{} {name}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::bits;

    #[test]
    fn amounts_have_a_unit_and_no_more_digits_than_they_need() {
        for (amount, words) in
            [(1e10, "10 Gbit/s"), (2.5e9, "2.5 Gbit/s"), (1e7 / 3.0, "3.33 Mbit/s"), (12.0, "12 bit/s")]
        {
            assert_eq!(bits(amount), words);
        }
    }
}
