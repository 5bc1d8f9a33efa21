//! Reachability intents on the predicted example network: all hold, and a broken one is told with its path and failure.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../compile/tests/example/mod.rs"]
mod example;

use std::collections::BTreeMap;

use example::{Compiled, compiled, example, example_texts, lab_texts};
use weft_check::{Broken, Element, check_predicted, codes};
use weft_compile::Allocations;
use weft_device::config::{AclAction, AclEntry, AclSet, InterfaceKind, IpProtocol};
use weft_diagnostics::Diagnostic;
use weft_model::{Provenance, Source};

fn predicted(network: &Compiled) -> (Vec<Diagnostic>, Broken) {
    let Compiled { intents, network, allocations, configs, external, .. } = network;
    check_predicted(intents, network, allocations, configs, external)
}

/// Returns the example with another promise in place of its own.
fn with_intent(spec: &str) -> BTreeMap<String, String> {
    let mut texts = example_texts();
    texts.remove("reachability.yaml");
    let intent = format!("apiVersion: weft/v1\nkind: Reachability\nmetadata:\n  name: asked\nspec: {spec}\n");
    texts.insert("asked.yaml".to_owned(), intent);
    texts
}

#[test]
fn every_promise_of_the_example_holds_also_while_any_link_is_down() {
    let (findings, broken) = predicted(&example());
    assert!(findings.is_empty() && broken == Broken::default(), "{findings:#?}");
}

#[test]
fn a_broken_promise_is_told_with_its_path_at_its_line() {
    for (spec, code, words, first) in [
        (
            "{ from: segment/web, to: segment/db, expect: isolated }",
            codes::NOT_ISOLATED,
            "arrive: delivered at b1-leaf-03",
            "b1-leaf-01 -> swp15 (bgp 10.20.",
        ),
        (
            "{ from: segment/web, to: segment/db, min_paths: 3 }",
            codes::TOO_FEW_PATHS,
            "has 2 ways to 10.20.",
            "b1-leaf-01 -> swp15 (bgp 10.20.",
        ),
        (
            "{ from: peering/transit-a, to: segment/db }",
            codes::NOT_REACHABLE,
            "do not all arrive: discarded by a route of transit-a",
            "transit-a (static 0.0.0.0/0)",
        ),
        (
            "{ from: segment/storage, to: 198.51.100.1 }",
            codes::NOT_REACHABLE,
            "are not all answered",
            "transit-a (static 0.0.0.0/0)",
        ),
        (
            "{ from: segment/web, to: segment/db, via: [b1-dci-01, b1-dci-02] }",
            codes::NOT_VIA,
            "arrive without passing b1-dci-01 or b1-dci-02",
            "b1-leaf-01 -> swp15 (bgp 10.20.",
        ),
        (
            "{ from: node/b1-leaf-01, to: node/b2-leaf-01, avoid: [b2-dci-02] }",
            codes::NOT_AVOIDED,
            "pass b2-dci-02",
            "b1-leaf-01 -> swp15 (bgp 10.0.",
        ),
        (
            "{ from: node/b1-leaf-01, to: node/b2-leaf-01, max_hops: 5 }",
            codes::TOO_MANY_HOPS,
            "pass 6 devices, more than 5",
            "b1-leaf-01 -> swp15 (bgp 10.0.",
        ),
    ] {
        let network = compiled(with_intent(spec), &Allocations::default());
        let (findings, broken) = predicted(&network);
        let [finding] = &findings[..] else { panic!("{spec}: {findings:#?}") };
        assert_eq!(finding.code, code, "{spec}: {finding:#?}");
        assert!(finding.message.contains(words), "{spec}: {}", finding.message);
        assert_eq!(finding.span.as_ref().map(|span| (&*span.file, span.line)), Some(("asked.yaml", 5)));
        assert!(broken.flows.iter().all(|violation| violation.code == code && violation.failure.is_none()));
        // The path is told hop by hop, with the route that decides.
        let path: Vec<String> = finding.path.iter().map(ToString::to_string).collect();
        assert!(path[0].starts_with(first), "{spec}: {path:?}");
    }
}

#[test]
fn a_promise_that_a_failure_breaks_names_the_failure() {
    let mut texts = with_intent("{ from: segment/web, to: segment/db, survive: { links: 1 } }");
    // Building 1 is left with one spine: its leaves have one way out.
    for name in ["fabrics.yaml", "interconnect.yaml"] {
        let text = texts.get_mut(name).unwrap();
        *text = text.replacen("spine: { count: 2,", "spine: { count: 1,", 1);
        *text = text.lines().filter(|line| !line.contains("b1-spine-02")).map(|line| format!("{line}\n")).collect();
    }
    let (findings, broken) = predicted(&compiled(texts, &Allocations::default()));
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!(finding.code, codes::DOES_NOT_SURVIVE);
    assert!(finding.message.contains("while b1-leaf-01:swp15 -- b1-spine-01:swp1 is down"), "{}", finding.message);
    assert!(broken.flows.iter().all(|violation| violation.failure.is_some()));
}

#[test]
fn a_promise_about_ways_and_several_failures_is_tried_on_every_combination() {
    let across = "from: node/b1-leaf-01, to: node/b2-leaf-01";
    for (promise, code, words) in [
        // Both uplinks of a leaf are a cut; both its spines are one as well.
        (
            "survive: { links: 2 }",
            Some(codes::DOES_NOT_SURVIVE),
            "while b1-leaf-01:swp15 -- b1-spine-01:swp1 is down and ",
        ),
        ("survive: { nodes: 2 }", Some(codes::DOES_NOT_SURVIVE), "while b1-spine-01 is off and b1-spine-02 is off"),
        ("survive: { nodes: 1 }", None, ""),
        // The two ducts: each alone is survived, and both together are all there is.
        ("survive: { groups: 1 }", None, ""),
        (
            "survive: { groups: 2 }",
            Some(codes::DOES_NOT_SURVIVE),
            "while all 2 links of `north` are down and all 2 links of `south` are down",
        ),
        ("via: [b1-dci-01, b1-dci-02], max_hops: 6, survive: { links: 1 }", None, ""),
        ("via: [b1-spine-01, b1-spine-02], avoid: [b1-border-01], survive: { nodes: 1 }", None, ""),
        ("via: [b1-dci-01], survive: { nodes: 1 }", Some(codes::NOT_VIA), "arrive without passing b1-dci-01"),
    ] {
        let mut texts = with_intent(&format!("{{ {across}, {promise} }}"));
        let ducts = texts.get_mut("interconnect.yaml").unwrap();
        for (ends, duct) in
            [("dci-01:swp7", "north"), ("dci-02:swp7", "north"), ("dci-02:swp8", "south"), ("dci-01:swp8", "south")]
        {
            let end = format!("b2-{ends}\", mtu: 9000");
            assert!(ducts.contains(&end), "{ends}");
            *ducts = ducts.replace(&end, &format!("{end}, shared_risks: [{duct}]"));
        }
        let (findings, broken) = predicted(&compiled(texts, &Allocations::default()));
        let Some(code) = code else {
            assert!(findings.is_empty(), "{promise}: {findings:#?}");
            continue;
        };
        let [finding] = &findings[..] else { panic!("{promise}: {findings:#?}") };
        assert_eq!(finding.code, code, "{promise}");
        assert!(finding.message.contains(words), "{promise}: {}", finding.message);
        assert!(!finding.path.is_empty() && !broken.flows.is_empty());
    }
}

#[test]
fn an_end_of_a_flow_is_not_taken_from_it_and_internet_exits_are() {
    // Four borders lead out: any two of them may be off.
    let spec = "{ from: segment/web, to: 198.51.100.1, survive: { nodes: 1 } }";
    let (findings, _) = predicted(&compiled(with_intent(spec), &Allocations::default()));
    assert!(findings.is_empty(), "{findings:#?}");
    let spec = "{ from: segment/web, to: 198.51.100.1, survive: { groups: 1 }, expect: isolated, max_hops: 3 }";
    let (findings, broken) = predicted(&compiled(with_intent(spec), &Allocations::default()));
    let found: Vec<_> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(found, [codes::NO_GROUP, codes::NOT_ISOLATED, codes::ASKS_FOR_NOTHING], "{findings:#?}");
    assert!(broken.flows.iter().all(|flow| flow.failure.is_none()));
}

/// Returns the example with demands in place of its promises, and a capacity on the links between the buildings.
fn with_demands(spec: &str, capacity: &str) -> BTreeMap<String, String> {
    let mut texts = example_texts();
    texts.remove("reachability.yaml");
    let links = texts.get_mut("interconnect.yaml").unwrap();
    *links = links.replace("mtu: 9000", &format!("mtu: 9000, capacity: {capacity}"));
    let intent = format!("apiVersion: weft/v1\nkind: Capacity\nmetadata:\n  name: asked\nspec: {spec}\n");
    texts.insert("asked.yaml".to_owned(), intent);
    texts
}

#[test]
fn a_link_that_is_too_full_is_told_with_its_load_and_the_demands() {
    // 40G over two spines, two routers, and two ducts of each: 10G on each of the four links in one direction.
    let demand = "{ from: node/b1-leaf-01, to: node/b2-leaf-01, bandwidth: 40G }";
    let back = "{ from: node/b2-leaf-02, to: node/b1-leaf-02, bandwidth: 4G }";
    for (rest, capacity, code, words) in [
        ("maximum_utilisation_percent: 100", "10G", None, ""),
        (
            "maximum_utilisation_percent: 99",
            "10G",
            Some(codes::OVERLOADED),
            "b1-dci-01:swp7 -> b2-dci-01:swp7 carries 10 Gbit/s of 10 Gbit/s, 100.0 % and more than 99 % (the fullest of 4): \
             10 Gbit/s from node/b1-leaf-01 to node/b2-leaf-01",
        ),
        // One link down leaves its router with the other: 20G of the 40G come to each router.
        ("maximum_utilisation_percent: 100, survive: { links: 1 }", "20G", None, ""),
        (
            "maximum_utilisation_percent: 100, survive: { links: 1 }",
            "19G",
            Some(codes::OVERLOADED_BY_FAILURE),
            "carries 20 Gbit/s of 19 Gbit/s, 105.3 % and more than 100 % while b1-dci-01:swp7 -- b2-dci-01:swp7 is down",
        ),
        // A router that is off leaves all to the two links of the other.
        ("maximum_utilisation_percent: 100, survive: { nodes: 1 }", "20G", None, ""),
        (
            // One cable less on the way to a router, and one behind the other.
            "maximum_utilisation_percent: 100, survive: { links: 2 }",
            "29G",
            Some(codes::OVERLOADED_BY_FAILURE),
            "carries 30 Gbit/s of 29 Gbit/s",
        ),
    ] {
        let spec = format!("{{ demands: [{demand}, {back}], {rest} }}");
        let (findings, broken) = predicted(&compiled(with_demands(&spec, capacity), &Allocations::default()));
        let Some(code) = code else {
            assert!(findings.is_empty(), "{rest}: {findings:#?}");
            continue;
        };
        let [finding] = &findings[..] else { panic!("{rest}: {findings:#?}") };
        assert_eq!(finding.code, code, "{rest}");
        assert!(finding.message.contains(words), "{rest}: {}", finding.message);
        let [worst, ..] = &broken.links[..] else { panic!("{broken:?}") };
        assert!(worst.load > 0.0 && worst.demands.len() == 1, "{worst:?}");
    }
}

#[test]
fn a_demand_that_does_not_arrive_is_told() {
    let spec =
        "{ demands: [{ from: peering/transit-a, to: segment/db, bandwidth: 1G }], maximum_utilisation_percent: 50 }";
    let (findings, _) = predicted(&compiled(with_demands(spec, "10G"), &Allocations::default()));
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!(finding.code, codes::DEMAND_LOST);
    assert!(
        finding.message.starts_with("1 Gbit/s of the 1G from peering/transit-a to segment/db"),
        "{}",
        finding.message
    );
}

#[test]
fn failures_in_a_large_network_are_searched_on_the_ways_of_packets() {
    // 40 leaves with 7 spines: 280 links make 39,060 pairs, too many to try them all.
    let mut texts = BTreeMap::new();
    let network = "apiVersion: weft/v1\nkind: Fabric\nmetadata: { name: f }\nspec:\n  spine: { count: 7, pack: frr, platform: vs-256 }\n  \
        leaf: { count: 40, pack: frr, platform: vs-256 }\n---\n\
        apiVersion: weft/v1\nkind: Pools\nmetadata: { name: numbers }\nspec:\n  addresses:\n\
        \x20   - { purpose: management, prefix: 10.255.0.0/24 }\n    - { purpose: loopback, prefix: 10.0.0.0/24 }\n\
        \x20   - { purpose: link, prefix: 10.1.0.0/20 }\n  asns:\n\
        \x20   - { range: 64601-64619, assign: per-fabric-role, select: { roles: [spine] } }\n\
        \x20   - { range: 64701-64799, assign: per-node }\n---\n\
        apiVersion: weft/v1\nkind: Underlay\nmetadata: { name: all }\nspec: { protocol: ebgp, addressing: numbered }\n---\n\
        apiVersion: weft/v1\nkind: Reachability\nmetadata: { name: across }\nspec:\n  from: node/f-leaf-01\n  to: node/f-leaf-02\n  \
        survive: { links: 2 }\n";
    texts.insert("network.yaml".to_owned(), network.to_owned());
    let (findings, broken) = predicted(&compiled(texts.clone(), &Allocations::default()));
    assert!(findings.is_empty() && broken.flows.is_empty(), "{findings:#?}");
    // Where something else than lengths may decide, what was not tried is not shown to be safe.
    let mut limited = compiled(texts.clone(), &Allocations::default());
    let bgp = limited.configs.get_mut("f-leaf-09").unwrap().bgp.as_mut().unwrap();
    bgp.neighbors.values_mut().next().unwrap().maximum_prefixes = Some(1000);
    let (findings, broken) = predicted(&limited);
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!((finding.code, finding.severity), (codes::NOT_EXHAUSTED, weft_diagnostics::Severity::Warning));
    assert!(finding.message.contains(" of 39340 failures of up to 2 links were tried"), "{}", finding.message);
    assert!(broken.flows.is_empty());
    // With three spines left to go by, three links are a cut, which is found without a search.
    let cut = network.replace("links: 2", "links: 3").replace("spine: { count: 7", "spine: { count: 3");
    texts.insert("network.yaml".to_owned(), cut);
    let (findings, broken) = predicted(&compiled(texts, &Allocations::default()));
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!(finding.code, codes::DOES_NOT_SURVIVE);
    let failure = broken.flows[0].failure.as_ref().unwrap();
    assert!(failure.0.len() == 3 && failure.0.iter().all(|element| matches!(element, Element::Link(_))), "{failure}");
}

#[test]
fn promises_are_kept_on_whole_predictions_where_ospf_runs() {
    let with = |promise: &str| {
        let mut texts = lab_texts("ospf-dual");
        let spec = format!("{{ from: node/core-1, to: node/core-3, {promise} }}");
        let intent = format!("apiVersion: weft/v1\nkind: Reachability\nmetadata: {{ name: asked }}\nspec: {spec}\n");
        texts.insert("asked.yaml".to_owned(), intent);
        predicted(&compiled(texts, &Allocations::default())).0
    };
    let codes = |promise: &str| with(promise).iter().map(|finding| finding.code).collect::<Vec<_>>();
    assert_eq!(codes("survive: { links: 1, nodes: 1 }"), []);
    assert_eq!(codes("max_hops: 2, survive: { links: 1 }"), [codes::TOO_MANY_HOPS]);
    assert_eq!(codes("survive: { links: 3 }"), [codes::DOES_NOT_SURVIVE]);
}

/// Lets only TCP for port 5432 pass to hosts, and drops that of port 5433 by a rule of its own, which stands in the third line of a
/// file.
fn protect(network: &mut Compiled) {
    let source = Source { intent: "segment/db".parse().unwrap(), file: "access.yaml".into(), line: 3 };
    let entry = |sequence, name: &str, action, port: &str| AclEntry {
        sequence,
        name: name.parse().unwrap(),
        action,
        sources: Vec::new(),
        destinations: Vec::new(),
        protocol: Some(IpProtocol::Tcp),
        destination_ports: vec![port.parse().unwrap()],
        log: false,
        provenance: Provenance::from(source.clone()),
    };
    let entries = vec![entry(10, "old", AclAction::Drop, "5433"), entry(20, "data", AclAction::Accept, "5432")];
    let set = AclSet { entries, default_action: AclAction::Drop, provenance: Provenance::default() };
    for config in network.configs.values_mut() {
        config.acl_sets.insert("list".parse().unwrap(), set.clone());
        for interface in config.interfaces.values_mut().filter(|i| i.kind == InterfaceKind::Host) {
            interface.egress_acl = Some("list".parse().unwrap());
        }
    }
}

#[test]
fn a_promise_is_asked_past_access_lists() {
    for (promise, broken) in [
        ("protocol: tcp, ports: [5432], survive: { links: 1 }", None),
        ("protocol: udp, expect: isolated, survive: { links: 1 }", None),
        ("protocol: tcp, ports: [1-5431], expect: isolated", None),
        (
            "protocol: tcp, ports: [5432-5433]",
            Some((codes::NOT_REACHABLE, "TCP packets for port 5433", "by the rule `old` of the access list `list`")),
        ),
        (
            "protocol: icmp",
            Some((codes::NOT_REACHABLE, "ICMP packets from", "no rule of the access list `list` lets it")),
        ),
        // Without a protocol it is enough that something arrives.
        ("min_paths: 1", None),
        ("expect: isolated", Some((codes::NOT_ISOLATED, "TCP packets for port 5432", "delivered at"))),
    ] {
        let spec = format!("{{ from: segment/web, to: segment/db, {promise} }}");
        let mut network = compiled(with_intent(&spec), &Allocations::default());
        protect(&mut network);
        let (findings, _) = predicted(&network);
        let Some((code, begin, end)) = broken else {
            assert!(findings.is_empty(), "{promise}: {findings:#?}");
            continue;
        };
        let [finding] = &findings[..] else { panic!("{promise}: {findings:#?}") };
        assert_eq!(finding.code, code, "{promise}");
        assert!(finding.message.starts_with(begin) && finding.message.contains(end), "{}", finding.message);
        let rules: Vec<u32> = finding.labels.iter().map(|label| label.span.line).collect();
        assert_eq!(rules, if end.contains("`old`") { vec![3] } else { Vec::new() }, "{promise}");
    }
}

#[test]
fn what_lets_nothing_through_breaks_a_promise_without_a_protocol() {
    let mut network = compiled(with_intent("{ from: segment/web, to: segment/db }"), &Allocations::default());
    protect(&mut network);
    for set in network.configs.values_mut().flat_map(|config| config.acl_sets.values_mut()) {
        set.entries.clear();
    }
    let (findings, _) = predicted(&network);
    let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [codes::NOT_REACHABLE], "{findings:#?}");
}

#[test]
fn all_that_a_promise_from_no_segment_is_about_must_be_let_through() {
    for (promise, rule, told) in [
        ("", "{ name: a, action: deny, from: any, to: 10.20.1.128/25 }", Some("to 10.20.1.128")),
        (", protocol: tcp", "{ name: a, action: deny, from: any, protocol: tcp, ports: [23] }", Some("for port 23")),
        (", protocol: tcp", "{ name: a, action: deny, from: any, protocol: udp }", None),
        ("", "{ name: a, action: deny, from: any, protocol: udp }", None),
    ] {
        let mut texts = with_intent(&format!("{{ from: node/b1-leaf-01, to: segment/db{promise} }}"));
        let spec = format!("{{ protect: [segment/db], rules: [{rule}], default: allow }}");
        let access = format!("apiVersion: weft/v1\nkind: Access\nmetadata: {{ name: list }}\nspec: {spec}\n");
        texts.insert("access.yaml".to_owned(), access);
        let (findings, _) = predicted(&compiled(texts, &Allocations::default()));
        match told {
            None => assert!(findings.is_empty(), "{rule}: {findings:#?}"),
            Some(told) => {
                let [finding] = &findings[..] else { panic!("{rule}: {findings:#?}") };
                assert_eq!(finding.code, codes::NOT_REACHABLE, "{rule}");
                assert!(finding.message.contains(told), "{}", finding.message);
            }
        }
    }
}

#[test]
fn the_leaf_of_a_host_is_an_end_of_its_flows() {
    let subnet = example().config("b1-leaf-03").interfaces[&"swp1".parse().unwrap()].addresses[0].prefix.trunc();
    let host = subnet.hosts().nth(9).unwrap();
    let promise = format!("{{ from: segment/web, to: {host}, survive: {{ nodes: 1 }} }}");
    let (findings, _) = predicted(&compiled(with_intent(&promise), &Allocations::default()));
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn an_access_list_with_a_hole_isolates_nothing() {
    let none_of_web = "{ name: a, action: deny, from: 203.0.113.0/29 }, { name: b, action: deny, from: 203.0.113.16/28 }, \
                       { name: c, action: deny, from: 203.0.113.32/27 }";
    let of_transit = "peering/transit-a, to: segment/web";
    let of_web = "segment/web, to: segment/db";
    for (flow, protected, rules, default, hole) in [
        // All of it is closed.
        (of_web, "db", "{ name: a, action: deny, from: segment/web }", "allow", None),
        (of_web, "db", "{ name: a, action: allow, from: 10.30.0.0/16 }", "deny", None),
        ("node/b1-leaf-01, to: segment/db", "db", "{ name: a, action: allow, from: segment/web }", "deny", None),
        // What a device sends to its own hosts is not forwarded.
        (
            "node/b1-leaf-03, to: segment/db",
            "db",
            "{ name: a, action: allow, from: segment/web }",
            "deny",
            Some("at `b1-leaf-03` to 10.20."),
        ),
        // Half of the hosts of a port is open.
        (of_web, "db", "{ name: a, action: allow, from: any, to: 10.20.1.128/25 }", "deny", Some("to 10.20.1.128")),
        (
            of_web,
            "db",
            "{ name: a, action: deny, from: segment/web, to: 10.20.0.0/25 }",
            "allow",
            Some("to 10.20.0.128"),
        ),
        // So is half of those who ask.
        (of_web, "db", none_of_web, "allow", Some("from 203.0.113.8")),
        // Some of the internet is let in, and what has addresses of our own is none of it.
        (of_transit, "web", "{ name: a, action: allow, from: 10.0.0.0/8 }", "deny", None),
        (of_transit, "web", "{ name: a, action: allow, from: 100.64.0.0/10 }", "deny", Some("from 100.64.0.0")),
    ] {
        let mut texts = with_intent(&format!("{{ from: {flow}, expect: isolated }}"));
        let spec = format!("{{ protect: [segment/{protected}], rules: [{rules}], default: {default} }}");
        let access = format!("apiVersion: weft/v1\nkind: Access\nmetadata: {{ name: list }}\nspec: {spec}\n");
        texts.insert("access.yaml".to_owned(), access);
        let (findings, _) = predicted(&compiled(texts, &Allocations::default()));
        match hole {
            None => assert!(findings.is_empty(), "{rules}: {findings:#?}"),
            Some(hole) => {
                let [finding] = &findings[..] else { panic!("{rules}: {findings:#?}") };
                assert_eq!(finding.code, codes::NOT_ISOLATED, "{rules}");
                assert!(finding.message.contains(hole), "{}", finding.message);
            }
        }
    }
}

/// Returns the example with a Steering and peers that send their own prefix.
fn with_steering(steering: &str) -> BTreeMap<String, String> {
    let mut texts = example_texts();
    let intent = format!("apiVersion: weft/v1\nkind: Steering\nmetadata: {{ name: asked }}\nspec: {steering}\n");
    texts.insert("asked.yaml".to_owned(), intent);
    texts
}

#[test]
fn traffic_that_does_not_take_the_first_exit_is_told() {
    let steering = "{ prefer: [{ peering: peering/transit-b }, { peering: peering/transit-a }] }";
    let mut network = compiled(with_steering(steering), &Allocations::default());
    let (findings, _) = predicted(&network);
    assert!(findings.is_empty(), "{findings:#?}");
    forget_preferences(&mut network);
    let (findings, _) = predicted(&network);
    let wrong: Vec<&Diagnostic> = findings.iter().filter(|finding| finding.code == codes::WRONG_EXIT).collect();
    let [finding] = &wrong[..] else { panic!("{findings:#?}") };
    assert!(finding.message.contains("to transit-a, not by transit-b"), "{}", finding.message);
    assert_eq!(finding.path.last().map(|step| step.node.as_str()), Some("transit-a"));
}

/// Makes the routers of the network forget every preference, but for the borders.
fn forget_preferences(network: &mut Compiled) {
    for (name, config) in &mut network.configs {
        if !name.as_str().contains("border") {
            for neighbor in config.bgp.as_mut().unwrap().neighbors.values_mut() {
                (neighbor.import_policy, neighbor.export_policy) = (None, None);
            }
        }
    }
}

#[test]
fn a_drain_spares_only_the_exits_that_it_concerns() {
    let steering = "{ prefer: [{ peering: peering/transit-b }, { peering: peering/transit-a }] }";
    // Tests compile at the beginning of 1970.
    let with_drain = |what: &str, year: u32| {
        let window = format!("{{ from: {year}-01-01T00:00:00Z, until: {}-01-01T00:00:00Z }}", year + 2);
        let mut texts = with_steering(steering);
        let intent = format!(
            "apiVersion: weft/v1\nkind: Maintenance\nmetadata: {{ name: work }}\nspec:\n  drain: {{ {what} }}\n  window: {window}\n"
        );
        texts.insert("work.yaml".to_owned(), intent);
        texts
    };
    let exits = |network: &Compiled| {
        let (findings, _) = predicted(network);
        findings.iter().filter(|finding| finding.code == codes::WRONG_EXIT).count()
    };
    // What follows the list does so beside any drain: that of an exit, of a spine, of a link.
    for drain in [
        "nodes: [b1-border-02]",
        "nodes: [b1-border-02, b2-border-02]",
        "nodes: [b2-border-01]",
        "nodes: [b1-spine-01]",
        "nodes: [b1-leaf-01]",
        "links: [\"b1-spine-02:swp1\"]",
        "links: [\"b1-leaf-01:swp15\"]",
    ] {
        let network = compiled(with_drain(drain, 1969), &Allocations::default());
        assert_eq!(exits(&network), 0, "{drain}");
    }
    // What does not is told, whatever is drained elsewhere.
    let mut network = compiled(with_drain("links: [\"b1-leaf-04:swp15\"]", 1969), &Allocations::default());
    forget_preferences(&mut network);
    assert_eq!(exits(&network), 1, "a link of a leaf");
    // Nor does an intent matter whose time has passed.
    let mut network = compiled(with_steering(steering), &Allocations::default());
    forget_preferences(&mut network);
    network.intents = example::read(&with_drain("nodes: [b1-border-02, b2-border-02]", 1960)).0;
    assert_eq!(exits(&network), 1, "outside of its window");
}

#[test]
fn a_neighbor_that_does_not_come_in_by_the_first_way_is_told() {
    let way = |border: &str| format!("{{ peering: peering/transit-a, at: [{border}] }}");
    let steering = |by: &str| {
        let prefer = [way("b2-border-01"), way("b1-border-01")].join(", ");
        let texts = with_steering(&format!("{{ direction: inbound, by: {by}, prefer: [{prefer}] }}"));
        predicted(&compiled(texts, &Allocations::default())).0
    };
    assert_eq!(steering("auto"), []);
    // The borders are of two ASes, whose MEDs the neighbor does not compare: it uses both.
    let findings = steering("med");
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!(finding.code, codes::WRONG_ENTRY);
    assert_eq!(
        finding.message,
        "traffic of `transit-a` to 203.0.113.0/24 comes in by b1-border-01:swp1, not by b2-border-01:swp1"
    );
    let path: Vec<&str> = finding.path.iter().map(|step| step.node.as_str()).collect();
    assert_eq!(path, ["transit-a", "b1-border-01"]);
}

#[test]
fn what_a_transit_sent_and_another_would_hear_is_a_leak() {
    let mut network = example();
    for border in ["b1-border-02", "b2-border-02"] {
        // It tells its transit everything that the others sent.
        let config = network.configs.get_mut(border).unwrap();
        for neighbor in config.bgp.as_mut().unwrap().neighbors.values_mut() {
            neighbor.export_policy = None;
        }
    }
    // The other transit sends a prefix of its own.
    let transit = network.external.configs.get_mut("transit-a").unwrap();
    let (prefix, own): (ipnet::IpNet, ipnet::IpNet) = ("0.0.0.0/0".parse().unwrap(), "198.18.0.0/24".parse().unwrap());
    let bgp = transit.bgp.as_mut().unwrap();
    let route = bgp.networks[&prefix].clone();
    bgp.networks.insert(own, route);
    let discard = transit.static_routes[&prefix].clone();
    transit.static_routes.insert(own, discard);
    for neighbor in bgp.neighbors.values_mut() {
        neighbor.export_policy = None;
    }
    for config in network.configs.values_mut() {
        for neighbor in config.bgp.as_mut().unwrap().neighbors.values_mut() {
            neighbor.import_policy = None;
        }
    }
    let (findings, _) = predicted(&network);
    let leaks: Vec<&Diagnostic> = findings.iter().filter(|finding| finding.code == codes::ROUTE_LEAK).collect();
    let [finding] = &leaks[..] else { panic!("{findings:#?}") };
    assert_eq!(
        finding.message,
        "198.18.0.0/24 would be announced to the transit `transit-b`, and comes from the transit `transit-a`"
    );
    assert_eq!(finding.path.last().map(|step| step.node.as_str()), Some("transit-a"));
    assert_eq!(finding.labels.len(), 1);
}
