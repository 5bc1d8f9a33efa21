//! Access lists: which packets come to the hosts behind a port, and which rule drops the others.
#![allow(clippy::unwrap_used, reason = "a failure ends the run")]

mod fabric;

use std::collections::{BTreeMap, BTreeSet};

use fabric::{Fabric, end, leaf_spine, node, prefix};
use weft_device::config::{AclAction, AclEntry, AclSet, IpProtocol};
use weft_model::Provenance;
use weft_simulate::{Failed, Forwarding, Outcome, Packet, Scenarios, simulate};

/// The name of an entry, its action, sources, protocol and ports.
type Entry<'e> = (&'e str, AclAction, &'e [&'e str], Option<IpProtocol>, &'e [&'e str]);

/// Puts a list at an interface.
fn protect(fabric: &mut Fabric, at: &str, entries: &[Entry<'_>], default_action: AclAction) {
    let entry = |(&(name, action, sources, protocol, ports), sequence): (&Entry<'_>, u16)| AclEntry {
        sequence,
        name: name.parse().unwrap(),
        action,
        sources: sources.iter().map(|source| prefix(source)).collect(),
        destinations: Vec::new(),
        protocol,
        destination_ports: ports.iter().map(|range| range.parse().unwrap()).collect(),
        log: false,
        provenance: Provenance::default(),
    };
    let entries = entries.iter().zip(1..).map(entry).collect();
    let set = AclSet { entries, default_action, provenance: Provenance::default() };
    let at = end(at);
    let config = fabric.config(at.node.as_str());
    config.acl_sets.insert("list".parse().unwrap(), set);
    config.interfaces.get_mut(&at.interface).unwrap().egress_acl = Some("list".parse().unwrap());
}

fn packet(protocol: Option<IpProtocol>, port: Option<u16>) -> Packet {
    Packet { source: "172.16.1.1".parse().unwrap(), destination: "172.16.2.1".parse().unwrap(), protocol, port }
}

/// Leaves `l1` and `l2` with a segment each, on `swp3`.
fn two_segments() -> Fabric {
    let mut fabric = leaf_spine(2, 2, true);
    fabric.segment("l1", "172.16.1.1/24");
    fabric.segment("l2", "172.16.2.1/24");
    fabric
}

#[test]
fn the_first_entry_that_matches_decides() {
    use AclAction::{Accept, Drop};
    use IpProtocol::{Icmp, Tcp, Udp};
    let mut fabric = two_segments();
    protect(
        &mut fabric,
        "l2:swp3",
        &[
            ("no-telnet", Drop, &[], Some(Tcp), &["23"]),
            ("web", Accept, &["172.16.1.0/24"], Some(Tcp), &["1-79", "80-443"]),
            ("ping", Accept, &[], Some(Icmp), &[]),
            ("elsewhere", Accept, &["172.16.9.0/24", "2001:db8::/32"], None, &[]),
        ],
        Drop,
    );
    let prediction = fabric.simulate();
    let forwarding = Forwarding::new(&prediction.states, &fabric.cables).with_access_lists(&fabric.configs);
    let dropped_by = |packet: Packet| {
        let trace = forwarding.trace_packet(&node("l1"), &packet);
        match trace.outcomes.keys().collect::<Vec<_>>()[..] {
            [Outcome::Delivered { .. }] => None,
            [Outcome::Denied { node, interface, acl, entry }] => {
                assert_eq!((node.as_str(), interface.as_str(), acl.as_str()), ("l2", "swp3", "list"));
                assert!(trace.is_isolated());
                Some(entry.as_ref().map_or("default".to_owned(), ToString::to_string))
            }
            ref other => panic!("{other:?}"),
        }
    };
    let default = || Some("default".to_owned());
    assert_eq!(dropped_by(packet(Some(Tcp), Some(443))), None);
    assert_eq!(dropped_by(packet(Some(Tcp), Some(23))), Some("no-telnet".to_owned()));
    assert_eq!(dropped_by(packet(Some(Tcp), Some(444))), default());
    assert_eq!(dropped_by(packet(Some(Udp), Some(443))), default());
    assert_eq!(dropped_by(packet(Some(Icmp), None)), None);
    // What is not known matches only what does not ask for it.
    assert_eq!(dropped_by(packet(Some(Tcp), None)), default());
    assert_eq!(dropped_by(packet(None, None)), default());
    let stranger = Packet { source: "172.16.9.1".parse().unwrap(), ..packet(None, None) };
    assert_eq!(dropped_by(stranger), None);
    // A host behind the port is asked about as the address of the port is, from the same device too.
    let host = Packet { destination: "172.16.2.77".parse().unwrap(), ..packet(Some(Tcp), Some(23)) };
    assert_eq!(dropped_by(host), Some("no-telnet".to_owned()));
    assert!(!forwarding.trace_packet(&node("l2"), &host).is_delivered());
    // Answers pass: they belong to a connection.
    let answer = forwarding.trace(&node("l1"), host.source, host.destination);
    assert!(answer.is_delivered());
    let words = forwarding.trace_packet(&node("l1"), &host).outcomes.into_keys().next().unwrap().to_string();
    assert_eq!(words, "dropped on the way out of l2:swp3 by the rule `no-telnet` of the access list `list`");
}

#[test]
fn a_scenario_asks_access_lists_as_well() {
    use AclAction::{Accept, Drop};
    let mut fabric = two_segments();
    protect(&mut fabric, "l2:swp3", &[("web", Accept, &[], Some(IpProtocol::Tcp), &["443"])], Drop);
    // One of two ways is closed to UDP.
    protect(&mut fabric, "s1:swp2", &[("udp", Drop, &[], Some(IpProtocol::Udp), &[])], Accept);
    let packets =
        [packet(None, None), packet(Some(IpProtocol::Tcp), Some(443)), packet(Some(IpProtocol::Udp), Some(443))];
    let destinations: BTreeSet<_> = packets.iter().map(|packet| packet.destination).collect();
    let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, &destinations);
    let mut ends: BTreeMap<bool, usize> = BTreeMap::new();
    for cable in &fabric.cables {
        let failed = Failed { links: [cable[0].clone()].into(), nodes: BTreeSet::new() };
        let states = simulate(&fabric.configs, &fabric.cables, &failed).states;
        let forwarding = Forwarding::new(&states, &fabric.cables).with_access_lists(&fabric.configs);
        for from in fabric.configs.keys() {
            for packet in &packets {
                let trace = forwarding.trace_packet(from, packet);
                let walk = scenarios.cut(cable).walk_packet(from, packet).unwrap();
                assert_eq!(walk.delivered_at, trace.delivered_at().into_iter().cloned().collect());
                assert_eq!((walk.stopped, walk.first_hops), (!trace.is_delivered(), trace.first_hops), "{trace:?}");
                *ends.entry(walk.stopped).or_default() += 1;
            }
        }
    }
    assert!(ends.len() == 2, "some arrive and some do not: {ends:?}");
}
