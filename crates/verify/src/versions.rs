//! Fabric and Topology intents: the devices run versions of their operating systems whose behavior was predicted.

use std::collections::BTreeMap;

use weft_model::{IntentRef, NodeName, OsVersion};

use crate::{Intended, Observed, ledger::Ledger};

/// Notes which devices run a version that their behavior profile does not cover. What they do may differ from the prediction for
/// that alone; where it does, other evidence says so.
pub(crate) fn assess(intended: &Intended<'_>, observed: &BTreeMap<NodeName, Observed>, ledger: &mut Ledger) {
    let mut others: BTreeMap<(&IntentRef, &OsVersion, &OsVersion), Vec<&NodeName>> = BTreeMap::new();
    for (device, seen) in observed {
        let (Some(config), Some(node)) = (intended.configs.get(device), intended.network.node(device.as_str())) else {
            continue;
        };
        let (Some(predicted), Some(runs)) = (&config.profile.version, &seen.version) else { continue };
        if !config.profile.covers(runs) {
            others.entry((&node.source.intent, predicted, runs)).or_default().push(device);
        }
    }
    for ((intent, predicted, runs), devices) in others {
        let words = match devices.as_slice() {
            [device] => format!("{device} runs version {runs}, and is predicted to behave as {predicted} does"),
            more => {
                format!("{} devices run version {runs}, and are predicted to behave as {predicted} does", more.len())
            }
        };
        ledger.note(intent, words);
    }
}
