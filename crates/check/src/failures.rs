//! What may fail, and the search for failures that break a promise: exhaustive where that can be shown, and honest where not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use rayon::prelude::*;
use weft_intent::spec::Survive;
use weft_model::{Name, Network, NodeName, TerminationPoint};
use weft_simulate::{Cable, Failed, Scenario, Scenarios, Ways};

/// So many failures of several elements are tried for one promise and kind of element; each costs a prediction of what changes.
const MOST_SCENARIOS: usize = 20_000;
/// So many where each costs a whole prediction.
const MOST_WHOLE_SCENARIOS: usize = 500;
/// So many sets of failed elements are looked at next to each other.
const AT_ONCE: usize = 256;

/// What fails as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// A cable.
    Link(Cable),
    /// All cables that share a risk.
    Group(Name, Vec<Cable>),
    /// A device.
    Node(NodeName),
}

/// What has failed at the same time; at least one element.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure(pub BTreeSet<Element>);

/// A kind of element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Link,
    Group,
    Node,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Link, Self::Group, Self::Node];

    /// Returns how many of the kind a promise is to survive.
    pub(crate) fn most(self, survive: &Survive) -> usize {
        usize::from(match self {
            Self::Link => survive.links,
            Self::Group => survive.groups,
            Self::Node => survive.nodes,
        })
    }

    /// Returns the place in `spec` that asks for it.
    pub(crate) fn pointer(self) -> &'static str {
        match self {
            Self::Link => "/spec/survive/links",
            Self::Group => "/spec/survive/groups",
            Self::Node => "/spec/survive/nodes",
        }
    }

    pub(crate) fn of(failure: &Failure) -> Self {
        match failure.0.first() {
            Some(Element::Group(..)) => Self::Group,
            Some(Element::Node(_)) => Self::Node,
            Some(Element::Link(_)) | None => Self::Link,
        }
    }

    /// Returns the kind in words, such as `links`.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Link => "links",
            Self::Group => "shared-risk groups",
            Self::Node => "nodes",
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link([a, b]) => write!(f, "{a} -- {b} is down"),
            Self::Group(name, cables) => write!(f, "all {} links of `{name}` are down", cables.len()),
            Self::Node(node) => write!(f, "{node} is off"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, element) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" and ")?;
            }
            element.fmt(f)?;
        }
        Ok(())
    }
}

impl Failure {
    /// Returns what is broken, as a simulation takes it.
    pub fn failed(&self) -> Failed {
        let mut failed = Failed::default();
        for element in &self.0 {
            match element {
                Element::Link([end, _]) => {
                    failed.links.insert(end.clone());
                }
                Element::Group(_, cables) => failed.links.extend(cables.iter().map(|[end, _]| end.clone())),
                Element::Node(node) => {
                    failed.nodes.insert(node.clone());
                }
            }
        }
        failed
    }

    /// Tells whether a device is off.
    pub(crate) fn takes(&self, node: &NodeName) -> bool {
        self.0.iter().any(|element| matches!(element, Element::Node(off) if off == node))
    }

    fn with(&self, element: &Element) -> Self {
        Self(self.0.iter().chain([element]).cloned().collect())
    }
}

/// Everything that may fail.
pub(crate) struct Elements {
    of: BTreeMap<Kind, Vec<Element>>,
    cables: BTreeMap<TerminationPoint, Element>,
    groups: BTreeMap<TerminationPoint, Vec<Element>>,
}

impl Elements {
    /// Returns what may fail: every cable, the shared-risk groups, and the nodes of the network.
    pub(crate) fn new(network: &Network, cables: &[Cable]) -> Self {
        let mut risks: BTreeMap<&Name, Vec<Cable>> = BTreeMap::new();
        for link in network.links() {
            for risk in &link.shared_risks {
                risks.entry(risk).or_default().push(link.ends.clone());
            }
        }
        let groups: Vec<Element> =
            risks.into_iter().map(|(name, cables)| Element::Group(name.clone(), cables)).collect();
        let mut at: BTreeMap<TerminationPoint, Vec<Element>> = BTreeMap::new();
        for group in &groups {
            if let Element::Group(_, cables) = group {
                for end in cables.iter().flatten() {
                    at.entry(end.clone()).or_default().push(group.clone());
                }
            }
        }
        let link = |cable: &Cable| Element::Link(cable.clone());
        let ends = cables.iter().flat_map(|cable| cable.iter().map(move |end| (end.clone(), link(cable))));
        Self {
            cables: ends.collect(),
            groups: at,
            of: [
                (Kind::Link, cables.iter().map(link).collect()),
                (Kind::Group, groups),
                (Kind::Node, network.nodes().map(|node| Element::Node(node.name.clone())).collect()),
            ]
            .into(),
        }
    }

    /// Returns the elements of a kind, in order.
    pub(crate) fn of(&self, kind: Kind) -> &[Element] {
        self.of.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// Returns the elements of a kind that packets from a device use.
    pub(crate) fn used(
        &self,
        kind: Kind,
        (ways, from): (&Ways<'_>, usize),
        name: impl Fn(usize) -> Option<NodeName>,
    ) -> BTreeSet<Element> {
        match kind {
            Kind::Node => ways.passed(from).into_iter().filter_map(name).map(Element::Node).collect(),
            Kind::Link | Kind::Group => {
                let end = |(device, port, _): (usize, &weft_model::InterfaceName, usize)| {
                    Some(TerminationPoint { node: name(device)?, interface: port.clone() })
                };
                let ends = ways.hops(from).into_iter().filter_map(end);
                match kind {
                    Kind::Group => ends.filter_map(|end| self.groups.get(&end)).flatten().cloned().collect(),
                    Kind::Link | Kind::Node => ends.filter_map(|end| self.cables.get(&end)).cloned().collect(),
                }
            }
        }
    }
}

/// How far a search got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Searched {
    /// How many sets of elements were tried.
    pub(crate) tried: u128,
    /// How many there are.
    pub(crate) of: u128,
    /// Whether it is shown that no other set breaks anything that those tried do not.
    pub(crate) exhausted: bool,
}

/// What is searched through.
pub(crate) struct Search<'s, 'a> {
    pub(crate) scenarios: &'s Scenarios<'a>,
    pub(crate) elements: &'s Elements,
    pub(crate) kind: Kind,
    /// So many elements fail at the same time.
    pub(crate) most: usize,
    /// Whether only elements on the ways of packets matter to them: see [`crate::monotone`].
    pub(crate) local: bool,
}

impl Search<'_, '_> {
    /// Tries failures of 1, then of more elements for some subjects by their numbers, and returns the first breach of each.
    ///
    /// `concerned` tells for each of many failures which of some subjects may break, `breaches` judges subjects after one, and `used`
    /// tells which elements a subject uses after one. All failures are tried where they are few. Else it is those of one more element
    /// in use after the failure before: in a network where nothing else matters, they are all that can make a difference.
    pub(crate) fn run<T: Send>(
        &self,
        subjects: BTreeSet<usize>,
        concerned: impl Fn(&[Failure], &BTreeSet<usize>) -> Vec<BTreeSet<usize>>,
        used: impl Fn(&Scenario<'_, '_>, &Failure, usize) -> BTreeSet<Element> + Sync,
        breaches: impl Fn(&Scenario<'_, '_>, &Failure, &BTreeSet<usize>) -> Vec<(usize, T)> + Sync,
    ) -> (Vec<(usize, T)>, Searched) {
        let budget = if self.scenarios.is_shortened() { MOST_SCENARIOS } else { MOST_WHOLE_SCENARIOS };
        self.run_within(budget as u128, budget, subjects, concerned, used, breaches)
    }

    /// Searches as [`Search::run`] does. All failures are tried where there are no more than `few`, else no more than `budget`.
    fn run_within<T: Send>(
        &self,
        few: u128,
        budget: usize,
        subjects: BTreeSet<usize>,
        concerned: impl Fn(&[Failure], &BTreeSet<usize>) -> Vec<BTreeSet<usize>>,
        used: impl Fn(&Scenario<'_, '_>, &Failure, usize) -> BTreeSet<Element> + Sync,
        breaches: impl Fn(&Scenario<'_, '_>, &Failure, &BTreeSet<usize>) -> Vec<(usize, T)> + Sync,
    ) -> (Vec<(usize, T)>, Searched) {
        let elements = self.elements.of(self.kind);
        let mut found = Vec::new();
        let mut alive = subjects;
        let judge = |failures: &[Failure], alive: &BTreeSet<usize>, among: Option<&[BTreeSet<usize>]>| {
            let mut concerned = if alive.is_empty() { Vec::new() } else { concerned(failures, alive) };
            for (concerned, among) in concerned.iter_mut().zip(among.into_iter().flatten()) {
                concerned.retain(|subject| among.contains(subject));
            }
            let sets = failures.par_iter().zip(concerned).filter(|(_, subjects)| !subjects.is_empty());
            let breaches =
                sets.flat_map_iter(|(failure, subjects)| breaches(&self.scenario(failure), failure, &subjects));
            breaches.collect::<Vec<_>>()
        };
        // Every single one, whatever is used.
        let single: Vec<Failure> = elements.iter().map(|element| Failure([element.clone()].into())).collect();
        found.extend(judge(&single, &alive, None));
        for (subject, _) in &found {
            alive.remove(subject);
        }
        let several: u128 = (2..=self.most).map(|count| combinations(elements.len(), count)).sum();
        let all = elements.len() as u128 + several;
        let mut tried = elements.len() as u128;
        if several == 0 || alive.is_empty() {
            return (found, Searched { tried, of: all, exhausted: true });
        }
        if several <= few {
            let mut sets = single;
            for _ in 2..=self.most {
                sets = longer(&sets, elements);
                tried += sets.len() as u128;
                let new = judge(&sets, &alive, None);
                for (subject, _) in &new {
                    alive.remove(subject);
                }
                found.extend(new);
            }
            return (found, Searched { tried, of: all, exhausted: true });
        }
        let mut left = budget;
        let mut whole = true;
        let nothing = Failure(BTreeSet::new());
        let mut sets = self.next([(nothing, alive.clone())].into(), &used, &mut whole, usize::MAX);
        for _ in 2..=self.most {
            for subjects in sets.values_mut() {
                subjects.retain(|subject| alive.contains(subject));
            }
            sets.retain(|_, subjects| !subjects.is_empty());
            sets = self.next(sets, &used, &mut whole, left);
            left -= sets.len();
            tried += sets.len() as u128;
            let (failures, among): (Vec<Failure>, Vec<BTreeSet<usize>>) = sets.clone().into_iter().unzip();
            let new = judge(&failures, &alive, Some(&among));
            for (subject, _) in &new {
                alive.remove(subject);
            }
            found.extend(new);
        }
        (found, Searched { tried, of: all, exhausted: whole && self.local })
    }

    fn scenario(&self, failure: &Failure) -> Scenario<'_, '_> {
        self.scenarios.fail(&failure.failed())
    }

    /// Adds to each set one more element that is in use after it; at most so many sets.
    fn next(
        &self,
        sets: BTreeMap<Failure, BTreeSet<usize>>,
        used: &(impl Fn(&Scenario<'_, '_>, &Failure, usize) -> BTreeSet<Element> + Sync),
        whole: &mut bool,
        most: usize,
    ) -> BTreeMap<Failure, BTreeSet<usize>> {
        let sets: Vec<(Failure, BTreeSet<usize>)> = sets.into_iter().collect();
        let mut next: BTreeMap<Failure, BTreeSet<usize>> = BTreeMap::new();
        for chunk in sets.chunks(AT_ONCE) {
            let more = |(failure, subjects): &(Failure, BTreeSet<usize>)| {
                let scenario = self.scenario(failure);
                let of = |subject: &usize| (*subject, used(&scenario, failure, *subject));
                subjects.iter().map(of).collect::<Vec<_>>()
            };
            let used: Vec<_> = chunk.par_iter().map(more).collect();
            for ((failure, _), used) in chunk.iter().zip(used) {
                for (subject, elements) in used {
                    for element in elements.difference(&failure.0) {
                        let longer = failure.with(element);
                        if next.len() >= most && !next.contains_key(&longer) {
                            *whole = false;
                            continue;
                        }
                        next.entry(longer).or_default().insert(subject);
                    }
                }
            }
            if next.len() >= most {
                *whole = false;
                break;
            }
        }
        next
    }
}

/// Returns how many sets of so many there are.
fn combinations(of: usize, count: usize) -> u128 {
    if count > of {
        return 0;
    }
    (0..count as u128).fold(1, |product, index| product * (of as u128 - index) / (index + 1))
}

/// Returns every set with one more element, each once.
fn longer(sets: &[Failure], elements: &[Element]) -> Vec<Failure> {
    let more = |set: &Failure| {
        let behind = elements.partition_point(|element| set.0.last().is_some_and(|last| element <= last));
        elements[behind..].iter().map(|element| set.with(element)).collect::<Vec<_>>()
    };
    sets.iter().flat_map(more).collect()
}

#[cfg(test)]
impl Elements {
    /// Returns the elements of a network without groups.
    pub(crate) fn of_fabric(fabric: &crate::fabric::Fabric) -> Self {
        let link = |cable: &Cable| Element::Link(cable.clone());
        let ends = fabric.cables.iter().flat_map(|cable| cable.iter().map(move |end| (end.clone(), link(cable))));
        let nodes = fabric.configs.keys().cloned().map(Element::Node).collect();
        let mut links: Vec<Element> = fabric.cables.iter().map(link).collect();
        links.sort();
        let of = [(Kind::Link, links), (Kind::Node, nodes)].into();
        Self { cables: ends.collect(), groups: BTreeMap::new(), of }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure ends the test")]

    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::{fabric::Fabric, monotone::is_monotone};

    /// Returns the pairs of devices of which the first has fewer than so many ways to the second after some failure of up to `most`
    /// elements, by a search through all failures and by one through what is used.
    fn lost(fabric: &Fabric, kind: Kind, most: usize, least_ways: usize) -> [BTreeSet<usize>; 2] {
        let names: Vec<&NodeName> = fabric.configs.keys().collect();
        let address = |node: &NodeName| -> IpAddr { fabric.loopback(node.as_str()).addr() };
        let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, &names.iter().map(|n| address(n)).collect());
        let ends = |pair: usize| (names[pair / names.len()], names[pair % names.len()]);
        let holds = |scenario: &Scenario<'_, '_>, pair: usize| {
            let (from, to) = ends(pair);
            let walk = scenario.walk(from, address(to)).unwrap();
            !walk.delivered_at.is_empty() && !walk.stopped && walk.first_hops >= least_ways
        };
        let pairs = (0..names.len() * names.len()).filter(|pair| ends(*pair).0 != ends(*pair).1);
        let pairs: BTreeSet<usize> = pairs.filter(|pair| holds(&scenarios.steady(), *pair)).collect();
        let breaches = |scenario: &Scenario<'_, '_>, failure: &Failure, alive: &BTreeSet<usize>| {
            let has_ends = |pair: &usize| !failure.takes(ends(*pair).0) && !failure.takes(ends(*pair).1);
            let broken = alive.iter().copied().filter(has_ends).filter(|pair| !holds(scenario, *pair));
            broken.map(|pair| (pair, ())).collect::<Vec<_>>()
        };
        let elements = Elements::of_fabric(fabric);
        let used = |scenario: &Scenario<'_, '_>, failure: &Failure, pair: usize| {
            let (from, to) = ends(pair);
            let ways = scenario.ways(address(to), None, [scenario.number(from).unwrap()]).unwrap();
            let name = |device| scenario.name(device).cloned();
            let mut used = elements.used(kind, (&ways, scenario.number(from).unwrap()), name);
            used.retain(|element| ![from, to].iter().any(|end| *element == Element::Node((*end).clone())));
            &used - &failure.0
        };
        let local = is_monotone(&fabric.configs, &fabric.cables);
        assert!(local);
        let search = Search { scenarios: &scenarios, elements: &elements, kind, most, local };
        [u128::MAX, 0].map(|few| {
            let concerned = |failures: &[Failure], alive: &BTreeSet<usize>| vec![alive.clone(); failures.len()];
            let (found, searched) = search.run_within(few, usize::MAX, pairs.clone(), concerned, used, breaches);
            assert!(searched.exhausted);
            found.into_iter().map(|(pair, ())| pair).collect()
        })
    }

    fn both_find_the_same(fabric: &Fabric, most: usize) -> Result<(), TestCaseError> {
        for (kind, least_ways) in [(Kind::Link, 1), (Kind::Link, 2), (Kind::Node, 1)] {
            let [all, used] = lost(fabric, kind, most, least_ways);
            prop_assert_eq!(all, used, "{:?}, {} ways", kind, least_ways);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_search_through_what_is_used_finds_what_one_through_everything_finds(
            devices in 3_usize..6,
            links in proptest::collection::vec((0_usize..6, 0_usize..6), 3..9),
            maximum_paths in 1_u16..4,
            most in 2_usize..4,
        ) {
            let mut fabric = Fabric::default();
            for device in 0..devices {
                fabric.device(&format!("d{device}"), 65_000 + u32::try_from(device).unwrap(), maximum_paths);
            }
            for (a, b) in links.into_iter().map(|(a, b)| (a % devices, b % devices)).filter(|(a, b)| a != b) {
                fabric.link(&format!("d{a}"), &format!("d{b}"), true);
            }
            both_find_the_same(&fabric, most)?;
        }
    }

    #[test]
    fn they_find_the_same_in_a_fabric_whose_spines_share_an_as() {
        both_find_the_same(&crate::fabric::leaf_spine(3, 3, true), 3).unwrap();
    }
}
