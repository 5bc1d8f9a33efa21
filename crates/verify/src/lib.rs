//! Observes devices and compares: compliance of each intent, drift.
//!
//! | function | does |
//! |---|---|
//! | [`observe`], [`read`] | reads devices over SSH: running configuration, interfaces, neighbors, routes, what they announce |
//! | [`probes`], [`run_probes`] | which echo requests the intents ask for, and what comes of them |
//! | [`assess`] | compares all of that with what is intended and predicted; pure |
//! | [`compare_routes`], [`compare_sessions`] | compare with what is predicted alone, entry by entry; pure |
//! | [`deviation`] | which known deviation of a daemon from its RFC explains a difference; pure |
//! | [`converge`] | does all three until the network is as intended or the time is over |
//! | [`sessions_settled`] | the gate between two waves of a rollout |
//!
//! # How an intent is judged
//! Every observation that an intent depends on is good, or [`Evidence`] of a [`Compliance`]; the worst evidence decides.
//!
//! | kind | violated | degraded |
//! |---|---|---|
//! | all | a line of the configuration that it causes is missing, or one stands in its section that nobody intends | |
//! | Fabric, Topology | a link has the wrong MTU, or is down with no other path between its ends | a link is down |
//! | Pools | an address is not on its interface | |
//! | Underlay | a loopback is missing where it was predicted; a neighbor has the wrong AS or router id | a session or its BFD is down, an adjacency is not full; fewer or other next hops than predicted |
//! | Segment | a host port is down, or without its gateway address; a subnet is missing, or is where it must not be | fewer or other next hops than predicted; a device that only passes packets on has lost its way to a subnet with its link |
//! | Peering | no session is up; something is announced or accepted beyond the lists, or not announced | one of several sessions is down |
//! | Reachability | a path over the observed FIBs does not arrive (or does, where isolation is promised), or is not one that `via`, `avoid` and `max_hops` allow; a probe says so | fewer paths than asked for; some probes lost; redundancy that `survive` counts on is lost |
//! | Capacity | the demands, spread over the observed FIBs, fill a link more than is allowed | some of a demand does not arrive |
//! | Baseline | see all | |
//!
//! A device that runs a version of its operating system whose behavior was not predicted is noted at the Fabric or Topology.
//!
//! What could not be read makes the intents that depend on it unknown, unless something else already violates them.

mod adjacencies;
mod assess;
mod capacity;
mod cause;
mod compliance;
mod converge;
mod deviation;
mod drift;
mod faults;
mod flows;
mod intended;
mod ledger;
mod links;
mod neighbors;
mod observe;
mod observed;
mod owners;
mod peering;
mod pools;
mod probes;
mod reachability;
mod routes;
mod segments;
mod sessions;
mod versions;
mod view;

pub use assess::{Assessment, assess};
pub use cause::{Cause, CauseGroup, CauseKind};
pub use compliance::{Compliance, Evidence, IntentResult};
pub use converge::{ConvergePolicy, Converged, Round, Unsettled, converge, sessions_down, sessions_settled};
pub use deviation::deviation;
pub use drift::{DeviceDrift, DriftKind, DriftLine, drift_lines};
pub use intended::{Intended, Normaliser};
pub use neighbors::{SessionComparison, SessionMismatch, compare_sessions};
pub use observe::{ObserveTarget, Reading, WhatToCollect, observe, read};
pub use observed::{Observed, Part, Parts};
pub use probes::{Coverage, Probe, ProbeOutcome, ProbePlan, ProbeResult, ProbeResults, probes, run_probes};
pub use routes::{MismatchKind, RouteComparison, RouteMismatch, Table, compare_routes};
