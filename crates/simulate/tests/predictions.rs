//! Predictions against closed forms and against what routers are known to do.
#![allow(clippy::unwrap_used, reason = "a failure ends the run")]

mod fabric;

use std::collections::{BTreeMap, BTreeSet};

use fabric::{Fabric, end, fat_tree, leaf_spine, node, prefix};
use proptest::prelude::*;
use weft_device::{
    config::{
        Action, Conditions, NeighborTarget, PeerType, PolicyDefinition, PrefixMatch, PrefixSet, Statement,
        Transformations,
    },
    state::{NextHop, OperStatus, RouteProtocol, RouteTable, SessionState},
};
use weft_model::{NodeName, Provenance};
use weft_simulate::{Failed, Outcome, Prediction, simulate, trace};

fn width(prediction: &Prediction, from: &str, to: &str) -> usize {
    prediction.states[from].rib.as_ref().unwrap().get(&prefix(to)).map_or(0, |route| route.next_hops.len())
}

fn established(prediction: &Prediction, name: &str) -> usize {
    let neighbors = prediction.states[name].neighbors.as_ref().unwrap();
    neighbors.values().filter(|neighbor| neighbor.session_state == SessionState::Established).count()
}

/// Adds to `name` a policy that takes only what is in `accepted`.
fn policy(fabric: &mut Fabric, name: &str, policy: &str, accepted: &str) {
    let entry = PrefixMatch {
        prefix: prefix(accepted),
        least_length: prefix(accepted).prefix_len(),
        greatest_length: 32,
        provenance: Provenance::default(),
    };
    let statement = Statement {
        sequence: 10,
        conditions: Conditions { prefix_set: Some("set".parse().unwrap()), community_set: None },
        transformations: Transformations::default(),
        action: Action::Accept,
        provenance: Provenance::default(),
    };
    let definitions = &mut fabric.config(name).routing_policy;
    definitions
        .prefix_sets
        .insert("set".parse().unwrap(), PrefixSet { prefixes: vec![entry], provenance: Provenance::default() });
    definitions.policy_definitions.insert(
        policy.parse().unwrap(),
        PolicyDefinition { statements: vec![statement], provenance: Provenance::default() },
    );
}

#[test]
fn a_leaf_uses_every_spine() {
    for numbered in [true, false] {
        let fabric = leaf_spine(4, 3, numbered);
        let prediction = fabric.simulate();
        assert!(prediction.unstable.is_empty());
        for leaf in 2..=4 {
            let to = fabric.loopback(&format!("l{leaf}"));
            assert_eq!(width(&prediction, "l1", &to.to_string()), 3);
            assert_eq!(width(&prediction, "s1", &to.to_string()), 1);
        }
        // Spines share an AS: one never takes a route that another has passed on, its loopback included.
        assert_eq!(width(&prediction, "s1", &fabric.loopback("s2").to_string()), 0);
        assert_eq!(established(&prediction, "l1"), 3);
        let rib = prediction.states["l1"].rib.as_ref().unwrap();
        let via_is_known = rib.values().filter(|route| route.protocol == RouteProtocol::Bgp).all(|route| {
            route
                .next_hops
                .iter()
                .all(|next_hop| matches!(next_hop, NextHop::Interface { via, .. } if via.is_some() == numbered))
        });
        assert!(via_is_known);
    }
}

#[test]
fn a_device_uses_no_more_paths_than_its_maximum() {
    let mut fabric = leaf_spine(2, 8, true);
    fabric.bgp("l1").maximum_paths = 2;
    let prediction = fabric.simulate();
    assert_eq!(width(&prediction, "l1", &fabric.loopback("l2").to_string()), 2);
    assert_eq!(width(&prediction, "l2", &fabric.loopback("l1").to_string()), 8);
}

#[test]
fn a_fat_tree_has_the_widths_and_paths_of_the_closed_form() {
    for k in [4, 6] {
        let half = (k / 2) as usize;
        let fabric = fat_tree(k);
        let prediction = fabric.simulate();
        assert_eq!(width(&prediction, "e-0-0", "172.17.0.0/24"), half);
        assert_eq!(width(&prediction, "a-0-0", "172.17.0.0/24"), half);
        assert_eq!(width(&prediction, "c-0-0", "172.17.0.0/24"), 1);
        let to = |text: &str| {
            let source = "172.16.0.10".parse().unwrap();
            trace(&prediction.states, &fabric.cables, &node("e-0-0"), source, text.parse().unwrap())
        };
        let other_pod = to("172.17.0.10");
        assert!(other_pod.is_delivered());
        assert_eq!((other_pod.first_hops, other_pod.paths), (half, (half * half) as u64));
        assert_eq!(other_pod.outcomes.values().next().unwrap().len(), 5);
        let same_pod = to("172.16.1.10");
        assert_eq!((same_pod.first_hops, same_pod.paths), (half, half as u64));
        assert_eq!(to("172.16.0.99").delivered_at(), BTreeSet::from([&node("e-0-0")]));
    }
}

#[test]
fn a_cut_link_takes_its_session_and_paths_away() {
    let fabric = leaf_spine(3, 2, true);
    let failed = Failed { links: [end("s1:swp2")].into(), nodes: BTreeSet::new() };
    let prediction = simulate(&fabric.configs, &fabric.cables, &failed);
    assert_eq!(fabric.cables[2], [end("l2:swp1"), end("s1:swp2")]);
    let interfaces = prediction.states["l2"].interfaces.as_ref().unwrap();
    assert_eq!(interfaces[&end("l2:swp1").interface].oper_status, OperStatus::Down);
    let neighbors = prediction.states["l2"].neighbors.as_ref().unwrap();
    assert_eq!(neighbors.values().filter(|n| n.session_state == SessionState::Idle).count(), 1);
    // l1 keeps one way to l2, through s2; s1 reaches l2 no more, for leaves do not pass a spine's own AS back to it.
    assert_eq!(width(&prediction, "l1", &fabric.loopback("l2").to_string()), 1);
    assert_eq!(width(&prediction, "l1", &fabric.loopback("l3").to_string()), 2);
    assert_eq!(width(&prediction, "s1", &fabric.loopback("l2").to_string()), 0);
}

#[test]
fn a_device_that_is_off_is_gone() {
    let fabric = leaf_spine(3, 2, false);
    let failed = Failed { links: BTreeSet::new(), nodes: [node("s2")].into() };
    let prediction = simulate(&fabric.configs, &fabric.cables, &failed);
    assert!(!prediction.states.contains_key("s2"));
    assert_eq!(width(&prediction, "l1", &fabric.loopback("l2").to_string()), 1);
    assert_eq!(established(&prediction, "l1"), 1);
}

#[test]
fn ends_that_disagree_have_no_session() {
    type Change = fn(&mut Fabric);
    let changes: [(&str, Change); 5] = [
        ("AS", |fabric| fabric.neighbor("l1", 0).peer_as = 65_001.try_into().unwrap()),
        ("key", |fabric| fabric.neighbor("l1", 0).authentication = Some("env/KEY".parse().unwrap())),
        ("address", |fabric| {
            let address = &mut fabric.config("l1").interfaces.get_mut(&end("l1:swp1").interface).unwrap().addresses[0];
            address.prefix = prefix("10.200.0.0/31");
        }),
        ("neighbor", |fabric| fabric.bgp("l1").neighbors.clear()),
        ("bgp", |fabric| fabric.config("l1").bgp = None),
    ];
    for (what, change) in changes {
        let mut fabric = leaf_spine(1, 1, true);
        assert_eq!(established(&fabric.simulate(), "s1"), 1);
        change(&mut fabric);
        let prediction = fabric.simulate();
        let neighbors = prediction.states["s1"].neighbors.as_ref().unwrap();
        assert!(neighbors.values().all(|n| n.session_state == SessionState::Active), "{what}");
    }
}

#[test]
fn policies_decide_what_is_taken_and_announced() {
    let mut fabric = leaf_spine(3, 1, true);
    let (l2, l3) = (fabric.loopback("l2").to_string(), fabric.loopback("l3").to_string());
    policy(&mut fabric, "l1", "only-l2", &l2);
    fabric.neighbor("l1", 0).import_policy = Some("only-l2".parse().unwrap());
    let prediction = fabric.simulate();
    assert_eq!((width(&prediction, "l1", &l2), width(&prediction, "l1", &l3)), (1, 0));
    let neighbors = prediction.states["l1"].neighbors.as_ref().unwrap();
    assert_eq!(neighbors.values().next().unwrap().prefixes_received, Some(1));

    // The same policy on the way out of s1 towards l1 comes to the same.
    let mut fabric = leaf_spine(3, 1, true);
    policy(&mut fabric, "s1", "only-l2", &l2);
    fabric.neighbor("s1", 0).export_policy = Some("only-l2".parse().unwrap());
    let prediction = fabric.simulate();
    assert_eq!((width(&prediction, "l1", &l2), width(&prediction, "l1", &l3)), (1, 0));

    // A policy that is not defined takes nothing.
    fabric.neighbor("s1", 0).export_policy = Some("undefined".parse().unwrap());
    assert_eq!(width(&fabric.simulate(), "l1", &l2), 0);
}

#[test]
fn a_network_is_originated_only_with_a_route_and_an_aggregate_discards_the_rest() {
    let mut fabric = leaf_spine(2, 1, true);
    fabric.originate("l1", "203.0.113.0/24");
    assert_eq!(width(&fabric.simulate(), "l2", "203.0.113.0/24"), 0);
    fabric.discard("l1", "203.0.113.0/24");
    fabric.segment("l1", "203.0.113.1/28");
    let prediction = fabric.simulate();
    assert_eq!(width(&prediction, "l2", "203.0.113.0/24"), 1);
    let to = |text: &str| {
        let source = "10.0.0.3".parse().unwrap();
        trace(&prediction.states, &fabric.cables, &node("l2"), source, text.parse().unwrap())
    };
    assert!(to("203.0.113.2").is_delivered());
    let dropped = to("203.0.113.200");
    assert!(dropped.is_isolated());
    assert_eq!(dropped.outcomes.keys().next().unwrap(), &Outcome::Discarded { node: node("l1") });
    assert_eq!(to("192.0.2.1").outcomes.keys().next().unwrap(), &Outcome::NoRoute { node: node("l2") });

    // The port of the hosts goes down, and with it the route and the announcement.
    let failed = Failed { links: [end("l1:swp2")].into(), nodes: BTreeSet::new() };
    let prediction = simulate(&fabric.configs, &fabric.cables, &failed);
    assert_eq!(width(&prediction, "l2", "203.0.113.0/28"), 0);
    assert_eq!(width(&prediction, "l2", "203.0.113.0/24"), 1);
}

#[test]
fn an_external_neighbor_is_told_what_the_policy_lets_through() {
    let mut fabric = leaf_spine(1, 1, true);
    fabric.device("transit", 64_496, 1);
    let cable = fabric.link("l1", "transit", true);
    fabric.neighbor("l1", cable).peer_type = PeerType::External;
    fabric.discard("transit", "0.0.0.0/0");
    fabric.originate("transit", "0.0.0.0/0");
    let (s1, l1) = (fabric.loopback("s1"), fabric.loopback("l1"));
    let announced = |fabric: &Fabric| {
        let prediction = fabric.simulate();
        let advertised = prediction.states["l1"].advertised.clone().unwrap();
        assert_eq!(advertised.len(), 1, "internal neighbors are not among them");
        advertised.into_values().next().unwrap()
    };
    // The default route does not go back to where it came from.
    assert_eq!(announced(&fabric), BTreeSet::from([s1, l1]));
    policy(&mut fabric, "l1", "own", &l1.to_string());
    fabric.neighbor("l1", cable).export_policy = Some("own".parse().unwrap());
    assert_eq!(announced(&fabric), BTreeSet::from([l1]));
    assert_eq!(width(&fabric.simulate(), "s1", "0.0.0.0/0"), 1);

    fabric.configs.remove("transit");
    let prediction = fabric.simulate();
    assert_eq!(prediction.states["l1"].advertised.as_ref().unwrap().values().next().unwrap().len(), 0);
    assert_eq!(established(&prediction, "l1"), 1);
}

#[test]
fn a_session_with_too_many_prefixes_is_closed() {
    let mut fabric = leaf_spine(4, 1, true);
    fabric.neighbor("l1", 0).maximum_prefixes = Some(4);
    assert_eq!(established(&fabric.simulate(), "l1"), 1);
    fabric.neighbor("l1", 0).maximum_prefixes = Some(3);
    let prediction = fabric.simulate();
    let state = |name: &str, neighbor: &NeighborTarget| {
        prediction.states[name].neighbors.as_ref().unwrap()[neighbor].session_state
    };
    assert_eq!(
        state("l1", fabric.configs["l1"].bgp.as_ref().unwrap().neighbors.keys().next().unwrap()),
        SessionState::Idle
    );
    assert_eq!(
        state("s1", fabric.configs["s1"].bgp.as_ref().unwrap().neighbors.keys().next().unwrap()),
        SessionState::Active
    );
    assert_eq!(established(&prediction, "s1"), 3);
}

#[test]
fn a_loop_is_seen() {
    // Two devices that send each other what neither has: a route by hand on each, as an observation might show.
    let fabric = leaf_spine(1, 1, false);
    let mut states = fabric.simulate().states;
    for name in ["l1", "s1"] {
        let fib = states.get_mut(name).unwrap().fib.as_mut().unwrap();
        let route = fib.values().find(|route| route.protocol == RouteProtocol::Bgp).unwrap().clone();
        fib.insert(prefix("192.0.2.0/24"), route);
    }
    let looped = trace(&states, &fabric.cables, &node("l1"), "10.0.0.2".parse().unwrap(), "192.0.2.1".parse().unwrap());
    assert_eq!(looped.outcomes.keys().next().unwrap(), &Outcome::Looped { node: node("l1") });
    assert!(looped.is_isolated());
    states.get_mut("s1").unwrap().fib = None;
    let unknown =
        trace(&states, &fabric.cables, &node("l1"), "10.0.0.2".parse().unwrap(), "192.0.2.1".parse().unwrap());
    assert!(!unknown.is_delivered() && !unknown.is_isolated());
}

#[test]
fn the_number_of_threads_makes_no_difference() {
    let fabric = fat_tree(6);
    let predict = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fabric.simulate())
    };
    let one = predict(1);
    for threads in [2, 7] {
        assert!(predict(threads) == one, "{threads} threads");
    }
}

/// The BGP routes of every device.
fn learned(prediction: &Prediction) -> BTreeMap<NodeName, RouteTable> {
    prediction
        .states
        .iter()
        .map(|(name, state)| {
            let rib = state.rib.iter().flatten().filter(|(_, route)| route.protocol == RouteProtocol::Bgp);
            (name.clone(), rib.map(|(prefix, route)| (*prefix, route.clone())).collect())
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_cut_link_that_no_route_uses_changes_no_route(
        asns in proptest::collection::vec(0_u32..6, 4..9),
        links in proptest::collection::vec((0_usize..9, 0_usize..9, any::<bool>()), 3..18),
        maximum_paths in 1_u16..4,
    ) {
        let mut fabric = Fabric::default();
        for (device, asn) in asns.iter().enumerate() {
            fabric.device(&format!("d{device}"), 65_000 + asn, maximum_paths);
        }
        for (a, b, numbered) in links {
            let (a, b) = (a % asns.len(), b % asns.len());
            if a != b {
                fabric.link(&format!("d{a}"), &format!("d{b}"), numbered);
            }
        }
        let before = fabric.simulate();
        prop_assert!(before.unstable.is_empty());
        let routes = learned(&before);
        for cable in &fabric.cables {
            let used = cable.iter().any(|end| {
                routes[&end.node].values().any(|route| route.interfaces().contains(&end.interface))
            });
            if !used {
                let failed = Failed { links: [cable[0].clone()].into(), nodes: BTreeSet::new() };
                prop_assert_eq!(&learned(&simulate(&fabric.configs, &fabric.cables, &failed)), &routes);
            }
        }
    }
}
