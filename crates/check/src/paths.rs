//! Which cables the packets of a flow pass.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use weft_device::state::{DeviceState, NextHop, Route};
use weft_model::{NodeName, TerminationPoint};
use weft_simulate::Cable;

/// The cables by their ends, numbered in the order of a list.
pub(crate) struct Cables<'a> {
    ends: BTreeMap<&'a TerminationPoint, (usize, &'a TerminationPoint)>,
}

impl<'a> Cables<'a> {
    pub(crate) fn new(cables: &'a [Cable]) -> Self {
        let ends = cables.iter().enumerate().flat_map(|(number, [a, b])| [(a, (number, b)), (b, (number, a))]);
        Self { ends: ends.collect() }
    }

    /// Returns the numbers of the cables on any of the equal-cost paths from a device to a destination.
    pub(crate) fn used(
        &self,
        states: &BTreeMap<NodeName, DeviceState>,
        from: &NodeName,
        destination: IpAddr,
    ) -> BTreeSet<usize> {
        let mut used = BTreeSet::new();
        let mut seen: BTreeSet<NodeName> = [from.clone()].into();
        let mut open = vec![from.clone()];
        while let Some(node) = open.pop() {
            let Some(route) = states.get(&node).and_then(|state| longest_match(state, destination)) else { continue };
            for interface in route.next_hops.iter().filter_map(NextHop::interface) {
                let near = TerminationPoint { node: node.clone(), interface: interface.clone() };
                let Some((number, far)) = self.ends.get(&near) else { continue };
                used.insert(*number);
                if seen.insert(far.node.clone()) {
                    open.push(far.node.clone());
                }
            }
        }
        used
    }
}

/// Returns the route of the longest prefix that contains an address.
fn longest_match(state: &DeviceState, address: IpAddr) -> Option<&Route> {
    let table = state.fib.as_ref()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    (0..=longest).rev().find_map(|length| table.get(&IpNet::new(address, length).ok()?.trunc()))
}
