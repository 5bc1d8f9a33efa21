//! Brings the devices of a push whose controller is gone to rest, or back.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;
use weft_model::NodeName;

use crate::{
    DeviceResult, Goal, Lease, Observer, PushInputs, StepName,
    context::{Context, Failure},
    decide::{Act, OnDevice, Runs, decide},
    device::{Device, Status},
    restore::{INTERVAL, MARGIN},
    wave::{each, transaction_of},
};

/// What a device that answers may need until a command of the dead controller has ended there.
const LEFTOVER_LIMIT: Duration = Duration::from_secs(25);

/// What a push whose controller is gone left behind.
pub struct RecoverInputs<'a> {
    /// What the push was made of. Its `run` names the recovery; the devices know the transactions of the dead by `attempts`.
    pub push: &'a PushInputs<'a>,
    /// The ids of the run's transactions on the devices, in the order of their beginnings.
    pub attempts: &'a [String],
    /// The transaction of each device whose confirmation began last, where one did.
    pub confirmed: &'a BTreeMap<NodeName, String>,
    /// The devices to look at, of those that the plan changes.
    pub devices: &'a BTreeSet<NodeName>,
    /// What they are brought to.
    pub goal: Goal,
}

/// What a device runs in the end. No transaction of the run holds it then, unless that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ends {
    /// What it ran before the run.
    Before,
    /// What it was to run.
    Intended,
    /// Neither.
    Other {
        /// How it differs from what it was to run, a line of a diff each.
        difference: Vec<String>,
    },
    /// Nobody knows.
    Unknown {
        /// What is known.
        reason: String,
    },
}

/// What became of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// What was found and done, in a few words, such as `armed, rolled back`.
    pub did: String,
    /// What it runs now.
    pub ends: Ends,
}

/// Asks each device for the transaction that is on it and for what it runs, and brings it to the goal. What waits for a
/// confirmation is put back, which is proved by reading back; locks of the run are taken away. A device that runs neither what
/// it ran before nor what it was to run is set free and otherwise left alone.
pub async fn recover(inputs: &RecoverInputs<'_>, observer: &dyn Observer) -> BTreeMap<NodeName, Recovered> {
    let push = inputs.push;
    let context = Context {
        inputs: push,
        observer,
        transaction: transaction_of(push.run),
        secrets: weft_ssh::digests(push.secrets).0,
        slots: Semaphore::new(push.policy.concurrency.max(1)),
    };
    let mut recovered = BTreeMap::new();
    let mut devices = Vec::new();
    for (name, planned) in push.plan.devices.iter().filter(|(name, _)| inputs.devices.contains(*name)) {
        match Device::of_plan(&context, name, planned) {
            Ok(device) => devices.push(Recovering { device, did: Vec::new(), ends: None }),
            Err(DeviceResult::FailedBeforeChange { reason, .. }) => {
                recovered.insert(name.clone(), Recovered { did: String::new(), ends: Ends::Unknown { reason } });
            }
            // It is no part of the change.
            Err(_) => {}
        }
    }
    each(devices.iter_mut(), async |device| device.recover(inputs).await).await;
    recovered.extend(devices.into_iter().map(|recovering| {
        let Recovering { device, did, ends } = recovering;
        let ends = ends.unwrap_or_else(|| Ends::Unknown { reason: "it was not asked".into() });
        (device.name, Recovered { did: did.join(", "), ends })
    }));
    recovered
}

/// A device on its way to rest.
struct Recovering<'a> {
    device: Device<'a>,
    did: Vec<&'static str>,
    ends: Option<Ends>,
}

impl<'a> AsRef<Device<'a>> for Recovering<'a> {
    fn as_ref(&self) -> &Device<'a> {
        &self.device
    }
}

impl Recovering<'_> {
    async fn recover(&mut self, inputs: &RecoverInputs<'_>) {
        let context = self.device.context;
        let own = match Lease::take(context.inputs.leases, &self.device.name, &context.transaction) {
            Ok(lease) => lease,
            Err(error) => {
                self.ends = Some(Ends::Unknown { reason: error.to_string() });
                return;
            }
        };
        self.device.lease = Some(own);
        let begun = Instant::now();
        let timer = Duration::from_secs(context.inputs.policy.confirm_seconds.into()) + MARGIN;
        let mut reached = false;
        let ends = loop {
            let looked = async {
                self.device.connect(StepName::Connect).await?;
                reached = true;
                self.device.prepare_session().await?;
                self.look(inputs).await
            };
            let failure = match looked.await {
                Ok(ends) => break ends,
                Err(failure) => failure,
            };
            // A device that was told to go back does so by itself where it did not hear it.
            let limit = if self.did.contains(&"armed") { timer } else { LEFTOVER_LIMIT };
            if !reached || begun.elapsed() >= limit {
                break Ends::Unknown { reason: failure.reason };
            }
            tokio::time::sleep(INTERVAL).await;
        };
        if let Some(session) = self.device.session.take() {
            session.close().await;
        }
        if let (Some(lease), false) = (&mut self.device.lease, matches!(ends, Ends::Unknown { .. })) {
            lease.settled();
        }
        self.device.lease = None;
        self.ends = Some(ends);
    }

    /// Looks and acts until there is nothing more to do.
    async fn look(&mut self, inputs: &RecoverInputs<'_>) -> Result<Ends, Failure> {
        /// Locked, found confirmed, rolled back, released: nothing takes more looks than this.
        const LOOKS: usize = 6;
        for _ in 0..LOOKS {
            let on_device = self.on_device(inputs).await?;
            let (digest, running) = self.device.read(StepName::ReadBack).await?;
            let runs = match digest {
                digest if digest == self.device.before => Runs::Before,
                digest if digest == self.device.intended => Runs::Intended,
                _ => Runs::Other,
            };
            let found = match (on_device, runs) {
                (OnDevice::Free, Runs::Before) => "free",
                (OnDevice::Free, Runs::Intended) | (OnDevice::Confirmed, _) => "confirmed",
                (OnDevice::Free, Runs::Other) => "free, runs something else",
                (OnDevice::Locked, _) => "locked",
                (OnDevice::Armed, _) => "armed",
                (OnDevice::RolledBack, _) => "rolled back",
                (OnDevice::Foreign, _) => "held by another transaction",
            };
            self.did(found);
            let pack = self.device.pack.clone();
            let transaction = &pack.manifest().transaction;
            match decide(inputs.goal, on_device, runs) {
                Act::Leave => return Err(Failure::new(StepName::Lock, "another transaction is on the device")),
                Act::Lock => {
                    self.device.changing_step(StepName::Lock, &transaction.lock).await?;
                }
                Act::RollBack => {
                    self.device.changing_step(StepName::Rollback, &transaction.rollback).await?;
                    self.did("rolled back");
                }
                Act::Release => {
                    // Where nothing of ours was ever, there is nothing to release either.
                    if on_device != OnDevice::Free {
                        self.device.changing_step(StepName::Unlock, &transaction.unlock).await?;
                    }
                    if on_device == OnDevice::Locked {
                        self.did("set free");
                    }
                    return Ok(match runs {
                        Runs::Before => Ends::Before,
                        Runs::Intended => Ends::Intended,
                        Runs::Other => {
                            let difference = self.device.difference(&running);
                            Ends::Other { difference: difference.lines().skip(1).map(str::to_owned).collect() }
                        }
                    });
                }
            }
        }
        Err(Failure::new(StepName::Rollback, "it does not come to rest"))
    }

    /// Asks for the transaction on the device. From then on the device's transaction is the one of ours that is there, or else
    /// the last that may have been.
    async fn on_device(&mut self, inputs: &RecoverInputs<'_>) -> Result<OnDevice, Failure> {
        let says = self.device.says_of_transaction(StepName::Lock).await?.concat();
        let Some((status, id)) = Status::of_device(&says) else {
            return Err(Failure::new(StepName::Lock, format!("the device says of its transaction: {}", says.trim())));
        };
        let ours = |id: &str| inputs.attempts.iter().find(|attempt| *attempt == id);
        let own = id.and_then(ours);
        let last = inputs.confirmed.get(&self.device.name).or(inputs.attempts.last());
        if let Some(own) = own.or(last) {
            self.device.transaction.clone_from(own);
        }
        Ok(match (status, own) {
            (Status::Locked | Status::Armed, None) => OnDevice::Foreign,
            // What has ended holds nothing.
            (_, None) | (Status::None | Status::Other, Some(_)) => OnDevice::Free,
            (Status::Locked, Some(_)) => OnDevice::Locked,
            (Status::Armed, Some(_)) => OnDevice::Armed,
            (Status::Confirmed, Some(_)) => OnDevice::Confirmed,
            (Status::RolledBack, Some(_)) => OnDevice::RolledBack,
        })
    }

    fn did(&mut self, what: &'static str) {
        if self.did.last() != Some(&what) {
            self.did.push(what);
        }
    }
}
