//! Validate: texts to packs, intents, topology and the allocations that are locked.

use std::{collections::BTreeMap, sync::Arc};

use weft_compile::Allocations;
use weft_diagnostics::{Diagnostic, SourceSpan, has_errors};
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
    pub packs: BTreeMap<PackName, Arc<Pack>>,
    /// The intents.
    pub intents: IntentSet,
    /// The topology.
    pub network: Network,
    /// The allocations of the lock file.
    pub locked: Allocations,
}

/// Reads the packs, the intents and the lock file, and checks what they say. Returns `None` when a finding is an error.
pub fn validate(sources: &Sources) -> (Option<Project>, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let mut packs = BTreeMap::new();
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
    let catalogue: Catalogue = packs.iter().map(|(name, pack)| (name.clone(), pack.description())).collect();
    let (mut intents, mistakes) = weft_intent::load(&sources.intents);
    intents.rejected.unreadable |= sources.unreadable;
    findings.extend(mistakes);
    // With a pack missing because of its own mistakes, each intent that names it would be called wrong too.
    let network = if findings
        .iter()
        .any(|finding| is_about_packs(finding) && finding.severity == weft_diagnostics::Severity::Error)
    {
        Network::default()
    } else {
        let (network, mistakes) = weft_intent::validate(&intents, &catalogue);
        findings.extend(mistakes);
        network
    };
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
    let project = (!has_errors(&findings)).then_some(Project { packs, intents, network, locked });
    (project, findings)
}

fn is_about_packs(finding: &Diagnostic) -> bool {
    finding.span.as_ref().is_some_and(|span| span.file.starts_with(PACKS))
}
