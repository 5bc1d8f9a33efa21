//! Each end of a session names the other as it is.
//!
//! # What it does
//! For a session between loopbacks: our address is one of the device's loopback. For another neighbor named by its address: the interface that leads to it is in the same subnet, and the other end of the link has the address. For one named by an interface: the interface is unnumbered, and the other end names its own one too.
//!
//! # Why
//! A session with an address that nobody has never comes up; one with an address that somebody else has comes up with the wrong device.
//!
//! # Example
//! `b1-leaf-01` has the neighbor `10.1.0.9` over `swp15`, whose other end has `10.1.0.1`.

use std::net::IpAddr;

use weft_device::config::{Interface, NeighborTarget};
use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, SessionEnd, error},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let internal = fleet.link_session_pairs().flat_map(|[a, b]| [(a, Some(b)), (b, Some(a))]);
    let external = fleet.external_neighbors().map(|end| (end, None));
    let on_links = internal.chain(external).filter_map(|(end, far)| mistake(fleet, end, far));
    on_links.chain(fleet.loopback_sessions.iter().filter_map(|(end, _)| not_own(fleet, *end))).collect()
}

/// Returns the mistake of a session from an address that the device does not have.
fn not_own(fleet: &Fleet<'_>, end: SessionEnd<'_>) -> Option<Diagnostic> {
    let (interface, local) = (end.interface(fleet)?, end.neighbor.local_address?);
    (!has(interface, local)).then(|| {
        let name = &end.neighbor.interface;
        let message =
            format!("`{}` has a session with {} from {local}, which is no address of `{name}`", end.device, end.target);
        error(codes::SESSION_ADDRESS_MISMATCH, message, end.neighbor.provenance.of("local_address"))
    })
}

fn mistake<'a>(fleet: &Fleet<'a>, end: SessionEnd<'a>, far: Option<SessionEnd<'a>>) -> Option<Diagnostic> {
    // An interface that is not there is another rule's.
    let near_interface = end.interface(fleet)?;
    let name = &end.neighbor.interface;
    let what = match end.target {
        NeighborTarget::Interface(target) if target != name => {
            format!("has the neighbor `{target}` over another interface, `{name}`")
        }
        NeighborTarget::Interface(_) if !near_interface.unnumbered => {
            format!("has an unnumbered neighbor over `{name}`, which is not unnumbered")
        }
        NeighborTarget::Interface(_) => match far {
            Some(SessionEnd { target: NeighborTarget::Address(address), .. }) => {
                format!("has an unnumbered neighbor over `{name}`, whose other end has the neighbor {address}")
            }
            Some(_) | None => return None,
        },
        NeighborTarget::Address(address) => {
            let far_interface = far.and_then(|far| far.interface(fleet));
            if !near_interface.addresses.iter().any(|near| near.prefix.contains(address)) {
                format!("has the neighbor {address}, which is in no subnet of `{name}`")
            } else if has(near_interface, *address) {
                format!("has the neighbor {address}, which is its own address on `{name}`")
            } else if far_interface.is_some_and(|far| !has(far, *address)) {
                format!("has the neighbor {address} over `{name}`, whose other end does not have the address")
            } else {
                return None;
            }
        }
    };
    let message = format!("`{}` {what}", end.device);
    Some(error(codes::SESSION_ADDRESS_MISMATCH, message, &end.neighbor.provenance.sources))
}

fn has(interface: &Interface, address: IpAddr) -> bool {
    interface.addresses.iter().any(|own| own.prefix.addr() == address)
}
