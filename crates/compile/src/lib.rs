//! Intents, topology and allocations to vendor-neutral device configuration, with provenance.
//!
//! | function | from | to |
//! |---|---|---|
//! | [`allocate`] | intents, topology, what the lock file holds | what the lock file is to hold |
//! | [`compile`] | intents, topology, allocations | one [`weft_device::config::DeviceConfig`] for each node |
//! | [`external_routers`] | the same | the routers on the far side of every peering, for labs and predictions |
//! | [`hosts`] | the same | one host for every port of a segment, for labs and predictions |
//!
//! # Cost
//! With `n` nodes, `l` links, `p` segment ports and `i` intents, the selectors are resolved once, in `O(i * n)` at most
//! and less where they name nodes, fabrics or sites. Allocation costs `O((n + l + p) log (n + l + p))`. A device costs as
//! much as it has links, segment ports, peering sessions and intents that touch it, times a logarithm for look-ups; devices
//! are compiled in parallel and never look at more than their neighbors.

mod access;
mod allocate;
mod allocations;
mod bgp;
mod bogons;
pub mod codes;
mod device;
mod external_routers;
mod hosts;
mod interface;
mod maintenance;
mod marks;
mod ospf;
mod pool;
mod refusals;
mod routing_policy;
mod selection;
mod statements;
mod steering;
mod system;
mod underlays;

pub use access::flow_protocol;
pub use allocate::allocate;
pub use allocations::{Allocations, InvalidAllocations, LinkKey, PortKey};
pub use device::compile;
pub use external_routers::{ExternalRouters, external_routers};
pub use hosts::{Host, HostAddress, hosts};
pub use pool::Family;
