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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::{Cause, Table};

    /// Returns a device with OSPF for IPv6 on a link, and known deviations.
    fn config(name: &str, deviations: &[&str]) -> DeviceConfig {
        let none = json!({ "sources": [] });
        let interface = json!({
            "kind": { "is": "link", "peer": { "node": "far", "interface": "swp1" } },
            "description": "", "mtu": null, "unnumbered": false, "provenance": none,
            "addresses": [{ "prefix": "2001:db8:1::/127", "provenance": none }],
        });
        let behavior = json!({
            "route_preference": ["ebgp", "ospf", "ibgp"], "ipv6_next_hop": "link-local", "graceful_shutdown": "honored",
            "ospfv3_deviations": deviations,
        });
        let ospf = json!({
            "router_id": "10.0.0.1", "families": ["ipv6-unicast"], "maximum_paths": 1, "areas": {}, "interfaces": {},
            "maximum_metric": false, "redistribute_bgp": null, "provenance": none,
        });
        let system = json!({ "hostname": name, "ntp_servers": [], "dns_servers": [], "users": {}, "provenance": none });
        serde_json::from_value(json!({
            "device": name, "pack": "toy", "profile": { "version": "1", "basis": "measured", "behavior": behavior },
            "system": system, "interfaces": { "swp1": interface }, "static_routes": {}, "bgp": null, "ospf": ospf,
            "routing_policy": { "prefix_sets": {}, "policy_definitions": {} },
        }))
        .unwrap()
    }

    #[test]
    fn a_deviation_explains_what_it_brings_about_and_nothing_else() {
        let all = ["keeps-lost-subnets", "refuses-local-addresses", "stays-with-border"];
        let configs: BTreeMap<NodeName, DeviceConfig> = [("a", &all[..]), ("b", &all[2..]), ("c", &[])]
            .map(|(name, deviations)| (name.parse().unwrap(), config(name, deviations)))
            .into();
        let why = |device: &str, prefix: &str, is| {
            let (device, prefix) = (device.parse().unwrap(), prefix.parse().unwrap());
            let (expected, found, cause) = (BTreeSet::new(), BTreeSet::new(), Cause::unknown());
            deviation(&configs, &RouteMismatch { device, table: Table::Rib, prefix, is, expected, found, cause })
        };
        let (different, unexpected) = (MismatchKind::Different, MismatchKind::Unexpected);
        assert_eq!(why("a", "2001:db8::1/128", different), Some(Ospfv3Deviation::RefusesLocalAddresses));
        assert_eq!(why("b", "2001:db8::1/128", different), Some(Ospfv3Deviation::StaysWithBorder));
        assert_eq!(why("a", "2001:db8:2::/64", different), Some(Ospfv3Deviation::StaysWithBorder));
        assert_eq!(why("c", "2001:db8:2::/64", different), None);
        // It hears of the subnet from another one.
        assert_eq!(why("c", "2001:db8:1::/127", unexpected), Some(Ospfv3Deviation::KeepsLostSubnets));
        assert_eq!(why("a", "2001:db8:2::/64", unexpected), None, "no link has it");
        assert_eq!(why("a", "10.0.0.0/31", different), None, "version 2 is another daemon");
        assert_eq!(why("a", "2001:db8::1/128", MismatchKind::Missing), None);
    }
}
