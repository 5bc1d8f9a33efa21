//! Which neighbors become adjacent, and what each device announces of its own.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use weft_device::{
    config::{AfiSafi, DeviceConfig, Interface, Ospf, OspfInterface},
    state::{NextHop, OspfNeighborState, OspfState},
};
use weft_model::{InterfaceName, NodeName};

use super::{Link, Neighbors, Router, metric};
use crate::{Failed, cabling::Cabling, session::on_subnet_of};

/// The ends of links, in one address family.
pub(super) struct Ends<'e, 'a> {
    pub(super) configs: &'e BTreeMap<&'a NodeName, &'a DeviceConfig>,
    pub(super) cabling: &'e Cabling<'a>,
    pub(super) failed: &'e Failed,
    pub(super) family: AfiSafi,
}

/// An interface on which a device runs the family.
struct End<'a> {
    ospf: &'a Ospf,
    interface: &'a Interface,
    on: &'a OspfInterface,
}

impl<'a> Ends<'_, 'a> {
    /// Returns what every device says, and adds its neighbors.
    pub(super) fn routers(&self, neighbors: &mut [Option<Neighbors>]) -> Vec<Router> {
        let numbers: BTreeMap<&NodeName, usize> = self.configs.keys().enumerate().map(|(n, name)| (*name, n)).collect();
        let mut routers = Vec::new();
        for ((&name, &config), neighbors) in self.configs.iter().zip(neighbors) {
            let mut router = Router::default();
            let ospf = config.ospf.as_ref().filter(|ospf| ospf.families.contains(&self.family));
            for interface_name in ospf.iter().flat_map(|ospf| ospf.interfaces.keys()) {
                let Some(end) = self.end(config, interface_name) else { continue };
                let cost = metric(end.on, end.ospf.maximum_metric);
                router.maximum_paths = config.profile.behavior.paths(end.ospf.maximum_paths);
                let up = self.cabling.is_up(name, interface_name, end.interface, self.failed);
                if up {
                    let stub = end.ospf.areas.get(&end.on.area).is_some_and(|area| area.stub);
                    router.areas.insert(end.on.area, stub);
                    let prefixes = end.interface.addresses.iter().map(|address| address.prefix.trunc());
                    let prefixes = prefixes.filter(|prefix| self.routes(prefix.addr()));
                    router.stubs.extend(prefixes.map(|prefix| (end.on.area, prefix, cost)));
                }
                if end.on.passive {
                    continue;
                }
                let far = self.far_end(name, interface_name);
                let adjacent = far.as_ref().filter(|(_, far)| up && end.agrees(far, self.family));
                if let Some((far_name, far)) = adjacent {
                    let to = numbers[*far_name];
                    let next_hop =
                        NextHop::Interface { interface: interface_name.clone(), via: end.via(far, self.family) };
                    router.links.push(Link { area: end.on.area, to, cost, next_hop });
                }
                let router_id = far.as_ref().map_or(Ipv4Addr::UNSPECIFIED, |(_, far)| far.ospf.router_id);
                let state = if adjacent.is_some() { OspfState::Full } else { OspfState::Down };
                if let Some(neighbors) = neighbors {
                    let of_interface = neighbors.entry(interface_name.clone()).or_default();
                    of_interface.insert(self.family, OspfNeighborState { router_id, state });
                }
            }
            routers.push(router);
        }
        routers
    }

    /// Tells whether an address is one that the family routes.
    fn routes(&self, address: IpAddr) -> bool {
        match (self.family, address) {
            (AfiSafi::Ipv4Unicast, IpAddr::V4(_)) => true,
            (AfiSafi::Ipv6Unicast, IpAddr::V6(address)) => !address.is_unicast_link_local(),
            (AfiSafi::Ipv4Unicast, IpAddr::V6(_)) | (AfiSafi::Ipv6Unicast, IpAddr::V4(_)) => false,
        }
    }

    /// Returns an interface, if the family runs on it: for IPv4 it needs an address, or to borrow one.
    fn end(&self, config: &'a DeviceConfig, interface: &InterfaceName) -> Option<End<'a>> {
        let ospf = config.ospf.as_ref().filter(|ospf| ospf.families.contains(&self.family))?;
        let on = ospf.interfaces.get(interface)?;
        let interface = config.interfaces.get(interface)?;
        let runs = match self.family {
            AfiSafi::Ipv4Unicast => {
                interface.unnumbered || interface.addresses.iter().any(|a| a.prefix.addr().is_ipv4())
            }
            AfiSafi::Ipv6Unicast => true,
        };
        runs.then_some(End { ospf, interface, on })
    }

    /// Returns the other end of a cable, if it is up and looks for neighbors.
    fn far_end(&self, name: &NodeName, interface: &InterfaceName) -> Option<(&'a NodeName, End<'a>)> {
        let point = self.cabling.far_end(name, interface)?;
        let (&node, &config) = self.configs.get_key_value(&point.node)?;
        let end = self.end(config, &point.interface)?;
        let up = self.cabling.is_up(node, &point.interface, end.interface, self.failed);
        (up && !end.on.passive).then_some((node, end))
    }
}

impl End<'_> {
    /// Tells whether two ends of a link become adjacent.
    fn agrees(&self, far: &End<'_>, family: AfiSafi) -> bool {
        let stub = |end: &End<'_>| end.ospf.areas.get(&end.on.area).is_some_and(|area| area.stub);
        let on_one_subnet = match family {
            AfiSafi::Ipv4Unicast => {
                (self.via(far, family).is_some() && far.via(self, family).is_some())
                    || (self.is_bare() && far.is_bare())
            }
            AfiSafi::Ipv6Unicast => true,
        };
        self.on.area == far.on.area
            && stub(self) == stub(far)
            && (self.on.hello, self.on.dead) == (far.on.hello, far.on.dead)
            && (self.interface.mtu.is_none() || far.interface.mtu.is_none() || self.interface.mtu == far.interface.mtu)
            && self.ospf.router_id != far.ospf.router_id
            && on_one_subnet
    }

    /// Tells whether the interface has no IPv4 address of its own.
    fn is_bare(&self) -> bool {
        !self.interface.addresses.iter().any(|address| address.prefix.addr().is_ipv4())
    }

    /// Returns the address of the far end, as routes name it: that of the link for IPv4, a link-local one that is not known for
    /// IPv6 and where the link has no addresses.
    fn via(&self, far: &End<'_>, family: AfiSafi) -> Option<IpAddr> {
        if family == AfiSafi::Ipv6Unicast {
            return None;
        }
        let theirs = far.interface.addresses.iter().map(|address| address.prefix.addr());
        theirs.filter(IpAddr::is_ipv4).find(|address| on_subnet_of(self.interface, *address).is_some())
    }
}
