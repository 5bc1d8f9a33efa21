//! What is visibly broken, as the likely cause of what else differs.

use std::collections::{BTreeMap, BTreeSet};

use weft_device::config::InterfaceKind;
use weft_model::{InterfaceName, NodeName, TerminationPoint};

use crate::{DeviceDrift, Intended, Observed, view};

/// What is visibly broken.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Interfaces that carry nothing.
    pub(crate) ports: BTreeSet<TerminationPoint>,
    /// Sessions that are not established, by the device and the interface towards the neighbor, with words such as
    /// `session swp15 to b1-spine-01 is idle`.
    pub(crate) sessions: BTreeMap<NodeName, BTreeMap<InterfaceName, String>>,
    /// Devices whose configuration is not the intended one.
    pub(crate) drifted: BTreeSet<NodeName>,
    /// Devices of which nothing is known.
    pub(crate) unreachable: BTreeSet<NodeName>,
}

impl Faults {
    /// Looks for interfaces that are down, devices that did not answer and devices that drifted.
    pub(crate) fn new(
        intended: &Intended<'_>,
        observed: &BTreeMap<NodeName, Observed>,
        drift: &[DeviceDrift],
    ) -> Self {
        let mut faults = Self {
            drifted: drift.iter().map(|drift| drift.device.clone()).collect(),
            unreachable: observed
                .iter()
                .filter(|(_, seen)| seen.unreachable.is_some())
                .map(|(device, _)| device.clone())
                .collect(),
            ..Self::default()
        };
        for (device, config) in intended.configs {
            for (interface, _) in config.interfaces.iter().filter(|(_, i)| i.kind != InterfaceKind::Loopback) {
                if matches!(view::interface(observed.get(device), interface), view::Seen::Down(_)) {
                    faults.ports.insert(TerminationPoint { node: device.clone(), interface: interface.clone() });
                }
            }
        }
        faults
    }

    /// Returns words for what is broken at this interface of a device, if something is.
    pub(crate) fn at(&self, device: &NodeName, interface: &InterfaceName) -> Option<String> {
        let port = TerminationPoint { node: device.clone(), interface: interface.clone() };
        if self.ports.contains(&port) {
            return Some(format!("link down: {port}"));
        }
        let session = self.sessions.get(device)?.get(interface)?;
        Some(format!("session down: {device} {session}"))
    }

    /// Returns words for what is broken at this device as a whole, if something is.
    pub(crate) fn of(&self, device: &NodeName) -> Option<String> {
        if self.unreachable.contains(device) {
            Some(format!("{device} does not answer"))
        } else if self.drifted.contains(device) {
            Some(format!("configuration drift on {device}"))
        } else {
            None
        }
    }

    /// Returns words for the fault that most likely explains a difference anywhere else, if there is one.
    pub(crate) fn elsewhere(&self) -> Option<String> {
        if let Some(port) = self.ports.first() {
            return Some(format!("link down: {port}"));
        }
        let session = self.sessions.iter().find_map(|(device, sessions)| Some((device, sessions.values().next()?)));
        if let Some((device, session)) = session {
            return Some(format!("session down: {device} {session}"));
        }
        self.drifted.first().or_else(|| self.unreachable.first()).and_then(|device| self.of(device))
    }

    /// Returns words for the links and sessions that the network has lost, at most `most` of them, and how many there are.
    pub(crate) fn lost(&self, intended: &Intended<'_>, most: usize) -> (Vec<String>, usize) {
        let mut links = BTreeSet::new();
        for port in &self.ports {
            if let Some(link) = intended.network.link_at(port) {
                links.insert(format!("link {link}"));
            }
        }
        let sessions = self.sessions.iter().flat_map(|(device, sessions)| {
            sessions
                .iter()
                .filter(|(interface, _)| {
                    let port = TerminationPoint { node: device.clone(), interface: (*interface).clone() };
                    let far = intended.network.link_at(&port).and_then(|link| link.far_end(device));
                    !self.ports.contains(&port) && !far.is_some_and(|far| self.ports.contains(far))
                })
                .map(move |(_, words)| format!("{device} {words}"))
        });
        let all: Vec<String> = links.into_iter().chain(sessions).collect();
        let number = all.len();
        (all.into_iter().take(most).collect(), number)
    }
}
