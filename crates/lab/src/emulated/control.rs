//! The control socket of a lab: status, faults, commands by hand, the end; and the client for other processes.
//!
//! One JSON document a line in each direction: a request, its response.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt},
    net::UnixListener,
    task::JoinSet,
};
use weft_device::state::SessionState;
use weft_model::NodeName;

use super::{
    LabError,
    lab::{self, Record},
    loom::{Cli, ping_from_host},
    shared::Shared,
};
use crate::netns::Fault;

/// The lab answers a request in less than this.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// The longest request, in octets.
const LONGEST_REQUEST: usize = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
enum Request {
    Status,
    Fault { fault: Fault, broken: bool },
    Exec { device: String, command: String },
    Down,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case")]
enum Response {
    Done,
    Status(Status),
    Executed(Executed),
    Refused { reason: String },
}

/// What a lab is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The process that runs it.
    pub pid: u32,
    /// Its devices, external routers among them.
    pub devices: BTreeMap<NodeName, DeviceStatus>,
    /// Its hosts by name, with their addresses.
    pub hosts: BTreeMap<String, ipnet::IpNet>,
    /// What is broken on purpose.
    pub faults: BTreeSet<Fault>,
}

/// What a device is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceStatus {
    /// Where its SSH server listens; `None` for an external router.
    pub address: Option<SocketAddr>,
    /// Whether it has power.
    pub on: bool,
    /// Whether SSH reaches it.
    pub reachable: bool,
    /// The transaction on it, as `show transaction` prints it.
    pub transaction: String,
    /// Its BGP sessions that are established.
    pub established: usize,
    /// All its BGP sessions.
    pub neighbors: usize,
}

/// What became of a command by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    /// What it printed.
    pub output: String,
    /// Whether the device refused something.
    pub failed: bool,
}

/// A lab that another process runs.
#[derive(Debug, Clone)]
pub struct Client {
    dir: PathBuf,
    socket: PathBuf,
}

impl Client {
    /// Finds the lab in a folder.
    ///
    /// # Errors
    /// Fails when there is none, or it does not answer.
    pub fn open(dir: &Path) -> Result<Self, LabError> {
        let not_running = |reason: String| LabError::NotRunning { dir: dir.to_owned(), reason };
        let record = Record::read(dir).map_err(&not_running)?;
        let socket = dir.join(record.control);
        UnixStream::connect(&socket).map_err(|error| not_running(format!("{}: {error}", socket.display())))?;
        Ok(Self { dir: dir.to_owned(), socket })
    }

    /// Asks what the lab is doing.
    ///
    /// # Errors
    /// Fails when the lab does not answer.
    pub fn status(&self) -> Result<Status, LabError> {
        match self.ask(&Request::Status)? {
            Response::Status(status) => Ok(status),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Breaks something.
    ///
    /// # Errors
    /// Fails when it is not there, or an emulated lab cannot break it.
    pub fn inject(&self, fault: &Fault) -> Result<(), LabError> {
        self.done(&Request::Fault { fault: fault.clone(), broken: true })
    }

    /// Repairs something. It need not be broken.
    ///
    /// # Errors
    /// Fails when it is not there.
    pub fn heal(&self, fault: &Fault) -> Result<(), LabError> {
        self.done(&Request::Fault { fault: fault.clone(), broken: false })
    }

    /// Carries out lines on the command line of a device, with ` ; ` between them, in a session of their own; on a host
    /// `ping DESTINATION [count N]`.
    ///
    /// # Errors
    /// Fails when there is no such device or host, or it is off. What a device refuses is in the answer.
    pub fn exec(&self, device: &str, command: &str) -> Result<Executed, LabError> {
        match self.ask(&Request::Exec { device: device.to_owned(), command: command.to_owned() })? {
            Response::Executed(executed) => Ok(executed),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Ends the lab, and waits until it has taken its files away.
    ///
    /// # Errors
    /// Fails when the lab does not answer.
    pub fn down(&self) -> Result<(), LabError> {
        let stream = self.send(&Request::Down)?;
        // The lab closes the connection as the last thing it does.
        BufReader::new(stream).lines().try_for_each(|line| line.map(|_| ())).map_err(|error| self.talk(error))
    }

    fn done(&self, request: &Request) -> Result<(), LabError> {
        match self.ask(request)? {
            Response::Done => Ok(()),
            other => Err(self.unexpected(&other)),
        }
    }

    fn send(&self, request: &Request) -> Result<UnixStream, LabError> {
        let mut stream = UnixStream::connect(&self.socket).map_err(|error| self.talk(error))?;
        stream.set_read_timeout(Some(ANSWER_LIMIT)).map_err(|error| self.talk(error))?;
        let line = serde_json::to_string(request).map_err(|error| self.talk(error))? + "\n";
        stream.write_all(line.as_bytes()).map_err(|error| self.talk(error))?;
        Ok(stream)
    }

    fn ask(&self, request: &Request) -> Result<Response, LabError> {
        let mut line = String::new();
        BufReader::new(self.send(request)?).read_line(&mut line).map_err(|error| self.talk(error))?;
        match serde_json::from_str(&line).map_err(|error| self.talk(error))? {
            Response::Refused { reason } => Err(LabError::Refused(reason)),
            response => Ok(response),
        }
    }

    fn talk(&self, reason: impl std::fmt::Display) -> LabError {
        LabError::Talk { dir: self.dir.clone(), reason: reason.to_string() }
    }

    fn unexpected(&self, response: &Response) -> LabError {
        self.talk(format!("the answer fits no question: {response:?}"))
    }
}

/// Serves the control socket until the task is aborted.
pub(super) async fn serve(lab: Arc<Shared>, listener: UnixListener) {
    // Connections end with the task.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let lab = Arc::clone(&lab);
        connections.spawn(async move {
            let (read, mut write) = stream.into_split();
            let mut lines =
                tokio::io::BufReader::new(tokio::io::AsyncReadExt::take(read, LONGEST_REQUEST as u64)).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let lab = Arc::clone(&lab);
                let down = matches!(serde_json::from_str(&line), Ok(Request::Down));
                let answered = tokio::task::spawn_blocking({
                    let lab = Arc::clone(&lab);
                    move || answer(&lab, &line)
                });
                let Ok(response) = answered.await else { return };
                let Ok(text) = serde_json::to_string(&response) else { return };
                if write.write_all((text + "\n").as_bytes()).await.is_err() {
                    return;
                }
                if down {
                    // The connection is held open: that it closes tells the client that the lab has ended.
                    lab.down.send_replace(true);
                    std::future::pending::<()>().await;
                }
            }
        });
    }
}

fn answer(lab: &Arc<Shared>, line: &str) -> Response {
    let request: Request = match serde_json::from_str(line) {
        Ok(request) => request,
        Err(error) => return Response::Refused { reason: format!("not a request: {error}") },
    };
    match request {
        Request::Status => Response::Status(status(lab)),
        Request::Fault { fault, broken } => match set_fault(lab, &fault, broken) {
            Ok(()) => Response::Done,
            Err(reason) => Response::Refused { reason },
        },
        Request::Exec { device, command } => match exec(lab, &device, &command) {
            Ok(executed) => Response::Executed(executed),
            Err(reason) => Response::Refused { reason },
        },
        Request::Down => Response::Done,
    }
}

/// Returns what the lab is doing.
pub(super) fn status(lab: &Shared) -> Status {
    let mut fabric = lab.fabric();
    let prediction = fabric.prediction();
    let devices = fabric
        .devices
        .iter()
        .map(|(name, device)| {
            let neighbors = prediction.states.get(name).and_then(|state| state.neighbors.as_ref());
            let established = neighbors
                .into_iter()
                .flatten()
                .filter(|(_, neighbor)| neighbor.session_state == SessionState::Established)
                .count();
            let on = fabric.is_on(name);
            let status = DeviceStatus {
                address: device.address,
                on,
                reachable: on && device.address.is_some() && !device.ssh_cut && !device.management_lost,
                transaction: device.datastore.transaction(),
                established,
                neighbors: device.datastore.running().config.bgp.as_ref().map_or(0, |bgp| bgp.neighbors.len()),
            };
            (name.clone(), status)
        })
        .collect();
    let hosts = fabric.hosts.iter().map(|(name, host)| (name.clone(), host.address)).collect();
    Status { pid: std::process::id(), devices, hosts, faults: fabric.faults().clone() }
}

/// Breaks something, or repairs it.
pub(super) fn set_fault(lab: &Shared, fault: &Fault, broken: bool) -> Result<(), String> {
    let cut = lab.fabric().set_fault(fault, broken)?;
    if let Some(device) = cut {
        lab.cut(&device);
    }
    Ok(())
}

/// Carries out lines on a device, or `ping` on a host.
pub(super) fn exec(lab: &Arc<Shared>, name: &str, command: &str) -> Result<Executed, String> {
    if lab.fabric().hosts.contains_key(name) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let ["ping", rest @ ..] = words.as_slice() else {
            return Err(format!("a host knows only `ping DESTINATION [count N]`, not `{}`", command.escape_debug()));
        };
        return Ok(match ping_from_host(lab, name, rest) {
            Ok(output) => Executed { output, failed: false },
            Err(why) => Executed { output: format!("% {why}\n"), failed: true },
        });
    }
    let device: NodeName = name.parse().map_err(|_| format!("there is no device or host {}", name.escape_debug()))?;
    {
        let fabric = lab.fabric();
        if !fabric.devices.contains_key(&device) {
            return Err(format!("there is no device or host {device}"));
        }
        if !fabric.is_on(&device) {
            return Err(format!("{device} is off"));
        }
    }
    let mut cli = Cli::new(Arc::clone(lab), device);
    let mut executed = Executed { output: String::new(), failed: false };
    for line in command.split(" ; ") {
        let reply = cli.execute(line.trim());
        executed.failed |= reply.output.starts_with("% ");
        executed.output += &reply.output;
        if reply.ends || executed.failed {
            break;
        }
    }
    Ok(executed)
}

/// Returns the place of the control socket of a lab in `dir`: there, or, where its path would be too long for a socket, in
/// the system's folder for temporary files.
pub(super) fn socket_path(dir: &Path) -> PathBuf {
    /// Less than the 104 to 108 octets that systems allow, with the final NUL.
    const LONGEST: usize = 100;
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let path = dir.join(lab::CONTROL);
    if path.as_os_str().len() <= LONGEST {
        path
    } else {
        std::env::temp_dir().join(format!("weft-lab-{}-{}.sock", std::process::id(), lab::unique()))
    }
}
