//! The sessions of a run: a device is logged in to once, and only so many devices are worked on at the same time.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use weft_model::NodeName;
use weft_pack::Pack;

use crate::{Limits, Secrets, Session, SessionError, SshError, Target, dial::Dialer, secret::Redaction};

/// A session that was not used for so long is asked whether the device is still there before it is used again.
const FRESH: Duration = Duration::from_millis(250);
/// The wait before the second try to log in; each further one is twice as long, and up to half as long again.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Opens sessions, and keeps those that are given back until they are wanted again. Clones share them.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    secrets: Arc<dyn Secrets>,
    limits: Limits,
    redaction: Arc<Redaction>,
    dialer: Dialer,
    most_idle: usize,
    idle: Mutex<BTreeMap<(NodeName, SocketAddr), Idle>>,
    /// What bounds each device, in the order in which it is waited for.
    bounds: Mutex<BTreeMap<NodeName, Vec<Arc<Semaphore>>>>,
    jumps: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

struct Idle {
    session: Session<'static>,
    since: Instant,
}

/// The right to work on a device; it ends when this is dropped.
#[derive(Debug)]
pub struct Place {
    _permits: Vec<OwnedSemaphorePermit>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl Pool {
    /// Returns a pool without sessions. Known hosts and private keys are read once for all of its sessions. The process may open
    /// as many sockets from then on as the system lets it, and half of them wait here at most.
    pub fn new(secrets: Arc<dyn Secrets>, limits: Limits) -> Self {
        let redaction = Arc::new(Redaction::new(&*secrets));
        Self(Arc::new(Shared {
            secrets,
            limits,
            redaction,
            dialer: Dialer::default(),
            most_idle: sockets() / 2,
            idle: Mutex::default(),
            bounds: Mutex::default(),
            jumps: Mutex::default(),
        }))
    }

    /// Lets at most `most` of these devices be worked on at the same time. A device may be bound more than once, and each time
    /// in the same order of the bounds: then nobody waits for somebody who waits for him.
    pub fn bound(&self, devices: impl IntoIterator<Item = NodeName>, most: usize) {
        let places = Arc::new(Semaphore::new(most.max(1)));
        let mut bounds = lock(&self.0.bounds);
        for device in devices {
            bounds.entry(device).or_default().push(places.clone());
        }
    }

    /// Waits until the device may be worked on, given the other devices of its jump hosts and of its bounds. Whoever has a place
    /// waits for no other one.
    pub async fn place(&self, device: &NodeName, target: &Target) -> Place {
        let mut bounds = Vec::new();
        {
            // By name, so that two devices with the same jump hosts ask for them in the same order.
            let mut jumps = lock(&self.0.jumps);
            let by_name: BTreeMap<_, _> = target.hops.iter().map(|hop| (&hop.name, hop.host.concurrency)).collect();
            for (name, most) in by_name {
                let Some(most) = most else { continue };
                let places = || Arc::new(Semaphore::new(usize::from(most).max(1)));
                bounds.push(jumps.entry(name.clone()).or_insert_with(places).clone());
            }
        }
        bounds.extend(lock(&self.0.bounds).get(device).into_iter().flatten().cloned());
        let mut permits = Vec::with_capacity(bounds.len());
        for bound in bounds {
            // A semaphore that is never closed always gives one.
            permits.extend(bound.acquire_owned().await);
        }
        Place { _permits: permits }
    }

    /// Returns a session with a device: the one that was given back and still stands, else a new one. A device that cannot be
    /// reached is tried again, as often as the limits say: to log in changes nothing.
    ///
    /// # Errors
    /// See [`SshError`].
    pub async fn take(
        &self,
        device: &NodeName,
        target: &Target,
        pack: Arc<Pack>,
    ) -> Result<Session<'static>, SessionError> {
        let idle = lock(&self.0.idle).remove(&(device.clone(), target.address));
        if let Some(Idle { session, since }) = idle
            && session.is_usable()
            && session.pack().name() == pack.name()
            && (since.elapsed() < FRESH || session.answers().await)
        {
            return Ok(session);
        }
        let mut attempt = 1;
        loop {
            let error = match self.open(device, target, pack.clone()).await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            if attempt >= self.0.limits.attempts || !is_worth_another_try(&error) {
                return Err(error);
            }
            tokio::time::sleep(wait(device, attempt)).await;
            attempt += 1;
        }
    }

    /// Opens a new session with a device, once.
    ///
    /// # Errors
    /// See [`SshError`].
    pub async fn open(
        &self,
        device: &NodeName,
        target: &Target,
        pack: Arc<Pack>,
    ) -> Result<Session<'static>, SessionError> {
        let Shared { secrets, limits, redaction, dialer, .. } = &*self.0;
        Session::with(dialer, device, target, pack, limits, secrets, redaction).await
    }

    /// Takes back a session that is at rest: it holds nothing on the device that would not be there without it. One that is
    /// broken is closed, and so is a second one of the same device.
    pub async fn give_back(&self, device: &NodeName, target: &Target, session: Session<'_>) {
        let session = match session.into_shared() {
            Ok(session) if session.is_usable() && self.idle() < self.0.most_idle => session,
            Ok(session) => return session.close().await,
            Err(session) => return session.close().await,
        };
        let idle = Idle { session, since: Instant::now() };
        let former = lock(&self.0.idle).insert((device.clone(), target.address), idle);
        if let Some(Idle { session, .. }) = former {
            session.close().await;
        }
    }

    /// Returns how many sessions wait to be used again.
    pub fn idle(&self) -> usize {
        lock(&self.0.idle).len()
    }

    /// Ends the sessions that nobody uses.
    pub async fn close(&self) {
        let idle = std::mem::take(&mut *lock(&self.0.idle));
        for Idle { session, .. } in idle.into_values() {
            session.close().await;
        }
    }
}

/// Raises the number of sockets that the process may open as far as it goes, and returns it.
fn sockets() -> usize {
    // What the system says of itself; 1,024 is what most start with.
    let (mut soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        soft = hard;
    }
    usize::try_from(soft).unwrap_or(usize::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells whether the next try may end otherwise: who waited once for an answer in vain would do so for as long again.
fn is_worth_another_try(error: &SessionError) -> bool {
    let SessionError::Ssh(error) = error else { return false };
    match error {
        SshError::Refused { .. } | SshError::Unreachable { .. } | SshError::Lost { .. } => true,
        SshError::Jump { source, .. } => matches!(**source, SshError::Lost { .. }),
        SshError::TimedOut { .. }
        | SshError::Name { .. }
        | SshError::NetworkNamespace { .. }
        | SshError::HostKey { .. }
        | SshError::KnownHosts { .. }
        | SshError::Identity { .. }
        | SshError::Authentication { .. }
        | SshError::Password { .. }
        | SshError::NoExitStatus { .. }
        | SshError::Forward { .. }
        | SshError::Protocol { .. } => false,
    }
}

/// Returns how long is waited after a try: twice as long each time, and longer for some devices than for others, so that they
/// do not all come back at once. The same device waits the same time in every run.
fn wait(device: &NodeName, attempt: u32) -> Duration {
    let base = FIRST_WAIT * 2_u32.saturating_pow(attempt.saturating_sub(1).min(8));
    // FNV-1a.
    let hash =
        device.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    base + base * (hash % 256) / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_differ_between_devices_but_not_between_runs() {
        let name = |name: &str| name.parse::<NodeName>().unwrap();
        let (a, b) = (name("b1-leaf-01"), name("b1-leaf-02"));
        assert_eq!(wait(&a, 1), wait(&a, 1));
        assert_ne!(wait(&a, 1), wait(&b, 1));
        for attempt in 1..5 {
            let base = FIRST_WAIT * 2_u32.pow(attempt - 1);
            assert!((base..base + base / 2).contains(&wait(&a, attempt)));
        }
    }
}
