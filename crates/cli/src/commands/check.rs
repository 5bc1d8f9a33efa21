//! `weft check`: the compiled network against itself and against the intents.

use weft_diagnostics::render;
use weft_pipeline::stages;

use weft_pipeline::ExitCode as Exit;

use crate::{
    args::{Format, Global, Lock, Revision},
    failure::Failure,
    output::Output,
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, revision: &Revision, lock: &Lock, output: &Output) -> Result<Exit, Failure> {
    let mut workspace = Workspace::read(global, revision, output)?;
    let Some(project) = workspace.project() else { return Ok(Exit::Findings) };
    let Some(compiled) = workspace.compiled(&project, None, Some(lock))? else { return Ok(Exit::Findings) };
    workspace.add_findings(stages::check(&project, &compiled));
    let exit = workspace.end();
    if output.format == Format::Text {
        output.result(format!(
            "{} devices, {} lines: {}",
            compiled.rendered.len(),
            compiled.lines(),
            render::summary(workspace.findings())
        ));
    }
    Ok(exit)
}
