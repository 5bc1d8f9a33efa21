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
    Cable, Packet, Ways,
    acl::{self, Denial},
    cabling::Cabling,
    ways::{MOST_HOPS, Step},
};

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
    /// The devices in the order of their names.
    devices: Vec<(&'a NodeName, &'a DeviceState)>,
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
    /// The route that decided; `None` where none did.
    pub route: Option<Decision>,
}

/// The route that decides what becomes of a packet at a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    /// Its prefix.
    pub prefix: IpNet,
    /// Where it comes from.
    pub protocol: RouteProtocol,
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
    fn end(hop: Hop, outcome: Outcome) -> Self {
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
struct Progress<'p> {
    destination: IpAddr,
    /// What access lists are asked about, if they are.
    packet: Option<&'p Packet>,
    fates: BTreeMap<usize, Fate>,
    passed: BTreeSet<usize>,
}

/// What becomes of a packet at one device.
#[derive(Debug, Default)]
struct Turn<'a> {
    /// The route that decides.
    route: Option<Decision>,
    /// The different equal-cost ways out of the device; 0 when the packet does not leave it.
    ways: usize,
    /// What each of the ways leads to, by the interface; of a packet that stays, the only end.
    leads_to: Vec<(Option<&'a InterfaceName>, Beyond)>,
}

/// What a way out of a device leads to.
#[derive(Debug)]
enum Beyond {
    /// An end.
    End(Outcome),
    /// Another device.
    Device(usize),
}

impl Turn<'_> {
    fn end(outcome: Outcome) -> Self {
        Self { leads_to: vec![(None, Beyond::End(outcome))], ..Self::default() }
    }
}

impl<'a> Forwarding<'a> {
    /// Returns the data plane of devices with these states and cables.
    pub fn new(states: &'a BTreeMap<NodeName, DeviceState>, cables: &'a [Cable]) -> Self {
        Self { devices: states.iter().collect(), cabling: Cabling::new(cables), configs: None }
    }

    /// Returns the data plane with the access lists of these configurations, for [`Forwarding::trace_packet`].
    #[must_use]
    pub fn with_access_lists(self, configs: &'a BTreeMap<NodeName, DeviceConfig>) -> Self {
        Self { configs: Some(configs), ..self }
    }

    /// Returns the number of a device: its place in the order of names.
    pub fn number(&self, node: &NodeName) -> Option<usize> {
        self.devices.binary_search_by(|(name, _)| (*name).cmp(node)).ok()
    }

    /// Returns the name of a device by its number.
    pub fn name(&self, device: usize) -> Option<&'a NodeName> {
        self.devices.get(device).map(|(name, _)| *name)
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

    /// Returns all ways from some devices to a destination, past the access lists if a packet is given.
    pub fn ways(
        &self,
        destination: IpAddr,
        packet: Option<&Packet>,
        from: impl IntoIterator<Item = usize>,
    ) -> Ways<'a> {
        let step = |device| {
            let turn = self.turn(device, destination, packet);
            let mut step = Step { ways: turn.ways, ..Step::default() };
            for (interface, beyond) in turn.leads_to {
                match beyond {
                    Beyond::Device(far) => step.next.push((far, interface)),
                    Beyond::End(outcome) => match outcome {
                        Outcome::Delivered { .. } => step.arrives += 1,
                        Outcome::Left { .. } | Outcome::Unknown { .. } => step.leaves += 1,
                        Outcome::Discarded { .. }
                        | Outcome::NoRoute { .. }
                        | Outcome::Lost { .. }
                        | Outcome::Denied { .. }
                        | Outcome::Looped { .. } => step.stops += 1,
                    },
                }
            }
            step
        };
        Ways::explore(self.devices.len(), from, step)
    }

    /// Returns the hops of a way of a packet to a destination: the interface that leads from each device to the next, and the
    /// route that decides.
    pub fn hops(&self, way: &[usize], destination: IpAddr, packet: Option<&Packet>) -> Vec<Hop> {
        let hop = |(index, &device): (usize, &usize)| {
            let (node, turn) = (self.devices[device].0.clone(), self.turn(device, destination, packet));
            let leads = |(_, beyond): &&(Option<&InterfaceName>, Beyond)| match beyond {
                Beyond::Device(far) => way.get(index + 1) == Some(far),
                Beyond::End(_) => false,
            };
            let interface = turn.leads_to.iter().find(leads).and_then(|(interface, _)| interface.cloned());
            Hop { node, interface, route: turn.route }
        };
        way.iter().enumerate().map(hop).collect()
    }

    fn follow(&self, from: &NodeName, source: IpAddr, destination: IpAddr, packet: Option<&Packet>) -> Trace {
        let (fate, first_hops) = match self.number(from) {
            None => {
                let hop = Hop { node: from.clone(), interface: None, route: None };
                (Fate::end(hop, Outcome::Unknown { node: from.clone() }), 0)
            }
            Some(device) => {
                let (fates, passed) = (BTreeMap::new(), BTreeSet::new());
                let fate = self.fate(device, &mut Progress { destination, packet, fates, passed });
                (fate, self.turn(device, destination, packet).ways)
            }
        };
        Trace { from: from.clone(), source, destination, outcomes: fate.outcomes, first_hops, paths: fate.paths }
    }

    fn fate(&self, device: usize, progress: &mut Progress<'_>) -> Fate {
        if let Some(fate) = progress.fates.get(&device) {
            return fate.clone();
        }
        let node = self.devices[device].0;
        if progress.passed.contains(&device) || progress.passed.len() >= MOST_HOPS {
            let hop = Hop { node: node.clone(), interface: None, route: None };
            return Fate::end(hop, Outcome::Looped { node: node.clone() });
        }
        let turn = self.turn(device, progress.destination, progress.packet);
        progress.passed.insert(device);
        let mut fate = Fate::default();
        for (interface, beyond) in turn.leads_to {
            let hop = Hop { node: node.clone(), interface: interface.cloned(), route: turn.route };
            fate.add(match beyond {
                Beyond::End(outcome) => Fate::end(hop, outcome),
                Beyond::Device(far) => {
                    let behind = self.fate(far, progress);
                    let before = |(outcome, hops): (Outcome, Vec<Hop>)| {
                        (outcome, [hop.clone()].into_iter().chain(hops).collect())
                    };
                    Fate { outcomes: behind.outcomes.into_iter().map(before).collect(), paths: behind.paths }
                }
            });
        }
        progress.passed.remove(&device);
        progress.fates.insert(device, fate.clone());
        fate
    }

    /// Returns what becomes of a packet at a device.
    fn turn(&self, device: usize, destination: IpAddr, packet: Option<&Packet>) -> Turn<'a> {
        let (node, state) = self.devices[device];
        if owns(state, destination) {
            let asked = self.configs.and_then(|configs| configs.get_key_value(node)).zip(packet);
            let denied = asked.and_then(|((_, config), packet)| {
                let (interface, denial) = acl::denial_to_hosts(config, packet)?;
                let outcome = Outcome::denied(node, &interface, denial);
                Some((config.interfaces.get_key_value(&interface).map(|(name, _)| name), Beyond::End(outcome)))
            });
            return match denied {
                Some(end) => Turn { leads_to: vec![end], ..Turn::default() },
                None => Turn::end(Outcome::Delivered { node: node.clone() }),
            };
        }
        if state.fib.is_none() {
            return Turn::end(Outcome::Unknown { node: node.clone() });
        }
        let Some((prefix, route)) = longest_match(state, destination) else {
            return Turn::end(Outcome::NoRoute { node: node.clone() });
        };
        let leads_to = |next_hop: &'a NextHop| match next_hop {
            NextHop::Discard => (None, Beyond::End(Outcome::Discarded { node: node.clone() })),
            NextHop::Interface { interface, via } => {
                (Some(interface), self.beyond((node, state), interface, *via, (prefix, route), (destination, packet)))
            }
        };
        Turn {
            route: Some(Decision { prefix, protocol: route.protocol }),
            ways: route.next_hops.iter().filter(|next_hop| next_hop.interface().is_some()).count(),
            leads_to: route.next_hops.iter().map(leads_to).collect(),
        }
    }

    /// Returns what is behind an interface through which a packet leaves a device.
    fn beyond(
        &self,
        (node, state): (&'a NodeName, &DeviceState),
        interface: &InterfaceName,
        via: Option<IpAddr>,
        (prefix, route): (IpNet, &Route),
        (destination, packet): (IpAddr, Option<&Packet>),
    ) -> Beyond {
        let lost = || Beyond::End(Outcome::Lost { node: node.clone(), interface: interface.clone() });
        let delivered = || Beyond::End(Outcome::Delivered { node: node.clone() });
        let down = |interfaces: &BTreeMap<InterfaceName, weft_device::state::InterfaceState>| {
            interfaces.get(interface).is_some_and(|state| state.oper_status == OperStatus::Down)
        };
        if state.interfaces.as_ref().is_some_and(down) {
            return lost();
        }
        let asked = self.configs.and_then(|configs| configs.get(node)).zip(packet);
        if let Some(denial) = asked.and_then(|(config, packet)| acl::denial(config, interface, packet)) {
            return Beyond::End(Outcome::denied(node, interface, denial));
        }
        let to_subnet = via.is_none() && route.protocol == RouteProtocol::Connected && prefix.contains(&destination);
        let Some(TerminationPoint { node: far, .. }) = self.cabling.far_end(node, interface) else {
            // A port for hosts, or a loopback's subnet.
            return if to_subnet { delivered() } else { lost() };
        };
        let Some(far) = self.number(far) else {
            return if to_subnet {
                delivered()
            } else {
                Beyond::End(Outcome::Left { node: node.clone(), interface: interface.clone() })
            };
        };
        let far_state = self.devices[far].1;
        let asked = if to_subnet { Some(destination) } else { via.filter(|via| !is_link_local(via)) };
        if asked.is_some_and(|address| far_state.interfaces.is_some() && !owns(far_state, address)) {
            return lost();
        }
        Beyond::Device(far)
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

impl Decision {
    /// Returns the name of the protocol, such as `bgp`.
    pub fn protocol_name(&self) -> &'static str {
        match self.protocol {
            RouteProtocol::Connected => "connected",
            RouteProtocol::Static => "static",
            RouteProtocol::Ospf => "ospf",
            RouteProtocol::Bgp => "bgp",
            RouteProtocol::Other => "other",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol_name(), self.prefix)
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
