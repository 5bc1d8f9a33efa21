//! Looks up single values in what was observed.

use weft_device::state::{InterfaceState, OperStatus};
use weft_model::InterfaceName;

use crate::Observed;

/// An interface as it was observed.
pub(crate) enum Seen<'a> {
    /// The interfaces of the device were not read.
    Unread,
    /// It carries nothing, with the word for why.
    Down(&'static str),
    /// It carries packets.
    Up(&'a InterfaceState),
}

/// Returns how `interface` was observed.
pub(crate) fn interface<'a>(observed: Option<&'a Observed>, interface: &InterfaceName) -> Seen<'a> {
    match observed.and_then(|seen| seen.state.interfaces.as_ref()) {
        None => Seen::Unread,
        Some(interfaces) => match interfaces.get(interface) {
            None => Seen::Down("absent"),
            Some(InterfaceState { oper_status: OperStatus::Down, .. }) => Seen::Down("down"),
            Some(state @ InterfaceState { oper_status: OperStatus::Up, .. }) => Seen::Up(state),
        },
    }
}
