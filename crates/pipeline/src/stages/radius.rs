//! How far a plan reaches: devices, sites, sessions, prefixes, and the intents behind the lines.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde_json::{Value, json};
use weft_device::{config::DeviceConfig, state::RouteTable};
use weft_model::{IntentRef, NodeName, TerminationPoint};
use weft_plan::{DeviceChange, Radius, SessionProtocol, TouchedSession};

use super::{Carried, Compiled, base::Planned};

/// What is known of the network that devices run.
#[derive(Clone, Copy)]
pub(super) enum Before<'b> {
    /// Nothing.
    Unknown,
    /// No device routes anything.
    Nothing,
    /// It is this one; and this is the revision whose lines the devices run.
    Network(&'b Carried, &'b Compiled),
}

/// Returns how far a plan reaches, from the network of before to the predicted one.
pub(super) fn radius(planned: &Planned<'_>, before: Before<'_>, after: &Carried) -> Radius {
    let changing = |change: &DeviceChange| matches!(change, DeviceChange::Replace { .. });
    let changing = planned.plan.devices.iter().filter(|(_, device)| changing(&device.change));
    let devices: BTreeSet<NodeName> = changing.map(|(name, _)| name.clone()).collect();
    let node = |name: &NodeName| planned.project.network.node(name.as_str());
    let sites = devices.iter().filter_map(|name| Some(node(name)?.site.as_ref()?.to_string())).collect();
    let new = sessions(after);
    let (touched, prefixes) = match before {
        // Whatever a device that changes takes part in may be touched.
        Before::Unknown => {
            let of = |end: &String| end.split(':').next().is_some_and(|name| devices.contains(name));
            let touched = new.into_keys().filter(|session| session.ends.iter().any(of));
            (touched.collect(), None)
        }
        Before::Nothing => {
            let tables = after.prediction.states.values().filter_map(|state| state.fib.as_ref());
            (new.into_keys().collect(), Some(tables.flat_map(|table| table.keys().copied()).collect()))
        }
        Before::Network(carried, _) => {
            let old = sessions(carried);
            let all: BTreeSet<&TouchedSession> = old.keys().chain(new.keys()).collect();
            let touched = all.into_iter().filter(|session| old.get(session) != new.get(session)).cloned();
            (touched.collect(), Some(prefixes(carried, after)))
        }
    };
    let base = match before {
        Before::Network(_, compiled) => Some(compiled),
        Before::Unknown | Before::Nothing => None,
    };
    let intents = devices.iter().flat_map(|device| intents(planned, base, device)).collect();
    Radius { devices, sites, sessions: touched, prefixes, intents, approvals: None }
}

/// Returns the routing sessions of a network, each with how both of its ends are configured.
fn sessions(network: &Carried) -> BTreeMap<TouchedSession, Vec<Value>> {
    let far: BTreeMap<&TerminationPoint, &TerminationPoint> =
        network.cables.iter().flat_map(|[a, b]| [(a, b), (b, a)]).collect();
    let mut owners = BTreeMap::new();
    for (node, config) in &network.configs {
        for (name, interface) in &config.interfaces {
            owners.extend(interface.addresses.iter().map(|address| (address.prefix.addr(), (node, name))));
        }
    }
    let mut sessions: BTreeMap<TouchedSession, Vec<Value>> = BTreeMap::new();
    for (node, config) in &network.configs {
        let mut add = |protocol, interface: &weft_model::InterfaceName, peer: Option<String>, how: Value| {
            let near = TerminationPoint { node: node.clone(), interface: interface.clone() };
            let peer = peer.or_else(|| far.get(&near).map(ToString::to_string));
            let Some(peer) = peer else { return };
            let mut ends = [near.to_string(), peer];
            ends.sort();
            let interface = config.interfaces.get(interface).map(plain);
            sessions.entry(TouchedSession { protocol, ends }).or_default().push(json!([how, interface]));
        };
        if let Some(bgp) = &config.bgp {
            for (target, neighbor) in &bgp.neighbors {
                let named = [&neighbor.import_policy, &neighbor.export_policy];
                let policies = named.map(|name| name.as_ref().map(|name| policy(config, name.as_str())));
                let how = json!([bgp.asn, bgp.router_id, target, plain(neighbor), policies]);
                let peer = neighbor.local_address.and(match target {
                    weft_device::config::NeighborTarget::Address(address) => owners.get(address),
                    weft_device::config::NeighborTarget::Interface(_) => None,
                });
                let peer = peer.map(|(node, interface)| format!("{node}:{interface}"));
                add(SessionProtocol::Bgp, &neighbor.interface, peer, how);
            }
        }
        if let Some(ospf) = &config.ospf {
            for (name, interface) in ospf.interfaces.iter().filter(|(_, interface)| !interface.passive) {
                let area = ospf.areas.get(&interface.area).map(plain);
                let how = json!([ospf.router_id, ospf.families, ospf.maximum_metric, plain(interface), area]);
                add(SessionProtocol::Ospf, name, None, how);
            }
        }
    }
    sessions
}

/// Returns a policy with the sets that it names.
fn policy(config: &DeviceConfig, name: &str) -> Value {
    let policies = &config.routing_policy;
    let definition = policies.policy_definitions.get(name).map(plain).unwrap_or_default();
    let text = definition.to_string();
    let names = |set: &str| text.contains(&format!("\"{set}\""));
    let prefixes = policies.prefix_sets.iter().filter(|(name, _)| names(name.as_str())).map(|(_, set)| plain(set));
    let communities = policies.community_sets.iter().filter(|(name, _)| names(name.as_str()));
    let communities = communities.map(|(_, set)| plain(set));
    json!([definition, prefixes.collect::<Vec<_>>(), communities.collect::<Vec<_>>()])
}

/// Returns a part of a configuration without what caused it: that moves with every line of an intent.
fn plain(part: &impl serde::Serialize) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("provenance");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    // A configuration is made of what JSON can hold.
    let mut value = serde_json::to_value(part).unwrap_or_default();
    strip(&mut value);
    value
}

/// Returns the prefixes to which some device forwards otherwise.
fn prefixes(old: &Carried, new: &Carried) -> BTreeSet<IpNet> {
    let nothing = RouteTable::new();
    let table = |network: &'_ Carried, node: &NodeName| -> RouteTable {
        let table = network.prediction.states.get(node).and_then(|state| state.fib.as_ref());
        table.map_or_else(|| nothing.clone(), |table| (**table).clone())
    };
    let nodes: BTreeSet<&NodeName> = old.prediction.states.keys().chain(new.prediction.states.keys()).collect();
    let mut found = BTreeSet::new();
    for node in nodes {
        let (old, new) = (table(old, node), table(new, node));
        let all = old.keys().chain(new.keys());
        found.extend(all.filter(|prefix| old.get(prefix) != new.get(prefix)).copied());
    }
    found
}

/// Returns the intents behind the lines of a device that come, and where the revision that it runs is known, that go.
fn intents(planned: &Planned<'_>, base: Option<&Compiled>, device: &NodeName) -> BTreeSet<IntentRef> {
    let (Some(rendered), Some(Ok(running))) = (planned.compiled.rendered.get(device), planned.running.get(device))
    else {
        return BTreeSet::new();
    };
    let packs = &planned.project.packs;
    let differing = |rendered: &weft_pack::Rendered, text: &dyn Fn(&str) -> String| {
        let lines = rendered.files.iter().flat_map(|(name, file)| {
            weft_verify::drift_lines(packs, &planned.reach.digests, (&rendered.pack, name), file, &text(name), None)
        });
        lines.collect::<Vec<_>>()
    };
    let mut lines = differing(rendered, &|name| running.get(name).cloned().unwrap_or_default());
    if let Some(base) = base.and_then(|base| base.rendered.get(device)) {
        let new = |name: &str| rendered.files.get(name).map(|file| file.text.clone()).unwrap_or_default();
        lines.extend(differing(base, &new).into_iter().filter(|line| line.is == weft_verify::DriftKind::Missing));
    }
    lines.into_iter().flat_map(|line| line.sources).map(|source| source.intent).collect()
}
