//! `weft secrets`: which secrets the intents refer to, and puts one into an encrypted file.

use std::{
    fs,
    io::{IsTerminal, Read, Write},
};

use anyhow::{Context, anyhow};
use serde::Serialize;
use weft_model::{SecretPlace, SecretRef};
use weft_pipeline::{ExitCode as Exit, source};
use weft_ssh::{EncryptedFile, SecretValue, Secrets as _};
use zeroize::Zeroizing;

use crate::{
    args::{Format, Global, Revision, SecretPlaces, Secrets},
    failure::Failure,
    output::Output,
    workspace::Workspace,
};

/// Octets of a value: a key is far smaller.
const MOST_OCTETS: u64 = 64 << 10;

pub(crate) fn run(global: &Global, secrets: &Secrets, output: &Output) -> Result<Exit, Failure> {
    match secrets {
        Secrets::List { revision, places } => list(global, revision, places, output),
        Secrets::Set { reference, places } => set(global, reference, places, output),
    }
}

/// A secret as it is listed.
#[derive(Serialize)]
struct Listed {
    reference: SecretRef,
    /// `FILE:LINE` of each reference.
    places: Vec<String>,
    /// Why it has no value here; `None` when it has one.
    missing: Option<String>,
}

fn list(global: &Global, revision: &Revision, places: &SecretPlaces, output: &Output) -> Result<Exit, Failure> {
    let mut workspace = Workspace::read(global, revision, output)?;
    let Some(project) = workspace.project() else { return Ok(Exit::Findings) };
    let store = workspace.secrets(places)?;
    let listed: Vec<Listed> = project
        .intents
        .secrets
        .iter()
        .map(|(reference, spans)| Listed {
            reference: reference.clone(),
            places: spans.iter().map(|span| format!("{}:{}", span.file, span.line)).collect(),
            missing: store.resolve(reference).err().map(|error| error.to_string()),
        })
        .collect();
    match output.format {
        Format::Json => output.result(serde_json::to_string_pretty(&listed)?),
        _ if listed.is_empty() => output.say("the intents refer to no secret"),
        _ => {
            let width = listed.iter().map(|secret| secret.reference.as_str().len()).max().unwrap_or_default();
            let lines = listed.iter().map(|secret| {
                let state = if secret.missing.is_some() { "missing" } else { "found" };
                let mut line = format!("{:<width$}  {state:<7}  {}\n", secret.reference, secret.places.join(", "));
                if let Some(reason) = &secret.missing {
                    line.push_str(&format!("    {reason}\n"));
                }
                line
            });
            output.result(lines.collect::<String>());
        }
    }
    Ok(if listed.iter().any(|secret| secret.missing.is_some()) { Exit::Findings } else { Exit::Success })
}

fn set(global: &Global, reference: &str, places: &SecretPlaces, output: &Output) -> Result<Exit, Failure> {
    // What was given is not repeated: it may be the secret itself.
    let reference: SecretRef = reference.parse().map_err(|error| Failure::of_usage(format!("{error}")))?;
    let SecretPlace::Age { file, key } = reference.place() else {
        return Err(Failure::of_usage("only `age/FILE#KEY` can be set: set the others where they are"));
    };
    let value = read_value(&reference)?;
    let recipients = global.directory.join(source::RECIPIENTS);
    let recipients_text = fs::read_to_string(&recipients)
        .with_context(|| format!("read {}: it names who can decrypt, `age1...`, one a line", recipients.display()))
        .map_err(Failure::of_input)?;
    let path = global.directory.join(source::SECRETS).join(file);
    let mut content = match fs::read(&path) {
        Ok(octets) => EncryptedFile::decrypt(&octets, places.identity.as_deref())
            .map_err(|reason| Failure::of_input(anyhow!("{}: {reason}", path.display())))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => EncryptedFile::default(),
        Err(error) => {
            return Err(Failure::of_input(anyhow::Error::new(error).context(format!("read {}", path.display()))));
        }
    };
    content.set(key, value);
    let octets = content
        .encrypt(&recipients_text)
        .with_context(|| recipients.display().to_string())
        .map_err(Failure::of_input)?;
    let folder = path.parent().unwrap_or(&global.directory);
    fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    // The old file stays whole until the new one is.
    let mut new =
        tempfile::NamedTempFile::new_in(folder).with_context(|| format!("write into {}", folder.display()))?;
    new.write_all(&octets).with_context(|| format!("write {}", path.display()))?;
    new.persist(&path).with_context(|| format!("write {}", path.display()))?;
    output.say(format!("{reference} is set: commit {}", path.display()));
    Ok(Exit::Success)
}

/// Reads the value, without the line break at its end.
fn read_value(reference: &SecretRef) -> Result<Zeroizing<String>, Failure> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return Err(Failure::of_usage("give the value on standard input, where nobody sees it: `... < FILE`"));
    }
    let mut value = Zeroizing::new(String::with_capacity(4096));
    input.lock().take(MOST_OCTETS).read_to_string(&mut value).context("read the value").map_err(Failure::of_input)?;
    if value.ends_with('\n') {
        value.pop();
    }
    SecretValue::usable(reference, value.clone()).map_err(Failure::of_input)?;
    Ok(value)
}
