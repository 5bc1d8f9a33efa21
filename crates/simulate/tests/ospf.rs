//! OSPF: adjacencies, shortest paths, areas, external routes, both address families.
#![allow(clippy::unwrap_used, reason = "a failure ends the run")]

mod fabric;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use fabric::{Fabric, end, node, ospf_fat_tree, prefix};
use petgraph::{
    algo::dijkstra,
    graph::{DiGraph, NodeIndex},
};
use proptest::prelude::*;
use weft_device::{
    config::{Action, AfiSafi, Area, PeerType, Transformations},
    state::{DeviceState, NextHop, OspfState, RouteProtocol},
};
use weft_model::{Mtu, Provenance};
use weft_simulate::{Failed, Prediction, Scenarios, simulate, trace};

/// Returns the interfaces through which a device sends packets to a prefix, and who made the route.
fn route(prediction: &Prediction, from: &str, to: &str) -> Option<(RouteProtocol, Vec<String>)> {
    let route = prediction.states[from].rib.as_ref().unwrap().get(&prefix(to))?;
    Some((route.protocol, route.interfaces().iter().map(ToString::to_string).collect()))
}

/// Returns the ways of OSPF to a prefix.
fn ways(prediction: &Prediction, from: &str, to: &str) -> Vec<String> {
    route(prediction, from, to).filter(|(by, _)| *by == RouteProtocol::Ospf).map(|(_, ways)| ways).unwrap_or_default()
}

fn routers<const N: usize>(names: [&str; N]) -> Fabric {
    let mut fabric = Fabric::default();
    for name in names {
        fabric.router(name);
    }
    fabric
}

#[test]
fn the_shortest_paths_are_used_together_for_both_families() {
    // r1 reaches r4 over r2 and r3 alike, and over a cable of its own that costs more.
    let mut fabric = routers(["r1", "r2", "r3", "r4"]);
    for (a, b, metric) in [("r1", "r2", 1), ("r1", "r3", 1), ("r2", "r4", 1), ("r3", "r4", 1), ("r1", "r4", 5)] {
        fabric.adjacency(a, b, "0", [metric, metric], true);
    }
    let prediction = fabric.simulate();
    assert_eq!(ways(&prediction, "r1", "10.0.0.4/32"), ["swp1", "swp2"]);
    assert_eq!(ways(&prediction, "r1", "2001:db8::4/128"), ["swp1", "swp2"]);
    let rib = prediction.states["r1"].rib.as_ref().unwrap();
    let hop = |via: Option<&str>| NextHop::Interface {
        interface: end("r1:swp1").interface,
        via: via.map(|via| via.parse().unwrap()),
    };
    assert!(rib[&prefix("10.0.0.4/32")].next_hops.contains(&hop(Some("10.128.0.1"))));
    assert!(rib[&prefix("2001:db8::4/128")].next_hops.contains(&hop(None)));
    // The subnets of cables are announced as well; its own are connected.
    assert_eq!(ways(&prediction, "r1", "10.128.0.4/31"), ["swp1"]);
    assert_eq!(route(&prediction, "r1", "10.128.0.0/31"), Some((RouteProtocol::Connected, vec!["swp1".to_owned()])));
    let neighbors = prediction.states["r1"].ospf_neighbors.as_ref().unwrap();
    assert_eq!(neighbors.len(), 3);
    let first = &neighbors[&end("r1:swp1").interface];
    assert_eq!(first.len(), 2);
    assert!(first.values().all(|n| n.state == OspfState::Full && n.router_id == Ipv4Addr::new(10, 0, 0, 2)));

    fabric.ospf("r1").maximum_paths = 1;
    assert_eq!(ways(&fabric.simulate(), "r1", "10.0.0.4/32").len(), 1);
    let failed = Failed { links: [end("r1:swp1"), end("r3:swp2")].into(), nodes: BTreeSet::new() };
    let prediction = simulate(&fabric.configs, &fabric.cables, &failed);
    assert_eq!(ways(&prediction, "r1", "10.0.0.4/32"), ["swp3"]);
    let states: Vec<OspfState> = prediction.states["r1"]
        .ospf_neighbors
        .as_ref()
        .unwrap()
        .values()
        .map(|n| n[&AfiSafi::Ipv4Unicast].state)
        .collect();
    assert_eq!(states, [OspfState::Down, OspfState::Full, OspfState::Full]);
    let to = "10.0.0.2".parse().unwrap();
    let path = trace(&prediction.states, &fabric.cables, &node("r1"), to, to);
    assert!(path.is_delivered());
    assert_eq!(path.outcomes.values().next().unwrap().len(), 3, "over r4");
}

#[test]
fn ends_that_disagree_are_not_adjacent() {
    type Change = fn(&mut Fabric);
    let changes: [(&str, Change); 7] = [
        ("area", |f| f.announce("r1:swp1", "1", 1, false)),
        ("stub", |f| {
            let area = Area { stub: true, provenance: Provenance::default() };
            f.ospf("r1").areas.insert("0".parse().unwrap(), area);
        }),
        ("hello", |f| f.ospf("r1").interfaces.get_mut(&end("r1:swp1").interface).unwrap().hello.0 = 2),
        ("dead", |f| f.ospf("r1").interfaces.get_mut(&end("r1:swp1").interface).unwrap().dead.0 = 9),
        ("passive", |f| f.announce("r1:swp1", "0", 1, true)),
        ("router id", |f| f.ospf("r1").router_id = Ipv4Addr::new(10, 0, 0, 2)),
        ("mtu", |f| {
            for (name, mtu) in [("r1", Mtu::ETHERNET), ("r2", 9000.try_into().unwrap())] {
                f.config(name).interfaces.get_mut(&end("r1:swp1").interface).unwrap().mtu = Some(mtu);
            }
        }),
    ];
    for (what, change) in changes {
        let mut fabric = routers(["r1", "r2"]);
        fabric.adjacency("r1", "r2", "0", [1, 1], true);
        change(&mut fabric);
        let prediction = fabric.simulate();
        let neighbors = &prediction.states["r2"].ospf_neighbors.as_ref().unwrap()[&end("r2:swp1").interface];
        assert!(neighbors.values().all(|neighbor| neighbor.state == OspfState::Down), "{what}");
        assert_eq!(ways(&prediction, "r2", "10.0.0.1/32"), Vec::<String>::new(), "{what}");
    }
    // Each family is by itself: one that only one end runs, or whose addresses do not fit.
    let mut fabric = routers(["r1", "r2"]);
    fabric.adjacency("r1", "r2", "0", [1, 1], true);
    fabric.ospf("r1").families.remove(&AfiSafi::Ipv6Unicast);
    let prediction = fabric.simulate();
    assert_eq!(ways(&prediction, "r2", "10.0.0.1/32"), ["swp1"]);
    assert_eq!(ways(&prediction, "r2", "2001:db8::1/128"), Vec::<String>::new());
    let mut fabric = routers(["r1", "r2"]);
    fabric.adjacency("r1", "r2", "0", [1, 1], true);
    fabric.config("r1").interfaces.get_mut(&end("r1:swp1").interface).unwrap().addresses[0].prefix =
        prefix("10.9.0.0/31");
    let prediction = fabric.simulate();
    assert_eq!(ways(&prediction, "r2", "10.0.0.1/32"), Vec::<String>::new());
    assert_eq!(ways(&prediction, "r2", "2001:db8::1/128"), ["swp1"]);
}

#[test]
fn a_link_without_addresses_is_known_by_its_interface() {
    let mut fabric = routers(["r1", "r2"]);
    fabric.adjacency("r1", "r2", "0", [1, 1], false);
    let prediction = fabric.simulate();
    let rib = prediction.states["r1"].rib.as_ref().unwrap();
    let hop = NextHop::Interface { interface: end("r1:swp1").interface, via: None };
    assert_eq!(rib[&prefix("10.0.0.2/32")].next_hops, [hop].into());
}

#[test]
fn a_fat_tree_has_the_widths_of_the_closed_form() {
    let fabric = ospf_fat_tree(4);
    let prediction = fabric.simulate();
    for (from, to, width) in
        [("e-0-0", "e-3-1", 2), ("e-0-0", "e-0-1", 2), ("a-0-0", "e-3-1", 2), ("c-0-0", "e-3-1", 1)]
    {
        assert_eq!(ways(&prediction, from, &fabric.loopback(to).to_string()).len(), width, "{from} to {to}");
    }
}

/// Two border routers `b1` and `b2` between the backbone, with `c` in it, and area 1, with `i` in it.
fn two_areas() -> Fabric {
    let mut fabric = routers(["c", "b1", "b2", "i"]);
    fabric.adjacency("c", "b1", "0", [1, 1], true);
    fabric.adjacency("c", "b2", "0", [3, 3], true);
    fabric.adjacency("b1", "i", "1", [10, 10], true);
    fabric.adjacency("b2", "i", "1", [1, 1], true);
    fabric.announce("i:lo", "1", 1, true);
    fabric
}

#[test]
fn areas_are_joined_by_their_border_routers() {
    let mut fabric = two_areas();
    let prediction = fabric.simulate();
    // 1 + 10 over b1, 3 + 1 over b2.
    assert_eq!(ways(&prediction, "c", "10.0.0.4/32"), ["swp2"]);
    assert_eq!(ways(&prediction, "c", "2001:db8::4/128"), ["swp2"]);
    assert_eq!(ways(&prediction, "i", "10.0.0.1/32"), ["swp2"]);
    // A path within the area comes before a shorter one over the backbone, which b1 does not even look at.
    assert_eq!(ways(&prediction, "b1", "10.0.0.4/32"), ["swp2"]);
    // A loopback of the backbone is not within the area: b1 goes to b2 over c, and i compares what both say.
    assert_eq!(ways(&prediction, "b1", "10.0.0.3/32"), ["swp1"]);
    assert_eq!(ways(&prediction, "i", "10.0.0.2/32"), ["swp2"]);
    fabric.announce("i:swp1", "1", 4, false);
    assert_eq!(ways(&fabric.simulate(), "i", "10.0.0.2/32"), ["swp1"]);
    fabric.announce("i:swp1", "1", 5, false);
    assert_eq!(ways(&fabric.simulate(), "i", "10.0.0.2/32"), ["swp1", "swp2"]);
    // Without the backbone there is nobody to tell of other areas.
    let failed = Failed { links: [end("c:swp1"), end("c:swp2")].into(), nodes: BTreeSet::new() };
    let prediction = simulate(&fabric.configs, &fabric.cables, &failed);
    assert_eq!(ways(&prediction, "i", "10.0.0.1/32"), Vec::<String>::new());
    assert_eq!(
        ways(&prediction, "i", "10.0.0.2/32"),
        ["swp1"],
        "the loopback of a border router is in the backbone still"
    );
}

#[test]
fn a_path_within_an_area_comes_before_a_shorter_one_between_areas() {
    // b1 and b2 have a dear link in area 1 and a cheap way in the backbone; b2's loopback is in area 1.
    let mut fabric = routers(["b1", "b2"]);
    fabric.adjacency("b1", "b2", "0", [1, 1], true);
    fabric.adjacency("b1", "b2", "1", [100, 100], true);
    assert_eq!(ways(&fabric.simulate(), "b1", "10.0.0.2/32"), ["swp1"]);
    fabric.announce("b2:lo", "1", 1, true);
    assert_eq!(ways(&fabric.simulate(), "b1", "10.0.0.2/32"), ["swp2"]);
}

/// Makes `border` learn a default route and `198.51.100.0/24` from a device of another AS, and lets those into OSPF that are
/// of the longer sort.
fn external(fabric: &mut Fabric, border: &str, asn: u32) {
    let transit = format!("transit-{border}");
    fabric.device(&transit, asn, 64);
    let ospf = fabric.config(border).ospf.clone();
    let number = fabric.configs.keys().position(|name| name.as_str() == border).unwrap();
    let mut bgp = fabric.configs[transit.as_str()].bgp.clone().unwrap();
    bgp.asn = 65_000.try_into().unwrap();
    bgp.router_id = Ipv4Addr::new(192, 0, 2, u8::try_from(number).unwrap());
    bgp.networks.clear();
    fabric.config(border).bgp = Some(bgp);
    fabric.config(border).ospf = ospf;
    let cable = fabric.link(border, &transit, true);
    fabric.neighbor(border, cable).peer_type = PeerType::External;
    for network in ["0.0.0.0/0", "198.51.100.0/24"] {
        fabric.discard(&transit, network);
        fabric.originate(&transit, network);
    }
    let all = fabric.policy("all", &[(None, Transformations::default(), Action::Accept)]);
    fabric.ospf(border).redistribute_bgp = Some(all);
}

#[test]
fn routes_from_outside_go_into_every_area_that_is_no_stub() {
    let mut fabric = two_areas();
    external(&mut fabric, "c", 64_496);
    let prediction = fabric.simulate();
    assert!(prediction.unstable.is_empty());
    assert_eq!(route(&prediction, "c", "0.0.0.0/0").unwrap().0, RouteProtocol::Bgp);
    for (from, ways_there) in [("b1", ["swp1"]), ("b2", ["swp1"]), ("i", ["swp2"])] {
        for network in ["0.0.0.0/0", "198.51.100.0/24"] {
            assert_eq!(ways(&prediction, from, network), ways_there, "{from} to {network}");
        }
    }
    // A stub area has a default route from each border router, as near as it is.
    for name in ["b1", "b2", "i"] {
        let area = Area { stub: true, provenance: Provenance::default() };
        fabric.ospf(name).areas.insert("1".parse().unwrap(), area);
    }
    let prediction = fabric.simulate();
    assert_eq!(ways(&prediction, "i", "198.51.100.0/24"), Vec::<String>::new());
    assert_eq!(ways(&prediction, "i", "0.0.0.0/0"), ["swp2"]);
    assert_eq!(ways(&prediction, "i", "::/0"), ["swp2"]);
    assert_eq!(ways(&prediction, "i", "10.0.0.1/32"), ["swp2"], "of the network itself it knows all");
    assert_eq!(ways(&prediction, "b1", "198.51.100.0/24"), ["swp1"]);
    assert_eq!(ways(&prediction, "b1", "::/0"), Vec::<String>::new());
    fabric.announce("i:swp1", "1", 1, false);
    assert_eq!(ways(&fabric.simulate(), "i", "0.0.0.0/0"), ["swp1", "swp2"]);
    // The session is lost, and the routes with it.
    let failed = Failed { links: BTreeSet::new(), nodes: [node("transit-c")].into() };
    let prediction = simulate(&fabric.configs, &fabric.cables, &failed);
    assert_eq!(ways(&prediction, "b1", "0.0.0.0/0"), Vec::<String>::new());
}

#[test]
fn of_several_ways_out_the_nearest_are_taken() {
    let mut fabric = routers(["b1", "b2", "r"]);
    fabric.adjacency("b1", "r", "0", [1, 1], true);
    fabric.adjacency("b2", "r", "0", [1, 1], true);
    external(&mut fabric, "b1", 64_496);
    external(&mut fabric, "b2", 64_497);
    assert_eq!(ways(&fabric.simulate(), "r", "0.0.0.0/0"), ["swp1", "swp2"]);
    fabric.announce("r:swp1", "0", 2, false);
    assert_eq!(ways(&fabric.simulate(), "r", "0.0.0.0/0"), ["swp2"]);
    // A border router takes its own way, and that of the other when it has none.
    assert_eq!(route(&fabric.simulate(), "b1", "0.0.0.0/0").unwrap().0, RouteProtocol::Bgp);
    let failed = Failed { links: BTreeSet::new(), nodes: [node("transit-b1")].into() };
    let prediction = simulate(&fabric.configs, &fabric.cables, &failed);
    assert_eq!(ways(&prediction, "b1", "0.0.0.0/0"), ["swp1"]);
    // A scenario says the same of what it is asked for, and no more.
    let outside: IpAddr = "203.0.113.1".parse().unwrap();
    let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, &[outside].into());
    for cable in &fabric.cables {
        let failed = Failed { links: [cable[0].clone()].into(), nodes: BTreeSet::new() };
        let whole = simulate(&fabric.configs, &fabric.cables, &failed).states;
        let short = scenarios.cut(cable).states(&[outside].into());
        for from in fabric.configs.keys() {
            let default = |states: &BTreeMap<_, DeviceState>| {
                states[from].fib.as_ref().unwrap().get(&prefix("0.0.0.0/0")).cloned()
            };
            assert_eq!(default(&short), default(&whole), "{from} after {cable:?}");
            let mut learned = short[from]
                .fib
                .iter()
                .flatten()
                .filter(|(_, route)| matches!(route.protocol, RouteProtocol::Ospf | RouteProtocol::Bgp));
            assert!(learned.all(|(prefix, _)| prefix.contains(&outside)));
        }
    }
    // The policy tells which routes go in.
    let none = fabric.policy("all", &[]);
    assert_eq!(fabric.ospf("b1").redistribute_bgp, Some(none));
    assert_eq!(ways(&fabric.simulate(), "r", "0.0.0.0/0"), Vec::<String>::new());
}

#[test]
fn a_way_out_within_an_area_comes_before_one_in_the_backbone() {
    // RFC 2328 16.4.1: b1 is 1 from the exit c in the backbone, and 10 from the exit i in area 1.
    let mut fabric = two_areas();
    external(&mut fabric, "c", 64_496);
    external(&mut fabric, "i", 64_497);
    let prediction = fabric.simulate();
    assert_eq!(ways(&prediction, "b1", "0.0.0.0/0"), ["swp2"]);
    assert_eq!(ways(&prediction, "b2", "0.0.0.0/0"), ["swp2"]);
    // Nor are both used where they are as far away.
    fabric.announce("b1:swp2", "1", 1, false);
    assert_eq!(ways(&fabric.simulate(), "b1", "0.0.0.0/0"), ["swp2"]);
    let failed = Failed { links: BTreeSet::new(), nodes: [node("transit-i")].into() };
    let prediction = simulate(&fabric.configs, &fabric.cables, &failed);
    assert_eq!(ways(&prediction, "b1", "0.0.0.0/0"), ["swp1"]);
}

#[test]
fn of_areas_with_the_same_way_out_the_last_counts() {
    let mut fabric = routers(["b1", "b2"]);
    fabric.adjacency("b1", "b2", "0", [1, 1], true);
    fabric.adjacency("b1", "b2", "1", [5, 5], true);
    fabric.adjacency("b1", "b2", "2", [5, 5], true);
    external(&mut fabric, "b2", 64_496);
    assert_eq!(ways(&fabric.simulate(), "b1", "0.0.0.0/0"), ["swp3"]);
    fabric.announce("b1:swp2", "1", 4, false);
    assert_eq!(ways(&fabric.simulate(), "b1", "0.0.0.0/0"), ["swp2"]);
}

#[test]
fn a_route_of_ospf_is_announced_to_other_ases() {
    let mut fabric = routers(["b", "r"]);
    fabric.adjacency("b", "r", "0", [1, 1], true);
    external(&mut fabric, "b", 64_496);
    fabric.originate("b", "10.0.0.2/32");
    let prediction = fabric.simulate();
    assert_eq!(route(&prediction, "transit-b", "10.0.0.2/32"), Some((RouteProtocol::Bgp, vec!["swp1".to_owned()])));
    assert_eq!(
        prediction.states["b"].advertised.as_ref().unwrap().values().next().unwrap(),
        &BTreeSet::from([prefix("10.0.0.2/32")])
    );
    let failed = Failed { links: [end("r:swp1")].into(), nodes: BTreeSet::new() };
    let prediction = simulate(&fabric.configs, &fabric.cables, &failed);
    assert_eq!(route(&prediction, "transit-b", "10.0.0.2/32"), None);
}

#[test]
fn traffic_goes_around_a_device_with_the_largest_metric() {
    let mut fabric = routers(["l1", "l2", "s1", "s2"]);
    for (leaf, spine) in [("l1", "s1"), ("l1", "s2"), ("l2", "s1"), ("l2", "s2")] {
        fabric.adjacency(leaf, spine, "0", [1, 1], true);
    }
    assert_eq!(ways(&fabric.simulate(), "l1", "10.0.0.2/32"), ["swp1", "swp2"]);
    fabric.ospf("s1").maximum_metric = true;
    let prediction = fabric.simulate();
    assert_eq!(ways(&prediction, "l1", "10.0.0.2/32"), ["swp2"]);
    assert_eq!(ways(&prediction, "l1", "2001:db8::2/128"), ["swp2"]);
    assert_eq!(ways(&prediction, "l1", "10.0.0.3/32"), ["swp1"], "the device itself is reached as before");
    assert_eq!(ways(&prediction, "l1", "10.128.0.4/31"), ["swp2"], "the subnet of its link to l2 is nearer over l2");
    assert_eq!(ways(&prediction, "s1", "10.0.0.2/32"), ["swp2"]);
    let failed = Failed { links: [end("l1:swp2")].into(), nodes: BTreeSet::new() };
    let prediction = simulate(&fabric.configs, &fabric.cables, &failed);
    assert_eq!(ways(&prediction, "l1", "10.0.0.2/32"), ["swp1"], "there is no other way");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn next_hops_are_on_shortest_paths(
        devices in 2_usize..9,
        links in proptest::collection::vec((0_usize..9, 0_usize..9, 1_u16..5, 1_u16..5), 1..18),
    ) {
        let mut fabric = Fabric::default();
        let mut graph = DiGraph::<(), u32>::new();
        for device in 0..devices {
            fabric.router(&format!("d{device}"));
            graph.add_node(());
        }
        let mut ends: Vec<BTreeMap<String, (usize, u32)>> = vec![BTreeMap::new(); devices];
        for (a, b, there, back) in links {
            let (a, b) = (a % devices, b % devices);
            if a == b {
                continue;
            }
            let index = fabric.adjacency(&format!("d{a}"), &format!("d{b}"), "0", [there, back], true);
            for (end, (from, to, cost)) in fabric.cables[index].iter().zip([(a, b, there), (b, a, back)]) {
                ends[from].insert(end.interface.to_string(), (to, u32::from(cost)));
                graph.add_edge(NodeIndex::new(from), NodeIndex::new(to), u32::from(cost));
            }
        }
        let distances: Vec<_> = graph.node_indices().map(|from| dijkstra(&graph, from, None, |edge| *edge.weight())).collect();
        let distance = |from: usize, to: usize| distances[from].get(&NodeIndex::new(to)).copied();
        let prediction = fabric.simulate();
        for (from, ends) in ends.iter().enumerate() {
            for to in (0..devices).filter(|to| *to != from) {
                let expected: Vec<String> = ends
                    .iter()
                    .filter(|(_, (via, cost))| {
                        distance(*via, to).is_some_and(|rest| Some(rest + cost) == distance(from, to))
                    })
                    .map(|(interface, _)| interface.clone())
                    .collect();
                let found = |to: &str| ways(&prediction, &format!("d{from}"), to).into_iter().collect::<BTreeSet<_>>();
                let expected: BTreeSet<String> = expected.into_iter().collect();
                prop_assert_eq!(&found(&fabric.loopback(&format!("d{to}")).to_string()), &expected);
                prop_assert_eq!(&found(&format!("2001:db8::{:x}/128", to + 1)), &expected);
            }
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        prop_assert!(pool.install(|| fabric.simulate()) == prediction);

        // A scenario says the same as a simulation.
        let destination = "10.0.0.1".parse().unwrap();
        let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, &[destination].into());
        for cable in &fabric.cables {
            let failed = Failed { links: [cable[0].clone()].into(), nodes: BTreeSet::new() };
            let whole = simulate(&fabric.configs, &fabric.cables, &failed).states;
            let short = scenarios.cut(cable).states(&[destination].into());
            for from in fabric.configs.keys() {
                let ends = |states| trace(states, &fabric.cables, from, destination, destination);
                prop_assert_eq!(ends(&short), ends(&whole));
            }
        }
    }
}
