//! Secrets: put into a text just before it goes to a device, and taken out of everything that comes back.

mod encrypted;
mod key;
mod redaction;
mod store;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use weft_model::{SecretDigests, SecretRef, placeholders};
use zeroize::Zeroizing;

use crate::SecretError;

pub use encrypted::{EncryptError, EncryptedFile};
pub use key::{DigestKey, DigestKeyError};
pub(crate) use redaction::Redaction;
pub use store::SecretStore;
pub use value::SecretValue;

/// Where the values of secrets come from.
pub trait Secrets: Send + Sync {
    /// Returns the value of a secret.
    ///
    /// # Errors
    /// Says which secret has no value and where it was looked for, or why its value cannot stand in a configuration.
    fn resolve(&self, reference: &SecretRef) -> Result<SecretValue, SecretError>;

    /// Returns the secrets that may stand in texts read from devices; their values are replaced by placeholders there.
    fn references(&self) -> Vec<SecretRef>;

    /// Returns the key of the digests by which values are compared.
    fn key(&self) -> &DigestKey;
}

/// Returns the secrets whose placeholders stand in these texts.
pub fn references<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<SecretRef> {
    texts.into_iter().flat_map(placeholders).map(|(_, _, reference)| reference).collect()
}

/// Returns the keyed digests of the secrets that have a value, and why the others have none.
pub fn digests(secrets: &dyn Secrets) -> (SecretDigests, BTreeMap<SecretRef, SecretError>) {
    let (mut digests, mut missing) = (BTreeMap::new(), BTreeMap::new());
    for reference in secrets.references() {
        match secrets.resolve(&reference) {
            Ok(value) => {
                digests.insert(reference, secrets.key().digest(value.expose()));
            }
            Err(error) => {
                missing.insert(reference, error);
            }
        }
    }
    (SecretDigests::new(digests), missing)
}

/// Puts values in the place of placeholders, for a device only.
///
/// # Errors
/// Says which secret has no value.
pub fn reveal(text: &str, secrets: &dyn Secrets) -> Result<Zeroizing<String>, SecretError> {
    // Resolved first, so that the text is written once: a string that grows leaves its beginnings in memory.
    let mut parts = Vec::new();
    let mut length = text.len();
    for (start, end, reference) in placeholders(text) {
        let value = secrets.resolve(&reference)?;
        length += value.expose().len();
        parts.push((start, end, value));
    }
    let mut revealed = Zeroizing::new(String::with_capacity(length));
    let mut from = 0;
    for (start, end, value) in parts {
        revealed.push_str(&text[from..start]);
        revealed.push_str(value.expose());
        from = end;
    }
    revealed.push_str(&text[from..]);
    Ok(revealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Fixed(BTreeMap<SecretRef, &'static str>, DigestKey);

    impl Secrets for Fixed {
        fn resolve(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
            let missing = || SecretError::missing(reference, "it is not fixed");
            SecretValue::usable(reference, (*self.0.get(reference).ok_or_else(missing)?).to_owned().into())
        }

        fn references(&self) -> Vec<SecretRef> {
            self.0.keys().cloned().collect()
        }

        fn key(&self) -> &DigestKey {
            &self.1
        }
    }

    fn fixed(pairs: &[(&str, &'static str)]) -> Fixed {
        Fixed(pairs.iter().map(|(name, value)| (name.parse().unwrap(), *value)).collect(), DigestKey::default())
    }

    #[test]
    fn a_secret_goes_in_and_comes_out() {
        let secrets = fixed(&[("env/A", "bgp"), ("file/b", "bgp-and-more")]);
        let text =
            "router bgpx\n password ${secret:env/A}\n password \"${secret:file/b}\"\n ${secret:nonsense} ${secret:\n";
        let revealed = reveal(text, &secrets).unwrap();
        assert_eq!(
            &*revealed,
            "router bgpx\n password bgp\n password \"bgp-and-more\"\n ${secret:nonsense} ${secret:\n"
        );
        assert_eq!(Redaction::new(&secrets).hide(revealed.to_string()), text);
    }

    #[test]
    fn a_secret_that_would_add_a_line_is_refused_and_not_repeated() {
        let error = reveal("x ${secret:env/A}", &fixed(&[("env/A", "hunter2\nno router")])).unwrap_err();
        assert!(matches!(error, SecretError::Unusable(..)) && !error.to_string().contains("hunter2"));
        assert!(matches!(reveal("x ${secret:env/A}", &fixed(&[])), Err(SecretError::Missing { .. })));
        assert_eq!(format!("{:?}", SecretValue::new("hunter2".to_owned().into())), "SecretValue(..)");
    }

    #[test]
    fn secrets_are_found_in_texts_and_digested() {
        let texts = ["a ${secret:env/B} ${secret:env/A}", "${secret:env/A}"];
        assert_eq!(references(texts), ["env/A".parse().unwrap(), "env/B".parse().unwrap()].into());
        let (known, missing) = digests(&fixed(&[("env/A", "one"), ("env/B", ""), ("env/C", "one")]));
        let known: Vec<String> = known.by_reference().values().map(ToString::to_string).collect();
        assert!(known.len() == 2 && known[0] == known[1], "{known:?}");
        assert_eq!(missing.keys().map(SecretRef::as_str).collect::<Vec<_>>(), ["env/B"]);
    }
}
