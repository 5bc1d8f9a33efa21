//! The networks of `tests/faults`, into which faults are put, have no findings as they are.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod fixture;

use std::path::Path;

use weft_diagnostics::{SourceMap, render};
use weft_intent::{load, validate};

#[test]
fn the_evpn_fabric_has_no_findings() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/faults/evpn/intents");
    let files: Vec<_> = fixture::folder(&path, "intents").into_iter().map(|file| file.unwrap()).collect();
    let sources: SourceMap = files.iter().map(|file| (file.path.clone(), file.text.clone())).collect();
    let (set, mut findings) = load(&files);
    let (network, semantic) = validate(&set, &fixture::catalogue());
    findings.extend(semantic);
    assert!(findings.is_empty(), "{}", render::text(&findings, &sources, false));
    assert_eq!(network.nodes().len(), 20);
    assert_eq!(network.links().count(), 4 * 16);
    assert_eq!(set.tenants.len(), 2);
}
