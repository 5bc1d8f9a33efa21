//! Routers of one AS: sessions between loopbacks, reflection, the nearest exit, and what a failure does to them.
#![allow(clippy::unwrap_used, reason = "a failure ends the test")]

mod fabric;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use fabric::{Fabric, end, fat_tree, leaf_spine, node, prefix};
use weft_device::{
    config::{Action, NeighborTarget, Transformations},
    state::{NextHop, Route, RouteProtocol, SessionState},
};
use weft_simulate::{Failed, Prediction, Scenarios, simulate};

const AS: u32 = 64_500;
/// What every exit announces.
const INTERNET: &str = "198.51.100.0/24";

/// Adds a router of the AS, with OSPF.
fn router(fabric: &mut Fabric, name: &str) {
    fabric.member(name, AS, 8);
}

fn loopback(fabric: &Fabric, name: &str) -> IpAddr {
    fabric.loopback(name).addr()
}

/// Adds a session between the loopbacks of two routers; `client` tells whether the second is a client of the first.
fn session(fabric: &mut Fabric, a: &str, b: &str, client: bool) {
    fabric.internal_session(a, b, client);
}

/// Adds a router of another AS behind a border, which announces the internet; returns the number of the cable.
fn exit(fabric: &mut Fabric, border: &str, name: &str, asn: u32) -> usize {
    fabric.device(name, asn, 8);
    fabric.bgp(name).networks.clear();
    fabric.discard(name, INTERNET);
    fabric.originate(name, INTERNET);
    fabric.link(border, name, true)
}

/// Returns the ways out of a router: the ports, and what makes the route.
fn ways(prediction: &Prediction, name: &str, to: &str) -> Option<(RouteProtocol, BTreeSet<String>)> {
    let Route { protocol, next_hops } = prediction.states[&node(name)].rib.as_ref().unwrap().get(&prefix(to))?.clone();
    Some((protocol, next_hops.iter().filter_map(NextHop::interface).map(ToString::to_string).collect()))
}

fn by(protocol: RouteProtocol, ports: &[&str]) -> Option<(RouteProtocol, BTreeSet<String>)> {
    Some((protocol, ports.iter().map(|port| (*port).to_owned()).collect()))
}

fn state(prediction: &Prediction, name: &str, peer: IpAddr) -> SessionState {
    prediction.states[&node(name)].neighbors.as_ref().unwrap()[&NeighborTarget::Address(peer)].session_state
}

/// Two borders `a` and `b` with an exit each, and `m` between them: `a:swp1 -- m:swp1`, `m:swp2 -- b:swp1`.
fn line(metrics: [u16; 2]) -> Fabric {
    let mut fabric = Fabric::default();
    for name in ["a", "b", "m"] {
        router(&mut fabric, name);
    }
    fabric.adjacency("a", "m", "0", [metrics[0]; 2], true);
    fabric.adjacency("m", "b", "0", [metrics[1]; 2], true);
    exit(&mut fabric, "a", "x", 64_496);
    exit(&mut fabric, "b", "y", 64_497);
    fabric
}

fn full_mesh(fabric: &mut Fabric) {
    for (a, b) in [("a", "b"), ("a", "m"), ("b", "m")] {
        session(fabric, a, b, false);
    }
}

#[test]
fn the_nearest_exit_is_taken_and_equal_ones_together() {
    let mut fabric = line([10, 20]);
    full_mesh(&mut fabric);
    let prediction = fabric.simulate();
    assert!(prediction.unstable.is_empty());
    assert_eq!(ways(&prediction, "m", INTERNET), by(RouteProtocol::Bgp, &["swp1"]));
    // A border has its own.
    assert_eq!(ways(&prediction, "a", INTERNET), by(RouteProtocol::Bgp, &["swp2"]));
    let mut fabric = line([10, 10]);
    full_mesh(&mut fabric);
    assert_eq!(ways(&fabric.simulate(), "m", INTERNET), by(RouteProtocol::Bgp, &["swp1", "swp2"]));
    fabric.bgp("m").maximum_paths = 1;
    // Then the lowest router id decides.
    assert_eq!(ways(&fabric.simulate(), "m", INTERNET), by(RouteProtocol::Bgp, &["swp1"]));
}

#[test]
fn a_local_preference_is_that_of_the_whole_as() {
    let mut fabric = line([10, 20]);
    full_mesh(&mut fabric);
    let better = Transformations { local_preference: Some(200), ..Transformations::default() };
    let policy = fabric.policy("better", &[(None, better, Action::Accept)]);
    fabric.neighbor("b", 3).import_policy = Some(policy);
    let prediction = fabric.simulate();
    assert_eq!(ways(&prediction, "m", INTERNET), by(RouteProtocol::Bgp, &["swp2"]));
    assert_eq!(ways(&prediction, "a", INTERNET), by(RouteProtocol::Bgp, &["swp1"]));
    assert_eq!(ways(&prediction, "b", INTERNET), by(RouteProtocol::Bgp, &["swp2"]));
}

#[test]
fn what_is_learned_within_an_as_goes_on_only_by_reflection() {
    // Without a session between the borders, and with nobody who reflects, each has its own exit only.
    let mut fabric = line([10, 10]);
    let gone = fabric.bgp("y").networks.remove(&prefix(INTERNET));
    assert!(gone.is_some());
    session(&mut fabric, "m", "a", false);
    session(&mut fabric, "m", "b", false);
    assert_eq!(ways(&fabric.simulate(), "m", INTERNET), by(RouteProtocol::Bgp, &["swp1"]));
    assert_eq!(ways(&fabric.simulate(), "b", INTERNET), None);
    // To a client goes what comes from one that is none.
    session(&mut fabric, "m", "b", true);
    assert_eq!(ways(&fabric.simulate(), "b", INTERNET), by(RouteProtocol::Bgp, &["swp1"]));
    // What comes from a client goes to all.
    session(&mut fabric, "m", "b", false);
    session(&mut fabric, "m", "a", true);
    assert_eq!(ways(&fabric.simulate(), "b", INTERNET), by(RouteProtocol::Bgp, &["swp1"]));
    // And out to the other AS.
    let heard = ways(&fabric.simulate(), "y", INTERNET);
    assert_eq!(heard.unwrap().0, RouteProtocol::Static);
    fabric.config("y").static_routes.clear();
    assert_eq!(ways(&fabric.simulate(), "y", INTERNET), by(RouteProtocol::Bgp, &["swp1"]));
}

#[test]
fn reflectors_that_are_clients_of_each_other_settle() {
    let mut fabric = line([10, 10]);
    for name in ["r", "s"] {
        router(&mut fabric, name);
        fabric.adjacency(name, "m", "0", [10, 10], true);
        for client in ["a", "b", "m"] {
            session(&mut fabric, name, client, true);
        }
    }
    session(&mut fabric, "r", "s", true);
    let target = NeighborTarget::Address(loopback(&fabric, "r"));
    fabric.bgp("s").neighbors.get_mut(&target).unwrap().route_reflector_client = true;
    let prediction = fabric.simulate();
    assert!(prediction.unstable.is_empty(), "{:?}", prediction.unstable);
    // Both reflectors prefer the exit with the lower router id, and nobody behind them hears of another.
    assert_eq!(ways(&prediction, "m", INTERNET), by(RouteProtocol::Bgp, &["swp1"]));
    // The borders say their own to the reflectors, which use both; both are behind the same router.
    assert_eq!(ways(&prediction, "r", INTERNET), by(RouteProtocol::Bgp, &["swp1"]));
}

#[test]
fn without_a_way_to_the_next_hop_there_is_no_route() {
    let mut fabric = line([10, 20]);
    full_mesh(&mut fabric);
    for neighbor in fabric.bgp("a").neighbors.values_mut() {
        neighbor.next_hop_self = false;
    }
    // The links to other ASes are in no OSPF.
    assert_eq!(ways(&fabric.simulate(), "m", INTERNET), by(RouteProtocol::Bgp, &["swp2"]));
}

#[test]
fn sessions_follow_the_ways_between_loopbacks() {
    let mut fabric = line([10, 20]);
    full_mesh(&mut fabric);
    let whole = fabric.simulate();
    let (a, b) = (loopback(&fabric, "a"), loopback(&fabric, "b"));
    assert_eq!(state(&whole, "m", a), SessionState::Established);
    let cut = |end_of: &str| {
        let failed = Failed { links: [end(end_of)].into(), ..Failed::default() };
        simulate(&fabric.configs, &fabric.cables, &failed)
    };
    let prediction = cut("a:swp1");
    assert_eq!(state(&prediction, "m", a), SessionState::Active);
    assert_eq!(state(&prediction, "a", b), SessionState::Active);
    assert_eq!(state(&prediction, "m", b), SessionState::Established);
    assert_eq!(ways(&prediction, "m", INTERNET), by(RouteProtocol::Bgp, &["swp2"]));
    assert_eq!(ways(&prediction, "a", INTERNET), by(RouteProtocol::Bgp, &["swp2"]));
    // Without its exit, a border takes that of the other.
    let prediction = cut("a:swp2");
    assert_eq!(ways(&prediction, "a", INTERNET), by(RouteProtocol::Bgp, &["swp1"]));
    assert_eq!(ways(&prediction, "m", INTERNET), by(RouteProtocol::Bgp, &["swp2"]));

    // The same by scenarios.
    let destination: IpAddr = "198.51.100.1".parse().unwrap();
    let destinations = BTreeSet::from([destination]);
    let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, &destinations);
    for cable in &fabric.cables {
        let predicted = cut(&cable[0].to_string());
        let states = scenarios.cut(cable).states(&destinations);
        for name in ["a", "b", "m", "x", "y"] {
            let route = |states: &BTreeMap<_, weft_device::state::DeviceState>| {
                states[&node(name)].rib.as_ref().unwrap().get(&prefix(INTERNET)).cloned()
            };
            assert_eq!(route(&states), route(&predicted.states), "{name} after {cable:?}");
        }
    }
}

#[test]
fn ospf_comes_before_routes_of_the_own_as() {
    let mut fabric = line([10, 20]);
    full_mesh(&mut fabric);
    fabric.address("b:lo", "198.51.100.1/24");
    let prediction = fabric.simulate();
    assert_eq!(ways(&prediction, "m", INTERNET), by(RouteProtocol::Ospf, &["swp2"]));
    assert_eq!(ways(&prediction, "a", INTERNET), by(RouteProtocol::Bgp, &["swp2"]));
}

#[test]
fn a_session_needs_both_ends() {
    let mut fabric = line([10, 20]);
    full_mesh(&mut fabric);
    let (a, b) = (loopback(&fabric, "a"), loopback(&fabric, "b"));
    fabric.bgp("b").neighbors.get_mut(&NeighborTarget::Address(a)).unwrap().local_address = None;
    assert_eq!(state(&fabric.simulate(), "a", b), SessionState::Active);
    assert_ne!(state(&fabric.simulate(), "b", a), SessionState::Established);
}

/// Adds two routers of one AS with a session, which makes the whole network one with internal sessions.
fn island(fabric: &mut Fabric) {
    router(fabric, "island-1");
    router(fabric, "island-2");
    fabric.adjacency("island-1", "island-2", "0", [10, 10], true);
    session(fabric, "island-1", "island-2", false);
}

#[test]
fn where_all_sessions_are_external_the_answer_is_the_same() {
    let mut with_policies = leaf_spine(4, 3, true);
    let changes = [
        Transformations { med: Some(5), ..Transformations::default() },
        Transformations { local_preference: Some(150), ..Transformations::default() },
        Transformations {
            prepend: Some(weft_device::config::Prepend { asn: 64_600.try_into().unwrap(), times: 2 }),
            ..Transformations::default()
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let policy = with_policies.policy(&format!("p{number}"), &[(None, change, Action::Accept)]);
        with_policies.neighbor("s1", 3 * number).export_policy = Some(policy.clone());
        with_policies.neighbor("l2", 3 + number).import_policy = Some(policy);
    }
    for mut fabric in [leaf_spine(3, 2, false), fat_tree(4), with_policies] {
        let alone = fabric.simulate();
        island(&mut fabric);
        let beside = fabric.simulate();
        for (name, state) in &alone.states {
            assert_eq!(state, &beside.states[name], "{name}");
        }
    }
}
