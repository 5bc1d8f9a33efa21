//! Minimum cuts: so few elements that hold two devices together that a promise cannot survive their failure.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::{
    algo::ford_fulkerson,
    graph::{DiGraph, NodeIndex},
    visit::EdgeRef,
};
use rayon::prelude::*;
use weft_model::NodeName;
use weft_simulate::Cable;

use crate::failures::{Element, Elements, Failure, Kind};

/// More than anything is cut.
const WHOLE: u32 = 1 << 20;

/// What holds the devices of a network together, element by element of a kind.
pub(crate) struct Cuts<'a> {
    /// Each device is a way in, a way out, and what it lets through: one, where it may fail.
    graph: DiGraph<(), u32>,
    ends: BTreeMap<&'a NodeName, (NodeIndex, NodeIndex)>,
    /// From here as much goes to the start of a search as it asks for, and no more.
    source: NodeIndex,
    device_at: BTreeMap<(NodeIndex, NodeIndex), &'a NodeName>,
    cables_at: BTreeMap<(NodeIndex, NodeIndex), Vec<&'a Cable>>,
    /// The most elements of a cut.
    most: usize,
    /// Devices between which there is no cut.
    firm: BTreeSet<&'a NodeName>,
}

impl<'a> Cuts<'a> {
    /// Looks for cuts of at most so many elements between some devices, `asked`. Groups of links have no cut that is found quickly.
    ///
    /// No cut has all of `most` + 1 devices in it. So where so many are not cut off from either of two devices, these two are not cut
    /// off from each other, and n devices take some n searches instead of n².
    pub(crate) fn new(
        devices: impl Iterator<Item = &'a NodeName>,
        cables: &'a [Cable],
        elements: &Elements,
        (kind, most): (Kind, usize),
        asked: &BTreeSet<&'a NodeName>,
    ) -> Option<Self> {
        if kind == Kind::Group {
            return None;
        }
        let may_fail: BTreeSet<&NodeName> = elements
            .of(Kind::Node)
            .iter()
            .filter_map(|element| if let Element::Node(node) = element { Some(node) } else { None })
            .collect();
        let mut graph = DiGraph::new();
        let source = graph.add_node(());
        let (device_at, cables_at, firm) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let mut cuts = Self { graph, ends: BTreeMap::new(), source, device_at, cables_at, most, firm };
        for device in devices {
            let ends = (cuts.graph.add_node(()), cuts.graph.add_node(()));
            let fails = kind == Kind::Node && may_fail.contains(device);
            cuts.graph.add_edge(ends.0, ends.1, if fails { 1 } else { WHOLE });
            cuts.device_at.insert(ends, device);
            cuts.ends.insert(device, ends);
        }
        for cable in cables {
            let ends = [&cable[0].node, &cable[1].node].map(|node| cuts.ends.get(node).copied());
            let [Some(a), Some(b)] = ends else { continue };
            for (near, far) in [(a, b), (b, a)] {
                cuts.graph.add_edge(near.1, far.0, if kind == Kind::Link { 1 } else { WHOLE });
                cuts.cables_at.entry((near.1, far.0)).or_default().push(cable);
            }
        }
        // Two of these may be the two devices themselves.
        let others: Vec<&NodeName> = asked.iter().copied().take(most + 3).collect();
        let is_firm = |device: &&NodeName| {
            let Some(graph) = cuts.from(device) else { return false };
            let mut others = others.iter().filter(|other| *other != device);
            others.all(|other| cuts.flow(&graph, other).is_some_and(|(flow, _)| flow > most))
        };
        if others.len() == most + 3 {
            cuts.firm = asked.par_iter().copied().filter(is_firm).collect();
        }
        Some(cuts)
    }

    /// Returns the graph with a way from the source to a device.
    fn from(&self, device: &NodeName) -> Option<DiGraph<(), u32>> {
        let mut graph = self.graph.clone();
        graph.add_edge(self.source, self.ends.get(device)?.1, u32::try_from(self.most).ok()? + 1);
        Some(graph)
    }

    fn flow(&self, graph: &DiGraph<(), u32>, to: &NodeName) -> Option<(usize, Vec<u32>)> {
        let (flow, flows) = ford_fulkerson(graph, self.source, self.ends.get(to)?.0);
        Some((flow as usize, flows))
    }

    /// Returns elements that are on every cable path between two devices (Menger), if so few are.
    pub(crate) fn between(&self, from: &NodeName, to: &NodeName) -> Option<Failure> {
        if from == to || self.firm.contains(from) && self.firm.contains(to) {
            return None;
        }
        let graph = self.from(from)?;
        let (flow, flows) = self.flow(&graph, to)?;
        if flow > self.most {
            return None;
        }
        // The devices that are still reached where the flow leaves room; the edges out of them are the cut.
        let mut reached: BTreeSet<NodeIndex> = [self.source].into();
        let mut waiting = vec![self.source];
        while let Some(at) = waiting.pop() {
            for edge in graph.edges(at).filter(|edge| flows[edge.id().index()] < *edge.weight()) {
                if reached.insert(edge.target()) {
                    waiting.push(edge.target());
                }
            }
            for edge in graph.edges_directed(at, petgraph::Direction::Incoming) {
                if flows[edge.id().index()] > 0 && reached.insert(edge.source()) {
                    waiting.push(edge.source());
                }
            }
        }
        let mut failure = BTreeSet::new();
        for edge in graph.edge_references() {
            let ends = (edge.source(), edge.target());
            if reached.contains(&ends.0) && !reached.contains(&ends.1) {
                let cables = self.cables_at.get(&ends).into_iter().flatten();
                failure.extend(cables.map(|cable| Element::Link((*cable).clone())));
                failure.extend(self.device_at.get(&ends).map(|device| Element::Node((*device).clone())));
            }
        }
        (!failure.is_empty() && failure.len() <= self.most).then_some(Failure(failure))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure ends the test")]

    use proptest::prelude::*;

    use super::*;
    use crate::fabric::Fabric;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn devices_that_are_searched_together_have_the_cuts_that_each_pair_has(
            devices in 5_usize..9,
            links in proptest::collection::vec((0_usize..9, 0_usize..9), 8..30),
            most in 2_usize..4,
        ) {
            let mut fabric = Fabric::default();
            for device in 0..devices {
                fabric.device(&format!("d{device}"), 65_000 + u32::try_from(device).unwrap(), 8);
            }
            for (a, b) in links.into_iter().map(|(a, b)| (a % devices, b % devices)).filter(|(a, b)| a != b) {
                fabric.link(&format!("d{a}"), &format!("d{b}"), true);
            }
            let elements = Elements::of_fabric(&fabric);
            for kind in [Kind::Link, Kind::Node] {
                let new = |asked: Vec<_>| {
                    Cuts::new(fabric.configs.keys(), &fabric.cables, &elements, (kind, most), &asked.into_iter().collect()).unwrap()
                };
                let (each, together) = (new(Vec::new()), new(fabric.configs.keys().collect()));
                for (from, to) in fabric.configs.keys().flat_map(|a| fabric.configs.keys().map(move |b| (a, b))) {
                    prop_assert_eq!(each.between(from, to), together.between(from, to), "{:?} {} {}", kind, from, to);
                }
            }
        }
    }
}
