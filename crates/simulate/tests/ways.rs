//! What one pass over all ways says, against every single path, on random data planes with loops and dead ends.
#![allow(clippy::unwrap_used, reason = "a failure ends the run")]

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use proptest::prelude::*;
use weft_device::state::{DeviceState, InterfaceState, NextHop, OperStatus, Route, RouteProtocol, RouteTable};
use weft_model::{InterfaceName, NodeName, TerminationPoint};
use weft_simulate::{Bounds, Cable, Forwarding, Outcome, Stray};

const DESTINATION: &str = "192.0.2.1";

/// A data plane: for each device the devices that it hands packets to, itself for a route that drops them. The first device has the
/// destination; a device without any has no route.
struct Plane {
    states: BTreeMap<NodeName, DeviceState>,
    cables: Vec<Cable>,
    next: Vec<Vec<usize>>,
}

/// The devices of a path, whether it arrives, and how much of a unit goes along it; `None` for one that comes back to where it was.
type Path = (Vec<usize>, Option<bool>, f64);

fn name(device: usize) -> NodeName {
    format!("d{device}").parse().unwrap()
}

fn port(number: usize) -> InterfaceName {
    format!("swp{number}").parse().unwrap()
}

impl Plane {
    fn new(next: Vec<Vec<usize>>) -> Self {
        let mut cables = Vec::new();
        let mut states = BTreeMap::new();
        let up = |addresses| InterfaceState { oper_status: OperStatus::Up, mtu: None, addresses };
        for (device, far) in next.iter().enumerate() {
            let mut next_hops = BTreeSet::new();
            for far in far {
                if *far == device {
                    next_hops.insert(NextHop::Discard);
                    continue;
                }
                // A cable of its own for each way: 1, 2, ... at this end and from 1001 on at the other.
                let number = cables.len() + 1;
                let ends = [(device, number), (*far, 1000 + number)];
                cables.push(
                    ends.map(|(device, number)| TerminationPoint { node: name(device), interface: port(number) }),
                );
                next_hops.insert(NextHop::Interface { interface: port(number), via: None });
            }
            let mut fib = RouteTable::new();
            if !next_hops.is_empty() {
                let route = Route { protocol: RouteProtocol::Bgp, next_hops: next_hops.into() };
                fib.insert("192.0.2.0/24".parse().unwrap(), route);
            }
            let mut interfaces = BTreeMap::new();
            if device == 0 {
                interfaces.insert("lo".parse().unwrap(), up([format!("{DESTINATION}/32").parse().unwrap()].into()));
            }
            let state = DeviceState { fib: Some(fib.into()), interfaces: Some(interfaces), ..DeviceState::default() };
            states.insert(name(device), state);
        }
        Self { states, cables, next }
    }

    /// Adds every path from a device, with how much of a unit goes along it; `None` where it comes back to where it was.
    fn paths(&self, path: &mut Vec<usize>, share: f64, found: &mut Vec<Path>) {
        let device = *path.last().unwrap();
        if device == 0 {
            return found.push((path.clone(), Some(true), share));
        }
        let next = &self.next[device];
        if next.is_empty() {
            return found.push((path.clone(), Some(false), share));
        }
        #[allow(clippy::cast_precision_loss, reason = "few")]
        let each = share / next.len() as f64;
        for &far in next {
            if far == device {
                found.push((path.clone(), Some(false), each));
            } else if path.contains(&far) {
                found.push((path.clone(), None, each));
            } else {
                path.push(far);
                self.paths(path, each, found);
                path.pop();
            }
        }
    }
}

fn agrees(plane: &Plane, via: &BTreeSet<usize>, avoid: &BTreeSet<usize>, most: usize) {
    let destination: IpAddr = DESTINATION.parse().unwrap();
    let forwarding = Forwarding::new(&plane.states, &plane.cables);
    let devices = 0..plane.next.len();
    let ways = forwarding.ways(destination, None, devices.clone());
    let marks = (ways.arrive(), ways.fail(), ways.miss(via), ways.meet(avoid), ways.may_arrive());
    let looping: BTreeSet<usize> = ways.looping().collect();
    for from in devices {
        let mut paths = Vec::new();
        plane.paths(&mut vec![from], 1.0, &mut paths);
        let any = |holds: &dyn Fn(&Path) -> bool| paths.iter().any(holds);
        let past = |path: &[usize], devices: &BTreeSet<usize>| path.iter().any(|device| devices.contains(device));
        assert_eq!(marks.0.has(from), any(&|(_, end, _)| *end == Some(true)));
        assert_eq!(marks.4.has(from), marks.0.has(from));
        assert_eq!(marks.1.has(from), any(&|(_, end, _)| *end != Some(true)));
        assert_eq!(marks.2.has(from), any(&|(path, end, _)| *end == Some(true) && !past(path, via)));
        assert_eq!(marks.3.has(from), any(&|(path, _, _)| past(path, avoid)));
        assert_eq!(looping.contains(&from), any(&|(_, end, _)| end.is_none()));
        let met: BTreeSet<usize> = paths.iter().flat_map(|(path, _, _)| path.iter().copied()).collect();
        assert_eq!(ways.passed(from), met);
        let at: BTreeSet<usize> =
            paths.iter().filter(|(_, end, _)| *end == Some(true)).map(|(path, _, _)| path[path.len() - 1]).collect();
        assert_eq!(ways.delivered_at(from), at);
        let trace = forwarding.trace(&name(from), destination, destination);
        assert_eq!(trace.is_delivered(), !marks.1.has(from));
        assert_eq!(trace.outcomes.keys().any(|o| matches!(o, Outcome::Delivered { .. })), marks.0.has(from));
        assert_eq!(trace.first_hops, ways.first_hops(from));

        // A way that leaves its bounds is one, and there is one where it is said so.
        let bounds = Bounds { via: Some(via.clone()), avoid: avoid.clone(), max_hops: Some(most) };
        let longest = paths.iter().map(|(path, _, _)| path.len()).max().unwrap();
        match ways.stray(from, &bounds) {
            Some((Stray::Misses, way)) => assert!(marks.2.has(from) && !past(&way, via) && way.last() == Some(&0)),
            Some((Stray::Meets, way)) => assert!(avoid.contains(way.last().unwrap()) && way[0] == from),
            Some((Stray::TooLong, way)) => assert!(way.len() > most && way.len() == longest),
            None => assert!(!marks.2.has(from) && !marks.3.has(from)),
        }
        if looping.contains(&from) {
            assert_eq!(ways.longest(from), None);
            continue;
        }
        assert_eq!(ways.longest(from), Some(longest));
        assert_eq!(ways.longest_way(from).len(), longest);
        let hops = forwarding.hops(&ways.longest_way(from), destination, None);
        let names: Vec<NodeName> = hops.iter().map(|hop| hop.node.clone()).collect();
        assert_eq!(names, ways.longest_way(from).into_iter().map(name).collect::<Vec<_>>());

        // What goes over each hop is the sum of the shares of the paths over it.
        let mut over: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        for (path, _, share) in &paths {
            for hop in path.windows(2) {
                *over.entry((hop[0], hop[1])).or_default() += 8.0 * share;
            }
        }
        let far: BTreeMap<(NodeName, InterfaceName), NodeName> =
            plane.cables.iter().map(|[a, b]| ((a.node.clone(), a.interface.clone()), b.node.clone())).collect();
        let mut spread: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        let lost = ways.spread(&[(from, 3.0), (from, 5.0)], |device, port, amount| {
            let far = &far[&(name(device), port.clone())];
            *spread.entry((device, forwarding.number(far).unwrap())).or_default() += amount;
        });
        let stopped: f64 = paths.iter().filter(|(_, end, _)| *end != Some(true)).map(|(_, _, share)| 8.0 * share).sum();
        assert!((lost - stopped).abs() < 1e-9, "{lost} {stopped}");
        assert_eq!(over.keys().collect::<Vec<_>>(), spread.keys().collect::<Vec<_>>());
        assert!(over.values().zip(spread.values()).all(|(a, b)| (a - b).abs() < 1e-9), "{over:?} {spread:?}");
    }
}

#[test]
fn traffic_is_split_at_each_device_and_not_by_paths() {
    // 3 hands on to 1 and 2; 1 to the destination over two cables and to a dead end, 2 to 1 alone.
    let plane = Plane::new(vec![vec![], vec![0, 0, 4], vec![1], vec![1, 2], vec![]]);
    let forwarding = Forwarding::new(&plane.states, &plane.cables);
    let ways = forwarding.ways(DESTINATION.parse().unwrap(), None, [3]);
    let mut over = BTreeMap::new();
    let lost = ways.spread(&[(3, 12.0)], |_, port, amount| {
        over.insert(port.to_string(), amount);
    });
    assert!((lost - 4.0).abs() < 1e-9);
    let over: Vec<(&str, f64)> = over.iter().map(|(port, amount)| (port.as_str(), *amount)).collect();
    assert_eq!(over, [("swp1", 4.0), ("swp2", 4.0), ("swp3", 4.0), ("swp4", 6.0), ("swp5", 6.0), ("swp6", 6.0)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn one_pass_says_what_all_paths_say(
        next in proptest::collection::vec(proptest::collection::vec(0_usize..7, 0..4), 2..7),
        via in proptest::collection::btree_set(0_usize..7, 0..3),
        avoid in proptest::collection::btree_set(0_usize..7, 0..2),
        most in 1_usize..7,
        forward in any::<bool>(),
    ) {
        let count = next.len();
        // Half of the networks have no loop: each device hands on to smaller ones only.
        let clip = |(device, far): (usize, Vec<usize>)| {
            let far = far.into_iter().map(|far| if forward { far % (device + 1) } else { far % count });
            // One way of each device at most drops packets.
            let (own, others): (Vec<usize>, Vec<usize>) = far.partition(|far| *far == device);
            if device == 0 { Vec::new() } else { others.into_iter().chain(own.into_iter().take(1)).collect() }
        };
        let plane = Plane::new(next.into_iter().enumerate().map(clip).collect());
        agrees(&plane, &via, &avoid, most);
    }
}
