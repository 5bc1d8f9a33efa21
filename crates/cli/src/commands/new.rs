//! `weft new`: writes an intent that is whole and says what could be added.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{BufRead, IsTerminal, Write},
    path::Path,
};

use anyhow::Context;
use weft_diagnostics::SourceMap;
use weft_intent::SourceFile;
use weft_pipeline::{ExitCode as Exit, source::INTENTS};

use crate::{
    args::Global,
    failure::Failure,
    new::{Flag, Form, New, Unfilled, forms},
    output::Output,
};

pub(crate) fn run(global: &Global, new: &New, output: &Output) -> Result<Exit, Failure> {
    let form = &forms()[&new.kind];
    let mut values = new.values.clone();
    complete(form, &mut values)?;
    let text = form.fill(&values).map_err(|unfilled| match unfilled {
        Unfilled::Parts(flag) => {
            Failure::of_usage(format!("`--{}` takes {}: {}", flag.flag, flag.value_name(), flag.says()))
        }
        Unfilled::Template(error) => Failure::from(anyhow::Error::from(error).context("fill in the form")),
    })?;
    let name = values.get("name").and_then(|names| names.first()).cloned().unwrap_or_default();
    let file = match &new.out {
        Some(out) => out.clone(),
        None => format!("{INTENTS}/{}-{name}.yaml", new.kind.as_str()),
    };
    // A value that the kind does not take is told at its place in what would be written.
    let source = SourceFile::new(if file == "-" { "(new)" } else { file.as_str() }, text.as_str());
    let (_, findings) = weft_intent::load(std::slice::from_ref(&source));
    if !findings.is_empty() {
        let sources: SourceMap = [(source.path.clone(), source.text.clone())].into_iter().collect();
        output.findings(&findings, &sources);
        return Ok(Exit::Findings);
    }
    if file == "-" {
        output.result(text);
        return Ok(Exit::Success);
    }
    write(&global.directory.join(&file), &text, new.force)?;
    output.say(format!("wrote {file}; `weft validate` checks it with the others"));
    Ok(Exit::Success)
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(!force).create(true).truncate(force);
    let opened = options.open(path);
    if opened.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists) {
        return Err(Failure::of_input(anyhow::anyhow!(
            "{} is already there; `--force` writes over it",
            path.display()
        )));
    }
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    Ok(written.with_context(|| format!("write {}", path.display()))?)
}

/// Asks for the values that are missing, where there is somebody to ask.
fn complete(form: &'static Form, values: &mut BTreeMap<&'static str, Vec<String>>) -> Result<(), Failure> {
    let missing: Vec<&'static Flag> = form.flags.iter().filter(|flag| flag.is_missing(values)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        let flags: Vec<String> =
            missing.iter().map(|flag| format!("`--{} {}`", flag.flag, flag.value_name())).collect();
        return Err(Failure::of_usage(format!("missing {}", flags.join(", "))));
    }
    for flag in missing {
        let answer = ask(flag)?;
        let several = flag.is_list() && flag.parts.is_empty();
        let given = if several { answer.split(',').map(|item| item.trim().to_owned()).collect() } else { vec![answer] };
        values.insert(&flag.flag, given);
    }
    Ok(())
}

/// Asks for the value of a flag, until there is one that it takes.
fn ask(flag: &Flag) -> Result<String, Failure> {
    let choices = flag.choices();
    let mut terminal = std::io::stderr().lock();
    loop {
        let offered = if choices.is_empty() { flag.value_name() } else { choices.join(", ") };
        write!(terminal, "{} ({offered}): ", flag.says()).and_then(|()| terminal.flush())?;
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            writeln!(terminal)?;
            return Err(Failure::of_usage(format!("missing `--{}`", flag.flag)));
        }
        let answer = line.trim();
        let taken = !answer.is_empty()
            && (choices.is_empty() || choices.iter().any(|choice| choice == answer))
            && (!flag.is_number() || answer.parse::<u64>().is_ok());
        if taken {
            return Ok(answer.to_owned());
        }
    }
}
