//! The hosts of labs and predictions: one for every port of a segment.

use std::net::IpAddr;

use ipnet::IpNet;
use weft_intent::{IntentSet, spec::GatewayPosition};
use weft_model::{Name, Network, TerminationPoint};

use crate::{
    Allocations,
    pool::{Range, address, number},
    selection::Selection,
};

/// A host at a port of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The host's name, `NODE-PORT`.
    pub name: String,
    /// The port of the network it is attached to.
    pub port: TerminationPoint,
    /// Its address with the length of the subnet.
    pub address: IpNet,
    /// Its default gateway: the address of the port.
    pub gateway: IpAddr,
    /// Its IPv6 address and gateway beside those, where the segment has both families.
    pub ipv6: Option<HostAddress>,
    /// The segment.
    pub segment: Name,
}

/// An address of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostAddress {
    /// The address with the length of the subnet.
    pub address: IpNet,
    /// The default gateway of its family: the address of the port.
    pub gateway: IpAddr,
}

/// Returns one host for every segment port that has a subnet, in the order of node, segment and interface. It has the
/// first usable address that is not the gateway.
pub fn hosts(intents: &IntentSet, network: &Network, allocations: &Allocations) -> Vec<Host> {
    let selection = Selection::new(intents, network);
    let mut hosts = Vec::new();
    for node in network.nodes() {
        for port in &selection.of(&node.name).ports {
            let segment = &port.segment.reference.name;
            let point = TerminationPoint { node: node.name.clone(), interface: port.interface.clone() };
            let mut addresses = allocations.subnets(segment, &point).filter_map(|subnet| {
                let gateway = gateway(&subnet, port.segment.spec.gateway).addr();
                Some(HostAddress { address: first_host(&subnet, gateway)?, gateway })
            });
            let Some(HostAddress { address, gateway }) = addresses.next() else { continue };
            let ipv6 = addresses.next();
            let name = format!("{}-{}", node.name, port.interface);
            hosts.push(Host { name, port: point, address, gateway, ipv6, segment: segment.clone() });
        }
    }
    hosts
}

/// Returns the gateway's address in a subnet, with the subnet's length.
pub(crate) fn gateway(subnet: &IpNet, position: GatewayPosition) -> IpNet {
    let range = Range::hosts(subnet);
    let number = match position {
        GatewayPosition::First => range.first(),
        GatewayPosition::Last => range.last(),
    };
    IpNet::new(address(number), subnet.prefix_len()).unwrap_or(*subnet)
}

fn first_host(subnet: &IpNet, gateway: IpAddr) -> Option<IpNet> {
    let range = Range::hosts(subnet);
    let first = if number(gateway) == range.first() { range.first() + 1 } else { range.first() };
    (first <= range.last()).then(|| IpNet::new(address(first), subnet.prefix_len()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateway_and_host_never_share_an_address() {
        for (position, expected) in [
            (GatewayPosition::First, ["203.0.113.1/28", "203.0.113.2/28"]),
            (GatewayPosition::Last, ["203.0.113.14/28", "203.0.113.1/28"]),
        ] {
            let subnet = "203.0.113.0/28".parse().unwrap();
            let gateway = gateway(&subnet, position);
            let host = first_host(&subnet, gateway.addr()).unwrap();
            assert_eq!([gateway.to_string(), host.to_string()], expected);
        }
    }
}
