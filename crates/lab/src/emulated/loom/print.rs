//! A device's configuration as loom's text: the reverse of the parser, for devices that start with one.

use std::fmt::{self, Write};

use weft_device::config::{Action, DeviceConfig, NeighborTarget, PeerType, StaticNextHop, Transformations};
use weft_model::SecretRef;

use super::parser::acl;

/// Returns the text of a configuration. `key` gives the key that a reference stands for.
pub(crate) fn print(config: &DeviceConfig, key: impl Fn(&SecretRef) -> String) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_system(&mut text, config);
    let _ = write_policy(&mut text, config);
    let _ = write_bgp(&mut text, config, key);
    let _ = write_acls(&mut text, config);
    text
}

fn write_system(out: &mut String, config: &DeviceConfig) -> fmt::Result {
    writeln!(out, "hostname {}", config.system.hostname)?;
    for server in &config.system.ntp_servers {
        writeln!(out, "ntp server {}", server.address)?;
    }
    for server in &config.system.dns_servers {
        writeln!(out, "dns server {}", server.address)?;
    }
    for (name, user) in &config.system.users {
        writeln!(out, "user {name}")?;
        for key in &user.ssh_keys {
            writeln!(out, "  ssh-key {} {} {}", key.algorithm, key.key, key.comment)?;
        }
    }
    for (name, interface) in &config.interfaces {
        writeln!(out, "interface {name}")?;
        if !interface.description.is_empty() {
            writeln!(out, "  description \"{}\"", interface.description.replace('"', "'"))?;
        }
        if let Some(mtu) = interface.mtu {
            writeln!(out, "  mtu {mtu}")?;
        }
        for address in &interface.addresses {
            writeln!(out, "  address {}", address.prefix)?;
        }
        if interface.unnumbered {
            writeln!(out, "  unnumbered")?;
        }
        if let Some(acl) = &interface.egress_acl {
            writeln!(out, "  egress-acl {acl}")?;
        }
    }
    Ok(())
}

fn write_acls(out: &mut String, config: &DeviceConfig) -> fmt::Result {
    for (name, set) in &config.acl_sets {
        writeln!(out, "acl {name} default {}", acl::action_word(set.default_action))?;
        for entry in &set.entries {
            writeln!(out, "  {}", acl::text(entry))?;
        }
    }
    Ok(())
}

fn write_policy(out: &mut String, config: &DeviceConfig) -> fmt::Result {
    for (name, set) in &config.routing_policy.prefix_sets {
        writeln!(out, "prefix-set {name}")?;
        for entry in &set.prefixes {
            writeln!(out, "  {} least {} greatest {}", entry.prefix, entry.least_length, entry.greatest_length)?;
        }
    }
    for (name, set) in &config.routing_policy.community_sets {
        writeln!(out, "community-set {name}")?;
        for community in &set.communities {
            writeln!(out, "  {community}")?;
        }
    }
    for (name, policy) in &config.routing_policy.policy_definitions {
        writeln!(out, "policy {name}")?;
        for statement in &policy.statements {
            let action = match statement.action {
                Action::Accept => "accept",
                Action::Reject => "reject",
                Action::Next => "next",
            };
            writeln!(out, "  statement {} {action}", statement.sequence)?;
            if let Some(set) = &statement.conditions.prefix_set {
                writeln!(out, "    match prefix-set {set}")?;
            }
            if let Some(set) = &statement.conditions.community_set {
                writeln!(out, "    match community-set {set}")?;
            }
            write_changes(out, &statement.transformations)?;
        }
    }
    for (prefix, route) in &config.static_routes {
        match route.next_hop {
            StaticNextHop::Discard => writeln!(out, "static-route {prefix} discard")?,
        }
    }
    Ok(())
}

fn write_changes(out: &mut String, changes: &Transformations) -> fmt::Result {
    if let Some(set) = &changes.remove_communities {
        writeln!(out, "    remove-communities {set}")?;
    }
    for community in &changes.add_communities {
        writeln!(out, "    add-community {community}")?;
    }
    if let Some(preference) = changes.local_preference {
        writeln!(out, "    local-preference {preference}")?;
    }
    if let Some(med) = changes.med {
        writeln!(out, "    med {med}")?;
    }
    if let Some(prepend) = changes.prepend {
        writeln!(out, "    prepend {} times {}", prepend.asn, prepend.times)?;
    }
    Ok(())
}

fn write_bgp(out: &mut String, config: &DeviceConfig, key: impl Fn(&SecretRef) -> String) -> fmt::Result {
    let Some(bgp) = &config.bgp else { return Ok(()) };
    writeln!(out, "bgp {}\n  router-id {}", bgp.asn, bgp.router_id)?;
    if let Some(cluster_id) = bgp.cluster_id {
        writeln!(out, "  cluster-id {cluster_id}")?;
    }
    writeln!(out, "  maximum-paths {}", bgp.maximum_paths.max(1))?;
    for prefix in bgp.networks.keys() {
        writeln!(out, "  network {prefix}")?;
    }
    for (target, neighbor) in &bgp.neighbors {
        match target {
            NeighborTarget::Address(address) => writeln!(out, "  neighbor {address}")?,
            NeighborTarget::Interface(interface) => writeln!(out, "  neighbor interface {interface}")?,
        }
        if !neighbor.description.is_empty() {
            writeln!(out, "    description \"{}\"", neighbor.description.replace('"', "'"))?;
        }
        if matches!(target, NeighborTarget::Address(_)) {
            writeln!(out, "    interface {}", neighbor.interface)?;
        }
        if let Some(address) = neighbor.local_address {
            writeln!(out, "    local-address {address}")?;
        }
        writeln!(out, "    remote-as {}", neighbor.peer_as)?;
        for (word, given) in [
            ("external", neighbor.peer_type == PeerType::External),
            ("route-reflector-client", neighbor.route_reflector_client),
            ("next-hop-self", neighbor.next_hop_self),
        ] {
            if given {
                writeln!(out, "    {word}")?;
            }
        }
        if let Some(timers) = neighbor.timers {
            writeln!(out, "    timers {} {} {}", timers.keepalive.0, timers.hold.0, timers.connect_retry.0)?;
        }
        if let Some(bfd) = neighbor.bfd {
            writeln!(out, "    bfd interval {} multiplier {}", bfd.interval_ms, bfd.multiplier)?;
        }
        if let Some(reference) = &neighbor.authentication {
            writeln!(out, "    password {}", key(reference))?;
        }
        if let Some(policy) = &neighbor.import_policy {
            writeln!(out, "    import-policy {policy}")?;
        }
        if let Some(policy) = &neighbor.export_policy {
            writeln!(out, "    export-policy {policy}")?;
        }
        if let Some(count) = neighbor.maximum_prefixes {
            writeln!(out, "    maximum-prefixes {count}")?;
        }
    }
    Ok(())
}
