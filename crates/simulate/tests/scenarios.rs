//! Scenarios against simulations from the start: the same states, the same ends of every packet.
#![allow(clippy::unwrap_used, reason = "a failure ends the run")]

mod fabric;
mod random;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use fabric::{Fabric, fat_tree, prefix};
use proptest::prelude::*;
use random::{AS, PREFIXES, Plan, plans};
use weft_device::{
    config::{Action, Prepend, Transformations},
    state::DeviceState,
};
use weft_model::{Community, Name, TerminationPoint};
use weft_simulate::{Failed, Forwarding, Outcome, Scenario, Scenarios, simulate};

/// Asserts that a scenario says what a whole prediction says, for packets from every device to every destination; returns how
/// many walks it answered by itself.
fn agrees(
    fabric: &Fabric,
    destinations: &BTreeSet<IpAddr>,
    steady: &BTreeMap<weft_model::NodeName, DeviceState>,
    scenario: &Scenario<'_, '_>,
    failed: &Failed,
) -> usize {
    let states = simulate(&fabric.configs, &fabric.cables, failed).states;
    let short = scenario.states(destinations);
    let (whole, short) = (Forwarding::new(&states, &fabric.cables), Forwarding::new(&short, &fabric.cables));
    let before = Forwarding::new(steady, &fabric.cables);
    let mut answered = 0;
    for &destination in destinations {
        let changed = scenario.changed(destination);
        for (number, from) in fabric.configs.keys().enumerate() {
            let trace = whole.trace(from, destination, destination);
            assert_eq!(trace, short.trace(from, destination, destination), "{failed:?}");
            if let (Some(changed), false) = (&changed, trace == before.trace(from, destination, destination)) {
                let passed = scenario.walk(from, destination).unwrap().passed;
                assert!(passed.iter().any(|device| changed.contains(device)), "{failed:?}: {number} {trace:?}");
            }
            let Some(walk) = scenario.walk(from, destination) else { continue };
            answered += 1;
            assert_eq!(walk.delivered_at, trace.delivered_at().into_iter().cloned().collect(), "{failed:?}");
            let stopped = trace.outcomes.keys().any(|outcome| !matches!(outcome, Outcome::Delivered { .. }));
            assert_eq!((walk.stopped, walk.first_hops), (stopped, trace.first_hops), "{failed:?}: {trace:?}");
        }
    }
    answered
}

/// Asserts the same while nothing is broken and after each single cut.
fn all_cuts_agree(fabric: &Fabric, destinations: &BTreeSet<IpAddr>) -> usize {
    let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, destinations);
    let whole = fabric.simulate();
    let mut answered = agrees(fabric, destinations, &whole.states, &scenarios.steady(), &Failed::default());
    for cable in &fabric.cables {
        let failed = Failed { links: [cable[0].clone()].into(), nodes: BTreeSet::new() };
        answered += agrees(fabric, destinations, &whole.states, &scenarios.cut(cable), &failed);
    }
    answered
}

/// What fails at the same time: numbers of cables and of devices.
type Picked = (Vec<usize>, Vec<usize>);

/// Returns failures of up to three cables and two devices at the same time.
fn failures() -> impl Strategy<Value = Vec<Picked>> {
    let failure = (proptest::collection::vec(0_usize..64, 0..4), proptest::collection::vec(0_usize..64, 0..3));
    proptest::collection::vec(failure, 4)
}

/// Asserts the same after failures of several elements.
fn failures_agree(fabric: &Fabric, destinations: &BTreeSet<IpAddr>, picked: &[Picked]) -> usize {
    let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, destinations);
    let steady = fabric.simulate().states;
    let devices: Vec<_> = fabric.configs.keys().collect();
    let mut answered = 0;
    for (cables, nodes) in picked {
        // Either end names a cable.
        let end = |number: &usize| Some(fabric.cables.get(number % fabric.cables.len().max(1))?[number % 2].clone());
        let failed = Failed {
            links: cables.iter().filter_map(end).collect(),
            nodes: nodes.iter().map(|number| devices[number % devices.len()].clone()).collect(),
        };
        answered += agrees(fabric, destinations, &steady, &scenarios.fail(&failed), &failed);
    }
    answered
}

#[test]
fn a_fat_tree_is_the_same_after_failures_of_nodes_and_several_links() {
    let fabric = fat_tree(4);
    let destinations = ["172.16.0.10", "172.17.1.1", "10.0.0.1"].map(|address| address.parse().unwrap()).into();
    let nodes = (0..fabric.configs.len()).map(|node| (vec![], vec![node]));
    let pairs = (0..fabric.cables.len()).map(|cable| (vec![cable, cable * 7 + 3], vec![]));
    let both = (0..fabric.configs.len()).map(|number| (vec![number, 2 * number], vec![number, 3 * number + 1]));
    let picked: Vec<Picked> = nodes.chain(pairs).chain(both).collect();
    assert_eq!(failures_agree(&fabric, &destinations, &picked), picked.len() * 3 * fabric.configs.len());
}

#[test]
fn a_fat_tree_is_the_same_after_every_cut() {
    let fabric = fat_tree(4);
    let destinations = ["172.16.0.10", "172.17.1.1", "10.0.0.1", "192.0.2.1"].map(|address| address.parse().unwrap());
    let answered = all_cuts_agree(&fabric, &destinations.into());
    assert_eq!(answered, (1 + fabric.cables.len()) * 4 * fabric.configs.len());
}

#[test]
fn a_network_whose_sessions_may_overfill_is_simulated_whole() {
    let mut fabric = fat_tree(4);
    fabric.neighbor("e-0-0", 4).maximum_prefixes = Some(5);
    let destinations = BTreeSet::from(["172.17.0.10".parse().unwrap()]);
    assert_eq!(all_cuts_agree(&fabric, &destinations), 0);
    // A limit that all prefixes together do not reach makes no difference.
    fabric.neighbor("e-0-0", 4).maximum_prefixes = Some(1000);
    assert!(all_cuts_agree(&fabric, &destinations) > 0);
}

/// Defines policies of every sort on every device, and returns their names.
fn policies(fabric: &mut Fabric) -> Vec<Name> {
    let (blue, none) = (Community::Standard(64_496, 1), Transformations::default());
    fabric.community_set("blue", &[blue]);
    let local_preference = |value| Transformations { local_preference: Some(value), ..Default::default() };
    let add = |community| Transformations { add_communities: vec![community], ..Default::default() };
    let remove = Transformations { remove_communities: Some("blue".parse().unwrap()), ..Default::default() };
    let med = Transformations { med: Some(10), ..Default::default() };
    let prepend = Prepend { asn: 64_999.try_into().unwrap(), times: 2 };
    let prepend = Transformations { prepend: Some(prepend), ..Default::default() };
    [
        vec![(None, local_preference(200), Action::Accept)],
        vec![(Some("blue"), local_preference(50), Action::Accept), (None, add(blue), Action::Accept)],
        vec![(Some("blue"), none.clone(), Action::Reject), (None, prepend, Action::Accept)],
        vec![(Some("blue"), remove, Action::Next), (None, med, Action::Accept)],
        vec![(None, add(Community::GRACEFUL_SHUTDOWN), Action::Accept)],
        vec![(None, add(blue), Action::Next), (None, none, Action::Accept)],
    ]
    .iter()
    .enumerate()
    .map(|(number, statements)| fabric.policy(&format!("p{number}"), statements))
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn scenarios_are_simulations_from_the_start_whatever_policies_say(
        asns in proptest::collection::vec(0_u32..6, 3..8),
        links in proptest::collection::vec((0_usize..9, 0_usize..9, 0_usize..40, 0_usize..40), 3..14),
        plain in any::<bool>(),
        maximum_paths in 1_u16..4,
        picked in failures(),
    ) {
        let mut fabric = Fabric::default();
        for (device, asn) in asns.iter().enumerate() {
            fabric.device(&format!("d{device}"), 65_000 + asn, maximum_paths);
        }
        let policies = policies(&mut fabric);
        // Without local preferences, routes are mended; with them, computed anew.
        let policies: Vec<&Name> = policies.iter().enumerate().filter(|(n, _)| !plain || [2, 3, 4, 5].contains(n)).map(|(_, p)| p).collect();
        for (a, b, import, export) in links {
            let (a, b) = (a % asns.len(), b % asns.len());
            if a != b {
                let cable = fabric.link(&format!("d{a}"), &format!("d{b}"), true);
                let neighbor = fabric.neighbor(&format!("d{a}"), cable);
                neighbor.import_policy = policies.get(import).map(|&policy| policy.clone());
                neighbor.export_policy = policies.get(export).map(|&policy| policy.clone());
            }
        }
        let destinations = ["10.0.0.1", "10.0.0.3"].map(|address| address.parse().unwrap()).into();
        all_cuts_agree(&fabric, &destinations);
        failures_agree(&fabric, &destinations, &picked);
        let predict = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fabric.simulate())
        };
        prop_assert!(predict(1) == predict(5));
        if plain {
            // A policy between two strangers that sets the usual local preference has all devices decide again and again, by whole
            // paths, in place of one after the other by what of paths can make a difference.
            fabric.device("stranger-1", 65_100, 1);
            fabric.device("stranger-2", 65_101, 1);
            let cable = fabric.link("stranger-1", "stranger-2", true);
            let one_by_one = fabric.simulate();
            let usual = Transformations { local_preference: Some(100), ..Default::default() };
            let usual = fabric.policy("usual", &[(None, usual, Action::Accept)]);
            fabric.neighbor("stranger-1", cable).import_policy = Some(usual);
            prop_assert_eq!(fabric.simulate(), one_by_one);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn scenarios_are_simulations_from_the_start(
        asns in proptest::collection::vec(0_u32..6, 3..9),
        links in proptest::collection::vec((0_usize..9, 0_usize..9, any::<bool>()), 3..18),
        maximum_paths in 1_u16..4,
        aggregates in proptest::collection::vec((0_usize..9, 0_usize..3), 0..4),
        most in proptest::option::weighted(0.2, 1_u32..30),
        cable_subnets in any::<bool>(),
        picked in failures(),
    ) {
        let mut fabric = Fabric::default();
        for (device, asn) in asns.iter().enumerate() {
            fabric.device(&format!("d{device}"), 65_000 + asn, maximum_paths);
        }
        let mut destinations: BTreeSet<IpAddr> = ["10.0.0.1", "10.0.0.3", "192.0.2.1"].map(|a| a.parse().unwrap()).into();
        for (a, b, numbered) in links {
            let (a, b) = (a % asns.len(), b % asns.len());
            if a != b {
                let cable = fabric.link(&format!("d{a}"), &format!("d{b}"), numbered);
                fabric.neighbor(&format!("d{a}"), cable).maximum_prefixes = most;
                if numbered && cable_subnets {
                    // The subnet of a cable is announced: a cut withdraws it.
                    let subnet = std::net::Ipv4Addr::from(0x0a80_0000 + 2 * u32::try_from(cable).unwrap());
                    fabric.originate(&format!("d{a}"), &format!("{subnet}/31"));
                    destinations.insert(subnet.into());
                }
            }
        }
        for (device, which) in aggregates {
            let (name, network) = (format!("d{}", device % asns.len()), ["0.0.0.0/0", "10.0.0.0/30", "10.0.0.3/32"][which]);
            fabric.discard(&name, network);
            fabric.originate(&name, &prefix(network).to_string());
        }
        all_cuts_agree(&fabric, &destinations);
        failures_agree(&fabric, &destinations, &picked);
    }
}

/// Asserts that after a failure, the failure of one more cable or device that packets do not pass changes nothing for them. A
/// search over elements in use, one after the other, rests on this.
fn elsewhere_changes_nothing(fabric: &Fabric, destinations: &BTreeSet<IpAddr>, picked: &[Picked]) {
    let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, destinations);
    let devices: Vec<_> = fabric.configs.keys().collect();
    for (cables, nodes) in picked {
        let end = |number: &usize| Some(fabric.cables.get(number % fabric.cables.len().max(1))?[0].clone());
        let failed = Failed {
            links: cables.iter().filter_map(end).collect(),
            nodes: nodes.iter().take(1).map(|number| devices[number % devices.len()].clone()).collect(),
        };
        let more = fabric.cables.iter().map(|cable| {
            let links = failed.links.iter().cloned().chain([cable[0].clone()]).collect();
            (cable.iter().cloned().collect::<BTreeSet<_>>(), None, Failed { links, nodes: failed.nodes.clone() })
        });
        let off = devices.iter().enumerate().map(|(number, node)| {
            let nodes = failed.nodes.iter().chain([*node]).cloned().collect();
            (BTreeSet::new(), Some(number), Failed { links: failed.links.clone(), nodes })
        });
        let before = scenarios.fail(&failed);
        for (ends, node, failed) in more.chain(off) {
            let after = scenarios.fail(&failed);
            for &destination in destinations {
                let all = || 0..devices.len();
                let [before, after] =
                    [&before, &after].map(|scenario| scenario.ways(destination, None, all()).unwrap());
                let (arrive, fail) = ((before.arrive(), after.arrive()), (before.fail(), after.fail()));
                for from in 0..devices.len() {
                    let hops = before.hops(from);
                    let over = |device: usize, port: &weft_model::InterfaceName| {
                        ends.iter().any(|end| end.node == *devices[device] && end.interface == *port)
                    };
                    if hops.iter().any(|(device, port, _)| over(*device, port))
                        || node.is_some_and(|node| before.passed(from).contains(&node))
                    {
                        continue;
                    }
                    assert_eq!(hops, after.hops(from), "{failed:?}: {} to {destination}", devices[from]);
                    assert_eq!((arrive.0.has(from), fail.0.has(from)), (arrive.1.has(from), fail.1.has(from)));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_failure_elsewhere_changes_nothing_where_no_as_is_used_twice(
        devices in 3_usize..8,
        links in proptest::collection::vec((0_usize..8, 0_usize..8), 3..14),
        maximum_paths in 1_u16..4,
        picked in failures(),
    ) {
        let mut fabric = Fabric::default();
        for device in 0..devices {
            fabric.device(&format!("d{device}"), 65_000 + u32::try_from(device).unwrap(), maximum_paths);
        }
        for (a, b) in links.into_iter().map(|(a, b)| (a % devices, b % devices)).filter(|(a, b)| a != b) {
            fabric.link(&format!("d{a}"), &format!("d{b}"), true);
        }
        // Two devices announce an aggregate.
        for device in ["d0", "d2"] {
            fabric.discard(device, "192.0.2.0/24");
            fabric.originate(device, "192.0.2.0/24");
        }
        let destinations = ["10.0.0.1", "10.0.0.3", "192.0.2.1"].map(|address| address.parse().unwrap()).into();
        elsewhere_changes_nothing(&fabric, &destinations, &picked);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_failure_elsewhere_changes_nothing_in_a_fat_tree(picked in failures()) {
        let destinations = ["172.16.0.10", "10.0.0.1"].map(|address| address.parse().unwrap()).into();
        elsewhere_changes_nothing(&fat_tree(4), &destinations, &picked);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn scenarios_of_an_as_with_reflectors_are_simulations_from_the_start(
        plan in plans(1..4, true),
        maximum_paths in 1_u16..4,
        picked in failures(),
    ) {
        let fabric = plan.fabric(maximum_paths);
        let inside = [0, 1].map(|router| fabric.loopback(&random::name(router)).addr());
        let outside = PREFIXES.map(|to| prefix(to).addr());
        let destinations = inside.into_iter().chain(outside).collect();
        all_cuts_agree(&fabric, &destinations);
        failures_agree(&fabric, &destinations, &picked);
        let predict = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fabric.simulate())
        };
        let alone = predict(1);
        prop_assert!([2, 4].into_iter().all(|threads| predict(threads) == alone));
    }

    #[test]
    fn a_cut_elsewhere_changes_nothing_in_a_full_mesh_without_meds(
        plan in plans(1..4, false),
        maximum_paths in 1_u16..4,
    ) {
        // A reflector may lose a session over a link that no packet takes, a route that nobody uses may beat others by its MED, and one
        // that is not passed on may take packets from a way that its router never tells of.
        let routers = plan.asns.iter().filter(|asn| **asn == AS).count();
        let sessions = (0..routers).flat_map(|a| (a + 1..routers).map(move |b| (a, b, false))).collect();
        let mut plan = Plan { sessions, ..plan };
        for step in plan.policies.iter_mut().flat_map(|policy| &mut policy.steps) {
            step.change.med = None;
            step.change.add_communities.retain(|community| *community != Community::NO_ADVERTISE);
        }
        let fabric = plan.fabric(maximum_paths);
        let steady = fabric.simulate().states;
        for to in PREFIXES.map(prefix) {
            let route = |state: &DeviceState| state.rib.as_ref().unwrap().get(&to).cloned();
            let on_a_way = |end: &TerminationPoint| {
                let next_hops = route(&steady[&end.node]).map(|route| route.next_hops);
                next_hops.is_some_and(|hops| hops.iter().any(|hop| hop.interface() == Some(&end.interface)))
            };
            for cable in fabric.cables.iter().filter(|cable| !cable.iter().any(on_a_way)) {
                let failed = Failed { links: [cable[0].clone()].into(), ..Failed::default() };
                let states = simulate(&fabric.configs, &fabric.cables, &failed).states;
                for (name, state) in &states {
                    prop_assert_eq!(route(state), route(&steady[name]), "{} to {} after {:?}", name, to, failed);
                }
            }
        }
    }
}
