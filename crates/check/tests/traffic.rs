//! The traffic that changes between two networks: that of two full enumerations of all packets, and nothing for the same one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../compile/tests/example/mod.rs"]
mod example;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Mutex,
};

use example::{Compiled, example};
use ipnet::IpNet;
use weft_check::{
    Because, Ending, paths,
    traffic::{Moves, Place, PlaceClass, Predicted, moves, places},
};
use weft_device::{
    config::{AclAction, AclEntry, AclSet, DeviceConfig, InterfaceKind, IpProtocol},
    state::{DeviceState, NextHop},
};
use weft_model::{InterfaceName, NodeName, Provenance, TrafficWhat};
use weft_simulate::{Cable, Failed, Filters, Forwarding, Outcome, Packet, Prediction, simulate};

/// A network, predicted.
struct Network {
    configs: BTreeMap<NodeName, DeviceConfig>,
    external: BTreeMap<NodeName, DeviceConfig>,
    cables: Vec<Cable>,
    prediction: Prediction,
    places: Vec<Place>,
}

impl Network {
    fn new(compiled: &Compiled, configs: BTreeMap<NodeName, DeviceConfig>, failed: &Failed) -> Self {
        let Compiled { intents, network, allocations, external, .. } = compiled;
        let links = network.links().map(|link| link.ends.clone());
        let cables: Vec<Cable> = links.chain(external.cables.clone()).collect();
        let prediction = simulate(&configs, &cables, failed);
        let mut places = places(intents, network, allocations, external);
        places.retain(|place| place.node.as_ref().is_none_or(|node| !failed.nodes.contains(node)));
        Self { configs, external: external.configs.clone(), cables, prediction, places }
    }

    fn of(compiled: &Compiled, failed: &Failed) -> Self {
        Self::new(compiled, all_configs(compiled), failed)
    }

    fn predicted(&self) -> Predicted<'_> {
        let Self { configs, external, cables, prediction, .. } = self;
        Predicted { configs, external, cables, states: &prediction.states }
    }
}

fn all_configs(compiled: &Compiled) -> BTreeMap<NodeName, DeviceConfig> {
    let mut configs = compiled.configs.clone();
    configs.extend(compiled.external.configs.clone());
    configs
}

type Changed = BTreeMap<(String, String), BTreeSet<TrafficWhat>>;

fn name(place: &Place) -> String {
    format!("{} {place} {}", place.class, if place.ipv6 { "IPv6" } else { "IPv4" })
}

/// Returns what changes, and each pair with how it does.
fn compared(old: &Network, new: &Network) -> (Moves, Changed) {
    let changed: Mutex<Changed> = Mutex::default();
    let note = |from: &Place, to: &Place, what: TrafficWhat| {
        changed.lock().unwrap().entry((name(from), name(to))).or_default().insert(what);
        true
    };
    let moves = moves((old.predicted(), &old.places), (new.predicted(), &new.places), &note);
    (moves, changed.into_inner().unwrap())
}

/// The ways of a packet, hop by hop, and how they end: whether packets arrive, and else in which words.
type Ways = (BTreeSet<Vec<(NodeName, InterfaceName)>>, BTreeSet<String>);

/// Follows a packet over every path, one path after the other.
fn walk(network: &Network, forwarding: &Forwarding<'_>, from: &Place, to: &Place, packet: &Packet) -> Ways {
    let outcomes = forwarding.trace_packet(from.node.as_ref().unwrap(), packet).outcomes;
    let is_external = |node: &NodeName| network.external.contains_key(node);
    let end = |outcome: &Outcome| match outcome {
        Outcome::Delivered { node } | Outcome::Discarded { node } if is_external(node) => {
            let outside = matches!(to.class, PlaceClass::Peering(_) | PlaceClass::Internet);
            if outside { format!("+out at {node}") } else { "outside".to_owned() }
        }
        Outcome::Delivered { node } if to.node.as_ref() == Some(node) => "+".to_owned(),
        Outcome::Delivered { node } => format!("at {node}"),
        Outcome::Denied { acl, entry, .. } => format!("{acl} {entry:?}"),
        Outcome::NoRoute { .. } => "no route".to_owned(),
        Outcome::Discarded { .. } => "discarded".to_owned(),
        Outcome::Lost { .. } => "lost".to_owned(),
        Outcome::Looped { .. } => "loop".to_owned(),
        Outcome::Left { .. } | Outcome::Unknown { .. } => panic!("{outcome:?}"),
    };
    let mut found = BTreeSet::new();
    let mut path = Vec::new();
    follow(network, from.node.as_ref().unwrap(), packet.destination, &mut path, &mut found);
    (found, outcomes.keys().map(end).collect())
}

fn follow(
    network: &Network,
    node: &NodeName,
    destination: IpAddr,
    path: &mut Vec<(NodeName, InterfaceName)>,
    found: &mut BTreeSet<Vec<(NodeName, InterfaceName)>>,
) {
    let state: &DeviceState = &network.prediction.states[node];
    let mut interfaces = state.interfaces.as_ref().unwrap().values();
    let owns = interfaces.any(|interface| interface.addresses.iter().any(|address| address.addr() == destination));
    let fib = state.fib.as_ref().unwrap();
    let longest = if destination.is_ipv4() { 32 } else { 128 };
    let mut prefixes = (0..=longest).rev().map(|length| IpNet::new(destination, length).unwrap().trunc());
    let route = prefixes.find_map(|prefix| fib.get(&prefix));
    let looped = path.iter().any(|(passed, _)| passed == node);
    let mut ended = true;
    for next_hop in route.iter().filter(|_| !owns && !looped).flat_map(|route| route.next_hops.iter()) {
        let NextHop::Interface { interface, .. } = next_hop else { continue };
        let near = |end: &&weft_model::TerminationPoint| end.node == *node && end.interface == *interface;
        let cable = network.cables.iter().find(|cable| cable.iter().any(|end| near(&end)));
        let far = cable.and_then(|cable| cable.iter().find(|end| !near(end)));
        path.push((node.clone(), interface.clone()));
        match far {
            Some(far) => follow(network, &far.node, destination, path, found),
            None => {
                found.insert(path.clone());
            }
        }
        path.pop();
        ended = false;
    }
    if ended {
        found.insert(path.clone());
    }
}

/// Returns which pairs change, by following every packet between all places in both networks.
fn enumerated(old: &Network, new: &Network) -> (usize, BTreeMap<(String, String), bool>) {
    let sides = [old, new];
    let planes = sides.map(|network| {
        Forwarding::new(&network.prediction.states, &network.cables).with_access_lists(&network.configs)
    });
    let mut kinds: BTreeSet<(Option<IpProtocol>, Option<u16>)> = BTreeSet::new();
    for network in sides {
        kinds.extend(Filters::of(network.configs.values()).kinds(None, &[], true));
    }
    let mut names: BTreeMap<String, [Option<&Place>; 2]> = BTreeMap::new();
    for (side, network) in sides.into_iter().enumerate() {
        for place in &network.places {
            names.entry(name(place)).or_default()[side] = Some(place);
        }
    }
    let mut count = 0;
    let mut changed = BTreeMap::new();
    for (from_name, from) in &names {
        for (to_name, to) in &names {
            let (Some(a), Some(b)) = (from[1].or(from[0]), to[1].or(to[0])) else { continue };
            let outside = a.class == b.class && matches!(a.class, PlaceClass::Peering(_));
            let own_hosts = a.class == PlaceClass::Loopbacks && matches!(b.class, PlaceClass::Segment(_));
            let own = a.node == b.node && (outside || own_hosts);
            if !a.starts || !b.ends || from_name == to_name || own || a.ipv6 != b.ipv6 {
                continue;
            }
            count += 1;
            let pair = (from_name.clone(), to_name.clone());
            let ([Some(_), Some(_)], [Some(_), Some(_)]) = (from, to) else {
                changed.insert(pair, false);
                continue;
            };
            for (protocol, port) in &kinds {
                let ways = [0, 1].map(|side: usize| {
                    let (from, to) = (from[side].unwrap(), to[side].unwrap());
                    let (source, destination) = (from.address, to.address);
                    let packet = Packet { source, destination, protocol: *protocol, port: *port };
                    walk(sides[side], &planes[side], from, to, &packet)
                });
                let arrives = |ways: &Ways| ways.1.iter().any(|end| end.starts_with('+'));
                let whole = |ways: &Ways| ways.1.iter().all(|end| end.starts_with('+'));
                let [was, is] = &ways;
                if was.1 == is.1 && (was.0 == is.0 || !arrives(is)) {
                    continue;
                }
                let lost = (whole(was) && !whole(is)) || (arrives(was) && !arrives(is));
                *changed.entry(pair.clone()).or_default() |= lost;
            }
        }
    }
    (count, changed)
}

/// Numbers that look random and are the same in every run (Knuth's MMIX).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

/// Changes a configuration, or breaks something.
fn disturb(
    configs: &mut BTreeMap<NodeName, DeviceConfig>,
    cables: &[Cable],
    failed: &mut Failed,
    numbers: &mut Numbers,
) {
    let names: Vec<NodeName> = configs.keys().filter(|name| name.as_str().starts_with('b')).cloned().collect();
    let device = names[numbers.below(names.len())].clone();
    let config = configs.get_mut(&device).unwrap();
    let bgp = config.bgp.as_mut().unwrap();
    match numbers.below(7) {
        0 => drop(failed.links.insert(cables[numbers.below(cables.len())][0].clone())),
        1 => drop(failed.nodes.insert(device)),
        2 => {
            let prefix: Option<IpNet> = bgp.networks.keys().next_back().copied();
            prefix.map(|prefix| bgp.networks.remove(&prefix));
        }
        3 => bgp.maximum_paths = 1,
        4 => {
            let target = bgp.neighbors.keys().nth(numbers.below(bgp.neighbors.len())).cloned().unwrap();
            bgp.neighbors.remove(&target);
        }
        5 => {
            let nth = numbers.below(bgp.neighbors.len());
            let neighbor = bgp.neighbors.values_mut().nth(nth).unwrap();
            (neighbor.import_policy, neighbor.export_policy) = (None, None);
        }
        _ => {
            let entry = AclEntry {
                sequence: 10,
                name: "rule".parse().unwrap(),
                action: [AclAction::Accept, AclAction::Drop][numbers.below(2)],
                sources: [vec![], vec!["203.0.113.0/24".parse().unwrap()]][numbers.below(2)].clone(),
                destinations: Vec::new(),
                protocol: Some(IpProtocol::Tcp),
                destination_ports: vec!["5432".parse().unwrap()],
                log: false,
                provenance: Provenance::default(),
            };
            let default_action = [AclAction::Accept, AclAction::Drop][numbers.below(2)];
            let set = AclSet { entries: vec![entry], default_action, provenance: Provenance::default() };
            config.acl_sets.insert("list".parse().unwrap(), set);
            let kinds = [InterfaceKind::Host, InterfaceKind::External];
            if let Some(port) = config.interfaces.values_mut().find(|interface| kinds.contains(&interface.kind)) {
                port.egress_acl = Some("list".parse().unwrap());
            }
        }
    }
}

#[test]
fn what_changes_is_what_two_full_enumerations_differ_in() {
    let compiled = example();
    let steady = Network::of(&compiled, &Failed::default());
    let mut numbers = Numbers(4);
    let mut kinds = BTreeSet::new();
    for case in 0..12 {
        let (mut configs, mut failed) = (all_configs(&compiled), Failed::default());
        for _ in 0..=numbers.below(3) {
            disturb(&mut configs, &steady.cables, &mut failed, &mut numbers);
        }
        let other = Network::new(&compiled, configs, &failed);
        let (old, new) = if case % 2 == 0 { (&steady, &other) } else { (&other, &steady) };
        let (found, pairs) = compared(old, new);
        let (count, expected) = enumerated(old, new);
        assert_eq!((found.compared, found.compared - found.same), (count, expected.len()), "case {case}");
        let keys = |of: &Changed| of.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(&pairs), expected.keys().cloned().collect(), "case {case}");
        for (pair, lost) in &expected {
            assert_eq!(pairs[pair].contains(&TrafficWhat::Lost), *lost, "case {case}: {pair:?}");
        }
        kinds.extend(found.changes.iter().map(|change| change.what));
    }
    assert_eq!(kinds, TrafficWhat::ALL.into(), "every sort of change came up");
}

#[test]
fn hosts_that_access_lists_tell_apart_are_told_apart() {
    let compiled = example();
    let with_list = |sources: &str, destinations: &str| {
        let mut configs = all_configs(&compiled);
        let config = configs.get_mut("b1-leaf-03").unwrap();
        let entry = AclEntry {
            sequence: 10,
            name: "rule".parse().unwrap(),
            action: AclAction::Accept,
            sources: vec![sources.parse().unwrap()],
            destinations: vec![destinations.parse().unwrap()],
            protocol: None,
            destination_ports: Vec::new(),
            log: false,
            provenance: Provenance::default(),
        };
        let default_action = AclAction::Drop;
        let set = AclSet { entries: vec![entry], default_action, provenance: Provenance::default() };
        config.acl_sets.insert("list".parse().unwrap(), set);
        config.interfaces.get_mut(&"swp1".parse().unwrap()).unwrap().egress_acl = Some("list".parse().unwrap());
        Network::new(&compiled, configs, &Failed::default())
    };
    let subnet: IpNet =
        compiled.config("b1-leaf-03").interfaces[&"swp1".parse::<InterfaceName>().unwrap()].addresses[0].prefix.trunc();
    let halves: Vec<String> = subnet.subnets(subnet.prefix_len() + 1).unwrap().map(|half| half.to_string()).collect();
    let changes = |old: &Network, new: &Network| {
        let (found, pairs) = compared(old, new);
        let to_port =
            pairs.iter().filter(|((from, to), _)| from.contains("b1-leaf-01:swp1 ") && to.contains("segment/db"));
        (found.changes.len(), to_port.map(|((_, to), what)| (to.clone(), what.clone())).collect::<Vec<_>>())
    };
    // The list lets in to the other half of the hosts: that to its half is lost, that to the other is gained.
    let (lower, upper) = (with_list("0.0.0.0/0", &halves[0]), with_list("0.0.0.0/0", &halves[1]));
    let (_, to_port) = changes(&lower, &upper);
    let gained = halves[1].replace("/25", "/32");
    let expected = [
        ("segment/db b1-leaf-03:swp1 IPv4".to_owned(), BTreeSet::from([TrafficWhat::Lost])),
        (format!("segment/db {gained} IPv4"), BTreeSet::from([TrafficWhat::Gained])),
    ];
    assert_eq!(to_port.into_iter().collect::<BTreeSet<_>>(), expected.into());
    // A host of a port of the sources is let in no more, and the port itself stays so.
    let (all, some) = (with_list("203.0.113.0/28", &halves[0]), with_list("203.0.113.0/29", &halves[0]));
    let (number, to_port) = changes(&all, &some);
    assert_eq!((number > 0, to_port), (true, Vec::new()));
}

#[test]
fn a_network_is_like_itself() {
    let compiled = example();
    for failed in [Failed::default(), Failed { nodes: ["b1-spine-01".parse().unwrap()].into(), ..Failed::default() }] {
        let network = Network::of(&compiled, &failed);
        let (found, pairs) = compared(&network, &network);
        assert!(found.changes.is_empty() && pairs.is_empty() && found.compared > 1000);
        assert_eq!(found.same, found.compared);
    }
}

#[test]
fn a_path_says_what_decides_at_each_device() {
    let network = Network::of(&example(), &Failed::default());
    let address = |text: &str| network.places.iter().find(|place| place.to_string() == text).unwrap().address;
    let packet = Packet {
        source: address("b1-leaf-01:swp1"),
        destination: address("b1-leaf-03:swp1"),
        protocol: None,
        port: None,
    };
    let found = paths(network.predicted(), &"b1-leaf-01".parse().unwrap(), &packet, true).unwrap();
    assert!(found.arrives());
    let visits: Vec<(usize, &str)> = found.visits.iter().map(|visit| (visit.distance, visit.node.as_str())).collect();
    assert_eq!(visits, [(0, "b1-leaf-01"), (1, "b1-spine-01"), (1, "b1-spine-02"), (2, "b1-leaf-03")]);
    let route = found.visits[0].route.as_ref().unwrap();
    assert_eq!((route.width, route.because), (2, Some(Because::NoOther)));
    assert_eq!(route.source.as_ref().unwrap().intent.to_string(), "segment/db");
    assert_eq!(found.visits[3].ends, [Ending::Delivered]);

    // A way through the other building is longer than one through the own one.
    let internet = Packet { destination: "198.51.100.1".parse().unwrap(), ..packet };
    let found = paths(network.predicted(), &"b1-dci-01".parse().unwrap(), &internet, true).unwrap();
    let Some(Because::Shorter(best, next)) = found.visits[0].route.as_ref().unwrap().because else {
        panic!("{:?}", found.visits[0]);
    };
    assert!(best < next, "{best} {next}");
    assert!(paths(network.predicted(), &"nobody".parse().unwrap(), &packet, true).is_none());
}
