//! Underlay and Peering intents: every intended session is established, with the right neighbor and watched by BFD.

use std::collections::BTreeMap;

use weft_device::{
    config::{DeviceConfig, InterfaceKind, Neighbor, NeighborTarget, PeerType},
    state::{NeighborState, SessionState},
};
use weft_model::{IntentRef, NodeName};

use crate::{
    Compliance, Evidence, Intended, Observed, Part,
    faults::Faults,
    ledger::{Ledger, Topic},
    owners::Owners,
};

/// Returns the name of the node behind a neighbor: a device, or the peering.
pub(crate) fn far_node(config: &DeviceConfig, neighbor: &Neighbor, owners: &Owners) -> String {
    match config.interfaces.get(&neighbor.interface).map(|interface| &interface.kind) {
        Some(InterfaceKind::Link { peer }) => peer.node.to_string(),
        Some(InterfaceKind::External) => {
            let peering = owners.session(&config.device, &neighbor.interface);
            peering.map_or_else(|| neighbor.description.clone(), |peering| peering.name.to_string())
        }
        Some(InterfaceKind::Host | InterfaceKind::Loopback) | None => neighbor.description.clone(),
    }
}

/// Returns words for a session, such as `session swp15 to b1-spine-01`.
pub(crate) fn words(config: &DeviceConfig, target: &NeighborTarget, neighbor: &Neighbor, owners: &Owners) -> String {
    let far = far_node(config, neighbor, owners);
    match target {
        NeighborTarget::Interface(interface) => format!("session {interface} to {far}"),
        NeighborTarget::Address(address) => format!("session {} to {far} ({address})", neighbor.interface),
    }
}

/// Keeps what was observed of every session, and tells `faults` of those that are down.
pub(crate) fn assess(
    intended: &Intended<'_>,
    observed: &BTreeMap<NodeName, Observed>,
    owners: &Owners,
    faults: &mut Faults,
    ledger: &mut Ledger,
) {
    // Of each peering, how many sessions are established: one that is left carries the traffic of all.
    let mut established: BTreeMap<&IntentRef, usize> = BTreeMap::new();
    for pass in [Pass::Count, Pass::Judge] {
        for (device, config) in intended.configs {
            let seen = observed.get(device);
            let states = seen.and_then(|seen| seen.state.neighbors.as_ref());
            for (target, neighbor) in config.bgp.iter().flat_map(|bgp| &bgp.neighbors) {
                let Some(intent) = owners.session(device, &neighbor.interface) else { continue };
                let state = states.and_then(|states| states.get(target));
                match pass {
                    Pass::Count => {
                        if state.is_some_and(|state| state.session_state == SessionState::Established) {
                            *established.entry(intent).or_default() += 1;
                        }
                    }
                    Pass::Judge if states.is_none() => ledger.unread(intent, device, seen, Part::Neighbors),
                    Pass::Judge => {
                        let subject = words(config, target, neighbor, owners);
                        let carried_by_others = match neighbor.peer_type {
                            PeerType::Internal => true,
                            PeerType::External => established.contains_key(intent),
                        };
                        let down = if carried_by_others { Compliance::Degraded } else { Compliance::Violated };
                        match judge(neighbor, state, down) {
                            None => ledger.holds(intent, Topic::Session, 1),
                            Some(Finding { compliance, expected, observed, down }) => {
                                if down {
                                    faults
                                        .sessions
                                        .entry(device.clone())
                                        .or_default()
                                        .insert(neighbor.interface.clone(), format!("{subject} is {observed}"));
                                }
                                let device = Some(device.clone());
                                let evidence = Evidence { compliance, device, subject, expected, observed };
                                ledger.fails(intent, Topic::Session, evidence);
                            }
                        }
                    }
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Pass {
    Count,
    Judge,
}

struct Finding {
    compliance: Compliance,
    expected: String,
    observed: String,
    down: bool,
}

/// Compares a session with what it should be; `down` is what a session that is not established amounts to.
fn judge(neighbor: &Neighbor, state: Option<&NeighborState>, down: Compliance) -> Option<Finding> {
    let finding = |compliance, expected: &str, observed: String, down| {
        Some(Finding { compliance, expected: expected.to_owned(), observed, down })
    };
    let Some(state) = state else {
        return finding(down, "established", "not configured".to_owned(), true);
    };
    if let Some(peer_as) = state.peer_as
        && peer_as != neighbor.peer_as
    {
        let is_down = state.session_state != SessionState::Established;
        let (expected, found) = (format!("AS {}", neighbor.peer_as), format!("AS {peer_as}"));
        return finding(Compliance::Violated, &expected, found, is_down);
    }
    if state.session_state != SessionState::Established {
        return finding(down, "established", state.session_state.to_string(), true);
    }
    match (neighbor.bfd, state.bfd_up) {
        (Some(_), Some(false)) => finding(Compliance::Degraded, "BFD up", "BFD down".to_owned(), false),
        (Some(_), None) => finding(Compliance::Degraded, "BFD up", "not watched by BFD".to_owned(), false),
        (Some(_), Some(true)) | (None, _) => None,
    }
}
