//! Minimum cuts: so few elements that hold two devices together that a promise cannot survive their failure.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::{
    algo::ford_fulkerson,
    graph::{DiGraph, NodeIndex},
    visit::EdgeRef,
};
use weft_model::NodeName;
use weft_simulate::Cable;

use crate::failures::{Element, Elements, Failure, Kind};

/// More than anything is cut.
const WHOLE: u32 = 1 << 20;

/// Returns at most so many elements of a kind that are on every cable path between two devices (Menger), if there are such.
/// Groups of links have no cut that is found quickly.
pub(crate) fn cut<'a>(
    devices: impl Iterator<Item = &'a NodeName>,
    cables: &'a [Cable],
    elements: &Elements,
    kind: Kind,
    from: &NodeName,
    to: &NodeName,
    most: usize,
) -> Option<Failure> {
    if from == to || kind == Kind::Group {
        return None;
    }
    // Each device is a way in, a way out, and what it lets through: one, where it may fail.
    let mayfail: BTreeSet<&NodeName> = elements
        .of(Kind::Node)
        .iter()
        .filter_map(|element| if let Element::Node(node) = element { Some(node) } else { None })
        .collect();
    let mut graph: DiGraph<(), u32> = DiGraph::new();
    let mut cut_at: BTreeMap<(NodeIndex, NodeIndex), Element> = BTreeMap::new();
    let mut ends: BTreeMap<&NodeName, (NodeIndex, NodeIndex)> = BTreeMap::new();
    for device in devices {
        let (inside, outside) = (graph.add_node(()), graph.add_node(()));
        let fails = kind == Kind::Node && device != from && device != to && mayfail.contains(device);
        graph.add_edge(inside, outside, if fails { 1 } else { WHOLE });
        cut_at.insert((inside, outside), Element::Node(device.clone()));
        ends.insert(device, (inside, outside));
    }
    let mut between: BTreeMap<(NodeIndex, NodeIndex), Vec<&Cable>> = BTreeMap::new();
    for cable in cables {
        let [Some(a), Some(b)] = [&cable[0].node, &cable[1].node].map(|node| ends.get(node)) else { continue };
        for (near, far) in [(a, b), (b, a)] {
            graph.add_edge(near.1, far.0, if kind == Kind::Link { 1 } else { WHOLE });
            between.entry((near.1, far.0)).or_default().push(cable);
        }
    }
    let (source, sink) = (ends.get(from)?.1, ends.get(to)?.0);
    let (flow, flows) = ford_fulkerson(&graph, source, sink);
    if flow as usize > most {
        return None;
    }
    // The devices that are still reached where the flow leaves room; the edges out of them are the cut.
    let mut reached: BTreeSet<NodeIndex> = [source].into();
    let mut waiting = vec![source];
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
            match between.get(&ends) {
                Some(cables) => failure.extend(cables.iter().map(|cable| Element::Link((*cable).clone()))),
                None => failure.extend(cut_at.get(&ends).cloned()),
            }
        }
    }
    (!failure.is_empty() && failure.len() <= most).then_some(Failure(failure))
}
