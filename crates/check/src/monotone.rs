//! Whether only what packets pass matters to them: then a failure elsewhere leaves them as they are.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use weft_device::config::{DeviceConfig, PolicyDefinition};
use weft_model::{AreaId, Asn, Community, NodeName};
use weft_simulate::Cable;

/// Tells whether a failure changes the ways of packets only where it takes away something that they use.
///
/// It is so where routes are compared by nothing but a length that a failure never makes shorter, and are refused for nothing that
/// a failure changes. That is shown for OSPF in one area, and for BGP with policies that look at prefixes and lengthen paths only,
/// in two cases: no AS number is used twice, so that who refuses a path is on it; or the AS numbers form a tree, in which there is
/// one path to each prefix, as in a Clos fabric, and each prefix comes from one AS. Elsewhere a refused route may go away
/// with a failure, and a better one come in its place.
pub(crate) fn is_monotone(configs: &BTreeMap<NodeName, DeviceConfig>, cables: &[Cable]) -> bool {
    let areas: BTreeSet<AreaId> = configs
        .values()
        .filter_map(|config| config.ospf.as_ref())
        .flat_map(|ospf| &ospf.interfaces)
        .map(|(_, i)| i.area)
        .collect();
    let with_bgp = configs.values().any(|config| config.bgp.is_some());
    if !areas.is_empty() {
        return areas.len() == 1 && !with_bgp;
    }
    let policies = configs.values().flat_map(|config| config.routing_policy.policy_definitions.values());
    if !policies.into_iter().all(is_plain) {
        return false;
    }
    let limited = |config: &DeviceConfig| {
        config.bgp.iter().flat_map(|bgp| bgp.neighbors.values()).any(|neighbor| neighbor.maximum_prefixes.is_some())
    };
    // Whether a limit is ever reached depends on all routes together.
    if configs.values().any(limited) {
        return false;
    }
    let numbers: Vec<Asn> = configs.values().filter_map(|config| config.bgp.as_ref()).map(|bgp| bgp.asn).collect();
    let different: BTreeSet<Asn> = numbers.iter().copied().collect();
    different.len() == numbers.len() || (is_tree(configs, cables) && each_from_one(configs))
}

fn is_plain(policy: &PolicyDefinition) -> bool {
    const KNOWN: [Community; 3] = [Community::GRACEFUL_SHUTDOWN, Community::NO_EXPORT, Community::NO_ADVERTISE];
    policy.statements.iter().all(|statement| {
        let changes = &statement.transformations;
        statement.conditions.community_set.is_none()
            && changes.local_preference.is_none()
            && changes.med.is_none()
            && !changes.add_communities.iter().any(|community| KNOWN.contains(community))
    })
}

/// Tells whether the AS numbers and the cables between them form trees.
fn is_tree(configs: &BTreeMap<NodeName, DeviceConfig>, cables: &[Cable]) -> bool {
    let asn = |node: &NodeName| configs.get(node)?.bgp.as_ref().map(|bgp| bgp.asn);
    let between = cables.iter().filter_map(|[a, b]| Some((asn(&a.node)?, asn(&b.node)?)));
    let between: BTreeSet<(Asn, Asn)> = between.map(|(a, b)| (a.min(b), a.max(b))).filter(|(a, b)| a != b).collect();
    let mut roots: BTreeMap<Asn, Asn> = BTreeMap::new();
    let root = |roots: &BTreeMap<Asn, Asn>, mut of: Asn| {
        while let Some(up) = roots.get(&of) {
            of = *up;
        }
        of
    };
    between.into_iter().all(|(a, b)| {
        let (a, b) = (root(&roots, a), root(&roots, b));
        a != b && roots.insert(a, b).is_none()
    })
}

fn each_from_one(configs: &BTreeMap<NodeName, DeviceConfig>) -> bool {
    let mut from: BTreeMap<&IpNet, Asn> = BTreeMap::new();
    let networks = configs.values().filter_map(|config| config.bgp.as_ref());
    let mut networks = networks.flat_map(|bgp| bgp.networks.keys().map(move |prefix| (prefix, bgp.asn)));
    networks.all(|(prefix, asn)| *from.entry(prefix).or_insert(asn) == asn)
}
