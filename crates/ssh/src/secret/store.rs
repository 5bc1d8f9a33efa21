//! Finds the values of secrets: in environment variables, in files, and in encrypted files of the project.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use weft_model::{SecretPlace, SecretRef};
use zeroize::Zeroizing;

use super::{DigestKey, EncryptedFile, SecretValue, Secrets};
use crate::SecretError;

/// Octets of a file that holds a secret.
const MOST_OCTETS: u64 = 1 << 20;

/// What an encrypted file holds, by name; or why it cannot be decrypted.
type Decrypted = Arc<Result<BTreeMap<String, Zeroizing<String>>, String>>;

/// Where the values of a project's secrets are looked for.
#[derive(Debug, Default)]
pub struct SecretStore {
    folder: Option<PathBuf>,
    identity: Option<PathBuf>,
    encrypted: BTreeMap<String, Vec<u8>>,
    key: DigestKey,
    /// What was decrypted: each file once.
    decrypted: Mutex<BTreeMap<String, Decrypted>>,
}

impl SecretStore {
    /// Looks for `file/PATH` below `folder`, and for `age/FILE#KEY` in the encrypted files of the project by their paths below
    /// `secrets/`, which the age identities in the file `identity` decrypt. `key` is that of the digests.
    pub fn new(
        folder: Option<PathBuf>,
        identity: Option<PathBuf>,
        encrypted: BTreeMap<String, Vec<u8>>,
        key: DigestKey,
    ) -> Self {
        Self { folder, identity, encrypted, key, decrypted: Mutex::default() }
    }

    fn decrypted(&self, file: &str) -> Decrypted {
        let mut all = self.decrypted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(file) {
            return known.clone();
        }
        let decrypted: Decrypted = Arc::new(match self.encrypted.get(file) {
            None => Err(format!("there is no file secrets/{file}")),
            Some(octets) => EncryptedFile::decrypt(octets, self.identity.as_deref())
                .map(|file| file.entries)
                .map_err(|reason| format!("secrets/{file}: {reason}")),
        });
        all.insert(file.to_owned(), decrypted.clone());
        decrypted
    }

    fn value(&self, reference: &SecretRef) -> Result<Zeroizing<String>, String> {
        match reference.place() {
            SecretPlace::Environment(name) => match std::env::var_os(name) {
                None => Err(format!("set the environment variable {name}")),
                Some(value) => value
                    .into_string()
                    .map(Zeroizing::new)
                    .map_err(|_| format!("the environment variable {name} is not UTF-8")),
            },
            SecretPlace::File(path) => {
                let folder = self.folder.as_ref().ok_or("no folder of secrets is known")?;
                let path = folder.join(path);
                let mut text = read_private(&path).map_err(|reason| format!("{}: {reason}", path.display()))?;
                if text.ends_with('\n') {
                    text.pop();
                    if text.ends_with('\r') {
                        text.pop();
                    }
                }
                Ok(text)
            }
            SecretPlace::Age { file, key } => match &*self.decrypted(file) {
                Ok(entries) => entries.get(key).cloned().ok_or_else(|| format!("secrets/{file} has no entry `{key}`")),
                Err(reason) => Err(reason.clone()),
            },
        }
    }
}

impl Secrets for SecretStore {
    fn resolve(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        let value = self.value(reference).map_err(|reason| SecretError::missing(reference, reason))?;
        SecretValue::usable(reference, value)
    }

    /// None: it can find any secret, and does not know which are intended.
    fn references(&self) -> Vec<SecretRef> {
        Vec::new()
    }

    fn key(&self) -> &DigestKey {
        &self.key
    }
}

/// Reads a text that only this user can read, as ssh(1) demands of keys: what others read is theirs too. What is read is never
/// part of the reason why it cannot be.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<String>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    // Of the file that was opened, and not of one that took its place since.
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mode = metadata.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("others may read it (mode {:04o}): run `chmod 600 {}`", mode & 0o7777, path.display()));
    }
    if metadata.len() > MOST_OCTETS {
        return Err(format!("it has {} octets; {MOST_OCTETS} are the most", metadata.len()));
    }
    let length = usize::try_from(metadata.len()).unwrap_or_default();
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(length + 1));
    file.take(MOST_OCTETS).read_to_end(&mut octets).map_err(|error| error.to_string())?;
    match std::str::from_utf8(&octets) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err("it is not UTF-8 text".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use age::x25519::Identity;

    use super::*;

    fn resolve(store: &SecretStore, reference: &str) -> Result<String, String> {
        let value = store.resolve(&reference.parse().unwrap());
        value.map(|value| value.expose().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_read_without_its_line_break_and_only_when_it_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "hunter2\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let store = SecretStore::new(Some(folder.path().to_owned()), None, BTreeMap::new(), DigestKey::default());
        assert_eq!(resolve(&store, "file/key").as_deref(), Ok("hunter2"));

        for (text, reason) in [("a\nb\n", "line break"), ("\n", "it is empty")] {
            fs::write(&path, text).unwrap();
            assert!(resolve(&store, "file/key").unwrap_err().contains(reason), "{text:?}");
        }
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = resolve(&store, "file/key").unwrap_err();
            assert!(error.starts_with("the secret file/key has no value: ") && error.contains("chmod 600"), "{error}");
        }
        assert!(resolve(&store, "file/other").unwrap_err().contains("No such file"));
        fs::create_dir(folder.path().join("folder")).unwrap();
        assert!(resolve(&store, "file/folder").unwrap_err().contains("not a file"));
        assert!(resolve(&SecretStore::default(), "file/key").unwrap_err().contains("no folder"));
        assert_eq!(
            resolve(&store, "env/WEFT_NO_SUCH_SECRET").unwrap_err(),
            "the secret env/WEFT_NO_SUCH_SECRET has no value: set the environment variable WEFT_NO_SUCH_SECRET"
        );
    }

    #[test]
    fn an_encrypted_file_gives_its_entries() {
        let (identity, other) = (Identity::generate(), Identity::generate());
        let mut file = EncryptedFile::default();
        file.set("bgp", "hunter2".to_owned().into());
        let recipients = identity.to_public().to_string();
        let octets = file.encrypt(&recipients).unwrap();
        assert!(octets.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"));

        let folder = tempfile::tempdir().unwrap();
        let key = |identity: &Identity| {
            use age::secrecy::ExposeSecret;
            let path = folder.path().join("identity");
            fs::write(&path, identity.to_string().expose_secret()).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            Some(path)
        };
        let store = |identity, octets: &[u8]| {
            SecretStore::new(None, identity, [("a.age".to_owned(), octets.to_owned())].into(), DigestKey::default())
        };
        let known = store(key(&identity), &octets);
        assert_eq!(resolve(&known, "age/a.age#bgp").as_deref(), Ok("hunter2"));
        assert!(resolve(&known, "age/a.age#ospf").unwrap_err().ends_with("secrets/a.age has no entry `ospf`"));
        assert!(resolve(&known, "age/b.age#bgp").unwrap_err().ends_with("there is no file secrets/b.age"));
        // Once is enough: the identity is not asked for again.
        fs::remove_file(folder.path().join("identity")).unwrap();
        assert_eq!(resolve(&known, "age/a.age#bgp").as_deref(), Ok("hunter2"));

        let error = |store: &SecretStore| resolve(store, "age/a.age#bgp").unwrap_err();
        assert!(error(&store(None, &octets)).contains("WEFT_AGE_IDENTITY"));
        assert!(
            error(&store(key(&other), &octets)).contains("no matching keys"),
            "{}",
            error(&store(key(&other), &octets))
        );
        let damaged = String::from_utf8(octets).unwrap().replacen("\nY", "\nZ", 1);
        assert!(error(&store(key(&identity), damaged.as_bytes())).starts_with("the secret age/a.age#bgp has no value"));
        assert!(error(&store(key(&identity), b"hunter2: plain")).contains("not an age file"));
    }
}
