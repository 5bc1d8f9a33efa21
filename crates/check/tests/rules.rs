//! Each rule catches its mistake at the line of the intent that caused the element, and nothing is found in the example.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../compile/tests/example/mod.rs"]
mod example;

use std::collections::{BTreeMap, BTreeSet};

use example::{Compiled, compiled, example, lab_texts};
use weft_check::{RULES, check, codes};
use weft_compile::Allocations;
use weft_device::config::{
    AfiSafi, Area, Bfd, Bgp, DeviceConfig, Interface, Neighbor, NeighborTarget, Ospf, OspfInterface, PolicyDefinition,
    Seconds,
};
use weft_diagnostics::{Code, Diagnostic};
use weft_model::{AreaId, InterfaceName, Mtu, NodeName, Provenance};

type Configs = BTreeMap<NodeName, DeviceConfig>;

/// A mistake: its code, the place of the finding as a file, a line and a text on a line behind that, and how it is made.
type Case = (Code, (&'static str, &'static str, &'static str), fn(&mut Configs));

const CASES: &[Case] = &[
    (codes::LINK_WITHOUT_INTERFACE, ("fabrics.yaml", "name: b1", "leaf:"), |configs| {
        // The other ends are left as they are.
        let bgp = bgp(configs, "b1-leaf-01");
        let target = bgp.neighbors.keys().next().unwrap().clone();
        let gone = bgp.neighbors.remove(&target).unwrap().interface;
        device(configs, "b1-leaf-01").interfaces.remove(&gone);
        let spine = bgp_with(configs, "b1-spine-01", "b1-leaf-01");
        spine.0.neighbors.remove(&spine.1);
    }),
    (codes::LINK_SUBNET_MISMATCH, ("underlay.yaml", "name: b1", "addressing:"), |configs| {
        uplink(configs, "b1-leaf-01").addresses.clear();
    }),
    (codes::LINK_MTU_MISMATCH, ("fabrics.yaml", "name: b1", "mtu:"), |configs| {
        uplink(configs, "b1-leaf-01").mtu = Some(Mtu::ETHERNET);
    }),
    (codes::LINK_UNNUMBERED_MISMATCH, ("underlay.yaml", "name: b2", "addressing:"), |configs| {
        uplink(configs, "b2-spine-01").unnumbered = false;
    }),
    (codes::SESSION_MISSING, ("underlay.yaml", "name: b1", "name: b1"), |configs| {
        let (bgp, target) = bgp_with(configs, "b1-spine-01", "b1-leaf-01");
        bgp.neighbors.remove(&target);
    }),
    (codes::SESSION_ASN_MISMATCH, ("pools.yaml", "asns:", "64601-64619"), |configs| {
        neighbor(configs, "b1-leaf-01", "b1-spine-01").peer_as = 64_999.try_into().unwrap();
    }),
    (codes::SESSION_ADDRESS_MISMATCH, ("underlay.yaml", "name: b1", "name: b1"), |configs| {
        let (bgp, target) = bgp_with(configs, "b1-leaf-01", "b1-spine-01");
        let neighbor = bgp.neighbors.remove(&target).unwrap();
        bgp.neighbors.insert(NeighborTarget::Address("10.9.9.9".parse().unwrap()), neighbor);
    }),
    (codes::SESSION_BFD_MISMATCH, ("underlay.yaml", "name: b1", "bfd:"), |configs| {
        neighbor(configs, "b1-leaf-01", "b1-spine-01").bfd = None;
    }),
    (codes::SESSION_TIMERS_MISMATCH, ("underlay.yaml", "name: interconnect", "timers:"), |configs| {
        neighbor(configs, "b1-dci-01", "b2-dci-01").timers = None;
    }),
    (codes::SESSION_AUTHENTICATION_MISMATCH, ("underlay.yaml", "name: b1", "name: b1"), |configs| {
        neighbor(configs, "b1-leaf-01", "b1-spine-01").authentication = Some("env/KEY".parse().unwrap());
    }),
    (codes::DUPLICATE_ADDRESS, ("pools.yaml", "addresses:", "10.0.1.0/24"), |configs| {
        let other = loopback(configs, "b1-leaf-02").addresses[0].prefix;
        let provenance = loopback(configs, "b1-leaf-01").addresses[0].provenance.clone();
        loopback(configs, "b1-leaf-01")
            .addresses
            .push(weft_device::config::InterfaceAddress { prefix: other, provenance });
    }),
    (codes::DUPLICATE_ROUTER_ID, ("pools.yaml", "addresses:", "10.0.1.0/24"), |configs| {
        bgp(configs, "b1-leaf-01").router_id = bgp(configs, "b1-leaf-02").router_id;
    }),
    (codes::SAME_ASN, ("pools.yaml", "asns:", "64601-64619"), |configs| {
        // Everybody agrees that the spines are in the AS of a leaf.
        let asn = bgp(configs, "b1-leaf-01").asn;
        let spine = bgp(configs, "b1-spine-01").asn;
        for config in configs.values_mut() {
            let bgp = config.bgp.as_mut().unwrap();
            if bgp.asn == asn {
                bgp.asn = spine;
            }
            for neighbor in bgp.neighbors.values_mut().filter(|neighbor| neighbor.peer_as == asn) {
                neighbor.peer_as = spine;
            }
        }
    }),
    (codes::UNDEFINED_REFERENCE, ("segments.yaml", "name: storage", "scope: site"), |configs| {
        let config = device(configs, "b1-dci-01");
        config.routing_policy.prefix_sets.clear();
    }),
    (codes::UNUSED_DEFINITION, ("segments.yaml", "name: storage", "scope: site"), |configs| {
        let policy = &mut device(configs, "b1-dci-01").routing_policy.policy_definitions;
        let (_, PolicyDefinition { statements, provenance }) = policy.first_key_value().unwrap();
        let copy = PolicyDefinition { statements: statements.clone(), provenance: provenance.clone() };
        policy.insert("spare".parse().unwrap(), copy);
    }),
    (codes::OVERLAPPING_SUBNETS, ("segments.yaml", "name: db", "prefix: 10.20.0.0/16"), |configs| {
        let port: InterfaceName = "swp1".parse().unwrap();
        let address = &mut device(configs, "b1-leaf-03").interfaces.get_mut(&port).unwrap().addresses[0];
        // Wide enough to hold the other subnets, and the network that is announced stays reachable.
        address.prefix = "10.20.255.254/16".parse().unwrap();
        let bgp = bgp(configs, "b1-leaf-03");
        bgp.networks.retain(|network, _| !network.to_string().starts_with("10.20."));
    }),
    (codes::NETWORK_WITHOUT_ROUTE, ("peerings.yaml", "name: transit-a", "announce:"), |configs| {
        device(configs, "b1-border-01").static_routes.clear();
    }),
    (codes::NO_MAXIMUM_PREFIXES, ("peerings.yaml", "name: transit-a", "maximum_prefixes"), |configs| {
        external(configs, "b1-border-01").maximum_prefixes = None;
    }),
    (codes::NO_EXTERNAL_POLICY, ("peerings.yaml", "name: transit-a", "announce:"), |configs| {
        let export = external(configs, "b1-border-01").export_policy.take().unwrap();
        let policy = &mut device(configs, "b1-border-01").routing_policy;
        policy.policy_definitions.remove(&export);
        policy.prefix_sets.retain(|name, _| !name.as_str().ends_with("announce"));
    }),
    (codes::OSPF_MISMATCH, ("underlay.yaml", "name: b1", "name: b1"), |configs| {
        ospf(configs, "b1-leaf-01", "b1-spine-01");
        ospf(configs, "b1-spine-01", "b1-leaf-01");
        let on = device(configs, "b1-leaf-01").ospf.as_mut().unwrap().interfaces.values_mut().next().unwrap();
        on.area = "1".parse().unwrap();
    }),
    (codes::SESSION_FAMILY_MISMATCH, ("underlay.yaml", "name: b2", "name: b2"), |configs| {
        let neighbor = neighbor(configs, "b2-leaf-01", "b2-spine-01");
        neighbor.afi_safis.insert(AfiSafi::Ipv6Unicast);
    }),
    (codes::UNDEFINED_SERVICE, ("fabrics.yaml", "name: b1", "leaf:"), |configs| {
        uplink(configs, "b1-leaf-01").egress_acl = Some("nowhere".parse().unwrap());
    }),
];

/// Lets a device run OSPF towards a peer.
fn ospf(configs: &mut Configs, name: &str, peer: &str) {
    let neighbor = neighbor(configs, name, peer).clone();
    let on = OspfInterface {
        area: AreaId::BACKBONE,
        metric: 1,
        passive: false,
        hello: Seconds(1),
        dead: Seconds(4),
        bfd: None,
        provenance: neighbor.provenance.clone(),
    };
    let config = device(configs, name);
    config.ospf = Some(Ospf {
        router_id: config.bgp.as_ref().unwrap().router_id,
        families: [AfiSafi::Ipv4Unicast].into(),
        maximum_paths: 64,
        areas: BTreeMap::new(),
        interfaces: [(neighbor.interface, on)].into(),
        maximum_metric: false,
        redistribute_bgp: None,
        provenance: neighbor.provenance,
    });
}

fn device<'a>(configs: &'a mut Configs, name: &str) -> &'a mut DeviceConfig {
    configs.get_mut(name).unwrap()
}

fn bgp<'a>(configs: &'a mut Configs, name: &str) -> &'a mut Bgp {
    device(configs, name).bgp.as_mut().unwrap()
}

fn loopback<'a>(configs: &'a mut Configs, name: &str) -> &'a mut Interface {
    device(configs, name).interfaces.get_mut(&InterfaceName::loopback()).unwrap()
}

/// Returns the first link of a device.
fn uplink<'a>(configs: &'a mut Configs, name: &str) -> &'a mut Interface {
    let interfaces = device(configs, name).interfaces.values_mut();
    interfaces.into_iter().find(|interface| interface.description.starts_with("to b")).unwrap()
}

/// Returns the process of a device and how it names a peer.
fn bgp_with<'a>(configs: &'a mut Configs, name: &str, peer: &str) -> (&'a mut Bgp, NeighborTarget) {
    let bgp = bgp(configs, name);
    let is_peer = |(_, neighbor): &(&NeighborTarget, &Neighbor)| neighbor.description.starts_with(peer);
    let target = bgp.neighbors.iter().find(is_peer).unwrap().0.clone();
    (bgp, target)
}

fn neighbor<'a>(configs: &'a mut Configs, name: &str, peer: &str) -> &'a mut Neighbor {
    let (bgp, target) = bgp_with(configs, name, peer);
    bgp.neighbors.get_mut(&target).unwrap()
}

fn external<'a>(configs: &'a mut Configs, name: &str) -> &'a mut Neighbor {
    neighbor(configs, name, "transit-")
}

fn findings(example: &Compiled, configs: &Configs) -> Vec<Diagnostic> {
    check(&example.intents, &example.network, configs)
}

#[test]
fn nothing_is_found_in_the_example() {
    let example = example();
    let findings = findings(&example, &example.configs);
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn nothing_is_found_in_the_networks_of_labs() {
    for lab in ["ospf-dual", "ebgp-dual", "ibgp-rr"] {
        let lab = compiled(lab_texts(lab), &Allocations::default());
        let findings = findings(&lab, &lab.configs);
        assert!(findings.is_empty(), "{findings:#?}");
    }
}

#[test]
fn each_rule_catches_its_mistake_at_the_line_that_caused_it() {
    let example = example();
    for (code, (file, after, text), mistake) in CASES {
        let mut configs = example.configs.clone();
        mistake(&mut configs);
        let all = findings(&example, &configs);
        let own: Vec<&Diagnostic> = all.iter().filter(|finding| finding.code == *code).collect();
        assert!(!own.is_empty(), "{code} is not found: {all:#?}");
        let line = example.line(file, after, text);
        let places: BTreeSet<String> = own
            .iter()
            .flat_map(|finding| finding.span.iter().chain(finding.labels.iter().map(|label| &label.span)))
            .map(|span| format!("{}:{}", span.file, span.line))
            .collect();
        let at_document = format!("{file}:{}", example.line(file, after, text).saturating_sub(3));
        let there = places.contains(&format!("{file}:{line}"));
        // A whole intent stands at the first line of its document.
        assert!(
            there || (*text == *after && places.contains(&at_document)),
            "{code} at {places:?}, not at {file}:{line}: {own:#?}"
        );
        if *code != codes::SAME_ASN && *code != codes::OVERLAPPING_SUBNETS {
            assert_eq!(own.len(), 1, "{code} once: {own:#?}");
        }
    }
}

#[test]
fn sessions_between_loopbacks_have_both_of_their_ends() {
    type Change = fn(&mut Configs);
    let changes: [(Code, &str, Change); 5] = [
        (codes::SESSION_MISSING, "no device has the other end", |configs| {
            let (bgp, target) = bgp_with(configs, "rr-1", "edge-1");
            bgp.neighbors.remove(&target);
        }),
        (codes::SESSION_ADDRESS_MISMATCH, "which is no address of `lo`", |configs| {
            // Both ends agree on an address that nobody has.
            let nowhere = "10.9.9.9".parse().unwrap();
            neighbor(configs, "edge-1", "rr-1").local_address = Some(nowhere);
            let (bgp, target) = bgp_with(configs, "rr-1", "edge-1");
            let there = bgp.neighbors.remove(&target).unwrap();
            bgp.neighbors.insert(NeighborTarget::Address(nowhere), there);
        }),
        (codes::SESSION_ASN_MISMATCH, "expects AS 64999", |configs| {
            neighbor(configs, "edge-1", "rr-1").peer_as = 64_999.try_into().unwrap();
        }),
        (codes::SESSION_TIMERS_MISMATCH, "edge-1", |configs| neighbor(configs, "edge-1", "rr-1").timers = None),
        (codes::SESSION_AUTHENTICATION_MISMATCH, "edge-1", |configs| {
            neighbor(configs, "edge-1", "rr-1").authentication = Some("env/KEY".parse().unwrap());
        }),
    ];
    let lab = compiled(lab_texts("ibgp-rr"), &Allocations::default());
    for (code, words, change) in changes {
        let mut configs = lab.configs.clone();
        change(&mut configs);
        let [finding] = &findings(&lab, &configs)[..] else { panic!("{words}: {:#?}", findings(&lab, &configs)) };
        assert_eq!(finding.code, code, "{finding:#?}");
        assert!(finding.message.contains(words), "{}", finding.message);
    }
}

#[test]
fn each_way_to_disagree_on_ospf_is_told() {
    type Change = fn(&mut Ospf);
    let changes: [(&str, Change); 6] = [
        ("hello time 2 s", |ospf| ospf.interfaces.values_mut().for_each(|on| on.hello = Seconds(2))),
        ("dead time 9 s", |ospf| ospf.interfaces.values_mut().for_each(|on| on.dead = Seconds(9))),
        ("has BFD every 100 ms, 3 times", |ospf| {
            let bfd = Some(Bfd { interval_ms: 100, multiplier: 3 });
            ospf.interfaces.values_mut().for_each(|on| on.bfd = bfd);
        }),
        ("routes IPv4 and IPv6", |ospf| {
            ospf.families.insert(AfiSafi::Ipv6Unicast);
        }),
        ("is in a stub area", |ospf| {
            ospf.areas.insert(AreaId::BACKBONE, Area { stub: true, provenance: Provenance::default() });
        }),
        ("OSPF looks for no neighbor on b1-spine-01:", |ospf| {
            ospf.interfaces.values_mut().for_each(|on| on.passive = true)
        }),
    ];
    let example = example();
    for (words, change) in changes {
        let mut configs = example.configs.clone();
        ospf(&mut configs, "b1-leaf-01", "b1-spine-01");
        ospf(&mut configs, "b1-spine-01", "b1-leaf-01");
        let agreed = findings(&example, &configs);
        assert!(agreed.is_empty(), "{agreed:#?}");
        change(device(&mut configs, "b1-spine-01").ospf.as_mut().unwrap());
        let [finding] = &findings(&example, &configs)[..] else { panic!("{words}") };
        assert_eq!(finding.code, codes::OSPF_MISMATCH);
        assert!(finding.message.contains(words), "{}", finding.message);
    }
}

#[test]
fn every_rule_has_a_case_and_a_code_of_its_own() {
    let rules: BTreeSet<Code> = RULES.iter().map(|rule| rule.code).collect();
    let cases: BTreeSet<Code> = CASES.iter().map(|(code, ..)| *code).collect();
    assert_eq!(rules, cases);
    assert_eq!(rules.len(), RULES.len());
    let all: BTreeSet<Code> = codes::ALL.iter().copied().collect();
    assert!(rules.is_subset(&all) && all.len() == codes::ALL.len());
}

#[test]
fn an_element_without_provenance_is_still_a_finding() {
    let example = example();
    let mut configs = example.configs.clone();
    let neighbor = external(&mut configs, "b1-border-01");
    neighbor.import_policy = None;
    neighbor.provenance = Provenance::default();
    let findings = findings(&example, &configs);
    assert!(findings.iter().any(|finding| finding.code == codes::NO_EXTERNAL_POLICY && finding.span.is_none()));
}
