//! Loads a pack: reads its manifest, compiles its templates and patterns, and finds what is wrong with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use minijinja::{Environment, value::Value};
use regex::Regex;
use weft_diagnostics::{Diagnostic, SourceSpan, has_errors};
use weft_intent::{
    Document, SourceFile,
    document::{self, Reader},
};
use weft_model::{BehaviorProfile, PackDescription, PackName, PlatformName, SecretDigest};

use crate::{
    Manifest, codes, command, environment, lint,
    manifest::{Arm, Command, ProfileManifest, Step, Transport},
    normalise::Normaliser,
    ports, render,
};

/// The schema of a manifest. Compiling it costs more than reading a pack.
static MANIFEST: LazyLock<Reader<Manifest>> = LazyLock::new(Reader::default);

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
        let mut loader = Loader { name: &name, files, document: None, diagnostics: Vec::new() };
        let Some(manifest) = loader.manifest() else { return (None, loader.diagnostics) };
        let description = loader.description(&manifest);
        let normalisers = loader.normalisers(&manifest);
        loader.patterns(&manifest);

        let mut configuration = environment::configuration();
        let mut used = Vec::new();
        for (f, file) in manifest.files.iter().enumerate() {
            for (t, template) in file.templates.iter().enumerate() {
                used.push((template.as_str(), format!("/files/{f}/templates/{t}")));
            }
        }
        loader.templates(&mut configuration, "templates", &used, render::VARIABLES);
        let mut parsers = environment::parser();
        let used: Vec<(&str, String)> = manifest
            .collectors
            .iter()
            .map(|(name, collector)| (collector.parser.as_str(), format!("/collectors/{}/parser", name.as_str())))
            .collect();
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

    /// Returns how the OS behaves where nobody says its version.
    pub fn default_profile(&self) -> BehaviorProfile {
        self.description.profiles.first().cloned().unwrap_or_default()
    }

    /// Returns `text` of the file `file` without what makes no difference, for comparison with another text of it. A file
    /// that the manifest does not name is returned as it is.
    pub fn normalise(&self, file: &str, text: &str) -> String {
        self.normalisers.get(file).map_or_else(|| text.to_owned(), |normaliser| normaliser.apply(text))
    }

    /// Returns the running text of the file `file` with the placeholder of its digest in the place of each secret: of what stands
    /// where the manifest says.
    pub fn without_secrets(&self, file: &str, text: &str, digest: &dyn Fn(&str) -> SecretDigest) -> String {
        self.normalisers
            .get(file)
            .map_or_else(|| text.to_owned(), |normaliser| normaliser.without_secrets(text, digest))
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
    /// The manifest's places.
    document: Option<Document>,
    diagnostics: Vec<Diagnostic>,
}

impl Loader<'_> {
    fn manifest(&mut self) -> Option<Manifest> {
        let place = SourceSpan::point(path_of(self.name, "manifest.yaml"), 1, 1);
        let Some(text) = self.files.get("manifest.yaml") else {
            let finding =
                Diagnostic::error(codes::INVALID_MANIFEST, format!("pack `{}` has no `manifest.yaml`", self.name));
            self.diagnostics.push(finding.at(place).help("start from the manifest of another pack"));
            return None;
        };
        let (documents, mut findings) = document::parse(&SourceFile::new(place.file.clone(), text.as_str()));
        let mut documents = documents.into_iter();
        let manifest = match (documents.next(), documents.next()) {
            (Some((document, value)), None) => {
                let (manifest, mistakes) = MANIFEST.read(&document, &value);
                self.document = Some(document);
                findings.extend(mistakes);
                manifest
            }
            _ => {
                if findings.is_empty() {
                    let finding = Diagnostic::error(codes::INVALID_MANIFEST, "a manifest is one YAML document");
                    findings.push(finding.at(place).help("remove the other documents of the file"));
                }
                None
            }
        };
        let manifest = if has_errors(&findings) { None } else { manifest };
        self.diagnostics.extend(findings);
        manifest
    }

    /// Adds a finding at the value that a JSON pointer leads to in the manifest.
    fn in_manifest(&mut self, finding: Diagnostic, pointer: &str) {
        let span = match &self.document {
            Some(document) => document.span(pointer),
            None => SourceSpan::point(path_of(self.name, "manifest.yaml"), 1, 1),
        };
        self.diagnostics.push(finding.at(span));
    }

    fn description(&mut self, manifest: &Manifest) -> PackDescription {
        let profiles = self.profiles(manifest);
        let features = manifest.features.clone();
        let mut description = PackDescription { features, platforms: BTreeMap::new(), profiles };
        for (name, platform) in &manifest.platforms {
            let pointer = format!("/platforms/{}", name.replace('~', "~0").replace('/', "~1"));
            let loaded = match name.parse::<PlatformName>() {
                Ok(name) => ports::platform(platform).map(|platform| (name, platform)),
                Err(error) => Err((String::new(), error.to_string())),
            };
            match loaded {
                Ok((name, platform)) => {
                    description.platforms.insert(name, platform);
                }
                Err((below, reason)) => {
                    let finding = Diagnostic::error(codes::INVALID_PORTS, format!("platform `{name}`: {reason}"))
                        .help("name each port once, as the device spells it; `swp{1..16}` stands for sixteen");
                    self.in_manifest(finding, &format!("{pointer}{below}"));
                }
            }
        }
        description
    }

    fn profiles(&mut self, manifest: &Manifest) -> Vec<BehaviorProfile> {
        let mut profiles: Vec<BehaviorProfile> = Vec::with_capacity(manifest.profiles.len());
        for (index, ProfileManifest { version, basis, behavior }) in manifest.profiles.iter().enumerate() {
            if profiles.iter().any(|known| known.version.as_ref() == Some(version)) {
                let finding = Diagnostic::error(codes::PROFILE_TWICE, format!("there are two profiles of `{version}`"))
                    .help("name each version once; `8.4` may stand beside `8`, and counts before it");
                self.in_manifest(finding, &format!("/profiles/{index}/version"));
            }
            let (version, basis, behavior) = (Some(version.clone()), *basis, behavior.clone());
            profiles.push(BehaviorProfile { version, basis, behavior });
        }
        profiles
    }

    fn pattern(&mut self, pattern: &str, pointer: &str) -> Option<Regex> {
        match Regex::new(pattern) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let finding = Diagnostic::error(codes::INVALID_PATTERN, format!("`{pattern}`: {reason}"))
                    .help("the syntax is that of the crate `regex`: no look-around and no back references");
                self.in_manifest(finding, pointer);
                None
            }
        }
    }

    fn normalisers(&mut self, manifest: &Manifest) -> BTreeMap<String, Normaliser> {
        let mut normalisers = BTreeMap::new();
        for (f, file) in manifest.files.iter().enumerate() {
            let patterns = file.normalise.ignore.iter().enumerate();
            let ignore = patterns
                .filter_map(|(p, pattern)| self.pattern(pattern, &format!("/files/{f}/normalise/ignore/{p}")))
                .collect();
            let patterns = file.secrets.iter().enumerate();
            let secrets =
                patterns.filter_map(|(p, pattern)| self.pattern(pattern, &format!("/files/{f}/secrets/{p}"))).collect();
            let normaliser = Normaliser { ignore, unordered: file.normalise.unordered, secrets };
            normalisers.insert(file.name.clone(), normaliser);
        }
        normalisers
    }

    fn patterns(&mut self, manifest: &Manifest) {
        if let Transport::Shell(shell) = &manifest.transport {
            for (index, pattern) in shell.errors.iter().enumerate() {
                self.pattern(pattern, &format!("/transport/errors/{index}"));
            }
            self.pattern(&shell.prompt, "/transport/prompt");
            if let Some(pager) = &shell.pager {
                self.pattern(&pager.pattern, "/transport/pager/pattern");
            }
            for (index, question) in shell.questions.iter().enumerate() {
                self.pattern(&question.pattern, &format!("/transport/questions/{index}/pattern"));
            }
        }
        for (pointer, command) in commands(manifest) {
            for (index, pattern) in command.errors.iter().enumerate() {
                self.pattern(pattern, &format!("{pointer}/errors/{index}"));
            }
        }
        if let Some(result) = self.pattern(&manifest.probes.ping_result, "/probes/ping_result") {
            for group in ["sent", "received"] {
                if !result.capture_names().flatten().any(|name| name == group) {
                    let message = format!("`ping_result` has no group `{group}`");
                    let finding = Diagnostic::error(codes::INVALID_PATTERN, message)
                        .help(format!("name the part that counts: (?P<{group}>\\d+)"));
                    self.in_manifest(finding, "/probes/ping_result");
                }
            }
        }
    }

    /// Compiles and checks the templates of `folder`; `used` are those that the manifest names, and where.
    fn templates(
        &mut self,
        environment: &mut Environment<'static>,
        folder: &str,
        used: &[(&str, String)],
        variables: &[&str],
    ) {
        let mut missing = BTreeSet::new();
        for (name, pointer) in used {
            if !self.files.contains_key(&format!("{folder}/{name}")) && missing.insert(name) {
                let message = format!("the pack has no file `{folder}/{name}`");
                let finding = Diagnostic::error(codes::MISSING_FILE, message);
                self.in_manifest(
                    finding.help(format!("add it, or correct the name; it is looked for in `{folder}`")),
                    pointer,
                );
            }
        }
        for (path, text) in self.files {
            let Some(name) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) else { continue };
            let file = path_of(self.name, path);
            if let Err(error) = environment.add_template_owned(name.to_owned(), text.clone()) {
                let line = error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(1);
                let finding = Diagnostic::error(codes::INVALID_TEMPLATE, environment::reason(&error))
                    .help("templates are written as for Jinja");
                self.diagnostics.push(finding.at(SourceSpan::point(file, line, 1)));
                continue;
            }
            for flaw in lint::flaws(environment, name, text, variables) {
                let finding = Diagnostic::error(codes::INVALID_TEMPLATE, flaw.message).help(flaw.help);
                self.diagnostics.push(finding.at(SourceSpan::point(file.clone(), flaw.line, 1)));
            }
            let included = || self.files.values().any(|other| other.contains(&format!("\"{name}\"")));
            if !used.iter().any(|(used, _)| *used == name) && !included() {
                let finding = Diagnostic::warning(codes::UNKNOWN_FILE, format!("nothing uses `{path}`"))
                    .help("name it in the manifest or in another template, or remove it");
                self.diagnostics.push(finding.at(SourceSpan::point(file, 1, 1)));
            }
        }
    }

    fn commands(&mut self, manifest: &Manifest, command: &Environment<'_>, input: &Environment<'_>) {
        for (pointer, one) in commands(manifest) {
            let parts = [(command, "run", Some(&one.run)), (input, "input", one.input.as_ref())];
            for (environment, key, text) in parts.into_iter().filter_map(|(e, key, text)| Some((e, key, text?))) {
                let mut environment = environment.clone();
                let flaw = match environment.add_template_owned("command", text.clone()) {
                    Err(error) => {
                        Some((environment::reason(&error), "commands are templates, written as for Jinja".into()))
                    }
                    Ok(()) => lint::flaws(&environment, "command", text, command::VARIABLES)
                        .into_iter()
                        .next()
                        .map(|flaw| (flaw.message, flaw.help)),
                };
                if let Some((message, help)) = flaw {
                    let finding = Diagnostic::error(codes::INVALID_TEMPLATE, message).help(help);
                    self.in_manifest(finding, &format!("{pointer}/{key}"));
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

/// Returns every command of a manifest with the JSON pointer to it.
fn commands(manifest: &Manifest) -> Vec<(String, &Command)> {
    let t = &manifest.transaction;
    let arm = match &t.arm {
        Arm::Step(step) => Some(step),
        Arm::Apply { .. } => None,
    };
    let steps = [
        ("prepare", t.prepare.as_ref()),
        ("lock", Some(&t.lock)),
        ("backup", t.backup.as_ref()),
        ("upload", Some(&t.upload)),
        ("check", t.check.as_ref()),
        ("arm", arm),
        ("drain", t.drain.as_ref()),
        ("apply", Some(&t.apply)),
        ("health", t.health.as_ref()),
        ("confirm", Some(&t.confirm)),
        ("rollback", Some(&t.rollback)),
        ("unlock", Some(&t.unlock)),
        ("running", Some(&t.running)),
        ("status", Some(&t.status)),
    ];
    let steps = steps.into_iter().filter_map(|(name, step)| Some((format!("/transaction/{name}"), step?)));
    let collectors = manifest
        .collectors
        .iter()
        .map(|(name, collector)| (format!("/collectors/{}/step", name.as_str()), &collector.step));
    let all: Vec<(String, &Step)> =
        steps.chain(collectors).chain([("/probes/ping".to_owned(), &manifest.probes.ping)]).collect();
    all.into_iter()
        .flat_map(|(pointer, step)| {
            step.commands.iter().enumerate().map(move |(n, command)| (format!("{pointer}/commands/{n}"), command))
        })
        .collect()
}
