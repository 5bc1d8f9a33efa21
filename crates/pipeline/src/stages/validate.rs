//! Validate: texts to packs, intents, topology and the allocations that are locked.

use std::{collections::BTreeMap, sync::Arc};

use weft_compile::Allocations;
use weft_diagnostics::{Diagnostic, SourceSpan, has_errors};
use weft_guardrail::Policies;
use weft_intent::IntentSet;
use weft_model::{Catalogue, Network, PackName};
use weft_pack::Pack;

use crate::{
    codes,
    source::{LOCK_FILE, PACKS, Sources},
};

/// A project as its files say it.
#[derive(Debug, Clone)]
pub struct Project {
    /// The packs by name.
    pub packs: Packs,
    /// The intents.
    pub intents: IntentSet,
    /// The topology.
    pub network: Network,
    /// The allocations of the lock file.
    pub locked: Allocations,
    /// The rules of the organisation.
    pub policies: Policies,
}

/// The packs that could be read, by name.
pub type Packs = BTreeMap<PackName, Arc<Pack>>;

/// What the files say, also where they have mistakes.
#[derive(Debug, Clone, Default)]
pub struct Examined {
    /// The intents without mistakes in their text.
    pub intents: IntentSet,
    /// All of the topology that could be made; nothing when a pack has mistakes.
    pub network: Network,
    /// The allocations of the lock file.
    pub locked: Allocations,
    /// The rules of the organisation.
    pub policies: Policies,
}

/// Reads the packs, the intents, the policies and the lock file, and checks what they say. Returns `None` when a finding is
/// an error.
pub fn validate(sources: &Sources) -> (Option<Project>, Vec<Diagnostic>) {
    let (packs, mut findings) = packs(sources);
    let (examined, mistakes) = examine(sources, &packs, has_errors(&findings));
    findings.extend(mistakes);
    findings.sort();
    findings.dedup();
    let Examined { intents, network, locked, policies } = examined;
    let project = (!has_errors(&findings)).then_some(Project { packs, intents, network, locked, policies });
    (project, findings)
}

/// Reads the packs.
pub fn packs(sources: &Sources) -> (Packs, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let mut packs = Packs::new();
    for (folder, files) in &sources.packs {
        let name: PackName = match folder.parse() {
            Ok(name) => name,
            Err(error) => {
                let span = SourceSpan::point(format!("{PACKS}/{folder}"), 1, 1);
                findings.push(Diagnostic::error(codes::PACK_NAME, format!("{error}")).at(span));
                continue;
            }
        };
        let (pack, mistakes) = Pack::load(name.clone(), files);
        findings.extend(mistakes);
        if let Some(pack) = pack {
            packs.insert(name, Arc::new(pack));
        }
    }
    (packs, findings)
}

/// Reads the intents, the policies and the lock file, and checks what they say. With `packs_lack`, a pack is missing because
/// of its own mistakes: no topology is made, since each intent that names the pack would be called wrong too.
pub fn examine(sources: &Sources, packs: &Packs, packs_lack: bool) -> (Examined, Vec<Diagnostic>) {
    let (mut intents, mut findings) = weft_intent::load(&sources.intents);
    intents.rejected.unreadable |= sources.unreadable;
    let mut network = Network::default();
    if !packs_lack {
        let catalogue: Catalogue = packs.iter().map(|(name, pack)| (name.clone(), pack.description())).collect();
        let (built, mistakes) = weft_intent::validate(&intents, &catalogue);
        findings.extend(mistakes);
        network = built;
    }
    let (policies, mistakes) = weft_guardrail::load(&sources.policies);
    findings.extend(mistakes);
    findings.extend(policies.check_intents(&intents));
    let locked = match sources.lock.as_ref().map(|file| Allocations::from_yaml(&file.text)) {
        Some(Ok(allocations)) => allocations,
        Some(Err(error)) => {
            findings.push(error.diagnostic(LOCK_FILE));
            Allocations::default()
        }
        None => Allocations::default(),
    };
    findings.sort();
    findings.dedup();
    (Examined { intents, network, locked, policies }, findings)
}
