//! What observation is compared with.

use std::{collections::BTreeMap, sync::Arc};

use weft_compile::{Allocations, ExternalRouters};
use weft_device::config::DeviceConfig;
use weft_intent::IntentSet;
use weft_model::{Network, NodeName, PackName, SecretDigests};
use weft_pack::{Pack, Rendered};
use weft_simulate::{Cable, Prediction};

/// What the network is meant to be, from the intents to the predicted state.
#[derive(Clone, Copy)]
pub struct Intended<'a> {
    /// The intents.
    pub intents: &'a IntentSet,
    /// The topology.
    pub network: &'a Network,
    /// The addresses and numbers that were taken from the pools.
    pub allocations: &'a Allocations,
    /// The intended configuration of each device.
    pub configs: &'a BTreeMap<NodeName, DeviceConfig>,
    /// The intended text of each device, as the pack renders it that runs there.
    pub rendered: &'a BTreeMap<NodeName, Rendered>,
    /// The routers of somebody else, as far as the intents tell.
    pub external: &'a ExternalRouters,
    /// Every cable, those to external routers among them.
    pub cables: &'a [Cable],
    /// What the configurations make the network do, external routers included.
    pub predicted: &'a Prediction,
    /// What makes no difference between two texts.
    pub packs: &'a dyn Normaliser,
    /// The digests of the intended secrets that have a value here.
    pub secrets: &'a SecretDigests,
}

/// Brings a configuration text into the form in which it is compared.
pub trait Normaliser: Sync {
    /// Returns the text of `file` without what makes no difference on devices of `pack`.
    fn normalise(&self, pack: &PackName, file: &str, text: &str) -> String;
}

impl Normaliser for BTreeMap<PackName, Arc<Pack>> {
    fn normalise(&self, pack: &PackName, file: &str, text: &str) -> String {
        self.get(pack).map_or_else(|| text.to_owned(), |pack| pack.normalise(file, text))
    }
}
