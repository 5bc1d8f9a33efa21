//! Selectors: which nodes an intent is about.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{FabricName, Network, Node, NodeName, Role, SiteName};

/// Picks nodes. What is given must all hold; an empty selector picks every node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// Nodes of these fabrics.
    #[schemars(with = "Vec<super::text::NameText>")]
    pub fabrics: Vec<FabricName>,
    /// Nodes of these roles, such as `leaf`.
    #[schemars(with = "Vec<super::text::NameText>")]
    pub roles: Vec<Role>,
    /// Nodes at these sites.
    #[schemars(with = "Vec<super::text::NameText>")]
    pub sites: Vec<SiteName>,
    /// Nodes with all of these labels.
    pub labels: BTreeMap<String, String>,
    /// Exactly these nodes.
    #[schemars(with = "Vec<super::text::NameText>")]
    pub names: Vec<NodeName>,
}

impl Selector {
    /// Tells whether the selector picks `node`.
    pub fn picks(&self, node: &Node) -> bool {
        (self.names.is_empty() || self.names.contains(&node.name)) && self.picks_apart_from_name(node)
    }

    /// Returns the nodes of a network that the selector picks, in the order of their names. Costs no more than a look at
    /// every node, however many names the selector has.
    pub fn pick<'n>(&self, network: &'n Network) -> Vec<&'n Node> {
        if self.names.is_empty() {
            return network.nodes().filter(|node| self.picks(node)).collect();
        }
        let names: BTreeSet<&NodeName> = self.names.iter().collect();
        let nodes = names.into_iter().filter_map(|name| network.node(name.as_str()));
        nodes.filter(|node| self.picks_apart_from_name(node)).collect()
    }

    fn picks_apart_from_name(&self, node: &Node) -> bool {
        (self.fabrics.is_empty() || node.fabric.as_ref().is_some_and(|fabric| self.fabrics.contains(fabric)))
            && (self.roles.is_empty() || self.roles.contains(&node.role))
            && (self.sites.is_empty() || node.site.as_ref().is_some_and(|site| self.sites.contains(site)))
            && self.labels.iter().all(|(key, value)| node.labels.get(key) == Some(value))
    }
}
