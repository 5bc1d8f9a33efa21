//! The BGP decision process, one class of prefixes at a time.

use std::collections::{HashMap, HashSet, VecDeque};

use ipnet::IpNet;
use rayon::prelude::*;

use crate::{policy::Verdicts, session::Speaker};

/// A class is given up as unstable after so many decisions per device.
const MOST_DECISIONS_PER_DEVICE: usize = 64;

/// Prefixes that the same devices originate and on which every policy says the same.
#[derive(Debug)]
pub(crate) struct Class {
    /// The prefixes, in order.
    pub(crate) prefixes: Vec<IpNet>,
    /// The devices that originate them, in order.
    pub(crate) origins: Vec<usize>,
    /// What the policies say.
    pub(crate) verdicts: Verdicts,
}

/// What a device chose for the prefixes of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It has no BGP route.
    None,
    /// It originates them.
    Local,
    /// It uses the routes received over these of its sessions, the best first.
    Received(Box<[u16]>),
}

/// The routes of a class.
#[derive(Debug)]
pub(crate) struct ClassRoutes {
    /// What each device chose.
    pub(crate) choices: Vec<Choice>,
    /// Whether the choices are final; `false` when the bound on decisions was reached.
    pub(crate) stable: bool,
    /// The sessions over which each device receives the prefixes and accepts them, best or not.
    pub(crate) received: Vec<Vec<u16>>,
}

/// Computes all classes.
pub(crate) fn routes(speakers: &[Speaker<'_>], classes: &[Class]) -> Vec<ClassRoutes> {
    let readers = readers(speakers);
    let routes = |class| {
        let converged = converge(speakers, &readers, class);
        let received = |device| {
            let heard = received(speakers, class, device, |peer| converged.announced[peer], &converged.paths);
            heard.map(|(session, _)| session).collect()
        };
        let received = (0..speakers.len()).map(received).collect();
        ClassRoutes { choices: converged.choices, stable: converged.stable, received }
    };
    classes.par_iter().map(routes).collect()
}

/// What the devices chose for a class, and what they announce to each other.
#[derive(Debug)]
pub(crate) struct Converged {
    /// What each device chose.
    pub(crate) choices: Vec<Choice>,
    /// Whether the choices are final; `false` when the bound on decisions was reached.
    pub(crate) stable: bool,
    announced: Vec<Option<PathId>>,
    paths: Paths<'static>,
}

/// Computes one class.
pub(crate) fn converge(speakers: &[Speaker<'_>], readers: &[Vec<usize>], class: &Class) -> Converged {
    Computation::new(speakers, class).run(readers, MOST_DECISIONS_PER_DEVICE * speakers.len())
}

/// Returns for each device those that hear it, each once.
pub(crate) fn readers(speakers: &[Speaker<'_>]) -> Vec<Vec<usize>> {
    speakers
        .iter()
        .map(|speaker| {
            let mut peers: Vec<usize> = speaker.sessions.iter().map(|session| session.peer).collect();
            peers.sort_unstable();
            peers.dedup();
            peers
        })
        .collect()
}

/// An AS path of [`Paths`].
type PathId = u32;

/// The AS paths of a class, each once.
#[derive(Debug)]
struct Paths<'b> {
    /// Those that are known already, and keep their numbers.
    base: Option<&'b Paths<'b>>,
    /// The first AS, the rest of the path, the length.
    paths: Vec<(u32, PathId, u32)>,
    known: HashMap<(u32, PathId), PathId>,
}

impl<'b> Paths<'b> {
    const EMPTY: PathId = 0;

    fn new() -> Self {
        Self { base: None, paths: vec![(0, Self::EMPTY, 0)], known: HashMap::new() }
    }

    fn on(base: &'b Paths<'b>) -> Self {
        Self { base: Some(base), paths: Vec::new(), known: HashMap::new() }
    }

    /// Returns how many paths are known without those of its own.
    fn before(&self) -> usize {
        self.base.map_or(0, |base| base.before() + base.paths.len())
    }

    fn path(&self, path: PathId) -> (u32, PathId, u32) {
        match self.base {
            Some(base) if (path as usize) < self.before() => base.path(path),
            _ => self.paths[path as usize - self.before()],
        }
    }

    fn known(&self, path: (u32, PathId)) -> Option<PathId> {
        self.known.get(&path).copied().or_else(|| self.base?.known(path))
    }

    fn prepend(&mut self, asn: u32, rest: PathId) -> PathId {
        if let Some(known) = self.known((asn, rest)) {
            return known;
        }
        let id = (self.before() + self.paths.len()) as PathId;
        self.paths.push((asn, rest, self.length(rest) + 1));
        self.known.insert((asn, rest), id);
        id
    }

    fn length(&self, path: PathId) -> u32 {
        self.path(path).2
    }

    fn contains(&self, mut path: PathId, asn: u32) -> bool {
        while path != Self::EMPTY {
            let (first, rest, _) = self.path(path);
            if first == asn {
                return true;
            }
            path = rest;
        }
        false
    }
}

/// Returns the sessions over which a device receives a route that it accepts, with the route's path.
fn received<'r>(
    speakers: &'r [Speaker<'_>],
    class: &'r Class,
    device: usize,
    announced: impl Fn(usize) -> Option<PathId> + 'r,
    paths: &'r Paths<'_>,
) -> impl Iterator<Item = (u16, PathId)> {
    let speaker = &speakers[device];
    speaker.sessions.iter().enumerate().filter_map(move |(index, session)| {
        let path = announced(session.peer)?;
        let accepted = class.verdicts.accepts(session.peer_export)
            && class.verdicts.accepts(session.import)
            && !paths.contains(path, speaker.asn);
        accepted.then_some((index as u16, path))
    })
}

/// Returns what a device chooses of what it receives, and the path of the best route.
fn choose(
    received: impl Iterator<Item = (u16, PathId)>,
    maximum_paths: usize,
    paths: &Paths<'_>,
) -> (Choice, Option<PathId>) {
    let mut best: Option<(u32, PathId)> = None;
    let mut equal: Vec<u16> = Vec::new();
    for (session, path) in received {
        let length = paths.length(path);
        if best.is_none_or(|(shortest, _)| length < shortest) {
            best = Some((length, path));
            equal.clear();
        }
        if best.is_some_and(|(shortest, _)| length == shortest) {
            equal.push(session);
        }
    }
    equal.truncate(maximum_paths);
    let choice = if equal.is_empty() { Choice::None } else { Choice::Received(equal.into()) };
    (choice, best.map(|(_, path)| path))
}

struct Computation<'c, 'a> {
    speakers: &'c [Speaker<'a>],
    class: &'c Class,
    paths: Paths<'static>,
    choices: Vec<Choice>,
    /// The path that each device announces, its own AS included.
    announced: Vec<Option<PathId>>,
}

impl<'c, 'a> Computation<'c, 'a> {
    fn new(speakers: &'c [Speaker<'a>], class: &'c Class) -> Self {
        let mut paths = Paths::new();
        let mut choices = vec![Choice::None; speakers.len()];
        let mut announced = vec![None; speakers.len()];
        for &origin in &class.origins {
            choices[origin] = Choice::Local;
            announced[origin] = Some(paths.prepend(speakers[origin].asn, Paths::EMPTY));
        }
        Self { speakers, class, paths, choices, announced }
    }

    /// Lets devices decide until none changes what it announces.
    fn run(mut self, readers: &[Vec<usize>], mut decisions: usize) -> Converged {
        let mut queue = Queue { waiting: VecDeque::new(), queued: vec![false; self.speakers.len()] };
        for &origin in &self.class.origins {
            queue.push(&readers[origin]);
        }
        let mut stable = true;
        while let Some(device) = queue.waiting.pop_front() {
            if decisions == 0 {
                stable = false;
                break;
            }
            decisions -= 1;
            queue.queued[device] = false;
            if self.decide(device) {
                queue.push(&readers[device]);
            }
        }
        Converged { choices: self.choices, stable, announced: self.announced, paths: self.paths }
    }

    /// Lets a device choose, and tells whether it now announces something else.
    fn decide(&mut self, device: usize) -> bool {
        if self.choices[device] == Choice::Local {
            return false;
        }
        let speaker = &self.speakers[device];
        let received = received(self.speakers, self.class, device, |peer| self.announced[peer], &self.paths);
        let (choice, best) = choose(received, speaker.maximum_paths, &self.paths);
        self.choices[device] = choice;
        let announced = best.map(|path| self.paths.prepend(speaker.asn, path));
        std::mem::replace(&mut self.announced[device], announced) != announced
    }
}

/// The devices that are to decide, each once.
struct Queue {
    waiting: VecDeque<usize>,
    queued: Vec<bool>,
}

impl Queue {
    fn push(&mut self, devices: &[usize]) {
        for &device in devices {
            if !std::mem::replace(&mut self.queued[device], true) {
                self.waiting.push_back(device);
            }
        }
    }
}

/// What is gone after a failure.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    /// Sessions, as device and index, from both ends.
    pub(crate) sessions: Vec<(usize, u16)>,
    /// Devices that originate the class no more.
    pub(crate) origins: Vec<usize>,
}

/// Returns what devices choose otherwise once something is gone, by letting only those decide again that hear of it; `None`
/// when the bound on decisions was reached.
///
/// The result is that of a computation from the start, because there is only one stable choice: routes of length `n + 1`
/// are made of nothing but the routes of length `n`.
pub(crate) fn repair(
    speakers: &[Speaker<'_>],
    readers: &[Vec<usize>],
    class: &Class,
    base: &Converged,
    gone: &Gone,
) -> Option<HashMap<usize, Choice>> {
    let mut paths = Paths::on(&base.paths);
    let mut announced: HashMap<usize, Option<PathId>> = HashMap::new();
    let mut choices: HashMap<usize, Choice> = HashMap::new();
    let mut waiting: VecDeque<usize> = VecDeque::new();
    let ends = gone.sessions.iter().map(|(device, _)| device).chain(&gone.origins);
    for &device in ends {
        if !waiting.contains(&device) {
            waiting.push_back(device);
        }
    }
    let mut queued: HashSet<usize> = waiting.iter().copied().collect();
    let mut decisions = MOST_DECISIONS_PER_DEVICE * speakers.len();
    while let Some(device) = waiting.pop_front() {
        queued.remove(&device);
        decisions = decisions.checked_sub(1)?;
        if base.choices[device] == Choice::Local && !gone.origins.contains(&device) {
            continue;
        }
        let speaker = &speakers[device];
        let announces = |peer: usize| announced.get(&peer).copied().unwrap_or(base.announced[peer]);
        let received = received(speakers, class, device, announces, &paths)
            .filter(|(session, _)| !gone.sessions.contains(&(device, *session)));
        let (choice, best) = choose(received, speaker.maximum_paths, &paths);
        let former = announces(device);
        let now = best.map(|path| paths.prepend(speaker.asn, path));
        choices.insert(device, choice);
        announced.insert(device, now);
        if now != former {
            for &reader in &readers[device] {
                if queued.insert(reader) {
                    waiting.push_back(reader);
                }
            }
        }
    }
    choices.retain(|device, choice| *choice != base.choices[*device]);
    Some(choices)
}
