//! What is visibly broken, as the likely cause of what else differs.

use std::collections::{BTreeMap, BTreeSet};

use weft_device::config::InterfaceKind;
use weft_model::{InterfaceName, NodeName, TerminationPoint};

use crate::{Cause, CauseKind, DeviceDrift, Intended, Observed, view};

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

    /// Returns what is broken at this interface of a device, if something is.
    pub(crate) fn at(&self, device: &NodeName, interface: &InterfaceName) -> Option<Cause> {
        let port = TerminationPoint { node: device.clone(), interface: interface.clone() };
        let session = || self.sessions.get(device)?.get(interface).map(|session| session_down(device, session));
        self.port(&port).or_else(session)
    }

    /// Returns that an interface is down, if it is.
    pub(crate) fn port(&self, port: &TerminationPoint) -> Option<Cause> {
        self.ports.contains(port).then(|| Cause::new(CauseKind::InterfaceDown, format!("link down: {port}")))
    }

    /// Returns what is broken at either end of a link, by the interface of one of them: a port, else a device.
    pub(crate) fn of_link(
        &self,
        intended: &Intended<'_>,
        device: &NodeName,
        interface: &InterfaceName,
    ) -> Option<Cause> {
        let port = TerminationPoint { node: device.clone(), interface: interface.clone() };
        let far = intended.network.link_at(&port).and_then(|link| link.far_end(device));
        let ends = || [Some(&port), far].into_iter().flatten();
        ends().find_map(|end| self.port(end)).or_else(|| ends().find_map(|end| self.of(&end.node)))
    }

    /// Returns what is broken at this device as a whole, if something is.
    pub(crate) fn of(&self, device: &NodeName) -> Option<Cause> {
        let drift = || Cause::new(CauseKind::Drift, format!("configuration drift on {device}"));
        self.silent(device).or_else(|| self.drifted.contains(device).then(drift))
    }

    /// Returns that a device does not answer, if it does not.
    pub(crate) fn silent(&self, device: &NodeName) -> Option<Cause> {
        let words = || format!("{device} does not answer");
        self.unreachable.contains(device).then(|| Cause::new(CauseKind::Unobserved, words()))
    }

    /// Returns the fault that most likely explains a difference anywhere else, if there is one.
    pub(crate) fn elsewhere(&self) -> Option<Cause> {
        let session = self.sessions.iter().find_map(|(device, sessions)| Some((device, sessions.values().next()?)));
        let device = || self.drifted.first().or_else(|| self.unreachable.first()).and_then(|device| self.of(device));
        let port = self.ports.first().and_then(|port| self.port(port));
        port.or_else(|| session.map(|(device, session)| session_down(device, session))).or_else(device)
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

fn session_down(device: &NodeName, session: &str) -> Cause {
    Cause::new(CauseKind::SessionDown, format!("session down: {device} {session}"))
}
