//! What every command begins with: the project's files, read, checked and compiled.

use std::sync::Arc;

use weft_diagnostics::{Diagnostic, SourceMap, has_errors, sarif};
use weft_pipeline::{
    reach::{self, InventoryOrigin, Reach},
    secrets,
    source::{self, Sources},
    stages::{self, Compiled, Project},
};
use weft_ssh::{Inventory, SecretStore};

use weft_pipeline::ExitCode as Exit;

use crate::{
    args::{Format, Global, Lock, Reach as ReachArguments, Revision, SecretPlaces},
    failure::Failure,
    output::Output,
};

/// The project's files, and what was found in them so far.
pub(crate) struct Workspace<'a> {
    pub(crate) global: &'a Global,
    pub(crate) output: &'a Output,
    pub(crate) sources: Sources,
    pub(crate) map: SourceMap,
    findings: Vec<Diagnostic>,
}

impl<'a> Workspace<'a> {
    /// Reads the files of the project.
    pub(crate) fn read(global: &'a Global, revision: &Revision, output: &'a Output) -> Result<Self, Failure> {
        let (sources, findings) =
            source::read(&global.directory, revision.commit.as_deref()).map_err(Failure::of_input)?;
        let map = sources.source_map();
        Ok(Self { global, output, sources, map, findings })
    }

    /// Checks the files. Returns `None` when there are errors; they are then printed.
    pub(crate) fn project(&mut self) -> Option<Project> {
        let (project, findings) = stages::validate(&self.sources);
        self.findings.extend(findings);
        if project.is_none() || has_errors(&self.findings) {
            self.print_findings();
            return None;
        }
        project
    }

    /// Compiles the project for the devices of `inventory`. Returns `None` when there are errors; they are then printed.
    ///
    /// The lock file of allocations is written when new ones were made and the files are those of the working tree.
    pub(crate) fn compiled(
        &mut self,
        project: &Project,
        inventory: Option<&Inventory>,
        lock: Option<&Lock>,
    ) -> Result<Option<Compiled>, Failure> {
        let (compiled, findings) = stages::compile(project, &reach::overrides(inventory));
        self.findings.extend(findings);
        let Some(compiled) = compiled else {
            self.print_findings();
            return Ok(None);
        };
        match lock {
            Some(lock) if lock.locked => self.findings.extend(stages::lock_findings(project, &compiled)),
            Some(_) if !self.sources.detached && stages::write_lock(&self.global.directory, project, &compiled)? => {
                self.output.say(format!("wrote {}: commit it with the intents", source::LOCK_FILE));
            }
            _ => {}
        }
        if has_errors(&self.findings) {
            self.print_findings();
            return Ok(None);
        }
        Ok(Some(compiled))
    }

    /// Adds findings, and tells whether there are errors.
    pub(crate) fn add_findings(&mut self, findings: Vec<Diagnostic>) -> bool {
        self.findings.extend(findings);
        has_errors(&self.findings)
    }

    /// Returns all that was found.
    pub(crate) fn findings(&self) -> &[Diagnostic] {
        &self.findings
    }

    /// Prints all that was found.
    pub(crate) fn print_findings(&self) {
        if self.output.format == Format::Sarif {
            let project = source::place_in_repository(&self.global.directory);
            let context = sarif::Context { version: env!("CARGO_PKG_VERSION"), project: &project };
            self.output.result(sarif::sarif(&self.findings, &context));
        } else {
            self.output.findings(&self.findings, &self.map);
        }
    }

    /// Prints all that was found, and tells how the command ends by it.
    pub(crate) fn end(&self) -> Exit {
        self.print_findings();
        if has_errors(&self.findings) { Exit::Findings } else { Exit::Success }
    }

    /// Returns the inventory of the file that the user named or of the lab that is up, and says which.
    pub(crate) fn inventory(&self, arguments: &ReachArguments) -> Result<Option<Inventory>, Failure> {
        let found =
            reach::inventory(&self.global.directory, arguments.inventory.as_deref()).map_err(Failure::of_input)?;
        let Some((inventory, origin)) = found else { return Ok(None) };
        self.output.say(format!("devices: {origin}"));
        Ok(Some(inventory))
    }

    /// Returns how the devices are reached: as the inventory says, else at their management addresses.
    pub(crate) fn reach(
        &self,
        project: &Project,
        compiled: &Compiled,
        inventory: Option<Inventory>,
        places: &SecretPlaces,
    ) -> Result<Reach, Failure> {
        let inventory = inventory.unwrap_or_else(|| {
            self.output.say(format!("devices: {}", InventoryOrigin::Allocations));
            reach::from_allocations(compiled, &user())
        });
        Ok(Reach::new(project, compiled, inventory, Arc::new(self.secrets(places)?)))
    }

    /// Returns where the values of secrets are looked for.
    pub(crate) fn secrets(&self, places: &SecretPlaces) -> Result<SecretStore, Failure> {
        let (folder, identity) = (places.secrets.as_deref(), places.identity.as_deref());
        secrets::store(&self.global.directory, &self.sources, folder, identity).map_err(Failure::of_input)
    }
}

/// Returns who logs in where no inventory says it.
pub(crate) fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "root".to_owned())
}
