//! The value of a secret.

use std::fmt;

use weft_model::SecretRef;
use zeroize::Zeroizing;

use crate::SecretError;

/// A secret's value. It is wiped from memory when it is dropped and never printed.
#[derive(Clone)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// Takes a value.
    pub fn new(value: Zeroizing<String>) -> Self {
        Self(value)
    }

    /// Takes the value of a secret if it can stand in a configuration.
    ///
    /// # Errors
    /// A value with a line break would add lines of configuration that nobody checked; an empty one would drop a
    /// protection.
    pub fn usable(reference: &SecretRef, value: Zeroizing<String>) -> Result<Self, SecretError> {
        if value.is_empty() {
            Err(SecretError::Unusable(reference.clone(), "it is empty"))
        } else if value.chars().any(char::is_control) {
            Err(SecretError::Unusable(reference.clone(), "it holds a line break or another control character"))
        } else {
            Ok(Self(value))
        }
    }

    /// Returns the value itself, for the device only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}
