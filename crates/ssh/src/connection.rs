//! An authenticated SSH connection, and commands in channels of their own.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use russh::{
    Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelStream, ChannelWriteHalf, Disconnect,
    client::{self, Handle, Msg},
    keys::PublicKeyOrCertificate,
};
use tokio::io::{AsyncRead, AsyncWrite};
use weft_model::NodeName;

use crate::{
    Algorithms, Endpoint, HostKeyProblem, KnownHosts, Limits, SshError, Target,
    authentication::{Login, authenticate, read_key},
    tcp,
};

/// How long a command that took too long may take to be stopped.
const STOP_LIMIT: Duration = Duration::from_millis(500);

/// What a command printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// The exit status; a command that ended without one is an error instead.
    pub status: u32,
    /// Its standard output; bytes that are not UTF-8 become U+FFFD.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Checks the host key, and keeps what the library would otherwise swallow.
struct Handler {
    known_hosts: Arc<KnownHosts>,
    host: String,
    problem: Arc<Mutex<Option<HostKeyProblem>>>,
}

impl Peer<'_> {
    /// Makes sure that no line about the host is one that cannot be read.
    pub(crate) fn is_readable(&self, known_hosts: &KnownHosts) -> Result<(), SshError> {
        let Some(line) = known_hosts.unreadable_line(&self.host) else { return Ok(()) };
        let reason = format!("line {line} is about this host and holds no key that can be read");
        Err(SshError::KnownHosts { device: self.device.clone(), path: known_hosts.path().to_owned(), reason })
    }
}

impl client::Handler for Handler {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        match self.known_hosts.check(&self.host, &shown.public_key()) {
            Ok(()) => Ok(true),
            Err(problem) => {
                *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
                Ok(false)
            }
        }
    }
}

/// One end of an SSH connection: the device itself, or a jump host on the way to it.
pub(crate) struct Peer<'a> {
    /// The device that all this is about.
    pub(crate) device: &'a NodeName,
    /// The host as it stands in a file of host keys.
    pub(crate) host: String,
    pub(crate) user: &'a str,
    pub(crate) login: Login,
    pub(crate) algorithms: &'a Algorithms,
}

/// An authenticated SSH connection to a device.
pub struct Connection {
    device: NodeName,
    handle: Handle<Handler>,
    limits: Limits,
    /// The connection to the jump host that this one goes through: it must not end before.
    _through: Option<Arc<Connection>>,
}

impl Connection {
    /// Connects, checks the host key and logs in, by a key. It takes no detour.
    ///
    /// # Errors
    /// Says which of these failed and why; see [`SshError`].
    pub async fn open(
        device: &NodeName,
        target: &Target,
        known_hosts: &KnownHosts,
        limits: &Limits,
    ) -> Result<Self, SshError> {
        let key = match &target.identity {
            Some(path) => Some((Arc::new(read_key(device, path)?), path.clone())),
            None => None,
        };
        let login = Login { key, password: None };
        let (user, algorithms) = (target.user.as_str(), &target.algorithms);
        let peer = Peer { device, host: KnownHosts::host(target.address), user, login, algorithms };
        peer.is_readable(known_hosts)?;
        let stream = tcp::connect(device, target.address, target.network_namespace.as_deref(), limits).await?;
        Self::over(stream, None, peer, Arc::new(known_hosts.clone()), limits).await
    }

    /// Checks the host key and logs in, over a stream that is there.
    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        through: Option<Arc<Connection>>,
        peer: Peer<'_>,
        known_hosts: Arc<KnownHosts>,
        limits: &Limits,
    ) -> Result<Self, SshError> {
        let device = peer.device;
        let problem = Arc::new(Mutex::new(None));
        let config = client::Config {
            preferred: peer.algorithms.preferred(&known_hosts.algorithms(&peer.host)),
            keepalive_interval: Some(limits.keepalive),
            keepalive_max: 3,
            nodelay: true,
            ..client::Config::default()
        };
        let handler = Handler { known_hosts, host: peer.host.clone(), problem: problem.clone() };
        let limit = limits.authenticate;
        let mut waited_for = "the SSH key exchange";
        let log_in = async {
            let mut handle = client::connect_stream(Arc::new(config), stream, handler).await.map_err(|source| {
                let problem = problem.lock().unwrap_or_else(PoisonError::into_inner).take();
                match (problem, source) {
                    (Some(problem), _) => SshError::HostKey { device: device.clone(), problem: Box::new(problem) },
                    (None, source) => during(device, "while the keys were exchanged", source),
                }
            })?;
            waited_for = "the SSH log-in";
            authenticate(device, peer.user, &peer.login, &mut handle).await?;
            Ok(handle)
        };
        match tokio::time::timeout(limit, log_in).await {
            Ok(handle) => {
                Ok(Self { device: device.clone(), handle: handle?, limits: limits.clone(), _through: through })
            }
            Err(_) => Err(SshError::TimedOut { device: device.clone(), waited_for: waited_for.into(), limit }),
        }
    }

    /// Returns the limits that were given to [`Connection::open`].
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Says whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Lets the host connect to another one; what is written then comes out there. `hop` is this host's own name.
    pub(crate) async fn forward(
        &self,
        device: &NodeName,
        hop: &str,
        to: &Endpoint,
    ) -> Result<ChannelStream<Msg>, SshError> {
        let limit = self.limits.connect;
        let fail = |reason: String| SshError::Forward {
            device: device.clone(),
            hop: hop.to_owned(),
            to: to.to_string(),
            reason,
        };
        let opening = self.handle.channel_open_direct_tcpip(to.host.clone(), to.port.into(), "127.0.0.1", 0);
        match tokio::time::timeout(limit, opening).await {
            Ok(Ok(channel)) => Ok(channel.into_stream()),
            Ok(Err(russh::Error::ChannelOpenFailure(why))) => Err(fail(match why {
                ChannelOpenFailure::AdministrativelyProhibited => "it does not forward, or not to there".into(),
                ChannelOpenFailure::ConnectFailed => "it gets no connection".into(),
                why => format!("{why:?}"),
            })),
            Ok(Err(error)) => Err(fail(error.to_string())),
            Err(_) => Err(fail(format!("no answer within {} s", limit.as_secs_f64()))),
        }
    }

    /// Tells whether the other end answers.
    pub(crate) async fn answers(&self) -> bool {
        let asked = tokio::time::timeout(self.limits.keepalive, self.handle.send_ping()).await;
        matches!(asked, Ok(Ok(()))) && !self.is_closed()
    }

    /// Opens a channel.
    pub(crate) async fn channel(&self, limit: Duration) -> Result<Channel<Msg>, SshError> {
        let opened = tokio::time::timeout(limit, self.handle.channel_open_session()).await;
        let opened = opened.map_err(|_| SshError::TimedOut {
            device: self.device.clone(),
            waited_for: "an SSH channel".into(),
            limit,
        })?;
        opened.map_err(|source| during(&self.device, "while a channel was opened", source))
    }

    /// Runs a command in a channel of its own, sends `input` to it and waits for its end.
    ///
    /// # Errors
    /// A command that takes longer than `limit`, a connection that is lost, and an end without exit status are errors; an
    /// exit status other than 0 is not.
    pub async fn exec(&self, command: &str, input: Option<&str>, limit: Duration) -> Result<ExecOutput, SshError> {
        let timed_out = || SshError::TimedOut {
            device: self.device.clone(),
            waited_for: format!("`{}` to end", brief(command)),
            limit,
        };
        let began = std::time::Instant::now();
        let (mut reader, writer) = self.channel(limit).await?.split();
        let left = limit.saturating_sub(began.elapsed());
        if let Ok(output) = tokio::time::timeout(left, self.run(&mut reader, &writer, command, input)).await {
            return output;
        }
        // What was given up must not go on behind our back. Not every server passes signals on, so this is no guarantee.
        let stop = async {
            let _ = writer.signal(russh::Sig::KILL).await;
            while reader.wait().await.is_some() {}
        };
        let _ = tokio::time::timeout(STOP_LIMIT, stop).await;
        let _ = writer.close().await;
        Err(timed_out())
    }

    async fn run(
        &self,
        reader: &mut ChannelReadHalf,
        writer: &ChannelWriteHalf<Msg>,
        command: &str,
        input: Option<&str>,
    ) -> Result<ExecOutput, SshError> {
        let while_running = || format!("while `{}` ran", brief(command));
        let fail = |source| during(&self.device, &while_running(), source);
        writer.exec(true, command).await.map_err(fail)?;
        let send = async {
            // A command may end before it has read everything: what it says counts, not that writing failed.
            if let Some(input) = input {
                let _ = writer.data(input.as_bytes()).await;
            }
            let _ = writer.eof().await;
        };
        tokio::pin!(send);
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let (mut status, mut signal) = (None, None);
        let (mut sent, mut refused, mut ended) = (false, false, false);
        while !refused {
            // Both at once: a device that answers while it reads must not wait for us, nor we for it.
            tokio::select! {
                () = &mut send, if !sent => sent = true,
                message = reader.wait() => match message {
                    Some(ChannelMsg::Data { data }) => stdout.extend_from_slice(&data),
                    Some(ChannelMsg::ExtendedData { data, .. }) => stderr.extend_from_slice(&data),
                    Some(ChannelMsg::ExitStatus { exit_status }) => status = Some(exit_status),
                    Some(ChannelMsg::ExitSignal { signal_name, .. }) => signal = Some(format!("{signal_name:?}")),
                    Some(ChannelMsg::Failure) => refused = true,
                    Some(ChannelMsg::Eof | ChannelMsg::Close) => ended = true,
                    Some(_) => {}
                    None => break,
                },
            }
        }
        if refused {
            return Err(fail(russh::Error::RequestDenied));
        }
        match status {
            Some(status) => Ok(ExecOutput { status, stdout: text(stdout), stderr: text(stderr) }),
            None if signal.is_none() && (!ended || self.handle.is_closed()) => Err(fail(russh::Error::Disconnect)),
            None => Err(SshError::NoExitStatus { device: self.device.clone(), command: brief(command), signal }),
        }
    }

    /// Says good-bye. It does not wait for an answer.
    pub async fn close(self) {
        let farewell = self.handle.disconnect(Disconnect::ByApplication, "", "en");
        let _ = tokio::time::timeout(Duration::from_millis(200), farewell).await;
    }
}

/// Tells a lost connection from a misunderstanding.
pub(crate) fn during(device: &NodeName, during: &str, source: russh::Error) -> SshError {
    let lost = |reason: String| SshError::Lost { device: device.clone(), during: during.to_owned(), reason };
    match source {
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::SendError | russh::Error::RecvError => {
            lost("the device closed it".into())
        }
        russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout | russh::Error::ConnectionTimeout => {
            lost("the device is silent".into())
        }
        russh::Error::IO(error) => lost(error.to_string()),
        source => SshError::Protocol { device: device.clone(), during: during.to_owned(), source: Box::new(source) },
    }
}

/// The first line of a command, shortened: a command may be a whole script.
pub(crate) fn brief(command: &str) -> String {
    const MOST: usize = 120;
    let line = command.trim().lines().next().unwrap_or_default();
    if line.chars().count() <= MOST && line.len() == command.trim().len() {
        line.to_owned()
    } else {
        format!("{} ...", line.chars().take(MOST).collect::<String>())
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
