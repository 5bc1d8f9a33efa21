//! `weft apply`: changes the devices as planned.

use std::{fs, path::Path};

use anyhow::Context;
use weft_pipeline::{ExitCode as Exit, definition::Stage};
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
    let plan = plan.map(read).transpose()?;
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

fn read(file: &Path) -> Result<Plan, Failure> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("read the plan {}", file.display()))
        .map_err(Failure::of_input)?;
    Plan::from_json(&text).with_context(|| format!("{} is not a plan", file.display())).map_err(Failure::of_input)
}
