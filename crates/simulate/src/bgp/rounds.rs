//! Classes for which policies set local preferences: devices decide again and again until none changes what it announces.
//!
//! There may be no choice that satisfies all of them, which is seen by a bound on decisions, and there may be more than one. Then it
//! depends on who hears of what first, and devices that decide in another order may choose otherwise. That is tried with a few
//! orders; that they agree proves nothing.

use std::collections::VecDeque;

use super::{
    Converged, Gone, LOCAL, State,
    exchange::{Exchange, choose},
    levels::NEVER,
    no_lists,
};
use crate::attributes::{Attributes, Route};

/// A class is given up as unstable after so many decisions per device.
const MOST_DECISIONS_PER_DEVICE: usize = 64;

/// In which order devices decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Who heard first, and of those who heard at once, the first device.
    First,
    /// Who heard first, and of those who heard at once, the last device.
    Backwards,
    /// Who heard last.
    Last,
}

impl Order {
    /// The orders that are tried to see whether another one makes a difference.
    pub(super) const OTHERS: [Self; 2] = [Self::Backwards, Self::Last];
}

/// Devices that are deciding.
struct Deciding<'c, 'b> {
    exchange: Exchange<'c, 'b>,
    state: State,
    lists: super::Lists<'static>,
    gone: &'c Gone,
    meds: bool,
    order: Order,
    waiting: VecDeque<u32>,
    queued: Vec<bool>,
    best: Vec<(u16, Route)>,
    sessions: Vec<u16>,
}

/// Computes a class from the start.
pub(super) fn converge(exchange: Exchange<'_, 'static>, meds: bool, gone: &Gone, order: Order) -> Converged {
    let devices = exchange.network.sessions.len();
    let mut state = State::default();
    state.clear(devices);
    let mut deciding = Deciding {
        exchange,
        state,
        lists: no_lists(),
        gone,
        meds,
        order,
        waiting: VecDeque::new(),
        queued: vec![false; devices],
        best: Vec::new(),
        sessions: Vec::new(),
    };
    let stable = deciding.run(MOST_DECISIONS_PER_DEVICE * devices);
    let Deciding { exchange: Exchange { attributes, passages, .. }, state, lists, .. } = deciding;
    Converged { state, lists, attributes, passages, ordered: false, meds, stable }
}

impl Deciding<'_, '_> {
    /// Lets devices decide until none changes what it announces; tells whether that came within the bound.
    fn run(&mut self, mut decisions: usize) -> bool {
        let class = self.exchange.class;
        let origins: Vec<usize> = class.origins.iter().copied().filter(|o| !self.gone.origins.contains(o)).collect();
        for &origin in &origins {
            self.state.chosen[origin] = LOCAL;
            self.announce(origin, Some(Attributes::originated()));
        }
        for origin in origins {
            self.tell(origin);
        }
        loop {
            let next = if self.order == Order::Last { self.waiting.pop_back() } else { self.waiting.pop_front() };
            let Some(device) = next else { return true };
            if decisions == 0 {
                return false;
            }
            decisions -= 1;
            let device = device as usize;
            self.queued[device] = false;
            if self.decide(device) {
                self.tell(device);
            }
        }
    }

    /// Has the neighbors of a device decide, each once.
    fn tell(&mut self, device: usize) {
        let mut peers: Vec<u32> = self.exchange.network.sessions.links(device).iter().map(|link| link.peer).collect();
        peers.sort_unstable();
        if self.order == Order::Backwards {
            peers.reverse();
        }
        for peer in peers {
            if !std::mem::replace(&mut self.queued[peer as usize], true) {
                self.waiting.push_back(peer);
            }
        }
    }

    /// Lets a device choose, and tells whether it now announces something else.
    fn decide(&mut self, device: usize) -> bool {
        if self.state.chosen[device] == LOCAL {
            return false;
        }
        let sessions = self.exchange.network.sessions;
        let speaker = &sessions.speakers[device];
        let gone = self.gone.of(device);
        let mut first = (u32::MAX, u32::MAX);
        self.best.clear();
        for (index, link) in (0_u16..).zip(sessions.links(device)) {
            if self.state.offered[link.peer as usize] == NEVER || gone.contains(&(device, index)) {
                continue;
            }
            let announced = self.state.announced[link.peer as usize];
            let Some(route) = self.exchange.heard(speaker.asn, link.sort, announced) else { continue };
            let rank = (u32::MAX - route.local_preference, self.exchange.attributes.length(route.path));
            if rank < first {
                first = rank;
                self.best.clear();
            }
            if rank == first {
                self.best.push((index, route));
            }
        }
        choose(&mut self.best, speaker.maximum_paths, self.meds, &self.exchange.attributes);
        self.sessions.clear();
        self.sessions.extend(self.best.iter().map(|(session, _)| *session));
        let sessions = &self.sessions[..];
        self.state.chosen[device] = self.lists.number(sessions, || sessions.into());
        let held = self.best.first().map(|(_, route)| *route);
        self.announce(device, held)
    }

    /// Has a device announce the best route that it holds, and tells whether that is something else than before.
    fn announce(&mut self, device: usize, held: Option<Route>) -> bool {
        let former = self.state.announced(device);
        let now = held.and_then(|held| self.exchange.announced(device, held));
        self.state.offered[device] = now.map_or(NEVER, |route| self.exchange.attributes.length(route.path));
        if let Some(route) = now {
            self.state.announced[device] = route;
        }
        now != former
    }
}
