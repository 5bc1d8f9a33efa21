//! `weft validate`: every mistake of the intents.

use weft_diagnostics::render;

use weft_pipeline::{ExitCode as Exit, definition};

use crate::{
    args::{Format, Global, Revision},
    failure::Failure,
    output::Output,
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, revision: &Revision, output: &Output) -> Result<Exit, Failure> {
    let mut workspace = Workspace::read(global, revision, output)?;
    let Some(project) = workspace.project() else {
        output.say(render::summary(workspace.findings()));
        return Ok(Exit::Findings);
    };
    let pipelines = workspace.sources.pipelines.iter().flat_map(|file| definition::load(file).1).collect();
    workspace.add_findings(pipelines);
    let exit = workspace.end();
    if output.format == Format::Text {
        output.result(format!(
            "{} devices and {} links: {}",
            project.network.nodes().len(),
            project.network.links().count(),
            render::summary(workspace.findings())
        ));
    }
    Ok(exit)
}
