//! What the installed packs can do, as far as intents need to know it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Bandwidth, BehaviorProfile, InterfaceName, Mtu, OsVersion, PackName, PlatformName};

/// The packs by name.
pub type Catalogue = BTreeMap<PackName, PackDescription>;

/// One pack, as far as intents need to know it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PackDescription {
    /// What the device OS can do, such as `bgp.unnumbered`.
    pub features: BTreeSet<String>,
    /// The platforms that run it.
    pub platforms: BTreeMap<PlatformName, Platform>,
    /// How its versions behave, at first that which is assumed where nobody says a version.
    pub profiles: Vec<BehaviorProfile>,
}

impl PackDescription {
    /// Returns the profile for a version, the narrowest one, or that which is assumed where no version is said; `None` where the
    /// version is not known.
    pub fn profile(&self, version: Option<&OsVersion>) -> Option<BehaviorProfile> {
        let Some(version) = version else { return Some(self.profiles.first().cloned().unwrap_or_default()) };
        let fitting = self.profiles.iter().filter(|profile| profile.covers(version));
        fitting.max_by_key(|profile| profile.version.as_ref().map_or(0, |own| own.as_str().len())).cloned()
    }
}

/// A hardware platform: its ports, in the order of the front panel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Platform {
    /// All ports that carry traffic; the management port is not one of them.
    pub ports: Vec<InterfaceName>,
    /// Those of them that are meant for links towards the spines.
    pub uplinks: Vec<InterfaceName>,
    /// The speeds of its ports, where the pack says them.
    pub speeds: BTreeMap<InterfaceName, Bandwidth>,
    /// The largest IP MTUs of its ports, where the pack says them.
    pub mtus: BTreeMap<InterfaceName, Mtu>,
}
