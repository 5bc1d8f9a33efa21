//! Pools intents: every address that was taken from a pool is on the interface it was taken for.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use weft_device::config::InterfaceKind;
use weft_intent::spec::{AddressPurpose, Selector};
use weft_model::{IntentRef, Node, NodeName};

use crate::{
    Compliance, Evidence, Intended, Observed, Part,
    ledger::{Ledger, Topic},
};

/// Keeps whether the devices have their addresses.
pub(crate) fn assess(intended: &Intended<'_>, observed: &BTreeMap<NodeName, Observed>, ledger: &mut Ledger) {
    let pools: Vec<(&IntentRef, AddressPurpose, IpNet, &Selector)> = intended
        .intents
        .pools
        .values()
        .flat_map(|pools| {
            pools.spec.addresses.iter().map(|pool| (&pools.reference, pool.purpose, pool.prefix, &pool.select))
        })
        .collect();
    let pool_of = |node: &Node, purpose, address: &IpNet| {
        pools
            .iter()
            .find(|(_, for_what, prefix, select)| {
                // A link may be in the pool of its other end.
                *for_what == purpose
                    && prefix.contains(address)
                    && (purpose == AddressPurpose::Link || select.picks(node))
            })
            .map(|(intent, ..)| *intent)
    };
    for (device, config) in intended.configs {
        let Some(node) = intended.network.node(device.as_str()) else { continue };
        let seen = observed.get(device);
        for (name, interface) in &config.interfaces {
            let purpose = match interface.kind {
                InterfaceKind::Loopback => AddressPurpose::Loopback,
                InterfaceKind::Link { .. } => AddressPurpose::Link,
                InterfaceKind::Host | InterfaceKind::External => continue,
            };
            for address in &interface.addresses {
                let Some(intent) = pool_of(node, purpose, &address.prefix) else { continue };
                let Some(interfaces) = seen.and_then(|seen| seen.state.interfaces.as_ref()) else {
                    ledger.unread(intent, device, seen, Part::Interfaces);
                    continue;
                };
                let none = BTreeSet::new();
                let found = interfaces.get(name).map_or(&none, |state| &state.addresses);
                if found.contains(&address.prefix) {
                    ledger.holds(intent, Topic::Address, 1);
                    continue;
                }
                let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                let evidence = Evidence {
                    compliance: Compliance::Violated,
                    device: Some(device.clone()),
                    subject: format!("address of {name}"),
                    expected: address.prefix.to_string(),
                    observed: if found.is_empty() { "no address".to_owned() } else { found.join(", ") },
                };
                ledger.fails(intent, Topic::Address, evidence);
            }
        }
    }
}
