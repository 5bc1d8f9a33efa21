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
//! areas, stub areas, external routes of type 2 from BGP, and the largest metric; internal BGP between loopbacks, which lasts as
//! long as OSPF has a way between them, with reflection (RFC 4456), next hops that are resolved over OSPF, and the nearest exit.
//! Connected and static routes come before all others; which of these comes first, and what else operating systems do differently, is
//! in the behavior profile of each device ([`weft_model::Behavior`]).
//! A session between routers of one AS over a cable is not modelled: it is predicted not to come up.
//!
//! [`Scenarios`] asks the same for some destinations and many failures of links and devices: it computes only the routes that cover
//! the destinations, and after a failure lets only those devices decide again that hear of it. [`Ways`] holds all ways to a
//! destination, of a scenario or of states, and tells in one pass what holds on them for every device.
//!
//! Prefixes with the same origins and the same answer from every policy form one class, which is computed once. Classes
//! are independent, so they are spread over threads, and the result is the same for any number of them.

mod acl;
mod attributes;
mod bgp;
mod cabling;
mod failures;
mod filters;
mod forwarding;
mod internal;
mod local;
mod ospf;
mod policy;
mod prediction;
mod routing;
mod scenario;
mod session;
mod ways;

pub use acl::{Judged, Packet};
pub use cabling::Cable;
pub use failures::Failures;
pub use filters::{Filters, Kind, PacketEnd};
pub use forwarding::{Decision, Forwarding, Hop, Outcome, Trace, trace};
pub use prediction::{Failed, Prediction, simulate};
pub use routing::Routing;
pub use scenario::{Scenario, Scenarios, Walk};
pub use ways::{Bounds, Marks, Stray, Ways};
