//! loom's `show` commands about its operational state, for programs (`json`) and for people.

use std::fmt::Write;

use serde_json::{Value, json};
use weft_device::{
    config::{AfiSafi, NeighborTarget},
    state::{DeviceState, OperStatus, RouteProtocol, RouteTable},
};

/// Returns what a `show` command prints.
///
/// # Errors
/// Returns why the command is refused.
pub(super) fn show(state: &DeviceState, what: &[&str]) -> Result<String, String> {
    match what {
        ["interfaces"] => Ok(interfaces(state)),
        ["interfaces", "json"] => print("interfaces", &state.interfaces),
        ["bgp", "neighbors"] => Ok(neighbors(state)),
        ["bgp", "neighbors", "json"] => print("neighbors", &state.neighbors),
        ["ospf", "neighbors"] => Ok(ospf_neighbors(state)),
        ["ospf", "neighbors", "json"] => print("ospf_neighbors", &state.ospf_neighbors),
        ["route"] => Ok(routes(state.rib.as_deref())),
        ["route", "json"] => print("rib", &state.rib),
        ["forwarding"] => Ok(routes(state.fib.as_deref())),
        ["forwarding", "json"] => print("fib", &state.fib),
        ["bgp", "neighbor", neighbor, "advertised", "json"] => {
            let target = NeighborTarget::try_from((*neighbor).to_owned()).map_err(|error| error.to_string())?;
            match state.advertised.iter().flatten().find(|(known, _)| **known == target) {
                Some((_, prefixes)) => print("advertised", prefixes),
                None => Err(format!("{target} is not an external neighbor")),
            }
        }
        _ => Err(format!("there is no `show {}`; `help` lists the commands", what.join(" ").escape_debug())),
    }
}

fn print(name: &str, part: &impl serde::Serialize) -> Result<String, String> {
    let part: Value = serde_json::to_value(part).map_err(|error| error.to_string())?;
    let document = serde_json::to_string_pretty(&json!({ name: part })).map_err(|error| error.to_string())?;
    Ok(document + "\n")
}

// Writing to a string does not fail: the results of `writeln!` below say nothing.

fn interfaces(state: &DeviceState) -> String {
    let mut out = format!("{:<16} {:<6} {:>5}  addresses\n", "interface", "status", "mtu");
    for (name, interface) in state.interfaces.iter().flatten() {
        let status = match interface.oper_status {
            OperStatus::Up => "up",
            OperStatus::Down => "down",
        };
        let mtu = interface.mtu.map_or_else(|| "-".to_owned(), |mtu| mtu.to_string());
        let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "{:<16} {status:<6} {mtu:>5}  {}", name.as_str(), addresses.join(" "));
    }
    out
}

fn neighbors(state: &DeviceState) -> String {
    let mut out = format!("{:<20} {:>10} {:<12} {:>8}\n", "neighbor", "as", "state", "prefixes");
    for (target, neighbor) in state.neighbors.iter().flatten() {
        let asn = neighbor.peer_as.map_or_else(|| "-".to_owned(), |asn| asn.to_string());
        let prefixes = neighbor.prefixes_received.map_or_else(|| "-".to_owned(), |count| count.to_string());
        let _ = writeln!(out, "{:<20} {asn:>10} {:<12} {prefixes:>8}", target.to_string(), neighbor.session_state);
    }
    out
}

fn ospf_neighbors(state: &DeviceState) -> String {
    let mut out = format!("{:<16} {:<8} {:<16} {}\n", "interface", "version", "neighbor", "state");
    for (interface, families) in state.ospf_neighbors.iter().flatten() {
        for (family, neighbor) in families {
            let version = match family {
                AfiSafi::Ipv4Unicast => 2,
                AfiSafi::Ipv6Unicast => 3,
            };
            let _ =
                writeln!(out, "{:<16} {version:<8} {:<16} {}", interface.as_str(), neighbor.router_id, neighbor.state);
        }
    }
    out
}

fn routes(table: Option<&RouteTable>) -> String {
    let mut out = format!("{:<20} {:<10} next hops\n", "prefix", "protocol");
    for (prefix, route) in table.into_iter().flatten() {
        let protocol = match route.protocol {
            RouteProtocol::Connected => "connected",
            RouteProtocol::Static => "static",
            RouteProtocol::Ospf => "ospf",
            RouteProtocol::Bgp => "bgp",
            RouteProtocol::Other => "other",
        };
        let next_hops: Vec<String> = route.next_hops.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "{:<20} {protocol:<10} {}", prefix.to_string(), next_hops.join(", "));
    }
    out
}
