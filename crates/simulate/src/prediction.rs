//! The predicted network: the state of every device.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use weft_device::{config::DeviceConfig, state::DeviceState};
use weft_model::{NodeName, TerminationPoint};

use crate::{Cable, Routing};

/// What is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Failed {
    /// Cables that are cut, named by either of their ends.
    pub links: BTreeSet<TerminationPoint>,
    /// Devices that are off.
    pub nodes: BTreeSet<NodeName>,
}

/// The predicted network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prediction {
    /// The state of every device that is not off.
    pub states: BTreeMap<NodeName, DeviceState>,
    /// Prefixes whose routes did not settle within the bound, if any. Their routes in `states` are those of the moment when
    /// the bound was reached.
    pub unstable: BTreeSet<IpNet>,
    /// Prefixes whose routes settled, but in another way when devices decided in another order: which of them the network takes
    /// depends on what happened before. Only where policies set local preferences; a few orders are tried, not all there are.
    pub ambiguous: BTreeSet<IpNet>,
}

/// Predicts what every device does, with all parts of its [`DeviceState`] filled; `ospf_neighbors` only where it runs OSPF.
///
/// External routers are devices like any other: without their configuration the sessions with them stay down. An
/// interface is up when its cable is there and whole and the device at the other end is on; a host port also without a
/// cable. A session is established when both ends agree on the addresses, both AS numbers and the key. `fib` is `rib`.
/// Sessions that do not come up are `Idle` where the interface is down or too many prefixes were received, else `Active`. OSPF
/// neighbors are `Full` or `Down`, these with the router id 0.0.0.0 where nobody could answer.
///
/// The address of a next hop is given for IPv4 over a link with addresses, and for IPv6 there on devices that take the global one.
/// Elsewhere it is a link-local one that nobody knows beforehand. Where operating systems differ, a device does what the behavior
/// profile of its configuration says.
pub fn simulate(configs: &BTreeMap<NodeName, DeviceConfig>, cables: &[Cable], failed: &Failed) -> Prediction {
    Routing::new(configs, cables, failed).prediction()
}
