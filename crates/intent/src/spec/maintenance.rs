//! `Maintenance`: what traffic is to leave before it is touched.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{Endpoint, NodeName};

/// Nodes and links that are drained: traffic goes another way where there is one, and sessions stay up. Routes over them
/// carry the community GRACEFUL_SHUTDOWN (RFC 8326) and OSPF announces the largest metric (RFC 6987). Removing the intent
/// brings the traffic back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceSpec {
    /// What is drained.
    pub drain: Drain,
    /// When; without it, as soon as the intent is carried out.
    #[serde(default)]
    pub window: Option<Window>,
    /// Why, such as a ticket's number.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What is drained: at least one node or link.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// Nodes.
    #[schemars(with = "Vec<super::text::NameText>")]
    pub nodes: Vec<NodeName>,
    /// Links, each by either of its ends.
    #[schemars(with = "Vec<super::text::EndpointText>")]
    pub links: Vec<Endpoint>,
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Its begin, such as `2026-12-01T02:00:00Z` (RFC 3339).
    #[schemars(with = "super::text::TimestampText")]
    pub from: Timestamp,
    /// Its end, after the begin.
    #[schemars(with = "super::text::TimestampText")]
    pub until: Timestamp,
}

impl Window {
    /// Tells whether a time is in the window.
    pub fn contains(&self, time: Timestamp) -> bool {
        (self.from..self.until).contains(&time)
    }
}
