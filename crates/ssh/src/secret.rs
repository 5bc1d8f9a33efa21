//! Secrets: put into a text just before it goes to a device, and taken out of everything that comes back.

use std::{collections::BTreeSet, fmt};

use weft_model::SecretRef;
use zeroize::Zeroizing;

use crate::SecretError;

/// A secret's value. It is wiped from memory when it is dropped and never printed.
#[derive(Clone)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// Takes a value.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
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

/// Where the values of secrets come from.
pub trait Secrets: Send + Sync {
    /// Returns the value of a secret.
    ///
    /// # Errors
    /// Says which secret has no value and where it was looked for.
    fn resolve(&self, reference: &SecretRef) -> Result<SecretValue, SecretError>;

    /// Returns the secrets that may stand in texts read from devices; their values are replaced by placeholders there.
    fn references(&self) -> Vec<SecretRef>;
}

/// Secrets in environment variables of this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentSecrets {
    references: BTreeSet<SecretRef>,
}

impl EnvironmentSecrets {
    /// Knows these secrets.
    pub fn new(references: impl IntoIterator<Item = SecretRef>) -> Self {
        Self { references: references.into_iter().collect() }
    }

    /// Knows the secrets whose placeholders stand in these texts.
    pub fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self { references: texts.into_iter().flat_map(placeholders).map(|(_, _, reference)| reference).collect() }
    }
}

impl Secrets for EnvironmentSecrets {
    fn resolve(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        match std::env::var(reference.variable()) {
            Ok(value) => Ok(SecretValue::new(value)),
            Err(_) => Err(SecretError::Missing(reference.clone())),
        }
    }

    fn references(&self) -> Vec<SecretRef> {
        self.references.iter().cloned().collect()
    }
}

/// Returns the placeholders in a text: where each begins and ends, and the secret it stands for.
fn placeholders(text: &str) -> impl Iterator<Item = (usize, usize, SecretRef)> + '_ {
    const OPEN: &str = "${secret:";
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let start = from + text[from..].find(OPEN)?;
            let inner = start + OPEN.len();
            from = inner;
            let Some(length) = text[inner..].find('}') else { continue };
            if let Ok(reference) = text[inner..inner + length].parse() {
                from = inner + length + 1;
                return Some((start, from, reference));
            }
        }
    })
}

/// Puts values in the place of placeholders.
pub(crate) fn reveal(text: &str, secrets: &dyn Secrets) -> Result<Zeroizing<String>, SecretError> {
    let mut revealed = Zeroizing::new(String::with_capacity(text.len()));
    let mut from = 0;
    for (start, end, reference) in placeholders(text) {
        let value = secrets.resolve(&reference)?;
        usable(&reference, &value)?;
        revealed.push_str(&text[from..start]);
        revealed.push_str(value.expose());
        from = end;
    }
    revealed.push_str(&text[from..]);
    Ok(revealed)
}

/// A value with a line break would add lines of configuration that nobody checked; an empty one would drop a protection.
fn usable(reference: &SecretRef, value: &SecretValue) -> Result<(), SecretError> {
    if value.expose().is_empty() {
        Err(SecretError::Unusable(reference.clone(), "it is empty"))
    } else if value.expose().chars().any(char::is_control) {
        Err(SecretError::Unusable(reference.clone(), "it holds a line break or another control character"))
    } else {
        Ok(())
    }
}

/// The values to take out of texts, the longest first so that no part of one remains when another is its beginning.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redaction {
    values: Vec<(SecretValue, String)>,
}

impl Redaction {
    /// Knows the secrets that have a value; one without has never reached a device from here.
    pub(crate) fn new(secrets: &dyn Secrets) -> Self {
        let mut values: Vec<_> = secrets
            .references()
            .into_iter()
            .filter_map(|reference| {
                let value = secrets.resolve(&reference).ok()?;
                usable(&reference, &value).ok()?;
                Some((value, reference.placeholder()))
            })
            .collect();
        values.sort_by(|(a, p), (b, q)| b.expose().len().cmp(&a.expose().len()).then_with(|| p.cmp(q)));
        Self { values }
    }

    /// Puts placeholders in the place of values. A value counts where it stands as a word of its own, so that a short one
    /// does not tear other words apart.
    pub(crate) fn hide(&self, text: String) -> String {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let mut text = text;
        for (value, placeholder) in &self.values {
            let value = value.expose();
            if !text.contains(value) {
                continue;
            }
            let mut hidden = String::with_capacity(text.len());
            let mut from = 0;
            while let Some(at) = text[from..].find(value).map(|at| at + from) {
                let end = at + value.len();
                let joined_before = value.starts_with(word) && text[..at].ends_with(word);
                let joined_after = value.ends_with(word) && text[end..].starts_with(word);
                hidden.push_str(&text[from..at]);
                hidden.push_str(if joined_before || joined_after { value } else { placeholder });
                from = end;
            }
            hidden.push_str(&text[from..]);
            text = hidden;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Default)]
    struct Fixed(BTreeMap<SecretRef, &'static str>);

    impl Secrets for Fixed {
        fn resolve(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
            let value = self.0.get(reference).ok_or_else(|| SecretError::Missing(reference.clone()))?;
            Ok(SecretValue::new((*value).to_owned()))
        }

        fn references(&self) -> Vec<SecretRef> {
            self.0.keys().cloned().collect()
        }
    }

    fn fixed(pairs: &[(&str, &'static str)]) -> Fixed {
        Fixed(pairs.iter().map(|(name, value)| (name.parse().unwrap(), *value)).collect())
    }

    #[test]
    fn a_secret_goes_in_and_comes_out() {
        let secrets = fixed(&[("env/A", "bgp"), ("env/AB", "bgp-and-more")]);
        let text =
            "router bgpx\n password ${secret:env/A}\n password \"${secret:env/AB}\"\n ${secret:nonsense} ${secret:\n";
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
        assert_eq!(
            reveal("x ${secret:env/A}", &fixed(&[])).unwrap_err().to_string(),
            "the secret env/A has no value: set the environment variable A"
        );
        assert_eq!(format!("{:?}", SecretValue::new("hunter2".into())), "SecretValue(..)");
    }

    #[test]
    fn secrets_are_found_in_texts() {
        let secrets = EnvironmentSecrets::of_texts(["a ${secret:env/B} ${secret:env/A}", "${secret:env/A}"]);
        assert_eq!(secrets.references(), ["env/A".parse().unwrap(), "env/B".parse().unwrap()]);
    }
}
