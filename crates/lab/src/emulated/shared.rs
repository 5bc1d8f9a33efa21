//! What the SSH servers, command lines, timers and the control socket of a lab share.

use std::{
    collections::BTreeMap,
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, sync::watch};
use weft_model::NodeName;

use super::{fabric::Fabric, loom::Datastore};

/// The running lab.
#[derive(Debug)]
pub(crate) struct Shared {
    fabric: Mutex<Fabric>,
    connections: Mutex<BTreeMap<NodeName, BTreeMap<u64, TcpStream>>>,
    numbers: AtomicU64,
    runtime: Handle,
    /// Becomes `true` when the lab is to end.
    pub(crate) down: watch::Sender<bool>,
}

impl Shared {
    /// Returns a lab whose timers run on `runtime`.
    pub(crate) fn new(fabric: Fabric, runtime: Handle) -> Arc<Self> {
        Arc::new(Self {
            fabric: Mutex::new(fabric),
            connections: Mutex::default(),
            numbers: AtomicU64::new(1),
            runtime,
            down: watch::Sender::new(false),
        })
    }

    /// Returns the devices and cables, to be held shortly.
    pub(crate) fn fabric(&self) -> MutexGuard<'_, Fabric> {
        // A panic while it was held left whole values behind: every change is one assignment.
        self.fabric.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a number that nothing else in the lab has.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Does something with the datastores of a device; `None` when it is not there.
    pub(crate) fn datastore<T>(&self, device: &NodeName, act: impl FnOnce(&mut Datastore) -> T) -> Option<T> {
        self.fabric().devices.get_mut(device).map(|device| act(&mut device.datastore))
    }

    /// Tells whether SSH reaches a device.
    pub(crate) fn is_reachable(&self, name: &NodeName) -> bool {
        let fabric = self.fabric();
        let device = fabric.devices.get(name);
        fabric.is_on(name) && device.is_some_and(|device| !device.ssh_cut && !device.management_lost)
    }

    /// Notes an SSH connection, so that it can be cut. Returns its number.
    pub(crate) fn connected(&self, device: &NodeName, stream: TcpStream) -> u64 {
        let number = self.number();
        self.connections().entry(device.clone()).or_default().insert(number, stream);
        number
    }

    /// Forgets an SSH connection.
    pub(crate) fn disconnected(&self, device: &NodeName, number: u64) {
        if let Some(connections) = self.connections().get_mut(device) {
            connections.remove(&number);
        }
    }

    /// Drops all SSH connections of a device, without a word to the other side.
    pub(crate) fn cut(&self, device: &NodeName) {
        for stream in self.connections().remove(device).unwrap_or_default().into_values() {
            // One that is closed already needs no closing.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Drops all SSH connections of all devices.
    pub(crate) fn cut_all(&self) {
        let devices: Vec<NodeName> = self.connections().keys().cloned().collect();
        devices.iter().for_each(|device| self.cut(device));
    }

    /// Does what follows a commit: routes change, management may be lost, and after `limit` the commit goes back unless it
    /// is confirmed by then.
    pub(crate) fn committed(self: &Arc<Self>, device: &NodeName, generation: u64, limit: Option<Duration>) {
        let mut fabric = self.fabric();
        fabric.changed();
        let lost = fabric.devices.get_mut(device).is_some_and(|device| {
            device.management_lost |= std::mem::take(&mut device.loses_management);
            device.management_lost
        });
        drop(fabric);
        if lost {
            self.cut(device);
        }
        if let Some(limit) = limit {
            let (lab, device): (Weak<Self>, NodeName) = (Arc::downgrade(self), device.clone());
            self.runtime.spawn(async move {
                tokio::time::sleep(limit).await;
                if let Some(lab) = lab.upgrade()
                    && lab.datastore(&device, |datastore| datastore.time_is_up(generation)).unwrap_or(false)
                {
                    lab.went_back(&device);
                }
            });
        }
    }

    /// Does what follows when a commit was undone.
    pub(crate) fn went_back(&self, device: &NodeName) {
        let mut fabric = self.fabric();
        fabric.changed();
        fabric.management_is_back(device);
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<NodeName, BTreeMap<u64, TcpStream>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
