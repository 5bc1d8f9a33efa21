//! The policy and the schema that the project ships, and rules about plans.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

#[path = "../../intent/tests/fixture/mod.rs"]
mod fixture;

use std::{fs, path::Path};

use serde_json::json;
use weft_diagnostics::{Diagnostic, Severity, SourceMap, render};
use weft_guardrail::{Policies, PolicyDocument};
use weft_intent::SourceFile;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn the_schema_of_policies_is_current() {
    let path = root().join("schemas/policy.schema.json");
    let schema = weft_intent::schema::of::<PolicyDocument>();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "schemas/policy.schema.json is not current: UPDATE_EXPECT=1 rewrites it");
}

#[test]
fn the_example_network_keeps_the_rules_of_the_house() {
    let read = |folder: &str| -> Vec<SourceFile> {
        fixture::folder(&root().join(folder), folder).into_iter().map(|file| file.unwrap()).collect()
    };
    let (intents, files) = (read("intents"), read("policy"));
    let sources: SourceMap = intents.iter().chain(&files).map(|file| (file.path.clone(), file.text.clone())).collect();
    let (set, mut findings) = weft_intent::load(&intents);
    let (policies, mistakes) = weft_guardrail::load(&files);
    findings.extend(mistakes);
    assert!(policies.has_plan_rules());
    findings.extend(policies.check_intents(&set));
    assert!(findings.is_empty(), "{}", render::text(&findings, &sources, false));
}

fn of_text(rules: &str) -> (Policies, Vec<Diagnostic>) {
    let head = "apiVersion: weft/v1\nkind: Policy\nmetadata: { name: p }\nspec:\n  rules:\n";
    weft_guardrail::load(&[SourceFile::new("policy/p.yaml", format!("{head}{rules}"))])
}

#[test]
fn a_rule_about_the_plan_is_asked_of_each_wave() {
    let (policies, findings) = of_text(
        "    - name: small-waves\n      on: plan\n      each: plan.waves\n      assert: size(item.devices) <= 2\n      \
         severity: warning\n      message: '{{item.name}} has {{size(item.devices)}} devices'\n",
    );
    assert!(findings.is_empty(), "{findings:?}");
    let plan = json!({ "waves": [
        { "name": "canary", "devices": ["a"] },
        { "name": "wave 1", "devices": ["b", "c", "d"] },
    ] });
    let findings = policies.check_plan(&plan);
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((finding.severity, &*finding.message), (Severity::Warning, "wave 1 has 3 devices"));
    assert_eq!(finding.span.as_ref().unwrap().to_string(), "policy/p.yaml:9:15");
    assert!(policies.check_intents(&weft_intent::IntentSet::default()).is_empty());
}

#[test]
fn a_rule_about_the_plan_that_cannot_be_answered_is_a_finding() {
    let (policies, _) = of_text("    - { name: typo, on: plan, assert: size(plan.wavs) < 3 }\n");
    let findings = policies.check_plan(&json!({ "waves": [] }));
    assert!(findings[0].message.contains("there is no key `wavs`"), "{findings:?}");
}

#[test]
fn the_rules_of_the_page_have_no_mistakes() {
    let page = fs::read_to_string(root().join("docs/guardrails.md")).unwrap();
    let mut blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let (policies, findings) = weft_guardrail::load(&[SourceFile::new("page", blocks.next().unwrap())]);
    assert!(findings.is_empty(), "{findings:?}");
    assert!(policies.has_plan_rules());
    let rules: Vec<&str> = blocks.collect();
    assert_eq!(rules.len(), 1);
    let (policies, findings) = of_text(rules[0]);
    assert!(findings.is_empty(), "{findings:?}");
    let device = |name: &str, role: &str| json!({ "name": name, "role": role });
    let plan = |wave: &[&str]| {
        let devices = [device("s1", "spine"), device("s2", "spine"), device("l1", "leaf")];
        json!({ "devices": devices, "waves": [{ "name": "wave 1", "devices": wave }] })
    };
    assert!(policies.check_plan(&plan(&["l1", "s1"])).is_empty());
    assert_eq!(policies.check_plan(&plan(&["s1", "s2"])).len(), 1);
}
