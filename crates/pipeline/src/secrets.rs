//! Where a project's secrets are, and what is said when one has no value.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use weft_diagnostics::{Diagnostic, Severity};
use weft_intent::IntentSet;
use weft_model::SecretRef;
use weft_ssh::{DigestKey, DigestKeyError, SecretError, SecretStore};

use crate::{codes, source::Sources};

/// The folder of `file/PATH` where the user names none, relative to the project.
const FOLDER: &str = ".weft/secrets";
/// The key of the digests by which secrets are compared, relative to the project.
const DIGEST_KEY: &str = ".weft/digest.key";
/// What is a project's own and in no commit, relative to it.
const OWN: &str = ".weft";

/// Why a project's secrets cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The folder of secrets is where it may come into a commit.
    #[error(
        "{0} is inside of the project: what is in the clear there may be committed; take a folder outside of it or below \
         `.weft/`, or encrypt: `age/FILE#KEY`"
    )]
    Folder(PathBuf),
    /// A folder cannot be found, or what Weft keeps beside a project cannot be written.
    #[error("{path}: {source}")]
    File {
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no key for the digests.
    #[error(transparent)]
    Key(#[from] DigestKeyError),
}

/// Returns where the secrets of the project in `root` are looked for: in the folder `folder`, which is `.weft/secrets` of the
/// project unless the user names one, and in the encrypted files among its sources, with the identities in the file `identity`.
///
/// # Errors
/// See [`SecretsError`].
pub fn store(
    root: &Path,
    sources: &Sources,
    folder: Option<&Path>,
    identity: Option<&Path>,
) -> Result<SecretStore, SecretsError> {
    let folder = match folder {
        None => root.join(FOLDER),
        Some(folder) => {
            let look = |path: &Path| {
                path.canonicalize().map_err(|source| SecretsError::File { path: path.to_owned(), source })
            };
            let (within, project) = (look(folder)?, look(root)?);
            if within.starts_with(&project) && !within.starts_with(project.join(OWN)) {
                return Err(SecretsError::Folder(folder.to_owned()));
            }
            within
        }
    };
    // The key is made beside what is never part of the project's history, and that must be so before it is there.
    let ignore = root.join(OWN).join(".gitignore");
    if !ignore.exists() {
        let failed = |source| SecretsError::File { path: ignore.clone(), source };
        fs::create_dir_all(root.join(OWN)).and_then(|()| fs::write(&ignore, "*\n")).map_err(failed)?;
    }
    let key = DigestKey::of_file(&root.join(DIGEST_KEY))?;
    Ok(SecretStore::new(Some(folder), identity.map(Path::to_owned), sources.encrypted.clone(), key))
}

/// Returns a finding for each secret without a value, at the first place where an intent names it.
pub fn findings(
    intents: &IntentSet,
    missing: &BTreeMap<SecretRef, SecretError>,
    severity: Severity,
) -> Vec<Diagnostic> {
    let finding = |(reference, error): (&SecretRef, &SecretError)| {
        let mut finding = Diagnostic::error(codes::SECRET_WITHOUT_VALUE, error.to_string());
        finding.severity = severity;
        let mut places = intents.secrets.get(reference).into_iter().flatten();
        if let Some(place) = places.next() {
            finding = finding.at(place.clone());
        }
        for place in places {
            finding = finding.label(place.clone(), "also here");
        }
        finding.help(match severity {
            Severity::Error => "nothing was sent to any device; `weft secrets list` shows all of them",
            Severity::Warning | Severity::Note => {
                "what devices have in its place counts as different from what is intended"
            }
        })
    };
    let mut findings: Vec<Diagnostic> = missing.iter().map(finding).collect();
    findings.sort();
    findings
}
