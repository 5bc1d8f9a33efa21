//! The data plane of a predicted network, numbered so that many questions about it are cheap: what every device does with
//! the packets to one address.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::IpAddr,
};

use ipnet::IpNet;
use weft_device::{
    config::{DeviceConfig, InterfaceKind},
    state::{DeviceState, NextHop, OperStatus, Route, RouteProtocol},
};
use weft_model::{InterfaceName, Name, NodeName, TerminationPoint};
use weft_simulate::{Cable, Packet};

/// A predicted network, as far as packets are concerned.
#[derive(Debug, Clone, Copy)]
pub struct Predicted<'a> {
    /// The configuration of every device, external routers included.
    pub configs: &'a BTreeMap<NodeName, DeviceConfig>,
    /// The external routers.
    pub external: &'a BTreeMap<NodeName, DeviceConfig>,
    /// The cables, those to external routers included.
    pub cables: &'a [Cable],
    /// The state of every device that is not off.
    pub states: &'a BTreeMap<NodeName, DeviceState>,
}

/// How a packet ends at a device. It says what [`weft_simulate::Outcome`] says, and is cheap to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End<'a> {
    /// The device has the address, or the subnet of a port that leads to hosts.
    Delivered(usize),
    /// An external router takes it: it is the internet's from there on.
    Outside(usize),
    /// It leaves over a cable to a device of which nothing is known.
    Left(usize),
    /// A route drops it on purpose.
    Discarded(usize),
    /// No route matches.
    NoRoute(usize),
    /// Nobody takes it behind the interface.
    Lost(usize, &'a InterfaceName),
    /// An access list drops it; the entry that does, or none where none matches.
    Denied(usize, &'a InterfaceName, &'a Name, Option<&'a Name>),
    /// It comes back to where it was.
    Loop,
    /// The routes of the device are not known.
    Unknown(usize),
}

/// What one device does with a packet.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Step<'a> {
    /// The route that decides; none where the device has the address, or no route.
    pub(crate) route: Option<(IpNet, &'a Route)>,
    /// The next devices with the interfaces that lead to them, in order.
    pub(crate) next: Vec<(&'a InterfaceName, usize)>,
    /// How packets end here, in order.
    pub(crate) ends: Vec<End<'a>>,
    /// Whether an access list is asked here.
    pub(crate) filtered: bool,
}

impl Step<'_> {
    /// Tells whether packets go on and end in the same way.
    pub(crate) fn same_ways(&self, other: &Self) -> bool {
        self.next == other.next && self.ends == other.ends
    }
}

/// What is at the other end of an interface.
#[derive(Debug, Clone, Copy)]
enum Far {
    Unknown,
    Known(usize),
}

struct Device<'a> {
    name: &'a NodeName,
    state: &'a DeviceState,
    config: Option<&'a DeviceConfig>,
    external: bool,
    cables: HashMap<&'a InterfaceName, Far>,
    /// The interfaces that are down.
    down: HashSet<&'a InterfaceName>,
}

/// The data plane of a network.
pub(crate) struct Plane<'a> {
    devices: Vec<Option<Device<'a>>>,
    /// Every prefix that any device has a route to.
    prefixes: HashSet<IpNet>,
    /// The devices that have an address on an interface that is up.
    owners: HashMap<IpAddr, Vec<usize>>,
    /// Whether packets are those of their source alone, and not of all that access lists do not tell from it.
    of_one_source: bool,
}

impl<'a> Plane<'a> {
    /// Returns the data plane of a network whose devices have these numbers.
    pub(crate) fn new(network: Predicted<'a>, numbers: &HashMap<NodeName, usize>) -> Self {
        let mut cables: BTreeMap<&NodeName, HashMap<&InterfaceName, Far>> = BTreeMap::new();
        for [a, b] in network.cables {
            for (near, far) in [(a, b), (b, a)] {
                let known = network.states.contains_key(&far.node);
                let far = numbers.get(&far.node).filter(|_| known).map_or(Far::Unknown, |&far| Far::Known(far));
                cables.entry(&near.node).or_default().insert(&near.interface, far);
            }
        }
        let mut plane =
            Self { devices: Vec::new(), prefixes: HashSet::new(), owners: HashMap::new(), of_one_source: false };
        plane.devices.resize_with(numbers.len(), || None);
        for (name, state) in network.states {
            let Some(&number) = numbers.get(name) else { continue };
            let interfaces = || state.interfaces.iter().flatten();
            for (_, interface) in interfaces().filter(|(_, interface)| interface.oper_status == OperStatus::Up) {
                for prefix in &interface.addresses {
                    plane.owners.entry(prefix.addr()).or_default().push(number);
                }
            }
            plane.prefixes.extend(state.fib.iter().flat_map(|fib| fib.keys()));
            plane.devices[number] = Some(Device {
                name,
                state,
                config: network.configs.get(name),
                external: network.external.contains_key(name),
                cables: cables.remove(name).unwrap_or_default(),
                down: interfaces().filter(|(_, i)| i.oper_status == OperStatus::Down).map(|(name, _)| name).collect(),
            });
        }
        plane
    }

    /// Takes each packet for one of its own source: no access list is asked about what a device sends itself.
    pub(crate) fn of_one_source(self) -> Self {
        Self { of_one_source: true, ..self }
    }

    /// Returns what every device does with packets to an address, by its number; with a `packet`, past access lists.
    pub(crate) fn column(&self, destination: IpAddr, packet: Option<&Packet>) -> Vec<Step<'a>> {
        let longest = if destination.is_ipv4() { 32 } else { 128 };
        let covering = (0..=longest).rev().filter_map(|length| Some(IpNet::new(destination, length).ok()?.trunc()));
        let covering: Vec<IpNet> = covering.filter(|prefix| self.prefixes.contains(prefix)).collect();
        let owners = self.owners.get(&destination).map_or(&[][..], Vec::as_slice);
        let numbered = self.devices.iter().enumerate();
        numbered
            .map(|(number, device)| self.step((number, device.as_ref()), destination, &covering, owners, packet))
            .collect()
    }

    /// Decides as [`weft_simulate::Forwarding`] does.
    fn step(
        &self,
        (number, device): (usize, Option<&Device<'a>>),
        destination: IpAddr,
        covering: &[IpNet],
        owners: &[usize],
        packet: Option<&Packet>,
    ) -> Step<'a> {
        let mut step = Step::default();
        let Some(device) = device else {
            step.ends.push(End::Unknown(number));
            return step;
        };
        let is_own = |packet: &&Packet| device.config.is_some_and(|config| packet.is_sent_by(config));
        let packet = packet.filter(|packet| !self.of_one_source || !is_own(packet));
        if owners.contains(&number) {
            step.ends.push(device.to_hosts(number, destination, packet, &mut step.filtered));
            return step;
        }
        let Some(fib) = &device.state.fib else {
            step.ends.push(End::Unknown(number));
            return step;
        };
        step.route = covering.iter().find_map(|prefix| Some((*prefix, fib.get(prefix)?)));
        let Some((prefix, route)) = step.route else {
            step.ends.push(End::NoRoute(number));
            return step;
        };
        for next_hop in route.next_hops.iter() {
            let NextHop::Interface { interface, via } = next_hop else {
                // What an external router drops is what the internet takes.
                step.ends.push(if device.external { End::Outside(number) } else { End::Discarded(number) });
                continue;
            };
            if device.down.contains(interface) {
                step.ends.push(End::Lost(number, interface));
                continue;
            }
            if let Some(denied) = device.denial(number, interface, packet, &mut step.filtered) {
                step.ends.push(denied);
                continue;
            }
            let to_subnet =
                via.is_none() && route.protocol == RouteProtocol::Connected && prefix.contains(&destination);
            let asked = if to_subnet { Some(destination) } else { via.filter(|via| !is_link_local(via)) };
            match (device.cables.get(interface), to_subnet) {
                (None | Some(Far::Unknown), true) => step.ends.push(End::Delivered(number)),
                (None, false) => step.ends.push(End::Lost(number, interface)),
                (Some(Far::Unknown), false) => step.ends.push(End::Left(number)),
                (Some(Far::Known(far)), _) if asked.is_some_and(|address| !self.owns(*far, address)) => {
                    step.ends.push(End::Lost(number, interface));
                }
                (Some(Far::Known(far)), _) => step.next.push((interface, *far)),
            }
        }
        step.ends.sort_unstable();
        step.ends.dedup();
        step
    }

    fn owns(&self, device: usize, address: IpAddr) -> bool {
        let observed = self.devices[device].as_ref().is_some_and(|device| device.state.interfaces.is_some());
        !observed || self.owners.get(&address).is_some_and(|owners| owners.contains(&device))
    }

    /// Returns the name of a device.
    pub(crate) fn name(&self, device: usize) -> Option<&'a NodeName> {
        self.devices[device].as_ref().map(|device| device.name)
    }

    /// Returns the configuration of a device.
    pub(crate) fn config(&self, device: usize) -> Option<&'a DeviceConfig> {
        self.devices[device].as_ref().and_then(|device| device.config)
    }
}

impl<'a> Device<'a> {
    /// Returns how a packet to an address of the device ends: on a port for hosts, its access list is asked.
    fn to_hosts(&self, number: usize, destination: IpAddr, packet: Option<&Packet>, filtered: &mut bool) -> End<'a> {
        let ports = self.config.iter().flat_map(|config| &config.interfaces).filter(|(_, interface)| {
            interface.kind == InterfaceKind::Host
                && interface.addresses.iter().any(|address| address.prefix.addr() == destination)
        });
        for (name, _) in ports {
            if let Some(denied) = self.denial(number, name, packet, filtered) {
                return denied;
            }
        }
        if self.external { End::Outside(number) } else { End::Delivered(number) }
    }

    /// Returns what drops a packet on its way out of an interface, and notes where an access list is asked.
    fn denial(
        &self,
        number: usize,
        interface: &'a InterfaceName,
        packet: Option<&Packet>,
        filtered: &mut bool,
    ) -> Option<End<'a>> {
        let config = self.config?;
        *filtered |= config.interfaces.get(interface).is_some_and(|interface| interface.egress_acl.is_some());
        let judged = packet?.judged(config, interface)?;
        (!judged.passes).then(|| End::Denied(number, interface, judged.acl, judged.entry.map(|entry| &entry.name)))
    }
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Numbers the devices of some networks, in the order of their names.
pub(crate) fn numbers(networks: &[Predicted<'_>]) -> HashMap<NodeName, usize> {
    let names: BTreeSet<&NodeName> = networks.iter().flat_map(|network| network.states.keys()).collect();
    names.into_iter().enumerate().map(|(number, name)| (name.clone(), number)).collect()
}

/// Returns the cable that has an end at a termination point.
pub(crate) fn cable_at<'a>(cables: &'a [Cable], end: &TerminationPoint) -> Option<&'a Cable> {
    cables.iter().find(|cable| cable.contains(end))
}
