//! `weft schema`: JSON Schemas, for editors and for programs that read reports.

use std::{fs, path::Path};

use anyhow::Context;
use serde_json::Value;
use weft_intent::schema;
use weft_model::IntentKind;
use weft_pipeline::{ExitCode as Exit, definition::PipelineDocument, report::Report};

use crate::{args::Global, failure::Failure, output::Output};

pub(crate) fn run(global: &Global, kind: &str, out: Option<&Path>, output: &Output) -> Result<Exit, Failure> {
    let Some(out) = out else {
        output.result(text(kind)?);
        return Ok(Exit::Success);
    };
    let folder = global.directory.join(out);
    fs::create_dir_all(&folder).with_context(|| format!("make the folder {}", folder.display()))?;
    let names = names();
    for name in &names {
        let path = folder.join(format!("{name}.schema.json"));
        fs::write(&path, text(name)?).with_context(|| format!("write {}", path.display()))?;
    }
    output.say(format!("wrote {} schemas to {}", names.len(), folder.display()));
    Ok(Exit::Success)
}

/// Returns the names of all schemas: the kinds of intent, and `intent` for any of them, among them.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = IntentKind::ALL.map(IntentKind::as_str).to_vec();
    names.extend(["intent", "pipeline", "policy", "report"]);
    names
}

/// Returns a schema as the file in `schemas/` has it.
fn text(name: &str) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(&of(name))? + "\n")
}

fn of(name: &str) -> Value {
    match IntentKind::ALL.into_iter().find(|kind| kind.as_str() == name) {
        Some(kind) => schema::of_kind(kind),
        None if name == "policy" => schema::of::<weft_guardrail::PolicyDocument>(),
        None if name == "pipeline" => schema::of::<PipelineDocument>(),
        None if name == "report" => schema::of::<Report>(),
        None => schema::intent(),
    }
}
