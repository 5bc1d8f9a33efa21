//! Reachability intents on the predicted example network: all hold, and a broken one is told with its path and failure.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../compile/tests/example/mod.rs"]
mod example;

use std::collections::BTreeMap;

use example::{Compiled, compiled, example, example_texts};
use weft_check::{Violation, check_predicted, codes};
use weft_compile::Allocations;
use weft_diagnostics::Diagnostic;

fn predicted(network: &Compiled) -> (Vec<Diagnostic>, Vec<Violation>) {
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
    let (findings, violations) = predicted(&example());
    assert!(findings.is_empty() && violations.is_empty(), "{findings:#?}");
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
        let (findings, violations) = predicted(&network);
        let [finding] = &findings[..] else { panic!("{spec}: {findings:#?}") };
        assert_eq!(finding.code, code, "{spec}: {finding:#?}");
        assert!(finding.message.contains(words), "{spec}: {}", finding.message);
        assert_eq!(finding.span.as_ref().map(|span| (&*span.file, span.line)), Some(("asked.yaml", 5)));
        assert!(violations.iter().all(|violation| violation.code == code && violation.failure.is_none()));
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
    let (findings, violations) = predicted(&compiled(texts, &Allocations::default()));
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!(finding.code, codes::DOES_NOT_SURVIVE);
    assert!(finding.message.contains("while b1-leaf-01:swp15 -- b1-spine-01:swp1 is down"), "{}", finding.message);
    assert!(violations.iter().all(|violation| violation.failure.is_some()));
}
