//! The schemas of pipelines and reports in `schemas/` are those that the types give.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path};

use weft_pipeline::{definition::PipelineDocument, report::Report};

#[track_caller]
fn current(name: &str, schema: serde_json::Value) {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas")).join(name);
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap_or_default(),
        text,
        "{name} is out of date; UPDATE_EXPECT=1 rewrites it"
    );
}

#[test]
fn the_schema_of_pipelines_is_current() {
    current("pipeline.schema.json", weft_intent::schema::of::<PipelineDocument>());
}

#[test]
fn the_schema_of_reports_is_current() {
    current("report.schema.json", weft_intent::schema::of::<Report>());
}
