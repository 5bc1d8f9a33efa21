//! What a device has by itself: interfaces, and connected and static routes.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use weft_device::{
    config::DeviceConfig,
    state::{InterfaceState, NextHop, OperStatus, Route, RouteProtocol, RouteTable},
};
use weft_model::{InterfaceName, NodeName};

use crate::{Failed, cabling::Cabling};

/// Returns the state of the interfaces of a device.
pub(crate) fn interfaces(
    name: &NodeName,
    config: &DeviceConfig,
    cabling: &Cabling<'_>,
    failed: &Failed,
) -> BTreeMap<InterfaceName, InterfaceState> {
    config
        .interfaces
        .iter()
        .map(|(interface_name, interface)| {
            let up = cabling.is_up(name, interface_name, interface, failed);
            let state = InterfaceState {
                oper_status: if up { OperStatus::Up } else { OperStatus::Down },
                mtu: interface.mtu.map(|mtu| u32::from(mtu.octets())),
                addresses: interface.addresses.iter().map(|address| address.prefix).filter(is_routed).collect(),
            };
            (interface_name.clone(), state)
        })
        .collect()
}

fn is_routed(prefix: &IpNet) -> bool {
    match prefix {
        IpNet::V4(_) => true,
        IpNet::V6(prefix) => !prefix.addr().is_unicast_link_local(),
    }
}

/// Returns the connected and static routes of a device; connected ones come first.
pub(crate) fn local_routes(config: &DeviceConfig, interfaces: &BTreeMap<InterfaceName, InterfaceState>) -> RouteTable {
    let mut table = RouteTable::new();
    for (name, state) in interfaces.iter().filter(|(_, state)| state.oper_status == OperStatus::Up) {
        for prefix in &state.addresses {
            table
                .entry(prefix.trunc())
                .or_insert_with(|| Route { protocol: RouteProtocol::Connected, next_hops: [].into() })
                .next_hops
                .insert(NextHop::Interface { interface: name.clone(), via: None });
        }
    }
    for prefix in config.static_routes.keys() {
        table
            .entry(prefix.trunc())
            .or_insert_with(|| Route { protocol: RouteProtocol::Static, next_hops: [NextHop::Discard].into() });
    }
    table
}

/// Returns the prefixes of [`local_routes`].
pub(crate) fn local_prefixes(
    name: &NodeName,
    config: &DeviceConfig,
    cabling: &Cabling<'_>,
    failed: &Failed,
) -> BTreeSet<IpNet> {
    let up = config.interfaces.iter().filter(|(interface_name, interface)| {
        !interface.addresses.is_empty() && cabling.is_up(name, interface_name, interface, failed)
    });
    let connected = up.flat_map(|(_, interface)| &interface.addresses).map(|address| address.prefix);
    connected.filter(is_routed).chain(config.static_routes.keys().copied()).map(|prefix| prefix.trunc()).collect()
}
