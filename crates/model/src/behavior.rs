//! How operating systems behave where they differ: what a pack says of their versions, and what predictions follow.

use std::{collections::BTreeSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::OsVersion;

/// The behavior of an operating system in some of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BehaviorProfile {
    /// The versions for which it holds: `8` is 8 and everything below it, such as `8.4.4`; `None` where no pack says any.
    pub version: Option<OsVersion>,
    /// How it came to be known.
    pub basis: Basis,
    /// The behavior.
    pub behavior: Behavior,
}

impl BehaviorProfile {
    /// Tells whether it holds for a version.
    pub fn covers(&self, version: &OsVersion) -> bool {
        let below = self.version.as_ref().and_then(|own| version.as_str().strip_prefix(own.as_str()));
        below.is_some_and(|below| !below.starts_with(|c: char| c.is_ascii_alphanumeric()))
    }
}

/// How a behavior came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Real devices were seen to do what was predicted with it.
    Measured,
    /// It was read in the documentation.
    #[default]
    Documented,
}

/// What operating systems do differently. The default is what the RFCs ask for, else what most systems do.
///
/// It is what a device does as its pack configures it: a habit that the templates turn off, or bring about, is turned off, or there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Behavior {
    /// Which of the learned routes to one prefix is used: that of the first of these. Connected and static routes come before them.
    pub route_preference: RoutePreference,
    /// The same where the device has neighbors in its own AS, if it is another one there.
    #[serde(default)]
    pub route_preference_with_ibgp: Option<RoutePreference>,
    /// Which next hop an IPv6 route of BGP has on a link with addresses, where the neighbor told both of its own (RFC 2545 3).
    pub ipv6_next_hop: Ipv6NextHop,
    /// What becomes of a route from another AS that is about to go away (RFC 8326 4.2).
    pub graceful_shutdown: GracefulShutdown,
    /// The most paths of equal cost that are used together, however many are configured.
    #[schemars(range(min = 1))]
    #[serde(default)]
    pub maximum_paths: Option<u16>,
    /// What OSPF for IPv6 is known to do against RFC 5340. It depends on what happened before, so that it is not predicted: it explains
    /// differences between what is predicted and what is seen.
    #[serde(default)]
    pub ospfv3_deviations: BTreeSet<Ospfv3Deviation>,
}

impl Behavior {
    /// Returns in which order learned routes are preferred on a device with internal BGP, or without.
    pub fn preference(&self, internal_bgp: bool) -> &RoutePreference {
        match &self.route_preference_with_ibgp {
            Some(with_ibgp) if internal_bgp => with_ibgp,
            Some(_) | None => &self.route_preference,
        }
    }

    /// Returns how many paths are used together where so many are configured, at least one.
    pub fn paths(&self, configured: u16) -> usize {
        usize::from(self.maximum_paths.map_or(configured, |most| configured.min(most)).max(1))
    }
}

/// Where a learned route comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RouteSource {
    /// BGP, from a neighbor in another AS.
    Ebgp,
    /// OSPF.
    Ospf,
    /// BGP, from a neighbor in the own AS.
    Ibgp,
}

/// Why a list is no order of preference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an order of preference names each of `ebgp`, `ospf` and `ibgp` once")]
pub struct InvalidRoutePreference;

/// The sources of learned routes in the order in which they are preferred, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<RouteSource>", into = "Vec<RouteSource>")]
pub struct RoutePreference(#[schemars(with = "Vec<RouteSource>")] [RouteSource; 3]);

impl RoutePreference {
    /// Tells whether a route of one source is used where there is one of another.
    pub fn prefers(&self, one: RouteSource, other: RouteSource) -> bool {
        let place = |source| self.0.iter().position(|known| *known == source);
        place(one) < place(other)
    }
}

impl Default for RoutePreference {
    /// The administrative distances 20, 110 and 200 that most systems have.
    fn default() -> Self {
        Self([RouteSource::Ebgp, RouteSource::Ospf, RouteSource::Ibgp])
    }
}

impl TryFrom<Vec<RouteSource>> for RoutePreference {
    type Error = InvalidRoutePreference;

    fn try_from(sources: Vec<RouteSource>) -> Result<Self, InvalidRoutePreference> {
        let sources: [RouteSource; 3] = sources.try_into().map_err(|_| InvalidRoutePreference)?;
        let all = [RouteSource::Ebgp, RouteSource::Ospf, RouteSource::Ibgp];
        if all.iter().all(|source| sources.contains(source)) { Ok(Self(sources)) } else { Err(InvalidRoutePreference) }
    }
}

impl From<RoutePreference> for Vec<RouteSource> {
    fn from(preference: RoutePreference) -> Self {
        preference.0.into()
    }
}

/// Which of a neighbor's addresses on a link an IPv6 route has as its next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ipv6NextHop {
    /// The global one, that of the session.
    Global,
    /// The link-local one, which nobody knows beforehand.
    #[default]
    LinkLocal,
}

/// What becomes of a route with the community GRACEFUL_SHUTDOWN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GracefulShutdown {
    /// It is the last to be taken, behind the import policy: by the system itself, or because the pack configures it so.
    #[default]
    Honored,
    /// The community means nothing.
    Ignored,
}

/// What a daemon of OSPF version 3 does against RFC 5340.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ospfv3Deviation {
    /// It keeps the route to the subnet of a link that went down, and as a border router announces it on.
    KeepsLostSubnets,
    /// It takes no host prefix with the bit LA from another area, so that it reaches such a loopback through other borders only.
    RefusesLocalAddresses,
    /// It stays with the border router that it had for a prefix, though another one is nearer now.
    StaysWithBorder,
}

impl fmt::Display for Ospfv3Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::KeepsLostSubnets => "OSPFv3 keeps the subnet of a link that is down",
            Self::RefusesLocalAddresses => "OSPFv3 takes no loopback with the bit LA from another area",
            Self::StaysWithBorder => "OSPFv3 stays with the border router that it had",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_for_a_version_and_those_below_it() {
        let profile = BehaviorProfile { version: Some("8".parse().unwrap()), ..BehaviorProfile::default() };
        let covers = |version: &str| profile.covers(&version.parse().unwrap());
        assert!(covers("8") && covers("8.4") && covers("8.4.4-1"));
        assert!(!covers("80") && !covers("10.8") && !covers("8a"));
        assert!(!BehaviorProfile::default().covers(&"8".parse().unwrap()));
    }

    #[test]
    fn an_order_of_preference_names_each_source_once() {
        let read = serde_json::from_str::<RoutePreference>;
        let order = read(r#"["ospf", "ebgp", "ibgp"]"#).unwrap();
        assert!(order.prefers(RouteSource::Ospf, RouteSource::Ebgp));
        assert!(!order.prefers(RouteSource::Ibgp, RouteSource::Ebgp));
        assert!(read(r#"["ospf", "ospf", "ibgp"]"#).is_err() && read(r#"["ospf", "ebgp"]"#).is_err());
    }

    #[test]
    fn the_limit_of_paths_is_at_most_what_is_configured() {
        let behavior = Behavior { maximum_paths: Some(4), ..Behavior::default() };
        assert_eq!([0, 2, 64].map(|configured| behavior.paths(configured)), [1, 2, 4]);
        assert_eq!(Behavior::default().paths(64), 64);
    }
}
