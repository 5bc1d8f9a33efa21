//! The files of the working tree.

use std::{fs, io, path::Path};

use super::{Files, INTENTS, PACKS, PIPELINES, POLICIES, SourceError, is_wanted};

/// Returns the wanted files below the project.
pub(super) fn files(project: &Path) -> Result<Files, SourceError> {
    let mut files = Files::new();
    for folder in [INTENTS, PACKS, PIPELINES, POLICIES] {
        let path = project.join(folder);
        match fs::metadata(&path) {
            Ok(_) => walk(&path, folder, &mut files)?,
            // Which of them must be there is decided where commits are read too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(SourceError::Read { path, source }),
        }
    }
    Ok(files)
}

fn walk(folder: &Path, name: &str, files: &mut Files) -> Result<(), SourceError> {
    let failed = |path: &Path, source| SourceError::Read { path: path.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let entry = entry.map_err(|error| failed(folder, error))?;
        let path = entry.path();
        let Some(file_name) = entry.file_name().to_str().map(str::to_owned) else {
            return Err(SourceError::Path(path));
        };
        if file_name.starts_with('.') {
            continue;
        }
        let relative = format!("{name}/{file_name}");
        let kind = entry.file_type().map_err(|error| failed(&path, error))?;
        if kind.is_dir() {
            walk(&path, &relative, files)?;
        } else if is_wanted(&relative) {
            if kind.is_symlink() {
                return Err(SourceError::Link(path));
            }
            let octets = fs::read(&path).map_err(|error| failed(&path, error))?;
            files.insert(relative, octets);
        }
    }
    Ok(())
}
