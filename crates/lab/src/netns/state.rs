//! What a lab consists of, on disk: whatever happens to the process that made it, another one can find and remove all of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use weft_device::config::AfiSafi;
use weft_model::{InterfaceName, NodeName, PackName, TerminationPoint};

use super::{Fault, HostAddress, LabError, processes::Process};

/// `lab.yaml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The prefix of the namespaces.
    pub(super) name: String,
    /// The boot of the machine at which it was made.
    pub(super) boot_id: String,
    /// All its network namespaces.
    pub(super) namespaces: Vec<String>,
    /// What it mounted outside its routers.
    pub(super) mounts: Vec<PathBuf>,
    /// Routers of both kinds.
    pub(super) routers: BTreeMap<NodeName, Router>,
    /// Hosts.
    pub(super) hosts: BTreeMap<NodeName, HostState>,
    /// Cables between routers.
    pub(super) cables: Vec<[TerminationPoint; 2]>,
    /// What was broken on purpose.
    pub(super) faults: BTreeSet<Fault>,
}

/// A router.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Router {
    pub(super) pack: PackName,
    pub(super) namespace: String,
    /// Its folder: what it wrote, its logs.
    pub(super) folder: PathBuf,
    /// `None` for an external router.
    pub(super) management: Option<Management>,
    pub(super) interfaces: BTreeSet<InterfaceName>,
    /// The families for which it can run OSPF.
    #[serde(default)]
    pub(super) ospf: BTreeSet<AfiSafi>,
    /// What runs, unless it is off.
    pub(super) container: Option<Container>,
}

/// How a router is managed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Management {
    pub(super) address: IpAddr,
    /// The other end of `mgmt0`, in the management namespace.
    pub(super) port: String,
}

/// The processes of a router.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Container {
    /// Its end ends all the others.
    pub(super) supervisor: Process,
    /// PID 1 inside.
    pub(super) init: Process,
}

/// A host.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostState {
    pub(super) namespace: String,
    pub(super) port: TerminationPoint,
    pub(super) address: IpNet,
    pub(super) gateway: IpAddr,
    #[serde(default)]
    pub(super) ipv6: Option<HostAddress>,
}

impl HostState {
    /// Returns its addresses, one of each family.
    pub(super) fn addresses(&self) -> impl Iterator<Item = HostAddress> {
        [HostAddress { address: self.address, gateway: self.gateway }].into_iter().chain(self.ipv6)
    }
}

/// An end of a cable: where it is in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KernelEnd {
    pub(super) namespace: String,
    pub(super) interface: String,
    /// The router that has it, if it is one.
    pub(super) router: Option<NodeName>,
}

impl State {
    /// Returns the file of the state of the lab in `dir`.
    pub(super) fn path(dir: &Path) -> PathBuf {
        dir.join("lab.yaml")
    }

    /// Reads the state of the lab in `dir`.
    pub(super) fn load(dir: &Path) -> Result<Self, LabError> {
        let path = Self::path(dir);
        let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => LabError::NotUp(dir.to_owned()),
            _ => LabError::File { operation: "read", path: path.clone(), source },
        })?;
        serde_yaml::from_str(&text).map_err(|error| LabError::State { path, reason: error.to_string() })
    }

    /// Writes the state of the lab in `dir`, whole or not at all.
    pub(super) fn save(&self, dir: &Path) -> Result<(), LabError> {
        let text = serde_yaml::to_string(self)
            .map_err(|error| LabError::Encode { what: "the state of the lab", reason: error.to_string() })?;
        let (path, new) = (Self::path(dir), dir.join("lab.yaml.new"));
        fs::write(&new, text).map_err(|source| LabError::File { operation: "write", path: new.clone(), source })?;
        fs::rename(&new, &path).map_err(|source| LabError::File { operation: "replace", path, source })
    }

    /// Returns a router.
    pub(super) fn router(&self, node: &str) -> Result<&Router, LabError> {
        self.routers.get(node).ok_or_else(|| LabError::NoSuchNode(node.to_owned()))
    }

    /// Returns both ends of the cable at a port.
    pub(super) fn cable_at(&self, port: &TerminationPoint) -> Result<[KernelEnd; 2], LabError> {
        let kernel = |end: &TerminationPoint| -> Result<KernelEnd, LabError> {
            Ok(KernelEnd {
                namespace: self.router(end.node.as_str())?.namespace.clone(),
                interface: end.interface.to_string(),
                router: Some(end.node.clone()),
            })
        };
        if let Some([a, b]) = self.cables.iter().find(|ends| ends.contains(port)) {
            return Ok([kernel(a)?, kernel(b)?]);
        }
        match self.hosts.values().find(|host| host.port == *port) {
            Some(host) => {
                let far = KernelEnd { namespace: host.namespace.clone(), interface: "eth0".to_owned(), router: None };
                Ok([kernel(port)?, far])
            }
            None => Err(LabError::NoSuchCable(port.clone())),
        }
    }

    /// Tells whether a router runs.
    pub(super) fn is_running(&self, node: &str) -> bool {
        let container = self.routers.get(node).and_then(|router| router.container);
        container.is_some_and(|container| container.supervisor.is_alive() && container.init.is_alive())
    }
}

/// Holds the lock of the lab in `dir` until it is dropped: one process at a time changes a lab.
pub(super) struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Waits for the lock.
    pub(super) fn take(dir: &Path) -> Result<Self, LabError> {
        let path = dir.join("lab.lock");
        let file_error = |source| LabError::File { operation: "lock", path: path.clone(), source };
        let file = File::create(&path).map_err(file_error)?;
        let file = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| file_error(errno.into()))?;
        Ok(Self { _file: file })
    }
}
