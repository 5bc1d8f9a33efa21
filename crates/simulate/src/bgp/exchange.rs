//! What is said over sessions about the prefixes of a class, and what a device takes of it.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use weft_model::{Community, GracefulShutdown};

use super::{Class, Network};
use crate::{
    attributes::{Attributes, PathId, Route},
    policy::Verdict,
    session::SortId,
};

/// A route with one of these is not announced to another AS (RFC 1997).
const STAYS_WITHIN: [Community; 2] = [Community::NO_EXPORT, Community::NO_ADVERTISE];

/// What becomes of the routes of a class over the sessions of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// None passes.
    Shut,
    /// All pass as they are.
    Open,
    /// It depends on the route, or it is changed.
    Guarded,
}

/// Returns the passages of a class, by sorts of sessions.
pub(super) fn passages(network: Network<'_>, class: &Class) -> Arc<[Passage]> {
    let ipv6 = class.is_ipv6();
    let passage = |sort: &crate::session::Sort| {
        let verdicts = [class.verdicts.of(sort.peer_export), class.verdicts.of(sort.import)];
        match verdicts {
            _ if !sort.carries(ipv6) => Passage::Shut,
            [Verdict::Rejects, _] | [_, Verdict::Rejects] => Passage::Shut,
            [Verdict::Takes, Verdict::Takes] => Passage::Open,
            [Verdict::Takes | Verdict::Depends(_), Verdict::Takes | Verdict::Depends(_)] => Passage::Guarded,
        }
    };
    network.sessions.sorts.iter().map(passage).collect()
}

/// What is said over sessions about the prefixes of a class.
#[derive(Debug)]
pub(super) struct Exchange<'c, 'b> {
    pub(super) network: Network<'c>,
    pub(super) class: &'c Class,
    pub(super) attributes: Attributes<'b>,
    pub(super) passages: Arc<[Passage]>,
    /// What came of routes that a policy looked at more closely: the path on which loops are looked for, and the route as it is held.
    judged: FxHashMap<(SortId, Route), Option<(PathId, Route)>>,
    /// The last route that was heard, and what came of it. Neighbors often say the same.
    last: Option<((u32, SortId, Route), Option<Route>)>,
}

impl<'c, 'b> Exchange<'c, 'b> {
    pub(super) fn new(
        network: Network<'c>,
        class: &'c Class,
        passages: Arc<[Passage]>,
        attributes: Attributes<'b>,
    ) -> Self {
        Self { network, class, attributes, passages, judged: FxHashMap::default(), last: None }
    }

    /// Returns a route of a neighbor as a device of an AS holds it, if it accepts it.
    #[inline]
    pub(super) fn heard(&mut self, asn: u32, sort: SortId, route: Route) -> Option<Route> {
        let passage = self.passages[sort as usize];
        if passage == Passage::Shut {
            return None;
        }
        let key = (asn, sort, route);
        match self.last {
            Some((last, heard)) if last == key => heard,
            Some(_) | None => {
                let heard = self.accepted(asn, sort, passage, route);
                self.last = Some((key, heard));
                heard
            }
        }
    }

    fn accepted(&mut self, asn: u32, sort: SortId, passage: Passage, route: Route) -> Option<Route> {
        let (path, held) = match passage {
            Passage::Shut => return None,
            Passage::Open => (route.path, route),
            Passage::Guarded => match self.judged.get(&(sort, route)) {
                Some(judged) => (*judged)?,
                None => {
                    let judged = self.judge(sort, route);
                    self.judged.insert((sort, route), judged);
                    judged?
                }
            },
        };
        let honors = self.network.sessions.sorts[sort as usize].graceful_shutdown == GracefulShutdown::Honored;
        (!self.attributes.passes(path, asn)).then(|| if honors { shut_down(held, &self.attributes) } else { held })
    }

    /// Returns the path of a route as it leaves its device, and the route as the other end takes it.
    fn judge(&mut self, sort: SortId, route: Route) -> Option<(PathId, Route)> {
        let sort = self.network.sessions.sorts[sort as usize];
        let exported = self.exported(sort.peer_export, route)?;
        let held = match self.class.verdicts.of(sort.import) {
            Verdict::Rejects => return None,
            Verdict::Takes => exported,
            Verdict::Depends(program) => {
                self.network.policies.apply(sort.import, program, exported, &mut self.attributes)?
            }
        };
        Some((exported.path, held))
    }

    /// Returns an announced route as it leaves through an export policy. What the policy puts before the path comes behind the AS of
    /// the device.
    pub(super) fn exported(&mut self, policy: u32, route: Route) -> Option<Route> {
        let program = match self.class.verdicts.of(policy) {
            Verdict::Rejects => return None,
            Verdict::Takes => return Some(route),
            Verdict::Depends(program) => program,
        };
        let exported = self.network.policies.apply(policy, program, route, &mut self.attributes)?;
        let path = self.attributes.led_by(route.path, exported.path);
        let local_preference = route.local_preference;
        Some(Route { path, local_preference, ..exported })
    }

    /// Returns what a device announces that holds a route.
    pub(super) fn announced(&mut self, device: usize, held: Route) -> Option<Route> {
        // Every session is with another AS.
        if self.attributes.has_any(held.communities, &STAYS_WITHIN) {
            return None;
        }
        Some(self.attributes.announced(self.network.sessions.speakers[device].asn, held))
    }
}

/// Returns a route from another AS as a device holds it, after its import policy: one that is about to go away is the last to be
/// taken (RFC 8326 4.2).
fn shut_down(route: Route, attributes: &Attributes<'_>) -> Route {
    if attributes.has_any(route.communities, &[Community::GRACEFUL_SHUTDOWN]) {
        Route { local_preference: 0, ..route }
    } else {
        route
    }
}

/// Reduces received routes of the greatest local preference and the shortest path, in the order of sessions, to what a device uses of
/// them, the best first.
///
/// Among routes of one neighboring AS the smallest MED is preferred, then the first session, which is that with the lowest router id.
/// All routes are of origin IGP and from other ASes, so that RFC 4271 9.1.2.2 knows no other difference. MEDs are compared within
/// each AS first (`deterministic-med`). What is used together with the best route is whatever equals it up to the router id; a route
/// of another AS does, whatever its MED.
pub(super) fn choose(equal: &mut Vec<(u16, Route)>, maximum_paths: usize, meds: bool, attributes: &Attributes<'_>) {
    let Some(&(_, mut best)) = equal.first() else { return };
    if meds && equal.iter().any(|(_, route)| route.med != best.med) {
        let asn = |route: &Route| attributes.first(route.path);
        let beaten = |a: &Route| equal.iter().any(|(_, b)| asn(b) == asn(a) && b.med < a.med);
        if let Some((index, (_, route))) = equal.iter().enumerate().find(|(_, (_, route))| !beaten(route)) {
            best = *route;
            equal[..=index].rotate_right(1);
        }
        equal.retain(|(_, route)| asn(route) != asn(&best) || route.med == best.med);
    }
    equal.truncate(maximum_paths);
}
