//! What becomes of some destinations after each of many failures.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use ipnet::IpNet;
use rayon::prelude::*;
use weft_device::{
    config::DeviceConfig,
    state::{DeviceState, InterfaceState, NextHop, OperStatus, Route, RouteProtocol, RouteTable},
};
use weft_model::{InterfaceName, NodeName};

use crate::{
    Cable, Failed, Packet, Routing, acl,
    bgp::{self, Changes, Choice, Class, Converged, Gone, Scratch, Unsettled},
    cabling::Cabling,
    internal::Ways,
    local::{interfaces, local_routes},
    ospf::Ospf,
    policy::Policies,
    routing::{classes, may_overfill, origins},
    session::{Closed, Sessions, loopbacks},
};

/// A walk that meets more devices is left to [`crate::Forwarding`], which counts hops.
const MOST_DEVICES: usize = 200;

/// A network whose routes to some destinations are asked for after each of many failures.
///
/// Everything agrees with [`crate::simulate`] and [`crate::trace`]. Sessions, interfaces and the routes that cover the destinations are
/// computed once, and a [`Scenario`] holds what differs. Where a session might be closed for too many prefixes, which depends
/// on all routes together, or OSPF runs, scenarios are not shortened: [`Scenario::walk`] answers nothing, and
/// [`Scenario::states`] simulates, where OSPF runs with no other routes than those that are asked for.
#[derive(Debug)]
pub struct Scenarios<'a> {
    configs: &'a BTreeMap<NodeName, DeviceConfig>,
    cables: &'a [Cable],
    cabling: Cabling<'a>,
    devices: Vec<(&'a NodeName, &'a DeviceConfig)>,
    numbers: BTreeMap<&'a NodeName, usize>,
    interfaces: Vec<BTreeMap<InterfaceName, InterfaceState>>,
    local: Vec<RouteTable>,
    sessions: Sessions<'a>,
    policies: Policies,
    /// The prefixes that cover a destination.
    tables: Vec<Table>,
    destinations: BTreeMap<IpAddr, Destination<'a>>,
    unsettled: Unsettled,
    /// Whether no session can be closed for too many prefixes, and no OSPF runs.
    shortened: bool,
    /// Whether no session can be closed for too many prefixes.
    bounded: bool,
}

/// The routes to one prefix.
#[derive(Debug)]
struct Table {
    prefix: IpNet,
    class: Class,
    converged: Converged,
}

#[derive(Debug)]
struct Destination<'a> {
    /// The interfaces with the address.
    owners: Vec<(usize, &'a InterfaceName)>,
    /// The prefixes that cover it, as numbers of tables, the longest first.
    tables: Vec<usize>,
}

/// The network after a failure, or without one.
#[derive(Debug)]
pub struct Scenario<'s, 'a> {
    network: &'s Scenarios<'a>,
    failed: Failed,
    /// The devices whose interfaces and own routes differ.
    ends: Vec<End>,
    /// What devices choose otherwise, for each table; `None` where it is not known.
    repaired: Vec<Option<Changes>>,
}

#[derive(Debug)]
struct End {
    device: usize,
    interfaces: BTreeMap<InterfaceName, InterfaceState>,
    local: RouteTable,
}

/// Where the packets from a device to a destination come, over all equal-cost paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Walk {
    /// The devices at which packets arrive.
    pub delivered_at: BTreeSet<NodeName>,
    /// Whether some path ends without arriving.
    pub stopped: bool,
    /// The different equal-cost ways out of the first device; 0 when packets do not leave it.
    pub first_hops: usize,
    /// The numbers of the devices that decide on the paths, for [`Scenario::changed`].
    pub passed: BTreeSet<usize>,
}

/// Packets on their way to a destination.
struct Journey<'j, 'a> {
    towards: &'j Destination<'a>,
    /// What access lists are asked about, if they are.
    packet: Option<&'j Packet>,
    walk: Walk,
    /// The devices that were met, and whether they are still being followed.
    open: HashMap<usize, bool>,
}

impl<'a> Scenarios<'a> {
    /// Returns the network, ready to be asked for routes to the destinations.
    pub fn new(
        configs: &'a BTreeMap<NodeName, DeviceConfig>,
        cables: &'a [Cable],
        destinations: &BTreeSet<IpAddr>,
    ) -> Self {
        let failed = Failed::default();
        let cabling = Cabling::new(cables);
        let by_name: BTreeMap<&NodeName, &DeviceConfig> = configs.iter().collect();
        let devices: Vec<(&NodeName, &DeviceConfig)> = configs.iter().collect();
        let numbers = devices.iter().enumerate().map(|(number, (name, _))| (*name, number)).collect();
        let interfaces: Vec<_> =
            devices.iter().map(|(name, config)| interfaces(name, config, &cabling, &failed)).collect();
        let local: Vec<_> = devices.iter().zip(&interfaces).map(|((_, config), i)| local_routes(config, i)).collect();
        let mut policies = Policies::default();
        let interior = vec![RouteTable::new(); local.len()];
        let ways = Ways { local: &[], interior: &interior, costs: &[] };
        let sessions = Sessions::new(&by_name, &cabling, &failed, &Closed::new(), &ways, &mut policies);
        // Where OSPF runs, a failure changes routes that no session carries, and sessions between loopbacks: all is simulated.
        let plain = !Ospf::new(&by_name, &cabling, &failed, |_| false).is_used() && loopbacks(&by_name).is_empty();
        let prefixes: Vec<BTreeSet<IpNet>> = local.iter().map(|table| table.keys().copied().collect()).collect();
        let classes = classes(&devices, &prefixes, &interior, &policies, |_| true);
        let bgp = bgp::Network { sessions: &sessions, policies: &policies };
        let bounded = !may_overfill(&sessions, &classes);
        let shortened = plain && bounded;

        let mut unsettled = Unsettled::default();
        let mut tables = Vec::new();
        let mut found = BTreeMap::new();
        if shortened {
            unsettled = bgp::unsettled(bgp, &classes);
            let mut origins = origins(&devices, &prefixes, &interior);
            let known: BTreeSet<IpNet> =
                origins.keys().chain(local.iter().flat_map(RouteTable::keys)).copied().collect();
            let mut asked: BTreeMap<IpNet, usize> = BTreeMap::new();
            for address in destinations {
                let covering = covering(*address).filter(|prefix| known.contains(prefix));
                let tables = covering.map(|prefix| {
                    let next = asked.len();
                    *asked.entry(prefix).or_insert(next)
                });
                found.insert(*address, Destination { owners: Vec::new(), tables: tables.collect() });
            }
            let mut ordered: Vec<(IpNet, usize)> = asked.into_iter().collect();
            ordered.sort_by_key(|(_, number)| *number);
            let classes: Vec<Class> = ordered
                .into_iter()
                .map(|(prefix, _)| Class {
                    prefixes: vec![prefix],
                    origins: origins.remove(&prefix).unwrap_or_default(),
                    verdicts: policies.verdicts(&prefix),
                })
                .collect();
            let table = |scratch: &mut Scratch, class: Class| {
                let converged = bgp::converge(bgp, &class, &Gone::default(), scratch);
                Table { prefix: class.prefixes[0], class, converged }
            };
            tables = classes.into_par_iter().map_init(Scratch::default, table).collect();
            for (number, (_, config)) in devices.iter().enumerate() {
                for (name, interface) in &config.interfaces {
                    for address in &interface.addresses {
                        if let Some(destination) = found.get_mut(&address.prefix.addr()) {
                            destination.owners.push((number, name));
                        }
                    }
                }
            }
        }
        Self {
            configs,
            cables,
            cabling,
            devices,
            numbers,
            interfaces,
            local,
            sessions,
            policies,
            tables,
            destinations: found,
            unsettled,
            shortened,
            bounded,
        }
    }

    /// Returns the prefixes whose routes do not settle while nothing is broken.
    pub fn unstable(&self) -> BTreeSet<IpNet> {
        if self.shortened {
            self.unsettled.unstable.clone()
        } else {
            Routing::new(self.configs, self.cables, &Failed::default()).unstable()
        }
    }

    /// Returns the prefixes whose routes settle while nothing is broken, but in another way when devices decide in another order.
    pub fn ambiguous(&self) -> BTreeSet<IpNet> {
        if self.shortened {
            self.unsettled.ambiguous.clone()
        } else {
            Routing::new(self.configs, self.cables, &Failed::default()).ambiguous()
        }
    }

    /// Returns the network while nothing is broken.
    pub fn steady(&self) -> Scenario<'_, 'a> {
        let settled = |table: &Table| table.converged.stable.then(Changes::new);
        let repaired = self.tables.iter().map(settled).collect();
        Scenario { network: self, failed: Failed::default(), ends: Vec::new(), repaired }
    }

    /// Returns the network after a cut of one of its cables.
    pub fn cut(&self, cable: &Cable) -> Scenario<'_, 'a> {
        let failed = Failed { links: [cable[0].clone()].into(), nodes: BTreeSet::new() };
        let mut ends = Vec::new();
        let mut sessions = Vec::new();
        for end in cable {
            let Some(&device) = self.numbers.get(&end.node) else { continue };
            let (name, config) = self.devices[device];
            if !ends.iter().any(|known: &End| known.device == device) {
                let interfaces = interfaces(name, config, &self.cabling, &failed);
                let local = local_routes(config, &interfaces);
                ends.push(End { device, interfaces, local });
            }
            for (index, session) in self.sessions.speakers[device].sessions.iter().enumerate() {
                if *session.interface() == end.interface {
                    sessions.push((device, index as u16));
                }
            }
        }
        let bgp = bgp::Network { sessions: &self.sessions, policies: &self.policies };
        let mut scratch = Scratch::default();
        let mut gone = Gone::new(sessions);
        let repair = |table: &Table| {
            let withdrawn =
                |end: &&End| table.class.origins.contains(&end.device) && !end.local.contains_key(&table.prefix);
            gone.withdraw(ends.iter().filter(withdrawn).map(|end| end.device));
            let stable = table.converged.stable;
            stable.then(|| bgp::repair(bgp, &table.class, &table.converged, &gone, &mut scratch))?
        };
        let repaired = self.tables.iter().map(repair).collect();
        Scenario { network: self, failed, ends, repaired }
    }
}

impl Scenario<'_, '_> {
    /// Follows the packets from a device to one of the destinations, past no access list; `None` where only
    /// [`Scenario::states`] tells.
    pub fn walk(&self, from: &NodeName, destination: IpAddr) -> Option<Walk> {
        self.follow(from, destination, None)
    }

    /// Follows a packet to one of the destinations in the same way as [`crate::Forwarding::trace_packet`].
    pub fn walk_packet(&self, from: &NodeName, packet: &Packet) -> Option<Walk> {
        self.follow(from, packet.destination, Some(packet))
    }

    fn follow(&self, from: &NodeName, destination: IpAddr, packet: Option<&Packet>) -> Option<Walk> {
        let towards = self.network.destinations.get(&destination)?;
        if towards.tables.iter().any(|&table| self.repaired[table].is_none()) {
            return None;
        }
        let from = *self.network.numbers.get(from)?;
        let mut journey = Journey { towards, packet, walk: Walk::default(), open: HashMap::new() };
        journey.walk.first_hops = self.visit(from, &mut journey)?;
        Some(journey.walk)
    }

    /// Tells which devices take other ways to a destination than while nothing is broken, by their numbers; `None` where
    /// that is not known.
    pub fn changed(&self, destination: IpAddr) -> Option<BTreeSet<usize>> {
        let towards = self.network.destinations.get(&destination)?;
        let mut changed = BTreeSet::new();
        for &table in &towards.tables {
            changed.extend(self.repaired[table].as_ref()?.iter().map(|(device, _)| *device));
            let prefix = &self.network.tables[table].prefix;
            let other = |end: &&End| end.local.get(prefix) != self.network.local[end.device].get(prefix);
            changed.extend(self.ends.iter().filter(other).map(|end| end.device));
        }
        let owner = |end: &&End| towards.owners.iter().any(|(device, _)| *device == end.device);
        changed.extend(self.ends.iter().filter(owner).map(|end| end.device));
        Some(changed)
    }

    /// Returns the states of all devices, as far as packets to these destinations need them: interfaces and `fib`.
    pub fn states(&self, destinations: &BTreeSet<IpAddr>) -> BTreeMap<NodeName, DeviceState> {
        let network = self.network;
        let mut tables = BTreeSet::new();
        for destination in destinations {
            match network.destinations.get(destination) {
                Some(towards) if towards.tables.iter().all(|&table| self.repaired[table].is_some()) => {
                    tables.extend(towards.tables.iter().copied());
                }
                Some(_) | None => {
                    let towards = |prefix: &IpNet| destinations.iter().any(|address| prefix.contains(address));
                    let asked = |prefix: &IpNet| !network.bounded || towards(prefix);
                    return Routing::to(network.configs, network.cables, &self.failed, asked).prediction().states;
                }
            }
        }
        let state = |(device, (name, _)): (usize, &(&NodeName, &DeviceConfig))| {
            let route = |&table: &usize| {
                let prefix = network.tables[table].prefix;
                self.route(device, table).map(|route| (prefix, route))
            };
            let interfaces = Some(self.interfaces(device).clone());
            let state =
                DeviceState { interfaces, fib: Some(tables.iter().filter_map(route).collect()), ..Default::default() };
            ((*name).clone(), state)
        };
        network.devices.par_iter().enumerate().map(state).collect::<Vec<_>>().into_iter().collect()
    }

    fn end(&self, device: usize) -> Option<&End> {
        self.ends.iter().find(|end| end.device == device)
    }

    fn interfaces(&self, device: usize) -> &BTreeMap<InterfaceName, InterfaceState> {
        self.end(device).map_or(&self.network.interfaces[device], |end| &end.interfaces)
    }

    fn local(&self, device: usize) -> &RouteTable {
        self.end(device).map_or(&self.network.local[device], |end| &end.local)
    }

    fn choice(&self, device: usize, table: usize) -> Choice<'_> {
        let repaired = self.repaired[table].as_ref().and_then(|changes| {
            let index = changes.binary_search_by_key(&device, |(device, _)| *device).ok()?;
            Some(changes[index].1.as_deref().map_or(Choice::None, Choice::Received))
        });
        repaired.unwrap_or_else(|| self.network.tables[table].converged.choice(device))
    }

    fn route(&self, device: usize, table: usize) -> Option<Route> {
        if let Some(route) = self.local(device).get(&self.network.tables[table].prefix) {
            return Some(route.clone());
        }
        match self.choice(device, table) {
            Choice::None | Choice::Local => None,
            Choice::Received(sessions) => {
                let known = &self.network.sessions.speakers[device].sessions;
                let next_hops = sessions.iter().map(|&session| known[usize::from(session)].next_hop()).collect();
                Some(Route { protocol: RouteProtocol::Bgp, next_hops })
            }
        }
    }

    fn owns(&self, device: usize, towards: &Destination<'_>) -> bool {
        towards.owners.iter().any(|(owner, interface)| {
            *owner == device && self.interfaces(device)[*interface].oper_status == OperStatus::Up
        })
    }

    /// Follows packets from a device on, and returns the ways out of it. `None` when too many devices were met.
    fn visit(&self, device: usize, journey: &mut Journey<'_, '_>) -> Option<usize> {
        if let Some(open) = journey.open.get(&device) {
            // A device that is still being followed is met again in a loop.
            journey.walk.stopped |= open;
            return Some(0);
        }
        if journey.open.len() >= MOST_DEVICES {
            return None;
        }
        journey.open.insert(device, true);
        journey.walk.passed.insert(device);
        let (name, config) = self.network.devices[device];
        let towards = journey.towards;
        let mut ways = 0;
        if self.owns(device, towards) {
            if journey.packet.is_some_and(|packet| acl::denial_to_hosts(config, packet).is_some()) {
                journey.walk.stopped = true;
            } else {
                journey.walk.delivered_at.insert(name.clone());
            }
        } else if let Some(&table) = towards.tables.iter().find(|&&table| self.has_route(device, table)) {
            if let Some(route) = self.local(device).get(&self.network.tables[table].prefix) {
                for next_hop in &route.next_hops {
                    match next_hop {
                        NextHop::Discard => journey.walk.stopped = true,
                        NextHop::Interface { interface, .. } => {
                            ways += 1;
                            if self.lets_out(device, interface, journey) {
                                self.to_subnet(device, interface, journey)?;
                            }
                        }
                    }
                }
            } else if let Choice::Received(sessions) = self.choice(device, table) {
                ways = sessions.len();
                for &session in sessions {
                    let session = &self.network.sessions.speakers[device].sessions[usize::from(session)];
                    if self.lets_out(device, session.interface(), journey) {
                        self.visit(session.peer as usize, journey)?;
                    }
                }
            }
        } else {
            journey.walk.stopped = true;
        }
        journey.open.insert(device, false);
        Some(ways)
    }

    /// Tells whether access lists let the packet leave an interface, and stops it if not.
    fn lets_out(&self, device: usize, interface: &InterfaceName, journey: &mut Journey<'_, '_>) -> bool {
        let config = self.network.devices[device].1;
        let denied = journey.packet.is_some_and(|packet| acl::denial(config, interface, packet).is_some());
        journey.walk.stopped |= denied;
        !denied
    }

    fn has_route(&self, device: usize, table: usize) -> bool {
        self.local(device).contains_key(&self.network.tables[table].prefix)
            || matches!(self.choice(device, table), Choice::Received(_))
    }

    /// Follows packets into the subnet of an interface that is up.
    fn to_subnet(&self, device: usize, interface: &InterfaceName, journey: &mut Journey<'_, '_>) -> Option<()> {
        let name = self.network.devices[device].0;
        let far = self.network.cabling.far_end(name, interface);
        match far.and_then(|far| self.network.numbers.get(&far.node)) {
            // A port for hosts, a loopback's subnet, or a device of which nothing is known.
            None => {
                journey.walk.delivered_at.insert(name.clone());
            }
            Some(&far) if self.owns(far, journey.towards) => {
                self.visit(far, journey)?;
            }
            Some(&far) => {
                journey.walk.passed.insert(far);
                journey.walk.stopped = true;
            }
        }
        Some(())
    }
}

/// Returns every prefix that contains an address, the longest first.
fn covering(address: IpAddr) -> impl Iterator<Item = IpNet> {
    let longest = if address.is_ipv4() { 32 } else { 128 };
    (0..=longest).rev().filter_map(move |length| IpNet::new(address, length).ok().map(|prefix| prefix.trunc()))
}
