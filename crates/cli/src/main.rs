//! The `weft` command: arguments, printing, exit codes.

mod args;
mod commands;

mod failure;
mod new;
mod output;
mod progress;
#[cfg(test)]
mod reference;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use weft_pipeline::ExitCode as Exit;

use crate::{args::Arguments, output::Output};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are asked for, and no mistake.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            let _ = error.print();
            return exit.into();
        }
    };
    let output = Output::new(&arguments.global);
    let exit = match commands::run(&arguments, &output) {
        Ok(exit) => exit,
        Err(failure) => {
            output.error(&failure.to_string());
            failure.exit()
        }
    };
    exit.into()
}
