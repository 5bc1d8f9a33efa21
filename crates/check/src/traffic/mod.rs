//! Which traffic goes other ways in one predicted network than in another.
//!
//! [`places`] names the places of a network in the words of its intents; [`moves`] follows the packets from every place to every
//! other one in two networks, and tells what differs, put together by classes of places. What it does not tell of is the same:
//! all equal-cost paths, device by device and interface by interface, and how packets end.
//!
//! # Cost
//! Each destination is looked at once for all sources: `O(d * (n + w))` with `d` destinations, `n` devices and `w` next hops of
//! all devices, in parallel. Where access lists are on the way, so many times as they tell packets apart.

mod compare;
mod packets;
mod places;
mod plane;
mod ways;

use std::collections::BTreeSet;

use weft_model::{NodeName, Source, TrafficWhat};

pub use compare::moves;
pub use places::{Place, PlaceClass, places};
pub use plane::Predicted;
pub(crate) use plane::{End, Plane, Step, cable_at, numbers};

/// What differs between two networks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moves {
    /// The pairs of a source and a destination that were compared, those that one network alone has included.
    pub compared: usize,
    /// Those of them that change in nothing.
    pub same: usize,
    /// What changes: those first that are not allowed, then the worst, then in the order of the classes.
    pub changes: Vec<Move>,
}

/// Pairs of places of two classes whose traffic changes in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Whether somebody allowed it.
    pub allowed: bool,
    /// How it changes.
    pub what: TrafficWhat,
    /// What the sources belong to.
    pub from: PlaceClass,
    /// What the destinations belong to.
    pub to: PlaceClass,
    /// The packets that are concerned, such as `tcp 443`; none where all are.
    pub packets: Option<String>,
    /// How packets ended; none where a place is new.
    pub before: Option<String>,
    /// How packets end; none where a place is gone.
    pub after: Option<String>,
    /// The rule that drops packets now and did not before, and its place.
    pub rule: Option<Source>,
    /// The pairs.
    pub pairs: usize,
    /// All pairs of these classes.
    pub of: usize,
    /// The devices where the packets start.
    pub sources: BTreeSet<NodeName>,
    /// The ways out of the devices where the packets start, least and most, before and after.
    pub width: [Option<(usize, usize)>; 2],
    /// The equal-cost paths, least and most, before and after.
    pub paths: [Option<(u64, u64)>; 2],
    /// The links that packets cross, least and most, before and after.
    pub hops: [Option<(usize, usize)>; 2],
    /// The devices that they passed, and do not pass any more.
    pub leaves: BTreeSet<NodeName>,
    /// The devices that they pass now, and did not before.
    pub joins: BTreeSet<NodeName>,
    /// One of the pairs, as its source and its destination.
    pub example: (Place, Place),
}
