//! Where packets go: every equal-cost path by longest-prefix match, over predicted or observed states.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use ipnet::IpNet;
use weft_device::{
    config::DeviceConfig,
    state::{DeviceState, NextHop, OperStatus, Route, RouteProtocol},
};
use weft_model::{InterfaceName, Name, NodeName, TerminationPoint};

use crate::{
    Cable, Packet,
    acl::{self, Denial},
    cabling::Cabling,
};

/// A packet passes no more than this many devices: the largest time to live (RFC 791 3.1).
const MOST_HOPS: usize = 255;

/// Follows a packet from a device to a destination over all equal-cost paths. See [`Forwarding::trace`], which is cheaper
/// for more than one packet.
pub fn trace(
    states: &BTreeMap<NodeName, DeviceState>,
    cables: &[Cable],
    from: &NodeName,
    source: IpAddr,
    destination: IpAddr,
) -> Trace {
    Forwarding::new(states, cables).trace(from, source, destination)
}

/// The data plane of a network.
#[derive(Debug)]
pub struct Forwarding<'a> {
    states: &'a BTreeMap<NodeName, DeviceState>,
    cabling: Cabling<'a>,
    /// The configurations whose access lists packets pass.
    configs: Option<&'a BTreeMap<NodeName, DeviceConfig>>,
}

/// Where the packets of a flow end, over all equal-cost paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The device where the packets start.
    pub from: NodeName,
    /// The source address. It makes a difference to access lists only.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The ways in which packets end, at least one, each with the hops of one path that ends so.
    pub outcomes: BTreeMap<Outcome, Vec<Hop>>,
    /// The different equal-cost ways out of the first device; 0 when packets do not leave it.
    pub first_hops: usize,
    /// The equal-cost paths, whatever their outcome; at most `u64::MAX`.
    pub paths: u64,
}

/// One device on a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    /// The device.
    pub node: NodeName,
    /// The interface through which the packet leaves; `None` where it ends on the device.
    pub interface: Option<InterfaceName>,
}

/// How a packet ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It arrives: the device has the address, or the subnet of a port that leads to hosts.
    Delivered {
        /// The device.
        node: NodeName,
    },
    /// It leaves over a cable to a device of which nothing is known.
    Left {
        /// The last known device.
        node: NodeName,
        /// The interface through which it leaves.
        interface: InterfaceName,
    },
    /// A route drops it on purpose.
    Discarded {
        /// The device with the route.
        node: NodeName,
    },
    /// No route matches.
    NoRoute {
        /// The device without a route.
        node: NodeName,
    },
    /// It is sent to where nobody takes it: an interface that is down or has no cable, or an address that the device at the
    /// other end does not have.
    Lost {
        /// The device.
        node: NodeName,
        /// The interface.
        interface: InterfaceName,
    },
    /// An access list drops it on its way out of a device.
    Denied {
        /// The device.
        node: NodeName,
        /// The interface through which it would leave.
        interface: InterfaceName,
        /// The access list.
        acl: Name,
        /// The entry that drops it; `None` where none matches, and the list drops what none matches.
        entry: Option<Name>,
    },
    /// It comes back to a device where it was, or passes too many.
    Looped {
        /// The device.
        node: NodeName,
    },
    /// The device's routes are not known.
    Unknown {
        /// The device.
        node: NodeName,
    },
}

impl Trace {
    /// Tells whether every packet arrives.
    pub fn is_delivered(&self) -> bool {
        self.outcomes.keys().all(|outcome| matches!(outcome, Outcome::Delivered { .. }))
    }

    /// Tells whether no packet arrives, as far as is known: one that leaves the known network, or gets to a device
    /// whose routes are not known, may arrive.
    pub fn is_isolated(&self) -> bool {
        self.outcomes.keys().all(|outcome| match outcome {
            Outcome::Delivered { .. } | Outcome::Left { .. } | Outcome::Unknown { .. } => false,
            Outcome::Discarded { .. }
            | Outcome::NoRoute { .. }
            | Outcome::Lost { .. }
            | Outcome::Denied { .. }
            | Outcome::Looped { .. } => true,
        })
    }

    /// Returns the devices at which packets arrive.
    pub fn delivered_at(&self) -> BTreeSet<&NodeName> {
        self.outcomes
            .keys()
            .filter_map(|outcome| if let Outcome::Delivered { node } = outcome { Some(node) } else { None })
            .collect()
    }
}

/// What becomes of a packet at a device, and everything behind it.
#[derive(Debug, Clone, Default)]
struct Fate {
    outcomes: BTreeMap<Outcome, Vec<Hop>>,
    paths: u64,
}

impl Fate {
    fn end(node: &NodeName, interface: Option<&InterfaceName>, outcome: Outcome) -> Self {
        let hop = Hop { node: node.clone(), interface: interface.cloned() };
        Self { outcomes: [(outcome, vec![hop])].into(), paths: 1 }
    }

    fn add(&mut self, other: Self) {
        for (outcome, hops) in other.outcomes {
            self.outcomes.entry(outcome).or_insert(hops);
        }
        self.paths = self.paths.saturating_add(other.paths);
    }
}

/// What is known while one destination is traced.
struct Progress<'a, 'p> {
    destination: IpAddr,
    /// What access lists are asked about, if they are.
    packet: Option<&'p Packet>,
    fates: BTreeMap<&'a NodeName, Fate>,
    passed: BTreeSet<&'a NodeName>,
}

impl<'a> Forwarding<'a> {
    /// Returns the data plane of devices with these states and cables.
    pub fn new(states: &'a BTreeMap<NodeName, DeviceState>, cables: &'a [Cable]) -> Self {
        Self { states, cabling: Cabling::new(cables), configs: None }
    }

    /// Returns the data plane with the access lists of these configurations, for [`Forwarding::trace_packet`].
    #[must_use]
    pub fn with_access_lists(self, configs: &'a BTreeMap<NodeName, DeviceConfig>) -> Self {
        Self { configs: Some(configs), ..self }
    }

    /// Follows a packet that `from` sends, or receives from a host of its own, over all equal-cost paths by longest-prefix
    /// match in `fib`. The interface of a next hop and the cable in it give the next device. No access list is asked, as is so
    /// for the packets of a connection that was let through, in both directions.
    pub fn trace(&self, from: &NodeName, source: IpAddr, destination: IpAddr) -> Trace {
        self.follow(from, source, destination, None)
    }

    /// Follows a packet in the same way past the access lists of every interface through which it leaves. An address of a port
    /// for hosts stands for the hosts behind it.
    pub fn trace_packet(&self, from: &NodeName, packet: &Packet) -> Trace {
        self.follow(from, packet.source, packet.destination, Some(packet))
    }

    fn follow(&self, from: &NodeName, source: IpAddr, destination: IpAddr, packet: Option<&Packet>) -> Trace {
        let (fate, first_hops) = match self.states.get_key_value(from) {
            None => (Fate::end(from, None, Outcome::Unknown { node: from.clone() }), 0),
            Some((from, state)) => {
                let first_hops = match longest_match(state, destination) {
                    Some((_, route)) if !owns(state, destination) => {
                        route.next_hops.iter().filter(|next_hop| next_hop.interface().is_some()).count()
                    }
                    _ => 0,
                };
                let (fates, passed) = (BTreeMap::new(), BTreeSet::new());
                (self.fate(from, &mut Progress { destination, packet, fates, passed }), first_hops)
            }
        };
        Trace { from: from.clone(), source, destination, outcomes: fate.outcomes, first_hops, paths: fate.paths }
    }

    fn fate(&self, node: &'a NodeName, progress: &mut Progress<'a, '_>) -> Fate {
        let destination = progress.destination;
        if let Some(fate) = progress.fates.get(node) {
            return fate.clone();
        }
        if progress.passed.contains(node) || progress.passed.len() >= MOST_HOPS {
            return Fate::end(node, None, Outcome::Looped { node: node.clone() });
        }
        let end = |outcome| Fate::end(node, None, outcome);
        let Some(state) = self.states.get(node) else { return end(Outcome::Unknown { node: node.clone() }) };
        if owns(state, destination) {
            let asked = self.configs.and_then(|configs| configs.get(node)).zip(progress.packet);
            return match asked.and_then(|(config, packet)| acl::denial_to_hosts(config, packet)) {
                Some((interface, denial)) => {
                    Fate::end(node, Some(&interface), Outcome::denied(node, &interface, denial))
                }
                None => end(Outcome::Delivered { node: node.clone() }),
            };
        }
        if state.fib.is_none() {
            return end(Outcome::Unknown { node: node.clone() });
        }
        let Some((prefix, route)) = longest_match(state, destination) else {
            return end(Outcome::NoRoute { node: node.clone() });
        };
        progress.passed.insert(node);
        let mut fate = Fate::default();
        for next_hop in &route.next_hops {
            fate.add(match next_hop {
                NextHop::Discard => end(Outcome::Discarded { node: node.clone() }),
                NextHop::Interface { interface, via } => {
                    self.beyond((node, state), interface, *via, (prefix, route), progress)
                }
            });
        }
        progress.passed.remove(node);
        progress.fates.insert(node, fate.clone());
        fate
    }

    /// Returns the fate of a packet that leaves a device through an interface.
    fn beyond(
        &self,
        (node, state): (&'a NodeName, &DeviceState),
        interface: &InterfaceName,
        via: Option<IpAddr>,
        (prefix, route): (IpNet, &Route),
        progress: &mut Progress<'a, '_>,
    ) -> Fate {
        let destination = progress.destination;
        let end = |outcome| Fate::end(node, Some(interface), outcome);
        let lost = || end(Outcome::Lost { node: node.clone(), interface: interface.clone() });
        let down = |interfaces: &BTreeMap<InterfaceName, weft_device::state::InterfaceState>| {
            interfaces.get(interface).is_some_and(|state| state.oper_status == OperStatus::Down)
        };
        if state.interfaces.as_ref().is_some_and(down) {
            return lost();
        }
        let asked = self.configs.and_then(|configs| configs.get(node)).zip(progress.packet);
        if let Some(denial) = asked.and_then(|(config, packet)| acl::denial(config, interface, packet)) {
            return end(Outcome::denied(node, interface, denial));
        }
        let to_subnet = via.is_none() && route.protocol == RouteProtocol::Connected && prefix.contains(&destination);
        let Some(TerminationPoint { node: far, .. }) = self.cabling.far_end(node, interface) else {
            // A port for hosts, or a loopback's subnet.
            return if to_subnet { end(Outcome::Delivered { node: node.clone() }) } else { lost() };
        };
        let Some((far, far_state)) = self.states.get_key_value(far) else {
            return if to_subnet {
                end(Outcome::Delivered { node: node.clone() })
            } else {
                end(Outcome::Left { node: node.clone(), interface: interface.clone() })
            };
        };
        let asked = if to_subnet { Some(destination) } else { via.filter(|via| !is_link_local(via)) };
        if asked.is_some_and(|address| far_state.interfaces.is_some() && !owns(far_state, address)) {
            return lost();
        }
        let behind = self.fate(far, progress);
        let hop = Hop { node: node.clone(), interface: Some(interface.clone()) };
        let outcomes = behind
            .outcomes
            .into_iter()
            .map(|(outcome, hops)| (outcome, [hop.clone()].into_iter().chain(hops).collect()))
            .collect();
        Fate { outcomes, paths: behind.paths }
    }
}

impl Outcome {
    fn denied(node: &NodeName, interface: &InterfaceName, Denial { acl, entry }: Denial) -> Self {
        Self::Denied { node: node.clone(), interface: interface.clone(), acl, entry }
    }
}

/// Tells whether a device has an address on an interface that is up.
fn owns(state: &DeviceState, address: IpAddr) -> bool {
    state.interfaces.iter().flatten().any(|(_, interface)| {
        interface.oper_status == OperStatus::Up && interface.addresses.iter().any(|prefix| prefix.addr() == address)
    })
}

/// Returns the route of the longest prefix that contains an address.
fn longest_match(state: &DeviceState, address: IpAddr) -> Option<(IpNet, &Route)> {
    let table = state.fib.as_ref()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    (0..=longest).rev().find_map(|length| {
        let prefix = IpNet::new(address, length).ok()?.trunc();
        table.get(&prefix).map(|route| (prefix, route))
    })
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered { node } => write!(f, "delivered at {node}"),
            Self::Left { node, interface } => write!(f, "left the network at {node}:{interface}"),
            Self::Discarded { node } => write!(f, "discarded by a route of {node}"),
            Self::NoRoute { node } => write!(f, "{node} has no route"),
            Self::Lost { node, interface } => write!(f, "lost: nobody takes it behind {node}:{interface}"),
            Self::Denied { node, interface, acl, entry: Some(entry) } => {
                write!(
                    f,
                    "dropped on the way out of {node}:{interface} by the rule `{entry}` of the access list `{acl}`"
                )
            }
            Self::Denied { node, interface, acl, entry: None } => {
                write!(
                    f,
                    "dropped on the way out of {node}:{interface}: no rule of the access list `{acl}` lets it pass"
                )
            }
            Self::Looped { node } => write!(f, "loops through {node}"),
            Self::Unknown { node } => write!(f, "the routes of {node} are not known"),
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "{}:{interface}", self.node),
            None => write!(f, "{}", self.node),
        }
    }
}
