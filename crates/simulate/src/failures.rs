//! Many failures, looked at one destination at a time.
//!
//! What is known about a destination stays in the caches of the processor while all failures pass, one after the other: it is mended
//! after each and put back before the next.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use rayon::prelude::*;

use crate::{
    Failed, Scenarios,
    bgp::{Choice, Mender, Scratch},
    scenario::{Damage, Table},
};

/// Failures after each of which something is asked about many destinations. It agrees with a [`crate::Scenario`] for each of them.
#[derive(Debug)]
pub struct Failures<'s, 'a> {
    network: &'s Scenarios<'a>,
    damages: Vec<Damage>,
}

impl<'a> Scenarios<'a> {
    /// Returns failures, to be known by their places in the list.
    pub fn failures(&self, failed: &[Failed]) -> Failures<'_, 'a> {
        let damages = failed.par_iter().map(|failed| self.damage(failed, false).0).collect();
        Failures { network: self, damages }
    }
}

impl Failures<'_, '_> {
    /// Calls back with each failure, by its number, and the devices that take other ways to a destination then than while nothing is
    /// broken, in no order; with `None` where these are not known. Returns `None` where they are not known for any failure, and calls
    /// nobody back.
    pub fn changed(&self, destination: IpAddr, mut visit: impl FnMut(usize, Option<&[usize]>)) -> Option<()> {
        let mut sweep = Sweep::new(self.network, destination)?;
        for (number, damage) in self.damages.iter().enumerate() {
            let known = sweep.fail(damage);
            visit(number, known.then_some(&sweep.changed.devices[..]));
        }
        Some(())
    }

    /// Returns for each failure, by its number, those of some devices from which packets to a destination may come to where they do not
    /// while nothing is broken, or nowhere; failures without any are left out. `None` where that is not known for any failure.
    ///
    /// From all other devices, packets take some of the ways that they took before, and no other. So whatever holds on all ways while
    /// nothing is broken, such as that packets arrive, or pass some device, holds then.
    pub fn exposed(&self, destination: IpAddr, from: &BTreeSet<usize>) -> Option<BTreeMap<usize, Vec<usize>>> {
        let mut sweep = Sweep::new(self.network, destination)?;
        let before = sweep.before();
        let mut exposed = BTreeMap::new();
        for (number, damage) in self.damages.iter().enumerate() {
            let devices: Vec<usize> = if sweep.fail(damage) {
                sweep.spread(damage, &before);
                sweep.exposed.devices.iter().copied().filter(|device| from.contains(device)).collect()
            } else {
                from.iter().copied().collect()
            };
            if !devices.is_empty() {
                exposed.insert(number, devices);
            }
        }
        Some(exposed)
    }
}

/// The devices that hand packets on to each device, or would if it had their address.
struct Before {
    first: Vec<u32>,
    devices: Vec<u32>,
}

impl Before {
    fn of(&self, device: usize) -> &[u32] {
        &self.devices[self.first[device] as usize..self.first[device + 1] as usize]
    }
}

/// A set of devices that is emptied at once.
struct Set {
    devices: Vec<usize>,
    /// When each device came last.
    came: Vec<u32>,
    now: u32,
}

impl Set {
    fn new(devices: usize) -> Self {
        Self { devices: Vec::new(), came: vec![0; devices], now: 1 }
    }

    fn clear(&mut self) {
        self.devices.clear();
        self.now += 1;
    }

    fn contains(&self, device: usize) -> bool {
        self.came[device] == self.now
    }

    fn insert(&mut self, device: usize) {
        if !self.contains(device) {
            self.came[device] = self.now;
            self.devices.push(device);
        }
    }
}

/// One destination while failures pass.
struct Sweep<'s, 'a> {
    network: &'s Scenarios<'a>,
    destination: IpAddr,
    numbers: &'s [usize],
    tables: Vec<(&'s Table, Mender<'s>)>,
    /// The devices that changed after the last failure.
    changed: Set,
    /// Those that lead packets to where they did not go before, or nowhere, and all devices from which packets come to one.
    exposed: Set,
}

impl<'s, 'a> Sweep<'s, 'a> {
    /// Returns a destination while nothing is broken; `None` where scenarios do not tell about it.
    fn new(network: &'s Scenarios<'a>, destination: IpAddr) -> Option<Self> {
        let numbers = network.tables_of(destination)?;
        let tables: Vec<&Table> = numbers.iter().map(|&number| &network.tables[number]).collect();
        if !tables.iter().all(|table| table.converged.stable) {
            return None;
        }
        let mender = |table: &'s Table| {
            (table, Mender::new(network.bgp(), &network.far, &table.class, &table.converged, &mut Scratch::default()))
        };
        let devices = network.sessions.len();
        let (changed, exposed) = (Set::new(devices), Set::new(devices));
        Some(Self { network, destination, numbers, tables: tables.into_iter().map(mender).collect(), changed, exposed })
    }

    /// Returns who hands on to whom while nothing is broken, over routes to each of the prefixes that cover the destination.
    fn before(&self) -> Before {
        let devices = self.network.sessions.len();
        let mut hops: Vec<(u32, u32)> = Vec::new();
        for (table, _) in &self.tables {
            for device in 0..devices {
                if let Choice::Received(used) = table.converged.choice(device) {
                    let links = self.network.sessions.links(device);
                    hops.extend(used.iter().map(|&session| (links[usize::from(session)].peer, device as u32)));
                }
            }
            for &device in &table.own {
                let far = self.network.beyond_own(device, &table.prefix);
                hops.extend(far.map(|far| (far as u32, device as u32)));
            }
        }
        let mut first = vec![0; devices + 1];
        for (far, _) in &hops {
            first[*far as usize + 1] += 1;
        }
        for device in 0..devices {
            first[device + 1] += first[device];
        }
        let mut free = first.clone();
        let mut before = vec![0; hops.len()];
        for (far, device) in hops {
            before[free[far as usize] as usize] = device;
            free[far as usize] += 1;
        }
        Before { first, devices: before }
    }

    /// Lets something fail in place of what failed before; tells whether it is known what devices do then.
    fn fail(&mut self, damage: &Damage) -> bool {
        self.changed.clear();
        for (number, (_, mender)) in self.numbers.iter().zip(&mut self.tables) {
            let Some(devices) = mender.mend(&damage.gone(*number)) else { return false };
            for &device in devices {
                self.changed.insert(device);
            }
        }
        for device in damage.of(self.destination, self.numbers) {
            self.changed.insert(device);
        }
        true
    }

    /// Finds who is exposed to what failed last.
    fn spread(&mut self, damage: &Damage, before: &Before) {
        self.exposed.clear();
        for device in damage.of(self.destination, self.numbers) {
            self.exposed.insert(device);
        }
        for &device in &self.changed.devices {
            if !narrows(&self.tables, device) {
                self.exposed.insert(device);
            }
        }
        let mut at = 0;
        while let Some(&device) = self.exposed.devices.get(at) {
            at += 1;
            for &earlier in before.of(device) {
                let earlier = earlier as usize;
                if !self.changed.contains(earlier) || self.hands_on(earlier, device) {
                    self.exposed.insert(earlier);
                }
            }
        }
    }

    /// Tells whether a device may still hand packets on to another.
    fn hands_on(&self, device: usize, to: usize) -> bool {
        let links = self.network.sessions.links(device);
        self.tables.iter().any(|(table, mender)| {
            let over = |session: &u16| links[usize::from(*session)].peer as usize == to;
            let received = matches!(mender.choice(device), Choice::Received(used) if used.iter().any(over));
            received || table.own.binary_search(&device).is_ok()
        })
    }
}

/// Tells whether a device uses some of the sessions that it used, and no other.
fn narrows(tables: &[(&Table, Mender<'_>)], device: usize) -> bool {
    tables.iter().all(|(table, mender)| match (table.converged.choice(device), mender.choice(device)) {
        (Choice::Received(before), Choice::Received(now)) => {
            let mut before = before.iter();
            now.iter().all(|session| before.any(|other| other == session))
        }
        (before, now) => before == now,
    })
}
