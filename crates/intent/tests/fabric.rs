//! Fabrics of two and three tiers: the names of their nodes, and the ports of their links.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod fixture;

use weft_intent::{SourceFile, load, validate};
use weft_model::{Network, TerminationPoint};

fn network(spec: &str) -> Network {
    let text = format!("apiVersion: weft/v1\nkind: Fabric\nmetadata:\n  name: f\nspec:\n{spec}");
    let (set, findings) = load(&[SourceFile::new("fabric.yaml", text)]);
    assert!(findings.is_empty(), "{findings:?}");
    let (network, findings) = validate(&set, &fixture::catalogue());
    assert!(findings.is_empty(), "{findings:?}");
    network
}

/// Returns the other end of the link at `node:interface`.
fn far(network: &Network, end: &str) -> String {
    let (node, interface) = end.split_once(':').unwrap();
    let point = TerminationPoint { node: node.parse().unwrap(), interface: interface.parse().unwrap() };
    let link = network.link_at(&point).unwrap_or_else(|| panic!("no link at {end}"));
    link.far_end(&point.node).unwrap().to_string()
}

#[test]
fn parallel_links_are_side_by_side_at_both_ends() {
    let network = network(
        "  links_per_pair: 2\n  spine: { count: 2, pack: frr, platform: vs-16 }\n  \
         leaf: { count: 3, pack: frr, platform: vs-64 }\n  border: { count: 2, pack: frr, platform: vs-64 }\n",
    );
    assert_eq!(network.links().count(), 2 * 5 * 2);
    // The uplinks of a `vs-64` are its last sixteen ports.
    assert_eq!(far(&network, "f-leaf-01:swp49"), "f-spine-01:swp1");
    assert_eq!(far(&network, "f-leaf-01:swp50"), "f-spine-01:swp2");
    assert_eq!(far(&network, "f-leaf-01:swp51"), "f-spine-02:swp1");
    assert_eq!(far(&network, "f-leaf-03:swp52"), "f-spine-02:swp6");
    assert_eq!(far(&network, "f-border-01:swp49"), "f-spine-01:swp16");
    assert_eq!(far(&network, "f-border-02:swp50"), "f-spine-01:swp13");
}

#[test]
fn pods_are_joined_by_super_spines() {
    let network = network(
        "  pods: 2\n  super_spine: { count: 2, pack: frr, platform: vs-16 }\n  \
         spine: { count: 2, pack: frr, platform: vs-16, labels: { power: a } }\n  \
         leaf: { count: 3, pack: frr, platform: vs-16 }\n  border: { count: 1, pack: frr, platform: vs-16 }\n  \
         overrides:\n    - { node: f-p2-leaf-03, labels: { pod: last, use: storage } }\n",
    );
    let names: Vec<&str> = network.nodes().map(|node| node.name.as_str()).collect();
    assert_eq!(names[..4], ["f-border-01", "f-p1-leaf-01", "f-p1-leaf-02", "f-p1-leaf-03"]);
    assert_eq!(
        names[6..],
        ["f-p2-leaf-01", "f-p2-leaf-02", "f-p2-leaf-03", "f-p2-spine-01", "f-p2-spine-02"]
            .into_iter()
            .chain(["f-super-spine-01", "f-super-spine-02"])
            .collect::<Vec<_>>()
    );
    assert_eq!(network.links().count(), 2 * (3 * 2) + 2 * (4 + 1));
    assert_eq!(far(&network, "f-p2-leaf-03:swp16"), "f-p2-spine-02:swp3");
    assert_eq!(far(&network, "f-p1-spine-02:swp15"), "f-super-spine-01:swp2");
    assert_eq!(far(&network, "f-p2-spine-01:swp16"), "f-super-spine-02:swp3");
    assert_eq!(far(&network, "f-border-01:swp16"), "f-super-spine-02:swp16");
    let labels = |name: &str| format!("{:?}", network.node(name).unwrap().labels);
    assert_eq!(labels("f-p1-spine-01"), r#"{"pod": "p1", "power": "a"}"#);
    assert_eq!(labels("f-p2-leaf-03"), r#"{"pod": "last", "use": "storage"}"#);
    assert_eq!(network.node("f-super-spine-01").unwrap().role.as_str(), "super-spine");
}

#[test]
fn a_link_carries_what_its_ports_do() {
    let network = network(
        "  spine: { count: 2, pack: loom, platform: spine-32 }\n  leaf: { count: 2, pack: loom, platform: leaf-52 }\n",
    );
    assert!(network.links().all(|link| link.capacity.map(|capacity| capacity.to_string()).as_deref() == Some("100G")));
}
