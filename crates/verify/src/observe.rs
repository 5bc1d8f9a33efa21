//! Reads devices over SSH.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::{sync::Semaphore, task::JoinSet};
use weft_device::config::{DeviceConfig, NeighborTarget, PeerType};
use weft_model::{InterfaceName, NodeName};
use weft_pack::{Pack, StatePart, manifest::CollectorName};
use weft_ssh::{Pool, Session, SessionError, Target};

use crate::{Observed, Part, Parts};

/// How one device is read.
#[derive(Clone)]
pub struct ObserveTarget {
    /// Where it is.
    pub target: Target,
    /// The pack of the OS that runs there.
    pub pack: Arc<Pack>,
}

/// What is read of one device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WhatToCollect {
    /// The parts.
    pub parts: Parts,
    /// The external neighbors, with the interface towards each: they are asked for in [`Part::Advertised`].
    pub external: BTreeMap<NeighborTarget, InterfaceName>,
    /// Whether the device runs OSPF: only then it is asked in [`Part::OspfNeighbors`].
    pub ospf: bool,
}

impl WhatToCollect {
    /// Returns what is read of a device of this configuration to have the given parts.
    pub fn of(config: &DeviceConfig, parts: &Parts) -> Self {
        let external = config
            .bgp
            .iter()
            .flat_map(|bgp| &bgp.neighbors)
            .filter(|(_, neighbor)| neighbor.peer_type == PeerType::External)
            .map(|(target, neighbor)| (target.clone(), neighbor.interface.clone()))
            .collect();
        Self { parts: parts.clone(), external, ospf: config.ospf.is_some() }
    }
}

/// How devices are reached and read.
#[derive(Clone)]
pub struct Reading {
    /// Where sessions come from, and go back to.
    pub pool: Pool,
    /// How many devices are read at the same time.
    pub concurrency: usize,
}

/// Reads the devices that `what` names, each over one session, and returns what was read of each. A device of
/// which no target is known counts as unreachable.
pub async fn observe(
    devices: &BTreeMap<NodeName, ObserveTarget>,
    what: &BTreeMap<NodeName, WhatToCollect>,
    reading: &Reading,
) -> BTreeMap<NodeName, Observed> {
    let places = Arc::new(Semaphore::new(reading.concurrency.max(1)));
    let mut tasks = JoinSet::new();
    let mut observed: BTreeMap<NodeName, Observed> = BTreeMap::new();
    for (device, what) in what {
        // What stands here stays when the task does not end by itself.
        observed.insert(device.clone(), Observed::unreachable("the reading was cut short"));
        let Some(target) = devices.get(device).cloned() else {
            observed.insert(device.clone(), Observed::unreachable("no way to log in is known"));
            continue;
        };
        let (device, what, reading, places) = (device.clone(), what.clone(), reading.clone(), places.clone());
        tasks.spawn(async move {
            let _bound = reading.pool.place(&device, &target.target).await;
            let _place = places.acquire_owned().await;
            let seen = read_device(&device, &target, &what, &reading.pool).await;
            (device, seen)
        });
    }
    while let Some(done) = tasks.join_next().await {
        if let Ok((device, seen)) = done {
            observed.insert(device, seen);
        }
    }
    observed
}

/// Reads one device over a session of the pool.
async fn read_device(device: &NodeName, target: &ObserveTarget, what: &WhatToCollect, pool: &Pool) -> Observed {
    let mut session = match pool.take(device, &target.target, target.pack.clone()).await {
        Ok(session) => session,
        Err(error) => return Observed::unreachable(reason(device, &error)),
    };
    let seen = read(&mut session, device, what).await;
    pool.give_back(device, &target.target, session).await;
    seen
}

/// Reads one device over a session that is open. A part that fails leaves the others; a connection that breaks leaves what was
/// read before.
pub async fn read(session: &mut Session<'_>, device: &NodeName, what: &WhatToCollect) -> Observed {
    let mut seen = Observed::default();
    let mut parts = what.parts.iter();
    while let Some(&part) = parts.next() {
        match read_part(session, device, part, what, &mut seen).await {
            Ok(()) => {}
            Err(Problem::Part(problem)) => {
                seen.problems.insert(part, problem);
            }
            // What hangs or is lost does so for every further part, each for as long as its limit is.
            Err(Problem::Device(problem)) => {
                seen.problems.insert(part, problem.clone());
                seen.problems.extend(parts.by_ref().map(|&part| (part, problem.clone())));
            }
        }
    }
    seen
}

/// Why a part could not be read.
enum Problem {
    /// It concerns this part only.
    Part(String),
    /// It concerns the device or the connection to it.
    Device(String),
}

impl Problem {
    fn new(device: &NodeName, error: &SessionError) -> Self {
        let words = reason(device, error);
        if error.is_unreachable() { Self::Device(words) } else { Self::Part(words) }
    }
}

async fn read_part(
    session: &mut Session<'_>,
    device: &NodeName,
    part: Part,
    what: &WhatToCollect,
    seen: &mut Observed,
) -> Result<(), Problem> {
    let collector = match part {
        Part::Running => {
            seen.running = Some(session.running().await.map_err(|error| Problem::new(device, &error))?);
            return Ok(());
        }
        Part::Version if !session.pack().manifest().collectors.contains_key(&CollectorName::Version) => return Ok(()),
        Part::Advertised => {
            let mut advertised: BTreeMap<NeighborTarget, BTreeSet<ipnet::IpNet>> = BTreeMap::new();
            for (neighbor, interface) in &what.external {
                let vars = BTreeMap::from([("neighbor", neighbor.to_string()), ("interface", interface.to_string())]);
                match collect(session, device, CollectorName::Advertised, &vars).await? {
                    StatePart::Advertised(prefixes) => advertised.insert(neighbor.clone(), prefixes),
                    other => return Err(unfit(&other)),
                };
            }
            seen.state.advertised = Some(advertised);
            return Ok(());
        }
        Part::OspfNeighbors if !what.ospf => {
            seen.state.ospf_neighbors = Some(BTreeMap::new());
            return Ok(());
        }
        Part::Version => CollectorName::Version,
        Part::OspfNeighbors => CollectorName::OspfNeighbors,
        Part::Interfaces => CollectorName::Interfaces,
        Part::Neighbors => CollectorName::Neighbors,
        Part::Rib => CollectorName::Rib,
        Part::Fib => CollectorName::Fib,
    };
    match (part, collect(session, device, collector, &BTreeMap::new()).await?) {
        (Part::Version, StatePart::Version(version)) => seen.version = Some(version),
        (Part::Interfaces, StatePart::Interfaces(interfaces)) => seen.state.interfaces = Some(interfaces),
        (Part::Neighbors, StatePart::Neighbors(neighbors)) => seen.state.neighbors = Some(neighbors),
        (Part::OspfNeighbors, StatePart::OspfNeighbors(neighbors)) => seen.state.ospf_neighbors = Some(neighbors),
        (Part::Rib, StatePart::Rib(rib)) => seen.state.rib = Some(rib.into()),
        (Part::Fib, StatePart::Fib(fib)) => seen.state.fib = Some(fib.into()),
        (_, other) => return Err(unfit(&other)),
    }
    Ok(())
}

async fn collect(
    session: &mut Session<'_>,
    device: &NodeName,
    collector: CollectorName,
    vars: &BTreeMap<&str, String>,
) -> Result<StatePart, Problem> {
    let outputs = session.collect(collector, vars).await.map_err(|error| Problem::new(device, &error))?;
    session.pack().parse(collector, &outputs).map_err(|error| Problem::Part(error.to_string()))
}

fn unfit(part: &StatePart) -> Problem {
    let name = match part {
        StatePart::Version(_) => "a version",
        StatePart::Interfaces(_) => "interfaces",
        StatePart::Neighbors(_) => "neighbors",
        StatePart::OspfNeighbors(_) => "OSPF neighbors",
        StatePart::Rib(_) => "a RIB",
        StatePart::Fib(_) => "a FIB",
        StatePart::Advertised(_) => "announced prefixes",
    };
    Problem::Part(format!("the pack's parser returned {name}"))
}

/// Returns the words of an error without the name of the device, which stands beside them, and in one line.
pub(crate) fn reason(device: &NodeName, error: &SessionError) -> String {
    let words = error.to_string();
    let words = words.strip_prefix(&format!("{device}: ")).unwrap_or(&words);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
