//! The topology graph: nodes, and the links between their termination points (RFC 8345).

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt,
    net::IpAddr,
};

use petgraph::graph::{EdgeIndex, NodeIndex, UnGraph};
use serde::{Deserialize, Serialize};

use crate::{
    Bandwidth, BehaviorProfile, FabricName, InterfaceName, Mtu, Name, NodeName, PackName, PlatformName, Role, SiteName,
    Source,
};

/// A node that Weft configures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name, unique in the network.
    pub name: NodeName,
    /// What it is for.
    pub role: Role,
    /// The fabric it belongs to, if one made it.
    pub fabric: Option<FabricName>,
    /// Where it stands.
    pub site: Option<SiteName>,
    /// The user's own labels.
    pub labels: BTreeMap<String, String>,
    /// The pack of its operating system.
    pub pack: PackName,
    /// Its hardware.
    pub platform: PlatformName,
    /// How its operating system behaves.
    pub profile: BehaviorProfile,
    /// Its management address where an intent gives one; else a pool does.
    pub management: Option<IpAddr>,
    /// The intent that asks for it.
    pub source: Source,
}

/// Where a link ends: an interface of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TerminationPoint {
    /// The node.
    pub node: NodeName,
    /// The interface.
    pub interface: InterfaceName,
}

impl fmt::Display for TerminationPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.node, self.interface)
    }
}

/// A point-to-point link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The two ends, the smaller first.
    pub ends: [TerminationPoint; 2],
    /// What both ends carry.
    pub mtu: Mtu,
    /// What it carries in each direction, where that is known.
    pub capacity: Option<Bandwidth>,
    /// Its metric in OSPF.
    pub metric: u16,
    /// The risk groups that it shares with other links.
    pub shared_risks: BTreeSet<Name>,
    /// The intent that asks for it.
    pub source: Source,
}

impl Link {
    /// The metric of a link that none is given to: that of 10 Gbit/s at a reference of 100 Gbit/s.
    pub const DEFAULT_METRIC: u16 = 10;

    /// Returns the end on the other side of `node`, and `None` when the link does not touch it.
    pub fn far_end(&self, node: &NodeName) -> Option<&TerminationPoint> {
        let [a, b] = &self.ends;
        if a.node == *node {
            Some(b)
        } else if b.node == *node {
            Some(a)
        } else {
            None
        }
    }

    /// Returns the end on `node`, and `None` when the link does not touch it.
    pub fn near_end(&self, node: &NodeName) -> Option<&TerminationPoint> {
        self.ends.iter().find(|end| end.node == *node)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -- {}", self.ends[0], self.ends[1])
    }
}

/// The topology graph.
///
/// A look-up by name costs O(log n); the neighborhood of a node costs as much as it has links.
#[derive(Debug, Clone, Default)]
pub struct Network {
    graph: UnGraph<Node, Link>,
    nodes: BTreeMap<NodeName, NodeIndex>,
    links: BTreeMap<TerminationPoint, EdgeIndex>,
}

impl Network {
    /// Adds a node.
    ///
    /// # Errors
    /// Returns the node that already has the name.
    pub fn add_node(&mut self, node: Node) -> Result<(), &Node> {
        match self.nodes.entry(node.name.clone()) {
            Entry::Occupied(taken) => Err(&self.graph[*taken.get()]),
            Entry::Vacant(free) => {
                free.insert(self.graph.add_node(node));
                Ok(())
            }
        }
    }

    /// Adds a link between two different nodes that are in the network, and puts its smaller end first.
    ///
    /// # Errors
    /// Returns why not: see [`LinkRefused`].
    pub fn add_link(&mut self, mut link: Link) -> Result<(), LinkRefused> {
        link.ends.sort();
        if link.ends[0].node == link.ends[1].node {
            return Err(LinkRefused::SelfLink);
        }
        let mut indices = [NodeIndex::default(); 2];
        for (index, end) in indices.iter_mut().zip(&link.ends) {
            *index = *self.nodes.get(&end.node).ok_or_else(|| LinkRefused::NoSuchNode(end.node.clone()))?;
            if let Some(&taken) = self.links.get(end) {
                return Err(LinkRefused::PortTaken { port: end.clone(), by: Box::new(self.graph[taken].clone()) });
            }
        }
        let ends = link.ends.clone();
        let edge = self.graph.add_edge(indices[0], indices[1], link);
        for end in ends {
            self.links.insert(end, edge);
        }
        Ok(())
    }

    /// Returns the nodes in the order of their names.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &Node> {
        self.nodes.values().map(|&index| &self.graph[index])
    }

    /// Returns the node of this name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.get(name).map(|&index| &self.graph[index])
    }

    /// Returns the links in the order of their smaller ends.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links
            .iter()
            .map(|(end, &edge)| (end, &self.graph[edge]))
            .filter(|(end, link)| **end == link.ends[0])
            .map(|(_, link)| link)
    }

    /// Returns the links of a node in the order of its interfaces.
    pub fn links_of<'a>(&'a self, node: &'a NodeName) -> impl Iterator<Item = &'a Link> {
        let mut links: Vec<&Link> = match self.nodes.get(node) {
            Some(&index) => self.graph.edges(index).map(|edge| edge.weight()).collect(),
            None => Vec::new(),
        };
        links.sort_by(|a, b| a.near_end(node).cmp(&b.near_end(node)));
        links.into_iter()
    }

    /// Returns the link at a termination point.
    pub fn link_at(&self, end: &TerminationPoint) -> Option<&Link> {
        self.links.get(end).map(|&edge| &self.graph[edge])
    }

    /// Returns the petgraph graph, for algorithms.
    pub fn graph(&self) -> &UnGraph<Node, Link> {
        &self.graph
    }

    /// Returns the place of a node in [`Network::graph`].
    pub fn index(&self, node: &str) -> Option<NodeIndex> {
        self.nodes.get(node).copied()
    }
}

/// Why a link cannot be added.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LinkRefused {
    /// Both ends are on one node.
    #[error("both ends are on the same node")]
    SelfLink,
    /// An end is on a node that is not there.
    #[error("there is no node `{0}`")]
    NoSuchNode(NodeName),
    /// An end already has a link.
    #[error("port {port} is used by the link {by}")]
    PortTaken {
        /// The port.
        port: TerminationPoint,
        /// The link that has it.
        by: Box<Link>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source { intent: "topology/t".parse().unwrap(), file: "t.yaml".into(), line: 1 }
    }

    fn node(name: &str) -> Node {
        Node {
            name: name.parse().unwrap(),
            role: "leaf".parse().unwrap(),
            fabric: None,
            site: None,
            labels: BTreeMap::new(),
            pack: "frr".parse().unwrap(),
            platform: "vs-16".parse().unwrap(),
            profile: BehaviorProfile::default(),
            management: None,
            source: source(),
        }
    }

    fn end(node: &str, interface: &str) -> TerminationPoint {
        TerminationPoint { node: node.parse().unwrap(), interface: interface.parse().unwrap() }
    }

    fn link(a: TerminationPoint, b: TerminationPoint) -> Link {
        Link {
            ends: [a, b],
            mtu: Mtu::ETHERNET,
            capacity: None,
            metric: Link::DEFAULT_METRIC,
            shared_risks: BTreeSet::new(),
            source: source(),
        }
    }

    fn two_nodes() -> Network {
        let mut network = Network::default();
        network.add_node(node("b")).unwrap();
        network.add_node(node("a")).unwrap();
        network
    }

    #[test]
    fn parallel_links_are_kept_and_ordered() {
        let mut network = two_nodes();
        network.add_link(link(end("b", "swp10"), end("a", "swp10"))).unwrap();
        network.add_link(link(end("b", "swp2"), end("a", "swp2"))).unwrap();
        let links: Vec<String> = network.links().map(ToString::to_string).collect();
        assert_eq!(links, ["a:swp2 -- b:swp2", "a:swp10 -- b:swp10"]);
        let b = "b".parse().unwrap();
        assert_eq!(network.links_of(&b).count(), 2);
        assert_eq!(network.link_at(&end("b", "swp2")).unwrap().far_end(&b), Some(&end("a", "swp2")));
    }

    #[test]
    fn a_link_that_cannot_be_is_refused() {
        let mut network = two_nodes();
        network.add_link(link(end("a", "swp1"), end("b", "swp1"))).unwrap();
        assert!(matches!(
            network.add_link(link(end("a", "swp1"), end("b", "swp2"))),
            Err(LinkRefused::PortTaken { .. })
        ));
        assert_eq!(network.add_link(link(end("a", "swp2"), end("a", "swp3"))), Err(LinkRefused::SelfLink));
        assert!(matches!(network.add_link(link(end("a", "swp2"), end("c", "swp1"))), Err(LinkRefused::NoSuchNode(_))));
        assert!(network.add_node(node("a")).is_err());
    }
}
