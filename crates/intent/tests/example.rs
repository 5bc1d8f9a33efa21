//! The example network of the project is without findings.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod fixture;

use std::path::Path;

use weft_diagnostics::{SourceMap, render};
use weft_intent::{load, validate};

#[test]
fn the_example_network_has_no_findings() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../intents");
    let files: Vec<_> = fixture::folder(&path, "intents").into_iter().map(|file| file.unwrap()).collect();
    let sources: SourceMap = files.iter().map(|file| (file.path.clone(), file.text.clone())).collect();
    let (set, mut findings) = load(&files);
    // The example gives accounts to its BIRD routers, too.
    let mut catalogue = fixture::catalogue();
    for pack in catalogue.values_mut() {
        pack.features.extend(["users".to_owned(), "bgp.unnumbered".to_owned()]);
    }
    let (network, semantic) = validate(&set, &catalogue);
    findings.extend(semantic);
    assert!(findings.is_empty(), "{}", render::text(&findings, &sources, false));
    assert_eq!(network.nodes().len(), 20);
    assert_eq!(network.links().count(), 2 * 2 * 6 + 12);
    let spine = network.link_at(&point("b1-spine-01", "swp16")).unwrap();
    assert_eq!(spine.to_string(), "b1-border-01:swp15 -- b1-spine-01:swp16");
}

fn point(node: &str, interface: &str) -> weft_model::TerminationPoint {
    weft_model::TerminationPoint { node: node.parse().unwrap(), interface: interface.parse().unwrap() }
}
