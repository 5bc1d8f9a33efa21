//! Underlays against real routers: OSPF in areas and eBGP, IPv4 and IPv6 side by side, FRR and BIRD mixed.

use std::{collections::BTreeMap, net::IpAddr, thread, time::Instant};

use crate::weft::{
    Project,
    lab::{self, wait_for},
};
use weft_lab::netns::Lab;

/// A network that runs.
struct Running {
    project: Project,
    lab: Lab,
    begun: Instant,
}

impl Running {
    /// Brings up the network of the intents in a folder.
    fn new(intents: &str) -> Self {
        let begun = Instant::now();
        let project = Project::of(intents);
        project.weft("compile -q").expect(0);
        project.weft("lab up --backend netns").expect(0);
        let lab = Lab::attach(&project.path().join(".weft/lab")).expect("the lab runs");
        let running = Self { project, lab, begun };
        running.says("lab up");
        running.project.weft("run").expect(0);
        running.says("run");
        running
    }

    fn says(&self, what: &str) {
        eprintln!("- {what}: {:.1} s", self.begun.elapsed().as_secs_f64());
    }

    fn report(&self) -> serde_json::Value {
        let ran = self.project.weft("report latest --format json").expect(0);
        serde_json::from_str(&ran.out).expect("the report is JSON")
    }

    /// Checks that every intent is kept and every route is the predicted one, and says how many were compared.
    #[track_caller]
    fn is_as_predicted(&self, least: u64) {
        let report = self.report();
        let intents = report["intents"].as_array().expect("intents");
        let wrong: Vec<_> = intents.iter().filter(|intent| intent["standing"] != "compliant").collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let routes = &report["routes"];
        eprintln!("  {} entries of RIBs and FIBs compared, {} differ", routes["compared"], routes["mismatched"]);
        assert_eq!(routes["mismatched"], 0, "{routes:#}");
        assert!(routes["compared"].as_u64() >= Some(least), "{routes:#}");
    }

    /// Repairs what was broken, and waits until everything is as before.
    #[track_caller]
    fn heal(&self, least: u64) {
        self.project.weft("lab heal all").expect(0);
        wait_for("the routes to move back", || {
            self.project.weft("verify --now").code == 0 && self.report()["routes"]["mismatched"] == 0
        });
        self.is_as_predicted(least);
        self.says("the link is whole again");
    }

    /// Returns the addresses of hosts of both families, by host.
    fn addresses(&self) -> BTreeMap<String, Vec<IpAddr>> {
        let status = self.lab.status().expect("the lab runs");
        let mut addresses: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
        for (name, address) in status.hosts.iter().chain(&status.hosts_ipv6) {
            addresses.entry(name.to_string()).or_default().push(address.addr());
        }
        addresses
    }

    /// Sends echo requests between every two hosts in the families that both have, and returns the pairs that fail.
    fn failing_pings(&self) -> Vec<(String, IpAddr)> {
        let addresses = self.addresses();
        let mut pairs = Vec::new();
        for (from, own) in &addresses {
            for (_, others) in addresses.iter().filter(|(to, _)| *to != from) {
                let both = others.iter().filter(|to| own.iter().any(|own| own.is_ipv4() == to.is_ipv4()));
                pairs.extend(both.map(|to| (from.clone(), *to)));
            }
        }
        assert!(pairs.iter().any(|(_, to)| to.is_ipv4()) && pairs.iter().any(|(_, to)| to.is_ipv6()), "{pairs:?}");
        let ping = |(from, to): &(String, IpAddr)| {
            let to = to.to_string();
            let argv = ["ping", "-n", "-q", "-i", "0.2", "-c", "3", "-W", "1", &to];
            self.lab.exec(from, &argv).expect("ping starts").status.success()
        };
        let arrived: Vec<bool> = thread::scope(|scope| {
            let threads: Vec<_> = pairs.iter().map(|pair| scope.spawn(move || ping(pair))).collect();
            threads.into_iter().map(|thread| thread.join().expect("ping ends")).collect()
        });
        let failed = pairs.iter().zip(arrived).filter(|(_, arrived)| !arrived);
        failed.map(|(pair, _)| pair.clone()).collect()
    }

    /// Returns the interfaces through which a node sends packets to an address.
    fn way(&self, node: &str, to: &str) -> String {
        let output = self.lab.exec(node, &["ip", "route", "get", to]).expect("ip starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn ospf_routes_both_families_between_areas() {
    if !lab::is_possible() {
        return;
    }
    let running = Running::new("tests/labs/ospf-dual/intents");
    running.is_as_predicted(200);
    running.project.weft("plan").expect(0).says("no change");
    running.says("a second plan changes nothing");
    assert_eq!(running.failing_pings(), []);
    // What a border router hears by BGP is reached from everywhere.
    for host in running.addresses().keys().filter(|host| host.starts_with("core")) {
        let ping = running.lab.exec(host, &["ping", "-n", "-q", "-i", "0.2", "-c", "3", "-W", "1", "198.51.100.1"]);
        assert!(ping.expect("ping starts").status.success(), "{host} to the internet");
    }
    running.says("hosts reach each other");

    let addresses = running.addresses();
    let server = &addresses["core-1-swp8"];
    let [server_ipv4, server_ipv6] = [server[0].to_string(), server[1].to_string()];
    for server in [&server_ipv4, &server_ipv6] {
        assert!(running.way("edge-1", server).contains("dev swp1"), "{}", running.way("edge-1", server));
    }
    running.project.weft("lab fault link-down core-2:swp3").expect(0);
    running.project.weft("verify --now").expect(1);
    for version in ["OSPFv2", "OSPFv3"] {
        let words = format!("{version} adjacency swp1 to core-2");
        assert!(running.report()["intents"].to_string().contains(&words), "{words}: {:#}", running.report()["intents"]);
    }
    for server in [&server_ipv4, &server_ipv6] {
        wait_for("the routes to move", || !running.way("edge-1", server).contains("dev swp1"));
    }
    wait_for("hosts to reach each other again", || running.failing_pings().is_empty());
    running.says("the routes have moved");
    running.heal(200);
}

#[test]
fn ebgp_routes_both_families_with_and_without_addresses_on_links() {
    if !lab::is_possible() {
        return;
    }
    let running = Running::new("tests/labs/ebgp-dual/intents");
    running.is_as_predicted(150);
    running.project.weft("plan").expect(0).says("no change");
    assert_eq!(running.failing_pings(), []);
    running.says("hosts reach each other");
    running.project.weft("lab fault link-down spine-1:swp1").expect(0);
    wait_for("hosts to reach each other again", || running.failing_pings().is_empty());
    // One cause explains every route that went over the link, at its ends and elsewhere.
    running.project.weft("verify --now").expect(1);
    let report = running.report();
    let causes = report["routes"]["causes"].as_array().expect("causes");
    let at_leaf: Vec<_> = causes.iter().filter(|cause| cause["device"] == "leaf-1").collect();
    assert!(at_leaf.len() == 1 && at_leaf[0]["cause"] == "link down: leaf-1:swp1", "{causes:#?}");
    assert!(at_leaf[0]["routes"].as_u64() > Some(3), "{causes:#?}");
    assert!(causes.iter().all(|cause| cause["kind"] == "interface-down"), "{causes:#?}");
    running.heal(150);
}
