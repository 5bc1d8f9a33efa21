//! What becomes of some destinations after each of many failures.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Mutex, OnceLock, PoisonError},
};

use ipnet::IpNet;
use rayon::prelude::*;
use weft_device::{
    config::DeviceConfig,
    state::{DeviceState, InterfaceState, NextHop, OperStatus, Route, RouteProtocol, RouteTable},
};
use weft_model::{InterfaceName, NodeName};

use crate::{
    Cable, Failed, Packet, Routing, Ways, acl,
    bgp::{self, Changes, Choice, Class, Converged, FarEnds, Gone, Scratch},
    cabling::Cabling,
    internal,
    local::{interfaces, local_routes},
    ospf::Ospf,
    policy::Policies,
    routing::{classes, may_overfill, origins},
    session::{Closed, Sessions, loopbacks},
    ways::Step,
};

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
    pub(crate) sessions: Sessions<'a>,
    policies: Policies,
    /// The other ends of the sessions, where scenarios are shortened.
    pub(crate) far: FarEnds,
    /// The prefixes that cover a destination.
    pub(crate) tables: Vec<Table>,
    /// What each device has by itself of the prefixes and destinations.
    own: Vec<Own<'a>>,
    destinations: BTreeMap<IpAddr, Destination<'a>>,
    /// Whether no session can be closed for too many prefixes, and no OSPF runs.
    shortened: bool,
    /// Whether no session can be closed for too many prefixes.
    bounded: bool,
    room: Room,
}

/// Room for as many computations as there ever are at the same time.
#[derive(Debug, Default)]
struct Room(Mutex<Vec<Scratch>>);

impl Room {
    /// Lends room to a computation.
    fn with<T>(&self, compute: impl FnOnce(&mut Scratch) -> T) -> T {
        let rooms = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = rooms().pop().unwrap_or_default();
        let answer = compute(&mut scratch);
        rooms().push(scratch);
        answer
    }
}

/// The routes to one prefix.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) prefix: IpNet,
    pub(crate) class: Class,
    pub(crate) converged: Converged,
    /// The devices that have a route of their own.
    pub(crate) own: Vec<usize>,
}

/// What a device has by itself.
#[derive(Debug, Default)]
struct Own<'a> {
    /// The tables of whose prefixes it has a route.
    tables: Vec<usize>,
    /// The destinations that are its addresses.
    addresses: Vec<(IpAddr, &'a InterfaceName)>,
}

#[derive(Debug)]
struct Destination<'a> {
    /// The interfaces with the address.
    owners: Vec<(usize, &'a InterfaceName)>,
    /// The prefixes that cover it, as numbers of tables, the longest first.
    tables: Vec<usize>,
}

/// What a failure takes away, in numbers, as far as it matters to the destinations.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    /// The devices that are off.
    off: BTreeSet<usize>,
    /// The sessions that are down.
    down: Gone,
    /// The devices whose own routes are others than before, or gone, each with the table.
    routes: Vec<(usize, usize)>,
    /// Those of them that originate the prefix no more.
    withdrawn: Vec<(usize, usize)>,
    /// The devices with the address of a destination on an interface that is down now.
    addresses: Vec<(IpAddr, usize)>,
}

impl Damage {
    /// Returns the devices that by themselves do something else with packets to a destination, which these tables cover.
    pub(crate) fn of(&self, destination: IpAddr, tables: &[usize]) -> impl Iterator<Item = usize> {
        let routes = self.routes.iter().filter(|(table, _)| tables.contains(table)).map(|(_, device)| *device);
        let addresses = self.addresses.iter().filter(move |(address, _)| *address == destination);
        self.off.iter().copied().chain(routes).chain(addresses.map(|(_, device)| *device))
    }

    /// Returns what is gone for the class of a table.
    pub(crate) fn gone(&self, table: usize) -> Cow<'_, Gone> {
        let withdrawn = self.withdrawn.iter().filter(|(of, _)| *of == table).map(|(_, device)| *device);
        let withdrawn: Vec<usize> = withdrawn.collect();
        if withdrawn.is_empty() { Cow::Borrowed(&self.down) } else { Cow::Owned(self.down.without(withdrawn)) }
    }
}

/// The network after a failure, or without one.
#[derive(Debug)]
pub struct Scenario<'s, 'a> {
    network: &'s Scenarios<'a>,
    failed: Failed,
    /// The devices whose interfaces and own routes differ, by their numbers.
    ends: BTreeMap<usize, End>,
    damage: Damage,
    /// What devices choose otherwise, for each table, once somebody asks; `None` where it is not known.
    repaired: Vec<OnceLock<Option<Changes>>>,
}

#[derive(Debug)]
pub(crate) struct End {
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
        let ways = internal::Ways { local: &[], interior: &interior, costs: &[] };
        let sessions = Sessions::new(&by_name, &cabling, &failed, &Closed::new(), &ways, &mut policies);
        // Where OSPF runs, a failure changes routes that no session carries, and sessions between loopbacks: all is simulated.
        let plain = !Ospf::new(&by_name, &cabling, &failed, |_| false).is_used() && loopbacks(&by_name).is_empty();
        let prefixes: Vec<BTreeSet<IpNet>> = local.iter().map(|table| table.keys().copied().collect()).collect();
        let classes = classes(&devices, &prefixes, &interior, &policies, |_| true);
        let bgp = bgp::Network { sessions: &sessions, policies: &policies };
        let bounded = !may_overfill(&sessions, &classes);
        let shortened = plain && bounded;
        let far = if shortened { FarEnds::new(&sessions) } else { FarEnds::default() };

        let mut tables: Vec<Table> = Vec::new();
        let mut own: Vec<Own<'_>> = devices.iter().map(|_| Own::default()).collect();
        let mut found = BTreeMap::new();
        if shortened {
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
                Table { prefix: class.prefixes[0], class, converged, own: Vec::new() }
            };
            tables = classes.into_par_iter().map_init(Scratch::default, table).collect();
            let numbers: BTreeMap<IpNet, usize> =
                tables.iter().enumerate().map(|(number, table): (usize, &Table)| (table.prefix, number)).collect();
            for (device, local) in local.iter().enumerate() {
                own[device].tables = local.keys().filter_map(|prefix| numbers.get(prefix).copied()).collect();
                for &table in &own[device].tables {
                    tables[table].own.push(device);
                }
            }
            for (number, (_, config)) in devices.iter().enumerate() {
                for (name, interface) in &config.interfaces {
                    for address in &interface.addresses {
                        if let Some(destination) = found.get_mut(&address.prefix.addr()) {
                            destination.owners.push((number, name));
                            own[number].addresses.push((address.prefix.addr(), name));
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
            far,
            tables,
            own,
            destinations: found,
            shortened,
            bounded,
            room: Room::default(),
        }
    }

    /// Tells whether scenarios are shortened: what changes is predicted, not all.
    pub fn is_shortened(&self) -> bool {
        self.shortened
    }

    /// Returns the number of a device: its place in the order of names.
    pub fn number(&self, node: &NodeName) -> Option<usize> {
        self.numbers.get(node).copied()
    }

    /// Returns the name of a device by its number.
    pub fn name(&self, device: usize) -> Option<&'a NodeName> {
        self.devices.get(device).map(|(name, _)| *name)
    }

    /// Returns the tables of the prefixes that cover a destination; `None` where scenarios tell nothing about it.
    pub(crate) fn tables_of(&self, destination: IpAddr) -> Option<&[usize]> {
        self.destinations.get(&destination).map(|destination| &destination.tables[..])
    }

    /// Returns the devices behind the interfaces of a device's own route.
    pub(crate) fn beyond_own(&self, device: usize, prefix: &IpNet) -> impl Iterator<Item = usize> {
        let next_hops = self.local[device].get(prefix).into_iter().flat_map(|route| route.next_hops.iter());
        let ports = next_hops.filter_map(NextHop::interface);
        ports.filter_map(move |port| self.number(&self.cabling.far_end(self.devices[device].0, port)?.node))
    }

    pub(crate) fn bgp(&self) -> bgp::Network<'_> {
        bgp::Network { sessions: &self.sessions, policies: &self.policies }
    }

    /// Returns the network while nothing is broken.
    pub fn steady(&self) -> Scenario<'_, 'a> {
        self.fail(&Failed::default())
    }

    /// Returns the network after a cut of one of its cables.
    pub fn cut(&self, cable: &Cable) -> Scenario<'_, 'a> {
        self.fail(&Failed { links: [cable[0].clone()].into(), nodes: BTreeSet::new() })
    }

    /// Returns the network after cables were cut and devices went off, all at the same time.
    pub fn fail(&self, failed: &Failed) -> Scenario<'_, 'a> {
        let (damage, ends) = self.damage(failed, true);
        let repaired = self.tables.iter().map(|_| OnceLock::new()).collect();
        Scenario { network: self, failed: failed.clone(), ends, damage, repaired }
    }

    /// Returns what a failure takes away, and what the devices that lost something have by themselves: all of them, or those of which
    /// that matters to the destinations.
    pub(crate) fn damage(&self, failed: &Failed, all: bool) -> (Damage, BTreeMap<usize, End>) {
        let off: BTreeSet<usize> = failed.nodes.iter().filter_map(|node| self.number(node)).collect();
        let ports_of = |node: &NodeName| {
            let config = self.configs.get_key_value(node);
            config.into_iter().flat_map(|(node, config)| config.interfaces.keys().map(move |port| (node, port)))
        };
        let cut =
            failed.links.iter().map(|end| (&end.node, &end.interface)).chain(failed.nodes.iter().flat_map(ports_of));
        let ports: BTreeSet<(&NodeName, &InterfaceName)> = cut
            .flat_map(|(node, port)| {
                let far = self.cabling.far_end(node, port).map(|far| (&far.node, &far.interface));
                [Some((node, port)), far].into_iter().flatten()
            })
            .collect();
        let (mut hit, mut down) = (BTreeSet::new(), Vec::new());
        for (node, port) in ports {
            let Some(device) = self.number(node) else { continue };
            hit.insert(device);
            for (index, session) in (0_u16..).zip(&self.sessions.speakers[device].sessions) {
                if session.interface() == port {
                    down.push((device, index));
                }
            }
        }
        let mut damage = Damage { off, down: Gone::new(down), ..Damage::default() };
        let mut ends = BTreeMap::new();
        for device in hit {
            let own = &self.own[device];
            if !all && own.tables.is_empty() && own.addresses.is_empty() {
                continue;
            }
            let (name, config) = self.devices[device];
            let interfaces = interfaces(name, config, &self.cabling, failed);
            let local = local_routes(config, &interfaces);
            for &number in &own.tables {
                let table = &self.tables[number];
                let left = local.get(&table.prefix);
                if left != self.local[device].get(&table.prefix) {
                    damage.routes.push((number, device));
                }
                if (left.is_none() || damage.off.contains(&device)) && table.class.origins.contains(&device) {
                    damage.withdrawn.push((number, device));
                }
            }
            for (address, port) in &own.addresses {
                if interfaces[*port].oper_status != self.interfaces[device][*port].oper_status {
                    damage.addresses.push((*address, device));
                }
            }
            ends.insert(device, End { interfaces, local });
        }
        (damage, ends)
    }
}

impl<'a> Scenario<'_, 'a> {
    /// Returns the number of a device: see [`Scenarios::number`].
    pub fn number(&self, node: &NodeName) -> Option<usize> {
        self.network.number(node)
    }

    /// Returns the name of a device by its number.
    pub fn name(&self, device: usize) -> Option<&'a NodeName> {
        self.network.name(device)
    }

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
        let from = self.network.number(from)?;
        let ways = self.ways(destination, packet, [from])?;
        let delivered_at = ways.delivered_at(from).into_iter().map(|device| self.network.devices[device].0.clone());
        Some(Walk {
            delivered_at: delivered_at.collect(),
            stopped: ways.fail().has(from),
            first_hops: ways.first_hops(from),
            passed: ways.passed(from),
        })
    }

    /// Returns all ways from some devices, by their numbers, to one of the destinations, past the access lists if a packet is
    /// given; `None` where only [`Scenario::states`] tells.
    pub fn ways(
        &self,
        destination: IpAddr,
        packet: Option<&Packet>,
        from: impl IntoIterator<Item = usize>,
    ) -> Option<Ways<'_>> {
        let towards = self.network.destinations.get(&destination)?;
        if towards.tables.iter().any(|&table| self.repaired(table).is_none()) {
            return None;
        }
        let step = |device| self.step(device, towards, packet);
        Some(Ways::explore(self.network.devices.len(), from, step))
    }

    /// Tells which devices take other ways to a destination than while nothing is broken, by their numbers; `None` where
    /// that is not known. Where many failures are looked at, [`Failures`](crate::Failures) tells it faster.
    pub fn changed(&self, destination: IpAddr) -> Option<BTreeSet<usize>> {
        let towards = self.network.destinations.get(&destination)?;
        let mut changed: BTreeSet<usize> = self.damage.of(destination, &towards.tables).collect();
        for &table in &towards.tables {
            changed.extend(self.repaired(table)?.iter().map(|(device, _)| *device));
        }
        Some(changed)
    }

    /// Returns what devices choose otherwise of the routes of a table; `None` where that is not known.
    fn repaired(&self, table: usize) -> Option<&Changes> {
        let repair = || {
            let (network, damage) = (self.network, &self.damage);
            let Table { class, converged, .. } = &network.tables[table];
            if !converged.stable {
                return None;
            }
            if self.ends.is_empty() {
                return Some(Changes::new());
            }
            let gone = damage.gone(table);
            network.room.with(|scratch| bgp::repair(network.bgp(), &network.far, class, converged, &gone, scratch))
        };
        self.repaired[table].get_or_init(repair).as_ref()
    }

    /// Returns the states of all devices, as far as packets to these destinations need them: interfaces and `fib`.
    pub fn states(&self, destinations: &BTreeSet<IpAddr>) -> BTreeMap<NodeName, DeviceState> {
        let network = self.network;
        let mut tables = BTreeSet::new();
        for destination in destinations {
            match network.destinations.get(destination) {
                Some(towards) if towards.tables.iter().all(|&table| self.repaired(table).is_some()) => {
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
        let on = network.devices.par_iter().enumerate().filter(|(device, _)| !self.damage.off.contains(device));
        on.map(state).collect::<Vec<_>>().into_iter().collect()
    }

    fn interfaces(&self, device: usize) -> &BTreeMap<InterfaceName, InterfaceState> {
        self.ends.get(&device).map_or(&self.network.interfaces[device], |end| &end.interfaces)
    }

    fn local(&self, device: usize) -> &RouteTable {
        self.ends.get(&device).map_or(&self.network.local[device], |end| &end.local)
    }

    fn choice(&self, device: usize, table: usize) -> Choice<'_> {
        let repaired = self.repaired(table).and_then(|changes| {
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

    /// Returns what a device does with packets to a destination.
    fn step<'s>(&'s self, device: usize, towards: &Destination<'_>, packet: Option<&Packet>) -> Step<'s> {
        let mut step = Step::default();
        let config = self.network.devices[device].1;
        if self.damage.off.contains(&device) {
            step.leaves = 1;
        } else if self.owns(device, towards) {
            match packet.and_then(|packet| acl::denial_to_hosts(config, packet)) {
                Some(_) => step.stops = 1,
                None => step.arrives = 1,
            }
        } else if let Some(&table) = towards.tables.iter().find(|&&table| self.has_route(device, table)) {
            let lets_out =
                |port: &InterfaceName| packet.is_none_or(|packet| acl::denial(config, port, packet).is_none());
            if let Some(route) = self.local(device).get(&self.network.tables[table].prefix) {
                for next_hop in &route.next_hops {
                    match next_hop.interface() {
                        None => step.stops += 1,
                        Some(port) => {
                            step.ways += 1;
                            if lets_out(port) {
                                self.to_subnet(device, port, towards, &mut step);
                            } else {
                                step.stops += 1;
                            }
                        }
                    }
                }
            } else if let Choice::Received(sessions) = self.choice(device, table) {
                step.ways = sessions.len();
                for &session in sessions {
                    let session = &self.network.sessions.speakers[device].sessions[usize::from(session)];
                    let port = session.interface();
                    if lets_out(port) {
                        step.next.push((session.peer as usize, Some(port)));
                    } else {
                        step.stops += 1;
                    }
                }
            }
        } else {
            step.stops = 1;
        }
        step
    }

    fn has_route(&self, device: usize, table: usize) -> bool {
        self.local(device).contains_key(&self.network.tables[table].prefix)
            || matches!(self.choice(device, table), Choice::Received(_))
    }

    /// Adds to a step the packets that go into the subnet of an interface that is up.
    fn to_subnet<'s>(
        &'s self,
        device: usize,
        interface: &'s InterfaceName,
        towards: &Destination<'_>,
        step: &mut Step<'s>,
    ) {
        let name = self.network.devices[device].0;
        let far = self.network.cabling.far_end(name, interface);
        match far.and_then(|far| self.network.numbers.get(&far.node)) {
            // A port for hosts, a loopback's subnet, or a device of which nothing is known.
            None => step.arrives += 1,
            Some(&far) if self.owns(far, towards) => step.next.push((far, Some(interface))),
            Some(&far) => {
                step.asked.push(far);
                step.stops += 1;
            }
        }
    }
}

/// Returns every prefix that contains an address, the longest first.
fn covering(address: IpAddr) -> impl Iterator<Item = IpNet> {
    let longest = if address.is_ipv4() { 32 } else { 128 };
    (0..=longest).rev().filter_map(move |length| IpNet::new(address, length).ok().map(|prefix| prefix.trunc()))
}
