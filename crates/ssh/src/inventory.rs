//! Where devices are and how one logs in.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};
use weft_model::{NodeName, PackName};

/// How every device is reached. A lab writes one; a user writes one where the management addresses of the pools, port 22
/// and the user's own SSH agent do not fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// The devices by name.
    #[serde(default)]
    pub devices: BTreeMap<NodeName, Target>,
}

/// How one device is reached. Relative paths are relative to the folder of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Where its SSH server listens.
    pub address: SocketAddr,
    /// The user that logs in.
    pub user: String,
    /// The private key that logs in; `None` for the SSH agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<PathBuf>,
    /// The file with the host keys that are trusted; `None` for the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<PathBuf>,
    /// The network namespace from which the connection starts, such as `/run/netns/weft-mgmt`; needs root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_namespace: Option<PathBuf>,
    /// The pack of the OS that runs there, where it is not the one that the intents name: an emulated lab runs one OS for
    /// all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackName>,
}
