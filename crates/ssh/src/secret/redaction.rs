//! Takes the values of secrets out of texts.

use super::{SecretValue, Secrets};

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
            .filter_map(|reference| Some((secrets.resolve(&reference).ok()?, reference.placeholder())))
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
