//! The algorithms of a connection: the safe ones, and those that an old device needs besides.

use std::borrow::Cow;

use russh::{
    Preferred, cipher, kex,
    keys::{Algorithm, EcdsaCurve, HashAlg},
    mac,
};
use serde::{Deserialize, Serialize};

/// What a device is offered besides the safe algorithms, after them: a device that knows better takes the better one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, try_from = "Names")]
pub struct Algorithms {
    /// Key exchanges, such as `diffie-hellman-group14-sha1`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kex: Vec<String>,
    /// Kinds of host keys, such as `ssh-rsa`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    key: Vec<String>,
    /// Ciphers, such as `aes128-cbc`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cipher: Vec<String>,
    /// Message authentication codes, such as `hmac-sha1`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mac: Vec<String>,
}

/// [`Algorithms`] that may not be there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Names {
    kex: Vec<String>,
    key: Vec<String>,
    cipher: Vec<String>,
    mac: Vec<String>,
}

impl TryFrom<Names> for Algorithms {
    type Error = String;

    fn try_from(names: Names) -> Result<Self, String> {
        let Names { kex, key, cipher, mac } = names;
        known("kex", &kex, &kexes())?;
        known("key", &key, &KEYS.map(|(name, _)| name))?;
        known("cipher", &cipher, &ciphers())?;
        known("mac", &mac, &macs())?;
        Ok(Self { kex, key, cipher, mac })
    }
}

/// What encrypts or proves nothing is not offered, whoever asks for it.
const NOTHING: [&str; 2] = ["none", "clear"];

/// The kinds of host keys.
const KEYS: [(&str, Algorithm); 7] = [
    ("ssh-ed25519", Algorithm::Ed25519),
    ("ecdsa-sha2-nistp256", Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }),
    ("ecdsa-sha2-nistp384", Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 }),
    ("ecdsa-sha2-nistp521", Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 }),
    ("rsa-sha2-512", Algorithm::Rsa { hash: Some(HashAlg::Sha512) }),
    ("rsa-sha2-256", Algorithm::Rsa { hash: Some(HashAlg::Sha256) }),
    ("ssh-rsa", Algorithm::Rsa { hash: None }),
];

fn kexes() -> Vec<&'static str> {
    kex::ALL_KEX_ALGORITHMS.iter().map(|name| (*name).as_ref()).filter(|name| !NOTHING.contains(name)).collect()
}

fn ciphers() -> Vec<&'static str> {
    cipher::ALL_CIPHERS.iter().map(|name| (*name).as_ref()).filter(|name| !NOTHING.contains(name)).collect()
}

fn macs() -> Vec<&'static str> {
    mac::ALL_MAC_ALGORITHMS.iter().map(|name| (*name).as_ref()).filter(|name| !NOTHING.contains(name)).collect()
}

/// Finds a name that is not among those there are.
fn known(kind: &str, names: &[String], all: &[&str]) -> Result<(), String> {
    match names.iter().find(|name| !all.contains(&name.as_str())) {
        Some(unknown) => {
            Err(format!("no {kind} algorithm `{}`; there are: {}", unknown.escape_debug(), all.join(", ")))
        }
        None => Ok(()),
    }
}

impl Algorithms {
    /// Returns the safe algorithms with these behind them; host keys that are known by one of `known` first: a device with
    /// several keys then shows the one that can be checked.
    pub(crate) fn preferred(&self, known: &[Algorithm]) -> Preferred {
        let safe = Preferred::DEFAULT;
        let kexes = self.kex.iter().filter_map(|name| kex::Name::try_from(name.as_str()).ok());
        let ciphers = self.cipher.iter().filter_map(|name| cipher::Name::try_from(name.as_str()).ok());
        let macs = self.mac.iter().filter_map(|name| mac::Name::try_from(name.as_str()).ok());
        let keys = KEYS.iter().filter(|(name, _)| self.key.iter().any(|wanted| wanted == name));
        let mut key = behind(&safe.key, keys.map(|(_, key)| key.clone()));
        // Stable: the order among the known ones, and among the others, stays.
        key.sort_by_key(|algorithm| !known.iter().any(|known| same_kind(known, algorithm)));
        Preferred {
            kex: Cow::Owned(behind(&safe.kex, kexes)),
            key: Cow::Owned(key),
            cipher: Cow::Owned(behind(&safe.cipher, ciphers)),
            mac: Cow::Owned(behind(&safe.mac, macs)),
            ..safe
        }
    }
}

/// Puts what is not there yet behind what is.
fn behind<T: Clone + PartialEq>(safe: &[T], more: impl Iterator<Item = T>) -> Vec<T> {
    let mut all = safe.to_vec();
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

/// A key of RSA signs with any hash.
fn same_kind(known: &Algorithm, offered: &Algorithm) -> bool {
    known == offered || matches!((known, offered), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = serde_yaml::from_str::<Algorithms>("{ cipher: [aes128-cbc, rot13] }").unwrap_err().to_string();
        assert!(error.starts_with("no cipher algorithm `rot13`; there are: "), "{error}");
        assert!(error.contains("aes128-cbc") && !error.contains("none") && !error.contains("clear"), "{error}");
        assert!(serde_yaml::from_str::<Algorithms>("{ kex: [none] }").is_err());
    }

    #[test]
    fn what_is_old_comes_last_and_known_keys_come_first() {
        let text = "{ kex: [diffie-hellman-group14-sha1], key: [ssh-rsa], cipher: [aes128-cbc], mac: [hmac-sha1] }";
        let algorithms: Algorithms = serde_yaml::from_str(text).unwrap();
        let preferred = algorithms.preferred(&[Algorithm::Rsa { hash: None }]);
        assert_eq!(preferred.kex.last(), Some(&kex::DH_G14_SHA1));
        assert_eq!(preferred.cipher.last(), Some(&cipher::AES_128_CBC));
        assert_eq!(preferred.mac.last(), Some(&mac::HMAC_SHA1));
        assert_eq!(preferred.key.first(), Some(&Algorithm::Rsa { hash: Some(HashAlg::Sha512) }));
        assert_eq!(Algorithms::default().preferred(&[]).cipher, Preferred::DEFAULT.cipher);
    }
}
