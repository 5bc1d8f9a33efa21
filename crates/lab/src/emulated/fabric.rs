//! The devices of an emulated lab and the cables between them: what runs where, what is broken, what follows from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use regex::Regex;
use weft_compile::Host;
use weft_device::{
    config::{DeviceConfig, Interface, InterfaceKind},
    state::DeviceState,
};
use weft_model::{InterfaceName, Mtu, NodeName, Provenance, TerminationPoint};
use weft_simulate::{Cable, Failed, Prediction, simulate};

use super::loom::Datastore;
use crate::netns::Fault;

/// One emulated device.
#[derive(Debug)]
pub(crate) struct Device {
    /// What it is configured with.
    pub(crate) datastore: Datastore,
    /// Where its SSH server listens; `None` for a router that nobody but the lab manages.
    pub(crate) address: Option<SocketAddr>,
    /// It refuses configuration lines that match one of these.
    pub(crate) rejects: Vec<Regex>,
    /// It refuses commands that match one of these.
    pub(crate) refused_commands: Vec<Regex>,
    /// Why nothing can be written to its disk, if that is so.
    pub(crate) disk: Option<&'static str>,
    /// Its SSH server takes nobody's key.
    pub(crate) login_refused: bool,
    /// SSH is cut.
    pub(crate) ssh_cut: bool,
    /// The next commit cuts its management.
    pub(crate) loses_management: bool,
    /// A commit has cut its management.
    pub(crate) management_lost: bool,
}

/// The devices, cables and hosts.
#[derive(Debug, Default)]
pub(crate) struct Fabric {
    /// The devices.
    pub(crate) devices: BTreeMap<NodeName, Device>,
    /// The hosts by name.
    pub(crate) hosts: BTreeMap<String, Host>,
    cables: Arc<Vec<Cable>>,
    failed: Failed,
    faults: BTreeSet<Fault>,
    /// What follows; computed when it is asked for, dropped when something changes.
    prediction: Option<Arc<Prediction>>,
}

impl Fabric {
    /// Returns devices with cables between them, and hosts, each with a cable of its own.
    pub(crate) fn new(devices: BTreeMap<NodeName, Device>, cables: Vec<Cable>, hosts: Vec<Host>) -> Self {
        let mut cables = cables;
        let mut attached = BTreeMap::new();
        for (index, host) in hosts.into_iter().enumerate() {
            // A host may be named after a port whose name is no node's.
            let node = host.name.parse().or_else(|_| format!("host-{index}").parse::<NodeName>());
            let interface = "eth0".parse::<InterfaceName>();
            let (Ok(node), Ok(interface)) = (node, interface) else { continue };
            let end = TerminationPoint { node, interface };
            cables.push([host.port.clone(), end]);
            attached.insert(host.name.clone(), host);
        }
        Self { devices, hosts: attached, cables: Arc::new(cables), ..Self::default() }
    }

    /// Returns all cables, those of hosts among them.
    pub(crate) fn cables(&self) -> Arc<Vec<Cable>> {
        Arc::clone(&self.cables)
    }

    /// Returns what was broken on purpose.
    pub(crate) fn faults(&self) -> &BTreeSet<Fault> {
        &self.faults
    }

    /// Breaks something, or repairs it. Returns the device whose SSH connections are to be cut, if any.
    ///
    /// # Errors
    /// Returns why it cannot be broken: it is not there, or an emulated lab has no such fault.
    pub(crate) fn set_fault(&mut self, fault: &Fault, broken: bool) -> Result<Option<NodeName>, String> {
        let mut cut = None;
        match fault {
            Fault::LinkDown(port) => self.set_link(port, !broken)?,
            Fault::NodeDown(node) => {
                self.device(node)?;
                self.set_power(node, !broken);
                cut = broken.then(|| node.clone());
            }
            Fault::SshCut(node) | Fault::ManagementDown(node) => {
                self.device(node)?.ssh_cut = broken;
                cut = broken.then(|| node.clone());
            }
            Fault::RejectLine { node, pattern } => set_pattern(&mut self.device(node)?.rejects, pattern, broken)?,
            Fault::RefuseCommand { node, pattern } => {
                set_pattern(&mut self.device(node)?.refused_commands, pattern, broken)?;
            }
            Fault::LoginRefused(node) => self.device(node)?.login_refused = broken,
            Fault::DiskFull(node) => self.device(node)?.disk = broken.then_some("no space left on the disk"),
            Fault::DiskReadOnly(node) => self.device(node)?.disk = broken.then_some("the disk is read-only"),
            Fault::ManagementLostAfterApply(node) => {
                let device = self.device(node)?;
                device.loses_management = broken;
                device.management_lost &= broken;
            }
            Fault::SilentDrop(_) | Fault::DaemonDead { .. } => {
                return Err(format!("an emulated lab cannot break this: {fault}"));
            }
        }
        if broken {
            self.faults.insert(fault.clone())
        } else {
            self.faults.remove(fault)
        };
        Ok(cut)
    }

    /// Notes that a device has its management back.
    pub(crate) fn management_is_back(&mut self, name: &NodeName) {
        if let Some(device) = self.devices.get_mut(name)
            && std::mem::take(&mut device.management_lost)
        {
            self.faults.remove(&Fault::ManagementLostAfterApply(name.clone()));
        }
    }

    fn device(&mut self, name: &NodeName) -> Result<&mut Device, String> {
        self.devices.get_mut(name).ok_or_else(|| format!("there is no device {name}"))
    }

    /// Tells whether a device is on.
    pub(crate) fn is_on(&self, device: &NodeName) -> bool {
        !self.failed.nodes.contains(device)
    }

    /// Notes that something changed.
    pub(crate) fn changed(&mut self) {
        self.prediction = None;
    }

    fn set_link(&mut self, port: &TerminationPoint, up: bool) -> Result<(), String> {
        let cable = self.cables.iter().find(|cable| cable.contains(port));
        let Some(cable) = cable else { return Err(format!("there is no cable in {port}")) };
        for end in cable {
            if up {
                self.failed.links.remove(end)
            } else {
                self.failed.links.insert(end.clone())
            };
        }
        self.changed();
        Ok(())
    }

    fn set_power(&mut self, device: &NodeName, on: bool) {
        if on {
            self.failed.nodes.remove(device);
        } else if self.failed.nodes.insert(device.clone()) {
            // What was not confirmed is gone.
            if let Some(device) = self.devices.get_mut(device) {
                device.datastore.power_cycle();
            }
            self.management_is_back(device);
        }
        self.changed();
    }

    /// Returns the state of all devices that are on.
    pub(crate) fn prediction(&mut self) -> Arc<Prediction> {
        if let Some(prediction) = &self.prediction {
            return Arc::clone(prediction);
        }
        let mut ports: BTreeMap<&NodeName, BTreeSet<&InterfaceName>> = BTreeMap::new();
        for end in self.cables.iter().flatten() {
            ports.entry(&end.node).or_default().insert(&end.interface);
        }
        let configs: BTreeMap<NodeName, DeviceConfig> = self
            .devices
            .iter()
            .map(|(name, device)| {
                let ports = ports.get(name).into_iter().flatten().copied();
                (name.clone(), with_ports(&device.datastore.running().config, ports))
            })
            .collect();
        let prediction = Arc::new(simulate(&configs, &self.cables, &self.failed));
        self.prediction = Some(Arc::clone(&prediction));
        prediction
    }

    /// Returns the state of a device that is on.
    pub(crate) fn state(&mut self, device: &NodeName) -> Option<DeviceState> {
        self.prediction().states.get(device).cloned()
    }
}

/// Adds a pattern, or takes it away.
fn set_pattern(patterns: &mut Vec<Regex>, pattern: &str, there: bool) -> Result<(), String> {
    let regex = Regex::new(pattern).map_err(|error| format!("`{}`: {error}", pattern.escape_debug()))?;
    patterns.retain(|known| known.as_str() != pattern);
    patterns.extend(there.then_some(regex));
    Ok(())
}

/// Returns a configuration with the ports that are there whether they are configured or not, and the MTU that a port has
/// when none is configured.
fn with_ports<'a>(config: &DeviceConfig, ports: impl Iterator<Item = &'a InterfaceName>) -> DeviceConfig {
    let mut config = config.clone();
    for port in ports {
        config.interfaces.entry(port.clone()).or_insert_with(|| Interface {
            kind: InterfaceKind::External,
            description: String::new(),
            mtu: None,
            addresses: Vec::new(),
            unnumbered: false,
            egress_acl: None,
            provenance: Provenance::default(),
        });
    }
    for interface in config.interfaces.values_mut().filter(|interface| interface.kind != InterfaceKind::Loopback) {
        interface.mtu.get_or_insert(Mtu::ETHERNET);
    }
    config
}
