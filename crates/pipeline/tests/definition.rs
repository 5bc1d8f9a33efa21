//! Pipeline definitions: those of the project load, and broken ones are told where they are broken.

use std::{fs, path::Path};

use weft_diagnostics::Diagnostic;
use weft_intent::SourceFile;
use weft_pipeline::{definition, run::StageName};

fn load(text: &str) -> (Option<definition::Pipeline>, Vec<Diagnostic>) {
    definition::load(&SourceFile::new("pipeline/p.yaml", text))
}

fn with_stages(stages: &str) -> String {
    format!("apiVersion: weft/v1\nkind: Pipeline\nmetadata: {{ name: p }}\nspec:\n  stages:\n{stages}")
}

#[test]
fn the_projects_own_pipelines_load() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipeline"));
    let files: Vec<SourceFile> = ["check", "default"]
        .map(|name| {
            let text = fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
            SourceFile::new(format!("pipeline/{name}.yaml"), text)
        })
        .into();
    for wanted in ["default", "pipeline/default.yaml", "./pipeline/default.yaml"] {
        let (pipeline, findings) = definition::find(&files, wanted);
        assert!(findings.is_empty(), "{findings:?}");
        let names: Vec<StageName> = pipeline.unwrap().stages.iter().map(definition::Stage::name).collect();
        assert_eq!(names, StageName::ALL);
    }
    let (pipeline, _) = definition::find(&files, "check");
    assert_eq!(pipeline.unwrap().stages.len(), 4);
    assert_eq!(definition::find(&files, "nightly").1[0].code.id(), "WEFT-900");
}

#[test]
fn a_stage_without_parameters_has_its_defaults() {
    let (pipeline, findings) =
        load(&with_stages("    - validate:\n    - compile: {}\n    - check: {}\n    - plan: {}\n    - push: {}\n"));
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(pipeline.unwrap().push(), definition::PushStage::default());
}

/// Returns stages up to a push with these parameters, which stand in line 10.
fn with_push(parameters: &str) -> String {
    format!(
        "    - validate: {{}}\n    - compile: {{}}\n    - check: {{}}\n    - plan: {{}}\n    - push: {parameters}\n"
    )
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (stages, expected) in [
        ("    - validate: {}\n    - push: {}\n", vec![("WEFT-903", 7, 7)]),
        ("    - validate: {}\n    - validate: {}\n", vec![("WEFT-902", 7, 7)]),
        ("    - validate: {}\n    - report: {}\n    - compile: {}\n", vec![("WEFT-903", 8, 7)]),
        ("    - validate: {}\n      compile: {}\n", vec![("WEFT-901", 6, 7)]),
        ("    - {}\n", vec![("WEFT-901", 6, 7)]),
        ("    - report: { path: ../out }\n", vec![("WEFT-905", 6, 23)]),
        (&*with_push("{ waves: { soak_seconds: 30 } }"), vec![("WEFT-207", 10, 38)]),
        (&*with_push("{ waves: { soak_seconds: 29 }, approval: {} }"), vec![]),
        (&*with_push("{ approval: { when: { intents: [segment, web] } } }"), vec![("WEFT-217", 10, 54)]),
        (&*with_push("{ approval: { allowed_signers: ../mine } }"), vec![("WEFT-217", 10, 44)]),
        ("    - report: { path: /etc }\n", vec![("WEFT-905", 6, 23)]),
    ] {
        let (pipeline, findings) = load(&with_stages(stages));
        assert_eq!(pipeline.is_none(), !expected.is_empty());
        let found: Vec<_> = findings
            .iter()
            .map(|finding| {
                (finding.code.id(), finding.span.as_ref().unwrap().line, finding.span.as_ref().unwrap().column)
            })
            .collect();
        assert_eq!(found, expected, "{stages}");
    }
}

#[test]
fn unknown_keys_and_values_out_of_range_are_findings_at_their_place() {
    for (stages, line, column, word) in [
        ("    - vaildate: {}\n", 6, 7, "validate"),
        ("    - push: { waves: { cannary: 1 } }\n", 6, 24, "canary"),
        ("    - push: { confirm_seconds: 1 }\n", 6, 32, "5"),
        ("    - push: { atomicity: fleet }\n", 6, 26, "fleet"),
        ("    - report: { formats: [pdf] }\n", 6, 27, "pdf"),
    ] {
        let (pipeline, findings) = load(&with_stages(stages));
        assert!(pipeline.is_none(), "{stages}");
        let [finding] = findings.as_slice() else { panic!("{stages}: {findings:?}") };
        let span = finding.span.as_ref().unwrap();
        assert_eq!((span.line, span.column), (line, column), "{stages}: {finding:?}");
        let text = format!("{} {}", finding.message, finding.help.as_deref().unwrap_or_default());
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn a_file_with_two_documents_is_no_pipeline() {
    let one = with_stages("    - validate: {}\n");
    assert_eq!(load(&format!("{one}---\n{one}")).1[0].code.id(), "WEFT-904");
    assert_eq!(load("").1[0].code.id(), "WEFT-904");
}
