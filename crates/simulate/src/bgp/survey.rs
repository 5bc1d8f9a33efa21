//! What a device receives and announces besides what it uses, found again from what all devices chose.

use super::{
    Choice, Class, Network, Routes,
    exchange::{Exchange, passages},
};
use crate::{
    attributes::{Attributes, Looks, Route},
    policy::Verdict,
};

/// The routes of one class, looked at device by device.
pub(crate) struct Survey<'s> {
    exchange: Exchange<'s, 's>,
    routes: &'s Routes,
    class: usize,
    /// What devices announce, as far as it was asked for.
    announced: Vec<Option<Option<Route>>>,
}

impl<'s> Survey<'s> {
    /// Returns the routes of a class by its number.
    pub(crate) fn new(network: Network<'s>, classes: &'s [Class], routes: &'s Routes, number: usize) -> Self {
        let class = &classes[number];
        let unsettled = routes.unsettled.iter().find(|(unsettled, _)| *unsettled == number);
        let attributes = match unsettled {
            None => Attributes::new(Looks { at_first: true, at_passed: None }),
            Some((_, converged)) => Attributes::on(&converged.attributes),
        };
        let announced = match unsettled {
            None => vec![None; network.sessions.len()],
            Some((_, converged)) => {
                (0..network.sessions.len()).map(|device| Some(converged.state.announced(device))).collect()
            }
        };
        let exchange = Exchange::new(network, class, passages(network, class), attributes);
        Self { exchange, routes, class: number, announced }
    }

    /// Returns what a device announces. What it holds came from that which the best of its sessions leads to, and so on.
    fn announced(&mut self, device: usize) -> Option<Route> {
        let sessions = self.exchange.network.sessions;
        let mut chain = Vec::new();
        let mut at = device;
        let mut known = loop {
            if let Some(known) = self.announced[at] {
                break known;
            }
            match self.routes.choice(self.class, at) {
                Choice::None => break None,
                Choice::Local => break self.exchange.announced(at, Attributes::originated()),
                Choice::Received(used) => {
                    let link = sessions.links(at)[usize::from(used[0])];
                    chain.push((at, link.sort));
                    at = link.peer as usize;
                }
            }
        };
        self.announced[at] = Some(known);
        for (device, sort) in chain.into_iter().rev() {
            let held = known.and_then(|route| self.exchange.heard(sessions.speakers[device].asn, sort, route));
            known = held.and_then(|held| self.exchange.announced(device, held));
            self.announced[device] = Some(known);
        }
        known
    }

    /// Calls back with each session over which a device receives the prefixes and accepts them, best or not.
    pub(crate) fn accepted(&mut self, device: usize, mut accepts: impl FnMut(u16)) {
        let sessions = self.exchange.network.sessions;
        for (index, link) in (0_u16..).zip(sessions.links(device)) {
            let Some(route) = self.announced(link.peer as usize) else { continue };
            if self.exchange.heard(sessions.speakers[device].asn, link.sort, route).is_some() {
                accepts(index);
            }
        }
    }

    /// Returns the sessions with external neighbors over which a device announces its route. It does not go back to where
    /// it came from.
    pub(crate) fn advertised(&mut self, device: usize) -> Vec<u16> {
        let speaker = &self.exchange.network.sessions.speakers[device];
        if speaker.external.is_empty() {
            return Vec::new();
        }
        let Some(route) = self.announced(device) else { return Vec::new() };
        let from = match self.routes.choice(self.class, device) {
            Choice::None | Choice::Local => None,
            Choice::Received(used) => used.first(),
        };
        let ipv6 = self.exchange.class.is_ipv6();
        let told = |&index: &u16| {
            let session = &speaker.sessions[usize::from(index)];
            let sort = self.exchange.network.sessions.sorts[session.sort as usize];
            from != Some(&index) && sort.carries(ipv6) && self.exchange.exported(session.export, route).is_some()
        };
        speaker.external.iter().copied().filter(told).collect()
    }

    /// Tells whether a device has the route that it learned go into OSPF.
    pub(crate) fn redistributes(&mut self, device: usize) -> bool {
        let sessions = self.exchange.network.sessions;
        let speaker = &sessions.speakers[device];
        let (Some(policy), Choice::Received(used)) = (speaker.redistribute, self.routes.choice(self.class, device))
        else {
            return false;
        };
        let program = match self.exchange.class.verdicts.of(policy) {
            Verdict::Rejects => return false,
            Verdict::Takes => return true,
            Verdict::Depends(program) => program,
        };
        let link = sessions.links(device)[usize::from(used[0])];
        let Some(route) = self.announced(link.peer as usize) else { return false };
        let Some(held) = self.exchange.heard(speaker.asn, link.sort, route) else { return false };
        self.exchange.network.policies.apply(policy, program, held, &mut self.exchange.attributes).is_some()
    }
}
