//! Loads a pack: reads its manifest, compiles its templates and patterns, and finds what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{Environment, value::Value};
use regex::Regex;
use weft_diagnostics::{Diagnostic, SourceSpan, has_errors};
use weft_intent::{SourceFile, document};
use weft_model::{PackDescription, PackName, PlatformName};

use crate::{
    Manifest, codes, command, environment, lint,
    manifest::{Arm, Command, Step, Transport},
    normalise::Normaliser,
    ports, render,
};

/// A loaded pack. It is loaded once and used for all devices; loading compiles its templates.
#[derive(Debug)]
pub struct Pack {
    name: PackName,
    manifest: Manifest,
    description: PackDescription,
    normalisers: BTreeMap<String, Normaliser>,
    pub(crate) configuration: Environment<'static>,
    pub(crate) parsers: Environment<'static>,
    pub(crate) command: Environment<'static>,
    pub(crate) input: Environment<'static>,
    /// The texts of the folder `files`, by their path below it.
    pub(crate) files: Value,
}

impl Pack {
    /// Loads the pack `name` from the texts of its files, by their path in the pack's folder, such as `templates/bgp.j2`.
    ///
    /// The result is `None` when a finding is an error. Findings point to `device-templates/NAME/PATH`.
    pub fn load(name: PackName, files: &BTreeMap<String, String>) -> (Option<Self>, Vec<Diagnostic>) {
        let mut loader = Loader { name: &name, files, diagnostics: Vec::new() };
        let Some(manifest) = loader.manifest() else { return (None, loader.diagnostics) };
        let description = loader.description(&manifest);
        let normalisers = loader.normalisers(&manifest);
        loader.patterns(&manifest);

        let mut configuration = environment::configuration();
        let used: BTreeSet<&str> = manifest.files.iter().flat_map(|f| &f.templates).map(String::as_str).collect();
        loader.templates(&mut configuration, "templates", &used, render::VARIABLES);
        let mut parsers = environment::parser();
        let used: BTreeSet<&str> = manifest.collectors.values().map(|c| c.parser.as_str()).collect();
        loader.templates(&mut parsers, "parsers", &used, &["outputs"]);
        let (command, input) = (environment::command(), environment::input());
        loader.commands(&manifest, &command, &input);
        loader.unknown_files();

        let carried =
            files.iter().filter_map(|(path, text)| Some((path.strip_prefix("files/")?.to_owned(), text.clone())));
        let carried = Value::from_pairs(carried);
        let mut diagnostics = loader.diagnostics;
        diagnostics.sort();
        let pack =
            Self { name, manifest, description, normalisers, configuration, parsers, command, input, files: carried };
        ((!has_errors(&diagnostics)).then_some(pack), diagnostics)
    }

    /// Returns the name of the pack.
    pub fn name(&self) -> &PackName {
        &self.name
    }

    /// Returns the manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns what the OS can do, such as `bgp.unnumbered`.
    pub fn features(&self) -> &BTreeSet<String> {
        &self.manifest.features
    }

    /// Returns the features and platforms, as far as intents need to know them.
    pub fn description(&self) -> PackDescription {
        self.description.clone()
    }

    /// Returns `text` of the file `file` without what makes no difference, for comparison with another text of it. A file
    /// that the manifest does not name is returned as it is.
    pub fn normalise(&self, file: &str, text: &str) -> String {
        self.normalisers.get(file).map_or_else(|| text.to_owned(), |normaliser| normaliser.apply(text))
    }

    /// Returns the path by which findings name a file of the pack.
    pub(crate) fn path(&self, path: &str) -> String {
        path_of(&self.name, path)
    }
}

fn path_of(name: &PackName, path: &str) -> String {
    format!("device-templates/{name}/{path}")
}

struct Loader<'a> {
    name: &'a PackName,
    files: &'a BTreeMap<String, String>,
    diagnostics: Vec<Diagnostic>,
}

impl Loader<'_> {
    fn manifest(&mut self) -> Option<Manifest> {
        let place = SourceSpan::point(path_of(self.name, "manifest.yaml"), 1, 1);
        let Some(text) = self.files.get("manifest.yaml") else {
            let finding =
                Diagnostic::error(codes::INVALID_MANIFEST, format!("pack `{}` has no `manifest.yaml`", self.name));
            self.diagnostics.push(finding.at(place));
            return None;
        };
        let (documents, mut findings) = document::parse(&SourceFile::new(place.file.clone(), text.as_str()));
        let manifest = match documents.as_slice() {
            [(document, value)] => {
                let (manifest, mistakes) = document::typed(document, value);
                findings.extend(mistakes);
                manifest
            }
            _ => {
                if findings.is_empty() {
                    let finding = Diagnostic::error(codes::INVALID_MANIFEST, "a manifest is one YAML document");
                    findings.push(finding.at(place));
                }
                None
            }
        };
        let manifest = if has_errors(&findings) { None } else { manifest };
        self.diagnostics.extend(findings);
        manifest
    }

    /// Adds a finding in the manifest, at the first line that holds `text`.
    fn in_manifest(&mut self, finding: Diagnostic, text: &str) {
        let first = text.lines().next().unwrap_or_default();
        let lines = self.files.get("manifest.yaml").map(String::as_str).unwrap_or_default().lines();
        let line =
            lines.zip(1..).find(|(line, _)| !first.is_empty() && line.contains(first)).map_or(1, |(_, line)| line);
        self.diagnostics.push(finding.at(SourceSpan::point(path_of(self.name, "manifest.yaml"), line, 1)));
    }

    fn description(&mut self, manifest: &Manifest) -> PackDescription {
        let mut description = PackDescription { features: manifest.features.clone(), platforms: BTreeMap::new() };
        for (name, platform) in &manifest.platforms {
            let loaded = name
                .parse::<PlatformName>()
                .map_err(|error| error.to_string())
                .and_then(|name| Ok((name, ports::platform(platform)?)));
            match loaded {
                Ok((name, platform)) => {
                    description.platforms.insert(name, platform);
                }
                Err(reason) => {
                    let finding = Diagnostic::error(codes::INVALID_PORTS, format!("platform `{name}`: {reason}"));
                    self.in_manifest(finding, &format!("{name}:"));
                }
            }
        }
        description
    }

    fn pattern(&mut self, pattern: &str) -> Option<Regex> {
        match Regex::new(pattern) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let finding = Diagnostic::error(codes::INVALID_PATTERN, format!("`{pattern}`: {reason}"));
                self.in_manifest(finding, pattern);
                None
            }
        }
    }

    fn normalisers(&mut self, manifest: &Manifest) -> BTreeMap<String, Normaliser> {
        let mut normalisers = BTreeMap::new();
        for file in &manifest.files {
            let ignore = file.normalise.ignore.iter().filter_map(|pattern| self.pattern(pattern)).collect();
            normalisers.insert(file.name.clone(), Normaliser { ignore, unordered: file.normalise.unordered });
        }
        normalisers
    }

    fn patterns(&mut self, manifest: &Manifest) {
        if let Transport::Shell(shell) = &manifest.transport {
            for pattern in shell.errors.iter().chain([&shell.prompt]) {
                self.pattern(pattern);
            }
        }
        for pattern in steps(manifest).into_iter().flat_map(|step| &step.commands).flat_map(|command| &command.errors) {
            self.pattern(pattern);
        }
        if let Some(result) = self.pattern(&manifest.probes.ping_result) {
            for group in ["sent", "received"] {
                if !result.capture_names().flatten().any(|name| name == group) {
                    let message = format!("`ping_result` has no group `{group}`");
                    let finding = Diagnostic::error(codes::INVALID_PATTERN, message)
                        .help(format!("name the part that counts: (?P<{group}>\\d+)"));
                    self.in_manifest(finding, "ping_result");
                }
            }
        }
    }

    /// Compiles and checks the templates of `folder`; `used` are those that the manifest names.
    fn templates(
        &mut self,
        environment: &mut Environment<'static>,
        folder: &str,
        used: &BTreeSet<&str>,
        variables: &[&str],
    ) {
        for missing in used.iter().filter(|name| !self.files.contains_key(&format!("{folder}/{name}"))) {
            let message = format!("the pack has no file `{folder}/{missing}`");
            self.in_manifest(Diagnostic::error(codes::MISSING_FILE, message), missing);
        }
        for (path, text) in self.files {
            let Some(name) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) else { continue };
            let file = path_of(self.name, path);
            if let Err(error) = environment.add_template_owned(name.to_owned(), text.clone()) {
                let line = error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(1);
                let finding = Diagnostic::error(codes::INVALID_TEMPLATE, environment::reason(&error));
                self.diagnostics.push(finding.at(SourceSpan::point(file, line, 1)));
                continue;
            }
            for flaw in lint::flaws(environment, name, text, variables) {
                let finding = Diagnostic::error(codes::INVALID_TEMPLATE, flaw.message);
                self.diagnostics.push(finding.at(SourceSpan::point(file.clone(), flaw.line, 1)));
            }
            let included = || self.files.values().any(|other| other.contains(&format!("\"{name}\"")));
            if !used.contains(name) && !included() {
                let finding = Diagnostic::warning(codes::UNKNOWN_FILE, format!("nothing uses `{path}`"));
                self.diagnostics.push(finding.at(SourceSpan::point(file, 1, 1)));
            }
        }
    }

    fn commands(&mut self, manifest: &Manifest, command: &Environment<'_>, input: &Environment<'_>) {
        let all: Vec<&Command> = steps(manifest).into_iter().flat_map(|step| &step.commands).collect();
        for one in all {
            let parts = [(command, Some(&one.run)), (input, one.input.as_ref())];
            for (environment, text) in parts.into_iter().filter_map(|(e, text)| Some((e, text?))) {
                let mut environment = environment.clone();
                let flaw = match environment.add_template_owned("command", text.clone()) {
                    Err(error) => Some(environment::reason(&error)),
                    Ok(()) => lint::flaws(&environment, "command", text, command::VARIABLES)
                        .into_iter()
                        .next()
                        .map(|flaw| flaw.message),
                };
                if let Some(message) = flaw {
                    self.in_manifest(Diagnostic::error(codes::INVALID_TEMPLATE, message), text);
                }
            }
        }
    }

    fn unknown_files(&mut self) {
        let known = |path: &str| {
            matches!(path, "manifest.yaml" | "README.md")
                || ["templates/", "parsers/", "files/", "cases/"].iter().any(|folder| path.starts_with(folder))
        };
        for path in self.files.keys().filter(|path| !known(path)) {
            let finding = Diagnostic::warning(codes::UNKNOWN_FILE, format!("a pack has no use for `{path}`"))
                .help("what the device needs belongs into `files`, examples into `cases`");
            self.diagnostics.push(finding.at(SourceSpan::point(path_of(self.name, path), 1, 1)));
        }
    }
}

/// Returns every step of a manifest.
fn steps(manifest: &Manifest) -> Vec<&Step> {
    let t = &manifest.transaction;
    let arm = match &t.arm {
        Arm::Step(step) => Some(step),
        Arm::Apply { .. } => None,
    };
    let optional = [&t.prepare, &t.backup, &t.check, &t.health].into_iter().filter_map(Option::as_ref).chain(arm);
    let always = [&t.lock, &t.upload, &t.apply, &t.confirm, &t.rollback, &t.unlock, &t.running, &t.status];
    let collectors = manifest.collectors.values().map(|collector| &collector.step);
    optional.chain(always).chain(collectors).chain([&manifest.probes.ping]).collect()
}
