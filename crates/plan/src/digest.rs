//! Digests of configurations, over what makes a difference.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use weft_model::SecretDigests;
use weft_pack::Pack;

use crate::Digest;

impl Digest {
    /// Returns the digest of some bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Returns the digest of a configuration: of the normalised text of each of its files. Two texts of which the pack says that
/// they make no difference have the same digest, and so have two in which a secret stands by its reference and by the digest
/// of its value.
pub fn configuration_digest<'a>(
    pack: &Pack,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
    secrets: &SecretDigests,
) -> Digest {
    let normalised = |(name, text)| (name, pack.normalise(name, &secrets.comparable(text)));
    normalised_digest(&files.into_iter().map(normalised).collect())
}

/// Lengths stand before names and texts, so that no two different configurations are written alike. A file without text is
/// as good as none.
pub(crate) fn normalised_digest(files: &BTreeMap<&str, String>) -> Digest {
    let mut bytes = Vec::new();
    for (name, text) in files {
        if text.is_empty() {
            continue;
        }
        for part in [name.as_bytes(), text.as_bytes()] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
    }
    Digest::of(&bytes)
}
