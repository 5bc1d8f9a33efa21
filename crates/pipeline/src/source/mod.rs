//! Reads the files of a project: from the working tree, or from a commit, straight out of git's objects.

mod git;
mod worktree;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use weft_diagnostics::{Diagnostic, SourceMap, SourceSpan};
use weft_intent::SourceFile;

use crate::codes;

/// The folder of the intents.
pub const INTENTS: &str = "intents";
/// The folder of the device packs.
pub const PACKS: &str = "device-templates";
/// The folder of the pipeline definitions.
pub const PIPELINES: &str = "pipeline";
/// The folder of the encrypted files of secrets.
pub const SECRETS: &str = "secrets";
/// The public keys to which files of secrets are encrypted.
pub const RECIPIENTS: &str = "secrets/recipients.txt";
/// The folder of the rules that the organisation puts over its intents. It need not be there.
pub const POLICIES: &str = "policy";
/// The folders that files are read from.
const FOLDERS: [&str; 5] = [INTENTS, PACKS, PIPELINES, POLICIES, SECRETS];
/// The lock file of the allocations.
pub const LOCK_FILE: &str = "intents/allocations.lock.yaml";

/// The files of a project, by their paths relative to it.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The intents: `intents/**/*.yaml` without lock files.
    pub intents: Vec<SourceFile>,
    /// Whether a file of intents is no text: what it would have brought is unknown.
    pub unreadable: bool,
    /// The lock file of the allocations, where there is one.
    pub lock: Option<SourceFile>,
    /// The files of each pack by pack and by path in the pack.
    pub packs: BTreeMap<String, BTreeMap<String, String>>,
    /// The pipeline definitions: `pipeline/*.yaml`.
    pub pipelines: Vec<SourceFile>,
    /// The encrypted files of secrets by their paths below `secrets/`.
    pub encrypted: BTreeMap<String, Vec<u8>>,
    /// The policies: `policy/**/*.yaml`.
    pub policies: Vec<SourceFile>,
    /// The commit, in hexadecimal: the one that was asked for, else the one that is checked out. `None` outside a repository
    /// and before its first commit.
    pub commit: Option<String>,
    /// Whether the files differ from those of the commit.
    pub dirty: bool,
    /// Whether the files come from a commit and not from the working tree.
    pub detached: bool,
}

impl Sources {
    /// Returns the commit that the files are, byte for byte; `None` when they differ from it.
    pub fn exact_commit(&self) -> Option<&str> {
        self.commit.as_deref().filter(|_| !self.dirty)
    }

    /// Tells whether the configurations that are made of both are the same because the files are.
    pub fn same_network(&self, other: &Self) -> bool {
        (&self.intents, self.unreadable, &self.lock, &self.packs)
            == (&other.intents, other.unreadable, &other.lock, &other.packs)
    }

    /// Returns the texts that findings point into.
    pub fn source_map(&self) -> SourceMap {
        let files = self.intents.iter().chain(&self.lock).chain(&self.pipelines).chain(&self.policies);
        let mut map: SourceMap = files.map(|file| (file.path.clone(), file.text.clone())).collect();
        for (pack, files) in &self.packs {
            for (path, text) in files {
                map.insert(format!("{PACKS}/{pack}/{path}"), text.as_str());
            }
        }
        map
    }
}

/// Why the files of a project cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A folder that every project has is not there.
    #[error("there is no folder `{folder}` in {project}{}", at.as_ref().map(|commit| format!(" at commit {commit}")).unwrap_or_default())]
    NoFolder {
        /// The project.
        project: PathBuf,
        /// The folder.
        folder: &'static str,
        /// The commit, if one was asked for.
        at: Option<String>,
    },
    /// A file or folder cannot be read.
    #[error("read {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A symbolic link stands where a file should: what it leads to is not part of the commit.
    #[error("{0} is a symbolic link: put the file itself there")]
    Link(PathBuf),
    /// A path is not UTF-8.
    #[error("the path {} is not UTF-8", .0.display())]
    Path(PathBuf),
    /// A commit was asked for outside a git repository.
    #[error("{project} is not in a git repository: there is no commit `{revision}`")]
    NoRepository {
        /// The project.
        project: PathBuf,
        /// What was asked for.
        revision: String,
    },
    /// A revision is not there, or is not a commit.
    #[error("`{revision}` is no commit of the repository: {reason}")]
    Revision {
        /// What was asked for.
        revision: String,
        /// Why not, in git's words.
        reason: String,
    },
    /// The repository cannot be read.
    #[error("read the git repository of {project}: {reason}")]
    Repository {
        /// The project.
        project: PathBuf,
        /// Why, in git's words.
        reason: String,
    },
}

/// What an encrypted file begins with: as octets, and as text.
const ENCRYPTED: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"];

/// The wanted files by path, octets as they are.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Reads the files of the project in `project`: of the commit `revision` names (a name, a hash or its beginning, an expression
/// such as `HEAD~1`), else of the working tree. The project need not be a git repository for the latter, nor its root.
///
/// What is wrong with a single file is a finding, and the file is left out.
///
/// # Errors
/// Fails when the files, or the commit, cannot be read at all.
pub fn read(project: &Path, revision: Option<&str>) -> Result<(Sources, Vec<Diagnostic>), SourceError> {
    match revision {
        Some(revision) => {
            let (commit, files) = git::of_revision(project, revision)?;
            sort(project, &files, Some(commit), false, true)
        }
        None => {
            let files = worktree::files(project)?;
            let head = git::of_head(project)?;
            let dirty = head.as_ref().is_some_and(|(_, committed)| *committed != files);
            sort(project, &files, head.map(|(commit, _)| commit), dirty, false)
        }
    }
}

/// Returns the files of the working tree of the project in `project`, whatever git says of them.
///
/// # Errors
/// Fails when a file or folder cannot be read, is a link, or has a path that is not UTF-8.
pub fn files(project: &Path) -> Result<Files, SourceError> {
    worktree::files(project)
}

/// Returns what some files of the project in `project` are. What is wrong with a single file is a finding, and the file is
/// left out.
///
/// # Errors
/// Fails when there are no intents or no packs among them.
pub fn of_files(project: &Path, files: &Files) -> Result<(Sources, Vec<Diagnostic>), SourceError> {
    sort(project, files, None, false, false)
}

/// Returns where the project is in its git repository, `/` between the parts; empty at its root and outside a repository.
pub fn place_in_repository(project: &Path) -> String {
    git::place_of(project).map(|place| place.to_string_lossy().replace('\\', "/")).unwrap_or_default()
}

/// Returns the mail addresses of those who wrote a commit, and of the one at work in the repository; nobody outside of one.
///
/// # Errors
/// Fails when the repository cannot be read.
pub fn people(project: &Path, commit: Option<&str>) -> Result<std::collections::BTreeSet<String>, SourceError> {
    git::people(project, commit)
}

/// Returns what a commit of the project's repository, by its hash, says of itself; nothing outside a repository.
///
/// # Errors
/// Fails when the commit cannot be read.
pub fn message(project: &Path, commit: &str) -> Result<String, SourceError> {
    git::message(project, commit)
}

/// Tells whether a file belongs to what is read, given its path relative to the project.
pub fn is_wanted(path: &str) -> bool {
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    let in_folder = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let yaml = path.ends_with(".yaml") || path.ends_with(".yml");
    let yaml_folder = [INTENTS, PIPELINES, POLICIES].into_iter().any(in_folder);
    !hidden && (in_folder(PACKS) || in_folder(SECRETS) || (yaml && yaml_folder))
}

fn sort(
    project: &Path,
    files: &Files,
    commit: Option<String>,
    dirty: bool,
    detached: bool,
) -> Result<(Sources, Vec<Diagnostic>), SourceError> {
    let mut sources = Sources { commit, dirty, detached, ..Sources::default() };
    let mut findings = Vec::new();
    for (path, octets) in files {
        if let Some((pack, file)) = path.strip_prefix(PACKS).and_then(|rest| rest[1..].split_once('/')) {
            match String::from_utf8(octets.clone()) {
                Ok(text) => {
                    sources.packs.entry(pack.to_owned()).or_default().insert(file.to_owned(), text);
                }
                Err(_) => findings.push(
                    Diagnostic::error(codes::PACK_NOT_TEXT, format!("`{path}` is not UTF-8 text"))
                        .at(SourceSpan::point(path.as_str(), 1, 1)),
                ),
            }
            continue;
        }
        if path.starts_with(PACKS) {
            // A file beside the packs, such as a README, is nobody's.
            continue;
        }
        if let Some(file) = path.strip_prefix(SECRETS).and_then(|rest| rest.strip_prefix('/')) {
            if ENCRYPTED.iter().any(|beginning| octets.starts_with(beginning)) {
                sources.encrypted.insert(file.to_owned(), octets.clone());
            } else if path != RECIPIENTS {
                let message = format!("`{path}` is in the clear, and `{SECRETS}/` is committed");
                findings.push(
                    Diagnostic::warning(codes::NOT_ENCRYPTED, message).at(SourceSpan::point(path.as_str(), 1, 1)).help(
                        format!(
                            "`weft secrets set age/{file}#KEY` makes an encrypted one; replace what is in this one"
                        ),
                    ),
                );
            }
            continue;
        }
        if path.ends_with(".yml") {
            let name = path.trim_end_matches(".yml");
            findings.push(
                Diagnostic::warning(codes::NOT_READ, format!("`{path}` is not read: its name ends in `.yml`"))
                    .at(SourceSpan::point(path.as_str(), 1, 1))
                    .help(format!("rename it to `{name}.yaml`")),
            );
            continue;
        }
        match SourceFile::from_bytes(path.as_str(), octets.clone()) {
            Ok(file) if path == LOCK_FILE => sources.lock = Some(file),
            Ok(_) if path.ends_with(".lock.yaml") => {}
            Ok(file) if path.starts_with(INTENTS) => sources.intents.push(file),
            Ok(file) if path.starts_with(POLICIES) => sources.policies.push(file),
            Ok(file) => sources.pipelines.push(file),
            Err(finding) => {
                sources.unreadable |= path.starts_with(INTENTS);
                findings.push(*finding);
            }
        }
    }
    for (folder, found) in [(INTENTS, INTENTS), (PACKS, PACKS)] {
        if !files.keys().any(|path| path.starts_with(found)) {
            let at = sources.commit.clone().filter(|_| detached);
            return Err(SourceError::NoFolder { project: project.to_owned(), folder, at });
        }
    }
    findings.sort();
    Ok((sources, findings))
}
