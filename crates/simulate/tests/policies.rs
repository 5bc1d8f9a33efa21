//! What policies do with routes: local preference, MED, communities, longer paths, and both address families.
#![allow(clippy::unwrap_used, reason = "a failure ends the run")]

mod fabric;

use std::{collections::BTreeSet, net::IpAddr};

use fabric::{Fabric, end, leaf_spine, node, prefix};
use weft_device::{
    config::{Action, AfiSafi, NeighborTarget, PeerType, Prepend, Transformations},
    state::{NextHop, RouteProtocol, SessionState},
};
use weft_model::Community;
use weft_simulate::{Failed, Prediction, simulate, trace};

const BLUE: Community = Community::Standard(64_496, 1);

/// Returns the interfaces through which a device sends packets to a prefix.
fn ways(prediction: &Prediction, from: &str, to: &str) -> Vec<String> {
    let route = prediction.states[from].rib.as_ref().unwrap().get(&prefix(to));
    route.iter().flat_map(|route| route.interfaces()).map(ToString::to_string).collect()
}

fn set(change: impl FnOnce(&mut Transformations)) -> Transformations {
    let mut transformations = Transformations::default();
    change(&mut transformations);
    transformations
}

fn prepended(asn: u32, times: u8) -> Transformations {
    set(|t| t.prepend = Some(Prepend { asn: asn.try_into().unwrap(), times }))
}

fn add(community: Community) -> Transformations {
    set(|t| t.add_communities = vec![community])
}

/// `o` reaches `x` directly over cable 0, and through `m` over cables 1 and 2; `y` is behind `x`.
fn triangle() -> (Fabric, String) {
    let mut fabric = Fabric::default();
    for (name, asn) in [("o", 65_001), ("m", 65_002), ("x", 65_003), ("y", 65_004)] {
        fabric.device(name, asn, 64);
    }
    for (a, b) in [("o", "x"), ("o", "m"), ("m", "x"), ("x", "y")] {
        fabric.link(a, b, true);
    }
    let origin = fabric.loopback("o").to_string();
    (fabric, origin)
}

#[test]
fn a_local_preference_comes_before_the_length_of_the_path() {
    let (mut fabric, o) = triangle();
    assert_eq!(ways(&fabric.simulate(), "x", &o), ["swp1"]);
    let preferred = fabric.policy("preferred", &[(None, set(|t| t.local_preference = Some(200)), Action::Accept)]);
    fabric.neighbor("x", 2).import_policy = Some(preferred.clone());
    let prediction = fabric.simulate();
    assert_eq!(ways(&prediction, "x", &o), ["swp2"]);
    assert!(prediction.unstable.is_empty());
    // One that the sender sets does not leave its AS.
    fabric.neighbor("x", 2).import_policy = None;
    fabric.neighbor("m", 2).export_policy = Some(preferred);
    assert_eq!(ways(&fabric.simulate(), "x", &o), ["swp1"]);
}

#[test]
fn a_longer_path_is_taken_last() {
    let (mut fabric, o) = triangle();
    let longer =
        |fabric: &mut Fabric, times| fabric.policy("longer", &[(None, prepended(65_001, times), Action::Accept)]);
    let policy = longer(&mut fabric, 1);
    fabric.neighbor("o", 0).export_policy = Some(policy.clone());
    // As long as the other one: both are used.
    assert_eq!(ways(&fabric.simulate(), "x", &o), ["swp1", "swp2"]);
    longer(&mut fabric, 2);
    assert_eq!(ways(&fabric.simulate(), "x", &o), ["swp2"]);
    // What the receiver prepends counts as well.
    fabric.neighbor("o", 0).export_policy = None;
    fabric.neighbor("x", 0).import_policy = Some(policy);
    assert_eq!(ways(&fabric.simulate(), "x", &o), ["swp2"]);
    // An AS that drops what has passed it does not see what is prepended after it looked.
    fabric.policy("longer", &[(None, prepended(65_003, 1), Action::Accept)]);
    assert_eq!(ways(&fabric.simulate(), "x", &o), ["swp1", "swp2"]);
    assert_eq!(ways(&fabric.simulate(), "y", &o), ["swp1"]);
}

#[test]
fn a_med_is_compared_among_routes_of_one_as() {
    let mut fabric = Fabric::default();
    for (name, asn) in [("o", 65_001), ("p", 65_001), ("x", 65_002), ("q", 65_003), ("y", 65_004)] {
        fabric.device(name, asn, 64);
    }
    // `o` and `p` are one AS; `q` is another.
    for (a, b) in [("o", "x"), ("o", "x"), ("p", "x"), ("q", "x"), ("x", "y")] {
        fabric.link(a, b, true);
    }
    let network = "198.51.100.0/24";
    for name in ["o", "p", "q"] {
        fabric.discard(name, network);
        fabric.originate(name, network);
    }
    let med = |fabric: &mut Fabric, med: u32| {
        fabric.policy(&format!("med-{med}"), &[(None, set(|t| t.med = Some(med)), Action::Accept)])
    };
    let (ten, twenty) = (med(&mut fabric, 10), med(&mut fabric, 20));
    assert_eq!(ways(&fabric.simulate(), "x", network).len(), 4);
    fabric.neighbor("o", 0).export_policy = Some(ten.clone());
    fabric.neighbor("o", 1).export_policy = Some(twenty.clone());
    fabric.neighbor("p", 2).export_policy = Some(ten.clone());
    fabric.neighbor("q", 3).export_policy = Some(twenty.clone());
    assert_eq!(ways(&fabric.simulate(), "x", network), ["swp1", "swp3", "swp4"]);
    // None is as good as 0.
    fabric.neighbor("p", 2).export_policy = None;
    assert_eq!(ways(&fabric.simulate(), "x", network), ["swp3", "swp4"]);
    // The best of its AS is compared with the others: `q` has the higher router id, and loses to neither.
    assert_eq!(ways(&fabric.simulate(), "y", network), ["swp1"]);
    // The receiver may set it as well.
    fabric.neighbor("p", 2).export_policy = Some(ten);
    fabric.neighbor("x", 2).import_policy = Some(twenty);
    assert_eq!(ways(&fabric.simulate(), "x", network), ["swp1", "swp4"]);
}

#[test]
fn a_med_is_not_passed_on_to_a_third_as() {
    let mut fabric = leaf_spine(2, 2, true);
    let l1 = fabric.loopback("l1").to_string();
    let worse = fabric.policy("worse", &[(None, set(|t| t.med = Some(20)), Action::Accept)]);
    // The spines share an AS, so that l2 would compare.
    fabric.neighbor("l1", 0).export_policy = Some(worse.clone());
    assert_eq!(ways(&fabric.simulate(), "l2", &l1).len(), 2);
    fabric.neighbor("s1", 2).export_policy = Some(worse);
    assert_eq!(ways(&fabric.simulate(), "l2", &l1), ["swp2"]);
}

#[test]
fn a_community_marks_a_route_for_those_behind() {
    let (mut fabric, o) = triangle();
    fabric.community_set("blue", &[BLUE]);
    fabric.community_set("colours", &[BLUE, Community::Large(64_496, 1, 2)]);
    let mark = fabric.policy("mark", &[(None, add(BLUE), Action::Accept)]);
    let refuse = fabric.policy(
        "refuse",
        &[
            (Some("blue"), Transformations::default(), Action::Reject),
            (None, Transformations::default(), Action::Accept),
        ],
    );
    fabric.neighbor("o", 0).export_policy = Some(mark.clone());
    fabric.neighbor("x", 0).import_policy = Some(refuse.clone());
    assert_eq!(ways(&fabric.simulate(), "x", &o), ["swp2"]);
    // It stays on the route through others.
    fabric.neighbor("o", 1).export_policy = Some(mark);
    fabric.neighbor("x", 2).import_policy = Some(refuse.clone());
    let prediction = fabric.simulate();
    assert_eq!(ways(&prediction, "x", &o), Vec::<String>::new());
    let received =
        &prediction.states["x"].neighbors.as_ref().unwrap()[&NeighborTarget::Address("10.128.0.4".parse().unwrap())];
    assert_eq!(received.prefixes_received, Some(1), "only that of m itself");
    // Unless somebody takes it away: the statement passes the route on as it changed it.
    let wash = fabric.policy(
        "wash",
        &[
            (None, set(|t| t.remove_communities = Some("colours".parse().unwrap())), Action::Next),
            (Some("blue"), Transformations::default(), Action::Reject),
            (None, Transformations::default(), Action::Accept),
        ],
    );
    fabric.neighbor("m", 1).import_policy = Some(wash);
    assert_eq!(ways(&fabric.simulate(), "x", &o), ["swp2"]);
    // A policy whose last word is to ask the next statement takes nothing.
    let endless = fabric.policy("endless", &[(None, add(BLUE), Action::Next)]);
    fabric.neighbor("m", 1).import_policy = Some(endless);
    assert_eq!(ways(&fabric.simulate(), "x", &o), Vec::<String>::new());
    // A set that is not defined has no communities.
    let undefined = fabric.policy("undefined", &[(Some("nowhere"), Transformations::default(), Action::Accept)]);
    fabric.neighbor("m", 1).import_policy = Some(undefined);
    assert_eq!(ways(&fabric.simulate(), "m", &o), Vec::<String>::new());
}

#[test]
fn what_is_added_is_there_after_what_is_removed() {
    let (mut fabric, o) = triangle();
    fabric.community_set("blue", &[BLUE]);
    let both = set(|t| {
        t.remove_communities = Some("blue".parse().unwrap());
        t.add_communities = vec![BLUE];
    });
    let repaint = fabric.policy("repaint", &[(None, both, Action::Accept)]);
    let only = fabric.policy("only", &[(Some("blue"), Transformations::default(), Action::Accept)]);
    fabric.neighbor("o", 0).export_policy = Some(repaint);
    fabric.neighbor("x", 0).import_policy = Some(only);
    assert_eq!(ways(&fabric.simulate(), "x", &o), ["swp1"]);
}

#[test]
fn a_route_that_goes_away_is_taken_where_there_is_no_other() {
    let mut fabric = leaf_spine(3, 2, true);
    let drain = fabric.policy("drain", &[(None, add(Community::GRACEFUL_SHUTDOWN), Action::Accept)]);
    for cable in [0, 2, 4] {
        fabric.neighbor("s1", cable).export_policy = Some(drain.clone());
    }
    let l1 = fabric.loopback("l1").to_string();
    let prediction = fabric.simulate();
    assert!(prediction.unstable.is_empty());
    assert_eq!(ways(&prediction, "l2", &l1), ["swp2"]);
    assert_eq!(ways(&prediction, "s1", &l1), ["swp1"], "a spine still reaches its leaves");
    let failed = Failed { links: [end("l1:swp2")].into(), nodes: BTreeSet::new() };
    assert_eq!(ways(&simulate(&fabric.configs, &fabric.cables, &failed), "l2", &l1), ["swp1"]);
    // An import policy that removes the community makes the route an ordinary one.
    fabric.community_set("shutdown", &[Community::GRACEFUL_SHUTDOWN]);
    let forget = set(|t| t.remove_communities = Some("shutdown".parse().unwrap()));
    let forget = fabric.policy("forget", &[(None, forget, Action::Accept)]);
    fabric.neighbor("l2", 2).import_policy = Some(forget);
    assert_eq!(ways(&fabric.simulate(), "l2", &l1).len(), 2);
}

#[test]
fn a_route_with_no_export_stays_within_the_next_as() {
    let (mut fabric, o) = triangle();
    let keep = fabric.policy("keep", &[(None, add("no-export".parse().unwrap()), Action::Accept)]);
    fabric.neighbor("o", 0).export_policy = Some(keep);
    fabric.neighbor("x", 3).peer_type = PeerType::External;
    let prediction = fabric.simulate();
    assert_eq!(ways(&prediction, "x", &o), ["swp1"]);
    assert_eq!(ways(&prediction, "y", &o), Vec::<String>::new());
    let advertised = prediction.states["x"].advertised.as_ref().unwrap().values().next().unwrap();
    assert!(!advertised.contains(&prefix(&o)) && advertised.contains(&fabric.loopback("m")));
}

#[test]
fn policies_that_contradict_each_other_never_settle() {
    // Griffin, Shepherd and Wilfong's bad gadget: each of three prefers the route of the next one, if that is the direct one.
    let mut fabric = Fabric::default();
    fabric.device("o", 65_000, 1);
    for (name, asn) in [("a", 65_001), ("b", 65_002), ("c", 65_003)] {
        fabric.device(name, asn, 1);
        fabric.link("o", name, true);
    }
    fabric.community_set("direct", &[BLUE]);
    let mark = fabric.policy("mark", &[(None, add(BLUE), Action::Accept)]);
    let liked = set(|t| {
        t.local_preference = Some(200);
        t.remove_communities = Some("direct".parse().unwrap());
    });
    let like = fabric.policy("like", &[(Some("direct"), liked, Action::Accept)]);
    for (cable, (near, far)) in [("a", "b"), ("b", "c"), ("c", "a")].into_iter().enumerate() {
        fabric.neighbor("o", cable).export_policy = Some(mark.clone());
        let cable = fabric.link(near, far, true);
        fabric.neighbor(near, cable).import_policy = Some(like.clone());
        let none = fabric.policy("none", &[]);
        fabric.neighbor(far, cable).import_policy = Some(none);
    }
    let prediction = fabric.simulate();
    assert_eq!(prediction.unstable, BTreeSet::from([fabric.loopback("o")]));
}

#[test]
fn policies_that_defer_to_each_other_settle_in_more_than_one_way() {
    // Griffin, Shepherd and Wilfong's DISAGREE: each of two prefers the direct route of the other.
    let mut fabric = Fabric::default();
    for (name, asn) in [("o", 65_000), ("a", 65_001), ("b", 65_002), ("c", 65_003)] {
        fabric.device(name, asn, 1);
    }
    for (near, far) in [("o", "a"), ("o", "b"), ("a", "b"), ("b", "c")] {
        fabric.link(near, far, true);
    }
    fabric.community_set("direct", &[BLUE]);
    let mark = fabric.policy("mark", &[(None, add(BLUE), Action::Accept)]);
    let liked = |value| {
        set(|t| {
            t.local_preference = Some(value);
            t.remove_communities = Some("direct".parse().unwrap());
        })
    };
    let like = fabric.policy("like", &[(Some("direct"), liked(200), Action::Accept)]);
    for (near, cable) in [("a", 0), ("b", 1)] {
        fabric.neighbor("o", cable).export_policy = Some(mark.clone());
        fabric.neighbor(near, 2).import_policy = Some(like.clone());
    }
    let prediction = fabric.simulate();
    assert_eq!(prediction.unstable, BTreeSet::new());
    assert_eq!(prediction.ambiguous, BTreeSet::from([fabric.loopback("o")]));
    // If one of them likes its own direct route as much, there is one way only.
    let own = fabric.policy("own", &[(None, liked(300), Action::Accept)]);
    fabric.neighbor("a", 0).import_policy = Some(own);
    let prediction = fabric.simulate();
    assert_eq!((prediction.unstable, prediction.ambiguous), (BTreeSet::new(), BTreeSet::new()));
}

#[test]
fn a_fabric_that_prefers_marked_routes_everywhere_settles_in_one_way() {
    // Devices of many ASes that decide in an unlucky order are not done within the bound: that says nothing of other outcomes.
    let mut fabric = Fabric::default();
    let (leaves, spines): (Vec<String>, Vec<String>) =
        ((0..32).map(|leaf| format!("l{leaf:02}")).collect(), (0..16).map(|spine| format!("s{spine:02}")).collect());
    for (name, asn) in spines.iter().chain(&leaves).zip(65_001..) {
        fabric.device(name, asn, 64);
    }
    for (leaf, spine) in leaves.iter().flat_map(|leaf| spines.iter().map(move |spine| (leaf, spine))) {
        fabric.link(leaf, spine, true);
    }
    fabric.device("origin", 65_000, 64);
    fabric.link("origin", "l00", true);
    fabric.community_set("marked", &[BLUE]);
    let mark = fabric.policy("mark", &[(None, add(BLUE), Action::Accept)]);
    let preferred = set(|t| t.local_preference = Some(200));
    let statements = [(Some("marked"), preferred, Action::Next), (None, Transformations::default(), Action::Accept)];
    let like = fabric.policy("like", &statements);
    let devices: Vec<_> = fabric.configs.keys().cloned().collect();
    for device in devices {
        for neighbor in fabric.bgp(device.as_str()).neighbors.values_mut() {
            neighbor.import_policy = Some(like.clone());
            neighbor.export_policy = (device == node("origin")).then(|| mark.clone());
        }
    }
    let prediction = fabric.simulate();
    assert_eq!((prediction.unstable, prediction.ambiguous), (BTreeSet::new(), BTreeSet::new()));
}

#[test]
fn an_unnumbered_session_carries_both_families() {
    let mut fabric = leaf_spine(2, 2, false);
    for (number, name) in ["l1", "l2", "s1", "s2"].into_iter().enumerate() {
        fabric.address(&format!("{name}:lo"), &format!("2001:db8::{number}/128"));
        fabric.originate(name, &format!("2001:db8::{number}/128"));
    }
    fabric.address("l1:lo", "fe80::1/64");
    assert_eq!(ways(&fabric.simulate(), "l2", "2001:db8::/128"), Vec::<String>::new(), "not asked for");
    for config in fabric.configs.values_mut() {
        for neighbor in config.bgp.as_mut().unwrap().neighbors.values_mut() {
            neighbor.afi_safis.insert(AfiSafi::Ipv6Unicast);
        }
    }
    let prediction = fabric.simulate();
    assert_eq!(ways(&prediction, "l2", "2001:db8::/128"), ["swp1", "swp2"]);
    assert_eq!(ways(&prediction, "l2", &fabric.loopback("l1").to_string()), ["swp1", "swp2"]);
    let l1 = prediction.states["l1"].rib.as_ref().unwrap();
    assert_eq!(l1[&prefix("2001:db8::/128")].protocol, RouteProtocol::Connected);
    assert!(!l1.keys().any(|known| *known == prefix("fe80::/64")));
    // s1 and l2 of each family.
    let neighbor = prediction.states["l1"].neighbors.as_ref().unwrap().values().next().unwrap();
    assert_eq!(neighbor.prefixes_received, Some(4));
    let to: IpAddr = "2001:db8::".parse().unwrap();
    assert!(trace(&prediction.states, &fabric.cables, &node("l2"), to, to).is_delivered());
    // The limit is one for each family.
    let target = fabric.bgp("l1").neighbors.keys().next().unwrap().clone();
    for (most, state) in [(2, SessionState::Established), (1, SessionState::Idle)] {
        fabric.bgp("l1").neighbors.get_mut(&target).unwrap().maximum_prefixes = Some(most);
        assert_eq!(fabric.simulate().states["l1"].neighbors.as_ref().unwrap()[&target].session_state, state);
    }
}

#[test]
fn a_session_between_addresses_carries_their_family() {
    let mut fabric = leaf_spine(2, 1, true);
    for (number, (near, far)) in [("l1:swp1", "s1:swp1"), ("l2:swp1", "s1:swp2")].into_iter().enumerate() {
        let (near, far) = (end(near), end(far));
        for (here, there, host, other) in [(&near, &far, 0, 1), (&far, &near, 1, 0)] {
            fabric.address(&here.to_string(), &format!("2001:db8:1:{number}::{host}/127"));
            let asn = fabric.bgp(there.node.as_str()).asn;
            let bgp = fabric.bgp(here.node.as_str());
            let mut neighbor = bgp.neighbors.values().find(|n| n.interface == here.interface).unwrap().clone();
            neighbor.afi_safis = [AfiSafi::Ipv6Unicast].into();
            neighbor.peer_as = asn;
            let address = format!("2001:db8:1:{number}::{other}").parse().unwrap();
            bgp.neighbors.insert(NeighborTarget::Address(address), neighbor);
        }
    }
    fabric.address("l1:lo", "2001:db8::1/128");
    fabric.originate("l1", "2001:db8::1/128");
    let prediction = fabric.simulate();
    let l2 = prediction.states["l2"].rib.as_ref().unwrap();
    let hop = |via: Option<&str>| NextHop::Interface {
        interface: end("l2:swp1").interface,
        via: via.map(|via| via.parse().unwrap()),
    };
    assert_eq!(l2[&prefix("2001:db8::1/128")].next_hops, [hop(None)].into());
    assert_eq!(l2[&fabric.loopback("l1")].next_hops, [hop(Some("10.128.0.3"))].into());
    let neighbors = prediction.states["s1"].neighbors.as_ref().unwrap();
    assert_eq!(neighbors.len(), 4);
    assert!(neighbors.values().all(|neighbor| neighbor.session_state == SessionState::Established));
    // Ends without a family in common have no session.
    let target = NeighborTarget::Address("2001:db8:1:0::".parse().unwrap());
    fabric.bgp("s1").neighbors.get_mut(&target).unwrap().afi_safis = [AfiSafi::Ipv4Unicast].into();
    let prediction = fabric.simulate();
    assert_eq!(prediction.states["s1"].neighbors.as_ref().unwrap()[&target].session_state, SessionState::Active);
    assert_eq!(ways(&prediction, "s1", "2001:db8::1/128"), Vec::<String>::new());
}
