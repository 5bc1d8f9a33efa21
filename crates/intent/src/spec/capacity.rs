//! `Capacity`: how much traffic there is, and how full links may be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::Bandwidth;

use super::{FlowEnd, Survive};

/// A demand matrix, and a promise about the load of every link that has a capacity. It compiles to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapacitySpec {
    /// The traffic.
    #[schemars(length(min = 1))]
    pub demands: Vec<Demand>,
    /// How full a link may be, in percent of its capacity, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub maximum_utilisation_percent: u8,
    /// What may fail without breaking the promise.
    #[serde(default)]
    pub survive: Survive,
}

/// Traffic from each place of `from` to each place of `to`, spread evenly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// Where it starts: `segment/NAME`, `node/NAME` or `peering/NAME`.
    #[schemars(with = "super::text::FlowEndText")]
    pub from: FlowEnd,
    /// Where it goes: `segment/NAME`, `node/NAME`, or an address.
    #[schemars(with = "super::text::FlowEndText")]
    pub to: FlowEnd,
    /// How much in all, such as `10G`.
    #[schemars(with = "super::text::BandwidthText")]
    pub bandwidth: Bandwidth,
}
