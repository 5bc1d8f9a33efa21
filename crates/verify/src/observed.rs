//! What was read from one device, and why parts of it could not be.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use weft_device::state::DeviceState;
use weft_model::OsVersion;

/// A part of what can be read from a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The version of the operating system, where the pack can read it.
    Version,
    /// The running configuration.
    Running,
    /// The interfaces.
    Interfaces,
    /// The BGP neighbors.
    Neighbors,
    /// The OSPF neighbors, where the device runs OSPF.
    OspfNeighbors,
    /// The routes of the routing daemon.
    Rib,
    /// The routes that forward packets.
    Fib,
    /// The prefixes announced to each external neighbor.
    Advertised,
}

impl Part {
    /// All parts, in the order in which they are read: what a change moves last is read last.
    pub const ALL: [Self; 8] = [
        Self::Version,
        Self::Running,
        Self::Interfaces,
        Self::Neighbors,
        Self::OspfNeighbors,
        Self::Rib,
        Self::Fib,
        Self::Advertised,
    ];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Version => "version",
            Self::Running => "running configuration",
            Self::Interfaces => "interfaces",
            Self::Neighbors => "neighbors",
            Self::OspfNeighbors => "OSPF neighbors",
            Self::Rib => "RIB",
            Self::Fib => "FIB",
            Self::Advertised => "announced prefixes",
        })
    }
}

/// The parts that are to be read.
pub type Parts = BTreeSet<Part>;

/// What was read from one device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Observed {
    /// Why nothing could be read, if that is so: it was not reached, or nobody could log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<String>,
    /// The version of the operating system; `None` where it was not read, or the pack cannot.
    pub version: Option<OsVersion>,
    /// The running configuration by file, a secret's value replaced by its placeholder; `None` where it was not read.
    pub running: Option<BTreeMap<String, String>>,
    /// The state; a part that was not read is `None`.
    pub state: DeviceState,
    /// Why a part that was asked for is missing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub problems: BTreeMap<Part, String>,
}

impl Observed {
    /// Returns what is known of a device that could not be reached: the reason.
    pub fn unreachable(reason: impl Into<String>) -> Self {
        Self { unreachable: Some(reason.into()), ..Self::default() }
    }

    /// Returns why a part is missing, in words for people.
    pub fn reason(&self, part: Part) -> String {
        match (&self.unreachable, self.problems.get(&part)) {
            (Some(reason), _) => reason.clone(),
            (None, Some(reason)) => format!("{part} not read: {reason}"),
            (None, None) => format!("{part} not read"),
        }
    }

    /// Takes from a later reading the parts that it asked for; what it could not read again is gone, not kept.
    pub fn update(&mut self, later: Self, parts: &Parts) {
        self.unreachable = later.unreachable;
        for part in parts {
            match part {
                Part::Version => self.version.clone_from(&later.version),
                Part::Running => self.running.clone_from(&later.running),
                Part::Interfaces => self.state.interfaces.clone_from(&later.state.interfaces),
                Part::Neighbors => self.state.neighbors.clone_from(&later.state.neighbors),
                Part::OspfNeighbors => self.state.ospf_neighbors.clone_from(&later.state.ospf_neighbors),
                Part::Rib => self.state.rib.clone_from(&later.state.rib),
                Part::Fib => self.state.fib.clone_from(&later.state.fib),
                Part::Advertised => self.state.advertised.clone_from(&later.state.advertised),
            }
            match later.problems.get(part) {
                Some(problem) => self.problems.insert(*part, problem.clone()),
                None => self.problems.remove(part),
            };
        }
    }
}
