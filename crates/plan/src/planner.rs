//! Makes the plan.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use weft_model::{Network, NodeName, PackName, SecretDigest, SecretDigests, SecretRef, placeholders};
use weft_pack::{Pack, Rendered};

use crate::{
    Absences, DeviceChange, Digest, Plan, PlannedDevice, WavePolicy, diff, digest::normalised_digest,
    document::VERSION, waves,
};

/// What a plan is made of.
pub struct PlanInputs<'a> {
    /// The commit whose intents were rendered; `None` for a working tree.
    pub commit: Option<&'a str>,
    /// The version of Weft.
    pub weft: &'a str,
    /// What every device is meant to run.
    pub rendered: &'a BTreeMap<NodeName, Rendered>,
    /// What every device runs: the text of each file, or why it could not be read.
    pub running: &'a BTreeMap<NodeName, Result<BTreeMap<String, String>, String>>,
    /// The packs by name.
    pub packs: &'a BTreeMap<PackName, Arc<Pack>>,
    /// The topology, for the waves.
    pub network: &'a Network,
    /// How waves are made.
    pub waves: &'a WavePolicy,
    /// The digests of the intended secrets that have a value here.
    pub secrets: &'a SecretDigests,
    /// What breaks while devices are away, for the waves.
    pub absences: &'a Absences<'a>,
}

/// Makes a plan for every rendered device.
pub fn plan(inputs: &PlanInputs<'_>) -> Plan {
    let mut devices = BTreeMap::new();
    let mut bare = BTreeSet::new();
    for (name, rendered) in inputs.rendered {
        let change = match (inputs.running.get(name), inputs.packs.get(&rendered.pack)) {
            (None, _) => DeviceChange::Unreachable { reason: "it was not asked for its running configuration".into() },
            (Some(Err(reason)), _) => DeviceChange::Unreachable { reason: reason.clone() },
            (Some(Ok(_)), None) => {
                DeviceChange::Unreachable { reason: format!("there is no pack `{}`", rendered.pack) }
            }
            (Some(Ok(running)), Some(pack)) => {
                if is_bare(running) {
                    bare.insert(name.clone());
                }
                change(pack, rendered, running, inputs.secrets)
            }
        };
        devices.insert(name.clone(), PlannedDevice { pack: rendered.pack.clone(), change });
    }
    let changing: BTreeSet<NodeName> = devices
        .iter()
        .filter(|(_, device)| matches!(device.change, DeviceChange::Replace { .. }))
        .map(|(name, _)| name.clone())
        .collect();
    let mut plan = Plan {
        version: VERSION,
        weft: inputs.weft.to_owned(),
        commit: inputs.commit.map(str::to_owned),
        devices,
        waves: waves::order(&changing, &bare, inputs.network, inputs.waves, inputs.absences),
        secrets: used(inputs),
        digest: Digest::of(b""),
        traffic: None,
        radius: None,
    };
    if let Ok(digest) = plan.contents_digest() {
        plan.digest = digest;
    }
    plan
}

/// Returns the digests of the secrets that stand in the rendered configurations.
fn used(inputs: &PlanInputs<'_>) -> BTreeMap<SecretRef, SecretDigest> {
    let texts = inputs.rendered.values().flat_map(|device| device.files.values()).map(|file| file.text.as_str());
    let used: BTreeSet<SecretRef> = texts.flat_map(placeholders).map(|(_, _, reference)| reference).collect();
    let digests = inputs.secrets.by_reference();
    used.into_iter().filter_map(|reference| Some((reference.clone(), digests.get(&reference)?.clone()))).collect()
}

/// Compares what a device runs with what it is meant to run.
pub fn change(
    pack: &Pack,
    rendered: &Rendered,
    running: &BTreeMap<String, String>,
    secrets: &SecretDigests,
) -> DeviceChange {
    let normalised = |name: &str, text: &str| pack.normalise(name, &secrets.comparable(text));
    let intended: BTreeMap<&str, String> =
        rendered.files.iter().map(|(name, file)| (name.as_str(), normalised(name, &file.text))).collect();
    let running: BTreeMap<&str, String> =
        running.iter().map(|(name, text)| (name.as_str(), normalised(name, text))).collect();
    let names: BTreeSet<&str> = intended.keys().chain(running.keys()).copied().collect();
    let empty = String::new();
    let files: BTreeMap<String, _> = names
        .into_iter()
        .filter_map(|name| {
            let text = |of: &BTreeMap<&str, String>| of.get(name).unwrap_or(&empty).clone();
            Some((name.to_owned(), diff::compare(name, &text(&running), &text(&intended), secrets)?))
        })
        .collect();
    let digest = normalised_digest(&running);
    if files.is_empty() {
        DeviceChange::None { running: digest }
    } else {
        DeviceChange::Replace { running: digest, intended: normalised_digest(&intended), files }
    }
}

/// Says whether a device runs no BGP, in whatever words its OS has for it: traffic does not go through it yet.
pub fn is_bare(running: &BTreeMap<String, String>) -> bool {
    let is_comment = |line: &str| line.trim_start().starts_with(['!', '#']);
    let says_bgp = |line: &str| line.split(|c: char| !c.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case("bgp"));
    !running.values().flat_map(|text| text.lines()).any(|line| !is_comment(line) && says_bgp(line))
}
