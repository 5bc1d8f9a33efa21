//! One file for each command.

mod apply;
mod check;
mod compile;
mod explain;
mod lab;
mod lsp;
mod plan;
mod report;
mod run;
mod runs;
mod secrets;
mod validate;
mod verify;

#[cfg(test)]
pub(crate) use explain::codes;

use weft_pipeline::ExitCode as Exit;

use crate::{
    args::{Arguments, Command, Format},
    failure::Failure,
    output::Output,
};

/// Carries out a command.
pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let global = &arguments.global;
    if !global.directory.is_dir() {
        return Err(Failure::of_input(anyhow::anyhow!("there is no folder {}", global.directory.display())));
    }
    let prints_reports = matches!(arguments.command, Command::Report { .. } | Command::Run { .. });
    if !prints_reports && !matches!(global.format, Format::Text | Format::Json) {
        return Err(Failure::of_usage("this command prints `--format text` or `--format json`"));
    }
    match &arguments.command {
        Command::Validate { revision } => validate::run(global, revision, output),
        Command::Compile { revision, lock, reach, out } => {
            compile::run(global, revision, lock, reach, out.as_deref(), output)
        }
        Command::Explain { target, revision, reach } => explain::run(global, target, revision, reach, output),
        Command::Check { revision, lock } => check::run(global, revision, lock, output),
        Command::Plan { revision, lock, reach, secrets, pipeline, out } => {
            let out = out.as_deref();
            plan::run(global, &plan::Arguments { revision, lock, reach, secrets, pipeline, out }, output)
        }
        Command::Apply { plan, revision, reach, secrets, pipeline } => {
            apply::run(global, plan.as_deref(), revision, (reach, secrets), pipeline, output)
        }
        Command::Verify { revision, reach, secrets, pipeline, now } => {
            verify::run(global, revision, (reach, secrets), pipeline, *now, output)
        }
        Command::Run { pipeline, revision, lock, reach, secrets } => {
            run::run(global, pipeline, revision, lock, (reach, secrets), output)
        }
        Command::Runs { run } => runs::run(global, run.as_deref(), output),
        Command::Report { run, out } => report::run(global, run, out.as_deref(), output),
        Command::Lab(lab) => lab::run(global, lab, output),
        Command::Secrets(secrets) => secrets::run(global, secrets, output),
        Command::Lsp => lsp::run(global),
    }
}

/// Runs asynchronous work to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work))
}
