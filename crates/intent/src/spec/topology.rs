//! `Topology`: explicit nodes and links.

use std::{collections::BTreeMap, net::IpAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{Bandwidth, Endpoint, Mtu, Name, NodeName, OsVersion, PackName, PlatformName, Role, SiteName};

/// Nodes and links written out one by one: long-distance lines, brownfield, odd boxes. Links may end on the nodes of a
/// fabric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopologySpec {
    /// The nodes.
    #[serde(default)]
    pub nodes: Vec<TopologyNode>,
    /// The links.
    #[serde(default)]
    pub links: Vec<TopologyLink>,
    /// Whether the network may be in several parts that no link joins. Default false.
    #[serde(default)]
    pub allow_partition: bool,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopologyNode {
    /// Its name, unique in the network.
    #[schemars(with = "super::text::NameText")]
    pub name: NodeName,
    /// What it is for, such as `dci`.
    #[schemars(with = "super::text::NameText")]
    pub role: Role,
    /// Where it stands.
    #[schemars(with = "Option<super::text::NameText>")]
    #[serde(default)]
    pub site: Option<SiteName>,
    /// The pack of its operating system.
    #[schemars(with = "super::text::NameText")]
    pub pack: PackName,
    /// The version of that system, such as `"8.4"`, in quotes: one that the pack knows. Without it, the pack's own default.
    #[schemars(with = "Option<super::text::NameText>")]
    #[serde(default)]
    pub os_version: Option<OsVersion>,
    /// Its hardware platform, as the pack declares it.
    #[schemars(with = "super::text::NameText")]
    pub platform: PlatformName,
    /// Its management address, where no pool is to give one.
    #[schemars(with = "Option<String>", extend("format" = "ip"))]
    #[serde(default)]
    pub management: Option<IpAddr>,
    /// Labels for selectors.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A point-to-point link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopologyLink {
    /// One end, `NODE:INTERFACE`.
    #[schemars(with = "String", extend("format" = "endpoint"))]
    pub a: Endpoint,
    /// The other end, `NODE:INTERFACE`.
    #[schemars(with = "String", extend("format" = "endpoint"))]
    pub b: Endpoint,
    /// The IP MTU, in octets, at most what its ports carry. Default 1500.
    #[schemars(with = "u16", range(min = 1280, max = 9216))]
    #[serde(default = "TopologyLink::default_mtu")]
    pub mtu: Mtu,
    /// What it carries in each direction, such as `100G`, at most the speed of its ports. Default that speed, where the
    /// packs of both ends, or of one, say it.
    #[schemars(with = "Option<super::text::BandwidthText>")]
    #[serde(default)]
    pub capacity: Option<Bandwidth>,
    /// Its metric in OSPF, 1 to 65535, in both directions. Default 10.
    #[schemars(range(min = 1))]
    #[serde(default)]
    pub metric: Option<u16>,
    /// What it shares with other links and may fail with, such as a duct: names of risk groups, each on two
    /// links at least. A promise survives their failure with `survive: { groups: 1 }`.
    #[schemars(with = "Vec<super::text::NameText>")]
    #[serde(default)]
    pub shared_risks: Vec<Name>,
}

impl TopologyLink {
    fn default_mtu() -> Mtu {
        Mtu::ETHERNET
    }
}
