//! `Fabric`: a Clos network of two or three tiers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{Mtu, NodeName, OsVersion, PackName, PlatformName, SiteName};

/// A Clos fabric. Of two tiers: every leaf and every border has links to every spine. Of three, where there is a
/// `super_spine`: so within each of the `pods`, and every spine and every border has links to every super-spine.
///
/// Nodes are named `FABRIC-spine-01`, `FABRIC-leaf-01`, `FABRIC-border-01` and so on; in pods `FABRIC-p1-spine-01`, with the
/// label `pod: p1` besides the tier's; those above the pods `FABRIC-super-spine-01`. The role is `spine`, `leaf`, `border` or
/// `super-spine`.
///
/// With `n` links per pair, and counting from 0, link `j` from a node to node `i` of the tier above it is at the platform's
/// uplink `i * n + j`. On the upper node it is at port `k * n + j` for the node `k` below it: leaves and spines from the first
/// port, borders from the last, so that adding either moves no cable. A spine with super-spines above it keeps all its
/// platform's uplinks for them, and its leaves are at the others of its ports. On a super-spine `k` counts the spines pod
/// after pod: a pod behind the last moves no cable, a spine more in each pod does.
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
    /// How many pods there are, 1 to 64; only with a `super_spine`. Default 1.
    #[schemars(range(min = 1, max = 64))]
    #[serde(default)]
    pub pods: Option<u16>,
    /// How many links there are between two nodes that have any, 1 to 8. Default 1.
    #[schemars(range(min = 1, max = 8))]
    #[serde(default = "FabricSpec::default_links_per_pair")]
    pub links_per_pair: u8,
    /// The third tier, above the pods.
    #[serde(default)]
    pub super_spine: Option<Tier>,
    /// The spines, of each pod where there are pods.
    pub spine: Tier,
    /// The leaves, of each pod where there are pods.
    pub leaf: Tier,
    /// The border routers, if there are any; of the whole fabric.
    #[serde(default)]
    pub border: Option<Tier>,
    /// Nodes that differ from their tier.
    #[serde(default)]
    pub overrides: Vec<NodeOverride>,
}

impl FabricSpec {
    fn default_links_per_pair() -> u8 {
        1
    }

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
    /// The version of that system, such as `"8.4"`, in quotes: one that the pack knows. Without it, the pack's own default.
    #[schemars(with = "Option<super::text::NameText>")]
    #[serde(default)]
    pub os_version: Option<OsVersion>,
    /// Their hardware platform, as the pack declares it.
    #[schemars(with = "super::text::NameText")]
    pub platform: PlatformName,
    /// Labels of each of them, for selectors.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
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
    /// The version of its operating system, in quotes; that of the tier counts only where the pack is the same.
    #[schemars(with = "Option<super::text::NameText>")]
    #[serde(default)]
    pub os_version: Option<OsVersion>,
    /// Its platform.
    #[schemars(with = "Option<super::text::NameText>")]
    #[serde(default)]
    pub platform: Option<PlatformName>,
    /// Labels besides those of the tier; the same key replaces the tier's.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}
