//! Namespaces, cables and addresses: all of a lab that `ip` makes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use weft_model::TerminationPoint;

use super::{
    HostAddress, LabError, LabTopology,
    run::ip_batch,
    state::{HostState, Management, Router, State},
    topology::{MANAGEMENT, UNPLUGGED},
};

/// What every cable carries: jumbo frames as switches have them. A device that is told a smaller MTU sets it itself.
pub(super) const CABLE_MTU: u16 = 9216;
/// The bridge that joins the management ports and holds the address of the client.
const BRIDGE: &str = "br0";

/// Returns the name of the namespace of management of a lab.
pub(super) fn management_namespace(lab: &str) -> String {
    format!("{lab}-{MANAGEMENT}")
}

fn unplugged_namespace(lab: &str) -> String {
    format!("{lab}-{UNPLUGGED}")
}

/// Returns the ports that no cable and no host uses, of all routers in order.
fn unplugged(topology: &LabTopology) -> Vec<TerminationPoint> {
    let plugged: BTreeSet<&TerminationPoint> =
        topology.cables.iter().flatten().chain(topology.hosts.iter().map(|host| &host.port)).collect();
    let devices = topology.devices.iter().map(|(name, device)| (name, &device.interfaces));
    let external = topology.external_routers.iter().map(|(name, router)| (name, &router.interfaces));
    devices
        .chain(external)
        .flat_map(|(node, interfaces)| {
            interfaces.iter().map(|interface| TerminationPoint { node: node.clone(), interface: interface.clone() })
        })
        .filter(|port| !plugged.contains(port))
        .collect()
}

/// Returns all namespaces of a lab.
pub(super) fn namespaces(topology: &LabTopology) -> Vec<String> {
    let lab = &topology.name;
    let nodes = topology.devices.keys().chain(topology.external_routers.keys());
    let mut names = vec![management_namespace(lab)];
    names.extend(nodes.chain(topology.hosts.iter().map(|host| &host.name)).map(|node| format!("{lab}-{node}")));
    if !unplugged(topology).is_empty() {
        names.push(unplugged_namespace(lab));
    }
    names
}

/// Makes the namespaces and the cables between them, and connects the client's side of management.
pub(super) fn build(topology: &LabTopology, state: &State) -> Result<(), LabError> {
    let lab = &topology.name;
    let management = management_namespace(lab);
    let mut lines: Vec<String> = state.namespaces.iter().map(|name| format!("netns add {name}")).collect();
    lines.push(format!("link add {BRIDGE} netns {management} type bridge forward_delay 0 mcast_snooping 0"));
    for router in state.routers.values() {
        if let Some(Management { port, .. }) = &router.management {
            let namespace = &router.namespace;
            lines.push(format!("link add {port} netns {management} type veth peer name mgmt0 netns {namespace}"));
        }
    }
    let cable = |a: (&str, &str), b: (&str, &str)| {
        format!(
            "link add {} netns {} mtu {CABLE_MTU} type veth peer name {} netns {} mtu {CABLE_MTU}",
            a.1, a.0, b.1, b.0
        )
    };
    for ends in &state.cables {
        let [a, b] = state.cable_at(&ends[0])?;
        lines.push(cable((&a.namespace, &a.interface), (&b.namespace, &b.interface)));
    }
    for host in state.hosts.values() {
        let [a, b] = state.cable_at(&host.port)?;
        lines.push(cable((&a.namespace, &a.interface), (&b.namespace, &b.interface)));
    }
    let nowhere = unplugged_namespace(lab);
    for (number, port) in unplugged(topology).iter().enumerate() {
        let namespace = &state.router(port.node.as_str())?.namespace;
        lines.push(cable((namespace, port.interface.as_str()), (&nowhere, &format!("u{number}"))));
    }
    ip_batch("make namespaces and cables", None, &[], &lines)?;

    let mut lines = vec!["link set lo up".to_owned(), format!("link set {BRIDGE} up")];
    for Management { port, .. } in state.routers.values().filter_map(|router| router.management.as_ref()) {
        lines.push(format!("link set {port} master {BRIDGE} up"));
    }
    for address in client_addresses(topology.devices.values().map(|device| device.management)) {
        lines.push(format!("addr add {address} dev {BRIDGE}{}", no_detection(address.addr())));
    }
    ip_batch("connect management", Some(&management), &[], &lines)
}

/// Returns the lines that bring up the interfaces of a router at boot.
pub(super) fn boot_lines(router: &Router) -> Vec<String> {
    let mut lines = vec!["link set lo up".to_owned()];
    if let Some(Management { address, .. }) = &router.management {
        lines.push(format!("addr add {} dev mgmt0{}", management_subnet(*address), no_detection(*address)));
        lines.push("link set mgmt0 up".to_owned());
    }
    lines.extend(router.interfaces.iter().map(|interface| format!("link set {interface} up")));
    lines
}

/// Takes from the kernel what a router without power does not remember.
pub(super) fn forget(router: &Router) -> Result<(), LabError> {
    let mut names = vec!["lo".to_owned()];
    names.extend(router.management.iter().map(|_| "mgmt0".to_owned()));
    let mut lines = Vec::new();
    for interface in &router.interfaces {
        lines.push(format!("link set {interface} down mtu {CABLE_MTU}"));
        names.push(interface.to_string());
    }
    lines.extend(["link set lo down".to_owned()]);
    lines.extend(router.management.iter().map(|_| "link set mgmt0 down".to_owned()));
    lines.extend(names.iter().map(|name| format!("addr flush dev {name}")));
    let what = "switch a router off";
    ip_batch(what, Some(&router.namespace), &[], &lines)?;
    // Discard routes and next hops belong to no interface. Nothing to flush is no failure.
    let rest = ["route flush table main".to_owned(), "nexthop flush".to_owned()];
    ip_batch(what, Some(&router.namespace), &["-4", "-force"], &rest).or_else(ignore_failure)?;
    ip_batch(what, Some(&router.namespace), &["-6", "-force"], &rest[..1]).or_else(ignore_failure)
}

fn ignore_failure(error: LabError) -> Result<(), LabError> {
    match error {
        LabError::Command { .. } => Ok(()),
        other => Err(other),
    }
}

/// Configures a host.
pub(super) fn configure_host(host: &HostState) -> Result<(), LabError> {
    let mut lines = vec!["link set lo up".to_owned()];
    // What a host has when nobody configures it.
    lines.push("link set eth0 mtu 1500 up".to_owned());
    lines.extend(host_lines(host));
    ip_batch("configure a host", Some(&host.namespace), &[], &lines)
}

/// Returns the lines that give a host its addresses and default routes, all of them or those that it lost with its link.
pub(super) fn host_lines(host: &HostState) -> Vec<String> {
    let of = |HostAddress { address, gateway }: HostAddress| {
        [
            format!("addr replace {address} dev eth0{}", no_detection(address.addr())),
            format!("route replace default via {gateway}"),
        ]
    };
    host.addresses().flat_map(of).collect()
}

/// Deletes those namespaces that are there; what is in them goes with them.
pub(super) fn delete(namespaces: &[String]) -> Result<(), LabError> {
    let lines: Vec<String> =
        namespaces.iter().filter(|name| exists(name)).map(|name| format!("netns delete {name}")).collect();
    ip_batch("delete namespaces", None, &["-force"], &lines)
}

/// Tells whether a network namespace of this name exists.
pub(super) fn exists(namespace: &str) -> bool {
    std::path::Path::new("/run/netns").join(namespace).exists()
}

/// Duplicate address detection would make an IPv6 address unusable for a second.
fn no_detection(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "",
        IpAddr::V6(_) => " nodad",
    }
}

/// Returns a management address with its subnet.
fn management_subnet(address: IpAddr) -> IpNet {
    let length = match address {
        IpAddr::V4(_) => 24,
        IpAddr::V6(_) => 64,
    };
    // Both lengths are within their families.
    IpNet::new(address, length).unwrap_or_else(|_| IpNet::from(address))
}

/// Returns the address of the client in each subnet of management: the highest that no device has.
pub(super) fn client_addresses(devices: impl Iterator<Item = IpAddr>) -> Vec<IpNet> {
    let mut subnets: BTreeMap<IpNet, BTreeSet<IpAddr>> = BTreeMap::new();
    for address in devices {
        subnets.entry(management_subnet(address).trunc()).or_default().insert(address);
    }
    let free = |(subnet, taken): (IpNet, BTreeSet<IpAddr>)| {
        let below_broadcast = (1..=254u128).rev().map(|host| match subnet.network() {
            IpAddr::V4(base) => IpAddr::V4(Ipv4Addr::from_bits(base.to_bits() | host as u32)),
            IpAddr::V6(base) => IpAddr::V6(Ipv6Addr::from_bits(base.to_bits() | host)),
        });
        let address = below_broadcast.into_iter().find(|address| !taken.contains(address))?;
        Some(IpNet::new(address, subnet.prefix_len()).unwrap_or_else(|_| IpNet::from(address)))
    };
    subnets.into_iter().filter_map(free).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_has_the_highest_free_address_of_each_subnet() {
        let devices = ["10.255.0.1", "10.255.0.254", "10.255.1.1", "2001:db8::1"];
        let addresses = client_addresses(devices.iter().map(|address| address.parse().unwrap()));
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["10.255.0.253/24", "10.255.1.254/24", "2001:db8::fe/64"]);
    }
}
