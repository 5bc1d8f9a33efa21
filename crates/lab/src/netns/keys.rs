//! The keys of a lab: one to log in with, and one for each SSH server.

use russh::keys::{Algorithm, PrivateKey, key::safe_rng, ssh_key::LineEnding};

use super::LabError;

/// A new key pair.
pub(super) struct KeyPair {
    /// The private half as an OpenSSH key file.
    pub(super) private: String,
    /// The public half as `ALGORITHM KEY`.
    pub(super) public: String,
}

impl KeyPair {
    /// Makes an Ed25519 key pair.
    pub(super) fn generate(what: &'static str) -> Result<Self, LabError> {
        let failed = |error: russh::keys::ssh_key::Error| LabError::Encode { what, reason: error.to_string() };
        let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).map_err(failed)?;
        Ok(Self {
            private: key.to_openssh(LineEnding::LF).map_err(failed)?.to_string(),
            public: key.public_key().to_openssh().map_err(failed)?.trim().to_owned(),
        })
    }
}
