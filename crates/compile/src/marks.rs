//! Weft's own large communities (RFC 8092): what a route carries within the network, and never across its border.
//!
//! | community | says |
//! |---|---|
//! | `4200000000:1:R` | where the route was learned: 1 from a customer, 2 from a peer, 3 from a transit |
//! | `4200000000:2:N` | which way of a Steering it came: 1, 2, 3 for those of the first one by name, 101, 102 for those of the second |

use weft_device::config::RoutingPolicy;
use weft_intent::spec::Relationship;
use weft_model::{Community, Name, Provenance};

use crate::statements::{community_set, name};

/// A private AS number (RFC 6996): nobody's on the internet.
const ADMINISTRATOR: u32 = 4_200_000_000;
const LEARNED_FROM: u32 = 1;
const RANK: u32 = 2;
/// So many ranks each steering has.
const RANKS_OF_ONE: u32 = 100;

/// All relationships, in the order of their numbers.
pub(crate) const RELATIONSHIPS: [Relationship; 3] = [Relationship::Customer, Relationship::Peer, Relationship::Transit];

/// Returns the mark of routes that were learned from a neighbor.
pub(crate) fn learned_from(relationship: Relationship) -> Community {
    let number = match relationship {
        Relationship::Customer => 1,
        Relationship::Peer => 2,
        Relationship::Transit => 3,
    };
    Community::Large(ADMINISTRATOR, LEARNED_FROM, number)
}

/// Returns the mark of routes that came the way at `position`, from 1, of the steering at `steering`, from 0.
pub(crate) fn rank(steering: usize, position: usize) -> Community {
    // Neither is ever larger than the number of intents and of the ways of one.
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Community::Large(
        ADMINISTRATOR,
        RANK,
        number(steering).saturating_mul(RANKS_OF_ONE).saturating_add(number(position)),
    )
}

/// Defines the set of the marks of routes from these neighbors.
pub(crate) fn learned_set(
    policy: &mut RoutingPolicy,
    set: &str,
    from: &[Relationship],
    provenance: &Provenance,
) -> Option<Name> {
    let communities = from.iter().map(|relationship| learned_from(*relationship)).collect();
    Some(community_set(policy, name(set)?, communities, provenance.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_steering_has_ranks_of_its_own() {
        assert_eq!(rank(0, 1).to_string(), "4200000000:2:1");
        assert_eq!(rank(0, 16).to_string(), "4200000000:2:16");
        assert_eq!(rank(1, 1).to_string(), "4200000000:2:101");
        assert_eq!(learned_from(Relationship::Transit).to_string(), "4200000000:1:3");
    }
}
