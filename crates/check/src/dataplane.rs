//! What holds without any intent on the predicted data plane: no packet to an advertised prefix goes round in a loop or is handed to
//! a device that has no route for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;
use rayon::prelude::*;
use weft_device::{
    config::DeviceConfig,
    state::{DeviceState, NextHop, Route, RouteProtocol},
};
use weft_diagnostics::{Code, Diagnostic};
use weft_model::{InterfaceName, NodeName, TerminationPoint};
use weft_simulate::{Cable, Decision, Hop};

use crate::{codes, fleet::error, steps};

/// A device that has no route.
const NONE: u32 = u32::MAX;

/// The forwarding tables of a predicted network, turned over: for each prefix what every device does with it.
pub(crate) struct Fibs<'a> {
    devices: Vec<&'a NodeName>,
    /// The different routes of each device: its next hops, and where they lead.
    routes: Vec<Vec<(&'a Route, Vec<Beyond<'a>>)>>,
    /// For each prefix the number of each device's route.
    tables: BTreeMap<IpNet, Vec<u32>>,
}

/// A way out of a device: the interface, and the device behind it where that is known.
type Beyond<'a> = (&'a InterfaceName, Option<usize>);

/// What every device does with the packets to a prefix that are in no longer one: its route.
pub(crate) type Column<'f> = Vec<Option<(IpNet, &'f Route, &'f [Beyond<'f>])>>;

impl<'a> Fibs<'a> {
    pub(crate) fn new(states: &'a BTreeMap<NodeName, DeviceState>, cables: &'a [Cable]) -> Self {
        let devices: Vec<&NodeName> = states.keys().collect();
        let number = |node: &NodeName| devices.binary_search(&node).ok();
        let mut far: HashMap<(&NodeName, &InterfaceName), &TerminationPoint> = HashMap::new();
        for [a, b] in cables {
            far.insert((&a.node, &a.interface), b);
            far.insert((&b.node, &b.interface), a);
        }
        let mut tables: BTreeMap<IpNet, Vec<u32>> = BTreeMap::new();
        let mut routes = Vec::new();
        for (device, (name, state)) in states.iter().enumerate() {
            let mut known: BTreeMap<&BTreeSet<NextHop>, u32> = BTreeMap::new();
            let mut own = Vec::new();
            for (prefix, route) in state.fib.iter().flatten() {
                let number = *known.entry(&route.next_hops).or_insert_with(|| {
                    let beyond = |hop: &'a NextHop| {
                        let port = hop.interface()?;
                        Some((port, far.get(&(name, port)).and_then(|far| number(&far.node))))
                    };
                    own.push((route, route.next_hops.iter().filter_map(beyond).collect()));
                    u32::try_from(own.len() - 1).unwrap_or(NONE)
                });
                tables.entry(*prefix).or_insert_with(|| vec![NONE; devices.len()])[device] = number;
            }
            routes.push(own);
        }
        Self { devices, routes, tables }
    }

    pub(crate) fn number(&self, node: &NodeName) -> Option<usize> {
        self.devices.binary_search(&node).ok()
    }

    pub(crate) fn name(&self, device: usize) -> &'a NodeName {
        self.devices[device]
    }

    /// Returns the prefixes that contain one, itself first if it is known.
    fn covering(&self, prefix: IpNet) -> impl Iterator<Item = (IpNet, &Vec<u32>)> {
        let shorter = (0..=prefix.prefix_len())
            .rev()
            .filter_map(move |length| Some(IpNet::new(prefix.addr(), length).ok()?.trunc()));
        shorter.filter_map(|prefix| Some((prefix, self.tables.get(&prefix)?)))
    }

    /// Returns what every device does with packets to a prefix.
    pub(crate) fn column(&self, prefix: IpNet) -> Column<'_> {
        let mut column: Column<'_> = vec![None; self.devices.len()];
        for (prefix, table) in self.covering(prefix) {
            for (device, number) in table.iter().enumerate() {
                if column[device].is_none() && *number != NONE {
                    let (route, beyond) = &self.routes[device][*number as usize];
                    column[device] = Some((prefix, route, beyond.as_slice()));
                }
            }
        }
        column
    }

    /// Returns a hop out of a device over one of its ways.
    pub(crate) fn hop(&self, device: usize, column: &Column<'_>, to: Option<usize>) -> Hop {
        let node = self.devices[device].clone();
        let Some((prefix, route, beyond)) = column[device] else { return Hop { node, interface: None, route: None } };
        let over = beyond.iter().find(|(_, far)| to.is_some() && *far == to).map(|(port, _)| (*port).clone());
        let protocol = route.protocol;
        Hop { node, interface: over, route: Some(Decision { prefix, protocol }) }
    }

    /// Returns one prefix of each group on which all devices do the same, with how many there are in the group.
    fn groups(&self) -> Vec<(IpNet, usize)> {
        let mut numbers: HashMap<&Vec<u32>, usize> = HashMap::new();
        let mut number = |table| {
            let next = numbers.len();
            *numbers.entry(table).or_insert(next)
        };
        let mut groups: BTreeMap<Vec<usize>, (IpNet, usize)> = BTreeMap::new();
        for prefix in self.tables.keys() {
            let key: Vec<usize> = self.covering(*prefix).map(|(_, table)| number(table)).collect();
            groups.entry(key).or_insert((*prefix, 0)).1 += 1;
        }
        groups.into_values().collect()
    }
}

/// What breaks a default.
struct Broken {
    code: Code,
    prefix: IpNet,
    prefixes: usize,
    path: Vec<Hop>,
}

/// Returns a finding for each loop and each blackhole on the way to an advertised prefix.
pub(crate) fn check(fibs: &Fibs<'_>, configs: &BTreeMap<NodeName, DeviceConfig>) -> Vec<Diagnostic> {
    let broken: Vec<Broken> =
        fibs.groups().par_iter().flat_map_iter(|&(prefix, prefixes)| broken(fibs, prefix, prefixes)).collect();
    // One cause shows at many prefixes: it is told once.
    let mut told: BTreeMap<(Code, Vec<NodeName>), (Broken, usize)> = BTreeMap::new();
    for broken in broken {
        let nodes = broken.path.iter().map(|hop| hop.node.clone()).collect();
        let prefixes = broken.prefixes;
        told.entry((broken.code, nodes)).or_insert((broken, 0)).1 += prefixes;
    }
    told.into_values().map(|(broken, prefixes)| finding(&broken, prefixes, configs)).collect()
}

fn finding(broken: &Broken, prefixes: usize, configs: &BTreeMap<NodeName, DeviceConfig>) -> Diagnostic {
    let Broken { code, prefix, path, .. } = broken;
    let more = match prefixes - 1 {
        0 => String::new(),
        1 => " and 1 more prefix".to_owned(),
        more => format!(" and {more} more prefixes"),
    };
    let nodes: Vec<String> = path.iter().map(|hop| hop.node.to_string()).collect();
    let message = if *code == codes::LOOP {
        format!("packets to {prefix}{more} go round in a loop: {}", nodes.join(" -> "))
    } else {
        format!("packets to {prefix}{more} are lost at {}, which has no route for them", nodes.join(" -> "))
    };
    let origin = configs.values().find_map(|config| config.bgp.as_ref()?.networks.get(prefix));
    let finding = match origin {
        Some(network) => error(*code, message, &network.provenance.sources),
        None => Diagnostic::error(*code, message),
    };
    finding.path(steps(path))
}

fn broken(fibs: &Fibs<'_>, prefix: IpNet, prefixes: usize) -> Vec<Broken> {
    let column = fibs.column(prefix);
    let learned = |(_, route, _): &(IpNet, &Route, &[Beyond<'_>])| {
        matches!(route.protocol, RouteProtocol::Bgp | RouteProtocol::Ospf)
    };
    if !column.iter().flatten().any(|route| route.0 == prefix && learned(route)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    // A connected route ends: its packets go to neighbors on its subnet, not on by their routes.
    let next = |device: usize| {
        let hands_on = column[device].filter(|(_, route, _)| route.protocol != RouteProtocol::Connected);
        hands_on.into_iter().flat_map(|(_, _, beyond)| beyond.iter().filter_map(|(_, far)| *far))
    };
    for device in 0..column.len() {
        if let Some(far) = next(device).find(|far| column[*far].is_none()) {
            let path = vec![fibs.hop(device, &column, Some(far)), fibs.hop(far, &column, None)];
            found.push(Broken { code: codes::BLACKHOLE, prefix, prefixes, path });
        }
    }
    if let Some(cycle) = cycle(column.len(), next) {
        let hops = cycle.iter().zip(cycle.iter().skip(1).chain(cycle.first()));
        let mut path: Vec<Hop> = hops.map(|(&device, &next)| fibs.hop(device, &column, Some(next))).collect();
        path.extend(path.first().cloned().map(|hop| Hop { interface: None, route: None, ..hop }));
        found.push(Broken { code: codes::LOOP, prefix, prefixes, path });
    }
    found
}

/// Returns a loop, if there is one, from its smallest number on.
fn cycle<I: Iterator<Item = usize>>(devices: usize, next: impl Fn(usize) -> I) -> Option<Vec<usize>> {
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); devices];
    let mut open = vec![0; devices];
    for (device, open) in open.iter_mut().enumerate() {
        for far in next(device) {
            before[far].push(device);
            *open += 1;
        }
    }
    let mut ended: Vec<usize> = (0..devices).filter(|&device| open[device] == 0).collect();
    while let Some(device) = ended.pop() {
        for &earlier in &before[device] {
            open[earlier] -= 1;
            if open[earlier] == 0 {
                ended.push(earlier);
            }
        }
    }
    // Every device that is left hands on to another that is left.
    let mut way = vec![(0..devices).find(|&device| open[device] > 0)?];
    loop {
        let far = next(*way.last()?).find(|far| open[*far] > 0)?;
        if let Some(begin) = way.iter().position(|device| *device == far) {
            let mut cycle = way.split_off(begin);
            let smallest = (0..cycle.len()).min_by_key(|&index| cycle[index])?;
            cycle.rotate_left(smallest);
            return Some(cycle);
        }
        way.push(far);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// Returns three devices in a triangle, `a:b` being the port of `a` to `b`, with a route for each prefix and device that hands
    /// on to another.
    fn checked(routes: &[(&str, &str, &str)]) -> Vec<Diagnostic> {
        let end =
            |node: &str, far: &str| TerminationPoint { node: node.parse().unwrap(), interface: far.parse().unwrap() };
        let cables = [("a", "b"), ("a", "c"), ("b", "c")].map(|(a, b)| [end(a, b), end(b, a)]);
        let mut states: BTreeMap<NodeName, DeviceState> = BTreeMap::new();
        for name in ["a", "b", "c"] {
            let fib = routes.iter().filter(|(_, from, _)| *from == name).map(|(prefix, _, to)| {
                let (protocol, next_hop) = match *to {
                    "own" => {
                        (RouteProtocol::Connected, NextHop::Interface { interface: "swp1".parse().unwrap(), via: None })
                    }
                    to => (RouteProtocol::Bgp, NextHop::Interface { interface: to.parse().unwrap(), via: None }),
                };
                (prefix.parse().unwrap(), Route { protocol, next_hops: [next_hop].into() })
            });
            states.insert(name.parse().unwrap(), DeviceState { fib: Some(fib.collect()), ..DeviceState::default() });
        }
        check(&Fibs::new(&states, &cables), &BTreeMap::new())
    }

    #[test]
    fn loops_and_blackholes_are_found_past_longer_and_shorter_prefixes() {
        let fine = [("10.0.0.0/24", "a", "b"), ("10.0.0.0/24", "b", "c"), ("10.0.0.0/24", "c", "own")];
        assert_eq!(checked(&fine), []);
        // What the longer prefix of one device lacks, the shorter one of the next has.
        let shorter = [("10.0.0.0/25", "a", "b"), ("10.0.0.0/24", "b", "c"), ("10.0.0.0/24", "c", "own")];
        assert_eq!(checked(&shorter), []);
        let lost = checked(&[
            ("10.0.0.0/24", "a", "b"),
            ("10.0.1.0/24", "a", "b"),
            ("10.0.2.0/24", "a", "c"),
            ("10.0.2.0/24", "c", "own"),
        ]);
        let [finding] = &lost[..] else { panic!("{lost:?}") };
        assert_eq!(finding.code, codes::BLACKHOLE);
        assert_eq!(
            finding.message,
            "packets to 10.0.0.0/24 and 1 more prefix are lost at a -> b, which has no route for them"
        );
        let round = checked(&[
            ("0.0.0.0/0", "a", "b"),
            ("10.0.0.0/8", "b", "c"),
            ("10.0.0.0/24", "c", "a"),
            ("0.0.0.0/0", "b", "own"),
            ("0.0.0.0/0", "c", "own"),
        ]);
        let [finding] = &round[..] else { panic!("{round:?}") };
        assert_eq!(finding.code, codes::LOOP);
        assert!(finding.message.ends_with("go round in a loop: a -> b -> c -> a"), "{}", finding.message);
        let path: Vec<String> = finding.path.iter().map(ToString::to_string).collect();
        assert_eq!(path, ["a -> b (bgp 0.0.0.0/0)", "b -> c (bgp 10.0.0.0/8)", "c -> a (bgp 10.0.0.0/24)", "a"]);
    }

    #[test]
    fn a_loop_is_found_behind_a_way_into_it() {
        let next = [vec![1], vec![3, 2], vec![], vec![4], vec![1]];
        assert_eq!(cycle(5, |device| next[device].iter().copied()), Some(vec![1, 3, 4]));
        let next = [vec![1, 2], vec![2], vec![]];
        assert_eq!(cycle(3, |device| next[device].iter().copied()), None);
    }
}
