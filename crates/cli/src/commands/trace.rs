//! `weft trace`: the predicted paths of a packet, and what decides at each device.

use std::{fmt::Write, net::IpAddr};

use serde_json::{Value, json};
use weft_check::{
    Because, Decision, Ending, Paths, Visit, paths,
    traffic::{Place, PlaceClass},
};
use weft_device::{config::IpProtocol, state::RouteProtocol};
use weft_model::{InterfaceName, NodeName};
use weft_pipeline::{
    ExitCode as Exit,
    report::{WIDTH, wrap},
    stages::Carried,
};
use weft_simulate::Packet;

use crate::{
    args::{Failures, Format, Global, Revision},
    commands::failures::{self, names, unknown},
    failure::Failure,
    output::Output,
    workspace::Workspace,
};

/// The most pairs of a source and a destination that are printed as text; `-v` prints all.
const MOST_TRACES: usize = 4;

/// What kind of packet is followed.
#[derive(Clone, Copy)]
pub(crate) struct Kind<'a> {
    pub(crate) proto: Option<&'a str>,
    pub(crate) port: Option<u16>,
}

/// One place that an argument names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spot {
    /// The device; none for an address that nobody has.
    node: Option<NodeName>,
    address: IpAddr,
    words: String,
}

/// A packet and its way.
struct Traced<'a> {
    from: &'a Spot,
    to: &'a Spot,
    paths: Paths,
}

pub(crate) fn run(
    global: &Global,
    (from, to): (&str, &str),
    kind: Kind<'_>,
    failures: &Failures,
    revision: &Revision,
    output: &Output,
) -> Result<Exit, Failure> {
    let protocol = match (kind.proto, kind.port) {
        (Some("tcp"), _) | (None, Some(_)) => Some(IpProtocol::Tcp),
        (Some("udp"), _) => Some(IpProtocol::Udp),
        (Some(_), Some(_)) => return Err(Failure::of_usage("ICMP has no ports")),
        (Some(_), None) => Some(IpProtocol::Icmp),
        (None, None) => None,
    };
    let mut workspace = Workspace::read(global, revision, output)?;
    let Some(project) = workspace.project() else { return Ok(Exit::Findings) };
    let Some(compiled) = workspace.compiled(&project, None, None)? else { return Ok(Exit::Findings) };
    let failed = failures::failed(failures, &project, &compiled)?;
    let carried = Carried::of(&project, &compiled, &failed);
    let (from, to) = (spots(from, &carried, true)?, spots(to, &carried, false)?);
    let mut traced = Vec::new();
    let mut pairs = 0;
    for from in &from {
        for to in to.iter().filter(|to| to.address.is_ipv4() == from.address.is_ipv4() && to.address != from.address) {
            pairs += 1;
            if pairs > MOST_TRACES && output.format == Format::Text && output.verbosity < 2 {
                continue;
            }
            let Some(node) = &from.node else { continue };
            let packet = Packet { source: from.address, destination: to.address, protocol, port: kind.port };
            let paths = paths(carried.predicted(), node, &packet, true)
                .ok_or_else(|| Failure::of_input(anyhow::anyhow!("{node} is off: no packet starts there")))?;
            traced.push(Traced { from, to, paths });
        }
    }
    if traced.is_empty() {
        return Err(Failure::of_input(anyhow::anyhow!(
            "no packet goes from one to the other: the addresses are of two families, or the same"
        )));
    }
    let broken = failures::broken(&failed, &project, &compiled);
    if output.format == Format::Json {
        let traces: Vec<Value> = traced.iter().map(|traced| as_json(traced, kind, &broken)).collect();
        output.result(serde_json::to_string_pretty(&traces)?);
        return Ok(Exit::Success);
    }
    let mut page = String::new();
    if !broken.is_empty() {
        wrapped(&mut page, "", 2, &format!("while {broken}"));
        page.push('\n');
    }
    for (index, traced) in traced.iter().enumerate() {
        if index > 0 {
            page.push('\n');
        }
        text(&mut page, traced, kind);
    }
    if pairs > traced.len() {
        let _ = writeln!(page, "\n{} of {pairs} pairs of places; `-v` prints all", traced.len());
    }
    output.result(page);
    Ok(Exit::Success)
}

/// Returns the places that an argument names.
fn spots(text: &str, carried: &Carried, starts: bool) -> Result<Vec<Spot>, Failure> {
    let spot = |place: &Place| Spot {
        node: place.node.clone(),
        address: place.address,
        words: match &place.class {
            PlaceClass::Segment(name) => format!("segment/{name} at {place}"),
            PlaceClass::Loopbacks => place.to_string(),
            PlaceClass::Peering(name) => format!("peering/{name}"),
            PlaceClass::Internet => format!("internet {place}"),
        },
    };
    if let Ok(address) = text.parse::<IpAddr>() {
        return of_address(address, carried, starts, spot).map(|spot| vec![spot]);
    }
    let of = |wanted: &dyn Fn(&Place) -> bool| -> Vec<Spot> {
        carried.places.iter().filter(|place| wanted(place)).map(spot).collect()
    };
    let found = match (text.split_once('/'), text.split_once(':')) {
        (Some((kind @ ("segment" | "peering"), name)), _) => {
            let class = |place: &Place| match &place.class {
                PlaceClass::Segment(known) => kind == "segment" && known.as_str() == name,
                // A router as a source has an address of its own; as a destination too, where nothing else is announced.
                PlaceClass::Peering(known) => kind == "peering" && known.as_str() == name && place.starts,
                PlaceClass::Internet | PlaceClass::Loopbacks => false,
            };
            let spots = of(&class);
            if spots.is_empty() {
                return Err(unknown(kind, name, &named(carried, kind)));
            }
            spots
        }
        (Some(("node", node)), _) => of(&|place: &Place| is_loopback(place, node)),
        (None, Some((node, port))) => of(&|place: &Place| {
            let at = place.interface.as_ref().is_some_and(|interface| interface.to_string() == port);
            at && place.node.as_ref().is_some_and(|known| known.as_str() == node)
        }),
        (None, None) => of(&|place: &Place| is_loopback(place, text)),
        (Some(_), _) => Vec::new(),
    };
    if found.is_empty() {
        let node = text.strip_prefix("node/").unwrap_or(text).split(':').next().unwrap_or_default();
        if carried.configs.contains_key(node) && !carried.prediction.states.contains_key(node) {
            return Err(Failure::of_input(anyhow::anyhow!("{node} is off")));
        }
        let mut known: Vec<String> =
            carried.places.iter().filter(|place| place.node.is_some()).map(ToString::to_string).collect();
        known.dedup();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        return Err(unknown("node, port for hosts, segment, peering or address", text, &known));
    }
    Ok(found)
}

fn is_loopback(place: &Place, node: &str) -> bool {
    place.class == PlaceClass::Loopbacks && place.node.as_ref().is_some_and(|known| known.as_str() == node)
}

/// Returns the names that there are of a kind.
fn named<'c>(carried: &'c Carried, kind: &str) -> Vec<&'c str> {
    let name = |place: &'c Place| match &place.class {
        PlaceClass::Segment(name) if kind == "segment" => Some(name.as_str()),
        PlaceClass::Peering(name) if kind == "peering" => Some(name.as_str()),
        _ => None,
    };
    let mut names: Vec<&str> = carried.places.iter().filter_map(name).collect();
    names.dedup();
    names
}

/// Returns the place of an address: where a device has it, else behind which port it is.
fn of_address(
    address: IpAddr,
    carried: &Carried,
    starts: bool,
    spot: impl Fn(&Place) -> Spot,
) -> Result<Spot, Failure> {
    if let Some(place) = carried.places.iter().find(|place| place.address == address && place.node.is_some()) {
        return Ok(spot(place));
    }
    let subnets = carried.configs.iter().flat_map(|(node, config)| {
        let interfaces = config.interfaces.iter();
        interfaces.flat_map(move |(name, i)| i.addresses.iter().map(move |address| (node, name, address.prefix)))
    });
    let holding = subnets.filter(|(.., prefix)| prefix.contains(&address));
    let best = holding.min_by_key(|(.., prefix)| (prefix.addr() != address, std::cmp::Reverse(prefix.prefix_len())));
    match best {
        Some((node, interface, _)) => {
            Ok(Spot { node: Some(node.clone()), address, words: format!("at {node}:{interface}") })
        }
        None if !starts => Ok(Spot { node: None, address, words: "outside the network".to_owned() }),
        None => Err(Failure::of_input(anyhow::anyhow!(
            "no device has the address {address} or a subnet with it: name a node, `NODE:PORT`, `segment/NAME` or `peering/NAME`"
        ))),
    }
}

/// What devices at the same distance do alike.
#[derive(PartialEq)]
struct Alike<'a> {
    distance: usize,
    route: &'a Option<Decision>,
    next: Vec<&'a NodeName>,
    rules: Vec<(&'a str, Option<&'a str>, bool)>,
    ends: Vec<String>,
}

fn text(page: &mut String, traced: &Traced<'_>, kind: Kind<'_>) {
    let spot = |spot: &Spot| format!("{} ({})", spot.address, spot.words);
    let head = format!("{} to {}{}", spot(traced.from), spot(traced.to), packets(kind));
    wrapped(page, "", 2, &head);
    let mut groups: Vec<(Alike<'_>, Vec<&Visit>)> = Vec::new();
    for visit in &traced.paths.visits {
        let mut next: Vec<&NodeName> = visit.next.iter().map(|(_, node)| node).collect();
        next.sort();
        next.dedup();
        let alike = Alike {
            distance: visit.distance,
            route: &visit.route,
            next,
            rules: visit
                .rules
                .iter()
                .map(|r| (r.acl.as_str(), r.rule.as_ref().map(|rule| rule.as_str()), r.passes))
                .collect(),
            ends: visit.ends.iter().map(|end| ended(visit, end)).collect(),
        };
        match groups.iter_mut().find(|(known, _)| *known == alike) {
            Some((_, visits)) => visits.push(visit),
            None => groups.push((alike, vec![visit])),
        }
    }
    let mut caused = None;
    for (alike, visits) in &groups {
        let devices = names(visits.iter().map(|visit| visit.node.as_str()));
        wrapped(page, &format!("{:>3} ", alike.distance), 6, &devices);
        if let Some(route) = alike.route {
            wrapped(page, "      ", 8, &decided(route));
            // Once for all devices in a row where it is the same.
            if let Some(source) = route.source.as_ref().filter(|source| caused.replace(*source) != Some(*source)) {
                wrapped(page, "      ", 8, &format!("because of {source}"));
            }
        }
        let first = visits[0];
        for rule in &first.rules {
            let does = if rule.passes { "lets it pass" } else { "drops it" };
            let what = match &rule.rule {
                Some(name) => format!("rule `{name}` of the access list `{}` {does}", rule.acl),
                None => format!("no rule of the access list `{}` matches, which {does}", rule.acl),
            };
            let source = rule.source.as_ref().map(|source| format!(": {source}")).unwrap_or_default();
            wrapped(page, "      ", 8, &format!("{what}{source}"));
        }
        if !alike.next.is_empty() {
            wrapped(page, "      ", 8, &format!("to {}", onward(first, &alike.next, visits.len())));
        }
        for end in &alike.ends {
            wrapped(page, "    = ", 8, end);
        }
    }
}

/// Returns where packets go on: with the interfaces where there is one device and they are few.
fn onward(visit: &Visit, next: &[&NodeName], devices: usize) -> String {
    if devices == 1 && visit.next.len() <= 4 {
        let ways = visit.next.iter().map(|(interface, node)| format!("{node} ({interface})"));
        return ways.collect::<Vec<_>>().join(", ");
    }
    names(next.iter().map(|node| node.as_str()))
}

fn packets(kind: Kind<'_>) -> String {
    match (kind.proto, kind.port) {
        (None, None) => String::new(),
        (proto, Some(port)) => format!(", {} port {port}", proto.unwrap_or("tcp")),
        (Some(proto), None) => format!(", {proto}"),
    }
}

/// Returns the route that decides, and why.
fn decided(route: &Decision) -> String {
    let ways = match route.width {
        1 => "1 next hop".to_owned(),
        width => format!("{width} equal-cost next hops"),
    };
    let protocol = protocol(route.protocol);
    match (route.protocol, route.because) {
        (RouteProtocol::Connected | RouteProtocol::Static, _) => format!("{} is {protocol}", route.prefix),
        (_, None) => format!("{} by {protocol}, {ways}", route.prefix),
        (_, Some(Because::NoOther)) if route.width > 1 => {
            format!("{} by {protocol}, {ways}, all there are", route.prefix)
        }
        (_, Some(because)) => format!("{} by {protocol}, {ways}, {}", route.prefix, why(because)),
    }
}

fn why(because: Because) -> String {
    match because {
        Because::NoOther => "the only one".to_owned(),
        Because::Shorter(best, next) => format!("shortest AS path: {best}, next best {next}"),
        Because::Preferred(1) => "preferred to that of 1 other neighbor".to_owned(),
        Because::Preferred(others) => format!("preferred to those of {others} other neighbors"),
    }
}

const fn protocol(protocol: RouteProtocol) -> &'static str {
    match protocol {
        RouteProtocol::Connected => "connected",
        RouteProtocol::Static => "static",
        RouteProtocol::Ospf => "OSPF",
        RouteProtocol::Bgp => "BGP",
        RouteProtocol::Other => "another protocol",
    }
}

fn ended(visit: &Visit, end: &Ending) -> String {
    let port = |interface: &InterfaceName| interface.to_string();
    match end {
        Ending::Delivered => "delivered".to_owned(),
        Ending::Outside if visit.distance == 0 => "stays outside: it has no route into the network".to_owned(),
        Ending::Outside => "out of the network".to_owned(),
        Ending::Left => "out to a device of which nothing is known".to_owned(),
        Ending::Discarded => "discarded by that route".to_owned(),
        Ending::NoRoute => "no route: dropped".to_owned(),
        Ending::Lost(interface) => format!("lost: nobody takes it behind {}", port(interface)),
        Ending::Denied(interface) => match visit.rules.iter().find(|rule| rule.interface == *interface) {
            Some(_) => "dropped".to_owned(),
            None => format!("dropped by the access list of {}", port(interface)),
        },
        Ending::Loop(node) => format!("loops: {node} sends it back here"),
        Ending::Unknown => "its routes are not known".to_owned(),
    }
}

fn wrapped(page: &mut String, lead: &str, indent: usize, text: &str) {
    let taken = lead.chars().count().saturating_sub(indent);
    let short = indent.saturating_sub(lead.chars().count());
    let mut lead = lead.to_owned();
    for (index, line) in wrap(text, WIDTH - indent + if taken == 0 { short } else { 0 }, taken).iter().enumerate() {
        let _ = writeln!(page, "{lead}{line}");
        if index == 0 {
            lead = " ".repeat(indent);
        }
    }
}

fn as_json(traced: &Traced<'_>, kind: Kind<'_>, broken: &str) -> Value {
    let spot = |spot: &Spot| json!({ "node": spot.node, "address": spot.address, "place": spot.words });
    let hops: Vec<Value> = traced.paths.visits.iter().map(hop).collect();
    json!({
        "from": spot(traced.from),
        "to": spot(traced.to),
        "protocol": kind.proto.or(kind.port.map(|_| "tcp")),
        "port": kind.port,
        "while": (!broken.is_empty()).then_some(broken),
        "arrives": traced.paths.arrives(),
        "hops": hops,
    })
}

fn hop(visit: &Visit) -> Value {
    let source =
        |source: &weft_model::Source| json!({ "intent": source.intent, "file": source.file, "line": source.line });
    let route = visit.route.as_ref().map(|route| {
        json!({
            "prefix": route.prefix,
            "protocol": route.protocol,
            "next_hops": route.width,
            "why": route.because.map(why),
            "source": route.source.as_ref().map(source),
        })
    });
    let next = visit.next.iter().map(|(interface, node)| json!({ "interface": interface, "node": node }));
    let rules = visit.rules.iter().map(|rule| {
        json!({
            "interface": rule.interface,
            "access_list": rule.acl,
            "rule": rule.rule,
            "passes": rule.passes,
            "source": rule.source.as_ref().map(source),
        })
    });
    json!({
        "node": visit.node,
        "distance": visit.distance,
        "route": route,
        "next": next.collect::<Vec<_>>(),
        "rules": rules.collect::<Vec<_>>(),
        "ends": visit.ends.iter().map(|end| ended(visit, end)).collect::<Vec<_>>(),
    })
}
