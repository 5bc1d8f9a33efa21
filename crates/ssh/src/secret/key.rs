//! The key of the digests by which the values of secrets are compared: one of each project, known to nobody else.

use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use weft_model::SecretDigest;
use zeroize::Zeroizing;

use super::store::read_private;

/// Octets of a key: as many as SHA-256 has.
const LENGTH: usize = 32;

/// A key for HMAC-SHA256 (RFC 2104). It is wiped from memory when it is dropped and never printed.
#[derive(Clone)]
pub struct DigestKey(Zeroizing<[u8; LENGTH]>);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum DigestKeyError {
    /// The file cannot be read, or others can read it too.
    #[error("the key of the digests of secrets, {path}: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The file cannot be made.
    #[error("make the key of the digests of secrets, {path}: {source}")]
    Make {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl DigestKey {
    /// Reads the key from a file that only this user can read, and makes the file where there is none.
    ///
    /// # Errors
    /// See [`DigestKeyError`].
    pub fn of_file(path: &Path) -> Result<Self, DigestKeyError> {
        if !path.exists() {
            let made = make(path).map_err(|source| DigestKeyError::Make { path: path.to_owned(), source })?;
            if let Some(key) = made {
                return Ok(key);
            }
        }
        let fail = |reason: String| DigestKeyError::Read { path: path.to_owned(), reason };
        let text = read_private(path).map_err(fail)?;
        let mut key = Zeroizing::new([0; LENGTH]);
        let digits = text.trim_end().as_bytes();
        let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        if digits.len() != 2 * LENGTH {
            return Err(fail(format!("it is not a key: {} hexadecimal digits", 2 * LENGTH)));
        }
        for (octet, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = digit(pair[0]).zip(digit(pair[1])).ok_or_else(|| fail("it is not a key".to_owned()))?;
            *octet = high << 4 | low;
        }
        Ok(Self(key))
    }

    /// Returns the keyed digest of a value.
    pub fn digest(&self, value: &str) -> SecretDigest {
        match Hmac::<Sha256>::new_from_slice(&*self.0) {
            Ok(hmac) => SecretDigest::of_hash(&hmac.chain_update(value.as_bytes()).finalize().into_bytes()),
            // HMAC takes keys of any length. No digest is no value either, and equal to no other.
            Err(_) => SecretDigest::of_hash(&[]),
        }
    }
}

impl Default for DigestKey {
    /// Makes a key for this process alone.
    fn default() -> Self {
        let mut key = Zeroizing::new([0; LENGTH]);
        // Without randomness there are no connections either: nothing is compared with this key then.
        let _ = getrandom::fill(&mut *key);
        Self(key)
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(..)")
    }
}

/// Makes the file of a key; `None` when another process was faster.
fn make(path: &Path) -> io::Result<Option<DigestKey>> {
    let mut key = Zeroizing::new([0; LENGTH]);
    getrandom::fill(&mut *key).map_err(io::Error::other)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // A temporary file is its owner's alone, and gets its name only when it is whole.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let text: Zeroizing<String> = Zeroizing::new(key.iter().map(|octet| format!("{octet:02x}")).collect());
    writeln!(file, "{}", &*text)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(Some(DigestKey(key))),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".weft/digest.key");
        let digest = DigestKey::of_file(&path).unwrap().digest("hunter2");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(DigestKey::of_file(&path).unwrap().digest("hunter2"), digest);
        assert_ne!(DigestKey::of_file(&path).unwrap().digest("hunter3"), digest);
        assert_ne!(DigestKey::default().digest("hunter2"), digest);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(DigestKey::of_file(&path).unwrap_err().to_string().contains("others may read it (mode 0640)"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short\n").unwrap();
        assert!(DigestKey::of_file(&path).is_err());
    }

    #[test]
    fn digests_are_those_of_the_rfc() {
        // RFC 4231 4.2, with the key filled up with zeros as RFC 2104 2 does.
        let mut key = [0; LENGTH];
        key[..20].fill(0x0b);
        assert_eq!(DigestKey(Zeroizing::new(key)).digest("Hi There").to_string(), "b0344c61d8db3853");
    }
}
