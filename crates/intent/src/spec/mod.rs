//! The `spec` of each kind of intent, as the user writes it.

mod access;
mod baseline;
mod capacity;
mod fabric;
mod maintenance;
mod peering;
mod pools;
mod reachability;
mod segment;
mod selector;
mod steering;
mod tenant;
pub(crate) mod text;
mod topology;
mod underlay;

pub use access::{AccessAction, AccessEnd, AccessRule, AccessSpec, TransportProtocol};
pub use baseline::{BaselineSpec, Dns, Ntp, Snmp, SnmpCommunity, SshServer, Syslog, UserSpec};
pub use capacity::{CapacitySpec, Demand};
pub use fabric::{FabricSpec, NodeOverride, Tier};
pub use maintenance::{Drain, MaintenanceSpec, Window};
pub use peering::{Accept, Announce, MoreSpecific, PeeringSession, PeeringSpec, Relationship};
pub use pools::{AddressPool, AddressPurpose, AsnAssignment, AsnPool, PoolsSpec, VlanPool, VniPool, VniPurpose};
pub use reachability::{Expectation, FlowEnd, ReachabilitySpec, Survive};
pub use segment::{GatewayPosition, PortSelection, Scope, SegmentIpv6, SegmentSpec};
pub use selector::Selector;
pub use steering::{Direction, SteeringMethod, SteeringSpec, Way};
pub use tenant::{Leak, TenantSegment, TenantSpec, Trunk};
pub use topology::{TopologyLink, TopologyNode, TopologySpec};
pub use underlay::{
    Addressing, AreaKind, Authentication, BfdSpec, Families, IbgpSpec, OspfArea, OspfSpec, Protocol, TcpAo,
    TcpAoAlgorithm, TimersSpec, UnderlaySpec,
};
