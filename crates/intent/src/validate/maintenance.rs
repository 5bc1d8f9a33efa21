//! Maintenance intents: what they drain, and what that would cut off.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use petgraph::{graph::NodeIndex, unionfind::UnionFind, visit::EdgeRef as _};
use weft_diagnostics::Diagnostic;
use weft_model::{Endpoint, Link, Name, Node, NodeName, TerminationPoint};

use super::{Routing, Spot, Validation};
use crate::{
    Document, Intent, codes,
    spec::{MaintenanceSpec, Protocol, Window},
    suggest::first_of,
};

/// What a Maintenance drains, as far as it is there.
pub(super) struct Drained<'a> {
    pub(super) intent: &'a Intent<MaintenanceSpec>,
    pub(super) nodes: Vec<(&'a Node, Spot<'a>)>,
    pub(super) links: Vec<(&'a Link, Spot<'a>)>,
}

impl<'a> Drained<'a> {
    /// Returns where a node is drained.
    pub(super) fn node(&self, name: &NodeName) -> Option<&Spot<'a>> {
        self.nodes.iter().find(|(node, _)| node.name == *name).map(|(_, spot)| spot)
    }

    /// Returns where a link, or a node at one of its ends, is drained.
    pub(super) fn link(&self, link: &Link) -> Option<&Spot<'a>> {
        let itself = self.links.iter().find(|(drained, _)| drained.ends == link.ends).map(|(_, spot)| spot);
        itself.or_else(|| link.ends.iter().find_map(|end| self.node(&end.node)))
    }
}

pub(super) fn check<'a>(validation: &mut Validation<'a>, routing: &Routing<'a>) -> Vec<Drained<'a>> {
    let mut all = Vec::new();
    for intent in validation.set.maintenances.values() {
        let document = &*intent.document;
        let drain = &intent.spec.drain;
        if drain.nodes.is_empty() && drain.links.is_empty() {
            validation.report(
                Diagnostic::error(codes::NOTHING_DRAINED, "nothing is drained")
                    .at(document.key_span("/spec/drain"))
                    .help("name `nodes` or `links`, or remove the intent"),
            );
        }
        let drained = drained(validation, intent);
        features(validation, routing, &drained);
        if window_opens(validation, intent) {
            all.push(drained);
        }
    }
    if validation.linked {
        cuts(validation, &all);
    }
    all
}

/// Returns what is drained, and reports what is not there or named twice.
fn drained<'a>(validation: &mut Validation<'a>, intent: &'a Intent<MaintenanceSpec>) -> Drained<'a> {
    let document = &*intent.document;
    let mut drained = Drained { intent, nodes: Vec::new(), links: Vec::new() };
    for (index, name) in intent.spec.drain.nodes.iter().enumerate() {
        let spot = Spot::new(document, format!("/spec/drain/nodes/{index}"));
        let Some(node) = validation.node(name, document, &spot.pointer) else { continue };
        if let Some(first) = drained.node(name) {
            twice(validation, &format!("the node `{name}`"), &spot, first);
        } else {
            drained.nodes.push((node, spot));
        }
    }
    for (index, end) in intent.spec.drain.links.iter().enumerate() {
        let spot = Spot::new(document, format!("/spec/drain/links/{index}"));
        let Some(link) = link(validation, end, document, &spot.pointer) else { continue };
        if let Some((_, first)) = drained.links.iter().find(|(other, _)| other.ends == link.ends) {
            twice(validation, &format!("the link {link}"), &spot, first);
        } else {
            drained.links.push((link, spot));
        }
    }
    drained
}

fn twice(validation: &mut Validation<'_>, what: &str, spot: &Spot<'_>, first: &Spot<'_>) {
    let finding = Diagnostic::error(codes::DRAINED_TWICE, format!("{what} is drained twice")).at(spot.span());
    validation.report(finding.label(first.span(), "first named here").help("remove it, or name the other one"));
}

/// Returns the link at a port, or reports why there is none.
pub(super) fn link<'a>(
    validation: &mut Validation<'a>,
    end: &Endpoint,
    document: &Document,
    pointer: &str,
) -> Option<&'a Link> {
    let node = validation.node(&end.node, document, pointer)?;
    if let Some(finding) = validation.ports.unknown(node, &end.interface, validation.suggester) {
        validation.report(finding.at(document.span(pointer)));
        return None;
    }
    let network = validation.network;
    let found = network.link_at(&TerminationPoint { node: end.node.clone(), interface: end.interface.clone() });
    if found.is_none() && validation.linked {
        let mut ports: Vec<String> = network
            .links_of(&end.node)
            .filter_map(|link| Some(format!("`{}`", link.near_end(&end.node)?.interface)))
            .collect();
        let more = ports.len().saturating_sub(SHOWN_PORTS);
        ports.truncate(SHOWN_PORTS);
        let help = match (ports.is_empty(), more) {
            (true, _) => "the node has no links".to_owned(),
            (false, 0) => format!("its links are at {}", ports.join(", ")),
            (false, more) => format!("its links are at {} and {more} more ports", ports.join(", ")),
        };
        let finding = Diagnostic::error(codes::NO_LINK, format!("there is no link at `{end}`"));
        validation.report(finding.at(document.span(pointer)).help(help));
    }
    found
}

/// Ports that a help line names.
const SHOWN_PORTS: usize = 8;

/// Reports a window that never opens.
fn window_opens(validation: &mut Validation<'_>, intent: &Intent<MaintenanceSpec>) -> bool {
    let Some(Window { from, until }) = intent.spec.window else { return true };
    if from < until {
        return true;
    }
    let document = &*intent.document;
    validation.report(
        Diagnostic::error(codes::WINDOW, format!("the window ends at {until}, and begins at {from}"))
            .at(document.span("/spec/window/until"))
            .label(document.span("/spec/window/from"), "its begin")
            .help("write an end after the begin"),
    );
    false
}

/// Reports nodes whose packs cannot drain in the protocols of their Underlays.
fn features(validation: &mut Validation<'_>, routing: &Routing<'_>, drained: &Drained<'_>) {
    let document = &*drained.intent.document;
    for (protocol, feature) in [(Protocol::Ebgp, "bgp.graceful-shutdown"), (Protocol::Ospf, "ospf.max-metric")] {
        let nodes = drained.nodes.iter().map(|(node, _)| *node);
        let nodes: Vec<&Node> = nodes.filter(|node| routing.runs(&node.name, protocol)).collect();
        validation.feature(nodes, feature, document, "/spec/drain/nodes");
        let links = drained.links.iter().filter(|(link, _)| routing.on_link(link) == Some(protocol));
        let ends: BTreeSet<&NodeName> = links.flat_map(|(link, _)| &link.ends).map(|end| &end.node).collect();
        let network = validation.network;
        let ends = ends.into_iter().filter_map(|name| network.node(name.as_str()));
        validation.feature(ends, feature, document, "/spec/drain/links");
    }
}

/// Reports drains that leave the rest of the network in parts: first each intent alone, then those that are carried out
/// at the same time.
fn cuts(validation: &mut Validation<'_>, all: &[Drained<'_>]) {
    let before = Parts::of(validation, &[]);
    let mut apart: BTreeSet<&Name> = BTreeSet::new();
    for drained in all {
        if let Some(cut) = before.cut(validation, &[drained]) {
            apart.insert(&drained.intent.reference.name);
            let spot = first_cut(validation, &before, drained);
            let message = format!("this drain would cut {cut}");
            validation.report(
                Diagnostic::error(codes::DRAIN_CUTS, message)
                    .at(spot.span())
                    .help("drain them one after the other, or add links for the time of the work"),
            );
        }
    }
    let rest: Vec<&Drained<'_>> =
        all.iter().filter(|drained| !apart.contains(&drained.intent.reference.name)).collect();
    // What is drained only ever grows when a window opens; without a window it is drained from the start.
    let mut starts: Vec<Option<Timestamp>> =
        rest.iter().map(|drained| drained.intent.spec.window.map(|window| window.from)).collect();
    starts.sort();
    starts.dedup();
    let mut reported: Vec<BTreeSet<&Name>> = Vec::new();
    for start in starts {
        let mut active: Vec<&Drained<'_>> = rest
            .iter()
            .copied()
            .filter(|drained| match (drained.intent.spec.window, start) {
                (None, _) => true,
                (Some(window), Some(start)) => window.contains(start),
                (Some(_), None) => false,
            })
            .collect();
        let names = |active: &[&Drained<'_>]| -> BTreeSet<String> {
            active.iter().map(|drained| drained.intent.reference.name.to_string()).collect()
        };
        let known = |reported: &BTreeSet<&Name>| reported.iter().all(|name| names(&active).contains(name.as_str()));
        if reported.iter().any(known) || before.cut(validation, &active).is_none() {
            continue;
        }
        // Without those that have no part in it.
        for index in (0..active.len()).rev() {
            let mut fewer = active.clone();
            fewer.remove(index);
            if before.cut(validation, &fewer).is_some() {
                active = fewer;
            }
        }
        let Some(cut) = before.cut(validation, &active) else { continue };
        // The last to begin is what makes it so.
        active.sort_by_key(|drained| (drained.intent.spec.window.map(|window| window.from), &drained.intent.reference));
        reported.push(active.iter().map(|drained| &drained.intent.reference.name).collect());
        let Some((last, others)) = active.split_last() else { continue };
        let message = format!("these drains, at the same time, would cut {cut}");
        let mut finding = Diagnostic::error(codes::DRAIN_CUTS, message)
            .at(last.intent.document.key_span("/spec/drain"))
            .help("give them windows that do not overlap");
        for other in others {
            finding = finding.label(other.intent.document.key_span("/spec/drain"), "drained at the same time");
        }
        validation.report(finding);
    }
}

/// Returns the node or link of a drain with which the network falls into parts, in the order of the text.
fn first_cut<'a>(validation: &Validation<'_>, before: &Parts, drained: &Drained<'a>) -> Spot<'a> {
    let Drained { intent, nodes, links } = drained;
    let mut some = Drained { intent, nodes: Vec::new(), links: Vec::new() };
    for node in nodes {
        some.nodes.push(node.clone());
        if before.cut(validation, &[&some]).is_some() {
            return node.1.clone();
        }
    }
    for link in links {
        some.links.push(link.clone());
        if before.cut(validation, &[&some]).is_some() {
            return link.1.clone();
        }
    }
    Spot::new(&intent.document, "/spec/drain")
}

/// The parts of a network that no link joins, by the places of nodes in its graph.
struct Parts {
    /// The part of each node that is left.
    of_node: BTreeMap<NodeIndex, usize>,
}

impl Parts {
    /// Returns the parts of what is left without what is drained.
    fn of(validation: &Validation<'_>, drained: &[&Drained<'_>]) -> Self {
        let graph = validation.network.graph();
        let nodes: BTreeSet<NodeIndex> = drained
            .iter()
            .flat_map(|drained| &drained.nodes)
            .filter_map(|(node, _)| validation.network.index(node.name.as_str()))
            .collect();
        let links: BTreeSet<&[TerminationPoint; 2]> =
            drained.iter().flat_map(|drained| &drained.links).map(|(link, _)| &link.ends).collect();
        let mut sets = UnionFind::<usize>::new(graph.node_count());
        for edge in graph.edge_references() {
            let (a, b) = (edge.source(), edge.target());
            if !nodes.contains(&a) && !nodes.contains(&b) && !links.contains(&edge.weight().ends) {
                sets.union(a.index(), b.index());
            }
        }
        let left = graph.node_indices().filter(|index| !nodes.contains(index));
        Self { of_node: left.map(|index| (index, sets.find(index.index()))).collect() }
    }

    /// Returns what a drain would cut off from what, if it does.
    fn cut(&self, validation: &Validation<'_>, drained: &[&Drained<'_>]) -> Option<String> {
        let after = Self::of(validation, drained);
        // The parts into which each part falls.
        let mut fall: BTreeMap<usize, BTreeMap<usize, Vec<NodeIndex>>> = BTreeMap::new();
        for (node, part) in &after.of_node {
            let before = self.of_node.get(node)?;
            fall.entry(*before).or_default().entry(*part).or_default().push(*node);
        }
        let graph = validation.network.graph();
        let names = |nodes: &[NodeIndex]| -> Vec<&NodeName> {
            let mut names: Vec<&NodeName> = nodes.iter().map(|index| &graph[*index].name).collect();
            names.sort();
            names
        };
        let mut pieces: Vec<Vec<&NodeName>> =
            fall.into_values().find(|pieces| pieces.len() > 1)?.values().map(|nodes| names(nodes)).collect();
        // The largest is what the others are cut off from.
        pieces.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        let main = pieces.first()?;
        let mut off: Vec<&NodeName> = pieces.iter().skip(1).flatten().copied().collect();
        off.sort();
        Some(format!(
            "{} off from {}",
            first_of(off.first()?.as_str(), off.len()),
            first_of(main.first()?.as_str(), main.len())
        ))
    }
}
