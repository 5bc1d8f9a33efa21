//! `weft plan`: what would change on the devices, and in which order.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
};

use anyhow::Context;
use weft_diagnostics::{Severity, has_errors};
use weft_model::SecretRef;
use weft_pipeline::{
    ExitCode as Exit,
    definition::Stage,
    radius, recovery,
    report::own_words,
    secrets,
    stages::{self, Planned},
    traffic,
};
use weft_plan::{DeviceChange, Plan, WavePolicy};

use crate::{
    args::{Format, Global, Lock, Reach, Revision, SecretPlaces},
    commands::{block_on, run::pipeline},
    failure::Failure,
    output::Output,
    workspace::Workspace,
};

/// What a plan is made with.
pub(crate) struct Arguments<'a> {
    pub(crate) revision: &'a Revision,
    pub(crate) lock: &'a Lock,
    pub(crate) reach: &'a Reach,
    pub(crate) secrets: &'a SecretPlaces,
    pub(crate) pipeline: &'a Path,
    pub(crate) base: Option<&'a str>,
    pub(crate) out: Option<&'a Path>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments<'_>, output: &Output) -> Result<Exit, Failure> {
    let mut workspace = Workspace::read(global, arguments.revision, output)?;
    let Some(pipeline) = pipeline(&mut workspace, arguments.pipeline) else { return Ok(Exit::Findings) };
    let inventory = workspace.inventory(arguments.reach)?;
    let Some(project) = workspace.project() else { return Ok(Exit::Findings) };
    let Some(compiled) = workspace.compiled(&project, inventory.as_ref(), Some(arguments.lock))? else {
        return Ok(Exit::Findings);
    };
    if workspace.add_findings(stages::check(&project, &compiled)) {
        workspace.print_findings();
        return Ok(Exit::Findings);
    }
    let reach = workspace.reach(&project, &compiled, inventory, arguments.secrets)?;
    // Told before any device is asked for anything.
    if !reach.missing.is_empty() && output.format == Format::Text {
        workspace.add_findings(secrets::findings(&project.intents, &reach.missing, Severity::Warning));
        workspace.print_findings();
    }
    let parameters = pipeline.stages.iter().find_map(|stage| match stage {
        Stage::Plan(plan) => Some(plan.clone()),
        _ => None,
    });
    let mut parameters = parameters.unwrap_or_default();
    parameters.base = arguments.base.map(str::to_owned).or(parameters.base);
    let running = block_on(stages::read_running(&reach, &compiled, parameters.concurrency.into(), |_| {}))?;
    let waves = pipeline.push().waves;
    let waves = WavePolicy { canary: waves.canary.into(), size: waves.size.into() };
    let mut plan = stages::plan(&project, &compiled, &reach, &running, &waves, workspace.sources.exact_commit());
    let forecast = stages::forecast(&Planned {
        root: &global.directory,
        sources: &workspace.sources,
        project: &project,
        compiled: &compiled,
        reach: &reach,
        running: &running,
        plan: &plan,
        parameters: &parameters,
    });
    (plan.traffic, plan.radius) = (forecast.traffic, forecast.radius);
    stages::note_approvals(&mut plan, &pipeline.push());
    let json = plan.to_json()?;
    if let Some(out) = arguments.out {
        fs::write(out, &json).with_context(|| format!("write the plan {}", out.display()))?;
    }
    match output.format {
        Format::Json => output.result(json),
        _ => output.result(text(&plan, output)),
    }
    let mut broken = stages::guard_findings(&project, &plan);
    broken.extend(recovery::cut_off_findings(&global.directory, &plan)?);
    broken.extend(forecast.findings);
    broken.extend(stages::absence_findings(&project, &plan));
    broken.extend(stages::lockout_findings(&plan, &compiled, &reach));
    output.complain(&broken, &workspace.map);
    let failed = plan.unreachable().next().is_some() || has_errors(&broken);
    Ok(if failed { Exit::Findings } else { Exit::Success })
}

/// Returns the diffs device by device, then what will happen in a few lines.
pub(crate) fn text(plan: &Plan, output: &Output) -> String {
    let mut text = String::new();
    for (device, planned) in &plan.devices {
        let DeviceChange::Replace { files, .. } = &planned.change else { continue };
        for (file, change) in files {
            let _ = writeln!(text, "{}", paint(output, anstyle::Style::new().bold(), &format!("{device} {file}")));
            for line in change.diff.lines() {
                let style = match line.as_bytes().first() {
                    Some(b'+') => anstyle::AnsiColor::Green.on_default(),
                    Some(b'-') => anstyle::AnsiColor::Red.on_default(),
                    Some(b'@') => anstyle::AnsiColor::Cyan.on_default(),
                    _ => anstyle::Style::new(),
                };
                let _ = writeln!(text, "{}", paint(output, style, line));
            }
        }
    }
    for (secret, devices) in changed_secrets(plan) {
        let _ = writeln!(text, "the secret {secret} differs on {}", devices.join(", "));
    }
    for (device, reason) in plan.unreachable() {
        let reason = own_words(device.as_str(), reason);
        let _ = writeln!(text, "{device} cannot be read: {reason}");
    }
    if !text.is_empty() {
        text.push('\n');
    }
    if let Some(touched) = &plan.radius {
        text.push_str(&radius::text(touched, output.colour()));
        text.push('\n');
    }
    if let Some(traffic) = &plan.traffic {
        text.push_str(&traffic::text(traffic, output.colour()));
        text.push('\n');
    }
    text + &plan.summary()
}

/// Returns the secrets of which devices have another value than the intended one, and those devices.
fn changed_secrets(plan: &Plan) -> BTreeMap<&SecretRef, Vec<&str>> {
    let mut changed: BTreeMap<&SecretRef, Vec<&str>> = BTreeMap::new();
    for (device, planned) in &plan.devices {
        let DeviceChange::Replace { files, .. } = &planned.change else { continue };
        let secrets: BTreeSet<&SecretRef> = files.values().flat_map(|file| &file.secrets).collect();
        for secret in secrets {
            changed.entry(secret).or_default().push(device.as_str());
        }
    }
    changed
}

fn paint(output: &Output, style: anstyle::Style, words: &str) -> String {
    if output.colour() { format!("{style}{words}{style:#}") } else { words.to_owned() }
}
