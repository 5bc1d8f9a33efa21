//! What Maintenance intents drain in the configurations of a network: traffic leaves it if it can, so it may take another way than the
//! first of a list.

use std::collections::BTreeSet;

use petgraph::{unionfind::UnionFind, visit::EdgeRef};
use weft_device::config::DeviceConfig;
use weft_model::{IntentRef, Network, NodeName, Provenance, TerminationPoint};

use crate::reachability::Checked;

/// What is drained, and the parts in which the rest of the network is.
pub(crate) struct Drained<'a> {
    network: &'a Network,
    nodes: BTreeSet<&'a NodeName>,
    /// The parts, by place in the graph of the network; `None` where nothing is drained.
    parts: Option<UnionFind<usize>>,
}

impl<'a> Drained<'a> {
    /// Returns what the configurations drain. A Maintenance that they do not know is outside of its window.
    pub(crate) fn new(checked: Checked<'a>, network: &'a Network) -> Self {
        let (mut nodes, mut links) = (BTreeSet::new(), BTreeSet::new());
        for intent in checked.intents.maintenances.values() {
            let is_drained =
                |node: &NodeName| checked.configs.get(node).is_some_and(|config| is_caused(config, &intent.reference));
            let drain = &intent.spec.drain;
            nodes.extend(drain.nodes.iter().filter(|node| is_drained(node)));
            let ends = drain.links.iter().filter(|end| is_drained(&end.node));
            let ends = ends.map(|end| TerminationPoint { node: end.node.clone(), interface: end.interface.clone() });
            links.extend(ends.filter_map(|end| network.link_at(&end)).map(|link| &link.ends[0]));
        }
        if nodes.is_empty() && links.is_empty() {
            return Self { network, nodes, parts: None };
        }
        let graph = network.graph();
        let mut parts = UnionFind::new(graph.node_count());
        for edge in graph.edge_references() {
            let link = edge.weight();
            if !links.contains(&link.ends[0]) && !link.ends.iter().any(|end| nodes.contains(&end.node)) {
                parts.union(edge.source().index(), edge.target().index());
            }
        }
        Self { network, nodes, parts: Some(parts) }
    }

    /// Tells whether all these ports are on drained nodes.
    pub(crate) fn holds<'p>(&self, ports: impl IntoIterator<Item = &'p TerminationPoint>) -> bool {
        ports.into_iter().all(|port| self.nodes.contains(&port.node))
    }

    /// Tells whether a node is drained, or none of these ports can be reached from it but over what is.
    pub(crate) fn cuts_off<'p>(&self, node: &NodeName, ports: impl IntoIterator<Item = &'p TerminationPoint>) -> bool {
        let Some(parts) = &self.parts else { return false };
        let place = |node: &NodeName| self.network.index(node.as_str()).map(petgraph::graph::NodeIndex::index);
        let Some(from) = place(node) else { return false };
        self.nodes.contains(node)
            || !ports.into_iter().any(|port| {
                !self.nodes.contains(&port.node) && place(&port.node).is_some_and(|to| parts.equiv(from, to))
            })
    }
}

/// Tells whether an intent caused something in what a device does with routes.
fn is_caused(config: &DeviceConfig, intent: &IntentRef) -> bool {
    let names = |provenance: &Provenance| {
        provenance.leaves.values().flatten().chain(&provenance.sources).any(|source| source.intent == *intent)
    };
    let of_ospf = config
        .ospf
        .iter()
        .any(|ospf| names(&ospf.provenance) || ospf.interfaces.values().any(|interface| names(&interface.provenance)));
    let mut policies = config.routing_policy.policy_definitions.values();
    of_ospf || policies.any(|policy| policy.statements.iter().any(|statement| names(&statement.provenance)))
}
