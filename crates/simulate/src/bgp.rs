//! The BGP decision process, one class of prefixes at a time.

use std::collections::{HashMap, VecDeque};

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
    classes.par_iter().map(|class| Computation::new(speakers, class).run(&readers, MOST_DECISIONS_PER_DEVICE)).collect()
}

/// Returns for each device those that hear it, each once.
fn readers(speakers: &[Speaker<'_>]) -> Vec<Vec<usize>> {
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
struct Paths {
    /// The first AS, the rest of the path, the length.
    paths: Vec<(u32, PathId, u32)>,
    known: HashMap<(u32, PathId), PathId>,
}

impl Paths {
    const EMPTY: PathId = 0;

    fn prepend(&mut self, asn: u32, rest: PathId) -> PathId {
        let length = self.length(rest) + 1;
        *self.known.entry((asn, rest)).or_insert_with(|| {
            self.paths.push((asn, rest, length));
            self.paths.len() as PathId - 1
        })
    }

    fn length(&self, path: PathId) -> u32 {
        self.paths[path as usize].2
    }

    fn contains(&self, mut path: PathId, asn: u32) -> bool {
        while path != Self::EMPTY {
            let (first, rest, _) = self.paths[path as usize];
            if first == asn {
                return true;
            }
            path = rest;
        }
        false
    }
}

struct Computation<'c, 'a> {
    speakers: &'c [Speaker<'a>],
    class: &'c Class,
    paths: Paths,
    choices: Vec<Choice>,
    /// The path that each device announces, its own AS included.
    announced: Vec<Option<PathId>>,
}

impl<'c, 'a> Computation<'c, 'a> {
    fn new(speakers: &'c [Speaker<'a>], class: &'c Class) -> Self {
        let mut paths = Paths { paths: vec![(0, Paths::EMPTY, 0)], known: HashMap::new() };
        let mut choices = vec![Choice::None; speakers.len()];
        let mut announced = vec![None; speakers.len()];
        for &origin in &class.origins {
            choices[origin] = Choice::Local;
            announced[origin] = Some(paths.prepend(speakers[origin].asn, Paths::EMPTY));
        }
        Self { speakers, class, paths, choices, announced }
    }

    /// Lets devices decide until none changes what it announces.
    fn run(mut self, readers: &[Vec<usize>], most_decisions_per_device: usize) -> ClassRoutes {
        let mut queue = VecDeque::new();
        let mut queued = vec![false; self.speakers.len()];
        let enqueue = |queue: &mut VecDeque<usize>, queued: &mut Vec<bool>, device: usize| {
            for &reader in &readers[device] {
                if !std::mem::replace(&mut queued[reader], true) {
                    queue.push_back(reader);
                }
            }
        };
        for &origin in &self.class.origins {
            enqueue(&mut queue, &mut queued, origin);
        }
        let mut decisions = most_decisions_per_device * self.speakers.len();
        let mut stable = true;
        while let Some(device) = queue.pop_front() {
            if decisions == 0 {
                stable = false;
                break;
            }
            decisions -= 1;
            queued[device] = false;
            if self.decide(device) {
                enqueue(&mut queue, &mut queued, device);
            }
        }
        let received = (0..self.speakers.len()).map(|device| self.received(device).map(|(i, _)| i).collect()).collect();
        ClassRoutes { choices: self.choices, stable, received }
    }

    /// Returns the sessions over which a device receives a route that it accepts, with the route's path.
    fn received(&self, device: usize) -> impl Iterator<Item = (u16, PathId)> {
        let speaker = &self.speakers[device];
        speaker.sessions.iter().enumerate().filter_map(move |(index, session)| {
            let path = self.announced[session.peer]?;
            let accepted = self.class.verdicts.accepts(session.peer_export)
                && self.class.verdicts.accepts(session.import)
                && !self.paths.contains(path, speaker.asn);
            accepted.then_some((index as u16, path))
        })
    }

    /// Lets a device choose, and tells whether it now announces something else.
    fn decide(&mut self, device: usize) -> bool {
        if self.choices[device] == Choice::Local {
            return false;
        }
        let mut best: Option<(u32, PathId)> = None;
        let mut equal: Vec<u16> = Vec::new();
        for (session, path) in self.received(device) {
            let length = self.paths.length(path);
            if best.is_none_or(|(shortest, _)| length < shortest) {
                best = Some((length, path));
                equal.clear();
            }
            if best.is_some_and(|(shortest, _)| length == shortest) {
                equal.push(session);
            }
        }
        equal.truncate(self.speakers[device].maximum_paths);
        self.choices[device] = if equal.is_empty() { Choice::None } else { Choice::Received(equal.into()) };
        let announced = best.map(|(_, path)| self.paths.prepend(self.speakers[device].asn, path));
        std::mem::replace(&mut self.announced[device], announced) != announced
    }
}
