//! What a push keeps in the folder of its run, for a later process.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};
use weft_model::NodeName;
use weft_pack::{Rendered, RenderedFile};
use weft_plan::{DeviceChange, Plan};

use crate::{
    definition::Pipeline,
    run::{RunDirectory, StoreError},
    runner::RunOptions,
    source::Sources,
    stages::Running,
};

/// The artifact.
const ARTIFACT: &str = "handover.json";

/// What another process needs beside the artifacts that every run has.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Handover {
    /// The pipeline as it is carried out.
    pub(crate) pipeline: Pipeline,
    /// The inventory that the user named.
    pub(crate) inventory: Option<PathBuf>,
    /// Who logs in where no inventory says it.
    pub(crate) user: String,
    /// Whether the texts are those that ran at some time, and not what the files of the run make.
    #[serde(default)]
    pub(crate) given: bool,
    /// The packs, without their cases.
    pub(crate) packs: BTreeMap<String, BTreeMap<String, String>>,
}

impl Handover {
    pub(crate) fn of(directory: &RunDirectory) -> Result<Option<Self>, StoreError> {
        directory.read_json(ARTIFACT)
    }
}

/// Keeps what is needed to carry on or to go back, and makes it and all other artifacts last. After this devices may be changed.
pub(crate) fn hand_over(
    directory: &RunDirectory,
    pipeline: &Pipeline,
    sources: &Sources,
    options: &RunOptions,
    given: bool,
) -> Result<(), StoreError> {
    let is_needed = |path: &&String| !path.starts_with("cases/");
    let files = |files: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        let paths = files.keys().filter(is_needed);
        paths.filter_map(|path| Some((path.clone(), files.get(path)?.clone()))).collect()
    };
    let handover = Handover {
        pipeline: pipeline.clone(),
        // Another process may be started elsewhere.
        inventory: options.inventory.as_ref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        user: options.user.clone(),
        given,
        packs: sources.packs.iter().map(|(pack, all)| (pack.clone(), files(all))).collect(),
    };
    directory.write_json(ARTIFACT, &handover)?;
    directory.sync()
}

/// Keeps the running texts of the devices that are to change. Where secrets are, the placeholders of their digests stand.
pub(crate) fn keep_running(directory: &RunDirectory, plan: &Plan, running: &Running) -> Result<(), StoreError> {
    for (device, planned) in &plan.devices {
        let (DeviceChange::Replace { .. }, Some(Ok(texts))) = (&planned.change, running.get(device)) else { continue };
        for (file, text) in texts {
            directory.write(&format!("before/{device}/{file}"), text.as_bytes())?;
        }
    }
    Ok(())
}

/// Returns texts of the devices that a plan changes, as the run kept them below `folder`; a device that has none is left out.
pub(crate) fn texts(
    directory: &RunDirectory,
    folder: &str,
    plan: &Plan,
    devices: &BTreeSet<NodeName>,
) -> Result<BTreeMap<NodeName, Rendered>, StoreError> {
    let mut all = BTreeMap::new();
    for (device, planned) in plan.devices.iter().filter(|(device, _)| devices.contains(*device)) {
        let mut files = BTreeMap::new();
        for file in directory.names(&format!("{folder}/{device}"))? {
            let text = directory.read(&format!("{folder}/{device}/{file}"))?.unwrap_or_default();
            files.insert(file, RenderedFile { text, lines: Vec::new() });
        }
        if !files.is_empty() {
            all.insert(device.clone(), Rendered { device: device.clone(), pack: planned.pack.clone(), files });
        }
    }
    Ok(all)
}

/// Returns the devices that a plan changes.
pub(crate) fn changing(plan: &Plan) -> BTreeSet<NodeName> {
    plan.waves.iter().flat_map(|wave| wave.devices.iter().cloned()).collect()
}
