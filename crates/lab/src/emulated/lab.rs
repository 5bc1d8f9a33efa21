//! A lab from its start to its end, and the files by which others find it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use russh::keys::{Algorithm, PrivateKey, key::safe_rng, ssh_key::LineEnding};
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, UnixListener},
    runtime::Handle,
    task::JoinHandle,
};
use weft_compile::{ExternalRouters, Host};
use weft_model::{NodeName, PackName, SecretRef, TerminationPoint};
use weft_simulate::Cable;
use weft_ssh::{Inventory, SecretValue, Target};

use super::{
    Client, Executed, LabError, Status, control,
    fabric::{Device, Fabric},
    loom::{Configuration, Datastore, print},
    server,
    shared::Shared,
};
use crate::netns::Fault;

/// The file that says how the devices are reached.
const INVENTORY: &str = "inventory.yaml";
/// The file of the keys of the SSH servers.
const KNOWN_HOSTS: &str = "known_hosts";
/// The file of the key that logs in.
const IDENTITY: &str = "id_ed25519";
/// The file about the lab itself.
const RECORD: &str = "lab.yaml";
/// The control socket.
pub(super) const CONTROL: &str = "control.sock";
/// The user that logs in.
const USER: &str = "weft";

/// A lab to be started.
#[derive(Debug, Clone, Default)]
pub struct LabTopology {
    /// The switches that start bare: all they have is their host name.
    pub devices: BTreeSet<NodeName>,
    /// The cables between them.
    pub cables: Vec<Cable>,
    /// Routers that run a configuration from the start and are not in the inventory, with their cables. Where a session has
    /// a key, it is that of `secrets`, and the key's placeholder when it is not among them.
    pub external: ExternalRouters,
    /// The values of secrets that stand in the configurations of those routers.
    pub secrets: BTreeMap<SecretRef, SecretValue>,
    /// The hosts, each with a cable of its own.
    pub hosts: Vec<Host>,
}

/// A lab of this process. It ends when the value is dropped.
#[derive(Debug)]
pub struct Lab {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
    files: Vec<PathBuf>,
    inventory: PathBuf,
}

/// `lab.yaml`: what runs, for people and for [`Client`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    backend: String,
    pid: u32,
    /// The control socket, relative to the folder of the lab.
    pub(super) control: PathBuf,
    devices: BTreeMap<NodeName, SocketAddr>,
    external_routers: BTreeSet<NodeName>,
    hosts: BTreeMap<String, ipnet::IpNet>,
    cables: Vec<String>,
}

impl Record {
    /// Reads the record of the lab in a folder, or says why not.
    pub(super) fn read(dir: &Path) -> Result<Self, String> {
        let path = dir.join(RECORD);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let record: Self = serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        if record.backend == "emulated" {
            Ok(record)
        } else {
            Err(format!("the lab is of another kind: {}", record.backend))
        }
    }
}

impl Lab {
    /// Starts a lab and writes `inventory.yaml`, `known_hosts`, `id_ed25519` (for its owner's eyes), `lab.yaml` and the
    /// control socket into `dir`, which is made when it is not there. SSH answers when it returns.
    ///
    /// # Errors
    /// Fails when a lab runs in `dir` already, when the topology does not fit together, when an external router cannot run
    /// its configuration, and when files or sockets cannot be made.
    pub async fn start(topology: LabTopology, dir: &Path) -> Result<Self, LabError> {
        if Client::open(dir).is_ok() {
            return Err(LabError::AlreadyRunning { dir: dir.to_owned() });
        }
        validate(&topology)?;
        fs::create_dir_all(dir).map_err(|source| LabError::Write { path: dir.to_owned(), source })?;
        let dir = &std::path::absolute(dir).map_err(|source| LabError::Write { path: dir.to_owned(), source })?;

        let key = new_key("the key that logs in")?;
        let public = Arc::new(key.public_key().clone());
        let mut listeners = Vec::new();
        let mut devices = BTreeMap::new();
        let mut known_hosts = String::new();
        let mut inventory = Inventory::default();
        let pack = loom()?;
        for name in &topology.devices {
            let listen = |source| LabError::Listen { device: name.to_string(), source };
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(listen)?;
            let address = listener.local_addr().map_err(listen)?;
            let host_key = new_key("a host key")?;
            known_hosts += &format!("[{}]:{} {}\n", address.ip(), address.port(), public_text(host_key.public_key())?);
            let running = Configuration::read(name, &pack, &format!("hostname {name}\n"))
                .map_err(|mistakes| LabError::Topology(format!("{name}: {mistakes:?}")))?;
            devices.insert(name.clone(), device(name, &pack, running, Some(address)));
            inventory.devices.insert(
                name.clone(),
                Target {
                    identity: Some(IDENTITY.into()),
                    known_hosts: Some(KNOWN_HOSTS.into()),
                    pack: Some(pack.clone()),
                    ..Target::new(address, USER)
                },
            );
            listeners.push((name.clone(), listener, server::config(host_key)));
        }
        for (name, config) in &topology.external.configs {
            let value = |reference: &SecretRef| match topology.secrets.get(reference) {
                Some(value) => value.expose().to_owned(),
                None => reference.placeholder(),
            };
            let running = Configuration::read(name, &pack, &print(config, value)).map_err(|mistakes| {
                let reason: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                LabError::ExternalRouter { router: name.to_string(), reason: reason.join("; ") }
            })?;
            devices.insert(name.clone(), device(name, &pack, running, None));
        }

        let record = Record {
            backend: "emulated".to_owned(),
            pid: std::process::id(),
            control: control::socket_path(dir),
            devices: inventory.devices.iter().map(|(name, target)| (name.clone(), target.address)).collect(),
            external_routers: topology.external.configs.keys().cloned().collect(),
            hosts: topology.hosts.iter().map(|host| (host.name.clone(), host.address)).collect(),
            cables: cables(&topology).map(|[a, b]| format!("{a} -- {b}")).collect(),
        };
        let cables = cables(&topology).cloned().collect();
        let shared = Shared::new(Fabric::new(devices, cables, topology.hosts), Handle::current());
        let mut lab = Self { shared, tasks: Vec::new(), files: Vec::new(), inventory: dir.join(INVENTORY) };

        let private = key
            .to_openssh(LineEnding::LF)
            .map_err(|error| LabError::Key { what: "the key that logs in", reason: error.to_string() })?;
        lab.write(dir, IDENTITY, &private, 0o600)?;
        lab.write(dir, KNOWN_HOSTS, &known_hosts, 0o644)?;
        lab.write(dir, INVENTORY, &yaml(dir, INVENTORY, &inventory)?, 0o644)?;
        let listener = lab.control_socket(&record.control)?;
        lab.tasks.push(tokio::spawn(control::serve(Arc::clone(&lab.shared), listener)));
        for (name, listener, config) in listeners {
            let serve = server::serve(Arc::clone(&lab.shared), name, listener, config, Arc::clone(&public));
            lab.tasks.push(tokio::spawn(serve));
        }
        // Last: from here on others find the lab.
        lab.write(dir, RECORD, &yaml(dir, RECORD, &record)?, 0o644)?;
        Ok(lab)
    }

    /// Waits until [`Client::down`] ends the lab, then ends it.
    pub async fn run_until_down(self) {
        let mut down = self.shared.down.subscribe();
        // The sender lives in `self`.
        let _ = down.wait_for(|down| *down).await;
        drop(self);
    }

    /// Returns the file that says how the devices are reached.
    pub fn inventory(&self) -> &Path {
        &self.inventory
    }

    /// Returns what the lab is doing.
    pub fn status(&self) -> Status {
        control::status(&self.shared)
    }

    /// Breaks something. See [`Client::inject`].
    ///
    /// # Errors
    /// Fails when it is not there, or an emulated lab cannot break it.
    pub fn inject(&self, fault: &Fault) -> Result<(), LabError> {
        control::set_fault(&self.shared, fault, true).map_err(LabError::Refused)
    }

    /// Repairs something. See [`Client::heal`].
    ///
    /// # Errors
    /// Fails when it is not there.
    pub fn heal(&self, fault: &Fault) -> Result<(), LabError> {
        control::set_fault(&self.shared, fault, false).map_err(LabError::Refused)
    }

    /// Carries out lines on a device or host. See [`Client::exec`].
    ///
    /// # Errors
    /// Fails when there is no such device or host, or it is off.
    pub fn exec(&self, device: &str, command: &str) -> Result<Executed, LabError> {
        control::exec(&self.shared, device, command).map_err(LabError::Refused)
    }

    fn write(&mut self, dir: &Path, name: &str, text: &str, mode: u32) -> Result<(), LabError> {
        let path = dir.join(name);
        let failed = |source| LabError::Write { path: path.clone(), source };
        // A file that a dead lab left may have another mode.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).map_err(failed)?;
        self.files.push(path.clone());
        file.write_all(text.as_bytes()).map_err(failed)
    }

    fn control_socket(&mut self, path: &Path) -> Result<UnixListener, LabError> {
        let failed = |source| LabError::Control { path: path.to_owned(), source };
        // Nobody answered there: what is left of a dead lab.
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        self.files.push(path.to_owned());
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(path, owner_only).map_err(failed)?;
        Ok(listener)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Files first: that the control socket closes tells a client that all is gone.
        for file in &self.files {
            // Somebody may have taken it away already.
            let _ = fs::remove_file(file);
        }
        self.shared.cut_all();
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Returns a number that no other lab of this process has.
pub(super) fn unique() -> u64 {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

fn device(name: &NodeName, pack: &PackName, running: Configuration, address: Option<SocketAddr>) -> Device {
    Device {
        datastore: Datastore::new(name.clone(), pack.clone(), running),
        address,
        rejects: Vec::new(),
        refused_commands: Vec::new(),
        disk: None,
        login_refused: false,
        ssh_cut: false,
        loses_management: false,
        management_lost: false,
    }
}

fn loom() -> Result<PackName, LabError> {
    "loom".parse().map_err(|error: weft_model::InvalidName| LabError::Topology(error.to_string()))
}

fn cables(topology: &LabTopology) -> impl Iterator<Item = &Cable> {
    topology.cables.iter().chain(&topology.external.cables)
}

/// Looks for names that are there twice, and cables that end nowhere or where another one does.
fn validate(topology: &LabTopology) -> Result<(), LabError> {
    let refuse = |reason: String| Err(LabError::Topology(reason));
    if let Some(twice) = topology.external.configs.keys().find(|name| topology.devices.contains(*name)) {
        return refuse(format!("{twice} is both a switch and an external router"));
    }
    let known = |end: &TerminationPoint| {
        topology.devices.contains(&end.node) || topology.external.configs.contains_key(&end.node)
    };
    let mut used = BTreeSet::new();
    for end in cables(topology).flatten().chain(topology.hosts.iter().map(|host| &host.port)) {
        if !known(end) {
            return refuse(format!("a cable ends at {end}, which is not there"));
        }
        if !used.insert(end) {
            return refuse(format!("two cables end at {end}"));
        }
    }
    let mut names = BTreeSet::new();
    for host in &topology.hosts {
        let taken = topology.devices.contains(host.name.as_str())
            || topology.external.configs.contains_key(host.name.as_str())
            || !names.insert(&host.name);
        if taken {
            return refuse(format!("the name of the host {} is there twice", host.name));
        }
    }
    Ok(())
}

fn new_key(what: &'static str) -> Result<PrivateKey, LabError> {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)
        .map_err(|error| LabError::Key { what, reason: error.to_string() })
}

fn public_text(key: &russh::keys::PublicKey) -> Result<String, LabError> {
    let text = key.to_openssh().map_err(|error| LabError::Key { what: "a host key", reason: error.to_string() })?;
    Ok(text.trim().to_owned())
}

fn yaml(dir: &Path, name: &str, value: &impl Serialize) -> Result<String, LabError> {
    serde_saphyr::to_string(value)
        .map_err(|error| LabError::Write { path: dir.join(name), source: std::io::Error::other(error.to_string()) })
}
