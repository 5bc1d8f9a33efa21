//! Classes whose paths come one after the other: each device is settled once, the nearest first.
//!
//! The level of a route is the length of its path, above all others where the route is about to go away. A device holds a route of
//! the lowest level that it is offered. Whatever policies do with communities, MEDs and longer paths on the way, what others make of
//! the route has a higher level. So a device's choice follows from those of devices of lower levels, there is exactly one stable
//! choice, and it is found by letting devices decide level by level.
//!
//! A failure is mended in the same order: a device decides again at the level that it had, if what it might use has changed, and
//! where nothing of that level is left, it forgets its route, and decides at the next level at which something is offered. The others
//! need not be asked. The path of a device that has an AS for itself is never looked for that AS: what passed it has a higher level than
//! what it holds.

use super::{
    Choice, ChoiceId, Class, Converged, Gone, LOCAL, Lists, NONE, Network, Scratch, State, choice,
    exchange::{Exchange, choose},
    no_lists,
};
use crate::attributes::{Attributes, Route};

/// The level of no route.
pub(super) const NEVER: u32 = u32::MAX;

/// The bit of levels of routes that are about to go away.
const GOING: u32 = 1 << 31;

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
}

impl Queue {
    fn resize(&mut self, devices: usize) {
        self.due.resize(devices, NEVER);
        self.news.resize(devices, false);
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
    pub(super) fn new(network: Network<'c>, class: &'c Class, base: &'c Converged, scratch: &mut Scratch) -> Self {
        scratch.state.copy(&base.state);
        let exchange = Exchange::new(network, class, base.passages.clone(), Attributes::on(&base.attributes));
        let mut settling = Settling::new(exchange, Lists::new(Some(&base.lists)), base.meds, scratch);
        settling.touched = vec![0; network.sessions.len()];
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
        for &device in gone.ends.iter().chain(&gone.origins) {
            let held = settling.state.held[device];
            if held != NEVER {
                settling.queue.push(device, held);
            }
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
        if self.state.chosen[device] == LOCAL && !gone.origins.contains(&device) {
            return;
        }
        let held = self.state.held[device];
        if held == level && !news && self.keep(device, gone) {
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
            self.queue.news[device] = true;
            self.queue.push(device, lowest.min(held));
        }
    }

    /// Has a device that heard of nothing better or as good go on with what is left of the routes that it uses; tells whether
    /// it can. It need not ask all of its neighbors.
    fn keep(&mut self, device: usize, gone: &Gone) -> bool {
        let sessions = self.exchange.network.sessions;
        let (speaker, links) = (&sessions.speakers[device], sessions.links(device));
        let (level, chosen) = (self.state.held[device], self.state.chosen[device]);
        // A MED that is gone may make others better that were not used.
        if self.meds || chosen == LOCAL || chosen == NONE {
            return false;
        }
        let used = self.lists.get(chosen);
        // Others may come after the most that it uses.
        if used.len() == speaker.maximum_paths {
            return false;
        }
        let lost = gone.of(device);
        let is_left = |session: &u16| {
            let peer = links[usize::from(*session)].peer as usize;
            self.state.offered[peer] <= level && !lost.contains(&(device, *session))
        };
        self.sessions.clear();
        self.sessions.extend(used.iter().copied().filter(is_left));
        let Some(&best) = self.sessions.first() else { return false };
        if self.sessions.len() == used.len() {
            return true;
        }
        if best == used[0] {
            self.touch(device);
            self.state.chosen[device] = self.lists.number(&self.sessions[..], || self.sessions[..].into());
            return true;
        }
        let link = links[usize::from(best)];
        let announced = self.state.announced[link.peer as usize];
        match self.exchange.heard(speaker.asn, link.sort, announced) {
            Some(route) => self.go_on(device, level, route),
            None => return false,
        }
        true
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
        self.go_on(device, level, self.equal[0].1);
    }

    /// Has a device use the routes of the sessions that were gathered, of which this is the best.
    fn go_on(&mut self, device: usize, level: u32, best: Route) {
        self.touch(device);
        let sessions = &self.sessions[..];
        self.state.chosen[device] = self.lists.number(sessions, || sessions.into());
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
        for link in self.exchange.network.sessions.links(device) {
            let peer = link.peer as usize;
            let held = self.state.held[peer];
            if now <= held {
                self.queue.news[peer] = true;
                self.queue.push(peer, now);
            } else if before <= held {
                self.queue.push(peer, held);
            }
        }
    }
}
