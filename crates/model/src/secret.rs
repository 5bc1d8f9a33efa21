//! References to secrets. The value itself is never part of the model.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Where a secret's value is found when it is needed: `env/NAME`, an environment variable of the process that pushes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretRef(Arc<str>);

/// Why a text is not a reference to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a reference to a secret: write `env/NAME`, with NAME of A-Z, 0-9 and _")]
pub struct InvalidSecretRef;

impl SecretRef {
    /// The pattern of a reference, for JSON Schema.
    pub const PATTERN: &'static str = "^env/[A-Z_][A-Z0-9_]{0,127}$";

    /// Returns the name of the environment variable that holds the value.
    pub fn variable(&self) -> &str {
        &self.0
    }

    /// Returns the text that stands in a rendered configuration in the secret's place, such as `${secret:env/NAME}`.
    pub fn placeholder(&self) -> String {
        format!("${{secret:env/{}}}", self.0)
    }
}

impl FromStr for SecretRef {
    type Err = InvalidSecretRef;

    fn from_str(text: &str) -> Result<Self, InvalidSecretRef> {
        // The text is not repeated in the error: it may be a secret that was written here by mistake.
        let name = text.strip_prefix("env/").ok_or(InvalidSecretRef)?;
        let valid = (1..=128).contains(&name.len())
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_');
        if valid { Ok(Self(name.into())) } else { Err(InvalidSecretRef) }
    }
}

impl TryFrom<String> for SecretRef {
    type Error = InvalidSecretRef;

    fn try_from(text: String) -> Result<Self, InvalidSecretRef> {
        text.parse()
    }
}

impl From<SecretRef> for String {
    fn from(reference: SecretRef) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "env/{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_place_of_a_reference_is_not_repeated() {
        let error = "hunter2".parse::<SecretRef>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!("env/MD5".parse::<SecretRef>().unwrap().placeholder(), "${secret:env/MD5}");
    }
}
