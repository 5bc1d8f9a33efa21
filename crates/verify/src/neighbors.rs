//! Compares the predicted with the observed neighbors, one by one: BGP sessions and OSPF adjacencies.

use std::{collections::BTreeMap, net::Ipv4Addr};

use serde::{Deserialize, Serialize};
use weft_device::{
    config::{AfiSafi, NeighborTarget},
    state::{DeviceState, NeighborState, OspfNeighborState, OspfState, SessionState},
};
use weft_model::{InterfaceName, NodeName};

use crate::{Cause, Intended, Observed, faults::Faults};

/// How far the observed sessions are the predicted ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionComparison {
    /// Sessions and adjacencies that were compared, each from both of its ends.
    pub compared: usize,
    /// Those that differ, by device.
    pub mismatches: Vec<SessionMismatch>,
}

/// A session that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionMismatch {
    /// The device.
    pub device: NodeName,
    /// The neighbor as the device names it, such as `BGP 10.1.0.17` or `OSPFv2 swp15`.
    pub neighbor: String,
    /// The predicted state.
    pub expected: String,
    /// The observed state.
    pub found: String,
    /// What most likely causes it.
    pub cause: Cause,
}

/// Compares the neighbors of the devices that were observed with those that are predicted. What matters is whether a session
/// is established, and with which AS; whether an adjacency is full, and with which router. It does not look for causes.
pub fn compare_sessions(
    predicted: &BTreeMap<NodeName, DeviceState>,
    observed: &BTreeMap<NodeName, Observed>,
) -> SessionComparison {
    compare(predicted, observed, |_, _| Cause::unknown())
}

/// Compares in the same way and looks for causes.
pub(crate) fn assess(
    intended: &Intended<'_>,
    observed: &BTreeMap<NodeName, Observed>,
    faults: &Faults,
) -> SessionComparison {
    compare(&intended.predicted.states, observed, |device, neighbor| {
        let bgp = intended.configs.get(device).and_then(|config| config.bgp.as_ref());
        let interface = match neighbor {
            Side::Bgp(target) => bgp.and_then(|bgp| bgp.neighbors.get(target)).map(|neighbor| &neighbor.interface),
            Side::Ospf(interface) => Some(interface),
        };
        interface.and_then(|interface| faults.of_link(intended, device, interface)).unwrap_or_else(Cause::unknown)
    })
}

/// What names a neighbor on a device.
enum Side<'a> {
    Bgp(&'a NeighborTarget),
    Ospf(&'a InterfaceName),
}

fn compare(
    predicted: &BTreeMap<NodeName, DeviceState>,
    observed: &BTreeMap<NodeName, Observed>,
    cause: impl Fn(&NodeName, Side<'_>) -> Cause,
) -> SessionComparison {
    let mut comparison = SessionComparison::default();
    for (device, seen) in observed {
        let Some(predicted) = predicted.get(device) else { continue };
        let mut add = |neighbor: String, [expected, found]: [String; 2], side: Side<'_>| {
            comparison.compared += 1;
            if expected != found {
                let (device, cause) = (device.clone(), cause(device, side));
                comparison.mismatches.push(SessionMismatch { device, neighbor, expected, found, cause });
            }
        };
        if let (Some(expected), Some(found)) = (&predicted.neighbors, &seen.state.neighbors) {
            let targets = expected.keys().chain(found.keys().filter(|target| !expected.contains_key(*target)));
            for target in targets {
                let words = [bgp(expected.get(target)), bgp(found.get(target))];
                add(format!("BGP {target}"), words, Side::Bgp(target));
            }
        }
        if let (Some(expected), Some(found)) = (&predicted.ospf_neighbors, &seen.state.ospf_neighbors) {
            let of = |neighbors: &BTreeMap<InterfaceName, BTreeMap<AfiSafi, OspfNeighborState>>, interface, family| {
                ospf(neighbors.get(interface).and_then(|families| families.get(family)))
            };
            for (interface, families) in expected {
                for family in families.keys() {
                    let version = match family {
                        AfiSafi::Ipv4Unicast => "OSPFv2",
                        AfiSafi::Ipv6Unicast => "OSPFv3",
                    };
                    let words = [of(expected, interface, family), of(found, interface, family)];
                    add(format!("{version} {interface}"), words, Side::Ospf(interface));
                }
            }
        }
    }
    comparison
}

/// Returns words for a session; all that is not established is one, since daemons go through the other states at their own pace.
fn bgp(state: Option<&NeighborState>) -> String {
    match state {
        None => "absent".to_owned(),
        Some(NeighborState { session_state: SessionState::Established, peer_as: Some(peer_as), .. }) => {
            format!("established with AS {peer_as}")
        }
        Some(NeighborState { session_state: SessionState::Established, .. }) => "established".to_owned(),
        Some(_) => "not established".to_owned(),
    }
}

/// Returns words for an adjacency.
fn ospf(state: Option<&OspfNeighborState>) -> String {
    let full = |router_id: &Ipv4Addr| format!("full with {router_id}");
    match state {
        Some(OspfNeighborState { router_id, state: OspfState::Full }) => full(router_id),
        None | Some(OspfNeighborState { state: OspfState::Down | OspfState::TwoWay | OspfState::Exchange, .. }) => {
            "not full".to_owned()
        }
    }
}
