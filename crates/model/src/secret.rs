//! References to secrets, and what may be told of a secret's value. The value itself is never part of the model.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

/// Where a secret's value is found when it is needed: an environment variable, a file, or an entry of an encrypted file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretRef(Arc<str>);

/// What a reference names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretPlace<'a> {
    /// `env/NAME`: an environment variable of the process.
    Environment(&'a str),
    /// `file/PATH`: a file below the folder of secrets.
    File(&'a str),
    /// `age/FILE#KEY`: an entry of an encrypted file of the project.
    Age {
        /// The file, below the project's `secrets/`.
        file: &'a str,
        /// The name of the entry.
        key: &'a str,
    },
}

/// Why a text is not a reference to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a reference to a secret: write `env/NAME`, `file/PATH` or `age/FILE#KEY`")]
pub struct InvalidSecretRef;

/// Most characters of each part of a reference.
const MOST: usize = 128;

impl SecretRef {
    /// The pattern of a reference, for JSON Schema.
    pub const PATTERN: &'static str = "^(env/[A-Z_][A-Z0-9_]{0,127}\
        |file/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,127})*\
        |age/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,127})*#[A-Za-z0-9_][A-Za-z0-9._-]{0,127})$";

    /// Returns what the reference names.
    pub fn place(&self) -> SecretPlace<'_> {
        match self.0.split_once('/') {
            Some(("env", name)) => SecretPlace::Environment(name),
            Some(("age", rest)) => {
                let (file, key) = rest.split_once('#').unwrap_or((rest, ""));
                SecretPlace::Age { file, key }
            }
            Some((_, path)) => SecretPlace::File(path),
            None => SecretPlace::File(&self.0),
        }
    }

    /// Returns the reference as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text that stands in a rendered configuration in the secret's place, such as `${secret:env/NAME}`.
    pub fn placeholder(&self) -> String {
        format!("{OPEN}{}}}", self.0)
    }
}

impl FromStr for SecretRef {
    type Err = InvalidSecretRef;

    fn from_str(text: &str) -> Result<Self, InvalidSecretRef> {
        // The text is not repeated in the error: it may be a secret that was written here by mistake.
        let (scheme, rest) = text.split_once('/').ok_or(InvalidSecretRef)?;
        let path = |path: &str| path.split('/').all(is_part);
        let valid = match scheme {
            "env" => {
                (1..=MOST).contains(&rest.len())
                    && !rest.starts_with(|c: char| c.is_ascii_digit())
                    && rest.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
            }
            "file" => path(rest),
            "age" => rest.split_once('#').is_some_and(|(file, key)| path(file) && is_part(key)),
            _ => false,
        };
        if valid { Ok(Self(text.into())) } else { Err(InvalidSecretRef) }
    }
}

/// Tells whether a text can be a folder, a file or a key: none begins with a dot, so that no path leads upwards or to what
/// is hidden.
fn is_part(text: &str) -> bool {
    let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    (1..=MOST).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|c| word(c) || matches!(c, b'.' | b'-'))
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
        f.pad(&self.0)
    }
}

/// What a placeholder begins with.
const OPEN: &str = "${secret:";

/// Returns the references whose placeholders stand in a text: where each begins and ends, and the secret it stands for.
pub fn placeholders(text: &str) -> impl Iterator<Item = (usize, usize, SecretRef)> + '_ {
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

/// A keyed digest of a secret's value: equal values have equal digests, and without the key nobody can try values out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretDigest(Arc<str>);

/// Hexadecimal digits of a digest: 64 bits tell two values apart, and this is all that is shown of it.
const DIGITS: usize = 16;

impl SecretDigest {
    /// Takes the first octets of a keyed hash.
    pub fn of_hash(hash: &[u8]) -> Self {
        let digits: String = hash.iter().take(DIGITS / 2).map(|octet| format!("{octet:02x}")).collect();
        Self(digits.into())
    }

    /// Returns what stands in the place of a value whose reference is not known, such as `${secret:?:0123456789abcdef}`.
    pub fn placeholder(&self) -> String {
        format!("{OPEN}?:{}}}", self.0)
    }
}

impl fmt::Display for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The keyed digests of the secrets that are intended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecretDigests {
    digests: BTreeMap<SecretRef, SecretDigest>,
    /// Of each digest the first reference whose value has it. Where two secrets have one value, either is as good on a
    /// device as the other.
    first: BTreeMap<SecretDigest, SecretRef>,
}

impl SecretDigests {
    /// Knows these secrets.
    pub fn new(digests: BTreeMap<SecretRef, SecretDigest>) -> Self {
        let mut first = BTreeMap::new();
        for (reference, digest) in &digests {
            first.entry(digest.clone()).or_insert_with(|| reference.clone());
        }
        Self { digests, first }
    }

    /// Returns the digest of each secret.
    pub fn by_reference(&self) -> &BTreeMap<SecretRef, SecretDigest> {
        &self.digests
    }

    /// Returns an intended or running text as it is compared: a value that is the intended one of some secret is that
    /// secret's placeholder, in both texts the same.
    pub fn comparable(&self, text: &str) -> String {
        replaced(text, |inner| {
            let digest = match inner.strip_prefix("?:") {
                Some(digest) => SecretDigest(digest.into()),
                None => self.digests.get(&inner.parse().ok()?)?.clone(),
            };
            self.first.get(&digest).map(SecretRef::placeholder)
        })
    }

    /// Returns a text with the digest in each placeholder, for people: `${secret:env/NAME:0123456789abcdef}`.
    pub fn shown(&self, text: &str) -> String {
        replaced(text, |inner| {
            let digest = self.digests.get(&inner.parse().ok()?)?;
            Some(format!("{OPEN}{inner}:{digest}}}"))
        })
    }
}

/// Returns the secrets among intended lines that the running lines have with another value: a line is gone, and its like
/// with another secret has come.
pub fn changed_secrets<'a>(
    running: impl IntoIterator<Item = &'a str>,
    intended: impl IntoIterator<Item = &'a str>,
) -> BTreeSet<SecretRef> {
    let bare = |line: &str| replaced(line, |_| Some(String::new()));
    let running: BTreeSet<String> = running.into_iter().filter(|line| line.contains(OPEN)).map(bare).collect();
    let intended = intended.into_iter().filter(|line| running.contains(&bare(line)));
    intended.flat_map(references_shown).collect()
}

/// Returns the references in a text, with or without their digests.
fn references_shown(text: &str) -> Vec<SecretRef> {
    let mut references = Vec::new();
    replaced(text, |inner| {
        references.extend(inner.split(':').next().and_then(|reference| reference.parse().ok()));
        None
    });
    references
}

/// Puts what `with` returns in the place of each placeholder; one for which it returns `None` stays.
fn replaced(text: &str, mut with: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(OPEN) {
        let inner = start + OPEN.len();
        let Some(length) = rest[inner..].find(['}', '\n']).filter(|&at| rest[inner + at..].starts_with('}')) else {
            out.push_str(&rest[..inner]);
            rest = &rest[inner..];
            continue;
        };
        let end = inner + length + 1;
        out.push_str(&rest[..start]);
        match with(&rest[inner..inner + length]) {
            Some(text) => out.push_str(&text),
            None => out.push_str(&rest[start..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: &str) -> SecretRef {
        text.parse().unwrap()
    }

    #[test]
    fn a_secret_in_place_of_a_reference_is_not_repeated() {
        let error = "hunter2".parse::<SecretRef>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(reference("env/MD5").placeholder(), "${secret:env/MD5}");
    }

    #[test]
    fn references_say_where_the_value_is() {
        assert_eq!(reference("env/A_1").place(), SecretPlace::Environment("A_1"));
        assert_eq!(reference("file/bgp/transit.key").place(), SecretPlace::File("bgp/transit.key"));
        assert_eq!(
            reference("age/prod/bgp.age#transit-1").place(),
            SecretPlace::Age { file: "prod/bgp.age", key: "transit-1" }
        );
        for bad in [
            "",
            "env",
            "env/",
            "env/a",
            "env/1A",
            "file/",
            "file//a",
            "file/../a",
            "file/a/..",
            "file//etc/passwd",
            "file/.hidden",
            "file/a b",
            "file/a\n",
            "age/a",
            "age/#k",
            "age/a#",
            "age/a#k#l",
            "age/../a#k",
            "age/a#k/l",
            "vault/a",
            "file/a}",
            "file/a:b",
            "file/é",
        ] {
            assert!(bad.parse::<SecretRef>().is_err(), "{bad:?}");
        }
        assert!(format!("file/{}", "a".repeat(129)).parse::<SecretRef>().is_err());
    }

    #[test]
    fn placeholders_are_found_in_texts() {
        let text = "a ${secret:env/A} ${secret:no} ${secret:file/b} ${secret:";
        let found: Vec<String> = placeholders(text).map(|(_, _, reference)| reference.to_string()).collect();
        assert_eq!(found, ["env/A", "file/b"]);
    }

    #[test]
    fn values_are_compared_by_their_digests() {
        let [one, two] = [[1; 32], [2; 32]].map(|hash| SecretDigest::of_hash(&hash));
        let (a, b, c) = (reference("env/A"), reference("env/B"), reference("env/C"));
        let digests = SecretDigests::new([(a, one.clone()), (b, two.clone()), (c, two.clone())].into());
        let running = format!("x {}\ny {}\nz {}\n", one.placeholder(), two.placeholder(), two.placeholder());
        let intended = "x ${secret:env/A}\ny ${secret:env/C}\nz ${secret:env/B}\n";
        assert_eq!(digests.comparable(&running), digests.comparable(intended));
        assert_eq!(digests.comparable(intended), "x ${secret:env/A}\ny ${secret:env/B}\nz ${secret:env/B}\n");
        assert_eq!(digests.shown("x ${secret:env/A} ${secret:x}"), "x ${secret:env/A:0101010101010101} ${secret:x}");
        let other = SecretDigest::of_hash(&[3; 32]).placeholder();
        assert_eq!(digests.comparable(&other), "${secret:?:0303030303030303}");
    }

    #[test]
    fn a_secret_that_differs_is_told_from_a_line_that_differs() {
        let changed = changed_secrets(
            ["n1 password ${secret:?:01}", "n2 x ${secret:?:02}"],
            ["n1 password ${secret:env/A:02}", "n2 password ${secret:env/B}"],
        );
        assert_eq!(changed, [reference("env/A")].into());
    }
}
