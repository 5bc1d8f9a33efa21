//! How long networks of 100 and 1,000 devices take from the text of the intents to rendered and checked configurations, stage
//! by stage and all together, with the pack `frr` of `device-templates/`.
//!
//! `cargo bench -p weft-check`
#![allow(clippy::unwrap_used, reason = "a failure ends the run")]

use std::{collections::BTreeMap, fs, path::Path};

use divan::{Bencher, black_box};
use weft_compile::{Allocations, ExternalRouters, allocate, compile, external_routers};
use weft_device::config::DeviceConfig;
use weft_diagnostics::has_errors;
use weft_intent::{IntentSet, SourceFile, load, validate};
use weft_model::{Catalogue, Network, NodeName, Platform};
use weft_pack::Pack;

/// How many devices.
const SIZES: [usize; 2] = [100, 1000];
/// How many fabrics they form; each has a tenth of the cores, and one core is linked to one spine of every fabric.
const FABRICS: usize = 10;

fn main() {
    divan::main();
}

/// Returns the text of a network: fabrics with spines and leaves, cores between them, pools, underlay, segments.
fn text(devices: usize, promises: &str) -> String {
    let per_fabric = devices / FABRICS - 1;
    let spines = if per_fabric > 20 { 4 } else { 2 };
    let leaves = per_fabric - spines;
    let mut text = String::new();
    for fabric in 1..=FABRICS {
        text += &format!(
            "apiVersion: weft/v1\nkind: Fabric\nmetadata: {{ name: f{fabric} }}\nspec:\n  site: s{fabric}\n  \
             spine: {{ count: {spines}, pack: frr, platform: vs-256 }}\n  \
             leaf: {{ count: {leaves}, pack: frr, platform: vs-256 }}\n---\n"
        );
    }
    text += "apiVersion: weft/v1\nkind: Topology\nmetadata: { name: cores }\nspec:\n  nodes:\n";
    for core in 1..=FABRICS {
        text += &format!("    - {{ name: core-{core:02}, role: core, pack: frr, platform: vs-256 }}\n");
    }
    text += "  links:\n";
    for core in 1..=FABRICS {
        for fabric in 1..=FABRICS {
            let spine = core % spines + 1;
            let port = 200 + core;
            text += &format!(
                "    - {{ a: \"core-{core:02}:swp{fabric}\", b: \"f{fabric}-spine-{spine:02}:swp{port}\" }}\n"
            );
        }
    }
    text += "---\n\
        apiVersion: weft/v1\nkind: Pools\nmetadata: { name: numbers }\nspec:\n  addresses:\n\
        \x20   - { purpose: management, prefix: 10.255.0.0/16 }\n\
        \x20   - { purpose: loopback, prefix: 10.0.0.0/16 }\n\
        \x20   - { purpose: link, prefix: 10.1.0.0/16 }\n  asns:\n\
        \x20   - { range: 4200000000-4200000999, assign: per-fabric-role, select: { roles: [spine] } }\n\
        \x20   - { range: 4200010000-4200019999, assign: per-node }\n---\n\
        apiVersion: weft/v1\nkind: Underlay\nmetadata: { name: all }\nspec: { protocol: ebgp, addressing: numbered }\n---\n\
        apiVersion: weft/v1\nkind: Segment\nmetadata: { name: hosts }\nspec:\n  prefix: 10.64.0.0/10\n  subnet_length: 24\n  \
        scope: site\n  ports: [{ select: { roles: [leaf] }, interfaces: [swp1, swp2] }]\n";
    text + promises
}

/// One promise between two fabrics that any single cut leaves standing.
const ONE: &str = "---\napiVersion: weft/v1\nkind: Reachability\nmetadata: { name: across }\nspec:\n  \
    from: node/f1-leaf-01\n  to: node/f2-leaf-01\n  survive: { links: 1 }\n";
/// The same between all ports for hosts.
const ALL: &str = "---\napiVersion: weft/v1\nkind: Reachability\nmetadata: { name: everywhere }\nspec:\n  \
    from: segment/hosts\n  to: segment/hosts\n  survive: { links: 1 }\n";

/// Returns the pack `frr` and the catalogue with it, and in it a platform with as many ports as the largest spine needs.
fn pack() -> (Pack, Catalogue) {
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
    let mut files = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../device-templates/frr"), "", &mut files);
    let (pack, findings) = Pack::load("frr".parse().unwrap(), &files);
    let pack = pack.unwrap_or_else(|| panic!("{findings:?}"));
    let ports = |from: usize| (from..=256).map(|port| format!("swp{port}").parse().unwrap()).collect();
    let mut description = pack.description();
    description
        .platforms
        .insert("vs-256".parse().unwrap(), Platform { ports: ports(1), uplinks: ports(249), ..Platform::default() });
    (pack, [("frr".parse().unwrap(), description)].into())
}

/// A network from its intents to its configurations.
struct Compiled {
    intents: IntentSet,
    network: Network,
    allocations: Allocations,
    configs: BTreeMap<NodeName, DeviceConfig>,
    external: ExternalRouters,
}

fn read(text: &str, catalogue: &Catalogue) -> (IntentSet, Network) {
    let (intents, findings) = load(&[SourceFile { path: "network.yaml".into(), text: text.into() }]);
    assert!(!has_errors(&findings), "{findings:?}");
    let (network, findings) = validate(&intents, catalogue);
    assert!(!has_errors(&findings), "{findings:?}");
    (intents, network)
}

fn compiled((intents, network): (IntentSet, Network)) -> Compiled {
    let (allocations, findings) = allocate(&intents, &network, &Allocations::default());
    assert!(!has_errors(&findings), "{findings:?}");
    let (configs, findings) = compile(&intents, &network, &allocations);
    assert!(!has_errors(&findings), "{findings:?}");
    let external = external_routers(&intents, &network, &allocations);
    Compiled { intents, network, allocations, configs, external }
}

/// Renders every device, all in parallel, and returns how many lines there are.
fn rendered(pack: &Pack, configs: &BTreeMap<NodeName, DeviceConfig>) -> usize {
    use rayon::prelude::*;
    let lines = |config: &DeviceConfig| {
        let (rendered, findings) = pack.render(config);
        let rendered = rendered.unwrap_or_else(|| panic!("{findings:?}"));
        rendered.files.values().map(|file| file.lines.len()).sum::<usize>()
    };
    configs.par_iter().map(|(_, config)| lines(config)).sum()
}

fn rules(compiled: &Compiled) {
    let findings = weft_check::check(&compiled.intents, &compiled.network, &compiled.configs);
    assert!(findings.is_empty(), "{findings:?}");
}

fn predicted(compiled: &Compiled) {
    let Compiled { intents, network, allocations, configs, external } = compiled;
    let (findings, _) = weft_check::check_predicted(intents, network, allocations, configs, external);
    assert!(findings.is_empty(), "{findings:?}");
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn a_load_and_validate(bencher: Bencher<'_, '_>, devices: usize) {
    let (text, (_, catalogue)) = (text(devices, ONE), pack());
    bencher.bench_local(|| {
        let (intents, network) = read(black_box(&text), &catalogue);
        assert_eq!(network.nodes().len(), devices);
        (intents, network)
    });
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn b_allocate_and_compile(bencher: Bencher<'_, '_>, devices: usize) {
    let (text, (_, catalogue)) = (text(devices, ONE), pack());
    bencher.with_inputs(|| read(&text, &catalogue)).bench_local_values(compiled);
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn c_render(bencher: Bencher<'_, '_>, devices: usize) {
    let (pack, catalogue) = pack();
    let compiled = compiled(read(&text(devices, ONE), &catalogue));
    bencher.bench_local(|| rendered(&pack, black_box(&compiled.configs)));
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn d_check_rules(bencher: Bencher<'_, '_>, devices: usize) {
    let compiled = compiled(read(&text(devices, ONE), &pack().1));
    bencher.bench_local(|| rules(black_box(&compiled)));
}

/// One flow that is to survive the failure of any one link.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn e_check_one_flow(bencher: Bencher<'_, '_>, devices: usize) {
    let compiled = compiled(read(&text(devices, ONE), &pack().1));
    bencher.bench_local(|| predicted(black_box(&compiled)));
}

/// All pairs of ports for hosts, each of which is to survive the failure of any one link.
#[divan::bench(args = [100], sample_count = 3, sample_size = 1)]
fn f_check_all_flows(bencher: Bencher<'_, '_>, devices: usize) {
    // Every segment is known everywhere, else some pairs are kept apart.
    let text = text(devices, ALL).replace("scope: site", "scope: network");
    let compiled = compiled(read(&text, &pack().1));
    bencher.bench_local(|| predicted(black_box(&compiled)));
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn g_all_together(bencher: Bencher<'_, '_>, devices: usize) {
    let (text, (pack, catalogue)) = (text(devices, ONE), pack());
    bencher.bench_local(|| {
        let compiled = compiled(read(black_box(&text), &catalogue));
        let lines = rendered(&pack, &compiled.configs);
        rules(&compiled);
        predicted(&compiled);
        lines
    });
}
