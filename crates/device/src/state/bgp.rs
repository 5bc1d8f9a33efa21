//! The state of BGP sessions.

use std::fmt;

use serde::{Deserialize, Serialize};
use weft_model::Asn;

/// The state of the session with one neighbor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighborState {
    /// The AS of the neighbor; `None` while it is not known.
    pub peer_as: Option<Asn>,
    /// The state of the session.
    pub session_state: SessionState,
    /// Prefixes received and accepted; `None` where the device does not tell.
    pub prefixes_received: Option<u32>,
    /// Whether BFD sees the neighbor; `None` where BFD does not watch it.
    pub bfd_up: Option<bool>,
}

/// The states of RFC 4271 8.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// Refusing connections, or administratively down.
    Idle,
    /// Waiting for a connection to complete.
    Connect,
    /// Listening, trying again later.
    Active,
    /// OPEN sent.
    OpenSent,
    /// OPEN received.
    OpenConfirm,
    /// Exchanging routes.
    Established,
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::Connect => "connect",
            Self::Active => "active",
            Self::OpenSent => "open-sent",
            Self::OpenConfirm => "open-confirm",
            Self::Established => "established",
        })
    }
}
