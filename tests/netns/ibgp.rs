//! Internal BGP over OSPF on real routers: what is predicted of it is what they do, whichever link is cut.
//!
//! Two route reflectors, three borders and two edges, FRR and BIRD mixed; two transits, a peer and a customer, each a router of its
//! own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
    time::Instant,
};

use crate::{
    STEERING,
    weft::{
        Project,
        lab::{self, on, wait_for},
    },
};
use serde_json::Value;
use tokio::runtime::Runtime;
use weft_device::{
    config::{DeviceConfig, NeighborTarget},
    state::SessionState,
};
use weft_lab::netns::Lab;
use weft_model::{NodeName, TerminationPoint};
use weft_pipeline::{
    reach::{self, Reach},
    secrets, source,
    stages::{self, Compiled, Predicted},
};
use weft_simulate::{Cable, Failed, simulate};
use weft_verify::{MismatchKind, Observed, Part, Parts, ProbeResults, WhatToCollect, assess, observe};

const INTERNET: &str = "198.51.100.0/24";
const CUSTOMER: &str = "192.0.2.128/25";
const PEER: &str = "192.88.99.0/24";
const OURS: &str = "203.0.113.0/24";

/// What the project's intents come to, and how its routers are read.
struct Network {
    project: stages::Project,
    compiled: Compiled,
    reach: Reach,
    cables: Vec<Cable>,
    configs: BTreeMap<NodeName, DeviceConfig>,
    runtime: Runtime,
}

impl Network {
    fn of(project: &Project) -> Self {
        let root = project.path();
        let (sources, _) = source::read(root, None).expect("the project is read");
        let (validated, findings) = stages::validate(&sources);
        let validated = validated.unwrap_or_else(|| panic!("{findings:#?}"));
        let (inventory, _) = reach::inventory(root, None).expect("the inventory is read").expect("the lab is up");
        let (compiled, findings) = stages::compile(&validated, &reach::overrides(Some(&inventory)));
        let compiled = compiled.unwrap_or_else(|| panic!("{findings:#?}"));
        let secrets = secrets::store(root, &sources, None, None).expect("there are secrets");
        let reach = Reach::new(&validated, &compiled, inventory, Arc::new(secrets));
        let cables = stages::predict(&validated, &compiled).cables;
        let mut configs = compiled.external.configs.clone();
        configs.extend(compiled.configs.clone());
        let runtime = Runtime::new().expect("a runtime");
        Self { project: validated, compiled, reach, cables, configs, runtime }
    }

    /// Reads the tables and sessions of every router.
    fn observed(&self) -> BTreeMap<NodeName, Observed> {
        let parts: Parts = [Part::Rib, Part::Fib, Part::Neighbors].into();
        let devices = self.reach.targets(&self.compiled);
        let what = |(name, config): (&NodeName, &DeviceConfig)| (name.clone(), WhatToCollect::of(config, &parts));
        let what: BTreeMap<_, _> = self.compiled.configs.iter().map(what).collect();
        self.runtime.block_on(observe(&devices, &what, &self.reach.reading(8)))
    }

    /// Waits until every entry of every table, and the state of every session, is as predicted after a failure; returns how many entries there are.
    #[track_caller]
    fn does_as_predicted(&self, what: &str, failed: &Failed) -> usize {
        let prediction = simulate(&self.configs, &self.cables, failed);
        assert!(prediction.unstable.is_empty(), "{what}: {:?}", prediction.unstable);
        let predicted = Predicted { cables: self.cables.clone(), prediction };
        let intended = stages::intended(&self.project, &self.compiled, &predicted, &self.reach);
        let cut = self.cables.iter().filter(|cable| cable.iter().any(|end| failed.links.contains(end)));
        let interfaces = cut.flatten().filter_map(|end| self.configs.get(&end.node)?.interfaces.get(&end.interface));
        let subnets = interfaces.flat_map(|interface| &interface.addresses).map(|address| address.prefix.trunc());
        let gone: BTreeSet<_> = subnets.collect();
        let mut compared = 0;
        let mut last = String::new();
        let as_predicted = || {
            let observed = self.observed();
            let mut routes = assess(&intended, &observed, &ProbeResults::default()).routes;
            // Where an end of a cut link runs BIRD, some router keeps the subnet that nobody has any more, now and then, until its
            // announcement grows old.
            routes.mismatches.retain(|m| m.is != MismatchKind::Unexpected || !gone.contains(&m.prefix));
            compared = routes.compared;
            let sessions = other_sessions(&predicted, &observed);
            let now = format!("{:#?} {sessions:#?}", routes.mismatches);
            if now != last {
                eprintln!(
                    "  {what}: {} of {compared} entries differ, and {} sessions",
                    routes.mismatches.len(),
                    sessions.len()
                );
                last = now;
            }
            routes.mismatches.is_empty() && sessions.is_empty()
        };
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait_for(what, as_predicted)));
        assert!(ran.is_ok(), "{what}: {last}");
        compared
    }
}

/// Returns the sessions that are up and were predicted not to be, and the other way round; all of a router that does not answer.
fn other_sessions(
    predicted: &Predicted,
    observed: &BTreeMap<NodeName, Observed>,
) -> Vec<(NodeName, NeighborTarget, Option<SessionState>)> {
    let mut other = Vec::new();
    for (device, seen) in observed {
        let expected = predicted.prediction.states[device].neighbors.as_ref().unwrap();
        // A router that does not answer is not as predicted, either.
        let found = seen.state.neighbors.as_ref().filter(|_| seen.state.rib.is_some() && seen.state.fib.is_some());
        for (target, expected) in expected {
            let state = found.map(|found| found.get(target).map_or(SessionState::Idle, |found| found.session_state));
            let up = |state| state == SessionState::Established;
            if state.map(up) != Some(up(expected.session_state)) {
                other.push((device.clone(), target.clone(), state));
            }
        }
    }
    other
}

/// Returns the prefixes in the BGP table of a neighbor, read from the neighbor itself.
fn table(lab: &Lab, neighbor: &str) -> BTreeSet<String> {
    let printed = on(lab, neighbor, &["vtysh", "-c", "show bgp ipv4 unicast json"]);
    let table: Value = serde_json::from_str(&printed).unwrap_or_default();
    table["routes"].as_object().map(|routes| routes.keys().cloned().collect()).unwrap_or_default()
}

fn set(prefixes: &[&str]) -> BTreeSet<String> {
    prefixes.iter().map(|prefix| (*prefix).to_owned()).collect()
}

/// Returns the interface through which a node sends packets to the internet.
fn way_out(lab: &Lab, node: &str) -> String {
    on(lab, node, &["ip", "-4", "route", "show", INTERNET])
}

#[test]
fn reflected_routes_are_as_predicted_whichever_link_is_cut() {
    if !lab::is_possible() {
        return;
    }
    let begun = Instant::now();
    let says = |what: &str| eprintln!("- {what}: {:.1} s", begun.elapsed().as_secs_f64());
    let project = Project::of("tests/labs/ibgp-rr/intents");
    project.weft("lab up --backend netns").expect(0);
    let lab = Lab::attach(&project.path().join(".weft/lab")).expect("the lab runs");
    says("lab up");
    project.weft("run").expect(0);
    project.weft("plan").expect(0).says("no change");
    says("run, and a second plan changes nothing");

    let network = Network::of(&project);
    let compared = network.does_as_predicted("the steady state", &Failed::default());
    assert!(compared >= 300, "{compared} entries");
    neighbors_hear_what_they_may(&lab);
    // Each exit is used by those that are near it, and both by the border between them.
    assert!(way_out(&lab, "edge-1").contains("dev swp1"), "{}", way_out(&lab, "edge-1"));
    assert!(way_out(&lab, "edge-2").contains("dev swp1"), "{}", way_out(&lab, "edge-2"));
    let between = way_out(&lab, "border-3");
    assert!(between.contains("dev swp1") && between.contains("dev swp2"), "{between}");
    says("the steady state");

    for cable in &network.cables {
        // A cut is named by an end of ours.
        let Some(end) = cable.iter().find(|end| network.compiled.configs.contains_key(&end.node)) else { continue };
        let cut = format!("{end} is cut");
        project.weft(&format!("lab fault link-down {end}")).expect(0);
        let failed = Failed { links: BTreeSet::from([TerminationPoint::clone(end)]), ..Failed::default() };
        network.does_as_predicted(&cut, &failed);
        project.weft("lab heal all").expect(0);
        network.does_as_predicted("all links are whole again", &Failed::default());
        says(&cut);
    }

    let of_reflector = |cable: &&Cable| cable.iter().any(|end| end.node.as_str() == "rr-1");
    let links: BTreeSet<TerminationPoint> =
        network.cables.iter().filter(of_reflector).map(|cable| cable[0].clone()).collect();
    for end in &links {
        project.weft(&format!("lab fault link-down {end}")).expect(0);
    }
    network.does_as_predicted("a reflector is cut off", &Failed { links, ..Failed::default() });
    project.weft("lab heal all").expect(0);
    network.does_as_predicted("both reflectors are there again", &Failed::default());
    says("a reflector is cut off");

    // A preference of one border is that of the whole AS.
    fs::write(project.path().join("intents/steering.yaml"), STEERING).expect("write the intent");
    project.weft("run").expect(0);
    let network = Network::of(&project);
    network.does_as_predicted("the preferred exit", &Failed::default());
    for node in ["edge-1", "edge-2", "border-1", "border-3", "rr-1"] {
        let way = way_out(&lab, node);
        assert!(!way.contains("192.0.2.1"), "{node} leaves by the other exit: {way}");
    }
    assert!(way_out(&lab, "border-2").contains("192.0.2.3"), "{}", way_out(&lab, "border-2"));
    says("the preferred exit");
}

fn neighbors_hear_what_they_may(lab: &Lab) {
    // What the customer's border learns goes to the transits of other borders, and nothing of one transit to the other.
    for neighbor in ["transit-a", "transit-b"] {
        assert_eq!(table(lab, neighbor), set(&["0.0.0.0/0", INTERNET, OURS, CUSTOMER]), "{neighbor}");
    }
    assert_eq!(table(lab, "peer-c"), set(&[PEER, OURS, CUSTOMER]));
    assert_eq!(table(lab, "customer-d"), set(&["0.0.0.0/0", INTERNET, PEER, OURS, CUSTOMER]));
    for neighbor in ["transit-a", "transit-b", "peer-c", "customer-d"] {
        for prefix in table(lab, neighbor) {
            let route = on(lab, neighbor, &["vtysh", "-c", &format!("show bgp ipv4 unicast {prefix} json")]);
            assert!(!route.contains("4200000000"), "{neighbor}: {route}");
        }
    }
}
