//! Ten thousand devices, each written out.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod fixture;

use std::fmt::Write as _;

use weft_intent::{SourceFile, load, validate};

/// Racks of eight devices in a ring each, the racks in a ring, spread over sites.
fn network(devices: usize) -> String {
    let mut text = String::from("apiVersion: weft/v1\nkind: Topology\nmetadata:\n  name: all\nspec:\n  nodes:\n");
    for n in 0..devices {
        write!(
            text,
            "    - name: site{site:03}-device-{n:05}\n      role: {role}\n      site: site{site:03}\n      pack: frr\n      \
             platform: vs-64\n      management: 10.{a}.{b}.{c}\n      labels:\n        rack: \"r{rack:05}\"\n        \
             power: feed-{feed}\n        serial: SN{n:012}\n        owner: team-{feed}@example.net\n",
            site = n / 100,
            role = if n % 8 == 0 { "core" } else { "access" },
            a = n / 65_536,
            b = n / 256 % 256,
            c = n % 256,
            rack = n / 8,
            feed = n % 4,
        )
        .unwrap();
    }
    text.push_str("  links:\n");
    let name = |n: usize| format!("site{:03}-device-{:05}", n / 100, n);
    for n in 0..devices {
        for (port, step) in [1, 8, 80, 800].into_iter().enumerate() {
            let other = (n + step) % devices;
            let (a, b) = (name(n), name(other));
            writeln!(
                text,
                "    - {{ a: \"{a}:swp{}\", b: \"{b}:swp{}\", mtu: 9100 }} # from rack {:05} to rack {:05}, patch panel",
                2 * port + 1,
                2 * port + 2,
                n / 8,
                other / 8
            )
            .unwrap();
        }
    }
    text.push_str(
        "---\napiVersion: weft/v1\nkind: Pools\nmetadata:\n  name: all\nspec:\n  addresses:\n    \
         - { purpose: loopback, prefix: 10.64.0.0/16 }\n    - { purpose: link, prefix: 10.128.0.0/12 }\n  asns:\n    \
         - { range: 4200000000-4200099999, assign: per-node }\n\
         ---\napiVersion: weft/v1\nkind: Underlay\nmetadata:\n  name: all\nspec:\n  protocol: ebgp\n  addressing: numbered\n\
         ---\napiVersion: weft/v1\nkind: Segment\nmetadata:\n  name: hosts\nspec:\n  prefix: 172.16.0.0/12\n  subnet_length: 28\n  ports:\n    \
         - { select: { roles: [access] }, interfaces: [swp20, swp21, swp22, swp23] }\n",
    );
    text
}

#[test]
fn a_thousand_devices_have_no_findings() {
    let (set, findings) = load(&[SourceFile::new("all.yaml", network(1_000))]);
    assert!(findings.is_empty(), "{:?}", findings.first());
    let (graph, findings) = validate(&set, &fixture::catalogue());
    assert!(findings.is_empty(), "{:?}", findings.first());
    assert_eq!((graph.nodes().len(), graph.links().count()), (1_000, 4_000));
}

#[test]
#[ignore = "prints figures; run it with optimisation"]
fn ten_thousand_devices() {
    let text = network(10_000);
    let octets = text.len();
    let file = SourceFile::new("all.yaml", text);
    let start = std::time::Instant::now();
    let (documents, _) = weft_intent::document::parse(&file);
    let parsed = start.elapsed();
    drop(documents);
    let start = std::time::Instant::now();
    let (set, findings) = load(&[file]);
    let loaded = start.elapsed();
    assert!(findings.is_empty(), "{:?}", findings.first());
    let start = std::time::Instant::now();
    let (graph, findings) = validate(&set, &fixture::catalogue());
    assert!(findings.is_empty(), "{:?}", findings.first());
    let validated = start.elapsed();
    assert_eq!(graph.nodes().len(), 10_000);
    #[expect(clippy::print_stderr, reason = "the figures are what this test is for")]
    let () = eprintln!("{octets} octets: parse {parsed:?}, load {loaded:?}, validate {validated:?}");
}
