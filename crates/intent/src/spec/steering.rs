//! `Steering`: which way traffic prefers.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{Community, Endpoint, IntentRef, NodeName};

use super::Selector;

/// An order of preference among ways. Traffic takes the first way that is there, and the next one when it fails; a way that
/// is not in the list comes after all that are.
///
/// How it is done follows from the design: outbound, an exit is preferred by local-preference on every router of the
/// network (RFC 4271 9.1.1), carried between them by a community, and a link or node within an OSPF area by its metric;
/// inbound, sessions with one neighbor AS are told apart by MED (RFC 4451), those with several by prepending the AS path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SteeringSpec {
    /// Whether it is about traffic that leaves by these ways, or that comes in by them. Default `outbound`.
    #[serde(default)]
    pub direction: Direction,
    /// Outbound: destinations. Inbound: our own prefixes. Exactly these; without any, all that the ways offer.
    #[schemars(with = "Vec<super::text::PrefixText>")]
    #[serde(default)]
    pub prefixes: Vec<IpNet>,
    /// Outbound: only routes with this community, as the neighbor sent it, such as `64496:100`.
    #[schemars(with = "Option<super::text::CommunityText>")]
    #[serde(default)]
    pub community: Option<Community>,
    /// Outbound: only the traffic of these nodes. Without it, that of all.
    #[serde(default)]
    pub from: Selector,
    /// The ways, the preferred one first.
    #[schemars(length(min = 1, max = 16))]
    pub prefer: Vec<Way>,
    /// By what the order is expressed. Default `auto`: whichever the design uses.
    #[serde(default)]
    pub by: SteeringMethod,
}

/// Which way traffic goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From us to others.
    #[default]
    Outbound,
    /// From others to us.
    Inbound,
}

/// One of the ways: exactly one of `peering`, `link` and `node`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// The sessions of a peering, `peering/NAME`.
    #[schemars(with = "Option<super::text::IntentRefText>")]
    #[serde(default)]
    pub peering: Option<IntentRef>,
    /// Only those of its sessions that are on these nodes.
    #[schemars(with = "Vec<super::text::NameText>")]
    #[serde(default)]
    pub at: Vec<NodeName>,
    /// A link within the network, by either of its ends.
    #[schemars(with = "Option<super::text::EndpointText>")]
    #[serde(default)]
    pub link: Option<Endpoint>,
    /// A node within the network.
    #[schemars(with = "Option<super::text::NameText>")]
    #[serde(default)]
    pub node: Option<NodeName>,
}

/// By what an order of preference is expressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SteeringMethod {
    /// Whichever the design uses.
    #[default]
    Auto,
    /// BGP local-preference.
    LocalPreference,
    /// Our AS several times in the path.
    Prepend,
    /// The multi-exit discriminator.
    Med,
    /// The metric of links in OSPF.
    Metric,
}
