//! Underlays compile to OSPF in areas and to sessions of both families, and what cannot be carried out is refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod example;

use std::collections::{BTreeMap, BTreeSet};

use example::{Compiled, compiled, lab_texts, read, read_with_small_pools};
use weft_compile::{Allocations, allocate, codes, compile, hosts};
use weft_device::config::{AfiSafi, InterfaceKind, NeighborTarget, OspfInterface};
use weft_diagnostics::Code;
use weft_model::InterfaceName;

fn lab(name: &str) -> Compiled {
    compiled(lab_texts(name), &Allocations::default())
}

fn port(name: &str) -> InterfaceName {
    name.parse().unwrap()
}

#[test]
fn interfaces_are_in_the_first_area_that_selects_both_ends() {
    let lab = lab("ospf-dual");
    let areas = |device: &str| -> BTreeMap<String, (String, u16, bool)> {
        let ospf = lab.config(device).ospf.as_ref().unwrap();
        let of = |(name, on): (&InterfaceName, &OspfInterface)| {
            (name.to_string(), (on.area.to_string(), on.metric, on.passive))
        };
        ospf.interfaces.iter().map(of).collect()
    };
    let expected = |list: &[(&str, &str, u16, bool)]| -> BTreeMap<String, (String, u16, bool)> {
        list.iter().map(|(name, area, metric, passive)| ((*name).into(), ((*area).into(), *metric, *passive))).collect()
    };
    // A border has its loopback in the backbone.
    assert_eq!(
        areas("core-3"),
        expected(&[
            ("lo", "0.0.0.0", 1, true),
            ("swp1", "0.0.0.0", 30, false),
            ("swp2", "0.0.0.0", 10, false),
            ("swp3", "0.0.0.1", 12, false),
            ("swp4", "0.0.0.1", 10, false),
        ])
    );
    // Host ports are announced, and ports towards external neighbors are not.
    assert_eq!(
        areas("core-1"),
        expected(&[
            ("lo", "0.0.0.0", 1, true),
            ("swp1", "0.0.0.0", 10, false),
            ("swp2", "0.0.0.0", 10, false),
            ("swp8", "0.0.0.0", 1, true),
        ])
    );
    assert_eq!(areas("edge-2")["lo"], ("0.0.0.1".to_owned(), 1, true));
    let ospf = lab.config("edge-2").ospf.as_ref().unwrap();
    assert_eq!(ospf.families, [AfiSafi::Ipv4Unicast, AfiSafi::Ipv6Unicast].into());
    let uplink = &ospf.interfaces[&port("swp1")];
    assert_eq!((ospf.maximum_paths, uplink.hello.0, uplink.dead.0), (8, 1, 4));
}

#[test]
fn only_nodes_with_a_peering_speak_bgp_where_ospf_routes() {
    let lab = lab("ospf-dual");
    let speaking: BTreeSet<&str> =
        lab.configs.iter().filter(|(_, config)| config.bgp.is_some()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(speaking, ["core-1", "core-4"].into());
    assert_eq!(lab.allocations.asns.len(), 2);
    let config = lab.config("core-1");
    let networks: Vec<String> = config.bgp.as_ref().unwrap().networks.keys().map(ToString::to_string).collect();
    assert_eq!(networks, ["203.0.113.0/24"]);
    let redistributed = config.ospf.as_ref().unwrap().redistribute_bgp.as_ref().unwrap();
    let policy = &config.routing_policy.policy_definitions[redistributed];
    let set = policy.statements[0].conditions.prefix_set.as_ref().unwrap();
    let prefixes = &config.routing_policy.prefix_sets[set].prefixes;
    let prefixes: Vec<String> = prefixes.iter().map(|entry| entry.prefix.to_string()).collect();
    assert_eq!(prefixes, ["0.0.0.0/0", "192.88.99.0/24"]);
    assert!(lab.config("core-2").ospf.as_ref().unwrap().redistribute_bgp.is_none());
}

#[test]
fn a_numbered_link_has_a_session_for_each_family_and_an_unnumbered_one_carries_both() {
    let lab = lab("ebgp-dual");
    let sessions = |device: &str| -> Vec<(String, usize)> {
        let neighbors = &lab.config(device).bgp.as_ref().unwrap().neighbors;
        neighbors.iter().map(|(target, neighbor)| (target.to_string(), neighbor.afi_safis.len())).collect()
    };
    let expected = |list: &[(&str, usize)]| -> Vec<(String, usize)> {
        list.iter().map(|(target, families)| ((*target).to_owned(), *families)).collect()
    };
    assert_eq!(sessions("leaf-1"), expected(&[("10.1.0.1", 1), ("2001:db8:0:2::1", 1), ("swp2", 2)]));
    let networks: Vec<String> =
        lab.config("leaf-2").bgp.as_ref().unwrap().networks.keys().map(ToString::to_string).collect();
    let [web, things] = ["2001:db8:20:1::/64", "2001:db8:30::/64"];
    assert_eq!(networks, ["10.0.0.2/32", "10.20.1.0/24", "2001:db8:0:1::2/128", web, things]);
    let port = &lab.config("leaf-1").interfaces[&port("swp8")];
    let addresses: Vec<String> = port.addresses.iter().map(|address| address.prefix.to_string()).collect();
    assert_eq!(addresses, ["10.20.0.1/24", "2001:db8:20::1/64"]);
    let targets = lab.configs.values().flat_map(|config| config.bgp.as_ref().unwrap().neighbors.keys());
    assert_eq!(targets.filter(|target| matches!(target, NeighborTarget::Interface(_))).count(), 6);
    let hosts = hosts(&lab.intents, &lab.network, &lab.allocations);
    let both: Vec<&str> = hosts.iter().filter(|host| host.ipv6.is_some()).map(|host| host.name.as_str()).collect();
    assert_eq!(both, ["leaf-1-swp8", "leaf-2-swp8"]);
    assert!(hosts.iter().any(|host| host.name == "leaf-3-swp7" && host.address.addr().is_ipv6()));
}

#[test]
fn ipv6_is_kept_in_the_lock_file_and_takes_nothing_from_ipv4() {
    let texts = lab_texts("ospf-dual");
    let (intents, network) = read(&texts);
    let (first, findings) = allocate(&intents, &network, &Allocations::default());
    assert!(findings.is_empty(), "{findings:?}");
    let text = first.to_yaml();
    for section in ["loopbacks_ipv6:", "links_ipv6:", "segments_ipv6:"] {
        assert!(text.contains(section), "{text}");
    }
    let mut without = texts.clone();
    let ipv4 = |text: &str| {
        let dual = text.replace("families: dual", "families: ipv4");
        let lines = dual.lines().filter(|line| !line.contains("2001:db8"));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    without.values_mut().for_each(|text| *text = ipv4(text));
    let (intents, network) = read(&without);
    let (before, _) = allocate(&intents, &network, &Allocations::default());
    assert!(!before.to_yaml().contains("ipv6"), "{}", before.to_yaml());
    assert_eq!((&before.loopbacks, &before.links, &before.segments), (&first.loopbacks, &first.links, &first.segments));
    let (intents, network) = read(&texts);
    assert_eq!(allocate(&intents, &network, &before).0, first);
    assert_eq!(allocate(&intents, &network, &Allocations::from_yaml(&text).unwrap()).0, first);
}

/// Changes a file of a lab's network and returns the codes of the errors that compilation finds.
fn refused(file: &str, from: &str, to: &str) -> Vec<Code> {
    let mut texts = lab_texts("ospf-dual");
    let text = texts.get_mut(file).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    *text = text.replacen(from, to, 1);
    let (intents, network) = read_with_small_pools(&texts);
    let (allocations, _) = allocate(&intents, &network, &Allocations::default());
    compile(&intents, &network, &allocations, jiff::Timestamp::UNIX_EPOCH)
        .1
        .into_iter()
        .map(|finding| finding.code)
        .collect()
}

#[test]
fn internal_bgp_joins_loopbacks_to_the_reflectors() {
    let lab = lab("ibgp-rr");
    let (bgp, loopback) =
        (|name: &str| lab.config(name).bgp.as_ref().unwrap(), |name: &str| lab.allocations.loopbacks[name]);
    for config in lab.configs.values() {
        assert_eq!(config.bgp.as_ref().unwrap().asn.get(), 64_500);
        assert!(config.ospf.as_ref().unwrap().redistribute_bgp.is_none());
    }
    let internal = |name: &str| -> BTreeMap<String, (bool, bool)> {
        let neighbors = bgp(name).neighbors.values().filter(|neighbor| neighbor.local_address.is_some());
        neighbors.map(|n| (n.description.clone(), (n.route_reflector_client, n.next_hop_self))).collect()
    };
    let expected = |list: &[(&str, bool, bool)]| -> BTreeMap<String, (bool, bool)> {
        list.iter().map(|(name, client, own)| ((*name).to_owned(), (*client, *own))).collect()
    };
    assert_eq!(internal("edge-1"), expected(&[("rr-1", false, false), ("rr-2", false, false)]));
    assert_eq!(internal("border-2"), expected(&[("rr-1", false, true), ("rr-2", false, true)]));
    let clients = ["border-1", "border-2", "border-3", "edge-1", "edge-2"].map(|name| (name, true, false));
    assert_eq!(internal("rr-1"), expected(&[&clients[..], &[("rr-2", false, false)]].concat()));
    assert_eq!((bgp("rr-1").cluster_id, bgp("edge-1").cluster_id), (Some(bgp("rr-1").router_id), None));
    let session = &bgp("edge-1").neighbors[&NeighborTarget::Address(loopback("rr-1"))];
    assert_eq!((session.local_address, session.peer_as.get()), (Some(loopback("edge-1")), 64_500));
    assert_eq!(session.timers.map(|timers| timers.hold.0), Some(9));

    // Without reflectors, every node has a session with every other.
    let mut texts = lab_texts("ibgp-rr");
    let network = texts.get_mut("network.yaml").unwrap();
    *network = network.replace("    route_reflectors: { roles: [reflector] }\n", "");
    let mesh = compiled(texts, &Allocations::default());
    for config in mesh.configs.values() {
        let bgp = config.bgp.as_ref().unwrap();
        let internal = bgp.neighbors.values().filter(|neighbor| neighbor.local_address.is_some());
        assert!(internal.clone().all(|neighbor| !neighbor.route_reflector_client));
        assert_eq!((internal.count(), bgp.cluster_id), (mesh.configs.len() - 1, None));
    }
}

#[test]
fn an_exit_that_only_some_nodes_of_an_as_prefer_is_refused() {
    let with = |from: &str| {
        let mut texts = lab_texts("ibgp-rr");
        let text = format!(
            "apiVersion: weft/v1\nkind: Steering\nmetadata: {{ name: out }}\nspec: {{ {from}prefer: [{{ peering: \
             peering/transit-b }}, {{ peering: peering/transit-a }}] }}\n"
        );
        texts.insert("steering.yaml".to_owned(), text);
        let (intents, network) = read(&texts);
        let (allocations, _) = allocate(&intents, &network, &Allocations::default());
        let (_, findings) = compile(&intents, &network, &allocations, jiff::Timestamp::UNIX_EPOCH);
        findings.into_iter().map(|finding| finding.code).collect::<Vec<Code>>()
    };
    assert_eq!(with(""), []);
    assert_eq!(with("from: { roles: [edge] }, "), [codes::NOT_COMPILED]);
}

#[test]
fn what_is_not_carried_out_is_refused() {
    let (network, services) = ("network.yaml", "services.yaml");
    for (from, to) in
        [("addressing: numbered", "addressing: unnumbered"), ("{ area: 0.0.0.1 }", "{ area: 0.0.0.1, kind: stub }")]
    {
        let found = refused(network, from, to);
        assert!(found.contains(&codes::NOT_COMPILED), "`{to}`: {found:?}");
    }
    let two = "---\napiVersion: weft/v1\nkind: Underlay\nmetadata: { name: other }\nspec: { protocol: ebgp, addressing: \
               numbered, select: { names: [core-1, edge-1] } }\n---\n";
    assert!(refused(services, "---\n", two).contains(&codes::NOT_COMPILED));
    let accept = "accept: { prefixes: [0.0.0.0/0, 192.88.99.0/24], maximum_prefixes: 100 }";
    let session = r#"{ port: "core-4:swp7", address: 192.0.2.2/31, neighbor: 192.0.2.3 }"#;
    let steering = "---\napiVersion: weft/v1\nkind: Steering\nmetadata: { name: out }\nspec: { prefer: [{ peering: \
                    peering/transit, at: [core-1] }, { peering: peering/transit }] }\n---\n";
    for (from, to) in [
        (accept, "accept: { everything: true, maximum_prefixes: 100 }"),
        (accept, "accept: { prefixes: [192.88.99.0/24], more_specific: {}, maximum_prefixes: 100 }"),
        (session, r#"{ port: "core-4:swp7", address: "2001:db8:ff::/127", neighbor: "2001:db8:ff::1" }"#),
        ("---\n", steering),
    ] {
        let found = refused(services, from, to);
        assert!(found.contains(&codes::NOT_COMPILED), "`{to}`: {found:?}");
    }
}

#[test]
fn what_is_drained_has_the_largest_metric() {
    let with_drain = |drain: &str| {
        let mut texts = lab_texts("ospf-dual");
        let text =
            format!("apiVersion: weft/v1\nkind: Maintenance\nmetadata: {{ name: work }}\nspec: {{ drain: {drain} }}\n");
        texts.insert("maintenance.yaml".to_owned(), text);
        compiled(texts, &Allocations::default())
    };
    let whole = lab("ospf-dual");
    let differing = |drained: &Compiled| -> BTreeSet<String> {
        let changed = drained.configs.iter().filter(|(name, config)| whole.config(name.as_str()) != *config);
        changed.map(|(name, _)| name.to_string()).collect()
    };
    let drained = with_drain("{ nodes: [core-2] }");
    assert_eq!(differing(&drained), ["core-2".to_owned()].into());
    assert!(drained.config("core-2").ospf.as_ref().unwrap().maximum_metric);

    let drained = with_drain("{ links: [\"core-1:swp2\"] }");
    let far = match &whole.config("core-1").interfaces[&port("swp2")].kind {
        InterfaceKind::Link { peer } => peer.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(differing(&drained), ["core-1".to_owned(), far.node.to_string()].into());
    let ospf = |device: &str| drained.config(device).ospf.as_ref().unwrap();
    assert!(!ospf("core-1").maximum_metric);
    assert_eq!(ospf("core-1").interfaces[&port("swp2")].metric, u16::MAX);
    assert_eq!(ospf(far.node.as_str()).interfaces[&far.interface].metric, u16::MAX);
}

#[test]
fn a_router_id_is_an_ipv4_address() {
    let found = refused("network.yaml", "    - { purpose: loopback, prefix: 10.0.0.0/24 }\n", "");
    assert!(found.contains(&codes::ROUTER_ID_NOT_IPV4), "{found:?}");
}
