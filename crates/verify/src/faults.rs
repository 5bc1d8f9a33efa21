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
    pub(crate) fn new(intended: &Intended<'_>, observed: &BTreeMap<NodeName, Observed>, drift: &[DeviceDrift]) -> Self {
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

    /// Returns words for the links and sessions that the network has lost; with `external`, those to external neighbors
    /// too. What is lost with a link is said of the link only.
    pub(crate) fn lost(&self, intended: &Intended<'_>, external: bool) -> Vec<String> {
        let mut lost = BTreeSet::new();
        for port in &self.ports {
            let config = intended.configs.get(&port.node).and_then(|config| config.interfaces.get(&port.interface));
            match config.map(|interface| &interface.kind) {
                Some(InterfaceKind::Link { .. }) => {
                    lost.extend(intended.network.link_at(port).map(|link| format!("link {link}")));
                }
                Some(InterfaceKind::External) if external => {
                    lost.insert(format!("port {port}"));
                }
                Some(InterfaceKind::External | InterfaceKind::Host | InterfaceKind::Loopback) | None => {}
            }
        }
        for (device, sessions) in &self.sessions {
            for (interface, words) in sessions {
                let port = TerminationPoint { node: device.clone(), interface: interface.clone() };
                let link = intended.network.link_at(&port);
                let far = link.and_then(|link| link.far_end(device));
                let with_link = self.ports.contains(&port) || far.is_some_and(|far| self.ports.contains(far));
                if !with_link && (external || link.is_some()) {
                    lost.insert(format!("{device} {words}"));
                }
            }
        }
        lost.into_iter().collect()
    }
}
