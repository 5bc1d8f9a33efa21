//! What is left of a network when some of it has failed.

use std::collections::BTreeMap;

use weft_compile::ExternalRouters;
use weft_device::config::DeviceConfig;
use weft_model::{Network, NodeName};
use weft_simulate::{Cable, Failed};

/// What is left of a network. It is checked like any other.
#[derive(Debug, Clone, Default)]
pub struct Remaining {
    /// The topology without the links and nodes that failed.
    pub network: Network,
    /// The configurations of the devices that are on.
    pub configs: BTreeMap<NodeName, DeviceConfig>,
    /// The external routers that are on, and their cables that are whole.
    pub external: ExternalRouters,
}

/// Returns what is left of a network without what has failed.
pub fn without(
    network: &Network,
    configs: &BTreeMap<NodeName, DeviceConfig>,
    external: &ExternalRouters,
    failed: &Failed,
) -> Remaining {
    let is_whole =
        |cable: &Cable| cable.iter().all(|end| !failed.links.contains(end) && !failed.nodes.contains(&end.node));
    let are_on = |configs: &BTreeMap<NodeName, DeviceConfig>| -> BTreeMap<NodeName, DeviceConfig> {
        let on = configs.iter().filter(|(name, _)| !failed.nodes.contains(*name));
        on.map(|(name, config)| (name.clone(), config.clone())).collect()
    };
    let mut left = Network::default();
    for node in network.nodes().filter(|node| !failed.nodes.contains(&node.name)) {
        // What was taken once is taken again: the names and ports are those of a network.
        let _ = left.add_node(node.clone());
    }
    for link in network.links().filter(|link| is_whole(&link.ends)) {
        let _ = left.add_link(link.clone());
    }
    let cables = external.cables.iter().filter(|cable| is_whole(cable)).cloned().collect();
    Remaining {
        network: left,
        configs: are_on(configs),
        external: ExternalRouters { configs: are_on(&external.configs), cables },
    }
}
