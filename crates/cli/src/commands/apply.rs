//! `weft apply`: changes the devices as planned.

use std::{fs, path::Path};

use anyhow::Context;
use weft_pipeline::{ExitCode as Exit, definition::Stage, run::RunStore};
use weft_plan::Plan;

use crate::{
    args::{Global, Reach, Revision, SecretPlaces},
    commands::run::{Run, execute},
    failure::Failure,
    output::Output,
};

pub(crate) fn run(
    global: &Global,
    plan: Option<&Path>,
    revision: &Revision,
    (reach, secrets): (&Reach, &SecretPlaces),
    pipeline: &Path,
    output: &Output,
) -> Result<Exit, Failure> {
    let plan = plan.map(|plan| read(global, plan)).transpose()?;
    // A plan belongs to a commit; without one it was made for the working tree.
    let of_plan = plan.as_ref().and_then(|plan| plan.commit.clone());
    let revision = Revision { commit: revision.commit.clone().or(of_plan) };
    let run = Run { pipeline, revision: &revision, reach, secrets, locked: false, plan };
    execute(global, &run, output, |mut pipeline| {
        pipeline.name = "apply".to_owned();
        pipeline.stages.retain(|stage| !matches!(stage, Stage::Verify(_) | Stage::Report(_)));
        pipeline
    })
}

/// Reads a plan: a file, or what the run of this name made.
fn read(global: &Global, file: &Path) -> Result<Plan, Failure> {
    let of_run =
        if file.exists() { None } else { RunStore::of_project(&global.directory).load(&file.to_string_lossy()).ok() };
    let text = match of_run {
        Some((run, _)) => run.read("plan.json")?.with_context(|| format!("run {} made no plan", file.display())),
        None => fs::read_to_string(file).with_context(|| format!("read the plan {}", file.display())),
    };
    let text = text.map_err(Failure::of_input)?;
    Plan::from_json(&text).with_context(|| format!("{} is not a plan", file.display())).map_err(Failure::of_input)
}
