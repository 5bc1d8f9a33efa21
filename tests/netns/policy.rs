//! Routing policies on real routers: who is told what, which way traffic goes, and what is drained before it is touched.
//!
//! Two spines, two leaves and three borders, one of them BIRD; two transits, a peer and a customer, each a router of its own.
//!

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::{
    STEERING,
    weft::{
        Project,
        lab::{self, Ping, on, wait_for},
    },
};
use serde_json::Value;
use weft_lab::netns::Lab;

const INTERNET: &str = "198.51.100.0/24";
const CUSTOMER: &str = "192.0.2.128/25";
const OURS: &str = "203.0.113.0/24";
const ROUTERS: [&str; 7] =
    ["f1-border-01", "f1-border-02", "f1-border-03", "f1-leaf-01", "f1-leaf-02", "f1-spine-01", "f1-spine-02"];

fn json(lab: &Lab, node: &str, argv: &[&str]) -> Value {
    serde_json::from_str(&on(lab, node, argv)).unwrap_or_default()
}

/// Returns the prefixes in the BGP table of a neighbor, read from the neighbor itself.
fn table(lab: &Lab, neighbor: &str) -> BTreeSet<String> {
    let table = json(lab, neighbor, &["vtysh", "-c", "show bgp ipv4 unicast json"]);
    table["routes"].as_object().map(|routes| routes.keys().cloned().collect()).unwrap_or_default()
}

/// Returns the next hops of a prefix in the kernel of a router: gateway and interface.
fn hops(lab: &Lab, node: &str, prefix: &str) -> BTreeSet<(String, String)> {
    let routes = json(lab, node, &["ip", "-j", "-4", "route", "show", prefix]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let routes = routes.as_array().cloned().unwrap_or_default();
    let hops = routes.iter().flat_map(|route| match route["nexthops"].as_array() {
        Some(hops) => hops.clone(),
        None => vec![route.clone()],
    });
    hops.map(|hop| (text(&hop["gateway"]), text(&hop["dev"]))).collect()
}

fn interfaces(lab: &Lab, node: &str, prefix: &str) -> BTreeSet<String> {
    hops(lab, node, prefix).into_iter().map(|(_, interface)| interface).collect()
}

/// Returns who has which address.
fn addresses(lab: &Lab) -> BTreeMap<String, String> {
    let nodes = lab.status().expect("the lab runs").nodes;
    let mut addresses = BTreeMap::new();
    for node in nodes.keys() {
        let printed = on(lab, node.as_str(), &["ip", "-o", "-4", "addr"]);
        let fields = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        for fields in fields.filter(|fields| fields[1] != "mgmt0" && fields[1] != "lo") {
            addresses.insert(fields[3].split('/').next().unwrap_or_default().to_owned(), node.to_string());
        }
    }
    addresses
}

/// Follows every way that the kernels' tables have to a prefix, and returns the neighbors at which they leave the network.
fn exits(lab: &Lab, addresses: &BTreeMap<String, String>, from: &str, prefix: &str) -> BTreeSet<String> {
    let (mut exits, mut seen, mut next) = (BTreeSet::new(), BTreeSet::new(), vec![from.to_owned()]);
    while let Some(node) = next.pop() {
        if !seen.insert(node.clone()) {
            continue;
        }
        if ROUTERS.contains(&node.as_str()) {
            next.extend(hops(lab, &node, prefix).iter().filter_map(|(gateway, _)| addresses.get(gateway).cloned()));
        } else {
            exits.insert(node);
        }
    }
    exits
}

/// Returns how many packets went out of an interface while `count` requests were sent to each of some addresses.
fn sent_by(lab: &Lab, router: &str, interface: &str, host: &str, to: &[&str]) -> u64 {
    let path = format!("/sys/class/net/{interface}/statistics/tx_packets");
    let read = || on(lab, router, &["cat", &path]).trim().parse::<u64>().expect("a counter");
    let before = read();
    for address in to {
        on(lab, host, &["ping", "-n", "-q", "-i", "0.01", "-c", "100", "-W", "5", address]);
    }
    read() - before
}

fn set(prefixes: &[&str]) -> BTreeSet<String> {
    prefixes.iter().map(|prefix| (*prefix).to_owned()).collect()
}

fn maintenance(project: &Project, drain: Option<&str>) {
    let path = project.path().join("intents/maintenance.yaml");
    match drain {
        Some(drain) => {
            let text =
                format!("apiVersion: weft/v1\nkind: Maintenance\nmetadata:\n  name: optics\nspec:\n  drain: {drain}\n");
            fs::write(path, text).expect("write the intent");
        }
        None => fs::remove_file(path).expect("the intent is there"),
    }
}

#[test]
fn policies_do_on_real_routers_what_the_intents_say() {
    if !lab::is_possible() {
        return;
    }
    let project = Project::of("tests/labs/peering/intents");
    project.weft("lab up --backend netns").expect(0);
    let lab = Lab::attach(&project.path().join(".weft/lab")).expect("the lab runs");
    project.weft("run").expect(0);
    neighbors_hear_what_they_may(&lab);
    traffic_takes_the_preferred_exit(&project, &lab);
    traffic_leaves_what_is_drained(&project, &lab);
    nobody_is_believed_who_should_not_be(&lab);
}

fn neighbors_hear_what_they_may(lab: &Lab) {
    eprintln!("- neighbors hear what they may");
    for neighbor in ["transit-a", "transit-b"] {
        assert_eq!(table(lab, neighbor), set(&["0.0.0.0/0", INTERNET, OURS, CUSTOMER]), "{neighbor}");
    }
    assert_eq!(table(lab, "peer-c"), set(&["192.88.99.0/24", OURS, CUSTOMER]));
    assert_eq!(table(lab, "customer-d"), set(&["0.0.0.0/0", INTERNET, "192.88.99.0/24", OURS, CUSTOMER]));
    // Each transit has a way to the customer, and nobody sees a community of ours.
    for neighbor in ["transit-a", "transit-b", "peer-c", "customer-d"] {
        for prefix in table(lab, neighbor) {
            let route = on(lab, neighbor, &["vtysh", "-c", &format!("show bgp ipv4 unicast {prefix} json")]);
            assert!(!route.contains("4200000000"), "{neighbor}: {route}");
        }
    }
}

fn traffic_takes_the_preferred_exit(project: &Project, lab: &Lab) {
    eprintln!("- traffic takes the preferred exit");
    let addresses = addresses(lab);
    let exits = || exits(lab, &addresses, "f1-leaf-01", INTERNET);
    assert!(exits().contains("transit-a"), "nobody prefers an exit yet: {:?}", exits());
    fs::write(project.path().join("intents/steering.yaml"), STEERING).expect("write the intent");
    project.weft("run").expect(0);
    assert_eq!(exits(), set(&["transit-b"]));
    // A border with a shorter path of its own follows, too.
    assert!(!interfaces(lab, "f1-border-01", INTERNET).contains("swp1"));
    project.weft("lab fault link-down f1-border-02:swp1").expect(0);
    wait_for("the next exit", || exits() == set(&["transit-a"]));
    project.weft("lab heal link-down f1-border-02:swp1").expect(0);
    wait_for("the preferred exit", || exits() == set(&["transit-b"]));
}

fn traffic_leaves_what_is_drained(project: &Project, lab: &Lab) {
    eprintln!("- traffic leaves what is drained");
    let hosts = lab.status().expect("the lab runs").hosts;
    let address = |host: &str| {
        let found = hosts.iter().find(|(name, _)| name.as_str() == host);
        found.unwrap_or_else(|| panic!("no {host}")).1.addr().to_string()
    };
    let (host, other) = ("f1-leaf-01-swp1", address("f1-leaf-02-swp1"));
    let other_subnet = "203.0.113.16/28";
    let far = [&*other, "198.51.100.1", "10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.5"];
    let both = set(&["swp15", "swp16"]);
    let pings = [Ping::start(lab, host, &other, "0.05"), Ping::start(lab, host, "198.51.100.1", "0.05")];
    assert_eq!(interfaces(lab, "f1-leaf-01", other_subnet), both);

    maintenance(project, Some("{ nodes: [f1-spine-01] }"));
    project.weft("run").expect(0);
    let leaving = ["f1-leaf-01", "f1-leaf-02", "f1-border-01", "f1-border-02", "f1-border-03"];
    let around = |prefix| leaving.iter().all(|device| !interfaces(lab, device, prefix).contains("swp15"));
    wait_for("traffic to leave the spine", || around(INTERNET) && around("0.0.0.0/0") && around(CUSTOMER));
    assert_eq!(interfaces(lab, "f1-leaf-01", other_subnet), set(&["swp16"]));
    // Keepalives go on: the sessions are up.
    let [drained, used] = ["swp15", "swp16"].map(|port| sent_by(lab, "f1-leaf-01", port, host, &far));
    assert!(drained < 100 && used >= 600, "{drained} packets to the drained spine, {used} to the other");
    project.weft("plan").expect(0).says("no change");

    eprintln!("- what is drained is changed");
    let baseline = "apiVersion: weft/v1\nkind: Baseline\nmetadata:\n  name: clock\nspec:\n  select: { names: [f1-spine-01] }\n  \
                    ntp: { servers: [10.255.0.250] }\n";
    fs::write(project.path().join("intents/baseline.yaml"), baseline).expect("write the intent");
    project.weft("run").expect(0).does_not_say("WEFT-540");

    eprintln!("- a link is drained, and the spine is back");
    maintenance(project, Some("{ links: [\"f1-leaf-01:swp15\"] }"));
    project.weft("run").expect(0);
    wait_for("traffic to leave the link", || interfaces(lab, "f1-leaf-01", INTERNET) == set(&["swp16"]));
    wait_for("traffic to come back to the spine", || interfaces(lab, "f1-leaf-02", INTERNET) == both);
    let from_spine = json(lab, "f1-spine-01", &["ip", "-j", "-4", "route", "show", "203.0.113.0/28"]);
    assert_ne!(from_spine[0]["dev"], "swp1", "the spine goes around the link, too: {from_spine}");

    maintenance(project, None);
    project.weft("run").expect(0);
    wait_for("traffic to come back to the link", || interfaces(lab, "f1-leaf-01", INTERNET) == both);
    for ping in pings {
        let (sent, received) = ping.end();
        assert!(sent > 100 && sent - received <= 1, "{received} answers to {sent} requests");
    }
}

/// A transit sends what it must not, and a mark of ours on all of it.
fn nobody_is_believed_who_should_not_be(lab: &Lab) {
    eprintln!("- nobody is believed who should not be");
    let bad = ["10.66.0.0/16", "203.0.113.64/26", "203.0.113.0/24", "198.51.100.128/25"];
    let good = "198.51.101.0/24";
    let mut lines = vec!["configure terminal".to_owned()];
    lines.extend(bad.iter().chain([&good]).map(|prefix| format!("ip route {prefix} blackhole")));
    lines.extend(
        ["route-map spoof permit 10", "set large-community 4200000000:1:1 4200000000:2:1", "exit"].map(str::to_owned),
    );
    lines.extend(["router bgp 64496", "address-family ipv4 unicast"].map(str::to_owned));
    lines.extend(bad.iter().chain([&good]).map(|prefix| format!("network {prefix}")));
    lines.push("neighbor 192.0.2.0 route-map spoof out".to_owned());
    let mut argv = vec!["vtysh"];
    argv.extend(lines.iter().flat_map(|line| ["-c", line]));
    on(lab, "transit-a", &argv);
    wait_for("the transit to send it", || {
        let sent =
            on(lab, "transit-a", &["vtysh", "-c", "show bgp ipv4 unicast neighbors 192.0.2.0 advertised-routes json"]);
        bad.iter().all(|prefix| sent.contains(prefix))
    });
    // Who sees the good one would have seen the others.
    wait_for("the customer to hear of it", || table(lab, "customer-d").contains(good));
    for router in ROUTERS {
        for prefix in bad.iter().filter(|prefix| **prefix != OURS) {
            assert_eq!(hops(lab, router, prefix), BTreeSet::new(), "{router} believes {prefix}");
        }
    }
    for neighbor in ["transit-b", "peer-c"] {
        assert!(!table(lab, neighbor).contains(good), "{neighbor} hears what only customers may");
    }
    // A border that knows our prefix itself never takes it from outside.
    assert!(!interfaces(lab, "f1-border-01", OURS).contains("swp1"));
    let preference = on(lab, "f1-border-01", &["vtysh", "-c", &format!("show bgp ipv4 unicast {good} json")]);
    assert!(!preference.contains("4200000000:1:1") && !preference.contains("4200000000:2:1"), "{preference}");
}
