//! What tests of compilation and of checks share: the example network, and networks written in a test.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "not every test uses every part")]

use std::{collections::BTreeMap, path::Path, sync::Arc};

use jiff::Timestamp;
use weft_compile::{Allocations, ExternalRouters, allocate, compile, external_routers};
use weft_device::config::DeviceConfig;
use weft_diagnostics::{Diagnostic, has_errors};
use weft_intent::{IntentSet, SourceFile, load, validate};
use weft_model::{Catalogue, Network, NodeName, PackDescription, Platform};

/// A network from its intents to its configurations.
pub(crate) struct Compiled {
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) intents: IntentSet,
    pub(crate) network: Network,
    pub(crate) allocations: Allocations,
    pub(crate) configs: BTreeMap<NodeName, DeviceConfig>,
    pub(crate) external: ExternalRouters,
}

impl Compiled {
    /// Returns the number of the first line of a file of the intents that holds `text`, from 1, behind the line that holds
    /// `after`.
    pub(crate) fn line(&self, file: &str, after: &str, text: &str) -> u32 {
        let lines: Vec<&str> = self.texts[file].lines().collect();
        let start =
            lines.iter().position(|line| line.contains(after)).unwrap_or_else(|| panic!("no {after} in {file}"));
        let at = lines[start..].iter().position(|line| line.contains(text));
        u32::try_from(start + at.unwrap_or_else(|| panic!("no {text} behind {after} in {file}")) + 1).unwrap()
    }

    pub(crate) fn config(&self, device: &str) -> &DeviceConfig {
        &self.configs[device]
    }
}

/// Returns the files of the example network by name.
pub(crate) fn example_texts() -> BTreeMap<String, String> {
    texts("intents")
}

/// Returns the files of the network of a lab by name.
pub(crate) fn lab_texts(lab: &str) -> BTreeMap<String, String> {
    texts(&format!("tests/labs/{lab}/intents"))
}

fn texts(folder: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yaml") && !name.ends_with(".lock.yaml"))
        .map(|name| (name.clone(), std::fs::read_to_string(folder.join(&name)).unwrap()))
        .collect()
}

/// Returns the example network, compiled from nothing allocated.
pub(crate) fn example() -> Compiled {
    compiled(example_texts(), &Allocations::default())
}

/// Returns a network of intents that have no mistakes, compiled.
pub(crate) fn compiled(texts: BTreeMap<String, String>, locked: &Allocations) -> Compiled {
    let (intents, network) = read(&texts);
    let (allocations, findings) = allocate(&intents, &network, locked);
    assert_none(&findings);
    let (configs, findings) = compile(&intents, &network, &allocations, Timestamp::UNIX_EPOCH);
    assert_none(&findings);
    let external = external_routers(&intents, &network, &allocations);
    Compiled { texts, intents, network, allocations, configs, external }
}

/// Returns the intents and the topology of texts without mistakes.
pub(crate) fn read(texts: &BTreeMap<String, String>) -> (IntentSet, Network) {
    let files: Vec<SourceFile> = texts
        .iter()
        .map(|(path, text)| SourceFile { path: Arc::from(path.as_str()), text: Arc::from(text.as_str()) })
        .collect();
    let (intents, findings) = load(&files);
    assert!(!has_errors(&findings), "{findings:#?}");
    let (network, findings) = validate(&intents, &catalogue());
    assert!(!has_errors(&findings), "{findings:#?}");
    (intents, network)
}

/// Returns the same of texts whose pools are too small.
pub(crate) fn read_with_small_pools(texts: &BTreeMap<String, String>) -> (IntentSet, Network) {
    let files: Vec<SourceFile> = texts
        .iter()
        .map(|(path, text)| SourceFile { path: Arc::from(path.as_str()), text: Arc::from(text.as_str()) })
        .collect();
    let (intents, _) = load(&files);
    let (network, _) = validate(&intents, &catalogue());
    (intents, network)
}

fn assert_none(findings: &[Diagnostic]) {
    assert!(findings.is_empty(), "{findings:#?}");
}

/// Returns packs with the platforms of the example, and a large one, `vs-256`.
pub(crate) fn catalogue() -> Catalogue {
    let features = [
        "acl",
        "bgp",
        "bgp.ipv6",
        "ospf",
        "ospf.ipv6",
        "bgp.unnumbered",
        "bfd",
        "bgp.bfd",
        "bgp.md5",
        "bgp.authentication",
        "bgp.maximum-prefixes",
        "bgp.communities",
        "bgp.graceful-shutdown",
        "bgp.ibgp",
        "bgp.route-reflector",
        "ospf.max-metric",
        "ntp",
        "dns",
        "users",
    ];
    let platforms = [(8, 7), (16, 15), (256, 249)]
        .map(|(ports, first_uplink)| (format!("vs-{ports}").parse().unwrap(), platform(ports, first_uplink)));
    let pack = PackDescription {
        features: features.map(str::to_owned).into(),
        platforms: platforms.into_iter().collect(),
        profiles: Vec::new(),
    };
    ["frr", "bird"].map(|name| (name.parse().unwrap(), pack.clone())).into()
}

fn platform(ports: usize, first_uplink: usize) -> Platform {
    let names = |from: usize| (from..=ports).map(|port| format!("swp{port}").parse().unwrap()).collect();
    Platform { ports: names(1), uplinks: names(first_uplink), ..Platform::default() }
}
