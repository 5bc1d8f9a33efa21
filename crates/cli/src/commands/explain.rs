//! `weft explain`: which intents cause a line, which lines an intent causes, what a code means.

use std::fmt::Write;

use weft_model::{IntentRef, Sources};
use weft_pack::{Rendered, RenderedFile};
use weft_pipeline::stages::Compiled;

use weft_pipeline::ExitCode as Exit;

use crate::{
    args::{Global, Reach, Revision},
    commands::{explain_code, explain_node},
    failure::Failure,
    output::Output,
    workspace::Workspace,
};

/// Widest column of configuration text; longer lines push their intents to the right.
const TEXT_WIDTH: usize = 48;

pub(crate) fn run(
    global: &Global,
    target: &str,
    revision: &Revision,
    reach: &Reach,
    output: &Output,
) -> Result<Exit, Failure> {
    if target.starts_with("WEFT-") {
        return explain_code::run(Some(target), output);
    }
    let mut workspace = Workspace::read(global, revision, output)?;
    let inventory = workspace.inventory(reach)?;
    let Some(project) = workspace.project() else { return Ok(Exit::Findings) };
    let Some(compiled) = workspace.compiled(&project, inventory.as_ref(), None)? else { return Ok(Exit::Findings) };
    if let Ok(intent) = target.parse::<IntentRef>() {
        let text = of_intent(&compiled, &intent);
        if text.is_empty() {
            return Err(Failure::of_input(anyhow::anyhow!("no line of any device comes from {intent}")));
        }
        output.result(text);
        return Ok(Exit::Success);
    }
    if let Some(name) = target.strip_prefix("node/") {
        let text = explain_node::of_node(&project, &compiled, name)
            .ok_or_else(|| Failure::of_input(anyhow::anyhow!("there is no node `{name}`")))?;
        output.result(text);
        return Ok(Exit::Success);
    }
    let mut parts = target.split(':');
    let device = parts.next().unwrap_or_default();
    let rendered = compiled.rendered.get(device).ok_or_else(|| {
        Failure::of_input(anyhow::anyhow!("`{device}` is neither a device nor an intent such as `segment/web`"))
    })?;
    let rest: Vec<&str> = parts.collect();
    let (file, line) = match rest.as_slice() {
        [] => (None, None),
        [line] => (None, Some(*line)),
        [file, line] => (Some(*file), Some(*line)),
        _ => return Err(Failure::of_usage("write DEVICE, DEVICE:LINE or DEVICE:FILE:LINE")),
    };
    let line = match line.map(str::parse::<usize>) {
        None => None,
        Some(Ok(line)) if line > 0 => Some(line),
        Some(_) => return Err(Failure::of_usage(format!("`{target}` has no line number behind the device"))),
    };
    output.result(of_device(rendered, file, line)?);
    Ok(Exit::Success)
}

fn of_device(rendered: &Rendered, file: Option<&str>, line: Option<usize>) -> Result<String, Failure> {
    let mut text = String::new();
    let mut found = false;
    for (name, content) in &rendered.files {
        if file.is_some_and(|file| file != name) {
            continue;
        }
        if line.is_none() {
            let _ = writeln!(text, "! {} {name}", rendered.device);
        }
        for (number, words, sources) in lines(content) {
            if line.is_none_or(|line| line == number) {
                found = true;
                let place = if line.is_some() { format!("{name}:{number} ") } else { format!("{number:>4} ") };
                let _ = writeln!(text, "{place}{words:<TEXT_WIDTH$}  {}", named(sources));
            }
        }
    }
    if found {
        return Ok(text);
    }
    Err(Failure::of_input(anyhow::anyhow!(
        "{} has no such line; its files are {}",
        rendered.device,
        rendered
            .files
            .iter()
            .map(|(name, file)| format!("{name} ({} lines)", file.lines.len()))
            .collect::<Vec<_>>()
            .join(", ")
    )))
}

fn of_intent(compiled: &Compiled, intent: &IntentRef) -> String {
    let mut text = String::new();
    for (device, rendered) in &compiled.rendered {
        for (name, content) in &rendered.files {
            for (number, words, sources) in lines(content) {
                if sources.iter().any(|source| source.intent == *intent) {
                    let place = format!("{device}:{name}:{number}");
                    let _ = writeln!(text, "{place:<34} {words}");
                }
            }
        }
    }
    text
}

fn lines(file: &RenderedFile) -> impl Iterator<Item = (usize, &str, &Sources)> {
    file.text.lines().zip(&file.lines).enumerate().map(|(index, (words, sources))| (index + 1, words, sources))
}

fn named(sources: &Sources) -> String {
    sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
