//! Every originated network has a route on its device.
//!
//! # What it does
//! Looks for a connected subnet or a static route that is exactly the network, for each network of the BGP process; where the device
//! runs OSPF, also for a subnet that another device announces in it.
//!
//! # Why
//! A router announces a network only while it has a route to exactly that prefix itself.
//!
//! # Example
//! `b1-border-01` originates `203.0.113.0/24` without the static route that discards it.

use std::collections::BTreeSet;

use ipnet::IpNet;
use weft_device::config::DeviceConfig;
use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, error},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let interior: BTreeSet<IpNet> = fleet.configs.values().flat_map(announced).collect();
    for (device, config) in fleet.configs {
        let Some(bgp) = &config.bgp else { continue };
        let addresses = config.interfaces.values().flat_map(|interface| &interface.addresses);
        let connected: BTreeSet<IpNet> = addresses.map(|address| address.prefix.trunc()).collect();
        for (prefix, network) in &bgp.networks {
            let own = connected.contains(prefix) || config.static_routes.contains_key(prefix);
            let heard = config.ospf.is_some() && interior.contains(prefix);
            if !own && !heard {
                let message = format!("`{device}` originates {prefix}, to which it has no connected or static route");
                findings.push(error(codes::NETWORK_WITHOUT_ROUTE, message, &network.provenance.sources));
            }
        }
    }
    findings
}

/// Returns the subnets that a device announces in OSPF.
fn announced(config: &DeviceConfig) -> impl Iterator<Item = IpNet> {
    let interfaces = config.ospf.iter().flat_map(|ospf| ospf.interfaces.keys());
    let interfaces = interfaces.filter_map(|name| config.interfaces.get(name));
    interfaces.flat_map(|interface| interface.addresses.iter().map(|address| address.prefix.trunc()))
}
