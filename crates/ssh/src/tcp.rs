//! The TCP connection, from inside a network namespace where one is named.

use std::{
    fs::File,
    io,
    net::{SocketAddr, TcpStream as BlockingTcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sched::{CloneFlags, setns};
use tokio::net::TcpStream;
use weft_model::NodeName;

use crate::{Endpoint, Limits, SshError};

/// Connects; the socket sends small packets at once.
pub(crate) async fn connect(
    device: &NodeName,
    address: SocketAddr,
    namespace: Option<&Path>,
    limits: &Limits,
) -> Result<TcpStream, SshError> {
    let limit = limits.connect;
    let timed_out =
        || SshError::TimedOut { device: device.clone(), waited_for: format!("a TCP connection to {address}"), limit };
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::ConnectionRefused => SshError::Refused { device: device.clone(), address },
        io::ErrorKind::TimedOut => timed_out(),
        _ => SshError::Unreachable { device: device.clone(), address, source },
    };
    let stream = match namespace {
        None => tokio::time::timeout(limit, TcpStream::connect(address)).await.map_err(|_| timed_out())?.map_err(io)?,
        Some(namespace) => match connect_in(namespace.to_owned(), address, limit).await {
            Ok(stream) => stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)).map_err(io)?,
            Err(InNamespace::Enter(source)) => {
                return Err(SshError::NetworkNamespace { device: device.clone(), path: namespace.to_owned(), source });
            }
            Err(InNamespace::Connect(source)) => return Err(io(source)),
        },
    };
    stream.set_nodelay(true).map_err(io)?;
    Ok(stream)
}

/// Returns the address of a jump host; its name is looked up where it is one.
pub(crate) async fn look_up(device: &NodeName, endpoint: &Endpoint, limits: &Limits) -> Result<SocketAddr, SshError> {
    let limit = limits.connect;
    let fail = |reason: String| SshError::Name { device: device.clone(), name: endpoint.host.clone(), reason };
    if let Ok(address) = endpoint.host.parse() {
        return Ok(SocketAddr::new(address, endpoint.port));
    }
    let looking = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port));
    let mut found = match tokio::time::timeout(limit, looking).await {
        Ok(found) => found.map_err(|error| fail(error.to_string()))?,
        Err(_) => return Err(fail(format!("no answer within {} s", limit.as_secs_f64()))),
    };
    found.next().ok_or_else(|| fail("it has no address".into()))
}

/// Which half failed.
enum InNamespace {
    Enter(io::Error),
    Connect(io::Error),
}

/// A thread that entered a namespace stays in it, so one is made for this connection and thrown away; the socket keeps
/// the namespace it was made in.
async fn connect_in(path: PathBuf, address: SocketAddr, limit: Duration) -> Result<BlockingTcpStream, InNamespace> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let work = move || {
        let namespace = File::open(&path).map_err(InNamespace::Enter)?;
        setns(&namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| InNamespace::Enter(errno.into()))?;
        BlockingTcpStream::connect_timeout(&address, limit).map_err(InNamespace::Connect)
    };
    let thread = std::thread::Builder::new().name("weft-setns".into()).spawn(move || {
        // The other end is gone when the caller gave up.
        let _ = sender.send(work());
    });
    thread.map_err(InNamespace::Enter)?;
    receiver.await.unwrap_or_else(|_| Err(InNamespace::Enter(io::Error::other("the thread that enters it died"))))
}
