//! Cables, and which interfaces they bring up.

use std::collections::HashMap;

use weft_device::config::{Interface, InterfaceKind};
use weft_model::{InterfaceName, NodeName, TerminationPoint};

use crate::Failed;

/// A cable between two interfaces.
pub type Cable = [TerminationPoint; 2];

/// The cables by either of their ends.
#[derive(Debug)]
pub(crate) struct Cabling<'a> {
    far_ends: HashMap<&'a TerminationPoint, &'a TerminationPoint>,
}

impl<'a> Cabling<'a> {
    /// Returns the cables, ready to be looked up.
    pub(crate) fn new(cables: &'a [Cable]) -> Self {
        Self { far_ends: cables.iter().flat_map(|[a, b]| [(a, b), (b, a)]).collect() }
    }

    /// Returns the other end of the cable in an interface.
    pub(crate) fn far_end(&self, node: &NodeName, interface: &InterfaceName) -> Option<&'a TerminationPoint> {
        let near = TerminationPoint { node: node.clone(), interface: interface.clone() };
        self.far_ends.get(&near).copied()
    }

    /// Tells whether an interface of a device that is on carries packets.
    pub(crate) fn is_up(&self, node: &NodeName, name: &InterfaceName, interface: &Interface, failed: &Failed) -> bool {
        if interface.kind == InterfaceKind::Loopback {
            return true;
        }
        let near = TerminationPoint { node: node.clone(), interface: name.clone() };
        if failed.links.contains(&near) {
            return false;
        }
        match self.far_ends.get(&near) {
            Some(far) => !failed.links.contains(*far) && !failed.nodes.contains(&far.node),
            // Hosts are no part of the cabling: a port for them is taken to have one.
            None => interface.kind == InterfaceKind::Host,
        }
    }
}
