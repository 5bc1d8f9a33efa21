//! `weft diff`: what differs between two revisions, down to the lines of devices.

use serde_json::json;
use weft_diagnostics::{Diagnostic, has_errors, render};
use weft_pipeline::{
    ExitCode as Exit,
    difference::{Difference, Side, Version},
    source::{self, Sources},
    stages,
};

use crate::{
    args::{Format, Global},
    failure::Failure,
    output::Output,
};

/// A revision as its files are, and what was found in them.
struct Read {
    side: Side,
    sources: Sources,
    findings: Vec<Diagnostic>,
}

pub(crate) fn run(
    global: &Global,
    (from, to): (&str, Option<&str>),
    traffic: bool,
    exit_code: bool,
    output: &Output,
) -> Result<Exit, Failure> {
    let (from, to) = revisions(from, to)?;
    let (from, to) = (read(global, from)?, read(global, to)?);
    // Where the files are the same, so is all that is made of them.
    let same = from.sources.same_network(&to.sources).then(|| to.side.clone());
    let old = compile(from);
    let new = if same.is_some() { None } else { Some(compile(to)) };
    let difference = match (&old, &new, same) {
        (Ok((from, old)), Some(Ok((to, new))), _) => {
            let difference = Difference::between((from.clone(), old), (to.clone(), new));
            if traffic { difference.with_traffic(old, new) } else { difference }
        }
        (Ok((from, old)), None, Some(to)) => {
            let to = Side { lock_out_of_date: from.lock_out_of_date, ..to };
            let difference = Difference::between((from.clone(), old), (to, old));
            if traffic { difference.with_traffic(old, old) } else { difference }
        }
        _ => {
            let sides = [Some(&old), new.as_ref()].into_iter().flatten();
            let invalid: Vec<&Read> = sides.filter_map(|side| side.as_ref().err().map(|read| &**read)).collect();
            tell(&invalid, output)?;
            return Ok(Exit::Findings);
        }
    };
    output.result(match output.format {
        Format::Json => serde_json::to_string_pretty(&difference)?,
        Format::Markdown => difference.markdown(),
        _ => difference.text(output.colour(), output.verbosity > 1),
    });
    Ok(if exit_code && !difference.is_empty() { Exit::Findings } else { Exit::Success })
}

/// Returns the two revisions that are meant; `None` is the working tree.
fn revisions<'a>(from: &'a str, to: Option<&'a str>) -> Result<(Option<&'a str>, Option<&'a str>), Failure> {
    let usage =
        || Failure::of_usage("write `A..B`, `A..` or `A B`, where A and B are revisions such as `main` or `HEAD~1`");
    match (from.split_once(".."), to) {
        (None, to) => Ok((Some(from), to)),
        (Some(_), Some(_)) => Err(usage()),
        // What `A...B` means in git, the changes of B since it left A, is another question.
        (Some((from, to)), None) if from.is_empty() || to.starts_with('.') => Err(usage()),
        (Some((from, to)), None) => Ok((Some(from), Some(to).filter(|to| !to.is_empty()))),
    }
}

fn read(global: &Global, revision: Option<&str>) -> Result<Read, Failure> {
    let (sources, findings) = source::read(&global.directory, revision).map_err(Failure::of_input)?;
    let side = Side { revision: revision.map(str::to_owned), commit: sources.commit.clone(), lock_out_of_date: false };
    Ok(Read { side, sources, findings })
}

/// Compiles a revision, or returns it with its mistakes.
fn compile(read: Read) -> Result<(Side, Version), Box<Read>> {
    let Read { mut side, sources, mut findings } = read;
    let (project, mistakes) = stages::validate(&sources);
    findings.extend(mistakes);
    if let Some(project) = project.filter(|_| !has_errors(&findings)) {
        let (compiled, mistakes) = stages::compile(&project, &std::collections::BTreeMap::new());
        findings.extend(mistakes);
        if let Some(compiled) = compiled.filter(|_| !has_errors(&findings)) {
            side.lock_out_of_date = compiled.allocations != project.locked;
            return Ok((side, Version { sources, project, compiled }));
        }
    }
    Err(Box::new(Read { side, sources, findings }))
}

/// Says what is wrong with the revisions that cannot be compared.
fn tell(invalid: &[&Read], output: &Output) -> Result<(), Failure> {
    if output.format == Format::Json {
        let invalid: Vec<_> = invalid
            .iter()
            .map(|Read { side, findings, .. }| {
                json!({ "revision": side.revision, "commit": side.commit, "findings": findings })
            })
            .collect();
        output.result(serde_json::to_string_pretty(&json!({ "invalid": invalid }))?);
        return Ok(());
    }
    for Read { side, sources, findings } in invalid {
        output.findings(findings, &sources.source_map());
        output.error(&format!("{side} cannot be compared: {}", render::summary(findings)));
    }
    Ok(())
}
