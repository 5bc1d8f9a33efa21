//! What the kept files of a run make by this Weft.

use std::{collections::BTreeMap, path::Path};

use weft_diagnostics::has_errors;
use weft_model::{NodeName, SecretDigests};
use weft_pack::Rendered;
use weft_plan::configuration_digest;
use weft_ssh::Inventory;

use super::RecoveryError;
use crate::{
    reach,
    run::RunId,
    source::Sources,
    stages::{self, Compiled, Packs, Project},
};

/// What the files of a run make.
pub(crate) struct Made {
    pub(crate) project: Project,
    pub(crate) compiled: Compiled,
    /// Where the devices are, where a file says it.
    pub(crate) inventory: Option<Inventory>,
}

/// Why they make nothing.
pub(crate) enum NotMade {
    Inventory(reach::InventoryError),
    Files,
}

impl NotMade {
    pub(crate) fn of_run(self, run: &RunId) -> RecoveryError {
        match self {
            Self::Inventory(error) => error.into(),
            Self::Files => RecoveryError::Moved {
                run: run.clone(),
                what: "the files that it kept have mistakes for this Weft".to_owned(),
            },
        }
    }
}

impl Made {
    /// Compiles the files of a run for the devices of an inventory.
    pub(crate) fn of(root: &Path, sources: &Sources, inventory: Option<&Path>) -> Result<Self, NotMade> {
        let inventory = reach::inventory(root, inventory).map_err(NotMade::Inventory)?;
        let inventory = inventory.map(|(inventory, _)| inventory);
        let (project, findings) = stages::validate(sources);
        let project = project.filter(|_| !has_errors(&findings)).ok_or(NotMade::Files)?;
        let (compiled, _) = stages::compile(&project, &reach::overrides(inventory.as_ref()));
        Ok(Self { project, compiled: compiled.ok_or(NotMade::Files)?, inventory })
    }
}

/// Puts texts in the place of those that were made. Returns a device of which another one was.
pub(crate) fn put_in(compiled: &mut Compiled, texts: BTreeMap<NodeName, Rendered>) -> Option<NodeName> {
    let mut differs = None;
    for (device, kept) in texts {
        let same = compiled.rendered.get(&device).is_some_and(|made| {
            made.pack == kept.pack
                && kept.files.iter().all(|(name, file)| made.files.get(name).is_some_and(|made| made.text == file.text))
        });
        // Those that were made know their intents.
        if !same {
            differs.get_or_insert(device.clone());
            compiled.rendered.insert(device, kept);
        }
    }
    differs
}

/// Puts texts, which were made of other files, in the place of those that were made. What cannot be said of a device by its
/// text is forgotten: nothing is expected of its sessions. Returns the devices of which that is so.
pub(crate) fn give(
    compiled: &mut Compiled,
    texts: BTreeMap<NodeName, Rendered>,
    packs: &Packs,
    secrets: &SecretDigests,
) -> Vec<NodeName> {
    let digest = |rendered: &Rendered| {
        let files = rendered.files.iter().map(|(name, file)| (name.as_str(), file.text.as_str()));
        packs.get(&rendered.pack).map(|pack| configuration_digest(pack, files, secrets))
    };
    let mut unknown = Vec::new();
    for (device, given) in texts {
        let same = compiled.rendered.get(&device).is_some_and(|made| {
            let (made, given) = (digest(made), digest(&given));
            made.is_some() && made == given
        });
        if !same {
            compiled.configs.remove(&device);
            unknown.push(device.clone());
        }
        compiled.rendered.insert(device, given);
    }
    unknown
}
