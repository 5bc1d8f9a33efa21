//! A thousand devices, each written out. Ten thousand are in the benchmark `load`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod fixture;
#[path = "fixture/large.rs"]
mod large;

use weft_intent::{SourceFile, load, validate};

#[test]
fn a_thousand_devices_have_no_findings() {
    let (set, findings) = load(&[SourceFile::new("all.yaml", large::network(1_000))]);
    assert!(findings.is_empty(), "{:?}", findings.first());
    let (graph, findings) = validate(&set, &fixture::catalogue());
    assert!(findings.is_empty(), "{:?}", findings.first());
    assert_eq!((graph.nodes().len(), graph.links().count()), (1_000, 4_000));
}
