//! One push to one device, with something that goes wrong in the middle, and what must hold afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use weft_lab::{
    netns::Fault,
    proxy::{Direction, Disturbance, Proxy},
};
use weft_model::{Network, NodeName, SecretDigests};
use weft_pack::{Pack, Rendered, RenderedFile};
use weft_plan::{Plan, PlanInputs, WavePolicy, configuration_digest, plan};
use weft_push::{DeviceResult, Journal, Observer, PushEvent, PushInputs, PushPolicy, StepName, WaveOutcome, push};
use weft_ssh::{Inventory, KnownHosts, Limits, Pool, SecretStore, Session, Target};

/// How long a device may need beyond its own timer on a loaded machine.
const MARGIN: Duration = Duration::from_secs(40);

/// What goes wrong at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    Refused,
    Gone,
    Stalled,
    Dropped,
    Cut,
    DeviceError,
    HostKey,
    UserKey,
    DiskFull,
    ReadOnly,
    DaemonDead,
    PowerCycle,
}

impl Trouble {
    pub(crate) const ALL: [Self; 12] = [
        Self::Refused,
        Self::Gone,
        Self::Stalled,
        Self::Dropped,
        Self::Cut,
        Self::DeviceError,
        Self::HostKey,
        Self::UserKey,
        Self::DiskFull,
        Self::ReadOnly,
        Self::DaemonDead,
        Self::PowerCycle,
    ];
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Refused => "refused",
            Self::Gone => "gone",
            Self::Stalled => "stalled",
            Self::Dropped => "dropped",
            Self::Cut => "cut",
            Self::DeviceError => "device error",
            Self::HostKey => "host key",
            Self::UserKey => "user key",
            Self::DiskFull => "disk full",
            Self::ReadOnly => "read-only",
            Self::DaemonDead => "daemon dead",
            Self::PowerCycle => "power cycle",
        })
    }
}

/// When something goes wrong, and what.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Plant {
    /// From the beginning of a step.
    Step(StepName, Trouble),
    /// Behind so many octets of a direction.
    Octet(Direction, u64, Disturbance),
}

/// A lab, seen from behind the proxies.
pub(crate) trait World: Sync {
    /// Breaks something on a device, or repairs it.
    fn set(&self, fault: &Fault, broken: bool);
    /// Takes a device's power away and gives it back.
    fn power_cycle(&self, device: &NodeName);
    /// Returns all that a push can change on a device: its files, and whatever else there is.
    fn everything(&self, device: &NodeName) -> BTreeMap<String, String>;
    /// Returns the state of the transaction on a device.
    fn transaction(&self, device: &NodeName) -> String;
    /// Takes the lock of a device and gives it back; says why that fails.
    fn try_lock(&self, device: &NodeName) -> Result<(), String>;
    /// Returns what refuses the commands of a step.
    fn commands_of(&self, device: &NodeName, step: StepName) -> Option<String>;
    /// The daemon without which the device is not well.
    fn daemon(&self, device: &NodeName) -> &'static str;
}

/// A device and its proxy.
pub(crate) struct Subject<'w> {
    pub(crate) world: &'w dyn World,
    pub(crate) name: NodeName,
    pub(crate) pack: Arc<Pack>,
    /// How it is reached without the proxy.
    direct: Target,
    /// How it is reached through the proxy.
    target: Target,
    proxy: Proxy,
    /// Where another device is reached, which has another host key.
    impostor: SocketAddr,
    folder: tempfile::TempDir,
    confirm: Duration,
    runs: u32,
}

/// What became of a cell.
#[derive(Debug)]
pub(crate) struct Found {
    /// In the words of the tables.
    pub(crate) result: String,
    /// What must not be.
    pub(crate) problems: Vec<String>,
}

/// Does what is planned when its step begins, and ends it with the step.
struct Saboteur<'s> {
    subject: &'s Subject<'s>,
    plant: Plant,
    begun: AtomicBool,
    ended: AtomicBool,
}

impl Saboteur<'_> {
    fn begin(&self, trouble: Trouble, step: StepName) {
        if self.begun.swap(true, Ordering::AcqRel) {
            return;
        }
        let Subject { proxy, world, name, .. } = self.subject;
        match trouble {
            Trouble::Refused | Trouble::Gone => proxy.disturb(Disturbance::Refuse),
            Trouble::Stalled => proxy.disturb(Disturbance::Stall),
            Trouble::Dropped => proxy.disturb(Disturbance::Drop),
            Trouble::Cut => proxy.disturb(Disturbance::Cut),
            Trouble::HostKey => proxy.lead_to(self.subject.impostor),
            Trouble::PowerCycle => world.power_cycle(name),
            Trouble::DeviceError | Trouble::UserKey | Trouble::DiskFull | Trouble::ReadOnly | Trouble::DaemonDead => {
                if let Some(fault) = self.subject.fault(trouble, step) {
                    world.set(&fault, true);
                }
            }
        }
    }

    fn end(&self, trouble: Trouble, step: StepName) {
        if !self.begun.load(Ordering::Acquire) || self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        let Subject { proxy, world, direct, .. } = self.subject;
        match trouble {
            Trouble::Refused | Trouble::Gone | Trouble::Stalled | Trouble::Dropped | Trouble::Cut => proxy.heal(),
            Trouble::HostKey => proxy.lead_to(direct.address),
            Trouble::PowerCycle => {}
            Trouble::DeviceError | Trouble::UserKey | Trouble::DiskFull | Trouble::ReadOnly | Trouble::DaemonDead => {
                if let Some(fault) = self.subject.fault(trouble, step) {
                    world.set(&fault, false);
                }
            }
        }
    }
}

impl Observer for Saboteur<'_> {
    fn event(&self, event: &PushEvent) {
        // A disk does not become empty by itself, and some devices do not come back before the push has given up.
        let lasts = |trouble| matches!(trouble, Trouble::Gone | Trouble::DiskFull);
        match (self.plant, event) {
            (Plant::Step(step, trouble), PushEvent::StepBegins { step: now, .. }) if step == *now => {
                self.begin(trouble, step);
            }
            (Plant::Step(step, trouble), PushEvent::StepEnds { step: now, .. }) if step == *now && !lasts(trouble) => {
                self.end(trouble, step);
            }
            (Plant::Step(StepName::Gate, trouble), PushEvent::GateBegins { .. }) => self.begin(trouble, StepName::Gate),
            (Plant::Step(StepName::Gate, trouble), PushEvent::GateEnds { .. }) if !lasts(trouble) => {
                self.end(trouble, StepName::Gate);
            }
            (Plant::Octet(..), PushEvent::StepEnds { failure: Some(_), .. }) => self.subject.proxy.heal(),
            _ => {}
        }
    }
}

/// Limits that tests can wait for.
fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(5),
        authenticate: Duration::from_secs(5),
        command: Duration::from_secs(20),
        keepalive: Duration::from_secs(1),
        ..Limits::default()
    }
}

impl<'w> Subject<'w> {
    pub(crate) async fn new(
        world: &'w dyn World,
        name: &NodeName,
        inventory: &Inventory,
        dir: &Path,
        pack: Arc<Pack>,
        confirm: Duration,
    ) -> Self {
        let mut direct = inventory.devices[name].clone();
        let known_hosts = dir.join(direct.known_hosts.as_ref().unwrap());
        direct.identity = direct.identity.map(|identity| dir.join(identity));
        direct.known_hosts = Some(known_hosts.clone());
        let proxy = Proxy::start(direct.address, direct.network_namespace.as_deref()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        // The device has its own key behind the proxy, too.
        let host = KnownHosts::host(direct.address);
        let text = fs::read_to_string(&known_hosts).unwrap();
        let key = text.lines().find_map(|line| line.strip_prefix(&host)).unwrap();
        let known_here = folder.path().join("known_hosts");
        fs::write(&known_here, format!("{}{key}\n", KnownHosts::host(proxy.address()))).unwrap();
        let target = Target {
            address: proxy.address(),
            known_hosts: Some(known_here),
            network_namespace: None,
            ..direct.clone()
        };
        let impostor = inventory.devices.iter().find(|(other, _)| *other != name).unwrap().1.address;
        Self { world, name: name.clone(), pack, direct, target, proxy, impostor, folder, confirm, runs: 0 }
    }

    fn fault(&self, trouble: Trouble, step: StepName) -> Option<Fault> {
        let node = self.name.clone();
        match trouble {
            Trouble::DeviceError => {
                let pattern = self.world.commands_of(&self.name, step)?;
                Some(Fault::RefuseCommand { node, pattern })
            }
            Trouble::UserKey => Some(Fault::LoginRefused(node)),
            Trouble::DiskFull => Some(Fault::DiskFull(node)),
            Trouble::ReadOnly => Some(Fault::DiskReadOnly(node)),
            Trouble::DaemonDead => Some(Fault::DaemonDead { daemon: self.world.daemon(&node).to_owned(), node }),
            Trouble::Refused
            | Trouble::Gone
            | Trouble::Stalled
            | Trouble::Dropped
            | Trouble::Cut
            | Trouble::HostKey
            | Trouble::PowerCycle => None,
        }
    }

    /// Plans that a device that runs whatever it runs gets these files.
    async fn plan(&self, files: &BTreeMap<String, String>) -> (Plan, BTreeMap<NodeName, Rendered>) {
        let files = files.iter().map(|(name, text)| {
            let lines = vec![Default::default(); text.lines().count()];
            (name.clone(), RenderedFile { text: text.clone(), lines })
        });
        let rendered = Rendered { device: self.name.clone(), pack: self.pack.name().clone(), files: files.collect() };
        let rendered = BTreeMap::from([(self.name.clone(), rendered)]);
        let secrets = SecretStore::default();
        let mut session =
            Session::open(&self.name, &self.direct, self.pack.clone(), &limits(), &secrets).await.unwrap();
        let running = session.running().await.unwrap();
        session.close().await;
        let plan = plan(&PlanInputs {
            commit: None,
            weft: "0",
            rendered: &rendered,
            running: &BTreeMap::from([(self.name.clone(), Ok(running))]),
            packs: &BTreeMap::from([(self.pack.name().clone(), self.pack.clone())]),
            network: &Network::default(),
            waves: &WavePolicy { canary: 0, size: 1 },
            secrets: &SecretDigests::default(),
            absences: &|_| BTreeSet::new(),
        });
        assert!(plan.has_changes(), "{}: nothing would change", self.name);
        (plan, rendered)
    }

    /// Pushes files to the device while something goes wrong, and looks at everything afterwards.
    pub(crate) async fn run(&mut self, plant: Option<Plant>, files: &BTreeMap<String, String>) -> Found {
        self.runs += 1;
        let before = self.world.everything(&self.name);
        let (plan, rendered) = self.plan(files).await;
        let subject = &*self;
        if let Some(Plant::Octet(direction, octets, disturbance)) = plant {
            subject.proxy.disturb_behind(direction, octets, disturbance);
        }
        let saboteur = plant.map(|plant| Saboteur {
            subject,
            plant,
            begun: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let observer: &dyn Observer = match &saboteur {
            Some(saboteur) => saboteur,
            None => &(),
        };
        let result = subject.push(plant, &plan, &rendered, observer).await;
        if let (Some(saboteur), Some(Plant::Step(step, trouble))) = (&saboteur, plant) {
            saboteur.end(trouble, step);
        }
        subject.proxy.heal();
        let mut problems = Vec::new();
        if let (Some(saboteur), Some(Plant::Step(..))) = (&saboteur, plant)
            && !saboteur.begun.load(Ordering::Acquire)
        {
            problems.push("the step was never begun".to_owned());
        }
        self.look(plant, &plan, &before, &result, &mut problems);
        if let Err(locked) = self.world.try_lock(&self.name)
            && problems.is_empty()
        {
            // Then the next push of this controller must know whose lock it is.
            let (plan, rendered) = self.plan(&differently(files)).await;
            self.runs += 1;
            let next = self.push(None, &plan, &rendered, &()).await;
            if next != DeviceResult::Confirmed {
                problems.push(format!("it stays locked ({locked}) and the next push says: {next}"));
            }
        }
        Found { result: in_words(&result).to_owned(), problems }
    }

    async fn push(
        &self,
        plant: Option<Plant>,
        plan: &Plan,
        rendered: &BTreeMap<NodeName, Rendered>,
        observer: &dyn Observer,
    ) -> DeviceResult {
        let inventory =
            Inventory { devices: [(self.name.clone(), self.target.clone())].into(), ..Inventory::default() };
        let journal = Journal::open(&self.folder.path().join("journal")).unwrap();
        let inputs = PushInputs {
            plan,
            rendered,
            inventory: &inventory,
            packs: &[(self.pack.name().clone(), self.pack.clone())].into(),
            secrets: &SecretStore::default(),
            policy: &PushPolicy {
                confirm_seconds: u32::try_from(self.confirm.as_secs()).unwrap(),
                limits: limits(),
                pool: Some(Pool::new(Arc::new(SecretStore::default()), limits())),
                drain: [self.name.clone()].into(),
                ..PushPolicy::default()
            },
            run: &format!("{}-{}", self.name, self.runs),
            journal: &journal,
            leases: &self.folder.path().join("leases"),
            cancel: watch::channel(false).1,
        };
        // As the pipeline does: it looks at the device over a session of its own.
        let gate = async |_: &WaveOutcome| {
            if let Some(Plant::Step(StepName::Gate, Trouble::DeviceError)) = plant {
                return Err("two sessions are down".to_owned());
            }
            let secrets = SecretStore::default();
            let session = Session::open(&self.name, &self.target, self.pack.clone(), &limits(), &secrets).await;
            let mut session = session.map_err(|error| error.to_string())?;
            let running = session.running().await;
            session.close().await;
            running.map(drop).map_err(|error| error.to_string())
        };
        let mut report = push(&inputs, gate, observer).await;
        report.devices.remove(&self.name).unwrap().result
    }

    /// Looks whether what the report says is so.
    fn look(
        &self,
        plant: Option<Plant>,
        plan: &Plan,
        before: &BTreeMap<String, String>,
        result: &DeviceResult,
        problems: &mut Vec<String>,
    ) {
        let end = Instant::now() + self.confirm + MARGIN;
        let unknown = matches!(result, DeviceResult::Unknown { .. });
        let digest = |files: &BTreeMap<String, String>| {
            let own = self.pack.manifest().files.iter().filter_map(|file| files.get_key_value(&file.name));
            configuration_digest(
                &self.pack,
                own.map(|(name, text)| (name.as_str(), text.as_str())),
                &SecretDigests::default(),
            )
        };
        let weft_plan::DeviceChange::Replace { intended, .. } = &plan.devices[&self.name].change else {
            problems.push("nothing was planned".to_owned());
            return;
        };
        // What the report does not know the device's own timer settles.
        let (settled, after) = loop {
            let transaction = self.world.transaction(&self.name);
            let after = self.world.everything(&self.name);
            let settled = !transaction.starts_with("armed") && (after == *before || digest(&after) == *intended);
            if settled || !unknown && !transaction.starts_with("armed") || Instant::now() > end {
                break (settled, after);
            }
            thread::sleep(Duration::from_millis(100));
        };
        let is_old = after == *before;
        let is_new = digest(&after) == *intended;
        if !settled {
            problems.push(format!(
                "it is {} and runs neither what it ran before nor what is intended: {after:#?}, before: {before:#?}",
                self.world.transaction(&self.name)
            ));
        }
        let told_new = *result == DeviceResult::Confirmed;
        if !unknown && (told_new && !is_new || !told_new && !is_old) {
            problems.push(format!("the report says `{result}`, and it runs {after:#?}, before: {before:#?}"));
        }
        let reported = match result {
            DeviceResult::RolledBack { step, .. }
            | DeviceResult::WentBackByItself { step, .. }
            | DeviceResult::FailedBeforeChange { step, .. }
            | DeviceResult::Unknown { step, .. } => Some(*step),
            DeviceResult::Unchanged
            | DeviceResult::Confirmed
            | DeviceResult::Unreachable { .. }
            | DeviceResult::Skipped { .. } => None,
        };
        // That a device has lost its power, or has no room, may be noticed later only; that a daemon is dead, by the next step that
        // asks it.
        let later =
            matches!(plant, Some(Plant::Step(_, Trouble::PowerCycle | Trouble::DiskFull | Trouble::DaemonDead)));
        // What a device refuses must not go by unseen. Who cannot unlock has confirmed.
        if let Some(Plant::Step(step, Trouble::DeviceError)) = plant
            && told_new
            && step != StepName::Unlock
        {
            problems.push("the error of the device was not noticed".to_owned());
        }
        if let (Some(Plant::Step(step, _)), Some(reported)) = (plant, reported)
            && (reported < step || reported > step && !later)
        {
            problems.push(format!("the report blames another step: `{result}`"));
        }
    }

    /// Returns how many octets have come through in each direction.
    pub(crate) fn passed(&self) -> [u64; 2] {
        [Direction::ToDevice, Direction::FromDevice].map(|direction| self.proxy.passed(direction))
    }
}

/// Files that are like these and not the same.
fn differently(files: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    files.iter().map(|(name, text)| (name.clone(), text.replace("192.0.2.", "198.51.100."))).collect()
}

fn in_words(result: &DeviceResult) -> &'static str {
    match result {
        DeviceResult::Unchanged => "unchanged",
        DeviceResult::Confirmed => "confirmed",
        DeviceResult::RolledBack { .. } => "rolled back",
        DeviceResult::WentBackByItself { .. } => "went back by itself",
        DeviceResult::FailedBeforeChange { .. } | DeviceResult::Skipped { .. } => "not changed",
        DeviceResult::Unreachable { .. } => "unreachable",
        DeviceResult::Unknown { .. } => "unknown",
    }
}
