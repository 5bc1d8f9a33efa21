//! Device configurations and cabling to predicted state.

use std::collections::{BTreeMap, BTreeSet};

use weft_device::state::DeviceState;
use weft_model::{NodeName, TerminationPoint};

/// A cable between two interfaces.
pub type Cable = [TerminationPoint; 2];

/// What is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Failed {
    /// Cables that are cut, named by either of their ends.
    pub links: BTreeSet<TerminationPoint>,
    /// Devices that are off.
    pub nodes: BTreeSet<NodeName>,
}

/// The predicted network.
#[derive(Debug, Clone, Default)]
pub struct Prediction {
    /// The state of every device that is not off.
    pub states: BTreeMap<NodeName, DeviceState>,
    /// Prefixes whose routes did not settle within the bound, if any.
    pub unstable: BTreeSet<ipnet::IpNet>,
}
