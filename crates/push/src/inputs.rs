//! What a push is made of.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use weft_model::{NodeName, PackName};
use weft_pack::{Pack, Rendered};
use weft_plan::Plan;
use weft_ssh::{Inventory, Limits, Pool, Secrets};

use crate::{DeviceResult, Journal, StepName};

/// What goes back together when something fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Atomicity {
    /// The device alone. An unhealthy wave goes back whole all the same, and ends the push.
    Device,
    /// The wave; waves that were confirmed before stay.
    Wave,
    /// Every device that the run touched.
    Run,
}

/// What becomes of the push when a device cannot be reached before anything was changed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnreachablePolicy {
    /// It fails.
    Fail,
    /// It goes on without the device.
    Skip,
}

/// How a plan is carried out.
#[derive(Debug, Clone)]
pub struct PushPolicy {
    /// How long a device waits for `confirm` before it goes back by itself. It must cover the gate.
    pub confirm_seconds: u32,
    /// How many devices are worked on at the same time.
    pub concurrency: usize,
    /// How long a device may take.
    pub limits: Limits,
    /// Where sessions come from and go back to; without it each is opened and closed by the push.
    pub pool: Option<Pool>,
    /// What goes back together.
    pub atomicity: Atomicity,
    /// What an unreachable device means.
    pub unreachable: UnreachablePolicy,
    /// The devices from which traffic is taken away before they change, where their packs can.
    pub drain: BTreeSet<NodeName>,
}

impl Default for PushPolicy {
    /// 60 s to confirm, 16 devices at the same time, the run goes back as a whole, an unreachable device is fatal, none is
    /// drained.
    fn default() -> Self {
        Self {
            confirm_seconds: 60,
            concurrency: 16,
            limits: Limits::default(),
            pool: None,
            atomicity: Atomicity::Run,
            unreachable: UnreachablePolicy::Fail,
            drain: BTreeSet::new(),
        }
    }
}

/// What a push is made of.
pub struct PushInputs<'a> {
    /// What is to be done.
    pub plan: &'a Plan,
    /// The configurations that the plan was made from.
    pub rendered: &'a BTreeMap<NodeName, Rendered>,
    /// Where the devices are.
    pub inventory: &'a Inventory,
    /// The packs by name.
    pub packs: &'a BTreeMap<PackName, Arc<Pack>>,
    /// The secrets that stand in the configurations.
    pub secrets: &'a dyn Secrets,
    /// How it is done.
    pub policy: &'a PushPolicy,
    /// The id of the run; the devices know the transaction by it. Characters other than `a-z`, `0-9` and `-` become `-`.
    pub run: &'a str,
    /// Where every step that changes a device is written down first.
    pub journal: &'a Journal,
    /// The folder of the leases, the same for all processes that change these devices.
    pub leases: &'a Path,
    /// Becomes `true` when the push is to end: what is not confirmed goes back.
    pub cancel: watch::Receiver<bool>,
}

/// A wave whose devices run the new configuration and are not yet confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveOutcome {
    /// Its place among the waves, from 0.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// The devices that run the new configuration since this wave.
    pub devices: Vec<NodeName>,
    /// Those and all that earlier waves changed.
    pub changed: Vec<NodeName>,
    /// The devices that still run the old configuration and are to change in later waves.
    pub waiting: Vec<NodeName>,
}

/// Something that happened during a push.
#[derive(Debug, Clone, PartialEq)]
pub enum PushEvent {
    /// A wave begins.
    WaveBegins {
        /// Its name.
        wave: String,
        /// Its devices.
        devices: Vec<NodeName>,
    },
    /// A step begins on a device.
    StepBegins {
        /// The device.
        device: NodeName,
        /// The step.
        step: StepName,
    },
    /// A step ended on a device.
    StepEnds {
        /// The device.
        device: NodeName,
        /// The step.
        step: StepName,
        /// How long it took.
        seconds: f64,
        /// Why it failed, if it did.
        failure: Option<String>,
    },
    /// The wave runs the new configuration and the gate looks at it.
    GateBegins {
        /// The wave.
        wave: String,
    },
    /// The gate has decided.
    GateEnds {
        /// The wave.
        wave: String,
        /// Why the wave goes back, if it does.
        failure: Option<String>,
    },
    /// Nothing more happens to a device.
    DeviceEnds {
        /// The device.
        device: NodeName,
        /// What became of it.
        result: DeviceResult,
    },
}

/// Is told what happens, for progress. It must return at once.
pub trait Observer: Sync {
    /// Takes an event.
    fn event(&self, event: &PushEvent);
}

/// Looks away.
impl Observer for () {
    fn event(&self, _: &PushEvent) {}
}
