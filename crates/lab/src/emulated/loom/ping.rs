//! Echo requests from devices and hosts of the lab, answered by following packets there and back.

use std::{net::IpAddr, sync::Arc};

use weft_compile::{Host, HostAddress};
use weft_device::state::{DeviceState, OperStatus};
use weft_model::NodeName;
use weft_simulate::{Forwarding, Prediction};

use crate::emulated::{fabric::Fabric, shared::Shared};

/// The most echo requests of one command.
const MOST_REQUESTS: u32 = 1000;

/// What a `ping` asks for.
struct Request {
    destination: IpAddr,
    source: Option<IpAddr>,
    count: u32,
}

impl Request {
    /// Reads `DESTINATION [source ADDRESS] [count N]`.
    fn parse(words: &[&str]) -> Result<Self, String> {
        let [destination, rest @ ..] = words else { return Err("ping needs a destination".to_owned()) };
        let address = |word: &str| word.parse().map_err(|_| format!("`{}` is not an address", word.escape_debug()));
        let mut request = Self { destination: address(destination)?, source: None, count: 5 };
        let mut rest = rest;
        loop {
            match rest {
                [] => return Ok(request),
                ["source", source, after @ ..] => {
                    request.source = Some(address(source)?);
                    rest = after;
                }
                ["count", count, after @ ..] => {
                    let count = count.parse().ok().filter(|count| (1..=MOST_REQUESTS).contains(count));
                    request.count = count.ok_or_else(|| format!("a count is 1 to {MOST_REQUESTS}"))?;
                    rest = after;
                }
                [word, ..] => return Err(format!("`{}` means nothing to ping", word.escape_debug())),
            }
        }
    }

    fn answer(&self, share: Share) -> String {
        let received = match share {
            Share::All => self.count,
            // Packets spread over the paths, of which some lead nowhere.
            Share::Some => self.count / 2,
            Share::None => 0,
        };
        format!("{} packets transmitted, {received} received\n", self.count)
    }
}

/// How many packets arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Share {
    None,
    Some,
    All,
}

/// Sends echo requests from a device.
///
/// # Errors
/// Returns why the command is refused.
pub(super) fn from_device(lab: &Arc<Shared>, device: &NodeName, words: &[&str]) -> Result<String, String> {
    let request = Request::parse(words)?;
    let mut fabric = lab.fabric();
    let prediction = fabric.prediction();
    let state = prediction.states.get(device).ok_or("the device is off")?;
    let source = match request.source {
        Some(source) if owns(state, source) => source,
        Some(source) => return Err(format!("{source} is not an address of this device")),
        None => own_address(state, request.destination).ok_or("the device has no address")?,
    };
    Ok(request.answer(both_ways(&fabric, &prediction, device, source, request.destination)))
}

/// Sends echo requests from a host.
///
/// # Errors
/// Returns why the command is refused.
pub(crate) fn from_host(lab: &Arc<Shared>, host: &str, words: &[&str]) -> Result<String, String> {
    let request = Request::parse(words)?;
    let mut fabric = lab.fabric();
    let prediction = fabric.prediction();
    let host = fabric.hosts.get(host).ok_or_else(|| format!("there is no host {host}"))?;
    let of_family = |address: &HostAddress| address.address.addr().is_ipv4() == request.destination.is_ipv4();
    let Some(HostAddress { address, gateway: router }) = addresses(host).find(of_family) else {
        return Err(format!("this host has no address of the family of {}", request.destination));
    };
    let source = address.addr();
    if request.source.is_some_and(|asked| asked != source) {
        return Err(format!("the address of this host is {source}"));
    }
    let gateway = &host.port;
    let attached_to = prediction.states.get(&gateway.node);
    let answers = attached_to.is_some_and(|state| owns(state, router) && is_up(state, host));
    if !answers {
        return Ok(request.answer(Share::None));
    }
    Ok(request.answer(both_ways(&fabric, &prediction, &gateway.node, source, request.destination)))
}

/// Returns the addresses of a host, one of each family.
fn addresses(host: &Host) -> impl Iterator<Item = HostAddress> {
    [HostAddress { address: host.address, gateway: host.gateway }].into_iter().chain(host.ipv6)
}

/// Follows a packet to its destination, and the answer back.
fn both_ways(fabric: &Fabric, prediction: &Prediction, from: &NodeName, source: IpAddr, destination: IpAddr) -> Share {
    let cables = fabric.cables();
    let forwarding = Forwarding::new(&prediction.states, &cables);
    let (there, arrived_at) = one_way(fabric, prediction, &forwarding, from, source, destination);
    let back = arrived_at
        .iter()
        .map(|node| one_way(fabric, prediction, &forwarding, node, destination, source).0)
        .min()
        .unwrap_or(Share::None);
    there.min(back)
}

/// Returns how many packets arrive where somebody has their destination, and the devices at which they do.
fn one_way(
    fabric: &Fabric,
    prediction: &Prediction,
    forwarding: &Forwarding<'_>,
    from: &NodeName,
    source: IpAddr,
    destination: IpAddr,
) -> (Share, Vec<NodeName>) {
    let trace = forwarding.trace(from, source, destination);
    let somebody_at = |node: &NodeName| {
        let Some(state) = prediction.states.get(node) else { return false };
        owns(state, destination)
            || fabric
                .hosts
                .values()
                .filter(|host| host.port.node == *node && is_up(state, host))
                .any(|host| addresses(host).any(|address| address.address.addr() == destination))
    };
    let arrived: Vec<NodeName> = trace.delivered_at().into_iter().filter(|node| somebody_at(node)).cloned().collect();
    let share = match arrived.len() {
        0 => Share::None,
        arrived if arrived == trace.outcomes.len() => Share::All,
        _ => Share::Some,
    };
    (share, arrived)
}

fn owns(state: &DeviceState, address: IpAddr) -> bool {
    state.interfaces.iter().flatten().any(|(_, interface)| {
        interface.oper_status == OperStatus::Up && interface.addresses.iter().any(|own| own.addr() == address)
    })
}

fn is_up(state: &DeviceState, host: &Host) -> bool {
    let port = &host.port.interface;
    state.interfaces.iter().flatten().any(|(name, interface)| name == port && interface.oper_status == OperStatus::Up)
}

/// Returns the address from which a device sends by itself: one on the destination's subnet, else the loopback's, else any.
fn own_address(state: &DeviceState, destination: IpAddr) -> Option<IpAddr> {
    let interfaces = state.interfaces.as_ref()?;
    let usable = || {
        interfaces
            .iter()
            .filter(|(_, interface)| interface.oper_status == OperStatus::Up)
            .flat_map(|(name, interface)| interface.addresses.iter().map(move |prefix| (name, prefix)))
            .filter(|(_, prefix)| prefix.addr().is_ipv4() == destination.is_ipv4())
    };
    usable()
        .find(|(_, prefix)| prefix.contains(&destination))
        .or_else(|| usable().find(|(name, _)| name.as_str() == "lo"))
        .or_else(|| usable().next())
        .map(|(_, prefix)| prefix.addr())
}
