//! A second opinion: random networks as `bgpsim` predicts them, router by router, also after the cut of a link.
//!
//! Both decide by RFC 4271 9.1.2.2 and RFC 4456. Where they differ by design, the networks are such that it does not show:
//!
//! - `bgpsim` has no multipath, so that routers use one exit here; OSPF uses all equal paths on both sides.
//! - It compares the numbers of routers in place of router ids and addresses. Nodes are numbered alike on both sides, so that ties
//!   fall the same way.
//! - MEDs are compared among routes of one neighboring AS, and none is 0, on both sides. Next hops are those of borders.
//! - It does not look for its own AS on paths, nor for `no-export` and `no-advertise`: route maps in front of the others do.
//! - It compares routes of its own with others: route maps give these a lower weight.
//! - A border drops communities of other ASes, and an AS does not say its own to others: all communities are of the AS of the routers,
//!   and no policy of an exit asks for one.
//! - It rejects nothing by default: policies end with a statement that accepts.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a failure ends the test, which says what it did")]

mod fabric;
mod random;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use bgpsim::{
    bgp::{BgpRibEntry, Community as Theirs, NO_ADVERTISE, NO_EXPORT},
    event::PerRouterQueue,
    ospf::{IgpTarget, global::GlobalOspfProcess},
    prelude::*,
    route_map::{RouteMap, RouteMapBuilder, RouteMapDirection},
    types::PhysicalNetwork,
};
use fabric::{Fabric, node, prefix};
use ipnet::IpNet;
use proptest::{
    prelude::{Strategy, prop_assert},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use random::{AS, PREFIXES, Plan, Policy, name, plans};
use weft_device::{config::Action, state::NextHop};
use weft_model::{Community, InterfaceName, TerminationPoint};
use weft_simulate::{Failed, Prediction, simulate};

type Network = bgpsim::network::Network<Ipv4Prefix, BasicEventQueue<Ipv4Prefix>, GlobalOspf>;

/// So many messages settle any of these networks that settles.
const MOST_MESSAGES: usize = 5_000;

fn theirs(prefix: usize) -> Ipv4Prefix {
    PREFIXES[prefix].parse().unwrap()
}

fn their_community(community: &Community) -> Theirs {
    match community {
        Community::Standard(asn, number) => Theirs::new(u32::from(*asn), u32::from(*number)),
        Community::Large(..) => panic!("{community:?}"),
    }
}

/// Returns a policy as route maps, behind those that stand in for what `bgpsim` does not do by itself.
fn route_maps(plan: &Plan, node: usize, neighbor: usize, import: bool) -> Vec<RouteMap<Ipv4Prefix>> {
    let mut maps = Vec::new();
    if import {
        let own_as = ASN(plan.asns[node]);
        maps.push(RouteMapBuilder::new().order(1).deny().match_as_path_contains(own_as).build());
        for &(_, number) in plan.origins.iter().filter(|(origin, _)| *origin == node) {
            let order = 2 + u16::try_from(number).unwrap();
            let mut map = RouteMapBuilder::new();
            maps.push(map.order(order).allow().match_prefix(theirs(number)).set_weight(0).continue_next().build());
        }
    } else {
        maps.push(RouteMapBuilder::new().order(1).deny().match_community(NO_ADVERTISE).build());
        if plan.asns[node] != plan.asns[neighbor] {
            maps.push(RouteMapBuilder::new().order(2).deny().match_community(NO_EXPORT).build());
        }
    }
    let policy = plan.policies.iter().find(|p| (p.node, p.neighbor, p.import) == (node, neighbor, import));
    maps.extend(policy.iter().flat_map(|policy| statements(policy)));
    maps
}

fn statements(policy: &Policy) -> Vec<RouteMap<Ipv4Prefix>> {
    let mut maps = Vec::new();
    for (step, order) in policy.steps.iter().zip(10..) {
        let mut map = RouteMapBuilder::new();
        map.order(order);
        if let Some(number) = step.prefix {
            map.match_prefix(theirs(number));
        }
        if let Some(number) = step.community {
            map.match_community(their_community(&random::community(number)));
        }
        let change = &step.change;
        if let Some(set) = &change.remove_communities {
            let number = set.as_str().trim_start_matches('c').parse().unwrap();
            map.remove_community(their_community(&random::community(number)));
        }
        for community in &change.add_communities {
            map.set_community(their_community(community));
        }
        if let Some(value) = change.local_preference {
            map.set_local_pref(value);
        }
        if let Some(value) = change.med {
            map.set_med(value);
        }
        if let Some(prepend) = change.prepend {
            map.prepend_as_path(vec![prepend.asn.get(); usize::from(prepend.times)]);
        }
        match step.action {
            Action::Accept => map.allow().exit(),
            Action::Next => map.allow().continue_next(),
            Action::Reject => map.deny(),
        };
        maps.push(map.build());
    }
    maps
}

/// Returns the network as `bgpsim` has it, before anything is originated.
fn their_network(plan: &Plan) -> Network {
    let mut network = Network::default();
    network.manual_simulation();
    let ids: Vec<RouterId> =
        plan.asns.iter().enumerate().map(|(node, &asn)| network.add_router(name(node), asn)).collect();
    network.add_links_from(plan.links.iter().map(|&(a, b, _)| (ids[a], ids[b]))).unwrap();
    let weights = plan.links.iter().filter_map(|&(a, b, metrics)| Some((ids[a], ids[b], metrics?)));
    let both = weights.flat_map(|(a, b, [there, back])| [(a, b, f64::from(there)), (b, a, f64::from(back))]);
    network.set_link_weights_from(both.collect::<Vec<_>>()).unwrap();
    for &id in &ids {
        network.set_load_balancing(id, true).unwrap();
    }
    let external = plan.links.iter().filter(|(_, _, metrics)| metrics.is_none()).map(|&(a, b, _)| (a, b, false));
    let sessions: Vec<_> = plan.sessions.iter().copied().chain(external).collect();
    network.set_bgp_session_from(sessions.iter().map(|&(a, b, client)| (ids[a], ids[b], Some(client)))).unwrap();
    for (near, far) in sessions.into_iter().flat_map(|(a, b, _)| [(a, b), (b, a)]) {
        for (import, direction) in [(true, RouteMapDirection::Incoming), (false, RouteMapDirection::Outgoing)] {
            for map in route_maps(plan, near, far, import) {
                network.set_bgp_route_map(ids[near], ids[far], direction, map).unwrap();
            }
        }
    }
    network.set_msg_limit(Some(MOST_MESSAGES));
    network
}

/// Lets messages go until there are none; `None` where there are always more. Messages of one router after the other may settle what
/// messages in the order in which they are sent do not.
fn settle(mut network: Network) -> Option<Network> {
    let mut each_router = network.clone();
    if network.simulate().is_ok() {
        return Some(network);
    }
    let mut queue = PerRouterQueue::default();
    while let Some(message) = each_router.queue_mut().pop() {
        queue.push::<GlobalOspfProcess>(message, &BTreeMap::new(), &PhysicalNetwork::default());
    }
    let mut each_router = each_router.swap_queue(queue);
    each_router.simulate().ok()?;
    Some(each_router.swap_queue(BasicEventQueue::new()))
}

/// What the routes to one prefix are, of each node, in numbers of nodes.
#[derive(Debug, PartialEq, Eq)]
struct Routes {
    /// Where packets go next; nothing is said of nodes that originate the prefix.
    next: BTreeMap<usize, BTreeSet<usize>>,
    /// Pairs of nodes of different ASes of which the first announces the prefix to the second.
    announced: BTreeSet<(usize, usize)>,
}

fn our_routes(plan: &Plan, fabric: &Fabric, prediction: &Prediction, number: usize) -> Routes {
    let to = prefix(PREFIXES[number]);
    let mut routes = Routes { next: BTreeMap::new(), announced: BTreeSet::new() };
    for here in 0..plan.asns.len() {
        if !plan.origins.contains(&(here, number)) {
            routes.next.insert(here, our_hops(fabric, prediction, here, &to));
        }
        let advertised = prediction.states[&node(&name(here))].advertised.as_ref().unwrap();
        for there in neighbors(plan, here).filter(|there| plan.asns[*there] != plan.asns[here]) {
            if advertised.get(&plan.target(fabric, here, there)).is_some_and(|prefixes| prefixes.contains(&to)) {
                routes.announced.insert((here, there));
            }
        }
    }
    routes
}

fn neighbors(plan: &Plan, node: usize) -> impl Iterator<Item = usize> {
    plan.links.iter().filter_map(move |&(a, b, _)| match node {
        _ if node == a => Some(b),
        _ if node == b => Some(a),
        _ => None,
    })
}

fn our_hops(fabric: &Fabric, prediction: &Prediction, here: usize, to: &IpNet) -> BTreeSet<usize> {
    let here = node(&name(here));
    let route = prediction.states[&here].rib.as_ref().unwrap().get(to);
    let ports = route.iter().flat_map(|route| route.next_hops.iter()).filter_map(NextHop::interface);
    let far = |port: &InterfaceName| {
        let is_near = |end: &TerminationPoint| end.node == here && end.interface == *port;
        let cable = fabric.cables.iter().find(|cable| cable.iter().any(is_near)).unwrap();
        cable.iter().find(|end| end.node != here).unwrap().node.as_str()[1..].parse().unwrap()
    };
    ports.map(far).collect()
}

fn their_routes(plan: &Plan, network: &Network, number: usize) -> Routes {
    let to = theirs(number);
    let mut routes = Routes { next: BTreeMap::new(), announced: BTreeSet::new() };
    for here in 0..plan.asns.len() {
        let router = network.get_router((here as u32).into()).unwrap();
        if !plan.origins.contains(&(here, number)) {
            let best = router.bgp.get_exact(to).map(|entry| entry.route.next_hop);
            routes.next.insert(here, best.map_or_else(BTreeSet::new, |exit| their_hops(network, here, exit)));
        }
        for there in neighbors(plan, here).filter(|there| plan.asns[*there] != plan.asns[here]) {
            let told = router.bgp.get_rib_out().get(&to);
            if told.is_some_and(|told| told.contains_key(&(there as u32).into())) {
                routes.announced.insert((here, there));
            }
        }
    }
    routes
}

fn their_hops(network: &Network, here: usize, to: RouterId) -> BTreeSet<usize> {
    let router = network.get_router((here as u32).into()).unwrap();
    router.ospf.get(IgpTarget::Ospf(to)).iter().map(|hop| hop.index()).collect()
}

/// The steps of a decision that rank a route by itself, before MEDs and behind them; the lowest is preferred.
type Rank = (&'static str, fn(&BgpRibEntry<Ipv4Prefix>) -> u64);
const BEFORE: [Rank; 2] = [
    ("local preference", |entry| u64::from(u32::MAX - entry.route.local_pref.unwrap())),
    ("AS path", |entry| entry.route.as_path.len() as u64),
];
const BEHIND: [Rank; 5] = [
    ("other AS", |entry| u64::from(entry.from_type.is_ibgp())),
    ("cost", |entry| entry.igp_cost.unwrap().into_inner() as u64),
    ("router id", |entry| entry.route.originator_id.unwrap_or(entry.from_id).index() as u64),
    ("clusters", |entry| entry.route.cluster_list.len() as u64),
    ("neighbor", |entry| entry.from_id.index() as u64),
];

/// Returns the step that leaves one of several routes.
fn deciding_step(mut known: Vec<BgpRibEntry<Ipv4Prefix>>) -> Option<&'static str> {
    let least = |known: &mut Vec<BgpRibEntry<Ipv4Prefix>>, (step, rank): Rank| {
        let (before, least) = (known.len(), known.iter().map(rank).min()?);
        known.retain(|entry| rank(entry) == least);
        (before > 1 && known.len() == 1).then_some(step)
    };
    if let Some(step) = BEFORE.into_iter().find_map(|rank| least(&mut known, rank)) {
        return Some(step);
    }
    let med = |entry: &BgpRibEntry<Ipv4Prefix>| (entry.route.as_path.first().copied(), entry.route.med.unwrap_or(0));
    let meds: Vec<_> = known.iter().map(med).collect();
    let before = known.len();
    known.retain(|entry| meds.iter().all(|(first, other)| *first != med(entry).0 || *other >= med(entry).1));
    if before > 1 && known.len() == 1 {
        return Some("MED");
    }
    BEHIND.into_iter().find_map(|rank| least(&mut known, rank))
}

/// Returns the prefixes that each node receives and accepts of each neighbor.
fn our_accepted(plan: &Plan, fabric: &Fabric, prediction: &Prediction) -> BTreeMap<(usize, usize), u32> {
    let pairs = pairs(plan).into_iter().map(|(here, there)| {
        let neighbors = prediction.states[&node(&name(here))].neighbors.as_ref().unwrap();
        let accepted = neighbors[&plan.target(fabric, here, there)].prefixes_received.unwrap_or(0);
        ((here, there), accepted)
    });
    pairs.collect()
}

fn their_accepted(plan: &Plan, networks: &[&Network]) -> BTreeMap<(usize, usize), u32> {
    let mut accepted: BTreeMap<(usize, usize), u32> = pairs(plan).into_iter().map(|pair| (pair, 0)).collect();
    for (network, number) in networks.iter().zip(0..) {
        for here in 0..plan.asns.len() {
            let router = network.get_router((here as u32).into()).unwrap();
            for entry in router.bgp.get_known_routes(theirs(number)).unwrap() {
                if let Some(count) = accepted.get_mut(&(here, entry.from_id.index())) {
                    *count += 1;
                }
            }
        }
    }
    accepted
}

/// Returns both directions of every session.
fn pairs(plan: &Plan) -> Vec<(usize, usize)> {
    let external = plan.links.iter().filter(|(_, _, metrics)| metrics.is_none()).map(|&(a, b, _)| (a, b));
    let sessions = plan.sessions.iter().map(|&(a, b, _)| (a, b)).chain(external);
    sessions.flat_map(|(a, b)| [(a, b), (b, a)]).collect()
}

/// What was compared.
#[derive(Debug, Default)]
struct Tally {
    /// Networks, each whole and with a link cut.
    networks: usize,
    /// Routes of one router to one prefix.
    routes: usize,
    /// How many of them were chosen among several, by what decided.
    decided: BTreeMap<&'static str, usize>,
    /// Routes of one router to the loopback of another.
    ospf: usize,
    /// Sessions with the number of prefixes that are accepted over them.
    sessions: usize,
    /// Prefixes that settle on both sides.
    settled: usize,
    /// Prefixes that settle on neither side.
    unsettled: usize,
    /// Prefixes for which it depends on who decides first.
    ambiguous: usize,
    /// Prefixes that settle on one side only: whether routes settle may depend on when who hears of what.
    one_sided: usize,
}

/// Compares a network, and returns what differs.
fn compare(
    plan: &Plan,
    (fabric, prediction): (&Fabric, &Prediction),
    theirs: &[Option<Network>],
    tally: &mut Tally,
) -> Vec<String> {
    let mut differences = Vec::new();
    let mut settled = Vec::new();
    for (number, network) in theirs.iter().enumerate() {
        let to = prefix(PREFIXES[number]);
        match (prediction.unstable.contains(&to), network) {
            _ if prediction.ambiguous.contains(&to) => tally.ambiguous += 1,
            (true, None) => tally.unsettled += 1,
            (true, Some(_)) | (false, None) => tally.one_sided += 1,
            (false, Some(network)) => {
                let ours = our_routes(plan, fabric, prediction, number);
                let theirs = their_routes(plan, network, number);
                tally.settled += 1;
                tally.routes += ours.next.len();
                for router in ours.next.keys() {
                    let known =
                        network.get_router((*router as u32).into()).unwrap().bgp.get_known_routes(self::theirs(number));
                    if let Some(step) = deciding_step(known.unwrap()) {
                        *tally.decided.entry(step).or_default() += 1;
                    }
                }
                if ours != theirs {
                    differences.push(format!("{to}:\n  here {ours:?}\n  there {theirs:?}"));
                }
                settled.push(network);
            }
        }
    }
    if settled.len() == PREFIXES.len() {
        let (ours, theirs) = (our_accepted(plan, fabric, prediction), their_accepted(plan, &settled));
        tally.sessions += ours.len();
        if ours != theirs {
            differences.push(format!("accepted:\n  here {ours:?}\n  there {theirs:?}"));
        }
    }
    let Some(network) = theirs.iter().flatten().next() else { return differences };
    let routers = || (0..plan.asns.len()).filter(|router| plan.asns[*router] == AS);
    for (here, there) in routers().flat_map(|a| routers().map(move |b| (a, b))).filter(|(a, b)| a != b) {
        let ours = our_hops(fabric, prediction, here, &fabric.loopback(&name(there)));
        let theirs = their_hops(network, here, (there as u32).into());
        tally.ospf += 1;
        if ours != theirs {
            differences.push(format!("OSPF from {here} to {there}:\n  here {ours:?}\n  there {theirs:?}"));
        }
    }
    differences
}

/// Compares so many networks, whole and after the cut of a link, and returns what was compared.
fn compare_all(cases: u32, plans: &impl Strategy<Value = Plan>) -> Tally {
    let tally = RefCell::new(Tally::default());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(plans, |plan| {
        let tally = &mut *tally.borrow_mut();
        tally.networks += 1;
        let fabric = plan.fabric(1);
        let empty = their_network(&plan);
        let mut theirs: Vec<Option<Network>> = (0..PREFIXES.len())
            .map(|number| {
                let mut network = empty.clone();
                for &(origin, _) in plan.origins.iter().filter(|(_, originated)| *originated == number) {
                    network
                        .advertise_route((origin as u32).into(), self::theirs(number), [0_u32; 0], None, [])
                        .unwrap();
                }
                settle(network)
            })
            .collect();
        let prediction = fabric.simulate();
        let differences = compare(&plan, (&fabric, &prediction), &theirs, tally);
        prop_assert!(differences.is_empty(), "{}", differences.join("\n"));
        let (a, b, _) = plan.links[plan.cut];
        for network in &mut theirs {
            *network = network.take().and_then(|mut network| {
                network.remove_link((a as u32).into(), (b as u32).into()).unwrap();
                settle(network)
            });
        }
        let failed = Failed { links: [fabric.cables[plan.cut][0].clone()].into(), ..Failed::default() };
        let prediction = simulate(&fabric.configs, &fabric.cables, &failed);
        let differences = compare(&plan, (&fabric, &prediction), &theirs, tally);
        prop_assert!(differences.is_empty(), "after the cut: {}", differences.join("\n"));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    tally.into_inner()
}

/// Asserts that enough was compared, and that every step decided something.
fn is_enough(tally: &Tally) {
    eprintln!("{tally:#?}");
    assert!(tally.routes > 50 * tally.networks && tally.sessions > 50 * tally.networks);
    assert!(tally.ambiguous + tally.unsettled + tally.one_sided < tally.settled / 50);
    for step in BEFORE.iter().chain(&BEHIND).map(|(step, _)| *step).chain(["MED"]) {
        assert!(tally.decided.get(step).is_some_and(|routes| *routes >= 10), "{step}");
    }
}

#[test]
fn networks_with_policies_at_their_exits_are_predicted_alike() {
    is_enough(&compare_all(160, &plans(1..1000, false)));
}

#[test]
fn networks_with_policies_anywhere_are_predicted_alike() {
    is_enough(&compare_all(160, &plans(1..4, true)));
}
