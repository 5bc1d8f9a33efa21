//! Operating systems behave differently where their profiles say so, and only there.
#![allow(clippy::unwrap_used, reason = "a failure ends the test")]

mod fabric;

use std::net::{IpAddr, Ipv4Addr};

use fabric::{Fabric, end, leaf_spine, node, prefix};
use weft_device::{
    config::{Action, AfiSafi, NeighborTarget, PeerType, Transformations},
    state::{NextHop, RouteProtocol},
};
use weft_model::{Behavior, Community, GracefulShutdown, Ipv6NextHop, RoutePreference, RouteSource};
use weft_simulate::{Prediction, Scenarios};

/// What the network outside announces.
const OUTSIDE: &str = "198.51.100.0/24";

fn behave(fabric: &mut Fabric, name: &str, change: impl Fn(&mut Behavior)) {
    change(&mut fabric.config(name).profile.behavior);
}

/// Returns who made a route, and its next hops as text.
fn route(prediction: &Prediction, from: &str, to: &str) -> Option<(RouteProtocol, Vec<String>)> {
    let route = prediction.states[&node(from)].rib.as_ref().unwrap().get(&prefix(to))?;
    Some((route.protocol, route.next_hops.iter().map(NextHop::to_string).collect()))
}

fn bgp(next_hops: &[&str]) -> Option<(RouteProtocol, Vec<String>)> {
    Some((RouteProtocol::Bgp, next_hops.iter().map(|hop| (*hop).to_owned()).collect()))
}

fn order(sources: [RouteSource; 3]) -> RoutePreference {
    sources.to_vec().try_into().unwrap()
}

/// OSPF before all of BGP.
fn ospf_first() -> RoutePreference {
    order([RouteSource::Ospf, RouteSource::Ebgp, RouteSource::Ibgp])
}

/// Two devices with a session between IPv6 addresses; each has a subnet.
fn ipv6_pair() -> Fabric {
    let mut fabric = Fabric::default();
    for (name, asn) in [("a", 65_001), ("b", 65_002)] {
        fabric.device(name, asn, 4);
    }
    let cable = fabric.link("a", "b", true);
    for (name, own, far, subnet) in [
        ("a", "2001:db8::/127", "2001:db8::1", "2001:db8:a::1/64"),
        ("b", "2001:db8::1/127", "2001:db8::", "2001:db8:b::1/64"),
    ] {
        fabric.address(&format!("{name}:swp1"), own);
        let mut neighbor = fabric.neighbor(name, cable).clone();
        neighbor.afi_safis = [AfiSafi::Ipv6Unicast].into();
        let target = NeighborTarget::Address(far.parse::<IpAddr>().unwrap());
        fabric.bgp(name).neighbors.insert(target, neighbor);
        fabric.segment(name, subnet);
    }
    fabric
}

#[test]
fn an_ipv6_next_hop_is_named_where_the_system_takes_the_global_one() {
    let mut fabric = ipv6_pair();
    let to = ["2001:db8:b::/64", "2001:db8:a::/64"];
    let hops = |prediction: &Prediction| [route(prediction, "a", to[0]), route(prediction, "b", to[1])];
    assert_eq!(hops(&fabric.simulate()), [bgp(&["swp1"]), bgp(&["swp1"])]);
    behave(&mut fabric, "a", |behavior| behavior.ipv6_next_hop = Ipv6NextHop::Global);
    assert_eq!(hops(&fabric.simulate()), [bgp(&["2001:db8::1 (swp1)"]), bgp(&["swp1"])]);
    // IPv4 has one address only.
    assert_eq!(route(&fabric.simulate(), "a", "10.0.0.2/32"), bgp(&["10.128.0.1 (swp1)"]));
    // A link without addresses has link-local ones only.
    let mut fabric = leaf_spine(2, 1, false);
    behave(&mut fabric, "l1", |behavior| behavior.ipv6_next_hop = Ipv6NextHop::Global);
    assert_eq!(route(&fabric.simulate(), "l1", "10.0.0.3/32"), bgp(&["swp1"]));
}

#[test]
fn a_system_uses_no_more_paths_than_it_can() {
    let mut fabric = leaf_spine(2, 4, false);
    behave(&mut fabric, "l1", |behavior| behavior.maximum_paths = Some(2));
    let (l1, l2) = (fabric.loopback("l1").to_string(), fabric.loopback("l2").to_string());
    let prediction = fabric.simulate();
    assert_eq!(route(&prediction, "l1", &l2), bgp(&["swp1", "swp2"]));
    assert_eq!(route(&prediction, "l2", &l1), bgp(&["swp1", "swp2", "swp3", "swp4"]));

    let mut fabric = Fabric::default();
    for name in ["r1", "r2", "r3", "r4"] {
        fabric.router(name);
    }
    for (a, b) in [("r1", "r2"), ("r1", "r3"), ("r2", "r4"), ("r3", "r4")] {
        fabric.adjacency(a, b, "0", [1, 1], false);
    }
    behave(&mut fabric, "r1", |behavior| behavior.maximum_paths = Some(1));
    let prediction = fabric.simulate();
    assert_eq!(route(&prediction, "r1", "10.0.0.4/32").unwrap().1.len(), 1);
    assert_eq!(route(&prediction, "r4", "10.0.0.1/32").unwrap().1.len(), 2);
}

#[test]
fn a_system_that_does_not_know_graceful_shutdown_takes_the_route_as_any_other() {
    let mut fabric = leaf_spine(3, 2, true);
    let drain = Transformations { add_communities: vec![Community::GRACEFUL_SHUTDOWN], ..Default::default() };
    let drain = fabric.policy("drain", &[(None, drain, Action::Accept)]);
    for cable in [0, 2, 4] {
        fabric.neighbor("s1", cable).export_policy = Some(drain.clone());
    }
    behave(&mut fabric, "l2", |behavior| behavior.graceful_shutdown = GracefulShutdown::Ignored);
    let prediction = fabric.simulate();
    assert!(prediction.unstable.is_empty() && prediction.ambiguous.is_empty());
    let ways = |prediction: &Prediction, from: &str| route(prediction, from, "10.0.0.3/32").unwrap().1.len();
    assert_eq!((ways(&prediction, "l2"), ways(&prediction, "l3")), (2, 1));
    // A scenario says the same.
    let to: IpAddr = "10.0.0.3".parse().unwrap();
    let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, &[to].into());
    let first_hops = |from: &str| scenarios.steady().walk(&node(from), to).unwrap().first_hops;
    assert_eq!((first_hops("l2"), first_hops("l3")), (2, 1));
}

/// Two borders of OSPF, `r` between them, each with a transit that announces [`OUTSIDE`], which both tell to OSPF.
fn borders() -> Fabric {
    let mut fabric = Fabric::default();
    for name in ["b1", "b2", "r"] {
        fabric.router(name);
    }
    fabric.adjacency("b1", "r", "0", [1, 1], true);
    fabric.adjacency("b2", "r", "0", [1, 1], true);
    for (border, asn, number) in [("b1", 64_496, 1), ("b2", 64_497, 2)] {
        let transit = format!("t-{border}");
        fabric.device(&transit, asn, 4);
        fabric.discard(&transit, OUTSIDE);
        fabric.originate(&transit, OUTSIDE);
        let mut own = fabric.bgp(&transit).clone();
        own.asn = 65_000.try_into().unwrap();
        own.router_id = Ipv4Addr::new(192, 0, 2, number);
        own.networks.clear();
        fabric.config(border).bgp = Some(own);
        let cable = fabric.link(border, &transit, true);
        fabric.neighbor(border, cable).peer_type = PeerType::External;
    }
    let all = fabric.policy("all", &[(None, Transformations::default(), Action::Accept)]);
    for border in ["b1", "b2"] {
        fabric.ospf(border).redistribute_bgp = Some(all.clone());
    }
    fabric
}

#[test]
fn the_order_of_protocols_is_that_of_the_system() {
    let mut fabric = borders();
    let by = |prediction: &Prediction| {
        assert!(prediction.unstable.is_empty());
        ["b1", "b2", "r"].map(|name| route(prediction, name, OUTSIDE).unwrap())
    };
    let [b1, b2, r] = by(&fabric.simulate());
    assert_eq!((b1.0, b2.0, r.1.len()), (RouteProtocol::Bgp, RouteProtocol::Bgp, 2));

    // It takes the word of the other border, and has nothing of its own to tell.
    behave(&mut fabric, "b1", |behavior| behavior.route_preference = ospf_first());
    let [b1, b2, r] = by(&fabric.simulate());
    assert_eq!(b1, (RouteProtocol::Ospf, vec!["10.128.0.1 (swp1)".to_owned()]));
    assert_eq!((b2.0, r.1), (RouteProtocol::Bgp, vec!["10.128.0.2 (swp2)".to_owned()]));

    // Each would only speak as long as the other is silent.
    behave(&mut fabric, "b2", |behavior| behavior.route_preference = ospf_first());
    assert!(fabric.simulate().unstable.contains(&prefix(OUTSIDE)));
}

#[test]
fn the_order_may_be_another_one_with_internal_bgp() {
    let mut fabric = borders();
    fabric.ospf("b1").redistribute_bgp = None;
    behave(&mut fabric, "b1", |behavior| behavior.route_preference_with_ibgp = Some(ospf_first()));
    assert_eq!(route(&fabric.simulate(), "b1", OUTSIDE).unwrap().0, RouteProtocol::Bgp);

    // Internal BGP from loopback to loopback, over OSPF.
    for (near, far) in [("b1", "b2"), ("b2", "b1")] {
        let (own, other) = (fabric.loopback(near).addr(), fabric.loopback(far).addr());
        let mut neighbor = fabric.bgp(near).neighbors.values().next().unwrap().clone();
        neighbor.interface = end(&format!("{near}:lo")).interface;
        neighbor.local_address = Some(own);
        neighbor.next_hop_self = true;
        neighbor.peer_as = 65_000.try_into().unwrap();
        neighbor.peer_type = PeerType::Internal;
        fabric.bgp(near).neighbors.insert(NeighborTarget::Address(other), neighbor);
    }
    let prediction = fabric.simulate();
    assert_eq!(route(&prediction, "b1", OUTSIDE).unwrap().0, RouteProtocol::Ospf);
    assert_eq!(route(&prediction, "b2", OUTSIDE).unwrap().0, RouteProtocol::Bgp);
}
