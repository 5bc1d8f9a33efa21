//! Reachability intents on the predicted example network: all hold, and a broken one is told with its path and failure.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../compile/tests/example/mod.rs"]
mod example;

use std::collections::BTreeMap;

use example::{Compiled, compiled, example, example_texts};
use weft_check::{Broken, Element, check_predicted, codes};
use weft_compile::Allocations;
use weft_device::config::{AclAction, AclEntry, AclSet, InterfaceKind, IpProtocol};
use weft_diagnostics::Diagnostic;
use weft_model::{Provenance, Source};

fn predicted(network: &Compiled) -> (Vec<Diagnostic>, Broken) {
    let Compiled { intents, network, allocations, configs, external, .. } = network;
    check_predicted(intents, network, allocations, configs, external)
}

/// Returns the example with another promise in place of its own.
fn with_intent(spec: &str) -> BTreeMap<String, String> {
    let mut texts = example_texts();
    texts.remove("reachability.yaml");
    let intent = format!("apiVersion: weft/v1\nkind: Reachability\nmetadata:\n  name: asked\nspec: {spec}\n");
    texts.insert("asked.yaml".to_owned(), intent);
    texts
}

#[test]
fn every_promise_of_the_example_holds_also_while_any_link_is_down() {
    let (findings, broken) = predicted(&example());
    assert!(findings.is_empty() && broken == Broken::default(), "{findings:#?}");
}

#[test]
fn a_broken_promise_is_told_with_its_path_at_its_line() {
    for (spec, code, words) in [
        (
            "{ from: segment/web, to: segment/db, expect: isolated }",
            codes::NOT_ISOLATED,
            "arrive: b1-leaf-01:swp15 -> ",
        ),
        ("{ from: segment/web, to: segment/db, min_paths: 3 }", codes::TOO_FEW_PATHS, "has 2 ways to 10.20."),
        (
            "{ from: peering/transit-a, to: segment/db }",
            codes::NOT_REACHABLE,
            "do not all arrive: transit-a: discarded by a route of transit-a",
        ),
        ("{ from: segment/storage, to: 198.51.100.1 }", codes::NOT_REACHABLE, "are not all answered"),
    ] {
        let network = compiled(with_intent(spec), &Allocations::default());
        let (findings, broken) = predicted(&network);
        let [finding] = &findings[..] else { panic!("{spec}: {findings:#?}") };
        assert_eq!(finding.code, code, "{spec}: {finding:#?}");
        assert!(finding.message.contains(words), "{spec}: {}", finding.message);
        assert_eq!(finding.span.as_ref().map(|span| (&*span.file, span.line)), Some(("asked.yaml", 5)));
        assert!(broken.flows.iter().all(|violation| violation.code == code && violation.failure.is_none()));
        // The path is told hop by hop, with the route that decides.
        let path: Vec<String> = finding.path.iter().map(ToString::to_string).collect();
        assert!(path[0].starts_with(first), "{spec}: {path:?}");
    }
}

#[test]
fn a_promise_that_a_failure_breaks_names_the_failure() {
    let mut texts = with_intent("{ from: segment/web, to: segment/db, survive: { links: 1 } }");
    // Building 1 is left with one spine: its leaves have one way out.
    for name in ["fabrics.yaml", "interconnect.yaml"] {
        let text = texts.get_mut(name).unwrap();
        *text = text.replacen("spine: { count: 2,", "spine: { count: 1,", 1);
        *text = text.lines().filter(|line| !line.contains("b1-spine-02")).map(|line| format!("{line}\n")).collect();
    }
    let (findings, broken) = predicted(&compiled(texts, &Allocations::default()));
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!(finding.code, codes::DOES_NOT_SURVIVE);
    assert!(finding.message.contains("while b1-leaf-01:swp15 -- b1-spine-01:swp1 is down"), "{}", finding.message);
    assert!(broken.flows.iter().all(|violation| violation.failure.is_some()));
}

/// Lets only TCP for port 5432 pass to hosts, and drops that of port 5433 by a rule of its own, which stands in the third line of a
/// file.
fn protect(network: &mut Compiled) {
    let source = Source { intent: "segment/db".parse().unwrap(), file: "access.yaml".into(), line: 3 };
    let entry = |sequence, name: &str, action, port: &str| AclEntry {
        sequence,
        name: name.parse().unwrap(),
        action,
        sources: Vec::new(),
        destinations: Vec::new(),
        protocol: Some(IpProtocol::Tcp),
        destination_ports: vec![port.parse().unwrap()],
        log: false,
        provenance: Provenance::from(source.clone()),
    };
    let entries = vec![entry(10, "old", AclAction::Drop, "5433"), entry(20, "data", AclAction::Accept, "5432")];
    let set = AclSet { entries, default_action: AclAction::Drop, provenance: Provenance::default() };
    for config in network.configs.values_mut() {
        config.acl_sets.insert("list".parse().unwrap(), set.clone());
        for interface in config.interfaces.values_mut().filter(|i| i.kind == InterfaceKind::Host) {
            interface.egress_acl = Some("list".parse().unwrap());
        }
    }
}

#[test]
fn a_promise_is_asked_past_access_lists() {
    for (promise, broken) in [
        ("protocol: tcp, ports: [5432], survive: { links: 1 }", None),
        ("protocol: udp, expect: isolated, survive: { links: 1 }", None),
        ("protocol: tcp, ports: [1-5431], expect: isolated", None),
        (
            "protocol: tcp, ports: [5432-5433]",
            Some((codes::NOT_REACHABLE, "TCP packets for port 5433", "by the rule `old` of the access list `list`")),
        ),
        (
            "protocol: icmp",
            Some((codes::NOT_REACHABLE, "ICMP packets from", "no rule of the access list `list` lets it")),
        ),
        ("min_paths: 1", Some((codes::NOT_REACHABLE, "packets from", "no rule of the access list `list` lets it"))),
        ("expect: isolated", Some((codes::NOT_ISOLATED, "TCP packets for port 5432", "delivered at"))),
    ] {
        let spec = format!("{{ from: segment/web, to: segment/db, {promise} }}");
        let mut network = compiled(with_intent(&spec), &Allocations::default());
        protect(&mut network);
        let (findings, _) = predicted(&network);
        let Some((code, begin, end)) = broken else {
            assert!(findings.is_empty(), "{promise}: {findings:#?}");
            continue;
        };
        let [finding] = &findings[..] else { panic!("{promise}: {findings:#?}") };
        assert_eq!(finding.code, code, "{promise}");
        assert!(finding.message.starts_with(begin) && finding.message.contains(end), "{}", finding.message);
        let rules: Vec<u32> = finding.labels.iter().map(|label| label.span.line).collect();
        assert_eq!(rules, if end.contains("`old`") { vec![3] } else { Vec::new() }, "{promise}");
    }
}
