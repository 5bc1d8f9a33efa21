//! The example network compiles to the configurations that a person would write.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod example;

use std::{collections::BTreeSet, path::Path};

use example::{compiled, example, example_texts, read_with_small_pools};
use serde_yaml::Value;
use weft_compile::{Allocations, allocate, compile, hosts};
use weft_device::config::{Action, InterfaceKind, NeighborTarget, PeerType};

#[test]
fn three_devices_are_as_in_their_golden_files() {
    let example = example();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for device in ["b1-leaf-04", "b1-border-01", "b2-spine-01"] {
        let path = folder.join(format!("{device}.yaml"));
        let config = serde_yaml::to_value(example.config(device)).unwrap();
        let config = serde_yaml::to_string(&brief(config)).unwrap();
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &config).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(config == expected, "{device} differs from {}; UPDATE_EXPECT=1 rewrites it:\n{config}", path.display());
    }
}

/// Returns a configuration with its provenance in a form that a person can review: one line for each place.
fn brief(value: Value) -> Value {
    match value {
        Value::Sequence(items) if items.first().is_some_and(|item| item.get("intent").is_some()) => {
            let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
            let line = |item: &Value| item["line"].as_u64().unwrap();
            let place = |item| format!("{} {}:{}", text(item, "intent"), text(item, "file"), line(item));
            items.iter().map(place).collect::<Vec<_>>().join(", ").into()
        }
        Value::Sequence(items) => items.into_iter().map(brief).collect(),
        Value::Mapping(map) => match map.get("sources") {
            Some(sources) if map.len() == 1 => brief(sources.clone()),
            // What is not there is not worth a line.
            _ => {
                let there = map.into_iter().filter(|(_, value)| !value.is_null());
                Value::Mapping(there.map(|(key, value)| (key, brief(value))).collect())
            }
        },
        other => other,
    }
}

#[test]
fn the_same_input_gives_the_same_configurations() {
    let [one, two] = [example(), example()];
    assert_eq!(one.configs, two.configs);
    assert_eq!(one.allocations.to_yaml(), two.allocations.to_yaml());
}

#[test]
fn every_link_of_an_underlay_has_its_session_at_both_ends() {
    let example = example();
    assert_eq!(example.configs.len(), 20);
    let sessions: usize = example
        .configs
        .values()
        .flat_map(|config| config.bgp.as_ref().unwrap().neighbors.values())
        .filter(|neighbor| neighbor.peer_type == PeerType::Internal)
        .count();
    assert_eq!(sessions, 2 * example.network.links().count());
    for (device, numbered) in [("b1-leaf-01", true), ("b2-leaf-01", false)] {
        for (target, neighbor) in &example.config(device).bgp.as_ref().unwrap().neighbors {
            assert_eq!(matches!(target, NeighborTarget::Address(_)), numbered);
            assert_eq!(neighbor.bfd.is_some(), numbered, "only building 1 has BFD");
            assert!(neighbor.timers.is_some() && neighbor.import_policy.is_none() && neighbor.export_policy.is_none());
        }
    }
}

#[test]
fn the_smaller_end_of_a_link_has_the_lower_address() {
    let example = example();
    for link in example.network.links() {
        let address = |end: usize| {
            let end = &link.ends[end];
            example.config(end.node.as_str()).interfaces[&end.interface].addresses.first().map(|address| address.prefix)
        };
        let (Some(a), Some(b)) = (address(0), address(1)) else { continue };
        assert_eq!((a.prefix_len(), a.trunc()), (31, b.trunc()), "{link}");
        assert!(a.addr() < b.addr(), "{link}");
    }
}

#[test]
fn a_segment_of_a_site_is_rejected_on_every_session_that_leaves_the_site() {
    let example = example();
    let mut leaving = 0;
    for (device, config) in &example.configs {
        let site = &example.network.node(device.as_str()).unwrap().site;
        for neighbor in config.bgp.as_ref().unwrap().neighbors.values() {
            if neighbor.peer_type == PeerType::External {
                continue;
            }
            let peer = neighbor.description.split(' ').next().unwrap();
            if example.network.node(peer).unwrap().site == *site {
                assert_eq!(neighbor.export_policy, None, "{device} {peer}");
                continue;
            }
            leaving += 1;
            let policy = &config.routing_policy.policy_definitions[neighbor.export_policy.as_ref().unwrap()];
            let [reject, accept] = &policy.statements[..] else { panic!("{policy:?}") };
            assert_eq!([reject.action, accept.action], [Action::Reject, Action::Accept]);
            let set = &config.routing_policy.prefix_sets[reject.conditions.prefix_set.as_ref().unwrap()];
            assert!(set.contains(&"10.30.7.0/24".parse().unwrap()) && !set.contains(&"10.20.7.0/24".parse().unwrap()));
            assert_eq!(accept.conditions.prefix_set, None);
        }
    }
    assert_eq!(leaving, 8, "four links between the buildings");
}

#[test]
fn a_peering_takes_and_announces_exactly_what_it_says() {
    let example = example();
    let config = example.config("b1-border-01");
    let bgp = config.bgp.as_ref().unwrap();
    let neighbor = &bgp.neighbors[&NeighborTarget::Address("192.0.2.1".parse().unwrap())];
    assert_eq!((neighbor.peer_as.get(), neighbor.maximum_prefixes), (64_496, Some(100)));
    for (policy, inside, outside) in [
        (&neighbor.import_policy, "0.0.0.0/0", "198.51.100.0/24"),
        (&neighbor.export_policy, "203.0.113.0/24", "203.0.113.0/28"),
    ] {
        let statements = &config.routing_policy.policy_definitions[policy.as_ref().unwrap()].statements;
        let accepting: Vec<_> = statements.iter().filter(|statement| statement.action == Action::Accept).collect();
        let [only] = accepting[..] else { panic!("{statements:?}") };
        let set = &config.routing_policy.prefix_sets[only.conditions.prefix_set.as_ref().unwrap()];
        assert!(set.contains(&inside.parse().unwrap()) && !set.contains(&outside.parse().unwrap()));
    }
    let aggregate = "203.0.113.0/24".parse().unwrap();
    assert!(config.static_routes.contains_key(&aggregate) && bgp.networks.contains_key(&aggregate));
    assert!(!bgp.networks.keys().any(|network| network.addr().to_string().starts_with("192.0.2.")));
}

#[test]
fn a_port_has_the_addresses_of_both_families_of_its_neighbor() {
    let mut texts = example_texts();
    let peerings = texts.get_mut("peerings.yaml").unwrap();
    let session = r#"{ port: "b1-border-01:swp1", address: 192.0.2.0/31, neighbor: 192.0.2.1 }"#;
    let second = r#"{ port: "b1-border-01:swp1", address: "2001:db8:2::/127", neighbor: "2001:db8:2::1" }"#;
    *peerings = peerings.replace(session, &format!("{session}\n    - {second}"));
    // That no Underlay of the example routes IPv6 is a finding, and not what this is about.
    let (intents, network) = read_with_small_pools(&texts);
    let (allocations, _) = allocate(&intents, &network, &Allocations::default());
    let (configs, _) = compile(&intents, &network, &allocations, jiff::Timestamp::UNIX_EPOCH);
    let port = &configs["b1-border-01"].interfaces[&"swp1".parse().unwrap()];
    let addresses: Vec<String> = port.addresses.iter().map(|address| address.prefix.to_string()).collect();
    assert_eq!(addresses, ["192.0.2.0/31", "2001:db8:2::/127"]);
}

#[test]
fn a_node_in_no_underlay_has_interfaces_and_no_bgp() {
    let mut texts = example_texts();
    texts.remove("peerings.yaml");
    texts.remove("reachability.yaml");
    let underlay = texts.get_mut("underlay.yaml").unwrap();
    *underlay = underlay.replace("select: { sites: [b2] }", "select: { sites: [b2], roles: [leaf, spine, dci] }");
    let example = compiled(texts, &Allocations::default());
    let border = example.config("b2-border-01");
    assert!(border.bgp.is_none() && border.interfaces.values().all(|interface| !interface.unnumbered));
    assert_eq!(border.interfaces.values().filter(|i| matches!(i.kind, InterfaceKind::Link { .. })).count(), 2);
    assert!(!example.allocations.asns.contains_key("b2-border-01"));
}

#[test]
fn every_element_knows_the_line_that_caused_it() {
    let example = example();
    let config = example.config("b1-leaf-01");
    let neighbor = config.bgp.as_ref().unwrap().neighbors.values().next().unwrap();
    let lines = |sources: &weft_model::Sources| sources.iter().map(ToString::to_string).collect::<Vec<_>>();
    let at = |text| example.line("underlay.yaml", "name: b1", text);
    assert_eq!(lines(neighbor.provenance.of("bfd")), [format!("underlay/b1 (underlay.yaml:{})", at("bfd:"))]);
    assert_eq!(lines(neighbor.provenance.of("timers")), [format!("underlay/b1 (underlay.yaml:{})", at("timers:"))]);
    let interface = &config.interfaces[&neighbor.interface];
    let mtu = example.line("fabrics.yaml", "name: b1", "mtu:");
    assert_eq!(lines(interface.provenance.of("mtu")), [format!("fabric/b1 (fabrics.yaml:{mtu})")]);
    for config in example.configs.values() {
        let bgp = config.bgp.as_ref().unwrap();
        let elements = (config.interfaces.values().map(|interface| &interface.provenance))
            .chain(config.interfaces.values().flat_map(|i| i.addresses.iter().map(|address| &address.provenance)))
            .chain(bgp.networks.values().map(|network| &network.provenance))
            .chain(bgp.neighbors.values().map(|neighbor| &neighbor.provenance))
            .chain(config.static_routes.values().map(|route| &route.provenance))
            .chain(config.routing_policy.prefix_sets.values().map(|set| &set.provenance))
            .chain(config.routing_policy.policy_definitions.values().map(|policy| &policy.provenance))
            .chain(config.system.ntp_servers.iter().chain(&config.system.dns_servers).map(|server| &server.provenance))
            .chain(config.system.users.values().map(|user| &user.provenance));
        assert!(elements.into_iter().all(|provenance| !provenance.sources.is_empty()), "{}", config.device);
    }
}

#[test]
fn what_is_not_allocated_is_a_finding_and_no_guess() {
    let example = example();
    let mut allocations = example.allocations.clone();
    allocations.asns.remove("b1-leaf-01");
    allocations.links.pop_first();
    let (configs, findings) = compile(&example.intents, &example.network, &allocations, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(findings.len(), 2, "{findings:#?}");
    assert!(configs["b1-leaf-01"].bgp.is_none());
}

#[test]
fn external_routers_are_attached_to_every_port_of_their_peering() {
    let example = example();
    let names: Vec<&str> = example.external.configs.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["transit-a", "transit-b"]);
    let cables: Vec<String> = example.external.cables.iter().map(|[a, b]| format!("{a} {b}")).collect();
    assert_eq!(
        cables,
        [
            "b1-border-01:swp1 transit-a:eth1",
            "b1-border-02:swp1 transit-b:eth1",
            "b2-border-01:swp1 transit-a:eth2",
            "b2-border-02:swp1 transit-b:eth2",
        ]
    );
    let router = &example.external.configs["transit-a"];
    let addresses = |name: &str| {
        let interface = &router.interfaces[&name.parse().unwrap()];
        interface.addresses.iter().map(|address| address.prefix.to_string()).collect::<Vec<_>>()
    };
    assert_eq!([addresses("eth1"), addresses("lo")], [["192.0.2.1/31"], ["198.51.100.1/32"]]);
    let bgp = router.bgp.as_ref().unwrap();
    assert_eq!(bgp.asn.get(), 64_496);
    let neighbor = &bgp.neighbors[&NeighborTarget::Address("192.0.2.0".parse().unwrap())];
    assert_eq!(neighbor.peer_as, example.allocations.asns["b1-border-01"]);
    assert!(bgp.networks.contains_key(&"0.0.0.0/0".parse().unwrap()));
}

#[test]
fn every_segment_port_has_a_host() {
    let example = example();
    let hosts = hosts(&example.intents, &example.network, &example.allocations);
    assert_eq!(hosts.len(), 16);
    let addresses: BTreeSet<_> = hosts.iter().map(|host| host.address).collect();
    assert_eq!(addresses.len(), 16);
    let first = &hosts[0];
    assert_eq!([&*first.name, first.segment.as_str()], ["b1-leaf-01-swp2", "storage"]);
    for host in hosts {
        let interface = &example.config(host.port.node.as_str()).interfaces[&host.port.interface];
        assert_eq!(interface.addresses[0].prefix.addr(), host.gateway);
        assert!(interface.addresses[0].prefix.contains(&host.address.addr()));
    }
}

#[test]
fn nothing_changes_when_the_lock_file_is_kept() {
    let example = example();
    let locked = Allocations::from_yaml(&example.allocations.to_yaml()).unwrap();
    let (again, findings) = allocate(&example.intents, &example.network, &locked);
    assert!(findings.is_empty());
    assert_eq!(again.to_yaml(), example.allocations.to_yaml());
}
