//! The `spec` of each kind of intent, as the user writes it.

mod baseline;
mod fabric;
mod peering;
mod pools;
mod reachability;
mod segment;
mod selector;
pub(crate) mod text;
mod topology;
mod underlay;

pub use baseline::{BaselineSpec, Dns, Ntp, UserSpec};
pub use fabric::{FabricSpec, NodeOverride, Tier};
pub use peering::{Accept, Announce, PeeringSession, PeeringSpec, Relationship};
pub use pools::{AddressPool, AddressPurpose, AsnAssignment, AsnPool, AsnRange, PoolsSpec};
pub use reachability::{Expectation, FlowEnd, ReachabilitySpec, Survive};
pub use segment::{GatewayPosition, PortSelection, Scope, SegmentSpec};
pub use selector::Selector;
pub use topology::{TopologyLink, TopologyNode, TopologySpec};
pub use underlay::{Addressing, Authentication, BfdSpec, Protocol, TimersSpec, UnderlaySpec};
