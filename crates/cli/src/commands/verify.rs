//! `weft verify`: observes the network and compares it with the intents.

use std::path::Path;

use weft_pipeline::{
    ExitCode as Exit,
    definition::{CompileStage, Stage, ValidateStage, VerifyStage},
};

use crate::{
    args::{Global, Reach, Revision, SecretPlaces},
    commands::run::{Run, execute},
    failure::Failure,
    output::Output,
};

pub(crate) fn run(
    global: &Global,
    revision: &Revision,
    (reach, secrets): (&Reach, &SecretPlaces),
    pipeline: &Path,
    now: bool,
    output: &Output,
) -> Result<Exit, Failure> {
    let run = Run { pipeline, revision, reach, secrets, locked: false, plan: None };
    execute(global, &run, output, |mut pipeline| {
        let verify = pipeline.stages.iter().find_map(|stage| match stage {
            Stage::Verify(verify) => Some(verify.clone()),
            _ => None,
        });
        let mut verify: VerifyStage = verify.unwrap_or_default();
        if now {
            verify.converge_seconds = 0;
        }
        pipeline.name = "verify".to_owned();
        pipeline.stages = vec![
            Stage::Validate(ValidateStage::default()),
            Stage::Compile(CompileStage::default()),
            Stage::Verify(verify),
        ];
        pipeline
    })
}
