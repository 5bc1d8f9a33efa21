//! Device configurations and cabling to predicted state, and where a packet goes in it.
//!
//! [`simulate`] answers what every device will do: interfaces, BGP sessions, routes with their ECMP sets, what is
//! announced to external neighbors. The answer has the types that an observation fills
//! ([`weft_device::state::DeviceState`]), so that the two are compared value by value. [`trace`] and [`Forwarding`] follow
//! packets through predicted or observed states alike, past access lists where their configurations are given.
//!
//! What is modelled: connected and static discard routes; external BGP (RFC 4271) over numbered and unnumbered (RFC 8950)
//! sessions on cables, IPv4 and IPv6 unicast, local preference, the shortest AS path, MED within an AS, loop detection,
//! multipath over whatever is equal up to the router id, import and export policies with communities, `no-export` and
//! `no-advertise` (RFC 1997), graceful shutdown (RFC 8326), maximum prefixes; OSPF for both families with
//! areas, stub areas, external routes of type 2 from BGP, and the largest metric. Connected and static routes come before those of
//! BGP, and these before those of OSPF. Sessions between routers of one AS are not modelled: they are predicted not to come up.
//!
//! [`Scenarios`] asks the same for some destinations and many failures: it computes only the routes that cover the destinations,
//! and after a failure lets only those devices decide again that hear of it.
//!
//! Prefixes with the same origins and the same answer from every policy form one class, which is computed once. Classes
//! are independent, so they are spread over threads, and the result is the same for any number of them.

mod acl;
mod attributes;
mod bgp;
mod cabling;
mod filters;
mod forwarding;
mod ospf;
mod policy;
mod prediction;
mod scenario;
mod session;

pub use acl::{Judged, Packet};
pub use cabling::Cable;
pub use filters::Filters;
pub use forwarding::{Forwarding, Hop, Outcome, Trace, trace};
pub use prediction::{Failed, Prediction, simulate};
pub use scenario::{Scenario, Scenarios, Walk};
