//! The network of the peering lab as the simulator sees it: who is told what, which way traffic goes, what is drained.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../compile/tests/example/mod.rs"]
mod example;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use example::{Compiled, compiled};
use ipnet::IpNet;
use weft_compile::Allocations;
use weft_device::state::RouteProtocol;
use weft_model::TerminationPoint;
use weft_simulate::{Cable, Failed, Prediction, simulate};

const INTERNET: &str = "198.51.100.0/24";
const WAY_OUT: &str =
    "{ prefixes: [198.51.100.0/24], prefer: [{ peering: peering/transit-b }, { peering: peering/transit-a }] }";

/// Returns the network of the peering lab with further intents.
fn network(more: &[(&str, &str)]) -> Compiled {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/labs/peering/intents");
    let mut texts: BTreeMap<String, String> = ["fabric.yaml", "peerings.yaml"]
        .map(|name| (name.to_owned(), std::fs::read_to_string(folder.join(name)).unwrap()))
        .into();
    for (kind, spec) in more {
        let name = kind.to_lowercase();
        let text = format!("apiVersion: weft/v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec: {spec}\n");
        texts.insert(format!("{name}.yaml"), text);
    }
    compiled(texts, &Allocations::default())
}

fn predicted(network: &Compiled, cut: &[&str]) -> Prediction {
    let mut configs = network.configs.clone();
    configs.extend(network.external.configs.clone());
    let cables = network.network.links().map(|link| link.ends.clone());
    let cables: Vec<Cable> = cables.chain(network.external.cables.clone()).collect();
    let links = cut.iter().map(|end| {
        let (node, interface) = end.split_once(':').unwrap();
        TerminationPoint { node: node.parse().unwrap(), interface: interface.parse().unwrap() }
    });
    simulate(&configs, &cables, &Failed { links: links.collect(), ..Failed::default() })
}

/// Returns the prefixes that a device has routes to over BGP.
fn known(prediction: &Prediction, device: &str) -> BTreeSet<String> {
    let rib = prediction.states[device].rib.as_ref().unwrap();
    let over_bgp = rib.iter().filter(|(_, route)| route.protocol == RouteProtocol::Bgp);
    over_bgp.map(|(prefix, _)| prefix.to_string()).collect()
}

/// Returns the interfaces that a device sends packets to a prefix out of.
fn out_of(prediction: &Prediction, device: &str, prefix: &str) -> Vec<String> {
    let prefix: IpNet = prefix.parse().unwrap();
    let rib = prediction.states[device].rib.as_ref().unwrap();
    rib.get(&prefix).map_or_else(Vec::new, |route| route.interfaces().iter().map(|name| name.to_string()).collect())
}

fn set(prefixes: &[&str]) -> BTreeSet<String> {
    prefixes.iter().map(|prefix| (*prefix).to_owned()).collect()
}

#[test]
fn neighbors_hear_what_their_relationship_allows() {
    let prediction = predicted(&network(&[]), &[]);
    let customers = "192.0.2.128/25";
    for transit in ["transit-a", "transit-b", "peer-c"] {
        assert_eq!(known(&prediction, transit), set(&["203.0.113.0/24", customers]), "{transit}");
    }
    let everything = set(&["0.0.0.0/0", INTERNET, "192.88.99.0/24", "203.0.113.0/24"]);
    assert_eq!(known(&prediction, "customer-d"), everything);
    for border in ["f1-border-01", "f1-border-02"] {
        assert!(known(&prediction, border).is_superset(&set(&["0.0.0.0/0", INTERNET, customers])), "{border}");
    }
}

#[test]
fn every_router_takes_the_preferred_exit_while_it_is_there() {
    let network = network(&[("Steering", WAY_OUT)]);
    let prediction = predicted(&network, &[]);
    assert_eq!(out_of(&prediction, "f1-border-02", INTERNET), ["swp1"]);
    // The other border has an exit of its own with a shorter path, and crosses the fabric.
    assert_eq!(out_of(&prediction, "f1-border-01", INTERNET).len(), 2);
    let cut = predicted(&network, &["f1-border-02:swp1"]);
    assert_eq!(out_of(&cut, "f1-border-01", INTERNET), ["swp1"]);
    assert_eq!(out_of(&cut, "f1-border-02", INTERNET).len(), 2);
}

#[test]
fn only_the_traffic_of_some_nodes_is_steered() {
    let spec = WAY_OUT.replace("{ prefixes", "{ from: { names: [f1-border-03] }, prefixes");
    let network = network(&[("Steering", &spec)]);
    let prediction = predicted(&network, &[]);
    assert_eq!(out_of(&prediction, "f1-border-01", INTERNET), ["swp1"]);
    assert_eq!(out_of(&prediction, "f1-border-02", INTERNET), ["swp1"]);
}

#[test]
fn ways_in_are_told_apart_by_longer_paths_where_no_med_would_be_compared() {
    let spec = "{ direction: inbound, prefer: [{ peering: peering/transit-b }, { peering: peering/transit-a }] }";
    let network = network(&[("Steering", spec)]);
    let policies = |border: &str| network.config(border).routing_policy.policy_definitions.clone();
    let prepended = |border: &str, policy: &str| {
        let statements = &policies(border)[policy].statements;
        statements.iter().find_map(|statement| statement.transformations.prepend).map(|prepend| prepend.times)
    };
    assert_eq!(prepended("f1-border-02", "transit-b-export"), None);
    assert_eq!(prepended("f1-border-01", "transit-a-export"), Some(2));
    assert_eq!(prepended("f1-border-03", "peer-c-export"), Some(4), "who is not in the list comes after all that are");
}

#[test]
fn nothing_goes_over_what_is_drained() {
    let drained = "{ drain: { nodes: [f1-spine-01] } }";
    let network = network(&[("Maintenance", drained)]);
    let prediction = predicted(&network, &[]);
    for device in ["f1-leaf-01", "f1-leaf-02", "f1-border-01", "f1-border-02", "f1-border-03"] {
        let rib = prediction.states[device].rib.as_ref().unwrap();
        let over: Vec<_> = rib
            .iter()
            .filter(|(prefix, route)| {
                let uses = route.interfaces().iter().any(|interface| interface.as_str() == "swp15");
                // The spine's own loopback is nowhere else.
                route.protocol == RouteProtocol::Bgp && prefix.prefix_len() != 32 && uses
            })
            .collect();
        assert!(over.is_empty(), "{device}: {over:?}");
    }
    // The drained spine is touched, and nothing else.
    let without = self::network(&[]);
    let changed: Vec<&str> = network
        .configs
        .iter()
        .filter(|(name, config)| without.configs[*name] != **config)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(changed, ["f1-spine-01"]);
}

#[test]
fn a_drained_link_is_left_by_both_of_its_ends() {
    let network = network(&[("Maintenance", "{ drain: { links: [\"f1-leaf-01:swp15\"] } }")]);
    let prediction = predicted(&network, &[]);
    assert_eq!(out_of(&prediction, "f1-leaf-01", INTERNET), ["swp16"]);
    assert_eq!(out_of(&prediction, "f1-leaf-02", INTERNET), ["swp15", "swp16"]);
    assert_eq!(prediction, predicted(&network, &[]));
}

#[test]
fn outside_of_its_window_a_maintenance_is_a_note() {
    let window = "window: { from: 2026-12-01T02:00:00Z, until: 2026-12-01T04:00:00Z }";
    let drained = format!("{{ drain: {{ nodes: [f1-spine-01] }}, {window} }}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/labs/peering/intents");
    let mut texts: BTreeMap<String, String> = ["fabric.yaml", "peerings.yaml"]
        .map(|name| (name.to_owned(), std::fs::read_to_string(folder.join(name)).unwrap()))
        .into();
    let intent = format!("apiVersion: weft/v1\nkind: Maintenance\nmetadata:\n  name: optics\nspec: {drained}\n");
    texts.insert("optics.yaml".to_owned(), intent);
    let (intents, network) = example::read(&texts);
    let (allocations, _) = weft_compile::allocate(&intents, &network, &Allocations::default());
    for (time, notes) in [("2026-12-01T01:59:59Z", 1), ("2026-12-01T02:00:00Z", 0), ("2026-12-01T04:00:00Z", 1)] {
        let (configs, findings) = weft_compile::compile(&intents, &network, &allocations, time.parse().unwrap());
        assert_eq!(findings.len(), notes, "{time}: {findings:#?}");
        let spine = &configs["f1-spine-01"].routing_policy.policy_definitions;
        assert_eq!(spine.is_empty(), notes == 1, "{time}");
    }
}
