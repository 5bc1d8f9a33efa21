//! The state of interfaces.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The state of one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceState {
    /// Whether it carries packets.
    pub oper_status: OperStatus,
    /// The IP MTU in octets; `None` where the device does not tell.
    pub mtu: Option<u32>,
    /// Its addresses with the length of their subnet, without link-local ones.
    pub addresses: BTreeSet<IpNet>,
}

/// Whether an interface carries packets (RFC 8343 `oper-status`, as far as Weft tells it apart).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperStatus {
    /// It does.
    Up,
    /// It does not, for whatever reason.
    Down,
}
