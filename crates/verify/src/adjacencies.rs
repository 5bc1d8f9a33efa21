//! Underlay intents that route by OSPF: every intended adjacency is full, with the right neighbor.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use weft_device::{
    config::{AfiSafi, DeviceConfig, InterfaceKind},
    state::{OspfNeighborState, OspfState},
};
use weft_model::{InterfaceName, NodeName};

use crate::{
    Compliance, Evidence, Intended, Observed, Part,
    faults::Faults,
    ledger::{Ledger, Topic},
    owners::Owners,
};

/// An adjacency that is to be.
pub(crate) struct Adjacency<'a> {
    pub(crate) interface: &'a InterfaceName,
    pub(crate) family: AfiSafi,
    pub(crate) peer: &'a NodeName,
    /// The router id of the neighbor, where its configuration is known.
    router_id: Option<Ipv4Addr>,
}

/// What the neighbors of a device are observed to be.
type Neighbors = BTreeMap<InterfaceName, BTreeMap<AfiSafi, OspfNeighborState>>;

/// Returns the adjacencies of a device, of every family on every interface that has a neighbor.
pub(crate) fn of<'a>(
    config: &'a DeviceConfig,
    configs: &'a BTreeMap<NodeName, DeviceConfig>,
) -> impl Iterator<Item = Adjacency<'a>> {
    config.ospf.iter().flat_map(move |ospf| {
        let active = ospf.interfaces.iter().filter(|(_, interface)| !interface.passive);
        active.flat_map(move |(interface, _)| {
            let peer = match config.interfaces.get(interface).map(|interface| &interface.kind) {
                Some(InterfaceKind::Link { peer }) => Some(&peer.node),
                Some(InterfaceKind::Loopback | InterfaceKind::Host | InterfaceKind::External) | None => None,
            };
            let router_id = |peer| Some(configs.get(peer)?.ospf.as_ref()?.router_id);
            let of = move |family: &AfiSafi| {
                peer.map(|peer| Adjacency { interface, family: *family, peer, router_id: router_id(peer) })
            };
            ospf.families.iter().filter_map(of)
        })
    })
}

impl Adjacency<'_> {
    /// Returns words for the adjacency, such as `OSPFv2 adjacency swp15 to b1-spine-01`.
    pub(crate) fn words(&self) -> String {
        let version = match self.family {
            AfiSafi::Ipv4Unicast => "OSPFv2",
            AfiSafi::Ipv6Unicast => "OSPFv3",
        };
        format!("{version} adjacency {} to {}", self.interface, self.peer)
    }

    /// Returns what was expected and what was found in its place, if that is not the same.
    pub(crate) fn differs(&self, neighbors: &Neighbors) -> Option<(Compliance, String, String)> {
        let found = neighbors.get(self.interface).and_then(|of| of.get(&self.family));
        let Some(OspfNeighborState { router_id, state }) = found else {
            return Some((Compliance::Degraded, "full".to_owned(), "absent".to_owned()));
        };
        match (state, self.router_id) {
            (_, Some(expected)) if expected != *router_id => {
                Some((Compliance::Violated, format!("router id {expected}"), format!("router id {router_id}")))
            }
            (OspfState::Full, _) => None,
            (OspfState::Down | OspfState::TwoWay | OspfState::Exchange, _) => {
                Some((Compliance::Degraded, "full".to_owned(), state.to_string()))
            }
        }
    }
}

/// Keeps what was observed of every adjacency, and tells `faults` of those that are not full.
pub(crate) fn assess(
    intended: &Intended<'_>,
    observed: &BTreeMap<NodeName, Observed>,
    owners: &Owners,
    faults: &mut Faults,
    ledger: &mut Ledger,
) {
    for (device, config) in intended.configs {
        let seen = observed.get(device);
        let neighbors = seen.and_then(|seen| seen.state.ospf_neighbors.as_ref());
        let mut unread = BTreeSet::new();
        for adjacency in of(config, intended.configs) {
            let Some(intent) = owners.session(device, adjacency.interface) else { continue };
            let Some(neighbors) = neighbors else {
                unread.insert(intent);
                continue;
            };
            let Some((compliance, expected, observed)) = adjacency.differs(neighbors) else {
                ledger.holds(intent, Topic::Adjacency, 1);
                continue;
            };
            let subject = adjacency.words();
            if compliance == Compliance::Degraded {
                let words = format!("{subject} is {observed}");
                faults.sessions.entry(device.clone()).or_default().insert(adjacency.interface.clone(), words);
            }
            let evidence = Evidence { compliance, device: Some(device.clone()), subject, expected, observed };
            ledger.fails(intent, Topic::Adjacency, evidence);
        }
        for intent in unread {
            ledger.unread(intent, device, seen, Part::OspfNeighbors);
        }
    }
}
