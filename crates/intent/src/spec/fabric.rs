//! `Fabric`: a two-tier Clos network.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{Mtu, NodeName, PackName, PlatformName, SiteName};

/// A two-tier Clos fabric: every leaf and every border has a link to every spine.
///
/// Nodes are named `FABRIC-spine-01`, `FABRIC-leaf-01`, `FABRIC-border-01` and so on. On a leaf or border, spine `i`
/// (from 0) is at the platform's `i`-th uplink. On a spine, leaf `k` is at the `k`-th port from the first, border `k` at
/// the `k`-th port from the last: adding either moves no cable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FabricSpec {
    /// The site of all its nodes.
    #[schemars(with = "Option<super::text::NameText>")]
    #[serde(default)]
    pub site: Option<SiteName>,
    /// The IP MTU of its links, in octets. Default 9100.
    #[schemars(with = "u16", range(min = 1280, max = 9216))]
    #[serde(default = "FabricSpec::default_mtu")]
    pub mtu: Mtu,
    /// The spines.
    pub spine: Tier,
    /// The leaves.
    pub leaf: Tier,
    /// The border routers, if there are any.
    #[serde(default)]
    pub border: Option<Tier>,
    /// Nodes that differ from their tier.
    #[serde(default)]
    pub overrides: Vec<NodeOverride>,
}

impl FabricSpec {
    fn default_mtu() -> Mtu {
        // 9100 leaves room for encapsulation within the 9216 octets of common silicon.
        Mtu::try_from(9100).unwrap_or(Mtu::ETHERNET)
    }
}

/// The nodes of one tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// How many nodes, 1 to 512.
    #[schemars(range(min = 1, max = 512))]
    pub count: u16,
    /// The pack of their operating system, such as `frr`.
    #[schemars(with = "super::text::NameText")]
    pub pack: PackName,
    /// Their hardware platform, as the pack declares it.
    #[schemars(with = "super::text::NameText")]
    pub platform: PlatformName,
}

/// What is different on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeOverride {
    /// The node.
    #[schemars(with = "super::text::NameText")]
    pub node: NodeName,
    /// Its pack.
    #[schemars(with = "Option<super::text::NameText>")]
    #[serde(default)]
    pub pack: Option<PackName>,
    /// Its platform.
    #[schemars(with = "Option<super::text::NameText>")]
    #[serde(default)]
    pub platform: Option<PlatformName>,
}
