//! How far a plan reaches, as plans and reports hold it: its blast radius.

use std::{collections::BTreeSet, fmt};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{IntentRef, NodeName};

/// What a plan touches: what it changes, and what the prediction says of that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Radius {
    /// The devices that change.
    #[schemars(with = "Vec<String>")]
    pub devices: BTreeSet<NodeName>,
    /// The sites where they stand.
    pub sites: BTreeSet<String>,
    /// The routing sessions that come, go, or are configured otherwise at one of their ends.
    pub sessions: BTreeSet<TouchedSession>,
    /// The prefixes to which some device has other routes; none where the routes of before are not known.
    #[schemars(with = "Option<Vec<String>>")]
    pub prefixes: Option<BTreeSet<IpNet>>,
    /// The intents behind the lines that come and go.
    #[schemars(with = "Vec<String>")]
    pub intents: BTreeSet<IntentRef>,
    /// The approvals that it needs before it is carried out, if it needs any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<ApprovalsNeeded>,
}

/// How many people must approve a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalsNeeded {
    /// How many, beside those who made it.
    pub required: u16,
    /// Why.
    pub because: Vec<String>,
}

/// A routing session that a plan touches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TouchedSession {
    /// What runs over it.
    pub protocol: SessionProtocol,
    /// Its ends, `NODE:INTERFACE`.
    pub ends: [String; 2],
}

/// A protocol that has sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionProtocol {
    /// BGP.
    Bgp,
    /// OSPF, of either version.
    Ospf,
}

impl fmt::Display for SessionProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bgp => "BGP",
            Self::Ospf => "OSPF",
        })
    }
}

impl Radius {
    /// Counts the sessions by protocol, in words, such as `44 BGP, 2 OSPF`; `none` where there are none.
    pub fn session_counts(&self) -> String {
        let count = |protocol| self.sessions.iter().filter(|session| session.protocol == protocol).count();
        let counts = [SessionProtocol::Bgp, SessionProtocol::Ospf].map(|protocol| (count(protocol), protocol));
        let words: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, protocol)| format!("{count} {protocol}"))
            .collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }
}
