//! Allocations are stable: nothing is renumbered because something else comes or goes, and nothing is given twice.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod example;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::OnceLock,
};

use example::{example_texts, read, read_with_small_pools};
use ipnet::IpNet;
use proptest::prelude::*;
use weft_compile::{Allocations, allocate, codes};
use weft_diagnostics::Severity;
use weft_intent::{IntentSet, SourceFile, load};
use weft_model::{BehaviorProfile, Link, Mtu, Network, Node, Source, TerminationPoint};

const INTENTS: &str = "
apiVersion: weft/v1
kind: Pools
metadata: { name: p }
spec:
  addresses:
    - { purpose: management, prefix: 10.255.0.0/28 }
    - { purpose: management, prefix: 10.255.1.0/28 }
    - { purpose: loopback, prefix: 10.0.0.0/28 }
    - { purpose: loopback, prefix: 10.0.1.0/24 }
    - { purpose: link, prefix: 10.1.0.0/24 }
  asns:
    - { range: 64600-64601, assign: per-fabric-role, select: { roles: [spine] } }
    - { range: 65530-65534, assign: per-node }
    - { range: 64700-64999, assign: per-node }
---
apiVersion: weft/v1
kind: Underlay
metadata: { name: u }
spec: { protocol: ebgp, addressing: numbered }
---
apiVersion: weft/v1
kind: Segment
metadata: { name: s }
spec:
  prefix: 10.20.0.0/20
  subnet_length: 28
  ports: [{ select: {}, interfaces: [swp1, swp2] }]
";

fn intents() -> &'static IntentSet {
    static SET: OnceLock<IntentSet> = OnceLock::new();
    SET.get_or_init(|| {
        let (intents, findings) = load(&[SourceFile { path: "intents.yaml".into(), text: INTENTS.into() }]);
        assert!(findings.is_empty(), "{findings:?}");
        intents
    })
}

/// Returns numbered nodes in a ring; every third is a spine of a fabric.
fn ring(numbers: &BTreeSet<u8>) -> Network {
    let source = Source { intent: "topology/t".parse().unwrap(), file: "intents.yaml".into(), line: 1 };
    let mut network = Network::default();
    let name = |number: u8| format!("n{number}");
    for &number in numbers {
        let spine = number % 3 == 0;
        let node = Node {
            name: name(number).parse().unwrap(),
            role: if spine { "spine" } else { "leaf" }.parse().unwrap(),
            fabric: spine.then(|| "f".parse().unwrap()),
            site: None,
            labels: BTreeMap::new(),
            pack: "frr".parse().unwrap(),
            platform: "vs-16".parse().unwrap(),
            profile: BehaviorProfile::default(),
            management: (number == 5).then(|| IpAddr::from([10, 255, 0, 3])),
            source: source.clone(),
        };
        network.add_node(node).unwrap();
    }
    let ring: Vec<u8> = numbers.iter().copied().collect();
    for (at, &number) in ring.iter().enumerate().filter(|_| ring.len() > 1) {
        let end = |number: u8, interface: &str| TerminationPoint {
            node: name(number).parse().unwrap(),
            interface: interface.parse().unwrap(),
        };
        let next = ring[(at + 1) % ring.len()];
        let ends = [end(number, "swp9"), end(next, "swp10")];
        network
            .add_link(Link {
                ends,
                mtu: Mtu::ETHERNET,
                capacity: None,
                metric: Link::DEFAULT_METRIC,
                shared_risks: BTreeSet::new(),
                source: source.clone(),
            })
            .unwrap();
    }
    network
}

fn assert_unique(allocations: &Allocations, network: &Network) {
    let unique = |values: Vec<String>| assert_eq!(values.iter().collect::<BTreeSet<_>>().len(), values.len());
    unique(allocations.management.values().map(ToString::to_string).collect());
    unique(allocations.loopbacks.values().map(ToString::to_string).collect());
    unique(allocations.links.values().map(ToString::to_string).collect());
    unique(allocations.segments.values().flat_map(|ports| ports.values().map(ToString::to_string)).collect());
    let leaves = network.nodes().filter(|node| node.fabric.is_none());
    unique(leaves.map(|node| allocations.asns[&node.name].to_string()).collect());
    let spines = network.nodes().filter(|node| node.fabric.is_some());
    let shared: BTreeSet<_> = spines.map(|node| allocations.asns[&node.name]).collect();
    assert!(shared.len() <= 1, "{shared:?}");
}

/// Asserts that whatever is in both has the same value in both.
fn assert_kept<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
) {
    for (key, value) in before {
        if let Some(now) = after.get(key) {
            assert_eq!(value, now, "{key:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn coming_and_going_renumbers_nothing(steps in proptest::collection::vec(proptest::collection::btree_set(0..26_u8, 0..26), 1..6)) {
        let mut locked = Allocations::default();
        for numbers in steps {
            let (intents, network) = (intents(), ring(&numbers));
            let (allocations, findings) = allocate(intents, &network, &locked);
            // The one that was given node 5's address before node 5 came is told of, and nothing else is wrong.
            prop_assert!(findings.iter().all(|finding| finding.code == codes::MANAGEMENT_TAKEN), "{findings:?}");
            if findings.is_empty() {
                assert_unique(&allocations, &network);
            }
            assert_kept(&locked.management, &allocations.management);
            assert_kept(&locked.loopbacks, &allocations.loopbacks);
            assert_kept(&locked.asns, &allocations.asns);
            assert_kept(&locked.links, &allocations.links);
            for (segment, ports) in &locked.segments {
                assert_kept(ports, &allocations.segments[segment]);
            }
            prop_assert_eq!(allocations.loopbacks.len(), numbers.len());
            prop_assert_eq!(&Allocations::from_yaml(&allocations.to_yaml()).unwrap(), &allocations);
            // A second time, nothing changes.
            let (again, _) = allocate(intents, &network, &allocations);
            prop_assert_eq!(&again, &allocations);
            locked = allocations;
        }
    }
}

#[test]
fn a_new_leaf_of_the_example_renumbers_nothing() {
    let mut texts = example_texts();
    let (intents, network) = read(&texts);
    let (before, findings) = allocate(&intents, &network, &Allocations::default());
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!([before.loopbacks.len(), before.asns.len(), before.management.len()], [20, 20, 20]);

    let fabrics = texts.get_mut("fabrics.yaml").unwrap();
    *fabrics = fabrics.replacen("leaf: { count: 4,", "leaf: { count: 5,", 1);
    let (intents, network) = read(&texts);
    let (after, findings) = allocate(&intents, &network, &before);
    assert!(findings.is_empty(), "{findings:?}");
    assert_kept(&before.loopbacks, &after.loopbacks);
    assert_kept(&before.asns, &after.asns);
    assert_kept(&before.management, &after.management);
    assert_kept(&before.links, &after.links);
    assert_eq!(after.loopbacks.len(), 21);
    assert_eq!(after.links.len(), before.links.len() + 2);
    // One host port of the storage segment.
    let ports = |allocations: &Allocations| allocations.segments.values().map(BTreeMap::len).sum::<usize>();
    assert_eq!(ports(&after), ports(&before) + 1);
}

#[test]
fn an_exhausted_pool_is_a_finding_at_the_pool_that_names_who_got_nothing() {
    let mut texts = example_texts();
    let pools = texts.get_mut("pools.yaml").unwrap();
    *pools = pools.replace("prefix: 10.0.1.0/24", "prefix: 10.0.1.0/29");
    let line = pools.lines().position(|line| line.contains("10.0.1.0/29")).unwrap() + 1;
    let (intents, network) = read_with_small_pools(&texts);
    let (allocations, findings) = allocate(&intents, &network, &Allocations::default());
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].code, codes::POOL_EXHAUSTED);
    assert_eq!(usize::try_from(findings[0].span.as_ref().unwrap().line).unwrap(), line);
    assert!(findings[0].message.contains("`b1-leaf-03`, `b1-leaf-04`, `b1-spine-01`"), "{}", findings[0].message);
    assert_eq!(allocations.loopbacks.len(), 16);
}

#[test]
fn what_a_merge_gave_to_two_is_given_to_the_first_and_said() {
    let (intents, network) = read(&example_texts());
    let (mut locked, _) = allocate(&intents, &network, &Allocations::default());
    let taken = locked.loopbacks["b1-leaf-01"];
    locked.loopbacks.insert("b1-leaf-02".parse().unwrap(), taken);
    let (allocations, findings) = allocate(&intents, &network, &locked);
    assert_eq!(
        findings.iter().map(|f| (f.code, f.severity)).collect::<Vec<_>>(),
        [(codes::ALLOCATED_TWICE, Severity::Warning)]
    );
    assert_eq!(allocations.loopbacks["b1-leaf-01"], taken);
    assert_ne!(allocations.loopbacks["b1-leaf-02"], taken);
}

#[test]
fn a_value_outside_its_pool_is_replaced() {
    let (intents, network) = read(&example_texts());
    let (mut locked, _) = allocate(&intents, &network, &Allocations::default());
    let good = locked.clone();
    locked.loopbacks.insert("b1-leaf-01".parse().unwrap(), "192.0.2.77".parse().unwrap());
    locked.loopbacks.insert("gone".parse().unwrap(), "10.0.1.200".parse().unwrap());
    let first = locked.links.keys().next().unwrap().clone();
    locked.links.insert(first.clone(), "10.1.0.1/32".parse::<IpNet>().unwrap());
    let (allocations, findings) = allocate(&intents, &network, &locked);
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(allocations.loopbacks, good.loopbacks);
    assert_eq!(allocations.links, good.links);
}
