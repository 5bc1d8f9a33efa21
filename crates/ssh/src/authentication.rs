//! Logging in: by a key file, or by the keys of the user's SSH agent.

use std::{os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use russh::{
    client::{AuthResult, Handle, Handler},
    keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, agent::AgentIdentity, agent::client::AgentClient},
};
use weft_model::NodeName;

use crate::{SshError, Target};

/// Logs in.
pub(crate) async fn authenticate<H: Handler<Error: Into<russh::Error>>>(
    device: &NodeName,
    target: &Target,
    handle: &mut Handle<H>,
) -> Result<(), SshError> {
    match &target.identity {
        Some(path) => with_file(device, target, handle, path).await,
        None => with_agent(device, target, handle).await,
    }
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
        source => SshError::Protocol { device: device.clone(), during: "log-in".into(), source },
    }
}

/// Reads a private key.
///
/// Others must not be able to read it, as ssh(1) demands: a key that others read is theirs too.
///
/// # Errors
/// Says why it cannot be used.
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

async fn with_file<H: Handler>(
    device: &NodeName,
    target: &Target,
    handle: &mut Handle<H>,
    path: &Path,
) -> Result<(), SshError> {
    let fail = |reason: String| SshError::Identity { device: device.clone(), path: path.to_owned(), reason };
    let key = Arc::new(read_private_key(path).map_err(fail)?);
    let hash = rsa_hash(device, handle, key.algorithm().is_rsa()).await?;
    let fingerprint = key.fingerprint(HashAlg::Sha256);
    match handle.authenticate_publickey(&target.user, PrivateKeyWithHashAlg::new(key, hash)).await {
        Ok(AuthResult::Success) => Ok(()),
        Ok(AuthResult::Failure { partial_success, .. }) => Err(SshError::Authentication {
            device: device.clone(),
            user: target.user.clone(),
            reason: if partial_success {
                format!("the device takes the key {} but wants more than a key", path.display())
            } else {
                format!("the device does not take the key {} ({fingerprint})", path.display())
            },
        }),
        Err(source) => Err(protocol(device, source)),
    }
}

async fn with_agent<H: Handler>(device: &NodeName, target: &Target, handle: &mut Handle<H>) -> Result<(), SshError> {
    let fail = |reason: String| SshError::Authentication { device: device.clone(), user: target.user.clone(), reason };
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
        match handle.authenticate_publickey_with(&target.user, key, hash, &mut agent).await {
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
