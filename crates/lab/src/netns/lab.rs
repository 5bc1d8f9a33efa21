//! A lab: made, found again, asked, removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs, io,
    net::{IpAddr, SocketAddr},
    ops::Deref,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Mutex,
    thread,
};

use weft_model::{NodeName, PackName};
use weft_ssh::{Inventory, Target};

use super::{
    Fault, LabError, LabTopology,
    keys::KeyPair,
    links, missing,
    processes::{self, END_LIMIT, Process},
    router::{self, Disk},
    run::{command, output},
    state::{Container, HostState, Lock, Management, Router, State},
};

/// The file of the key that logs in.
const IDENTITY: &str = "id_ed25519";
/// The file of the keys of the SSH servers.
const KNOWN_HOSTS: &str = "known_hosts";
/// The file that says how the devices are reached.
const INVENTORY: &str = "inventory.yaml";
/// The folder of the routers.
const NODES: &str = "nodes";

/// A lab that is up, whichever process started it.
///
/// It lives on when the value is dropped; see [`Lab::down`] and [`Guard`].
#[derive(Debug, Clone)]
pub struct Lab {
    dir: PathBuf,
}

/// A lab that is removed when the value is dropped, also by a panic.
#[derive(Debug)]
pub struct Guard(Lab);

/// What a lab is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The prefix of its namespaces.
    pub name: String,
    /// Its routers.
    pub nodes: BTreeMap<NodeName, NodeStatus>,
    /// Its hosts, with their addresses.
    pub hosts: BTreeMap<NodeName, ipnet::IpNet>,
    /// The IPv6 addresses of hosts that have one beside their IPv4 address.
    pub hosts_ipv6: BTreeMap<NodeName, ipnet::IpNet>,
    /// What is broken on purpose.
    pub faults: BTreeSet<Fault>,
}

/// What a router is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// What it runs.
    pub pack: PackName,
    /// Its management address; `None` for an external router.
    pub management: Option<IpAddr>,
    /// Whether it has power.
    pub running: bool,
    /// Whether its SSH server runs.
    pub ssh: bool,
    /// Its routing daemons, and whether they run.
    pub daemons: BTreeMap<&'static str, bool>,
}

impl Lab {
    /// Builds a lab and boots it, and writes into `dir`: `inventory.yaml` with how the devices are reached, `known_hosts`,
    /// `id_ed25519` with the key that logs in as root, `lab.yaml` with what the lab consists of, and the folder `nodes` with
    /// the disks and logs of the routers, in memory. Returns when every service of every router runs.
    ///
    /// # Errors
    /// Returns why not, with what is [`missing`], and leaves nothing behind.
    pub fn up(topology: &LabTopology, dir: &Path) -> Result<Self, LabError> {
        topology.validate()?;
        let missing = missing();
        if !missing.is_empty() {
            return Err(LabError::Missing(missing));
        }
        fs::create_dir_all(dir).map_err(|source| LabError::File { operation: "make", path: dir.to_owned(), source })?;
        let dir =
            dir.canonicalize().map_err(|source| LabError::File { operation: "find", path: dir.to_owned(), source })?;
        let lock = Lock::take(&dir)?;
        if State::path(&dir).exists() {
            return Err(LabError::AlreadyUp(dir));
        }
        let state = plan(topology, &dir);
        if let Some(taken) = state.namespaces.iter().find(|name| links::exists(name)) {
            return Err(LabError::NameTaken(taken.clone()));
        }
        state.save(&dir)?;
        let built = build(topology, state, &dir);
        drop(lock);
        match built {
            Ok(()) => Ok(Self { dir }),
            Err(error) => {
                // The first failure is the one to tell; what cannot be removed stays in lab.yaml for another `down`.
                let _ = remove(&dir);
                Err(error)
            }
        }
    }

    /// Takes hold of the lab in `dir`.
    ///
    /// # Errors
    /// Returns that there is none, or why its state cannot be read.
    pub fn attach(dir: &Path) -> Result<Self, LabError> {
        State::load(dir)?;
        let dir =
            dir.canonicalize().map_err(|source| LabError::File { operation: "find", path: dir.to_owned(), source })?;
        Ok(Self { dir })
    }

    /// Removes the lab: its processes, namespaces, mounts and files. Works on what a crashed process left, too.
    ///
    /// # Errors
    /// Returns the first thing that could not be removed. The rest is gone, and `lab.yaml` stays for another try.
    pub fn down(&self) -> Result<(), LabError> {
        remove(&self.dir)
    }

    /// Returns a guard that removes the lab when it is dropped.
    pub fn guard(self) -> Guard {
        Guard(self)
    }

    /// Returns the folder of the lab.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the file that says how the devices are reached.
    pub fn inventory_file(&self) -> PathBuf {
        self.dir.join(INVENTORY)
    }

    /// Returns the network namespace from which the devices are reached, such as `/run/netns/weft-mgmt`.
    ///
    /// # Errors
    /// Returns why the state of the lab cannot be read.
    pub fn management_namespace(&self) -> Result<PathBuf, LabError> {
        Ok(Path::new("/run/netns").join(links::management_namespace(&self.state()?.name)))
    }

    /// Returns what every router does.
    ///
    /// # Errors
    /// Returns why the state of the lab cannot be read.
    pub fn status(&self) -> Result<Status, LabError> {
        let state = self.state()?;
        let node = |(name, router): (&NodeName, &Router)| {
            let running = state.is_running(name.as_str());
            let processes = match router.container {
                Some(container) if running => router::process_names(&container),
                _ => Vec::new(),
            };
            let runs = |name: &str| processes.iter().any(|process| process == name);
            let status = NodeStatus {
                pack: router.pack.clone(),
                management: router.management.as_ref().map(|management| management.address),
                running,
                ssh: runs("sshd"),
                daemons: router::daemons(router).into_iter().map(|daemon| (daemon, runs(daemon))).collect(),
            };
            (name.clone(), status)
        };
        Ok(Status {
            nodes: state.routers.iter().map(node).collect(),
            hosts: state.hosts.iter().map(|(name, host)| (name.clone(), host.address)).collect(),
            hosts_ipv6: (state.hosts.iter())
                .filter_map(|(name, host)| Some((name.clone(), host.ipv6?.address)))
                .collect(),
            name: state.name,
            faults: state.faults,
        })
    }

    /// Runs a program on a router or a host, as root, and returns its output however it ends. It is how one changes
    /// something by hand: `["vtysh", "-c", "configure", "-c", "..."]`.
    ///
    /// # Errors
    /// Returns that there is no such node, that it has no power, or that the program cannot be started.
    pub fn exec(&self, node: &str, argv: &[&str]) -> Result<Output, LabError> {
        output(&mut self.command(node, argv)?, "")
    }

    /// Returns the command that runs a program on a router or a host, for a caller with input and output of its own.
    ///
    /// # Errors
    /// Returns that there is no such node, or that it has no power.
    pub fn command(&self, node: &str, argv: &[&str]) -> Result<Command, LabError> {
        let state = self.state()?;
        if let Some(host) = state.hosts.get(node) {
            let mut nsenter = command("nsenter");
            nsenter.arg(format!("--net=/run/netns/{}", host.namespace)).arg("--").args(argv);
            return Ok(nsenter);
        }
        Ok(router::inside(&running(&state, node)?, argv))
    }

    /// Breaks something. A fault that is there already stays.
    ///
    /// # Errors
    /// Returns why not; nothing is broken then.
    pub fn inject(&self, fault: &Fault) -> Result<(), LabError> {
        self.change(|state| {
            fault.inject(state)?;
            state.faults.insert(fault.clone());
            Ok(())
        })
    }

    /// Repairs what was broken. Repairing what is whole changes nothing.
    ///
    /// # Errors
    /// Returns why not.
    pub fn heal(&self, fault: &Fault) -> Result<(), LabError> {
        self.change(|state| {
            if state.faults.contains(fault) {
                fault.heal(state, &self.init_script())?;
                state.faults.remove(fault);
            }
            Ok(())
        })
    }

    /// Repairs everything that was broken.
    ///
    /// # Errors
    /// Returns the first thing that could not be repaired.
    pub fn heal_all(&self) -> Result<(), LabError> {
        let faults = self.state()?.faults;
        // Power first: the rest is done inside.
        let (power, rest): (Vec<_>, Vec<_>) = faults.into_iter().partition(|fault| matches!(fault, Fault::NodeDown(_)));
        power.iter().chain(&rest).try_for_each(|fault| self.heal(fault))
    }

    fn state(&self) -> Result<State, LabError> {
        State::load(&self.dir)
    }

    fn init_script(&self) -> PathBuf {
        init_script(&self.dir)
    }

    /// Changes the state under the lock of the lab, and saves it also when the change got stuck half way.
    fn change(&self, change: impl FnOnce(&mut State) -> Result<(), LabError>) -> Result<(), LabError> {
        let _lock = Lock::take(&self.dir)?;
        let mut state = self.state()?;
        let changed = change(&mut state);
        state.save(&self.dir)?;
        changed
    }
}

impl Deref for Guard {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A test that took the lab down itself leaves nothing to do.
        let _ = self.0.down();
    }
}

/// Returns the container of a router that has power.
pub(super) fn running(state: &State, node: &str) -> Result<Container, LabError> {
    match state.router(node)?.container {
        Some(container) if state.is_running(node) => Ok(container),
        _ => Err(LabError::NodeDown(node.to_owned())),
    }
}

fn init_script(dir: &Path) -> PathBuf {
    dir.join(NODES).join("init")
}

/// Returns the state of a lab of which nothing exists yet.
fn plan(topology: &LabTopology, dir: &Path) -> State {
    let lab = &topology.name;
    let nodes = dir.join(NODES);
    let router = |name: &NodeName, pack: &PackName, interfaces: &BTreeSet<_>, ospf: &BTreeSet<_>, management| Router {
        pack: pack.clone(),
        ospf: ospf.clone(),
        namespace: format!("{lab}-{name}"),
        folder: nodes.join(name.as_str()),
        management,
        interfaces: interfaces.clone(),
        container: None,
    };
    let mut routers = BTreeMap::new();
    for (number, (name, device)) in topology.devices.iter().enumerate() {
        let management = Management { address: device.management, port: format!("m{number}") };
        routers.insert(name.clone(), router(name, &device.pack, &device.interfaces, &device.ospf, Some(management)));
    }
    for (name, external) in &topology.external_routers {
        routers.insert(name.clone(), router(name, &external.pack, &external.interfaces, &BTreeSet::new(), None));
    }
    let host = |host: &super::LabHost| {
        let state = HostState {
            namespace: format!("{lab}-{}", host.name),
            port: host.port.clone(),
            address: host.address,
            gateway: host.gateway,
            ipv6: host.ipv6,
        };
        (host.name.clone(), state)
    };
    State {
        name: lab.clone(),
        boot_id: processes::boot_id(),
        namespaces: links::namespaces(topology),
        mounts: vec![nodes],
        routers,
        hosts: topology.hosts.iter().map(host).collect(),
        cables: topology.cables.clone(),
        faults: BTreeSet::new(),
    }
}

/// Makes everything that the state names.
fn build(topology: &LabTopology, mut state: State, dir: &Path) -> Result<(), LabError> {
    let nodes = dir.join(NODES);
    fs::create_dir_all(&nodes).map_err(|source| LabError::File { operation: "make", path: nodes.clone(), source })?;
    router::mount_memory(&nodes, "50%")?;
    let init = init_script(dir);
    router::write_init(&init)?;
    links::build(topology, &state)?;

    let login = KeyPair::generate("the key that logs in")?;
    router::write(&dir.join(IDENTITY), &login.private, 0o600, None)?;
    router::write(&dir.join(format!("{IDENTITY}.pub")), &format!("{}\n", login.public), 0o644, None)?;
    let mut known_hosts = String::new();
    let mut inventory = Inventory::default();
    let no_files = BTreeMap::new();
    for (name, router) in &state.routers {
        let files = topology.external_routers.get(name).map_or(&no_files, |external| &external.files);
        let host_key = match &router.management {
            None => None,
            Some(management) => {
                let key = KeyPair::generate("the key of an SSH server")?;
                // Writing to a String cannot fail.
                let _ = writeln!(known_hosts, "{} {}", management.address, key.public);
                inventory.devices.insert(name.clone(), target(&state.name, management.address));
                Some(key.private)
            }
        };
        let disk = Disk { host_key: host_key.as_deref(), authorized_key: &login.public, files };
        router::provision(router, &disk)?;
    }
    router::write(&dir.join(KNOWN_HOSTS), &known_hosts, 0o644, None)?;
    let inventory = serde_saphyr::to_string(&inventory)
        .map_err(|error| LabError::Encode { what: "the inventory", reason: error.to_string() })?;
    router::write(&dir.join(INVENTORY), &inventory, 0o644, None)?;

    for host in state.hosts.values() {
        links::configure_host(host)?;
    }
    boot_all(&mut state, &init, dir)
}

fn target(lab: &str, management: IpAddr) -> Target {
    Target {
        identity: Some(IDENTITY.into()),
        known_hosts: Some(KNOWN_HOSTS.into()),
        network_namespace: Some(Path::new("/run/netns").join(links::management_namespace(lab))),
        ..Target::new(SocketAddr::new(management, 22), "root")
    }
}

/// Boots all routers, several at a time, and saves the processes of each as soon as it runs.
fn boot_all(state: &mut State, init: &Path, dir: &Path) -> Result<(), LabError> {
    let routers: Vec<(NodeName, Router)> =
        state.routers.iter().map(|(name, router)| (name.clone(), router.clone())).collect();
    let queue = Mutex::new(routers.into_iter());
    let results = Mutex::new(Vec::new());
    let workers = 2 * thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().ok().and_then(|mut queue| queue.next());
                    let Some((name, router)) = next else { break };
                    let booted = router::boot(name.as_str(), &router, init);
                    let failed = booted.is_err();
                    if let Ok(mut results) = results.lock() {
                        results.push((name, booted));
                    }
                    if failed {
                        // No more routers: the lab will be removed.
                        if let Ok(mut queue) = queue.lock() {
                            queue.by_ref().for_each(drop);
                        }
                    }
                }
            });
        }
    });
    let mut first_error = None;
    for (name, booted) in results.into_inner().unwrap_or_default() {
        match booted {
            Ok(container) => {
                if let Some(router) = state.routers.get_mut(&name) {
                    router.container = Some(container);
                }
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    state.save(dir)?;
    first_error.map_or(Ok(()), Err)
}

/// Removes all that the lab in `dir` consists of.
fn remove(dir: &Path) -> Result<(), LabError> {
    if !State::path(dir).exists() {
        return Err(LabError::NotUp(dir.to_owned()));
    }
    let _lock = Lock::take(dir)?;
    let state = State::load(dir)?;
    let mut failures = Vec::new();
    // After a reboot of the machine the numbers mean other processes, and the namespaces are gone.
    if state.boot_id == processes::boot_id() {
        let containers = state.routers.iter().filter_map(|(name, router)| Some((name, router.container?)));
        for (_, container) in containers.clone() {
            container.supervisor.kill();
        }
        for (name, container) in containers {
            failures.extend(router::end(name.as_str(), &container).err());
        }
        failures.extend(end_inhabitants(&state).err());
        failures.extend(links::delete(&state.namespaces).err());
    }
    for mount in &state.mounts {
        failures.extend(router::unmount(mount).err());
    }
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    let gone = |path: PathBuf, removed: io::Result<()>| match removed {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(LabError::File { operation: "remove", path, source })
        }
        Ok(()) | Err(_) => Ok(()),
    };
    for folder in &state.mounts {
        gone(folder.clone(), fs::remove_dir_all(folder))?;
    }
    // The state last: as long as it is there, another try is possible.
    for file in [INVENTORY, KNOWN_HOSTS, IDENTITY, "id_ed25519.pub", "lab.yaml.new", "lab.lock", "lab.yaml"] {
        let path = dir.join(file);
        let removed = fs::remove_file(&path);
        gone(path, removed)?;
    }
    Ok(())
}

/// Ends what still lives in the namespaces of routers and hosts: what was started on a host, and what a crashed `up` started
/// and had no time to write down. The namespace of management is left out: clients live there, and they are not the lab's.
fn end_inhabitants(state: &State) -> Result<(), LabError> {
    let management = links::management_namespace(&state.name);
    let identity = |path: &Path| fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let ours: BTreeSet<(u64, u64)> = state
        .namespaces
        .iter()
        .filter(|name| **name != management)
        .filter_map(|name| identity(&Path::new("/run/netns").join(name)))
        .collect();
    let inhabitants: Vec<Process> = processes::all()
        .filter_map(Process::now)
        .filter(|process| {
            let namespace = identity(Path::new(&format!("/proc/{}/ns/net", process.pid)));
            namespace.is_some_and(|namespace| ours.contains(&namespace))
        })
        .collect();
    for process in &inhabitants {
        process.kill();
    }
    match inhabitants.iter().find(|process| !process.wait_for_end(END_LIMIT)) {
        Some(process) => Err(LabError::StillRuns { node: state.name.clone(), pid: process.pid, limit: END_LIMIT }),
        None => Ok(()),
    }
}
