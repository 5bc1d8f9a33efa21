//! Signatures of people over texts, as `ssh-keygen -Y sign` makes them, and the file that says whose signatures count.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, civil, tz::TimeZone};
use russh::keys::{
    HashAlg, PrivateKey, PublicKey,
    agent::{AgentIdentity, client::AgentClient},
    ssh_key::{LineEnding, SshSig, authorized_keys},
};

use crate::authentication::read_private_key;

/// Why a text could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key cannot be used.
    #[error("the key {path}: {reason}")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The SSH agent does not help.
    #[error("the SSH agent: {0}")]
    Agent(String),
    /// None of the keys belongs to an allowed signer.
    #[error("none of these keys belongs to an allowed signer: {}", .0.join(", "))]
    NotAllowed(Vec<String>),
    /// The signature cannot be made.
    #[error("sign")]
    Signature(#[from] russh::keys::ssh_key::Error),
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It is not one.
    #[error("it is not a signature")]
    Malformed,
    /// It was made for something else, or the text was changed.
    #[error("the signature is not one of this text")]
    Mismatch,
    /// Its key belongs to nobody who may sign.
    #[error("no allowed signer has the key {0}")]
    UnknownKey(String),
    /// The key may not sign in the name of that person.
    #[error("the key {key} is not that of {principal}")]
    OtherPrincipal {
        /// The fingerprint of the key.
        key: String,
        /// The person.
        principal: String,
    },
    /// The key may sign at another time only.
    #[error("the key {0} is not valid at this time")]
    NotNow(String),
    /// The key may sign other things only.
    #[error("the key {0} may not sign this kind of text")]
    Namespace(String),
}

/// A line of an allowed signers file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct SignersError {
    /// The line, from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// Who may sign with which key: a file in the format that ssh-keygen(1) calls ALLOWED SIGNERS.
#[derive(Debug, Clone, Default)]
pub struct AllowedSigners(Vec<Signer>);

#[derive(Debug, Clone)]
struct Signer {
    principals: String,
    key: PublicKey,
    /// Only in these namespaces.
    namespaces: Option<String>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
}

/// A text and its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The text.
    pub message: String,
    /// The signature, between `-----BEGIN SSH SIGNATURE-----` and its end.
    pub signature: String,
    /// The fingerprint of the key.
    pub fingerprint: String,
}

impl AllowedSigners {
    /// Reads the text of a file. A line for the key of a certificate authority is left out: certificates do not sign here.
    ///
    /// # Errors
    /// Fails at the first line that is not one of the format.
    pub fn parse(text: &str) -> Result<Self, SignersError> {
        let mut signers = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fail = |reason: &str| SignersError { line: number, reason: reason.to_owned() };
            let (principals, rest) = line.split_once(char::is_whitespace).ok_or_else(|| fail("there is no key"))?;
            // What follows is a line of an authorized_keys file. Its parser takes options only where there is a comment too.
            let entry = format!("{} -", rest.trim()).parse::<authorized_keys::Entry>();
            let entry = entry.map_err(|_| fail("what follows the name is not a key, or its options"))?;
            let mut signer = Signer {
                principals: principals.trim_matches('"').to_owned(),
                key: entry.public_key().clone(),
                namespaces: None,
                valid_after: None,
                valid_before: None,
            };
            let mut authority = false;
            for option in entry.config_opts().iter() {
                let (name, value) = option.split_once('=').unwrap_or((option, ""));
                let value = value.trim_matches('"');
                let time = || time(value).ok_or_else(|| fail(&format!("`{}` is not a time", value.escape_debug())));
                match name.to_ascii_lowercase().as_str() {
                    "cert-authority" => authority = true,
                    "namespaces" => signer.namespaces = Some(value.to_owned()),
                    "valid-after" => signer.valid_after = Some(time()?),
                    "valid-before" => signer.valid_before = Some(time()?),
                    // An option that is not known may be one that forbids.
                    _ => return Err(fail(&format!("the option `{}` is not known", name.escape_debug()))),
                }
            }
            if !authority {
                signers.push(signer);
            }
        }
        Ok(Self(signers))
    }

    /// Returns the first person in whose name a key may sign in a namespace now; one whose name is a pattern is not told.
    fn principal(&self, key: &PublicKey, namespace: &str, now: Timestamp) -> Option<String> {
        let of_key = self.0.iter().filter(|signer| signer.key.key_data() == key.key_data());
        let signers = of_key.filter(|signer| signer.is_valid(now) && signer.takes(namespace));
        let mut names = signers.flat_map(|signer| signer.principals.split(','));
        names.find(|name| !name.contains(['*', '?', '!'])).map(str::to_owned)
    }

    /// Checks that a person signed a text, with a key with which they may at this time.
    ///
    /// # Errors
    /// Says why the signature does not count.
    pub fn verify(
        &self,
        principal: &str,
        namespace: &str,
        (message, signature): (&str, &str),
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        let signature = SshSig::from_pem(signature).map_err(|_| VerifyError::Malformed)?;
        let key = PublicKey::from(signature.public_key().clone());
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        key.verify(namespace, message.as_bytes(), &signature).map_err(|_| VerifyError::Mismatch)?;
        let of_key: Vec<&Signer> = self.0.iter().filter(|signer| signer.key.key_data() == key.key_data()).collect();
        if of_key.is_empty() {
            return Err(VerifyError::UnknownKey(fingerprint));
        }
        let of_person: Vec<&Signer> =
            of_key.into_iter().filter(|signer| matches(&signer.principals, principal)).collect();
        if of_person.is_empty() {
            return Err(VerifyError::OtherPrincipal { key: fingerprint, principal: principal.to_owned() });
        }
        let now: Vec<&Signer> = of_person.into_iter().filter(|signer| signer.is_valid(now)).collect();
        if now.is_empty() {
            return Err(VerifyError::NotNow(fingerprint));
        }
        if !now.iter().any(|signer| signer.takes(namespace)) {
            return Err(VerifyError::Namespace(fingerprint));
        }
        Ok(())
    }
}

impl Signer {
    fn is_valid(&self, now: Timestamp) -> bool {
        self.valid_after.is_none_or(|after| now >= after) && self.valid_before.is_none_or(|before| now < before)
    }

    fn takes(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|patterns| matches(patterns, namespace))
    }
}

/// Signs a text in the name of an allowed signer: with the key of a file, else with the first key of the SSH agent that belongs to
/// one. `message` makes the text, given the person's name.
///
/// # Errors
/// Fails when no key can be used, or none belongs to an allowed signer.
pub async fn sign(
    file: Option<&Path>,
    signers: &AllowedSigners,
    namespace: &str,
    now: Timestamp,
    message: impl FnOnce(&str) -> String,
) -> Result<Signed, SignError> {
    match file {
        Some(path) => {
            let key: PrivateKey =
                read_private_key(path).map_err(|reason| SignError::Key { path: path.to_owned(), reason })?;
            let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
            let principal = signers
                .principal(key.public_key(), namespace, now)
                .ok_or_else(|| SignError::NotAllowed(vec![fingerprint.clone()]))?;
            let message = message(&principal);
            let signature = key.sign(namespace, HashAlg::Sha512, message.as_bytes())?;
            Ok(Signed { message, signature: signature.to_pem(LineEnding::LF)?, fingerprint })
        }
        None => {
            let agent_error = |error: russh::keys::Error| SignError::Agent(error.to_string());
            let mut agent = AgentClient::connect_env().await.map_err(|error| {
                SignError::Agent(format!("there is none ({error}): start one, or name a key file with `--key`"))
            })?;
            let mut tried = Vec::new();
            for identity in agent.request_identities().await.map_err(agent_error)? {
                let AgentIdentity::PublicKey { key, .. } = identity else { continue };
                let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
                let Some(principal) = signers.principal(&key, namespace, now) else {
                    tried.push(fingerprint);
                    continue;
                };
                let message = message(&principal);
                let data = SshSig::signed_data(namespace, HashAlg::Sha512, message.as_bytes())?;
                let hash = key.algorithm().is_rsa().then_some(HashAlg::Sha512);
                let signature = agent.sign_request_signature(&key, hash, &data).await.map_err(agent_error)?;
                let signature = SshSig::new(key.key_data().clone(), namespace, HashAlg::Sha512, signature)?;
                return Ok(Signed { message, signature: signature.to_pem(LineEnding::LF)?, fingerprint });
            }
            Err(if tried.is_empty() {
                SignError::Agent("it holds no key".to_owned())
            } else {
                SignError::NotAllowed(tried)
            })
        }
    }
}

/// Tells whether a name is one of a list of patterns with commas: `*` is anything, `?` one character, and `!` before a pattern takes
/// out what it matches.
fn matches(patterns: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if is_like(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= is_like(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

fn is_like(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|from| is_like(rest, &name[from..])),
        (Some((b'?', rest)), Some((_, left))) => is_like(rest, left),
        (Some((wanted, rest)), Some((found, left))) => wanted == found && is_like(rest, left),
        (Some(_), None) => false,
    }
}

/// Reads `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, of this machine's time zone, or with a `Z` behind it of UTC.
fn time(text: &str) -> Option<Timestamp> {
    let (digits, zone) = match text.strip_suffix('Z') {
        Some(digits) => (digits, TimeZone::UTC),
        None => (text, TimeZone::system()),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        14 => digits.to_owned(),
        _ => return None,
    };
    let civil = civil::DateTime::strptime("%Y%m%d%H%M%S", &whole).ok()?;
    civil.to_zoned(zone).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICBn13E8HXSfjIu9IvfkDcQDMMWh+VlOgBkABEf+ecex";

    #[test]
    fn a_file_of_signers_is_read_as_ssh_keygen_reads_it() {
        let text = format!(
            "# people\n\nann@example.net,ann {KEY} her laptop\n\
             bob@* valid-after=\"20200101\",valid-before=\"20300101000000Z\",namespaces=\"weft-approval,git\" {KEY}\n\
             ca@example.net cert-authority {KEY}\n"
        );
        let signers = AllowedSigners::parse(&text).unwrap();
        assert_eq!(signers.0.len(), 2);
        assert_eq!(signers.0[1].valid_before, Some("2030-01-01T00:00:00Z".parse().unwrap()));
        let key: PublicKey = KEY.parse().unwrap();
        let now = "2026-11-23T09:00:00Z".parse().unwrap();
        assert_eq!(signers.principal(&key, "weft-approval", now).as_deref(), Some("ann@example.net"));
        assert!(signers.0[1].takes("git") && !signers.0[1].takes("file"));
        for (bad, reason) in [
            ("ann", "line 1: there is no key"),
            ("ann ssh-ed25519 AAAA", "line 1: what follows the name is not a key, or its options"),
            (&format!("ann valid-after=\"2020\" {KEY}"), "line 1: `2020` is not a time"),
            (&format!("\nann no-touch-required {KEY}"), "line 2: the option `no-touch-required` is not known"),
        ] {
            assert_eq!(AllowedSigners::parse(bad).unwrap_err().to_string(), reason);
        }
    }

    #[test]
    fn patterns_are_those_of_ssh() {
        for (patterns, name, expected) in [
            ("ann", "ann", true),
            ("ann", "anna", false),
            ("*@example.net", "ann@example.net", true),
            ("a?n,b*", "ann", true),
            ("*,!mallory", "mallory", false),
            ("*,!mallory", "ann", true),
            ("", "ann", false),
        ] {
            assert_eq!(matches(patterns, name), expected, "{patterns} {name}");
        }
    }
}
