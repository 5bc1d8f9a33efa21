//! Which of several routes a device takes (RFC 4271 9.1.2.2, RFC 4456 9).

use std::net::Ipv4Addr;

use weft_device::config::NeighborTarget;

/// A route as far as it is compared. All are of origin IGP.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'t> {
    /// Its place in the list that it comes from.
    pub(super) place: usize,
    pub(super) local_preference: u32,
    /// The number of ASes on its path.
    pub(super) length: u32,
    /// The first of them; 0 where it comes from the own AS.
    pub(super) first_as: u32,
    pub(super) med: u32,
    /// Whether a router of the own AS said it.
    pub(super) internal: bool,
    /// What it costs to reach its next hop.
    pub(super) cost: u32,
    /// The router that brought it into the AS, or that said it.
    pub(super) router_id: Ipv4Addr,
    /// The number of clusters that it was reflected in.
    pub(super) clusters: usize,
    /// The neighbor that said it.
    pub(super) neighbor: &'t NeighborTarget,
}

impl Candidate<'_> {
    /// Returns what comes before MEDs: the smaller is preferred.
    fn first_rank(&self) -> (u32, u32) {
        (u32::MAX - self.local_preference, self.length)
    }

    /// Returns what comes behind MEDs, up to the cost: what is equal in this is used together.
    fn second_rank(&self) -> (bool, u32) {
        (self.internal, self.cost)
    }
}

/// Returns the places of the routes that are used together, the best first.
///
/// Preferred is the greatest local preference, then the shortest AS path, then among routes of one neighboring AS the smallest MED,
/// then a route from another AS, then the nearest next hop, then the lowest router id of who brought the route into the AS, the
/// fewest reflections, and the lowest neighbor. MEDs are compared within each AS first (`deterministic-med`). What is used together
/// with the best route is whatever equals it up to the cost; a route of another AS does, whatever its MED.
pub(super) fn choose(mut candidates: Vec<Candidate<'_>>) -> Vec<usize> {
    let Some(first) = candidates.iter().map(Candidate::first_rank).min() else { return Vec::new() };
    candidates.retain(|candidate| candidate.first_rank() == first);
    candidates.sort_by(|a, b| {
        let rank = |c: &Candidate<'_>| (c.second_rank(), c.router_id, c.clusters);
        rank(a).cmp(&rank(b)).then_with(|| a.neighbor.cmp(b.neighbor))
    });
    let beaten = |a: &Candidate<'_>| candidates.iter().any(|b| b.first_as == a.first_as && b.med < a.med);
    let Some(best) = candidates.iter().find(|candidate| !beaten(candidate)).copied() else { return Vec::new() };
    let together = |other: &&Candidate<'_>| {
        other.place != best.place
            && other.second_rank() == best.second_rank()
            && (other.first_as != best.first_as || other.med == best.med)
    };
    let others = candidates.iter().filter(together).map(|other| other.place);
    [best.place].into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a route that is changed in one way.
    fn route(change: impl Fn(&mut Candidate<'static>)) -> Candidate<'static> {
        let neighbor = Box::leak(Box::new(NeighborTarget::Address([10, 0, 0, 9].into())));
        let mut candidate = Candidate {
            place: 0,
            local_preference: 100,
            length: 2,
            first_as: 64_496,
            med: 0,
            internal: true,
            cost: 20,
            router_id: [10, 0, 0, 9].into(),
            clusters: 1,
            neighbor,
        };
        change(&mut candidate);
        candidate
    }

    fn chosen(routes: &[Candidate<'static>]) -> Vec<usize> {
        choose(routes.iter().enumerate().map(|(place, route)| Candidate { place, ..*route }).collect())
    }

    /// A step of the decision: a change that makes a route better, with all that comes behind worse.
    type Step = (&'static str, fn(&mut Candidate<'static>));

    const STEPS: &[Step] = &[
        ("local preference", |r| r.local_preference = 101),
        ("length of the path", |r| r.length = 1),
        ("MED", |r| r.med = 0),
        ("from another AS", |r| r.internal = false),
        ("cost of the next hop", |r| r.cost = 19),
        ("router id", |r| r.router_id = [10, 0, 0, 1].into()),
        ("number of clusters", |r| r.clusters = 0),
        ("neighbor", |r| r.neighbor = Box::leak(Box::new(NeighborTarget::Address([10, 0, 0, 1].into())))),
    ];

    #[test]
    fn each_step_comes_before_those_behind_it() {
        for (number, (name, better)) in STEPS.iter().enumerate() {
            let base = |r: &mut Candidate<'static>| r.med = 5;
            let this = route(|r| {
                base(r);
                better(r);
            });
            // The other is better in every step behind.
            let other = route(|r| {
                base(r);
                STEPS[number + 1..].iter().for_each(|(_, better)| better(r));
            });
            assert_eq!(chosen(&[this, other])[0], 0, "{name}");
            assert_eq!(chosen(&[other, this])[0], 1, "{name}");
            let together = if number < 5 { 1 } else { 2 };
            assert_eq!(chosen(&[this, other]).len(), together, "{name}: what is used together");
        }
    }

    #[test]
    fn meds_of_different_neighbors_are_not_compared() {
        let theirs = |r: &mut Candidate<'static>| (r.first_as, r.med, r.router_id) = (64_497, 50, [10, 0, 0, 1].into());
        assert_eq!(chosen(&[route(|r| r.med = 5), route(theirs)])[0], 1);
        // One that another of its AS beats is out, though it comes first otherwise.
        let beaten = |r: &mut Candidate<'static>| (r.med, r.router_id) = (7, [10, 0, 0, 1].into());
        assert_eq!(chosen(&[route(|r| r.med = 5), route(beaten)]), [0]);
        assert!(chosen(&[]).is_empty());
    }
}
