//! The fleet: a network of many fabrics, and the switches that are to run it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    path::Path,
};

use weft_intent::SourceFile;
use weft_lab::emulated::{Lab, LabTopology};
use weft_model::{NodeName, PackName};
use weft_pipeline::{
    source::Sources,
    stages::{self, Compiled, Project},
};
use weft_ssh::Inventory;

/// The switches of a fabric; each fabric is a lab of its own in the process of the switches.
const SPINES: usize = 2;
const LEAVES: usize = 8;

/// What the devices are to run.
pub(crate) struct Fleet {
    pub(crate) project: Project,
    pub(crate) compiled: Compiled,
}

impl Fleet {
    /// Returns so many devices in fabrics, each with subnets for hosts.
    pub(crate) fn new(devices: usize) -> Self {
        assert_eq!(devices % (SPINES + LEAVES), 0, "a fabric has {} devices", SPINES + LEAVES);
        let mut files = BTreeMap::new();
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../device-templates/loom"), "", &mut files);
        let sources = Sources {
            intents: vec![SourceFile::new("intents/network.yaml", text(devices / (SPINES + LEAVES)))],
            packs: BTreeMap::from([("loom".to_owned(), files)]),
            ..Sources::default()
        };
        let (project, findings) = stages::validate(&sources);
        let project = project.unwrap_or_else(|| panic!("{findings:#?}"));
        let (compiled, findings) = stages::compile(&project, &BTreeMap::<NodeName, PackName>::new());
        let compiled = compiled.unwrap_or_else(|| panic!("{findings:#?}"));
        Self { project, compiled }
    }
}

fn text(fabrics: usize) -> String {
    let mut text = "apiVersion: weft/v1\nkind: Pools\nmetadata: { name: numbers }\nspec:\n  addresses:\n\
        \x20   - { purpose: management, prefix: 10.255.0.0/16 }\n\
        \x20   - { purpose: loopback, prefix: 10.0.0.0/16 }\n\
        \x20   - { purpose: link, prefix: 10.1.0.0/16 }\n  asns:\n\
        \x20   - { range: 4200000000-4200000999, assign: per-fabric-role, select: { roles: [spine] } }\n\
        \x20   - { range: 4200010000-4200019999, assign: per-node }\n---\n\
        apiVersion: weft/v1\nkind: Underlay\nmetadata: { name: all }\nspec: { protocol: ebgp, addressing: numbered }\n---\n\
        apiVersion: weft/v1\nkind: Segment\nmetadata: { name: hosts }\nspec:\n  prefix: 10.64.0.0/10\n  subnet_length: 24\n  \
        scope: site\n  ports: [{ select: { roles: [leaf] }, interfaces: [swp1] }]\n---\n\
        apiVersion: weft/v1\nkind: Baseline\nmetadata: { name: everywhere }\nspec:\n  \
        ntp: { servers: [192.0.2.1, 192.0.2.2] }\n  dns: { servers: [192.0.2.3] }\n"
        .to_owned();
    for fabric in 1..=fabrics {
        text += &format!(
            "---\napiVersion: weft/v1\nkind: Fabric\nmetadata: {{ name: f{fabric} }}\nspec:\n  site: s{fabric}\n  \
             spine: {{ count: {SPINES}, pack: loom, platform: vs-16 }}\n  \
             leaf: {{ count: {LEAVES}, pack: loom, platform: vs-16 }}\n"
        );
    }
    text
}

fn read(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            read(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// Is the process of the switches, until its standard input ends.
pub(crate) async fn serve(devices: usize, folder: &Path) {
    let Fleet { project, compiled } = Fleet::new(devices);
    let hosts = weft_compile::hosts(&project.intents, &project.network, &compiled.allocations);
    let fabrics: BTreeSet<&str> = compiled.configs.keys().map(fabric).collect();
    let mut labs = Vec::new();
    for name in fabrics {
        let topology = LabTopology {
            devices: compiled.configs.keys().filter(|device| fabric(device) == name).cloned().collect(),
            cables: project
                .network
                .links()
                .map(|link| link.ends.clone())
                .filter(|ends| fabric(&ends[0].node) == name)
                .collect(),
            hosts: hosts.iter().filter(|host| fabric(&host.port.node) == name).cloned().collect(),
            ..LabTopology::default()
        };
        labs.push(Lab::start(topology, &folder.join(name)).await.unwrap());
    }
    println!("ready");
    std::io::stdout().flush().unwrap();
    let waiting = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    waiting.await.unwrap().unwrap();
}

fn fabric(device: &NodeName) -> &str {
    device.as_str().split('-').next().unwrap()
}

/// Returns the inventories of all labs in one, with one file of host keys: as large as that of a fleet.
pub(crate) fn inventory(folder: &Path) -> Inventory {
    let all = folder.join("known_hosts");
    let mut known_hosts = String::new();
    let mut inventory = Inventory::default();
    for entry in fs::read_dir(folder).unwrap() {
        let lab = entry.unwrap().path();
        let Ok(text) = fs::read_to_string(lab.join("inventory.yaml")) else { continue };
        known_hosts += &fs::read_to_string(lab.join("known_hosts")).unwrap();
        let part: Inventory = serde_yaml::from_str(&text).unwrap();
        for (device, mut target) in part.devices {
            target.identity = target.identity.map(|path| lab.join(path));
            target.known_hosts = Some(all.clone());
            inventory.devices.insert(device, target);
        }
    }
    fs::write(all, known_hosts).unwrap();
    inventory
}
