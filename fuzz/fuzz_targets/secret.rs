//! References to secrets: the type and the pattern of the schema agree, and placeholders are found again in any text around
//! them.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use regex::Regex;
use weft_model::{InvalidSecretRef, SecretDigest, SecretDigests, SecretRef, changed_secrets, placeholders};

static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new(SecretRef::PATTERN).expect("a pattern"));

fuzz_target!(|text: &str| {
    // In a regular expression of JSON Schema, `$` is the end of the text and never before a line break at its end.
    let parsed = text.parse::<SecretRef>();
    assert_eq!(parsed.is_ok(), PATTERN.is_match(text));
    let digest = SecretDigest::of_hash(text.as_bytes());
    let mut digests = SecretDigests::default();
    match parsed {
        Ok(reference) => {
            assert_eq!(reference.to_string(), text);
            assert!(!format!("{:?}", reference.place()).is_empty());
            let placeholder = format!("a {} b", reference.placeholder());
            assert_eq!(placeholders(&placeholder).count(), 1);
            digests = SecretDigests::new([(reference.clone(), digest.clone())].into());
            assert_eq!(digests.comparable(&digest.placeholder()), reference.placeholder());
        }
        // The error holds nothing, so that it cannot repeat a secret that was written here by mistake.
        Err(InvalidSecretRef) => {}
    }
    for (start, end, reference) in placeholders(text) {
        assert_eq!(&text[start..end], reference.placeholder());
    }
    let once = digests.comparable(text);
    assert_eq!(digests.comparable(&once), once);
    digests.shown(text);
    changed_secrets(text.lines(), text.lines());
});
