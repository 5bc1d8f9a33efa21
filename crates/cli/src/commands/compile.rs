//! `weft compile`: the rendered configuration of every device.

use std::{fs, path::Path};

use anyhow::Context;
use serde_json::json;
use weft_pipeline::stages::Compiled;

use weft_pipeline::ExitCode as Exit;

use crate::{
    args::{Format, Global, Lock, Reach, Revision},
    failure::Failure,
    output::Output,
    workspace::Workspace,
};

pub(crate) fn run(
    global: &Global,
    revision: &Revision,
    lock: &Lock,
    reach: &Reach,
    out: Option<&Path>,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut workspace = Workspace::read(global, revision, output)?;
    let inventory = workspace.inventory(reach)?;
    let Some(project) = workspace.project() else { return Ok(Exit::Findings) };
    let Some(compiled) = workspace.compiled(&project, inventory.as_ref(), Some(lock))? else {
        return Ok(Exit::Findings);
    };
    if output.format != Format::Json {
        workspace.print_findings();
    }
    if let Some(out) = out {
        write(&compiled, &global.directory.join(out))?;
    }
    match output.format {
        Format::Json => {
            let devices: serde_json::Map<String, serde_json::Value> = compiled
                .rendered
                .iter()
                .map(|(device, rendered)| {
                    let files: serde_json::Map<String, serde_json::Value> =
                        rendered.files.iter().map(|(name, file)| (name.clone(), json!(file.text))).collect();
                    (device.to_string(), json!({ "pack": rendered.pack, "files": files }))
                })
                .collect();
            output.result(serde_json::to_string_pretty(&devices)?);
        }
        Format::Sarif => {}
        _ => output.result(format!("{} devices, {} lines", compiled.rendered.len(), compiled.lines())),
    }
    Ok(Exit::Success)
}

fn write(compiled: &Compiled, out: &Path) -> Result<(), Failure> {
    for (device, rendered) in &compiled.rendered {
        let folder = out.join(device.as_str());
        fs::create_dir_all(&folder).with_context(|| format!("make the folder {}", folder.display()))?;
        for (name, file) in &rendered.files {
            let path = folder.join(name);
            fs::write(&path, &file.text).with_context(|| format!("write {}", path.display()))?;
        }
    }
    Ok(())
}
