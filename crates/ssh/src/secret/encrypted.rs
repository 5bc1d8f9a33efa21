//! Files of secrets that are encrypted with age (age-encryption.org/v1), to stand in git.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    path::Path,
};

use age::{Decryptor, Encryptor, IdentityFile, Recipient, armor, x25519};
use zeroize::Zeroizing;

use super::store::read_private;

/// Octets of such a file, encrypted or not.
const MOST_OCTETS: u64 = 1 << 20;

/// The entries of an encrypted file: a mapping of names to texts.
#[derive(Default)]
pub struct EncryptedFile {
    pub(super) entries: BTreeMap<String, Zeroizing<String>>,
}

/// Why a file cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum EncryptError {
    /// A line of the recipients is none.
    #[error("line {0} is not an age recipient: write `age1...`, one a line")]
    Recipient(usize),
    /// There are no recipients.
    #[error("no recipient is named: write their public keys, `age1...`, one a line")]
    NoRecipient,
    /// The encryption failed.
    #[error("encrypt: {0}")]
    Age(String),
}

impl EncryptedFile {
    /// Decrypts a file with the identities in the file `identity`.
    ///
    /// # Errors
    /// Says why it cannot be, in a line, without anything that it holds.
    pub fn decrypt(octets: &[u8], identity: Option<&Path>) -> Result<Self, String> {
        if octets.len() as u64 > MOST_OCTETS {
            return Err(format!("it has {} octets; {MOST_OCTETS} are the most", octets.len()));
        }
        let path = identity.ok_or(
            "name the file of your age identity: `--identity FILE`, or the environment variable WEFT_AGE_IDENTITY",
        )?;
        let failed = |reason: String| format!("the identity {}: {reason}", path.display());
        let text = read_private(path).map_err(failed)?;
        let identities = IdentityFile::from_buffer(text.as_bytes())
            .map_err(|error| failed(error.to_string()))?
            .into_identities()
            .map_err(|error| failed(error.to_string()))?;
        let decryptor = Decryptor::new_buffered(armor::ArmoredReader::new(octets))
            .map_err(|error| format!("it is not an age file: {}", in_a_line(&error)))?;
        let plain =
            decryptor.decrypt(identities.iter().map(|identity| &**identity)).map_err(|error| in_a_line(&error))?;
        let mut text = Zeroizing::new(Vec::with_capacity(octets.len()));
        plain
            .take(MOST_OCTETS)
            .read_to_end(&mut text)
            .map_err(|error| format!("it is damaged: {}", in_a_line(&error)))?;
        // What the reader of YAML says could hold a piece of a value: only the line is told.
        let entries: BTreeMap<String, Zeroized> = serde_yaml::from_slice(&text).map_err(|error| {
            let line = error.location().map(|at| format!(" (line {})", at.line())).unwrap_or_default();
            format!("its text is no mapping of names to texts{line}")
        })?;
        Ok(Self { entries: entries.into_iter().map(|(name, value)| (name, value.0)).collect() })
    }

    /// Gives an entry a value.
    pub fn set(&mut self, name: &str, value: Zeroizing<String>) {
        self.entries.insert(name.to_owned(), value);
    }

    /// Encrypts the entries to recipients, one a line; empty lines and those that begin with `#` are none. The result is text.
    ///
    /// # Errors
    /// See [`EncryptError`].
    pub fn encrypt(&self, recipients: &str) -> Result<Vec<u8>, EncryptError> {
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(recipients.lines()) {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                keys.push(line.parse::<x25519::Recipient>().map_err(|_| EncryptError::Recipient(number))?);
            }
        }
        if keys.is_empty() {
            return Err(EncryptError::NoRecipient);
        }
        let failed = |error: &dyn std::fmt::Display| EncryptError::Age(error.to_string());
        // JSON, which is YAML too: there, each value is in quotes.
        let entries: BTreeMap<&str, &str> =
            self.entries.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let text = Zeroizing::new(serde_json::to_vec_pretty(&entries).map_err(|error| failed(&error))?);
        let encryptor =
            Encryptor::with_recipients(keys.iter().map(|key| key as &dyn Recipient)).map_err(|error| failed(&error))?;
        let armored = armor::ArmoredWriter::wrap_output(Vec::new(), armor::Format::AsciiArmor);
        let mut writer =
            encryptor.wrap_output(armored.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
        writer.write_all(&text).map_err(|error| failed(&error))?;
        writer.finish().and_then(armor::ArmoredWriter::finish).map_err(|error| failed(&error))
    }
}

/// A text that is wiped from memory.
struct Zeroized(Zeroizing<String>);

impl<'de> serde::Deserialize<'de> for Zeroized {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|value| Self(Zeroizing::new(value)))
    }
}

fn in_a_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
