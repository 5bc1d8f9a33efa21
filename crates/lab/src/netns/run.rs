//! Running the programs that build a lab.

use std::{
    ffi::OsStr,
    io::Write as _,
    process::{Command, Output, Stdio},
};

use super::LabError;

/// Where the programs are, whatever the caller's own path leaves out.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns a command with the environment that all programs of a lab get.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", PATH).env("HOME", "/root").env("LC_ALL", "C.UTF-8").current_dir("/");
    command
}

/// Runs a command with `input`, and returns its output when it succeeds.
pub(super) fn run(what: &str, command: &mut Command, input: &str) -> Result<Output, LabError> {
    let output = output(command, input)?;
    if output.status.success() {
        return Ok(output);
    }
    let text = [output.stderr.as_slice(), output.stdout.as_slice()].concat();
    Err(LabError::Command {
        what: what.to_owned(),
        command: line(command),
        status: output.status,
        output: String::from_utf8_lossy(&text).trim().to_owned(),
    })
}

/// Runs a command with `input`, and returns its output however it ends.
pub(super) fn output(command: &mut Command, input: &str) -> Result<Output, LabError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |source| LabError::Start { program: program.clone(), source };
    let mut child = command
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading has said why in its output.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output().map_err(failed)
}

/// Runs lines of `ip` in one process, in a network namespace or the caller's own.
pub(super) fn ip_batch(
    what: &str,
    namespace: Option<&str>,
    options: &[&str],
    lines: &[String],
) -> Result<(), LabError> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut ip = command("ip");
    if let Some(namespace) = namespace {
        ip.args(["-netns", namespace]);
    }
    ip.args(options).args(["-batch", "-"]);
    run(what, &mut ip, &(lines.join("\n") + "\n")).map(drop)
}

fn line(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
