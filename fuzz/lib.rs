//! What the fuzz targets share: they look at findings as a person would see them.

use std::collections::BTreeMap;

use weft_diagnostics::{Diagnostic, SourceMap, render};
use weft_intent::SourceFile;
use weft_model::{Catalogue, InterfaceName, PackDescription, Platform};

/// Prints findings in every form, and checks that each has a place in the text and no character that no text has.
pub fn look(file: &SourceFile, findings: &[Diagnostic]) {
    let sources: SourceMap = [(file.path.clone(), file.text.clone())].into_iter().collect();
    render::text(findings, &sources, true);
    render::json(findings);
    let lines = file.text.lines().count();
    for finding in findings {
        let span = finding.span.as_ref().expect("a finding has a place");
        assert!(span.line as usize <= lines + 1, "{finding:?} is behind the end");
        assert!(!finding.message.contains(|c: char| c.is_control()), "{finding:?}");
    }
}

/// Returns packs that can do everything, and one that can do nothing.
pub fn catalogue() -> Catalogue {
    let features = [
        "bgp", "bgp.ipv6", "bgp.unnumbered", "bgp.md5", "bgp.ao", "bgp.maximum-prefixes", "bgp.communities",
        "bgp.graceful-shutdown", "bfd", "ospf", "ospf.ipv6", "ospf.unnumbered", "ospf.max-metric", "evpn.l2", "evpn.l3", "acl",
        "ntp", "dns", "syslog", "banner", "ssh", "snmp", "users",
    ];
    let platform = |count: u16, uplinks: u16| {
        let port = |number: u16| format!("swp{number}").parse::<InterfaceName>().expect("an interface");
        Platform {
            ports: (1..=count).map(port).collect(),
            uplinks: (count - uplinks + 1..=count).map(port).collect(),
            ..Platform::default()
        }
    };
    let platforms = || {
        [("vs-8", platform(8, 2)), ("vs-16", platform(16, 2)), ("vs-64", platform(64, 16))]
            .into_iter()
            .map(|(name, platform)| (name.parse().expect("a platform"), platform))
            .collect::<BTreeMap<_, _>>()
    };
    [("frr", &features[..]), ("bird", &features[..]), ("loom", &features[..]), ("bare", &[])]
        .into_iter()
        .map(|(name, features)| {
            let features = features.iter().map(|feature| (*feature).to_owned()).collect();
            (name.parse().expect("a pack"), PackDescription { features, platforms: platforms(), profiles: Vec::new() })
        })
        .collect()
}
