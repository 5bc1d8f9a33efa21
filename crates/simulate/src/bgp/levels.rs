//! Classes whose paths come one after the other: each device is settled once, the nearest first.
//!
//! The level of a route is the length of its path, above all others where the route is about to go away. A device holds a route of
//! the lowest level that it is offered. Whatever policies do with communities, MEDs and longer paths on the way, what others make of
//! the route has a higher level. So a device's choice follows from those of devices of lower levels, there is exactly one stable
//! choice, and it is found by letting devices decide level by level.
//!
//! A failure is mended in the same order: a device decides again at the level that it had, if what it might use has changed, and
//! where nothing of that level is left, it forgets its route, and decides at the next level at which something is offered. The others
//! need not be asked. Most of those that decide only lose one of several equal routes: they go on with the rest, without a look at
//! other neighbors. What a failure changes is undone before the next one. The path of a device that has an AS for itself is never looked for that AS: what passed it has a higher level than
//! what it holds.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::{
    Choice, ChoiceId, Class, Converged, Gone, LOCAL, Lists, NONE, Network, Scratch, State, choice,
    exchange::{Exchange, choose},
    no_lists,
};
use crate::{
    attributes::{Attributes, Route},
    session::Sessions,
};

/// The level of no route.
pub(super) const NEVER: u32 = u32::MAX;

/// The bit of levels of routes that are about to go away.
const GOING: u32 = 1 << 31;

/// Stands for no session.
const NOTHING: u16 = u16::MAX;
/// Stands for more than one session.
const SEVERAL: u16 = u16::MAX - 1;

/// For each session of each device its number at the other end.
#[derive(Debug, Default)]
pub(crate) struct FarEnds {
    /// Where the sessions of each device begin.
    first: Vec<u32>,
    numbers: Vec<u16>,
}

impl FarEnds {
    pub(crate) fn new(sessions: &Sessions<'_>) -> Self {
        let mut between: FxHashMap<(usize, usize), VecDeque<u16>> = FxHashMap::default();
        for device in 0..sessions.len() {
            for (number, link) in (0_u16..).zip(sessions.links(device)) {
                between.entry((link.peer as usize, device)).or_default().push_back(number);
            }
        }
        let mut far = Self::default();
        for device in 0..sessions.len() {
            far.first.push(far.numbers.len() as u32);
            for link in sessions.links(device) {
                // Where two devices have several sessions, any two ends do: an announcement goes over all of them.
                let number = between.get_mut(&(device, link.peer as usize)).and_then(VecDeque::pop_front);
                far.numbers.push(number.unwrap_or(SEVERAL));
            }
        }
        far
    }

    /// Returns the number of a session at its other end.
    fn of(&self, device: usize, session: usize) -> u16 {
        self.numbers[self.first[device] as usize + session]
    }
}

/// The devices that are to decide, by level. It is empty before and after each computation.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By the length of paths: of routes that stay, and of those that are about to go away.
    waiting: [Vec<Vec<u32>>; 2],
    /// The lengths below which nobody waits.
    lowest: [usize; 2],
    /// The lowest level at which each device is to decide.
    due: Vec<u32>,
    /// Whether something came that a device may prefer to what it uses, or use beside it.
    news: Vec<bool>,
    /// The session over which a device is offered no more what it may use.
    lost: Vec<u16>,
}

impl Queue {
    fn resize(&mut self, devices: usize) {
        self.due.resize(devices, NEVER);
        self.news.resize(devices, false);
        self.lost.resize(devices, NOTHING);
    }

    fn lose(&mut self, device: usize, session: u16) {
        let lost = &mut self.lost[device];
        *lost = if *lost == NOTHING { session } else { SEVERAL };
    }

    fn push(&mut self, device: usize, level: u32) {
        if level >= self.due[device] {
            return;
        }
        self.due[device] = level;
        let (going, length) = (usize::from(level & GOING != 0), (level & !GOING) as usize);
        let waiting = &mut self.waiting[going];
        if waiting.len() <= length {
            waiting.resize_with(length + 1, Vec::new);
        }
        waiting[length].push(device as u32);
        self.lowest[going] = self.lowest[going].min(length);
    }

    /// Returns a device of the lowest level.
    fn pop(&mut self) -> Option<(u32, usize)> {
        for (going, bit) in [0, GOING].into_iter().enumerate() {
            while let Some(waiting) = self.waiting[going].get_mut(self.lowest[going]) {
                let level = self.lowest[going] as u32 | bit;
                while let Some(device) = waiting.pop() {
                    // Else it has decided at a lower level.
                    if self.due[device as usize] == level {
                        self.due[device as usize] = NEVER;
                        return Some((level, device as usize));
                    }
                }
                self.lowest[going] += 1;
            }
        }
        None
    }
}

/// What a device held before something was gone.
#[derive(Debug)]
struct Former {
    device: usize,
    held: u32,
    offered: u32,
    announced: Route,
    chosen: ChoiceId,
}

/// Devices that are being settled.
#[derive(Debug)]
struct Settling<'c, 'b> {
    exchange: Exchange<'c, 'b>,
    state: State,
    queue: Queue,
    lists: Lists<'b>,
    /// The choices that are left of some without one of their sessions.
    without: FxHashMap<(ChoiceId, u16), ChoiceId>,
    /// The other ends of sessions, where that is known.
    far: Option<&'c FarEnds>,
    /// Whether routes are compared by MEDs.
    meds: bool,
    /// What the devices held that were touched since the state was right, each once.
    formers: Vec<Former>,
    /// When each device was touched last; empty where nobody asks what was before.
    touched: Vec<u32>,
    now: u32,
    equal: Vec<(u16, Route)>,
    sessions: Vec<u16>,
}

/// Computes a class from the start.
pub(super) fn converge(exchange: Exchange<'_, 'static>, meds: bool, gone: &Gone, scratch: &mut Scratch) -> Converged {
    let class = exchange.class;
    scratch.state.clear(exchange.network.sessions.len());
    let mut settling = Settling::new(exchange, no_lists(), meds, scratch);
    for &origin in class.origins.iter().filter(|origin| !gone.origins.contains(origin)) {
        settling.state.held[origin] = 0;
        settling.state.chosen[origin] = LOCAL;
        settling.hold(origin, 0, Attributes::originated());
        settling.tell(origin, NEVER);
    }
    settling.run(gone);
    let Settling { exchange: Exchange { attributes, passages, .. }, state, queue, lists, .. } = settling;
    scratch.queue = queue;
    Converged { state, lists, attributes, passages, ordered: true, meds, stable: true }
}

/// A class that is mended after one failure, and after another.
#[derive(Debug)]
pub(crate) struct Mending<'c> {
    settling: Settling<'c, 'c>,
    changed: Vec<usize>,
}

impl<'c> Mending<'c> {
    pub(super) fn new(
        network: Network<'c>,
        far: &'c FarEnds,
        class: &'c Class,
        base: &'c Converged,
        scratch: &mut Scratch,
    ) -> Self {
        scratch.state.copy(&base.state);
        let exchange = Exchange::new(network, class, base.passages.clone(), Attributes::on(&base.attributes));
        let mut settling = Settling::new(exchange, Lists::new(Some(&base.lists)), base.meds, scratch);
        settling.touched = vec![0; network.sessions.len()];
        settling.far = Some(far);
        Self { settling, changed: Vec::new() }
    }

    /// Leaves the room to the next computation.
    pub(super) fn leave(self, scratch: &mut Scratch) {
        let Settling { state, queue, .. } = self.settling;
        *scratch = Scratch { state, queue };
    }

    /// Returns the devices that choose otherwise once something is gone, and nothing else is.
    pub(super) fn mend(&mut self, gone: &Gone) -> &[usize] {
        let settling = &mut self.settling;
        settling.restore();
        for &(device, session) in &gone.sessions {
            let held = settling.state.held[device];
            if held != NEVER {
                settling.queue.lose(device, session);
                settling.queue.push(device, held);
            }
        }
        for &origin in &gone.origins {
            settling.queue.push(origin, settling.state.held[origin]);
        }
        settling.run(gone);
        self.changed.clear();
        let chosen = &settling.state.chosen;
        let changed = settling.formers.iter().filter(|former| chosen[former.device] != former.chosen);
        self.changed.extend(changed.map(|former| former.device));
        &self.changed
    }

    /// Returns what a device chose after the last failure.
    pub(super) fn choice(&self, device: usize) -> Choice<'_> {
        choice(&self.settling.lists, self.settling.state.chosen[device])
    }
}

impl<'c, 'b> Settling<'c, 'b> {
    /// Returns the devices as they are in the room.
    fn new(exchange: Exchange<'c, 'b>, lists: Lists<'b>, meds: bool, scratch: &mut Scratch) -> Self {
        let Scratch { state, mut queue } = std::mem::take(scratch);
        queue.resize(exchange.network.sessions.len());
        Self {
            exchange,
            state,
            queue,
            lists,
            without: FxHashMap::default(),
            far: None,
            meds,
            formers: Vec::new(),
            touched: Vec::new(),
            now: 1,
            equal: Vec::new(),
            sessions: Vec::new(),
        }
    }

    fn run(&mut self, gone: &Gone) {
        while let Some((level, device)) = self.queue.pop() {
            self.decide(device, level, gone);
        }
    }

    /// Keeps what a device holds, before that changes.
    fn touch(&mut self, device: usize) {
        let Some(touched) = self.touched.get_mut(device).filter(|touched| **touched != self.now) else { return };
        *touched = self.now;
        let State { held, offered, announced, chosen } = &self.state;
        self.formers.push(Former {
            device,
            held: held[device],
            offered: offered[device],
            announced: announced[device],
            chosen: chosen[device],
        });
    }

    /// Undoes all changes.
    fn restore(&mut self) {
        self.now += 1;
        for Former { device, held, offered, announced, chosen } in self.formers.drain(..) {
            self.state.held[device] = held;
            self.state.offered[device] = offered;
            self.state.announced[device] = announced;
            self.state.chosen[device] = chosen;
        }
    }

    /// Lets a device decide, once all of lower levels have.
    fn decide(&mut self, device: usize, level: u32, gone: &Gone) {
        let news = std::mem::take(&mut self.queue.news[device]);
        let lost = std::mem::replace(&mut self.queue.lost[device], NOTHING);
        if self.state.chosen[device] == LOCAL && !gone.origins.contains(&device) {
            return;
        }
        let held = self.state.held[device];
        if held == level && !news && self.keep(device, lost, gone) {
            return;
        }
        let lowest = self.gather(device, gone);
        if lowest == level {
            return self.take(device, level);
        }
        if held == level {
            // Nothing is left of what it held.
            self.touch(device);
            let offered = self.state.offered[device];
            self.state.held[device] = NEVER;
            self.state.offered[device] = NEVER;
            self.state.chosen[device] = NONE;
            self.tell(device, offered);
            self.queue.push(device, lowest);
        } else {
            // What is offered turned out to be of a higher level, or what it holds may have changed meanwhile.
            self.queue.news[device] |= held != NEVER;
            self.queue.push(device, lowest.min(held));
        }
    }

    /// Has a device that heard of nothing better or as good go on with what is left of the routes that it uses; tells whether
    /// it can. It need not ask all of its neighbors.
    fn keep(&mut self, device: usize, lost: u16, gone: &Gone) -> bool {
        let sessions = self.exchange.network.sessions;
        let speaker = &sessions.speakers[device];
        let chosen = self.state.chosen[device];
        // A MED that is gone may make others better that were not used.
        if self.meds || chosen == LOCAL || chosen == NONE {
            return false;
        }
        let used = self.lists.get(chosen);
        // Others may come after the most that it uses.
        if used.len() == speaker.maximum_paths {
            return false;
        }
        let first = used[0];
        let known = if lost == SEVERAL { None } else { self.without.get(&(chosen, lost)).copied() };
        let left = known.unwrap_or_else(|| self.left(device, lost, gone));
        if left == chosen {
            return true;
        }
        let Some(&best) = (if left == NONE { None } else { self.lists.get(left).first() }) else { return false };
        if best == first {
            self.touch(device);
            self.state.chosen[device] = left;
            return true;
        }
        let link = sessions.links(device)[usize::from(best)];
        let announced = self.state.announced[link.peer as usize];
        let Some(route) = self.exchange.heard(speaker.asn, link.sort, announced) else { return false };
        self.go_on(device, self.state.held[device], left, route);
        true
    }

    /// Returns what is left of the choice of a device without a session, or without all that are offered no more.
    fn left(&mut self, device: usize, lost: u16, gone: &Gone) -> ChoiceId {
        let links = self.exchange.network.sessions.links(device);
        let (level, chosen) = (self.state.held[device], self.state.chosen[device]);
        let (gone, offered) = (gone.of(device), &self.state.offered);
        let used = self.lists.get(chosen).iter().copied();
        self.sessions.clear();
        if lost == SEVERAL {
            let is_offered = |session: &u16| {
                offered[links[usize::from(*session)].peer as usize] <= level && !gone.contains(&(device, *session))
            };
            self.sessions.extend(used.filter(is_offered));
        } else {
            self.sessions.extend(used.filter(|session| *session != lost));
        }
        let sessions = &self.sessions[..];
        let left = if sessions.is_empty() { NONE } else { self.lists.number(sessions, || sessions.into()) };
        if lost != SEVERAL {
            self.without.insert((chosen, lost), left);
        }
        left
    }

    /// Gathers the routes of the lowest level that a device is offered, in the order of its sessions, and returns the level.
    fn gather(&mut self, device: usize, gone: &Gone) -> u32 {
        let sessions = self.exchange.network.sessions;
        let asn = sessions.speakers[device].asn;
        let gone = gone.of(device);
        let mut lowest = NEVER;
        self.equal.clear();
        for (index, link) in (0_u16..).zip(sessions.links(device)) {
            let offered = self.state.offered[link.peer as usize];
            if offered > lowest || offered == NEVER || gone.contains(&(device, index)) {
                continue;
            }
            let announced = self.state.announced[link.peer as usize];
            let Some(route) = self.exchange.heard(asn, link.sort, announced) else { continue };
            let level = self.level(route);
            if level < lowest {
                lowest = level;
                self.equal.clear();
            }
            if level == lowest {
                self.equal.push((index, route));
            }
        }
        lowest
    }

    /// Returns the level of a route that a device holds.
    fn level(&self, route: Route) -> u32 {
        let length = self.exchange.attributes.length(route.path);
        if route.local_preference == 0 { length | GOING } else { length }
    }

    /// Has a device use the routes that were gathered.
    fn take(&mut self, device: usize, level: u32) {
        let maximum_paths = self.exchange.network.sessions.speakers[device].maximum_paths;
        choose(&mut self.equal, maximum_paths, self.meds, &self.exchange.attributes);
        self.sessions.clear();
        self.sessions.extend(self.equal.iter().map(|(session, _)| *session));
        let sessions = &self.sessions[..];
        let chosen = self.lists.number(sessions, || sessions.into());
        self.go_on(device, level, chosen, self.equal[0].1);
    }

    /// Has a device make a choice, of which this is the best route.
    fn go_on(&mut self, device: usize, level: u32, chosen: ChoiceId, best: Route) {
        self.touch(device);
        self.state.chosen[device] = chosen;
        let (offered, former) = (self.state.offered[device], self.state.announced(device));
        self.state.held[device] = level;
        self.hold(device, level, best);
        if self.state.announced(device) != former {
            self.tell(device, offered);
        }
    }

    /// Has a device announce the best route that it holds.
    fn hold(&mut self, device: usize, level: u32, best: Route) {
        match self.exchange.announced(device, best) {
            None => self.state.offered[device] = NEVER,
            Some(route) => {
                let length = self.exchange.attributes.length(route.path);
                self.state.offered[device] = length | (level & GOING);
                self.state.announced[device] = route;
            }
        }
    }

    /// Has those decide again that may use what a device announces, or used what it announced before.
    fn tell(&mut self, device: usize, before: u32) {
        let now = self.state.offered[device];
        for (number, link) in self.exchange.network.sessions.links(device).iter().enumerate() {
            let peer = link.peer as usize;
            let held = self.state.held[peer];
            if now <= held {
                self.queue.news[peer] |= held != NEVER;
                self.queue.push(peer, now);
            } else if before <= held {
                self.queue.lose(peer, self.far.map_or(SEVERAL, |far| far.of(device, number)));
                self.queue.push(peer, held);
            }
        }
    }
}
