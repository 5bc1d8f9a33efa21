//! The files of a commit, read from git's objects: nothing is checked out, and no git program is needed.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use gix::{Repository, Tree, bstr::ByteSlice};

use super::{Files, SourceError, is_wanted};

/// Returns the commit that `revision` names, in hexadecimal, and its wanted files.
pub(super) fn of_revision(project: &Path, revision: &str) -> Result<(String, Files), SourceError> {
    let Some(repository) = open(project)? else {
        return Err(SourceError::NoRepository { project: project.to_owned(), revision: revision.to_owned() });
    };
    let failed = |reason: String| SourceError::Revision { revision: revision.to_owned(), reason };
    let commit = repository
        .rev_parse_single(revision)
        .map_err(|error| failed(error.to_string()))?
        .object()
        .map_err(|error| failed(error.to_string()))?
        .peel_to_commit()
        .map_err(|error| failed(error.to_string()))?;
    let id = commit.id.to_string();
    let tree = commit.tree().map_err(|error| repository_error(project, error))?;
    Ok((id, files(project, &repository, tree)?))
}

/// Returns the commit that is checked out, in hexadecimal, and its wanted files; `None` outside a repository and before its
/// first commit.
pub(super) fn of_head(project: &Path) -> Result<Option<(String, Files)>, SourceError> {
    let Some(repository) = open(project)? else { return Ok(None) };
    let head = repository.head().map_err(|error| repository_error(project, error))?;
    if head.is_unborn() {
        return Ok(None);
    }
    let commit = repository.head_commit().map_err(|error| repository_error(project, error))?;
    let id = commit.id.to_string();
    let tree = commit.tree().map_err(|error| repository_error(project, error))?;
    Ok(Some((id, files(project, &repository, tree)?)))
}

/// Returns what a commit, by its hash in hexadecimal, says of itself.
pub(super) fn message(project: &Path, commit: &str) -> Result<String, SourceError> {
    let Some(repository) = open(project)? else { return Ok(String::new()) };
    let commit = repository.rev_parse_single(commit).map_err(|error| repository_error(project, error))?;
    let commit = commit.object().map_err(|error| repository_error(project, error))?;
    let commit = commit.peel_to_commit().map_err(|error| repository_error(project, error))?;
    let message = commit.message_raw().map_err(|error| repository_error(project, error))?;
    Ok(message.to_str_lossy().into_owned())
}

/// Returns the mail addresses of those who wrote a commit and put it there, and of the one at work in the repository.
pub(super) fn people(project: &Path, commit: Option<&str>) -> Result<BTreeSet<String>, SourceError> {
    let Some(repository) = open(project)? else { return Ok(BTreeSet::new()) };
    let failed = |error: &dyn std::fmt::Display| repository_error(project, error);
    let mut people = BTreeSet::new();
    people.extend(repository.config_snapshot().string("user.email").map(|email| email.to_str_lossy().into_owned()));
    if let Some(commit) = commit {
        let commit = repository.rev_parse_single(commit).map_err(|error| failed(&error))?;
        let commit = commit.object().map_err(|error| failed(&error))?;
        let commit = commit.peel_to_commit().map_err(|error| failed(&error))?;
        let author = commit.author().map_err(|error| failed(&error))?;
        let committer = commit.committer().map_err(|error| failed(&error))?;
        people.extend([author, committer].map(|person| person.email.to_str_lossy().into_owned()));
    }
    people.retain(|person| !person.is_empty());
    Ok(people)
}

/// Returns where the project is within its repository; `None` outside of one.
pub(super) fn place_of(project: &Path) -> Option<PathBuf> {
    place(project, &open(project).ok()??).ok()
}

/// Opens the repository that the project is in: the nearest folder upwards that has a `.git`.
fn open(project: &Path) -> Result<Option<Repository>, SourceError> {
    let absolute = project.canonicalize().map_err(|source| SourceError::Read { path: project.to_owned(), source })?;
    match absolute.ancestors().find(|folder| folder.join(".git").exists()) {
        Some(root) => gix::open(root).map(Some).map_err(|error| repository_error(project, error)),
        None => Ok(None),
    }
}

fn repository_error(project: &Path, error: impl std::fmt::Display) -> SourceError {
    SourceError::Repository { project: project.to_owned(), reason: error.to_string() }
}

/// Returns the wanted files of the project's folder in the tree of a commit.
fn files(project: &Path, repository: &Repository, root: Tree<'_>) -> Result<Files, SourceError> {
    let failed = |error: &dyn std::fmt::Display| repository_error(project, error);
    let within = place(project, repository)?;
    let tree = if within.as_os_str().is_empty() {
        root
    } else {
        match root.lookup_entry_by_path(&within).map_err(|error| failed(&error))? {
            Some(entry) => {
                entry.object().map_err(|error| failed(&error))?.peel_to_tree().map_err(|error| failed(&error))?
            }
            // The project was added after the commit.
            None => return Ok(Files::new()),
        }
    };
    let mut files = Files::new();
    walk(project, &tree, "", &mut files)?;
    Ok(files)
}

/// Returns where the project is within its repository.
fn place(project: &Path, repository: &Repository) -> Result<PathBuf, SourceError> {
    let Some(root) = repository.workdir() else { return Ok(PathBuf::new()) };
    let absolute =
        |path: &Path| path.canonicalize().map_err(|source| SourceError::Read { path: path.to_owned(), source });
    Ok(absolute(project)?.strip_prefix(absolute(root)?).map(Path::to_owned).unwrap_or_default())
}

fn walk(project: &Path, tree: &Tree<'_>, name: &str, files: &mut Files) -> Result<(), SourceError> {
    for entry in tree.iter() {
        let entry = entry.map_err(|error| repository_error(project, error))?;
        let Ok(file_name) = entry.filename().to_str() else {
            return Err(SourceError::Path(project.join(name).join(entry.filename().to_string())));
        };
        let path = if name.is_empty() { file_name.to_owned() } else { format!("{name}/{file_name}") };
        let mode = entry.mode();
        if mode.is_tree() {
            if name.is_empty() && !super::FOLDERS.contains(&file_name) {
                continue;
            }
            let object = entry.object().map_err(|error| repository_error(project, error))?;
            walk(project, &object.into_tree(), &path, files)?;
        } else if is_wanted(&path) {
            if mode.is_link() {
                return Err(SourceError::Link(project.join(path)));
            }
            let mut object = entry.object().map_err(|error| repository_error(project, error))?;
            files.insert(path, std::mem::take(&mut object.data));
        }
    }
    Ok(())
}
