//! Logging in: by a key file, by the keys of the user's SSH agent, or by a password.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, Handle, Handler, KeyboardInteractiveAuthResponse},
    keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, agent::AgentIdentity, agent::client::AgentClient},
};
use weft_model::NodeName;

use crate::{SecretValue, SshError, Target};

/// How often a device may ask questions before it has had enough answers.
const MOST_QUESTIONS: usize = 8;

/// What logs in: the keys of the SSH agent where neither is there.
pub(crate) struct Login {
    /// A private key and its file.
    pub(crate) key: Option<(Arc<PrivateKey>, PathBuf)>,
    /// A password.
    pub(crate) password: Option<SecretValue>,
}

/// Logs in: by the key first, then by the password.
pub(crate) async fn authenticate<H: Handler<Error: Into<russh::Error>>>(
    device: &NodeName,
    user: &str,
    login: &Login,
    handle: &mut Handle<H>,
) -> Result<(), SshError> {
    let refused = match &login.key {
        Some((key, path)) => match with_key(device, user, handle, key, path).await {
            Err(SshError::Authentication { reason, .. }) if login.password.is_some() => Some(reason),
            done => return done,
        },
        None => None,
    };
    match &login.password {
        Some(password) => with_password(device, user, handle, password, refused).await,
        None => with_agent(device, user, handle).await,
    }
}

/// Logs in by a password, also where the device wants it as the answer to a question.
async fn with_password<H: Handler>(
    device: &NodeName,
    user: &str,
    handle: &mut Handle<H>,
    password: &SecretValue,
    refused: Option<String>,
) -> Result<(), SshError> {
    let fail = |words: &str| {
        let refused = refused.as_ref().map(|refused| format!("{refused}; ")).unwrap_or_default();
        SshError::Authentication { device: device.clone(), user: user.to_owned(), reason: format!("{refused}{words}") }
    };
    // The library keeps no copy that is wiped: it lives as long as the message to the device.
    let said = handle.authenticate_password(user, password.expose()).await;
    let remaining: MethodSet = match said.map_err(|source| protocol(device, source))? {
        AuthResult::Success => return Ok(()),
        AuthResult::Failure { partial_success: true, .. } => {
            return Err(fail("the device takes the password but wants more than that"));
        }
        AuthResult::Failure { remaining_methods, .. } => remaining_methods,
    };
    if !remaining.contains(&MethodKind::KeyboardInteractive) {
        return Err(fail("the device does not take the password"));
    }
    let mut said = handle.authenticate_keyboard_interactive_start(user, None).await;
    for _ in 0..MOST_QUESTIONS {
        let prompts = match said.map_err(|source| protocol(device, source))? {
            KeyboardInteractiveAuthResponse::Success => return Ok(()),
            KeyboardInteractiveAuthResponse::Failure { .. } => {
                return Err(fail("the device does not take the password as the answer to its question"));
            }
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => prompts,
        };
        // What is shown while it is typed is no password.
        if let Some(other) = prompts.iter().find(|prompt| prompt.echo) {
            return Err(fail(&format!("the device asks `{}`", other.prompt.trim().escape_debug())));
        }
        let answers = prompts.iter().map(|_| password.expose().to_owned()).collect();
        said = handle.authenticate_keyboard_interactive_respond(answers).await;
    }
    Err(fail("the device goes on asking"))
}

fn protocol(device: &NodeName, source: russh::Error) -> SshError {
    match source {
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::SendError | russh::Error::RecvError => {
            SshError::Lost {
                device: device.clone(),
                during: "while logging in".into(),
                reason: "the device closed it".into(),
            }
        }
        source => SshError::Protocol { device: device.clone(), during: "log-in".into(), source: Box::new(source) },
    }
}

/// Reads a private key.
///
/// Others must not be able to read it, as ssh(1) demands: a key that others read is theirs too.
pub(crate) fn read_key(device: &NodeName, path: &Path) -> Result<PrivateKey, SshError> {
    let fail = |reason: String| SshError::Identity { device: device.clone(), path: path.to_owned(), reason };
    read_private_key(path).map_err(fail)
}

/// See [`read_key`]. The error says why the key cannot be used.
pub(crate) fn read_private_key(path: &Path) -> Result<PrivateKey, String> {
    let mode = std::fs::metadata(path).map_err(|error| error.to_string())?.permissions().mode();
    if mode & 0o077 != 0 {
        let mode = mode & 0o7777;
        return Err(format!("others may read it (mode {mode:04o}): run `chmod 600 {}`", path.display()));
    }
    russh::keys::load_secret_key(path, None).map_err(|error| match error {
        russh::keys::Error::KeyIsEncrypted => {
            "it has a passphrase: add it to the SSH agent and name no file".to_owned()
        }
        error => error.to_string(),
    })
}

/// Returns the public key that logs in at a device, in base64; `None` where no file is named for it, or it cannot be read.
pub fn login_key(target: &Target) -> Option<String> {
    let key = read_private_key(target.identity.as_deref()?).ok()?;
    let text = key.public_key().to_openssh().ok()?;
    text.split_whitespace().nth(1).map(str::to_owned)
}

/// RSA keys sign with the best hash that the device takes; the others have none to choose.
async fn rsa_hash<H: Handler>(device: &NodeName, handle: &Handle<H>, rsa: bool) -> Result<Option<HashAlg>, SshError> {
    if !rsa {
        return Ok(None);
    }
    handle.best_supported_rsa_hash().await.map(Option::flatten).map_err(|source| protocol(device, source))
}

async fn with_key<H: Handler>(
    device: &NodeName,
    user: &str,
    handle: &mut Handle<H>,
    key: &Arc<PrivateKey>,
    path: &Path,
) -> Result<(), SshError> {
    let hash = rsa_hash(device, handle, key.algorithm().is_rsa()).await?;
    let fingerprint = key.fingerprint(HashAlg::Sha256);
    match handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key.clone(), hash)).await {
        Ok(AuthResult::Success) => Ok(()),
        Ok(AuthResult::Failure { partial_success, .. }) => Err(SshError::Authentication {
            device: device.clone(),
            user: user.to_owned(),
            reason: if partial_success {
                format!("the device takes the key {} but wants more than a key", path.display())
            } else {
                format!("the device does not take the key {} ({fingerprint})", path.display())
            },
        }),
        Err(source) => Err(protocol(device, source)),
    }
}

async fn with_agent<H: Handler>(device: &NodeName, user: &str, handle: &mut Handle<H>) -> Result<(), SshError> {
    let fail = |reason: String| SshError::Authentication { device: device.clone(), user: user.to_owned(), reason };
    let mut agent = AgentClient::connect_env().await.map_err(|error| {
        fail(format!("no SSH agent ({error}): start one, or name a key file as `identity` in the inventory"))
    })?;
    let identities =
        agent.request_identities().await.map_err(|error| fail(format!("the SSH agent does not answer: {error}")))?;
    let mut tried = Vec::new();
    for identity in identities {
        let AgentIdentity::PublicKey { key, comment } = identity else { continue };
        let hash = rsa_hash(device, handle, key.algorithm().is_rsa()).await?;
        tried.push(format!("{} {comment}", key.fingerprint(HashAlg::Sha256)).trim_end().to_owned());
        match handle.authenticate_publickey_with(user, key, hash, &mut agent).await {
            Ok(AuthResult::Success) => return Ok(()),
            Ok(AuthResult::Failure { .. }) => {}
            Err(error) => return Err(fail(format!("the SSH agent does not sign: {error}"))),
        }
        if handle.is_closed() {
            return Err(fail(format!("the device ended the connection after {} keys of the SSH agent", tried.len())));
        }
    }
    Err(fail(if tried.is_empty() {
        "the SSH agent holds no key".into()
    } else {
        format!("the device takes none of the SSH agent's keys: {}", tried.join(", "))
    }))
}
