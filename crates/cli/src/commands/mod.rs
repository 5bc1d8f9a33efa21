//! One file for each command.

mod apply;
mod approve;
mod catalogue;
mod check;
mod compile;
mod diff;
mod explain;
mod explain_code;
mod explain_node;
mod failures;
mod lab;
mod lsp;
mod new;
mod plan;
mod recover;
mod report;
mod rollback;
mod run;
mod runs;
pub(crate) mod schema;
mod secrets;
mod trace;
mod validate;
mod verify;
mod watch;
mod what_if;

#[cfg(test)]
pub(crate) use explain_code::{code_of, codes, findings};

use weft_pipeline::{ExitCode as Exit, run::Recovery};

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
    let formats = formats(&arguments.command);
    if !formats.contains(&global.format) {
        let names: Vec<String> = formats.iter().map(|format| format!("`{}`", format.as_str())).collect();
        let (last, others) = names.split_last().ok_or_else(|| anyhow::anyhow!("a command without a format"))?;
        return Err(Failure::of_usage(format!("this command prints `--format` {} or {last}", others.join(", "))));
    }
    match &arguments.command {
        Command::New(new) => new::run(global, new, output),
        Command::Catalogue { kind } => catalogue::run(kind.as_deref(), output),
        Command::Schema { kind, out } => schema::run(global, kind, out.as_deref(), output),
        Command::Validate { watch: true, .. } => watch::run(global, output),
        Command::Validate { revision, watch: false } => validate::run(global, revision, output),
        Command::Compile { revision, lock, reach, out } => {
            compile::run(global, revision, lock, reach, out.as_deref(), output)
        }
        Command::Explain { target, revision, reach } => explain::run(global, target, revision, reach, output),
        Command::ExplainCode { code } => explain_code::run(code.as_deref(), output),
        Command::Diff { from, to, traffic, exit_code } => {
            diff::run(global, (from, to.as_deref()), *traffic, *exit_code, output)
        }
        Command::Trace { from, to, proto, port, failures, revision } => {
            let packet = trace::Kind { proto: proto.as_deref(), port: *port };
            trace::run(global, (from, to), packet, failures, revision, output)
        }
        Command::WhatIf { failures, revision } => what_if::run(global, failures, revision, output),
        Command::Check { revision, lock } => check::run(global, revision, lock, output),
        Command::Plan { revision, lock, reach, secrets, pipeline, base, out } => {
            let (base, out) = (base.as_deref(), out.as_deref());
            plan::run(global, &plan::Arguments { revision, lock, reach, secrets, pipeline, base, out }, output)
        }
        Command::Approve { run, key } => approve::run(global, run, key.as_deref(), output),
        Command::Apply { plan, revision, reach, secrets, pipeline } => {
            apply::run(global, plan.as_deref(), revision, (reach, secrets), pipeline, output)
        }
        Command::Verify { revision, reach, secrets, pipeline, now } => {
            verify::run(global, revision, (reach, secrets), pipeline, *now, output)
        }
        Command::Run { pipeline, revision, lock, reach, secrets } => {
            run::run(global, pipeline, revision, lock, (reach, secrets), output)
        }
        Command::Resume { run, reach, secrets } => {
            recover::run(global, run, Recovery::Resume, (reach, secrets), output)
        }
        Command::Abort { run, reach, secrets } => recover::run(global, run, Recovery::Abort, (reach, secrets), output),
        Command::Rollback { run, plan, reach, secrets, pipeline } => {
            rollback::run(global, run, *plan, (reach, secrets), pipeline.as_deref(), output)
        }
        Command::Runs { run } => runs::run(global, run.as_deref(), output),
        Command::Report { run, out } => report::run(global, run, out.as_deref(), output),
        Command::Lab(lab) => lab::run(global, lab, output),
        Command::Secrets(secrets) => secrets::run(global, secrets, output),
        Command::Lsp => lsp::run(global),
    }
}

/// Returns the formats that a command can print.
fn formats(command: &Command) -> &'static [Format] {
    match command {
        Command::Report { .. } | Command::Run { .. } | Command::Resume { .. } | Command::Abort { .. } => {
            &[Format::Text, Format::Json, Format::Junit, Format::Markdown, Format::Html]
        }
        Command::Validate { .. } | Command::Compile { .. } | Command::Check { .. } => {
            &[Format::Text, Format::Json, Format::Sarif]
        }
        Command::Diff { .. } => &[Format::Text, Format::Json, Format::Markdown],
        _ => &[Format::Text, Format::Json],
    }
}

/// Runs asynchronous work to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work))
}
