//! Weft against real routers: FRR and BIRD with real sshd, in network namespaces.
//!
//! Needs root and the routers' packages; says what is missing and passes where they are not there. As many labs run at a time as
//! there are processors: they mostly wait.

#![allow(clippy::print_stderr, clippy::unwrap_used, reason = "a test says what it skips, and may panic")]

mod access;
mod ibgp;
mod loss;
mod policy;
mod prediction;
mod proof;
mod recovery;
mod underlay;
#[path = "../weft/mod.rs"]
mod weft;
mod whole_loop;

/// Traffic to the internet leaves by one transit, and by the other where that is not there.
const STEERING: &str = "apiVersion: weft/v1
kind: Steering
metadata:
  name: way-out
spec:
  prefixes: [198.51.100.0/24]
  prefer:
    - { peering: peering/transit-b }
    - { peering: peering/transit-a }
";
