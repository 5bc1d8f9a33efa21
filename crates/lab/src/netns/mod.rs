//! Real labs: network namespaces, real routing suites, one real SSH server per router.
//!
//! A router is a small container made with the tools of util-linux: namespaces of its own, an overlay over the machine's own
//! root file system, `sshd`, and FRR or BIRD. It boots bare: a management address and nothing else, so that everything that
//! it does was brought to it over SSH. External routers boot with the configuration that they are given. Hosts are network
//! namespaces with an address and a default route.
//!
//! [`Lab::up`] starts a lab and writes what a client needs into a folder; any process can take hold of it there with
//! [`Lab::attach`]. [`missing`] says what a machine lacks for a lab.

mod error;
mod fault;
mod keys;
mod lab;
mod links;
mod preconditions;
mod processes;
mod router;
mod run;
mod state;
mod topology;

pub use error::LabError;
pub use fault::{Fault, InvalidFault};
pub use lab::{Guard, Lab, NodeStatus, Status};
pub use preconditions::missing;
pub use topology::{EXTERNAL_PACK, ExternalRouter, HostAddress, LabHost, LabTopology, NetnsDevice};
