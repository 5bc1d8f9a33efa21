//! A TCP proxy between a controller and a device that breaks the connection on demand.
//!
//! A test or a drill puts the proxy's address into the inventory in the place of the device's, lets Weft work, and disturbs
//! it: at once with [`Proxy::disturb`], or behind a number of octets of a direction with [`Proxy::disturb_behind`]. SSH runs
//! through it as through any network, and notices whatever happens to a single octet.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddr, TcpStream as BlockingTcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nix::sched::{CloneFlags, setns};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{oneshot, watch},
    task::{JoinHandle, JoinSet},
};

/// How long the device may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How many connections may wait to be accepted.
const BACKLOG: u32 = 64;

/// A way of the octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the controller to the device.
    ToDevice,
    /// From the device to the controller.
    FromDevice,
}

/// Something that happens to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// Connections end, and new ones are refused until [`Proxy::heal`].
    Refuse,
    /// Connections end. New ones are well.
    Cut,
    /// Nothing is passed on until [`Proxy::heal`], and everything then.
    Stall,
    /// What comes until [`Proxy::heal`] is thrown away. A connection that lost something stays silent for good.
    Drop,
    /// Everything is passed on so much later, until [`Proxy::heal`].
    Delay(Duration),
    /// One octet is changed: the next one, or the one behind those that were counted.
    Corrupt,
}

/// A proxy in front of one device. It ends, with its connections, when the value is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What holds at a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Now {
    /// What lasts; never [`Disturbance::Cut`] or [`Disturbance::Corrupt`].
    lasting: Option<Disturbance>,
    /// How often connections were ended: those that began before the last time are to go.
    ends: u64,
}

/// A disturbance that waits for its octet.
#[derive(Debug, Clone, Copy)]
struct Planned {
    direction: Direction,
    /// How many octets are passed on before, of those that the proxy has counted in all.
    octet: u64,
    disturbance: Disturbance,
}

#[derive(Debug)]
struct Shared {
    device: Mutex<SocketAddr>,
    namespace: Option<PathBuf>,
    now: watch::Sender<Now>,
    planned: Mutex<Option<Planned>>,
    to_device: AtomicU64,
    from_device: AtomicU64,
}

impl Proxy {
    /// Listens on a loopback port of its own. Connections to the device begin in the network namespace of the file
    /// `namespace`, where there is one.
    ///
    /// # Errors
    /// Fails when there is no port to listen on.
    pub async fn start(device: SocketAddr, namespace: Option<&Path>) -> io::Result<Self> {
        // A socket that does not listen keeps the port ours while connections are refused.
        let reserve = socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = reserve.local_addr()?;
        let listener = socket(address)?.listen(BACKLOG)?;
        let shared = Arc::new(Shared {
            device: Mutex::new(device),
            namespace: namespace.map(Path::to_owned),
            now: watch::Sender::default(),
            planned: Mutex::default(),
            to_device: AtomicU64::new(0),
            from_device: AtomicU64::new(0),
        });
        let task = tokio::spawn(serve(Arc::clone(&shared), reserve, address, listener));
        Ok(Self { address, shared, task })
    }

    /// Returns where the controller is to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Disturbs the connections that there are and those to come. It returns at once.
    pub fn disturb(&self, disturbance: Disturbance) {
        match disturbance {
            Disturbance::Corrupt => self.disturb_behind(Direction::FromDevice, 0, disturbance),
            Disturbance::Refuse | Disturbance::Cut | Disturbance::Stall | Disturbance::Drop | Disturbance::Delay(_) => {
                self.shared.disturb(disturbance)
            }
        }
    }

    /// Disturbs the connections as soon as so many more octets have been passed on in a direction, whatever connection they
    /// belong to. It takes the place of another one that waits.
    pub fn disturb_behind(&self, direction: Direction, octets: u64, disturbance: Disturbance) {
        let mut planned = self.shared.planned();
        *planned = Some(Planned { direction, octet: self.passed(direction) + octets, disturbance });
    }

    /// Ends what lasts and what waits. Connections that were ended stay so.
    pub fn heal(&self) {
        *self.shared.planned() = None;
        self.shared.now.send_modify(|now| now.lasting = None);
    }

    /// Lets new connections end at another address, as if another device had taken this one's.
    pub fn lead_to(&self, device: SocketAddr) {
        *self.shared.device() = device;
    }

    /// Returns how many octets came through in a direction, over all connections; those that were thrown away count, too.
    pub fn passed(&self, direction: Direction) -> u64 {
        self.shared.counter(direction).load(Ordering::Acquire)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn device(&self) -> MutexGuard<'_, SocketAddr> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn planned(&self) -> MutexGuard<'_, Option<Planned>> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counter(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::ToDevice => &self.to_device,
            Direction::FromDevice => &self.from_device,
        }
    }

    fn disturb(&self, disturbance: Disturbance) {
        self.now.send_modify(|now| match disturbance {
            Disturbance::Cut => now.ends += 1,
            Disturbance::Refuse => {
                now.ends += 1;
                now.lasting = Some(disturbance);
            }
            Disturbance::Stall | Disturbance::Drop | Disturbance::Delay(_) => now.lasting = Some(disturbance),
            Disturbance::Corrupt => {}
        });
    }

    /// Counts octets that are to be passed on. Returns how many of them go before a disturbance that waited for them.
    fn count(&self, direction: Direction, octets: usize) -> Option<(usize, Disturbance)> {
        let mut planned = self.planned();
        let counter = self.counter(direction);
        let before = counter.load(Ordering::Acquire);
        let here = planned.filter(|planned| planned.direction == direction);
        let at = here.and_then(|planned| usize::try_from(planned.octet.saturating_sub(before)).ok());
        match (here, at) {
            (Some(Planned { disturbance, .. }), Some(at)) if at < octets => {
                *planned = None;
                let counted = if disturbance == Disturbance::Corrupt { octets } else { at };
                counter.fetch_add(counted as u64, Ordering::AcqRel);
                Some((at, disturbance))
            }
            _ => {
                counter.fetch_add(octets as u64, Ordering::AcqRel);
                None
            }
        }
    }

    /// Connects to the device, from inside the network namespace where there is one.
    async fn connect(&self) -> io::Result<TcpStream> {
        let device = *self.device();
        let Some(namespace) = self.namespace.clone() else { return TcpStream::connect(device).await };
        // A thread that entered a namespace stays in it: one is made for this connection and thrown away.
        let (sender, receiver) = oneshot::channel();
        let work = move || {
            setns(File::open(namespace)?, CloneFlags::CLONE_NEWNET)?;
            BlockingTcpStream::connect_timeout(&device, CONNECT_LIMIT)
        };
        std::thread::Builder::new().name("weft-proxy".into()).spawn(move || {
            // The other end is gone when the proxy has ended.
            let _ = sender.send(work());
        })?;
        let stream = receiver.await.map_err(io::Error::other)??;
        stream.set_nonblocking(true)?;
        TcpStream::from_std(stream)
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Accepts connections until the task is aborted. `reserve` keeps the port meanwhile.
async fn serve(shared: Arc<Shared>, reserve: TcpSocket, address: SocketAddr, listener: TcpListener) {
    // Connections end with the task.
    let mut connections = JoinSet::new();
    let mut listener = Some(listener);
    let mut now = shared.now.subscribe();
    loop {
        while connections.try_join_next().is_some() {}
        let refuses = now.borrow_and_update().lasting == Some(Disturbance::Refuse);
        if refuses {
            listener = None;
        } else if listener.is_none() {
            // The port is ours still; what is missing is memory or a file descriptor, and neither for ever.
            listener = socket(address).and_then(|socket| socket.listen(BACKLOG)).ok();
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None if refuses => std::future::pending().await,
                None => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Err(io::ErrorKind::NotConnected.into())
                }
            }
        };
        tokio::select! {
            biased;
            changed = now.changed() => if changed.is_err() { break },
            accepted = accepted => if let Ok((controller, _)) = accepted {
                connections.spawn(connection(Arc::clone(&shared), controller));
            },
        }
    }
    drop(reserve);
}

/// Passes octets on between a controller and its device until either ends, or both are ended.
async fn connection(shared: Arc<Shared>, controller: TcpStream) {
    let mut now = shared.now.subscribe();
    let ends = now.borrow_and_update().ends;
    let serve = async {
        let device = shared.connect().await?;
        controller.set_nodelay(true)?;
        device.set_nodelay(true)?;
        let (from_controller, to_controller) = controller.into_split();
        let (from_device, to_device) = device.into_split();
        let way = |direction, reader, writer| Way {
            shared: Arc::clone(&shared),
            now: shared.now.subscribe(),
            direction,
            reader,
            writer,
            lost: false,
        };
        let there = way(Direction::ToDevice, from_controller, to_device);
        let back = way(Direction::FromDevice, from_device, to_controller);
        let (there, back) = tokio::join!(there.run(), back.run());
        there.and(back)
    };
    tokio::select! {
        biased;
        // What is dropped here closes both sides.
        _ = now.wait_for(|now| now.ends != ends) => {}
        // How a connection ended is for its ends to know.
        _ = serve => {}
    }
}

/// One direction of a connection.
struct Way {
    shared: Arc<Shared>,
    now: watch::Receiver<Now>,
    direction: Direction,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    /// Whether something of it was thrown away.
    lost: bool,
}

impl Way {
    async fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            self.while_stalled().await;
            let read = tokio::select! {
                biased;
                _ = self.now.changed() => continue,
                read = self.reader.read(&mut buffer) => read?,
            };
            let Some(octets) = buffer.get_mut(..read).filter(|octets| !octets.is_empty()) else { break };
            match self.shared.count(self.direction, octets.len()) {
                None => self.pass_on(octets).await?,
                Some((at, Disturbance::Corrupt)) => {
                    if let Some(octet) = octets.get_mut(at) {
                        *octet ^= 0x20;
                    }
                    self.pass_on(octets).await?;
                }
                Some((at, disturbance)) => {
                    let (before, behind) = octets.split_at(at);
                    self.pass_on(before).await?;
                    self.shared.disturb(disturbance);
                    if matches!(disturbance, Disturbance::Refuse | Disturbance::Cut) {
                        // Whoever watches over this connection ends it.
                        std::future::pending::<()>().await;
                    }
                    self.shared.count(self.direction, behind.len());
                    self.pass_on(behind).await?;
                }
            }
        }
        self.while_stalled().await;
        if self.lost || self.now.borrow().lasting == Some(Disturbance::Drop) {
            // Nor does the other side hear of the end.
            std::future::pending::<()>().await;
        }
        self.writer.shutdown().await
    }

    async fn while_stalled(&mut self) {
        // The sender is in `shared`, which this has.
        let _ = self.now.wait_for(|now| now.lasting != Some(Disturbance::Stall)).await;
    }

    async fn pass_on(&mut self, octets: &[u8]) -> io::Result<()> {
        self.while_stalled().await;
        let lasting = self.now.borrow().lasting;
        match lasting {
            Some(Disturbance::Delay(delay)) => tokio::time::sleep(delay).await,
            Some(Disturbance::Drop) => self.lost |= !octets.is_empty(),
            Some(Disturbance::Refuse | Disturbance::Cut | Disturbance::Stall | Disturbance::Corrupt) | None => {}
        }
        if self.lost { Ok(()) } else { self.writer.write_all(octets).await }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that repeats what it hears.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reader, mut writer) = stream.into_split();
                    let _ = tokio::io::copy(&mut reader, &mut writer).await;
                });
            }
        });
        address
    }

    async fn repeated(stream: &mut TcpStream, text: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(text).await?;
        let mut heard = vec![0; text.len()];
        let read = tokio::time::timeout(Duration::from_millis(300), stream.read_exact(&mut heard)).await;
        read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(heard)
    }

    async fn kind(stream: &mut TcpStream) -> io::ErrorKind {
        repeated(stream, b"hello").await.unwrap_err().kind()
    }

    #[tokio::test]
    async fn connections_are_disturbed_as_they_are_told() {
        let proxy = Proxy::start(echo().await, None).await.unwrap();
        let connect = || TcpStream::connect(proxy.address());
        let mut stream = connect().await.unwrap();
        assert_eq!(repeated(&mut stream, b"hello").await.unwrap(), b"hello");
        assert_eq!(proxy.passed(Direction::ToDevice), 5);

        proxy.disturb_behind(Direction::FromDevice, 2, Disturbance::Corrupt);
        assert_eq!(repeated(&mut stream, b"hello").await.unwrap(), b"heLlo");
        assert_eq!(repeated(&mut stream, b"hello").await.unwrap(), b"hello");

        // What is stalled comes later, and what is dropped never does.
        proxy.disturb(Disturbance::Stall);
        assert_eq!(kind(&mut stream).await, io::ErrorKind::TimedOut);
        proxy.heal();
        stream.read_exact(&mut [0; 5]).await.unwrap();
        proxy.disturb(Disturbance::Drop);
        assert_eq!(kind(&mut stream).await, io::ErrorKind::TimedOut);
        proxy.heal();
        assert_eq!(kind(&mut stream).await, io::ErrorKind::TimedOut);

        let mut stream = connect().await.unwrap();
        assert_eq!(repeated(&mut stream, b"hello").await.unwrap(), b"hello");
        proxy.disturb(Disturbance::Cut);
        assert_ne!(kind(&mut stream).await, io::ErrorKind::TimedOut);
        let mut stream = connect().await.unwrap();
        proxy.disturb_behind(Direction::ToDevice, 3, Disturbance::Cut);
        assert_ne!(kind(&mut stream).await, io::ErrorKind::TimedOut);
        assert_eq!(proxy.passed(Direction::ToDevice), 38);

        let mut stream = connect().await.unwrap();
        assert_eq!(repeated(&mut stream, b"hello").await.unwrap(), b"hello");
        proxy.disturb(Disturbance::Refuse);
        assert_ne!(kind(&mut stream).await, io::ErrorKind::TimedOut);
        assert_eq!(connect().await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        proxy.heal();
        proxy.disturb(Disturbance::Delay(Duration::from_millis(50)));
        let refused_still = || async { connect().await.is_err() };
        let end = tokio::time::Instant::now() + Duration::from_secs(10);
        while refused_still().await {
            assert!(tokio::time::Instant::now() < end, "the port is open again");
            tokio::task::yield_now().await;
        }
        let begun = std::time::Instant::now();
        let mut stream = connect().await.unwrap();
        assert_eq!(repeated(&mut stream, b"hello").await.unwrap(), b"hello");
        assert!(begun.elapsed() >= Duration::from_millis(100));
    }
}
