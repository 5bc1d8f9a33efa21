//! The way to a device: host keys and private keys that are read once, and connections to jump hosts that devices share.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use russh::keys::PrivateKey;
use weft_model::{NodeName, PackName, SecretRef};
use weft_pack::Pack;

use crate::{
    Connection, Endpoint, Hop, KnownHosts, Limits, Secrets, SessionError, ShellRules, SshError, Target,
    authentication::{Login, read_key},
    connection::Peer,
    tcp,
};

/// What connections have in common.
#[derive(Default)]
pub(crate) struct Dialer {
    known_hosts: Mutex<BTreeMap<PathBuf, Arc<KnownHosts>>>,
    keys: Mutex<BTreeMap<PathBuf, Arc<PrivateKey>>>,
    /// The patterns of command lines: to prepare them takes longer than to use them in a session.
    rules: Mutex<BTreeMap<PackName, Option<ShellRules>>>,
    /// By the way to them.
    jumps: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Jump>>>>,
}

/// The connection to a jump host.
#[derive(Default)]
enum Jump {
    #[default]
    Untried,
    Open(Arc<Connection>),
    /// It was tried in vain, and when that was known.
    Failed(Arc<SshError>, Instant),
}

/// What it takes to log in somewhere.
struct Credentials<'a> {
    user: &'a str,
    identity: Option<&'a Path>,
    password: Option<&'a SecretRef>,
    known_hosts: Option<&'a Path>,
    algorithms: &'a crate::Algorithms,
}

impl<'a> Credentials<'a> {
    fn of_target(target: &'a Target) -> Self {
        Self {
            user: &target.user,
            identity: target.identity.as_deref(),
            password: target.password.as_ref(),
            known_hosts: target.known_hosts.as_deref(),
            algorithms: &target.algorithms,
        }
    }

    fn of_hop(hop: &'a Hop) -> Self {
        Self {
            user: &hop.user,
            identity: hop.host.identity.as_deref(),
            password: hop.host.password.as_ref(),
            known_hosts: hop.host.known_hosts.as_deref(),
            algorithms: &hop.host.algorithms,
        }
    }
}

/// Who connects to what, and how long it may take.
struct Call<'a> {
    device: &'a NodeName,
    target: &'a Target,
    limits: &'a Limits,
    secrets: &'a dyn Secrets,
}

impl Dialer {
    /// Connects to a device, by its jump hosts where it has any, and logs in.
    pub(crate) async fn connect(
        &self,
        device: &NodeName,
        target: &Target,
        limits: &Limits,
        secrets: &dyn Secrets,
    ) -> Result<Connection, SshError> {
        let call = Call { device, target, limits, secrets };
        if target.hops.is_empty() && !target.jump.is_empty() {
            let source = Arc::new(SshError::Forward {
                device: device.clone(),
                hop: target.jump.join(", "),
                to: target.address.to_string(),
                reason: "its address was not looked up in the inventory".into(),
            });
            return Err(SshError::Jump { device: device.clone(), hop: target.jump.join(", "), source });
        }
        let mut through = None;
        for index in 0..target.hops.len() {
            through = Some(self.jump(&call, index, through).await?);
        }
        let endpoint = Endpoint { host: target.address.ip().to_string(), port: target.address.port() };
        self.log_in(&call, &endpoint, Credentials::of_target(target), target.hops.last().zip(through)).await
    }

    /// Returns the connection to a jump host, which is made when it is not there. Those who wait for it while it is tried share
    /// what comes of it.
    async fn jump(
        &self,
        call: &Call<'_>,
        index: usize,
        through: Option<Arc<Connection>>,
    ) -> Result<Arc<Connection>, SshError> {
        let waiting_since = Instant::now();
        let hops = &call.target.hops[..=index];
        let hop = &hops[index];
        let way: Vec<String> = hops.iter().map(|hop| format!("{}@{}", hop.user, hop.host.address)).collect();
        let way = format!("{} {:?}", way.join(" "), call.target.network_namespace);
        let place = self.jumps.lock().unwrap_or_else(PoisonError::into_inner).entry(way).or_default().clone();
        let mut jump = place.lock().await;
        let fail = |source| SshError::Jump { device: call.device.clone(), hop: hop.name.clone(), source };
        match &*jump {
            Jump::Open(connection) if !connection.is_closed() => return Ok(connection.clone()),
            Jump::Failed(source, at) if *at >= waiting_since => return Err(fail(source.clone())),
            Jump::Open(_) | Jump::Failed(..) | Jump::Untried => {}
        }
        let before = index.checked_sub(1).map(|before| &hops[before]).zip(through);
        match self.log_in(call, &hop.host.address, Credentials::of_hop(hop), before).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *jump = Jump::Open(connection.clone());
                Ok(connection)
            }
            Err(error) => {
                let source = Arc::new(error);
                *jump = Jump::Failed(source.clone(), Instant::now());
                Err(fail(source))
            }
        }
    }

    /// Connects, checks the host key and logs in, directly or through the jump host before.
    async fn log_in(
        &self,
        call: &Call<'_>,
        endpoint: &Endpoint,
        with: Credentials<'_>,
        through: Option<(&Hop, Arc<Connection>)>,
    ) -> Result<Connection, SshError> {
        let Call { device, target, limits, secrets } = call;
        let key = match with.identity {
            Some(path) => Some((self.key(device, path)?, path.to_owned())),
            None => None,
        };
        let resolve = |reference| {
            secrets.resolve(reference).map_err(|source| SshError::Password {
                device: (*device).clone(),
                user: with.user.to_owned(),
                source: Box::new(source),
            })
        };
        let password = with.password.map(resolve).transpose()?;
        let known_hosts = self.known_hosts(device, with.known_hosts)?;
        let peer = Peer {
            device,
            host: endpoint.known_as(),
            user: with.user,
            login: Login { key, password },
            algorithms: with.algorithms,
        };
        peer.is_readable(&known_hosts)?;
        match through {
            None => {
                let address = tcp::look_up(device, endpoint, limits).await?;
                let stream = tcp::connect(device, address, target.network_namespace.as_deref(), limits).await?;
                Connection::over(stream, None, peer, known_hosts, limits).await
            }
            Some((hop, connection)) => {
                let stream = connection.forward(device, &hop.name, endpoint).await?;
                Connection::over(stream, Some(connection), peer, known_hosts, limits).await
            }
        }
    }

    /// Returns the patterns of a pack, which `prepare` makes the first time.
    pub(crate) fn rules(
        &self,
        pack: &Pack,
        prepare: impl FnOnce() -> Result<Option<ShellRules>, SessionError>,
    ) -> Result<Option<ShellRules>, SessionError> {
        let mut all = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = all.get(pack.name()) {
            return Ok(rules.clone());
        }
        let rules = prepare()?;
        all.insert(pack.name().clone(), rules.clone());
        Ok(rules)
    }

    fn key(&self, device: &NodeName, path: &Path) -> Result<Arc<PrivateKey>, SshError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(path) {
            return Ok(key.clone());
        }
        let key = Arc::new(read_key(device, path)?);
        keys.insert(path.to_owned(), key.clone());
        Ok(key)
    }

    /// Returns the host keys of a file, or else of the one in which ssh(1) keeps those of this user.
    fn known_hosts(&self, device: &NodeName, path: Option<&Path>) -> Result<Arc<KnownHosts>, SshError> {
        let own = || std::env::home_dir().unwrap_or_default().join(".ssh/known_hosts");
        let path = path.map_or_else(own, Path::to_owned);
        let mut files = self.known_hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known_hosts) = files.get(&path) {
            return Ok(known_hosts.clone());
        }
        let known_hosts = KnownHosts::read(&path).map_err(|error| SshError::KnownHosts {
            device: device.clone(),
            path: path.clone(),
            reason: error.to_string(),
        })?;
        let known_hosts = Arc::new(known_hosts);
        files.insert(path, known_hosts.clone());
        Ok(known_hosts)
    }
}
