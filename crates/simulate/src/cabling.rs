//! Cables, and which interfaces they bring up.

use rustc_hash::FxHashMap;
use weft_device::config::{Interface, InterfaceKind};
use weft_model::{InterfaceName, NodeName, TerminationPoint};

use crate::Failed;

/// A cable between two interfaces.
pub type Cable = [TerminationPoint; 2];

/// The cables by either of their ends.
#[derive(Debug)]
pub(crate) struct Cabling<'a> {
    far_ends: FxHashMap<(&'a NodeName, &'a InterfaceName), &'a TerminationPoint>,
}

impl<'a> Cabling<'a> {
    /// Returns the cables, ready to be looked up.
    pub(crate) fn new(cables: &'a [Cable]) -> Self {
        let by_end = |end: &'a TerminationPoint, far: &'a TerminationPoint| ((&end.node, &end.interface), far);
        Self { far_ends: cables.iter().flat_map(|[a, b]| [by_end(a, b), by_end(b, a)]).collect() }
    }

    /// Returns the other end of the cable in an interface.
    pub(crate) fn far_end(&self, node: &NodeName, interface: &InterfaceName) -> Option<&'a TerminationPoint> {
        self.far_ends.get(&(node, interface)).copied()
    }

    /// Tells whether an interface of a device that is on carries packets.
    pub(crate) fn is_up(&self, node: &NodeName, name: &InterfaceName, interface: &Interface, failed: &Failed) -> bool {
        if interface.kind == InterfaceKind::Loopback {
            return true;
        }
        let cut = |node: &NodeName, interface: &InterfaceName| {
            // Links are few where there are any.
            failed.links.iter().any(|end| end.interface == *interface && end.node == *node)
        };
        if cut(node, name) {
            return false;
        }
        match self.far_end(node, name) {
            Some(far) => !failed.nodes.contains(&far.node) && !cut(&far.node, &far.interface),
            // Hosts are no part of the cabling: a port for them is taken to have one.
            None => interface.kind == InterfaceKind::Host,
        }
    }
}
