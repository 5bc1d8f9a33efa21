//! Value types that cannot be wrong, and the topology graph.
//!
//! Words are those of RFC 8345 for the topology (node, link, termination point) and of OpenConfig for the rest.

mod address;
mod area_id;
mod asn;
mod bandwidth;
mod behavior;
mod catalogue;
mod community;
mod interface_name;
mod mtu;
mod name;
mod network;
mod number;
mod provenance;
mod secret;
mod traffic;

pub use address::{Endpoint, InvalidEndpoint};
pub use area_id::{AreaId, InvalidAreaId};
pub use asn::{Asn, InvalidAsn};
pub use bandwidth::{Bandwidth, InvalidBandwidth};
pub use behavior::{
    Basis, Behavior, BehaviorProfile, GracefulShutdown, InvalidRoutePreference, Ipv6NextHop, Ospfv3Deviation,
    RoutePreference, RouteSource,
};
pub use catalogue::{Catalogue, PackDescription, Platform};
pub use community::{Community, InvalidCommunity};
pub use interface_name::{InterfaceName, InvalidInterfaceName};
pub use mtu::{InvalidMtu, Mtu};
pub use name::{FabricName, InvalidName, Name, NodeName, OsVersion, PackName, PlatformName, Role, SiteName};
pub use network::{Link, LinkRefused, Network, Node, TerminationPoint};
pub use number::{AsnRange, InvalidNumber, NumberRange, Port, PortRange, VlanId, VlanRange, Vni, VniRange};
pub use provenance::{IntentKind, IntentRef, InvalidIntentRef, Provenance, Source, Sources};
pub use secret::{
    InvalidSecretRef, SecretDigest, SecretDigests, SecretPlace, SecretRef, changed_secrets, placeholders,
};
pub use traffic::TrafficWhat;
