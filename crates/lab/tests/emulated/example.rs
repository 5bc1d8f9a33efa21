//! The example network in the emulated lab: every rendered configuration is taken as it is, and what the switches then do is
//! what was predicted from the compiled configurations.

use std::{collections::BTreeMap, fs, path::Path};

use tempfile::TempDir;
use weft_compile::{Allocations, allocate, compile, external_routers, hosts};
use weft_intent::{SourceFile, load, validate};
use weft_lab::emulated::{Lab, LabTopology};
use weft_model::{Catalogue, NodeName};
use weft_pack::{
    Pack, StatePart,
    manifest::{
        CollectorName, CollectorName::Interfaces, CollectorName::Neighbors, CollectorName::OspfNeighbors,
        CollectorName::Rib,
    },
};
use weft_simulate::{Cable, Failed, simulate};

use crate::ssh::Shell;

const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn pack(name: &str) -> Pack {
    fn collect(root: &Path, dir: &Path, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = Path::new(PROJECT).join("device-templates").join(name);
    let mut files = BTreeMap::new();
    collect(&root, &root, &mut files);
    let (pack, findings) = Pack::load(name.parse().unwrap(), &files);
    assert!(findings.is_empty(), "{findings:?}");
    pack.unwrap()
}

/// Configures the network of the intents in a folder, compares what it does with what was predicted, and returns its lab.
async fn as_predicted(intents: &str) -> (Lab, TempDir) {
    let mut sources: Vec<SourceFile> = fs::read_dir(Path::new(PROJECT).join(intents))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .filter(|path| !path.to_string_lossy().ends_with(".lock.yaml"))
        .map(|path| SourceFile::new(path.to_str().unwrap(), fs::read_to_string(&path).unwrap()))
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    let catalogue: Catalogue =
        ["frr", "bird", "loom"].into_iter().map(|name| (name.parse().unwrap(), pack(name).description())).collect();
    let (intents, findings) = load(&sources);
    assert!(findings.is_empty(), "{findings:?}");
    // What intents ask of the packs is checked elsewhere: here all switches run loom.
    let (network, _) = validate(&intents, &catalogue);
    let (allocations, _) = allocate(&intents, &network, &Allocations::default());
    let (mut configs, findings) = compile(&intents, &network, &allocations, jiff::Timestamp::UNIX_EPOCH);
    assert!(findings.is_empty(), "{findings:?}");
    let loom = pack("loom");
    for config in configs.values_mut() {
        config.profile = loom.default_profile();
    }
    let external = external_routers(&intents, &network, &allocations);
    let cables: Vec<Cable> = network.links().map(|link| link.ends.clone()).collect();

    let dir = tempfile::tempdir().unwrap();
    let topology = LabTopology {
        devices: configs.keys().cloned().collect(),
        cables: cables.clone(),
        external: external.clone(),
        hosts: hosts(&intents, &network, &allocations),
        ..LabTopology::default()
    };
    let lab = Lab::start(topology, dir.path()).await.unwrap();
    let mut shells: BTreeMap<&NodeName, Shell> = BTreeMap::new();
    for (name, config) in &configs {
        let (rendered, findings) = loom.render(config);
        assert!(findings.is_empty(), "{findings:?}");
        let text = &rendered.unwrap().files["running.conf"].text;
        let mut shell = Shell::open(dir.path(), name.as_str()).await;
        assert_eq!(shell.load(text).await, "", "{name}");
        assert_eq!(shell.run_all(&["commit confirmed 60 comment t1", "end", "confirm t1"]).await, [""; 3], "{name}");
        assert_eq!(shell.run("show running-config").await + "\n", *text, "{name}");
        shells.insert(name, shell);
    }

    let all_configs = configs.iter().chain(&external.configs).map(|(name, config)| (name.clone(), config.clone()));
    let all_cables: Vec<Cable> = cables.iter().chain(&external.cables).cloned().collect();
    let predicted = simulate(&all_configs.collect(), &all_cables, &Failed::default());
    for (name, shell) in &mut shells {
        let state = &predicted.states[*name];
        let mut observe =
            async |collector: CollectorName, command: &str| loom.parse(collector, &[shell.run(command).await]).unwrap();
        let StatePart::Rib(rib) = observe(Rib, "show route json").await else { panic!() };
        assert_eq!(Some(&rib), state.rib.as_deref(), "{name}");
        let StatePart::Neighbors(neighbors) = observe(Neighbors, "show bgp neighbors json").await else { panic!() };
        assert_eq!(&neighbors, state.neighbors.as_ref().unwrap_or(&BTreeMap::new()), "{name}");
        if configs[*name].ospf.is_some() {
            let StatePart::OspfNeighbors(neighbors) = observe(OspfNeighbors, "show ospf neighbors json").await else {
                panic!()
            };
            assert_eq!(Some(&neighbors), state.ospf_neighbors.as_ref(), "{name}");
        }
        let StatePart::Interfaces(mut interfaces) = observe(Interfaces, "show interfaces json").await else { panic!() };
        interfaces.retain(|port, _| state.interfaces.as_ref().unwrap().contains_key(port));
        assert_eq!(Some(&interfaces), state.interfaces.as_ref(), "{name}");
        let neighbors = &lab.status().devices[*name];
        assert_eq!(neighbors.established, neighbors.neighbors, "{name}");
    }
    (lab, dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn ospf_and_ipv6_do_what_was_predicted() {
    for (intents, from, to) in [
        ("tests/labs/ospf-dual/intents", "edge-1-swp8", "core-1-swp8"),
        ("tests/labs/ebgp-dual/intents", "leaf-1-swp8", "leaf-2-swp8"),
    ] {
        let (lab, _dir) = as_predicted(intents).await;
        let ipv4 = lab.status().hosts[to].addr().to_string();
        let ipv6 = if to.starts_with("core") { "2001:db8:10::2" } else { "2001:db8:20:1::2" };
        for to in [&*ipv4, ipv6] {
            let printed = lab.exec(from, &format!("ping {to} count 4")).unwrap().output;
            assert_eq!(printed, "4 packets transmitted, 4 received\n", "{from} to {to}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_network_does_what_was_predicted() {
    let (lab, _dir) = as_predicted("intents").await;
    let ping = |from: &str, to: &str| lab.exec(from, &format!("ping {to} count 4")).unwrap().output;
    let (from, to) = (&lab.status().hosts, "198.51.100.1");
    assert!(from.contains_key("b1-leaf-01-swp1"));
    assert_eq!(ping("b1-leaf-01-swp1", to), "4 packets transmitted, 4 received\n");
    let database = from["b2-leaf-04-swp1"].addr().to_string();
    assert_eq!(ping("b1-leaf-01-swp1", &database), "4 packets transmitted, 4 received\n");
    assert_eq!(ping("b1-leaf-03-swp1", to), "4 packets transmitted, 0 received\n");
}
