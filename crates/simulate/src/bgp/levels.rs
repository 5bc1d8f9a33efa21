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

use std::collections::BTreeMap;

use super::{
    Changes, ChoiceId, Class, Converged, Gone, LOCAL, Lists, NONE, Network, Scratch, State,
    exchange::{Exchange, choose},
    no_lists,
};
use crate::attributes::{Attributes, Route};

/// The level of no route.
pub(super) const NEVER: u32 = u32::MAX;

/// The bit of levels of routes that are about to go away.
const GOING: u32 = 1 << 31;

/// The devices that are to decide, by level.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<u32, Vec<u32>>,
    /// The lowest level at which each device is to decide.
    due: Vec<u32>,
}

impl Queue {
    fn clear(&mut self, devices: usize) {
        self.waiting.clear();
        self.due.clear();
        self.due.resize(devices, NEVER);
    }

    fn push(&mut self, device: usize, level: u32) {
        if level < self.due[device] {
            self.due[device] = level;
            self.waiting.entry(level).or_default().push(device as u32);
        }
    }

    /// Returns a device of the lowest level.
    fn pop(&mut self) -> Option<(u32, usize)> {
        loop {
            let mut lowest = self.waiting.first_entry()?;
            let level = *lowest.key();
            match lowest.get_mut().pop() {
                None => {
                    lowest.remove();
                }
                Some(device) if self.due[device as usize] == level => {
                    self.due[device as usize] = NEVER;
                    return Some((level, device as usize));
                }
                // It has decided at a lower level.
                Some(_) => {}
            }
        }
    }
}

/// Devices that are being settled.
struct Settling<'c, 'b, 's> {
    exchange: Exchange<'c, 'b>,
    state: &'s mut State,
    queue: &'s mut Queue,
    lists: Lists<'b>,
    gone: &'c Gone,
    /// Whether routes are compared by MEDs.
    meds: bool,
    /// The devices that decided otherwise than before.
    touched: Vec<usize>,
    equal: Vec<(u16, Route)>,
    sessions: Vec<u16>,
}

/// Computes a class from the start.
pub(super) fn converge(exchange: Exchange<'_, 'static>, meds: bool, gone: &Gone, scratch: &mut Scratch) -> Converged {
    let class = exchange.class;
    let Scratch { state, queue } = scratch;
    state.clear(exchange.network.sessions.len());
    let mut settling = Settling::new(exchange, state, queue, no_lists(), gone, meds);
    for &origin in class.origins.iter().filter(|origin| !gone.origins.contains(origin)) {
        settling.state.held[origin] = 0;
        settling.state.chosen[origin] = LOCAL;
        settling.hold(origin, 0, Attributes::originated());
        settling.tell(origin, NEVER);
    }
    settling.run();
    let Settling { exchange: Exchange { attributes, passages, .. }, lists, .. } = settling;
    Converged { state: std::mem::take(state), lists, attributes, passages, ordered: true, meds, stable: true }
}

/// Returns what devices choose otherwise once something is gone.
pub(super) fn repair(
    network: Network<'_>,
    class: &Class,
    base: &Converged,
    gone: &Gone,
    scratch: &mut Scratch,
) -> Changes {
    if let Some(changes) = small_repair(network, class, base, gone) {
        return changes;
    }
    let Scratch { state, queue } = scratch;
    state.copy(&base.state);
    let exchange = Exchange::new(network, class, base.passages.clone(), Attributes::on(&base.attributes));
    let mut settling = Settling::new(exchange, state, queue, Lists::new(Some(&base.lists)), gone, base.meds);
    for &device in gone.ends.iter().chain(&gone.origins) {
        if base.state.held[device] != NEVER {
            settling.queue.push(device, base.state.held[device]);
        }
    }
    settling.run();
    let Settling { mut touched, lists, .. } = settling;
    touched.sort_unstable();
    touched.dedup();
    touched.retain(|&device| state.chosen[device] != base.state.chosen[device]);
    let chosen = |device: usize| (state.chosen[device] != NONE).then(|| lists.get(state.chosen[device]).clone());
    touched.into_iter().map(|device| (device, chosen(device))).collect()
}

/// Returns what the ends choose otherwise, if it can be seen at once that nobody else does: each keeps routes, and announces
/// what it did.
fn small_repair(network: Network<'_>, class: &Class, base: &Converged, gone: &Gone) -> Option<Changes> {
    // A MED that is gone may make others better that were not used.
    if base.meds || !gone.origins.is_empty() {
        return None;
    }
    let mut changes = Changes::new();
    for &device in &gone.ends {
        let used = match base.state.chosen[device] {
            NONE | LOCAL => continue,
            list => base.lists.get(list),
        };
        let lost = |session: &u16| gone.sessions.contains(&(device, *session));
        if !used.iter().any(lost) {
            continue;
        }
        // Others may come after the most that it uses.
        if used.len() == network.sessions.speakers[device].maximum_paths {
            return None;
        }
        let left: Box<[u16]> = used.iter().copied().filter(|session| !lost(session)).collect();
        let best = *left.first()?;
        if best != used[0] && !announces_the_same(network, class, base, device, best) {
            return None;
        }
        changes.push((device, Some(left)));
    }
    Some(changes)
}

/// Tells whether a device announces what it did when its best route comes over another session.
fn announces_the_same(network: Network<'_>, class: &Class, base: &Converged, device: usize, session: u16) -> bool {
    let link = network.sessions.links(device)[usize::from(session)];
    let mut exchange = Exchange::new(network, class, base.passages.clone(), Attributes::on(&base.attributes));
    let Some(route) = base.state.announced(link.peer as usize) else { return false };
    let held = exchange.heard(network.sessions.speakers[device].asn, link.sort, route);
    held.is_some_and(|held| exchange.announced(device, held) == base.state.announced(device))
}

impl<'c, 'b, 's> Settling<'c, 'b, 's> {
    fn new(
        exchange: Exchange<'c, 'b>,
        state: &'s mut State,
        queue: &'s mut Queue,
        lists: Lists<'b>,
        gone: &'c Gone,
        meds: bool,
    ) -> Self {
        queue.clear(exchange.network.sessions.len());
        let (touched, equal, sessions) = (Vec::new(), Vec::new(), Vec::new());
        Self { exchange, state, queue, lists, gone, meds, touched, equal, sessions }
    }

    fn run(&mut self) {
        while let Some((level, device)) = self.queue.pop() {
            self.decide(device, level);
        }
    }

    /// Lets a device decide, once all of lower levels have.
    fn decide(&mut self, device: usize, level: u32) {
        let local = self.state.chosen[device] == LOCAL;
        if local && !self.gone.origins.contains(&device) {
            return;
        }
        let lowest = self.gather(device);
        if lowest == level {
            return self.take(device, level);
        }
        let held = self.state.held[device];
        if held == level {
            // Nothing is left of what it held.
            let offered = self.state.offered[device];
            self.state.held[device] = NEVER;
            self.state.offered[device] = NEVER;
            self.state.chosen[device] = NONE;
            self.touched.push(device);
            self.tell(device, offered);
            self.queue.push(device, lowest);
        } else {
            // What is offered turned out to be of a higher level, or what it holds may have changed meanwhile.
            self.queue.push(device, lowest.min(held));
        }
    }

    /// Gathers the routes of the lowest level that a device is offered, in the order of its sessions, and returns the level.
    fn gather(&mut self, device: usize) -> u32 {
        let sessions = self.exchange.network.sessions;
        let asn = sessions.speakers[device].asn;
        let gone = if self.gone.sessions.is_empty() { Vec::new() } else { self.gone.of(device) };
        let mut lowest = NEVER;
        self.equal.clear();
        for (index, link) in (0_u16..).zip(sessions.links(device)) {
            let offered = self.state.offered[link.peer as usize];
            if offered > lowest || offered == NEVER || gone.contains(&index) {
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
        let chosen: ChoiceId = self.lists.number(sessions, || sessions.into());
        let (offered, former) = (self.state.offered[device], self.state.announced(device));
        if chosen != self.state.chosen[device] {
            self.state.chosen[device] = chosen;
            self.touched.push(device);
        }
        self.state.held[device] = level;
        let best = self.equal[0].1;
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
                self.queue.push(peer, now);
            } else if before <= held {
                self.queue.push(peer, held);
            }
        }
    }
}
