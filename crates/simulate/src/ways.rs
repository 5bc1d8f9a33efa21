//! All ways of packets to one destination, as a graph, and what holds on each of them: one pass answers for every device.

use std::collections::{BTreeSet, VecDeque};

use weft_model::InterfaceName;

/// A packet passes no more than this many devices: the largest time to live (RFC 791 3.1).
pub(crate) const MOST_HOPS: usize = 255;

/// Stands for a device that no packet meets.
const NOWHERE: u32 = u32::MAX;

/// What one device does with packets to a destination. Each of its equal-cost ways is counted once.
#[derive(Debug, Default)]
pub(crate) struct Step<'a> {
    /// The different equal-cost ways out of the device; 0 when packets do not leave it.
    pub(crate) ways: usize,
    /// How often packets arrive here: on the device, or at hosts behind it.
    pub(crate) arrives: usize,
    /// How often they leave the known network here, or nobody knows what becomes of them.
    pub(crate) leaves: usize,
    /// How often they are stopped here.
    pub(crate) stops: usize,
    /// The devices that they are handed on to, with the interfaces.
    pub(crate) next: Vec<(usize, Option<&'a InterfaceName>)>,
    /// Devices that take part in the decision without being handed anything.
    pub(crate) asked: Vec<usize>,
}

/// All ways from some devices to a destination.
///
/// Devices are numbers: those of [`crate::Scenarios::number`] or [`crate::Forwarding::number`]. The graph is built once, in the
/// time of its devices and hops; each question costs one pass over it and answers for all devices.
#[derive(Debug)]
pub struct Ways<'a> {
    /// The place of each device in the lists below.
    places: Vec<u32>,
    devices: Vec<usize>,
    /// `next` holds places.
    steps: Vec<Step<'a>>,
    /// The places, each behind all that it hands on to; those that lead into a loop are missing.
    order: Vec<usize>,
    /// Those that lead into a loop.
    looping: Vec<usize>,
    /// The most devices on a way from a place, itself included; `usize::MAX` where it leads into a loop.
    longest: Vec<usize>,
}

/// What the ways of packets must be like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Every packet that arrives passes one of these devices, the first and the last included.
    pub via: Option<BTreeSet<usize>>,
    /// No packet passes one of these.
    pub avoid: BTreeSet<usize>,
    /// The most devices that a packet passes, the first and the last included.
    pub max_hops: Option<usize>,
}

/// How a way leaves its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stray {
    /// It passes none of the devices of `via`.
    Misses,
    /// It passes one of those to avoid; the way that shows it ends there.
    Meets,
    /// It is too long.
    TooLong,
}

/// Of each device whether something holds.
#[derive(Debug)]
pub struct Marks<'w, 'a> {
    ways: &'w Ways<'a>,
    marked: Vec<bool>,
}

impl Marks<'_, '_> {
    /// Tells whether it holds of a device from which the ways were followed.
    pub fn has(&self, device: usize) -> bool {
        self.ways.place(device).is_some_and(|place| self.marked[place])
    }
}

impl<'a> Ways<'a> {
    /// Follows the ways from some of so many devices.
    pub(crate) fn explore(
        devices: usize,
        from: impl IntoIterator<Item = usize>,
        step: impl Fn(usize) -> Step<'a>,
    ) -> Self {
        let mut places = vec![NOWHERE; devices];
        let mut met: Vec<usize> = Vec::new();
        let mut meet = |device: usize, met: &mut Vec<usize>| {
            if places[device] == NOWHERE {
                places[device] = u32::try_from(met.len()).unwrap_or(NOWHERE);
                met.push(device);
            }
            places[device] as usize
        };
        for device in from {
            meet(device, &mut met);
        }
        let mut steps: Vec<Step<'a>> = Vec::new();
        while let Some(&device) = met.get(steps.len()) {
            let mut step = step(device);
            for (next, _) in &mut step.next {
                *next = meet(*next, &mut met);
            }
            steps.push(step);
        }
        let mut ways =
            Self { places, devices: met, steps, order: Vec::new(), looping: Vec::new(), longest: Vec::new() };
        ways.sort();
        ways
    }

    /// Puts the places in order, and measures the ways.
    fn sort(&mut self) {
        let count = self.steps.len();
        let mut open: Vec<usize> = self.steps.iter().map(|step| step.next.len()).collect();
        let mut begins = vec![0; count + 1];
        for (next, _) in self.steps.iter().flat_map(|step| &step.next) {
            begins[next + 1] += 1;
        }
        for place in 0..count {
            begins[place + 1] += begins[place];
        }
        let mut before = vec![0; begins[count]];
        let mut free = begins.clone();
        for (place, step) in self.steps.iter().enumerate() {
            for (next, _) in &step.next {
                before[free[*next]] = place;
                free[*next] += 1;
            }
        }
        let mut order: Vec<usize> = (0..count).filter(|&place| open[place] == 0).collect();
        let mut longest = vec![usize::MAX; count];
        let mut at = 0;
        while let Some(&place) = order.get(at) {
            at += 1;
            longest[place] = 1 + self.steps[place].next.iter().map(|(next, _)| longest[*next]).max().unwrap_or(0);
            for &earlier in &before[begins[place]..begins[place + 1]] {
                open[earlier] -= 1;
                if open[earlier] == 0 {
                    order.push(earlier);
                }
            }
        }
        self.looping = (0..count).filter(|&place| open[place] > 0).collect();
        (self.order, self.longest) = (order, longest);
    }

    fn place(&self, device: usize) -> Option<usize> {
        self.places.get(device).filter(|place| **place != NOWHERE).map(|place| *place as usize)
    }

    /// Marks the places from which some way leads to a place that is `to`, over places that are all `within`.
    fn leads(&self, within: impl Fn(usize) -> bool, to: impl Fn(usize) -> bool) -> Marks<'_, 'a> {
        let mut marked = vec![false; self.steps.len()];
        let mark = |place: usize, marked: &mut Vec<bool>| {
            let leads = !marked[place]
                && within(place)
                && (to(place) || self.steps[place].next.iter().any(|(next, _)| marked[*next]));
            marked[place] |= leads;
            leads
        };
        for &place in &self.order {
            mark(place, &mut marked);
        }
        // In loops nothing comes first: as often as something is new.
        while self.looping.iter().any(|&place| mark(place, &mut marked)) {}
        Marks { ways: self, marked }
    }

    fn passes(&self, place: usize, devices: &BTreeSet<usize>) -> bool {
        devices.contains(&self.devices[place])
    }

    /// Tells from where some packets arrive.
    pub fn arrive(&self) -> Marks<'_, 'a> {
        self.leads(|_| true, |place| self.steps[place].arrives > 0)
    }

    /// Tells from where some packets arrive, or may: they leave the known network.
    pub fn may_arrive(&self) -> Marks<'_, 'a> {
        self.leads(|_| true, |place| self.steps[place].arrives + self.steps[place].leaves > 0)
    }

    /// Tells from where some packets do not arrive: they are stopped, leave the known network, or go round in a loop.
    pub fn fail(&self) -> Marks<'_, 'a> {
        self.leads(
            |_| true,
            |place| self.steps[place].stops + self.steps[place].leaves > 0 || self.longest[place] > MOST_HOPS,
        )
    }

    /// Tells from where some packets arrive without having passed any of these devices, the first and the last included.
    pub fn miss(&self, via: &BTreeSet<usize>) -> Marks<'_, 'a> {
        self.leads(|place| !self.passes(place, via), |place| self.steps[place].arrives > 0)
    }

    /// Tells from where some packets pass one of these devices, the first and the last included.
    pub fn meet(&self, avoid: &BTreeSet<usize>) -> Marks<'_, 'a> {
        self.leads(|_| true, |place| self.passes(place, avoid))
    }

    /// Returns the devices from which packets come into a loop.
    pub fn looping(&self) -> impl Iterator<Item = usize> {
        self.looping.iter().map(|&place| self.devices[place])
    }

    /// Returns the most devices that a packet from a device passes, the first and the last included; `None` where it goes round
    /// in a loop, or does not start.
    pub fn longest(&self, from: usize) -> Option<usize> {
        self.place(from).map(|place| self.longest[place]).filter(|longest| *longest != usize::MAX)
    }

    /// Returns the different equal-cost ways out of a device; 0 when packets do not leave it.
    pub fn first_hops(&self, from: usize) -> usize {
        self.place(from).map_or(0, |place| self.steps[place].ways)
    }

    /// Returns the places that packets from a device meet.
    fn met(&self, from: usize) -> BTreeSet<usize> {
        let mut met: BTreeSet<usize> = self.place(from).into_iter().collect();
        let mut waiting: Vec<usize> = met.iter().copied().collect();
        while let Some(place) = waiting.pop() {
            waiting.extend(self.steps[place].next.iter().map(|(next, _)| *next).filter(|next| met.insert(*next)));
        }
        met
    }

    /// Returns the devices that decide about packets from a device.
    pub fn passed(&self, from: usize) -> BTreeSet<usize> {
        let met = self.met(from);
        let asked = met.iter().flat_map(|&place| self.steps[place].asked.iter().copied());
        met.iter().map(|&place| self.devices[place]).chain(asked).collect()
    }

    /// Returns the devices at which packets from a device arrive.
    pub fn delivered_at(&self, from: usize) -> BTreeSet<usize> {
        let arrives = |place: &usize| self.steps[*place].arrives > 0;
        self.met(from).into_iter().filter(arrives).map(|place| self.devices[place]).collect()
    }

    /// Returns the hops of packets from a device: the devices that hand them on, the interfaces, and the devices that get them.
    pub fn hops(&self, from: usize) -> Vec<(usize, &'a InterfaceName, usize)> {
        let hops = |place: usize| {
            let next = self.steps[place].next.iter();
            next.filter_map(move |(next, port)| Some((self.devices[place], (*port)?, self.devices[*next])))
        };
        self.met(from).into_iter().flat_map(hops).collect()
    }

    /// Returns a way from a device that leaves its bounds, and how it does.
    pub fn stray(&self, from: usize, bounds: &Bounds) -> Option<(Stray, Vec<usize>)> {
        let misses = || Some((Stray::Misses, self.way_past(from, bounds.via.as_ref()?)?));
        let meets = || Some((Stray::Meets, self.way_to(from, &bounds.avoid)?));
        let long = || {
            let (most, way) = (bounds.max_hops?, self.longest_way(from));
            (way.len() > most).then_some((Stray::TooLong, way))
        };
        misses().or_else(meets).or_else(long)
    }

    /// Returns a shortest way from a device on which packets arrive without having passed any of these devices.
    pub fn way_past(&self, from: usize, via: &BTreeSet<usize>) -> Option<Vec<usize>> {
        self.way(from, |place| !self.passes(place, via), |place| self.steps[place].arrives > 0)
    }

    /// Returns a shortest way from a device to one of these devices.
    pub fn way_to(&self, from: usize, avoid: &BTreeSet<usize>) -> Option<Vec<usize>> {
        self.way(from, |_| true, |place| self.passes(place, avoid))
    }

    fn way(&self, from: usize, within: impl Fn(usize) -> bool, to: impl Fn(usize) -> bool) -> Option<Vec<usize>> {
        let start = self.place(from).filter(|place| within(*place))?;
        let mut earlier = vec![usize::MAX; self.steps.len()];
        earlier[start] = start;
        let mut waiting = VecDeque::from([start]);
        while let Some(place) = waiting.pop_front() {
            if to(place) {
                let mut way = vec![place];
                while let Some(&first) = way.last().filter(|first| **first != start) {
                    way.push(earlier[first]);
                }
                return Some(way.into_iter().rev().map(|place| self.devices[place]).collect());
            }
            for (next, _) in &self.steps[place].next {
                if earlier[*next] == usize::MAX && within(*next) {
                    earlier[*next] = place;
                    waiting.push_back(*next);
                }
            }
        }
        None
    }

    /// Returns the longest way from a device; nothing where one goes round in a loop.
    pub fn longest_way(&self, from: usize) -> Vec<usize> {
        let mut way = Vec::new();
        let mut at = self.place(from).filter(|place| self.longest[*place] != usize::MAX);
        while let Some(place) = at {
            way.push(self.devices[place]);
            // The first of equally long ones.
            let next = self.steps[place].next.iter().map(|(next, _)| *next);
            at = next.reduce(|best, other| if self.longest[other] > self.longest[best] { other } else { best });
        }
        way
    }

    /// Spreads traffic from devices evenly over the equal-cost ways out of each device that it meets, and tells of each hop how
    /// much goes over it: the device, its interface, the amount. Returns how much does not arrive. What comes into a loop is taken
    /// to be lost at once.
    pub fn spread(&self, traffic: &[(usize, f64)], mut over: impl FnMut(usize, &'a InterfaceName, f64)) -> f64 {
        let mut amounts = vec![0.0; self.steps.len()];
        let mut lost = 0.0;
        for &(from, amount) in traffic {
            match self.place(from) {
                Some(place) => amounts[place] += amount,
                None => lost += amount,
            }
        }
        lost += self.looping.iter().map(|&place| amounts[place]).sum::<f64>();
        for &place in self.order.iter().rev() {
            let (step, amount) = (&self.steps[place], amounts[place]);
            if amount == 0.0 {
                continue;
            }
            let ends = step.arrives + step.stops + step.leaves + step.next.len();
            #[allow(clippy::cast_precision_loss, reason = "a device has few ways")]
            let [share, ended] = [amount / ends.max(1) as f64, (step.stops + step.leaves) as f64];
            lost += share * ended;
            for &(next, port) in &step.next {
                amounts[next] += share;
                if let Some(port) = port {
                    over(self.devices[place], port, share);
                }
            }
        }
        lost
    }
}
