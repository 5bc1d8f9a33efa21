//! Plans of a small fabric: what changes, in which waves, and what a plan on disk is worth.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use proptest::prelude::*;
use weft_model::{
    BehaviorProfile, IntentRef, Link, Mtu, Network, Node, NodeName, PackName, SecretDigests, Source, TerminationPoint,
};
use weft_pack::{Pack, Rendered, RenderedFile};
use weft_plan::{Absences, DeviceChange, Plan, PlanError, PlanInputs, WavePolicy, plan};

const MANIFEST: &str = r#"
description: text
tested: ["1"]
platforms: {}
files: [{ name: running.conf, templates: [all.j2], normalise: { ignore: ["^!"] } }]
transport: { kind: exec }
collectors: {}
probes: { ping: { commands: [{ run: "true" }] }, ping_result: '(?P<sent>\d+)(?P<received>\d+)' }
transaction:
  lock: { commands: [] }
  upload: { commands: [] }
  arm: { by: apply, because: nothing is changed here }
  apply: { commands: [] }
  confirm: { commands: [] }
  rollback: { commands: [] }
  unlock: { commands: [] }
  running: { commands: [] }
  status: { commands: [] }
"#;

fn packs() -> BTreeMap<PackName, Arc<Pack>> {
    let files = BTreeMap::from([
        ("manifest.yaml".to_owned(), MANIFEST.to_owned()),
        ("templates/all.j2".to_owned(), "hostname {{ device.hostname }}\n".to_owned()),
    ]);
    let (pack, findings) = Pack::load("text".parse().unwrap(), &files);
    BTreeMap::from([("text".parse().unwrap(), Arc::new(pack.unwrap_or_else(|| panic!("{findings:#?}"))))])
}

/// Two spines and `leaves` leaves of one fabric, each leaf linked to both spines.
fn fabric(leaves: usize) -> Network {
    let source = Source { intent: "fabric/f".parse().unwrap(), file: "f.yaml".into(), line: 1 };
    let mut network = Network::default();
    let names = ["spine-1", "spine-2"].map(str::to_owned).into_iter().chain((1..=leaves).map(|n| format!("leaf-{n}")));
    for name in names {
        let node = Node {
            name: name.parse().unwrap(),
            role: name.split('-').next().unwrap().parse().unwrap(),
            fabric: Some("f".parse().unwrap()),
            site: None,
            labels: BTreeMap::new(),
            pack: "text".parse().unwrap(),
            platform: "any".parse().unwrap(),
            profile: BehaviorProfile::default(),
            management: None,
            source: source.clone(),
        };
        network.add_node(node).unwrap();
    }
    let end = |node: String, port: usize| TerminationPoint {
        node: node.parse().unwrap(),
        interface: format!("swp{port}").parse().unwrap(),
    };
    for leaf in 1..=leaves {
        for spine in 1..=2 {
            let ends = [end(format!("leaf-{leaf}"), spine), end(format!("spine-{spine}"), leaf)];
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
    }
    network
}

type Running = BTreeMap<NodeName, Result<BTreeMap<String, String>, String>>;

fn rendered(network: &Network) -> BTreeMap<NodeName, Rendered> {
    let text = "hostname x\nbgp 64512\n  neighbor 10.0.0.1\n";
    let one = |node: &Node| Rendered {
        device: node.name.clone(),
        pack: "text".parse().unwrap(),
        files: BTreeMap::from([(
            "running.conf".to_owned(),
            RenderedFile { text: text.into(), lines: vec![Default::default(); 3] },
        )]),
    };
    network.nodes().map(|node| (node.name.clone(), one(node))).collect()
}

fn running(network: &Network, text: impl Fn(&str) -> Result<&'static str, String>) -> Running {
    let files = |text: &str| BTreeMap::from([("running.conf".to_owned(), text.to_owned())]);
    network.nodes().map(|node| (node.name.clone(), text(node.name.as_str()).map(files))).collect()
}

fn make(network: &Network, running: &Running, waves: &WavePolicy) -> Plan {
    make_with(network, running, waves, &|_| BTreeSet::new())
}

fn make_with(network: &Network, running: &Running, waves: &WavePolicy, absences: &Absences<'_>) -> Plan {
    plan(&PlanInputs {
        commit: Some("0123abc"),
        weft: "0.1.0",
        rendered: &rendered(network),
        running,
        packs: &packs(),
        network,
        waves,
        secrets: &SecretDigests::default(),
        absences,
    })
}

const IN_USE: &str = "hostname x\nbgp 64512\n";
const AS_INTENDED: &str = "! shown at noon\nhostname x\nbgp 64512\n  neighbor 10.0.0.1\n";
const POLICY: WavePolicy = WavePolicy { canary: 1, size: 10 };

#[test]
fn a_leaf_goes_first_and_spines_go_one_by_one() {
    let network = fabric(3);
    let plan = make(&network, &running(&network, |_| Ok(IN_USE)), &POLICY);
    assert_eq!(
        plan.summary(),
        "5 devices change (+5 -0 lines)
canary: leaf-1 (first alone, as its loss would harm least: 2 links)
wave 1: leaf-2, leaf-3, spine-1 (every Reachability holds, and the others reach each other, while these are away)
wave 2: spine-2 (not together with spine-1: a fabric keeps all but one of its most connected devices)
"
    );
}

#[test]
fn what_breaks_a_promise_together_changes_apart_and_what_breaks_one_alone_goes_alone() {
    let network = fabric(4);
    let intent = |name: &str| -> IntentRef { format!("reachability/{name}").parse().unwrap() };
    let absences = |away: &BTreeSet<NodeName>| {
        let all = |names: &[&str]| names.iter().all(|name| away.contains(*name));
        let promises: [(&[&str], &str); 4] = [
            (&["leaf-2", "leaf-3"], "web-to-db"),
            (&["spine-1", "spine-2"], "any-to-any"),
            (&["leaf-4"], "single"),
            (&["leaf-1", "leaf-2", "spine-1"], "three"),
        ];
        promises.iter().filter(|(names, _)| all(names)).map(|(_, name)| intent(name)).collect()
    };
    let plan = make_with(&network, &running(&network, |_| Ok(IN_USE)), &WavePolicy { canary: 0, size: 9 }, &absences);
    assert_eq!(
        plan.summary(),
        "6 devices change (+6 -0 lines)
wave 1: leaf-1, leaf-2, spine-2 (every Reachability holds, and the others reach each other, while these are away)
wave 2: leaf-3, spine-1 (every Reachability holds, and the others reach each other, while these are away; leaf-3 not together with leaf-2: web-to-db would fail; spine-1 not in wave 1: three would fail)
wave 3: leaf-4 (alone, as single fails while it is away)
"
    );
    assert_eq!(plan.waves[2].breaks, [intent("single")].into());
    let spines = running(&network, |name| if name.starts_with("spine") { Ok(IN_USE) } else { Ok(AS_INTENDED) });
    let spines = make_with(&network, &spines, &WavePolicy { canary: 0, size: 9 }, &absences);
    assert_eq!(spines.waves[1].reason, "not together with spine-1: any-to-any would fail");
    // A device that carries no traffic is missed by nobody.
    let bare =
        make_with(&network, &running(&network, |_| Ok("hostname x\n")), &WavePolicy { canary: 0, size: 9 }, &|_| {
            panic!("nobody is asked")
        });
    assert_eq!(bare.waves.len(), 1);
}

#[test]
fn bare_devices_need_no_care_and_devices_as_intended_no_wave() {
    let network = fabric(3);
    let bare = running(&network, |_| Ok("hostname x\n! no bgp here\n"));
    let waves: Vec<_> = make(&network, &bare, &POLICY).waves.into_iter().map(|wave| wave.devices.len()).collect();
    assert_eq!(waves, [1, 4]);

    let same = running(&network, |_| Ok(AS_INTENDED));
    let plan = make(&network, &same, &POLICY);
    assert!(!plan.has_changes());
    assert_eq!(plan.summary(), "no change, 5 already as intended\n");

    let one = running(&network, |name| match name {
        "leaf-2" => Ok(IN_USE),
        "spine-1" => Err("connection refused".into()),
        _ => Ok(AS_INTENDED),
    });
    let plan = make(&network, &one, &POLICY);
    assert_eq!(plan.unreachable().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["spine-1"]);
    assert!(plan.summary().starts_with("1 device changes (+1 -0 lines), 3 already as intended, 1 unreachable\n"));
    let DeviceChange::Replace { files, .. } = &plan.devices["leaf-2"].change else { panic!("{plan:#?}") };
    assert_eq!(
        files["running.conf"].diff,
        "--- running.conf (running)\n+++ running.conf (intended)\n@@ -1,2 +1,3 @@\n hostname x\n bgp 64512\n+  neighbor 10.0.0.1\n"
    );
}

#[test]
fn a_plan_that_somebody_changed_is_refused() {
    let network = fabric(1);
    let made = make(&network, &running(&network, |_| Ok(IN_USE)), &POLICY);
    let text = made.to_json().unwrap();
    assert_eq!(Plan::from_json(&text).unwrap(), made);
    let changed = text.replace("neighbor 10.0.0.1", "neighbor 10.0.0.9");
    assert!(matches!(Plan::from_json(&changed), Err(PlanError::Digest { .. })));
    assert!(matches!(Plan::from_json(&text.replace("\"version\": 1", "\"version\": 2")), Err(PlanError::Version(2))));
    assert!(matches!(Plan::from_json("{}"), Err(PlanError::Json(_))));
}

#[test]
fn what_moved_since_is_named() {
    let network = fabric(2);
    let then = running(&network, |_| Ok(IN_USE));
    let plan = make(&network, &then, &POLICY);
    assert_eq!(plan.verify_unmoved(&then, &packs(), &SecretDigests::default()), []);
    let now = running(&network, |name| match name {
        "leaf-1" => Ok("hostname x\nbgp 64512\n  by hand\n"),
        // What the pack ignores is no move.
        "leaf-2" => Ok("! later\nhostname x\nbgp 64512\n"),
        "spine-1" => Err("refused".into()),
        _ => Ok(IN_USE),
    });
    let moved: Vec<String> = plan
        .verify_unmoved(&now, &packs(), &SecretDigests::default())
        .into_iter()
        .map(|moved| moved.device.to_string())
        .collect();
    assert_eq!(moved, ["leaf-1", "spine-1"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_device_that_changes_has_one_turn_and_spines_never_share_one(
        leaves in 1usize..8,
        canary in 0usize..3,
        size in 0usize..6,
        states in proptest::collection::vec(0u8..4, 10),
    ) {
        let network = fabric(leaves);
        let names: Vec<String> = network.nodes().map(|node| node.name.to_string()).collect();
        let state = |name: &str| states[names.iter().position(|other| other == name).unwrap()];
        let texts = running(&network, |name| match state(name) {
            0 => Ok("hostname x\n"),
            1 => Ok(AS_INTENDED),
            2 => Err("refused".into()),
            _ => Ok(IN_USE),
        });
        let plan = make(&network, &texts, &WavePolicy { canary, size });
        let mut turns: Vec<&str> = plan.waves.iter().flat_map(|wave| &wave.devices).map(NodeName::as_str).collect();
        turns.sort_unstable();
        let changing: Vec<&str> = names.iter().map(String::as_str).filter(|name| matches!(state(name), 0 | 3)).collect();
        prop_assert_eq!(turns, changing);
        for wave in &plan.waves {
            let spines = wave.devices.iter().filter(|name| name.as_str().starts_with("spine") && state(name.as_str()) == 3);
            // One leaf alone is what holds its two spines together.
            prop_assert!(leaves == 1 || spines.count() <= 1);
            prop_assert!(!wave.devices.is_empty() && !wave.reason.is_empty());
            let most = if wave.name == "canary" { canary } else { size.max(1) };
            prop_assert!(wave.devices.len() <= most);
        }
        prop_assert_eq!(Plan::from_json(&plan.to_json().unwrap()).unwrap(), plan);
    }
}
