//! The BGP decision process, one class of prefixes at a time.
//!
//! Most classes are settled in the order of paths ([`levels`]), each device once. Those for which a policy sets a local preference,
//! which comes before the length of a path, are settled by letting devices decide until none changes its mind ([`rounds`]).

mod exchange;
mod levels;
mod rounds;
mod survey;

use std::sync::Arc;

use ipnet::IpNet;
use rayon::prelude::*;

use crate::{
    attributes::{Attributes, Looks, Numbered, Route},
    policy::{Policies, Verdicts},
    session::Sessions,
};

use exchange::{Exchange, Passage};
pub(crate) use levels::FarEnds;
pub(crate) use survey::Survey;

/// Classes that are computed at a time.
const AT_A_TIME: usize = 64;

/// The devices and what they say to each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network<'n> {
    /// The devices.
    pub(crate) sessions: &'n Sessions<'n>,
    /// Their policies.
    pub(crate) policies: &'n Policies,
}

/// Prefixes of one address family that the same devices originate and on which every policy says the same.
#[derive(Debug)]
pub(crate) struct Class {
    /// The prefixes, in order.
    pub(crate) prefixes: Vec<IpNet>,
    /// The devices that originate them, in order.
    pub(crate) origins: Vec<usize>,
    /// What the policies say.
    pub(crate) verdicts: Verdicts,
}

impl Class {
    /// Tells whether the prefixes are those of IPv6.
    pub(crate) fn is_ipv6(&self) -> bool {
        self.prefixes.first().is_some_and(|prefix| prefix.addr().is_ipv6())
    }
}

/// What a device chose for the prefixes of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice<'r> {
    /// It has no BGP route.
    None,
    /// It originates them.
    Local,
    /// It uses the routes received over these of its sessions, the best first.
    Received(&'r [u16]),
}

/// A choice as a number; a set of sessions is one of those of [`Lists`].
type ChoiceId = u32;

const NONE: ChoiceId = 0;
const LOCAL: ChoiceId = 1;

/// The different sets of sessions that devices use, each once, by their numbers as choices. The first two are none.
type Lists<'b> = Numbered<'b, Box<[u16]>>;

/// Returns no sets of sessions.
fn no_lists() -> Lists<'static> {
    let mut lists = Lists::new(None);
    // The numbers of what is no set are taken by what cannot be one.
    lists.number(&[][..], Box::default);
    lists.number(&[u16::MAX, u16::MAX][..], || [u16::MAX, u16::MAX].into());
    lists
}

/// Returns what a number stands for.
fn choice<'r>(lists: &'r Lists<'_>, choice: ChoiceId) -> Choice<'r> {
    match choice {
        NONE => Choice::None,
        LOCAL => Choice::Local,
        list => Choice::Received(lists.get(list)),
    }
}

/// The routes of all classes.
#[derive(Debug)]
pub(crate) struct Routes {
    /// What each device chose, for each class.
    chosen: Vec<Vec<ChoiceId>>,
    lists: Lists<'static>,
    /// Classes whose choices are not final because the bound on decisions was reached, with what devices announced then.
    pub(crate) unsettled: Vec<(usize, Converged)>,
    /// Classes for which devices may choose otherwise when they hear of routes in another order.
    pub(crate) ambiguous: Vec<usize>,
}

impl Routes {
    /// Computes all classes.
    pub(crate) fn new(network: Network<'_>, classes: &[Class]) -> Self {
        let (mut chosen, mut lists) = (Vec::with_capacity(classes.len()), no_lists());
        let (mut unsettled, mut ambiguous) = (Vec::new(), Vec::new());
        for (batch, first) in classes.chunks(AT_A_TIME).zip((0..).step_by(AT_A_TIME)) {
            let settle = |scratch: &mut Scratch, class| {
                let converged = converge(network, class, &Gone::default(), scratch);
                (is_ambiguous(network, class, &converged), converged)
            };
            let settled: Vec<_> = batch.par_iter().map_init(Scratch::default, settle).collect();
            for (number, (open, converged)) in (first..).zip(settled) {
                let own = converged.lists.values().map(|list| lists.number(&list[..], || list.clone()));
                let numbers: Vec<ChoiceId> = own.collect();
                chosen.push(converged.state.chosen.iter().map(|&own| numbers[own as usize]).collect());
                ambiguous.extend(open.then_some(number));
                if !converged.stable {
                    unsettled.push((number, converged));
                }
            }
        }
        Self { chosen, lists, unsettled, ambiguous }
    }

    /// Returns what a device chose.
    pub(crate) fn choice(&self, class: usize, device: usize) -> Choice<'_> {
        choice(&self.lists, self.chosen[class][device])
    }

    /// Returns a number that stands for what a device chose.
    pub(crate) fn chosen(&self, class: usize, device: usize) -> u32 {
        self.chosen[class][device]
    }
}

/// What the devices chose for a class, and what they announce to each other.
#[derive(Debug)]
pub(crate) struct Converged {
    state: State,
    lists: Lists<'static>,
    attributes: Attributes<'static>,
    passages: Arc<[Passage]>,
    /// Whether paths came one after the other.
    ordered: bool,
    /// Whether routes are compared by MEDs.
    meds: bool,
    /// Whether the choices are final; `false` when the bound on decisions was reached.
    pub(crate) stable: bool,
}

impl Converged {
    /// Returns what a device chose.
    pub(crate) fn choice(&self, device: usize) -> Choice<'_> {
        choice(&self.lists, self.state.chosen[device])
    }
}

/// What every device holds and announces.
#[derive(Debug, Default)]
struct State {
    /// The level of the route that each device holds; see [`levels`].
    held: Vec<u32>,
    /// The least level of what others can make of the route that each device announces.
    offered: Vec<u32>,
    /// The route that each device announces before its export policies, its own AS included, where it offers one.
    announced: Vec<Route>,
    chosen: Vec<ChoiceId>,
}

impl State {
    /// Makes it that of devices without routes.
    fn clear(&mut self, devices: usize) {
        for levels in [&mut self.held, &mut self.offered] {
            levels.clear();
            levels.resize(devices, levels::NEVER);
        }
        self.announced.clear();
        self.announced.resize(devices, Attributes::originated());
        self.chosen.clear();
        self.chosen.resize(devices, NONE);
    }

    fn copy(&mut self, other: &Self) {
        self.held.clone_from(&other.held);
        self.offered.clone_from(&other.offered);
        self.announced.clone_from(&other.announced);
        self.chosen.clone_from(&other.chosen);
    }

    /// Returns what a device announces.
    fn announced(&self, device: usize) -> Option<Route> {
        (self.offered[device] != levels::NEVER).then(|| self.announced[device])
    }
}

/// What is gone after a failure.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gone {
    /// Sessions, as device and index, from both ends, in order.
    sessions: Vec<(usize, u16)>,
    /// Devices that originate the class no more.
    origins: Vec<usize>,
}

impl Gone {
    /// Returns what is gone when these sessions are, as device and index, from both ends.
    pub(crate) fn new(mut sessions: Vec<(usize, u16)>) -> Self {
        sessions.sort_unstable();
        Self { sessions, origins: Vec::new() }
    }

    /// Returns the same, and devices that originate the class no more.
    pub(crate) fn without(&self, origins: Vec<usize>) -> Self {
        Self { origins, sessions: self.sessions.clone() }
    }

    /// Returns the sessions of a device that are gone.
    fn of(&self, device: usize) -> &[(usize, u16)] {
        let begin = self.sessions.partition_point(|(end, _)| *end < device);
        let rest = &self.sessions[begin..];
        &rest[..rest.partition_point(|(end, _)| *end == device)]
    }
}

/// Room that one computation leaves to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    state: State,
    queue: levels::Queue,
}

/// Computes one class, without what is gone.
pub(crate) fn converge(network: Network<'_>, class: &Class, gone: &Gone, scratch: &mut Scratch) -> Converged {
    let Network { sessions, policies } = network;
    let (ordered, meds) = (is_ordered(network, class), policies.set_meds(&class.verdicts));
    let at_passed = ordered.then(|| sessions.ambiguous.clone());
    let exchange = Exchange::new(
        network,
        class,
        exchange::passages(network, class),
        Attributes::new(Looks { at_first: meds, at_passed }),
    );
    if ordered {
        levels::converge(exchange, meds, gone, scratch)
    } else {
        rounds::converge(exchange, meds, gone, rounds::Order::First)
    }
}

/// Tells whether paths come one after the other: nothing comes before their length but that a route is about to go away, which then
/// means the same to every device.
fn is_ordered(network: Network<'_>, class: &Class) -> bool {
    network.policies.keep_order(&class.verdicts) && network.sessions.honor_graceful_shutdown()
}

/// Tells whether devices that hear of routes in another order choose otherwise for a class that settled. They never do where paths
/// come one after the other. An order in which they are not done within the bound says nothing: some take very many decisions.
fn is_ambiguous(network: Network<'_>, class: &Class, converged: &Converged) -> bool {
    if converged.ordered || !converged.stable {
        return false;
    }
    rounds::Order::OTHERS.iter().any(|&order| {
        let looks = Looks { at_first: converged.meds, at_passed: None };
        let exchange = Exchange::new(network, class, converged.passages.clone(), Attributes::new(looks));
        let other = rounds::converge(exchange, converged.meds, &Gone::default(), order);
        other.stable && (0..network.sessions.len()).any(|device| other.choice(device) != converged.choice(device))
    })
}

/// What devices choose otherwise, in their order; `None` is no route.
pub(crate) type Changes = Vec<(usize, Option<Box<[u16]>>)>;

/// A class that is asked for after one failure, and after another.
///
/// Where paths come one after the other, only those decide again that hear of it, and what they do is undone before the next
/// failure. Elsewhere all is computed from the start.
#[derive(Debug)]
pub(crate) enum Mender<'c> {
    /// Paths come one after the other.
    Ordered(Box<levels::Mending<'c>>),
    /// They do not.
    Other {
        /// All devices.
        network: Network<'c>,
        /// The class.
        class: &'c Class,
        /// The class while nothing is gone.
        base: &'c Converged,
        /// The class after the last failure.
        converged: Option<Box<Converged>>,
        /// Those that choose otherwise then.
        changed: Vec<usize>,
    },
}

impl<'c> Mender<'c> {
    /// Returns a class as it is while nothing is gone, in some room.
    pub(crate) fn new(
        network: Network<'c>,
        far: &'c FarEnds,
        class: &'c Class,
        base: &'c Converged,
        scratch: &mut Scratch,
    ) -> Self {
        if base.ordered {
            Self::Ordered(Box::new(levels::Mending::new(network, far, class, base, scratch)))
        } else {
            Self::Other { network, class, base, converged: None, changed: Vec::new() }
        }
    }

    /// Leaves the room to the next computation.
    pub(crate) fn leave(self, scratch: &mut Scratch) {
        if let Self::Ordered(mending) = self {
            mending.leave(scratch);
        }
    }

    /// Returns the devices that choose otherwise once something is gone, in no order; `None` when the bound on decisions was reached.
    pub(crate) fn mend(&mut self, gone: &Gone) -> Option<&[usize]> {
        match self {
            Self::Ordered(mending) => Some(mending.mend(gone)),
            Self::Other { network, class, base, converged, changed } => {
                let now = converged.insert(Box::new(converge(*network, class, gone, &mut Scratch::default())));
                changed.clear();
                changed.extend((0..network.sessions.len()).filter(|&device| now.choice(device) != base.choice(device)));
                now.stable.then_some(&changed[..])
            }
        }
    }

    /// Returns what a device chose after the last failure.
    pub(crate) fn choice(&self, device: usize) -> Choice<'_> {
        match self {
            Self::Ordered(mending) => mending.choice(device),
            Self::Other { base, converged, .. } => converged.as_deref().unwrap_or(base).choice(device),
        }
    }
}

/// Returns what devices choose otherwise once something is gone; `None` when the bound on decisions was reached.
pub(crate) fn repair(
    network: Network<'_>,
    far: &FarEnds,
    class: &Class,
    base: &Converged,
    gone: &Gone,
    scratch: &mut Scratch,
) -> Option<Changes> {
    let mut mender = Mender::new(network, far, class, base, scratch);
    let changed = mender.mend(gone).map(<[usize]>::to_vec);
    let changes = changed.map(|mut changed| {
        changed.sort_unstable();
        let change = |device| match mender.choice(device) {
            Choice::None | Choice::Local => (device, None),
            Choice::Received(sessions) => (device, Some(sessions.into())),
        };
        changed.into_iter().map(change).collect()
    });
    mender.leave(scratch);
    changes
}
