//! Differences that what a daemon is known to do against its RFC may explain: the behavior profiles name it.

use std::collections::BTreeMap;

use weft_device::config::{AfiSafi, DeviceConfig, InterfaceKind};
use weft_model::{NodeName, Ospfv3Deviation};

use crate::{MismatchKind, RouteMismatch};

/// Returns the known deviation that may be why an entry differs, if there is one: of the device itself, or, where a route should be
/// gone, of any device.
pub fn deviation(configs: &BTreeMap<NodeName, DeviceConfig>, mismatch: &RouteMismatch) -> Option<Ospfv3Deviation> {
    let config = configs.get(&mismatch.device)?;
    let routed = config.ospf.as_ref().is_some_and(|ospf| ospf.families.contains(&AfiSafi::Ipv6Unicast));
    if mismatch.prefix.addr().is_ipv4() || !routed {
        return None;
    }
    let of = |config: &DeviceConfig, deviation| config.profile.behavior.ospfv3_deviations.contains(&deviation);
    let is_host = mismatch.prefix.prefix_len() == mismatch.prefix.max_prefix_len();
    match mismatch.is {
        MismatchKind::Unexpected => {
            let lost = Ospfv3Deviation::KeepsLostSubnets;
            let links = configs.values().flat_map(|config| config.interfaces.values());
            let links = links.filter(|interface| matches!(interface.kind, InterfaceKind::Link { .. }));
            let is_link =
                links.flat_map(|link| &link.addresses).any(|address| address.prefix.trunc() == mismatch.prefix);
            (is_link && configs.values().any(|config| of(config, lost))).then_some(lost)
        }
        MismatchKind::Different => {
            let refuses = Some(Ospfv3Deviation::RefusesLocalAddresses).filter(|_| is_host);
            let known = refuses.into_iter().chain([Ospfv3Deviation::StaysWithBorder]);
            known.into_iter().find(|deviation| of(config, *deviation))
        }
        MismatchKind::Missing | MismatchKind::Thinner => None,
    }
}
