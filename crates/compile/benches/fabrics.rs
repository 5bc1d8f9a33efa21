//! How long networks of 100 and 1,000 devices take from text to checked configurations.

use std::collections::BTreeMap;

use divan::{Bencher, black_box};
use weft_compile::{Allocations, allocate, compile, external_routers};
use weft_device::config::DeviceConfig;
use weft_diagnostics::has_errors;
use weft_intent::{IntentSet, SourceFile, load, validate};
use weft_model::{Catalogue, Network, NodeName};

#[path = "../tests/example/mod.rs"]
mod example;

/// How many devices.
const SIZES: [usize; 2] = [100, 1000];
/// How many fabrics they form; each has a tenth of the cores, and one core is linked to one spine of every fabric.
const FABRICS: usize = 10;

fn main() {
    divan::main();
}

/// Returns the text of a network: fabrics with spines and leaves, cores between them, pools, underlay, segments.
fn text(devices: usize) -> String {
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
        scope: site\n  ports: [{ select: { roles: [leaf] }, interfaces: [swp1, swp2] }]\n---\n\
        apiVersion: weft/v1\nkind: Reachability\nmetadata: { name: across }\nspec:\n  from: node/f1-leaf-01\n  \
        to: node/f2-leaf-01\n  survive: { links: 1 }\n";
    text
}

fn read(text: &str, catalogue: &Catalogue) -> (IntentSet, Network) {
    let (intents, findings) = load(&[SourceFile { path: "network.yaml".into(), text: text.into() }]);
    assert!(!has_errors(&findings), "{findings:?}");
    let (network, findings) = validate(&intents, catalogue);
    assert!(!has_errors(&findings), "{findings:?}");
    (intents, network)
}

fn allocated(intents: &IntentSet, network: &Network) -> Allocations {
    let (allocations, findings) = allocate(intents, network, &Allocations::default());
    assert!(!has_errors(&findings), "{findings:?}");
    allocations
}

fn compiled(intents: &IntentSet, network: &Network, allocations: &Allocations) -> BTreeMap<NodeName, DeviceConfig> {
    let (configs, findings) = compile(intents, network, allocations);
    assert!(!has_errors(&findings), "{findings:?}");
    configs
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn load_and_validate(bencher: Bencher<'_, '_>, devices: usize) {
    let (text, catalogue) = (text(devices), example::catalogue());
    bencher.bench_local(|| {
        let (intents, network) = read(black_box(&text), &catalogue);
        assert_eq!(network.nodes().len(), devices);
        (intents, network)
    });
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn allocate_all(bencher: Bencher<'_, '_>, devices: usize) {
    let (intents, network) = read(&text(devices), &example::catalogue());
    bencher.bench_local(|| allocated(black_box(&intents), &network));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn compile_all(bencher: Bencher<'_, '_>, devices: usize) {
    let (intents, network) = read(&text(devices), &example::catalogue());
    let allocations = allocated(&intents, &network);
    bencher.bench_local(|| compiled(black_box(&intents), &network, &allocations));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn check_rules(bencher: Bencher<'_, '_>, devices: usize) {
    let (intents, network) = read(&text(devices), &example::catalogue());
    let configs = compiled(&intents, &network, &allocated(&intents, &network));
    bencher.bench_local(|| {
        let findings = weft_check::check(black_box(&intents), &network, &configs);
        assert!(findings.is_empty(), "{findings:?}");
    });
}

/// With a promise that is to survive the failure of any one link.
#[divan::bench(args = [100], sample_count = 10)]
fn check_prediction(bencher: Bencher<'_, '_>, devices: usize) {
    let (intents, network) = read(&text(devices), &example::catalogue());
    let allocations = allocated(&intents, &network);
    let configs = compiled(&intents, &network, &allocations);
    let external = external_routers(&intents, &network, &allocations);
    bencher.bench_local(|| {
        let (findings, _) =
            weft_check::check_predicted(black_box(&intents), &network, &allocations, &configs, &external);
        assert!(findings.is_empty(), "{findings:?}");
    });
}
