//! `weft lab`: the network of the intents on this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use weft_compile::HostAddress;
use weft_lab::{
    emulated,
    netns::{self, Fault},
};
use weft_model::NodeName;
use weft_pipeline::stages::{Compiled, Project};
use weft_ssh::{SecretStore, Secrets};

use weft_pipeline::ExitCode as Exit;

use crate::{
    args::{Backend, Format, Global, Lab, Revision, SecretPlaces},
    failure::Failure,
    output::Output,
    workspace::Workspace,
};

/// Where a project's lab keeps its files, relative to the project.
const FOLDER: &str = ".weft/lab";
/// How long an emulated lab may take to start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The lab that runs in a project.
enum Running {
    Emulated(emulated::Client),
    Netns(netns::Lab),
}

pub(crate) fn run(global: &Global, lab: &Lab, output: &Output) -> Result<Exit, Failure> {
    let folder = global.directory.join(FOLDER);
    match lab {
        Lab::Up { backend, secrets } => {
            if let Ok(running) = attach(&folder) {
                return Err(Failure::of_input(anyhow!(
                    "a lab runs here already ({}): `weft lab down` ends it",
                    running.backend()
                )));
            }
            match backend {
                Backend::Emulated => up_emulated(global, &folder, secrets, output),
                Backend::Netns => up_netns(global, &folder, secrets, output),
            }
        }
        Lab::Serve { secrets } => serve(global, &folder, secrets, output),
        Lab::Down => {
            match attach(&folder)? {
                Running::Emulated(client) => client.down()?,
                Running::Netns(lab) => lab.down()?,
            }
            if folder.exists() {
                fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
            }
            output.say("the lab is down");
            Ok(Exit::Success)
        }
        Lab::Status => status(&attach(&folder)?, output),
        Lab::Exec { device, command } => exec(&attach(&folder)?, device, command, output),
        Lab::Fault { fault } => {
            let fault: Fault = fault.join(" ").parse().map_err(fault_help)?;
            attach(&folder)?.inject(&fault)?;
            output.say(format!("broken: {fault}"));
            Ok(Exit::Success)
        }
        Lab::Heal { fault } => {
            let running = attach(&folder)?;
            let faults = match fault.join(" ").as_str() {
                "all" => running.faults()?,
                words => [words.parse().map_err(fault_help)?].into(),
            };
            for fault in faults {
                running.heal(&fault)?;
                output.say(format!("repaired: {fault}"));
            }
            Ok(Exit::Success)
        }
    }
}

fn fault_help(error: netns::InvalidFault) -> Failure {
    Failure::of_usage(error.to_string())
}

fn attach(folder: &Path) -> Result<Running, Failure> {
    if let Ok(client) = emulated::Client::open(folder) {
        return Ok(Running::Emulated(client));
    }
    netns::Lab::attach(folder)
        .map(Running::Netns)
        .map_err(|_| Failure::of_input(anyhow!("no lab runs here: `weft lab up` starts one")))
}

impl Running {
    fn backend(&self) -> &'static str {
        match self {
            Self::Emulated(_) => "emulated",
            Self::Netns(_) => "netns",
        }
    }

    fn inject(&self, fault: &Fault) -> Result<(), Failure> {
        match self {
            Self::Emulated(client) => client.inject(fault).map_err(Failure::of_input),
            Self::Netns(lab) => lab.inject(fault).map_err(Failure::of_input),
        }
    }

    fn heal(&self, fault: &Fault) -> Result<(), Failure> {
        match self {
            Self::Emulated(client) => client.heal(fault).map_err(Failure::of_input),
            Self::Netns(lab) => lab.heal(fault).map_err(Failure::of_input),
        }
    }

    fn faults(&self) -> Result<BTreeSet<Fault>, Failure> {
        Ok(match self {
            Self::Emulated(client) => client.status()?.faults,
            Self::Netns(lab) => lab.status()?.faults,
        })
    }
}

/// Compiles the working tree for a lab, and finds the secrets of the routers that Weft does not manage.
fn compile(
    global: &Global,
    places: &SecretPlaces,
    output: &Output,
) -> Result<Option<(Project, Compiled, SecretStore)>, Failure> {
    let mut workspace = Workspace::read(global, &Revision { commit: None }, output)?;
    let Some(project) = workspace.project() else { return Ok(None) };
    let compiled = workspace.compiled(&project, None, None)?;
    let secrets = workspace.secrets(places)?;
    Ok(compiled.map(|compiled| (project, compiled, secrets)))
}

/// Starts the lab as a process of its own, and waits until it answers.
fn up_emulated(global: &Global, folder: &Path, secrets: &SecretPlaces, output: &Output) -> Result<Exit, Failure> {
    use std::os::unix::process::CommandExt;

    // Mistakes of the intents are told here, not in the other process.
    let Some((project, ..)) = compile(global, secrets, output)? else { return Ok(Exit::Findings) };
    fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    let log_path = folder.join("lab.log");
    let log = fs::File::create(&log_path).with_context(|| format!("write {}", log_path.display()))?;
    let program = std::env::current_exe().context("find the weft command")?;
    let mut child = Command::new(program)
        .arg("-C")
        .arg(&global.directory)
        .args(["lab", "serve"])
        .args(secrets.secrets.iter().flat_map(|folder| [OsStr::new("--secrets"), folder.as_os_str()]))
        .args(secrets.identity.iter().flat_map(|file| [OsStr::new("--identity"), file.as_os_str()]))
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("share the log of the lab")?)
        .stderr(log)
        // A process group of its own: Ctrl-C in the terminal is not meant for the lab.
        .process_group(0)
        .spawn()
        .context("start the lab")?;
    let begun = Instant::now();
    loop {
        if emulated::Client::open(folder).and_then(|client| client.status()).is_ok() {
            output.say(format!(
                "{} switches are up on loopback ports, bare; `weft run` brings the network up",
                project.network.nodes().len()
            ));
            return Ok(Exit::Success);
        }
        let ended = child.try_wait().context("ask after the lab")?;
        if ended.is_some() || begun.elapsed() > START_LIMIT {
            let said = fs::read_to_string(&log_path).unwrap_or_default();
            // It may be stuck rather than gone.
            let _ = child.kill();
            return Err(anyhow!("the lab did not start: {}", said.trim()).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Is the process of an emulated lab, until it is told to end.
fn serve(global: &Global, folder: &Path, secrets: &SecretPlaces, output: &Output) -> Result<Exit, Failure> {
    let Some((project, compiled, secrets)) = compile(global, secrets, output)? else { return Ok(Exit::Findings) };
    let references = project.intents.secrets.keys();
    let values = references.filter_map(|reference| Some((reference.clone(), secrets.resolve(reference).ok()?)));
    let topology = emulated::LabTopology {
        devices: compiled.configs.keys().cloned().collect(),
        cables: project.network.links().map(|link| link.ends.clone()).collect(),
        hosts: weft_compile::hosts(&project.intents, &project.network, &compiled.allocations),
        external: compiled.external,
        secrets: values.collect(),
    };
    super::block_on(async {
        let lab = emulated::Lab::start(topology, folder).await?;
        lab.run_until_down().await;
        Ok(Exit::Success)
    })?
}

/// Boots real routers.
fn up_netns(global: &Global, folder: &Path, secrets: &SecretPlaces, output: &Output) -> Result<Exit, Failure> {
    let missing = netns::missing();
    if !missing.is_empty() {
        return Err(Failure::of_input(anyhow!("a lab of real routers needs: {}", missing.join(", "))));
    }
    let Some((project, compiled, secrets)) = compile(global, secrets, output)? else { return Ok(Exit::Findings) };
    let begun = Instant::now();
    let lab = netns::Lab::up(&netns_topology(&project, &compiled, &secrets)?, folder)?;
    output.say(format!(
        "{} routers are up after {:.1} s, bare; `weft run` brings the network up",
        lab.status()?.nodes.len(),
        begun.elapsed().as_secs_f64()
    ));
    Ok(Exit::Success)
}

fn netns_topology(
    project: &Project,
    compiled: &Compiled,
    secrets: &SecretStore,
) -> Result<netns::LabTopology, Failure> {
    let loopback = weft_model::InterfaceName::loopback();
    let ports = |config: &weft_device::config::DeviceConfig| {
        config.interfaces.keys().filter(|name| **name != loopback).cloned().collect::<BTreeSet<_>>()
    };
    let mut devices = BTreeMap::new();
    for (name, config) in &compiled.configs {
        let management = *compiled.allocations.management.get(name).ok_or_else(|| {
            Failure::of_input(anyhow!(
                "{name} has no management address: a lab needs a pool with the purpose `management`"
            ))
        })?;
        let ospf = config.ospf.iter().flat_map(|ospf| ospf.families.iter().copied()).collect();
        let device = netns::NetnsDevice { pack: config.pack.clone(), management, interfaces: ports(config), ospf };
        devices.insert(name.clone(), device);
    }
    let mut external_routers = BTreeMap::new();
    for (name, config) in &compiled.external.configs {
        let pack = project
            .packs
            .get(netns::EXTERNAL_PACK)
            .ok_or_else(|| anyhow!("the external router {name} needs the pack `{}`", netns::EXTERNAL_PACK))?;
        let (rendered, findings) = pack.render(config);
        let rendered = rendered.ok_or_else(|| anyhow!("render the external router {name}: {findings:?}"))?;
        let mut files = BTreeMap::new();
        for (file, content) in rendered.files {
            let text = weft_ssh::reveal(&content.text, secrets).map_err(Failure::of_input)?;
            files.insert(file, text.to_string());
        }
        let router = netns::ExternalRouter { pack: pack.name().clone(), interfaces: ports(config), files };
        external_routers.insert(name.clone(), router);
    }
    let mut cables: Vec<_> = project.network.links().map(|link| link.ends.clone()).collect();
    cables.extend(compiled.external.cables.iter().cloned());
    let hosts = weft_compile::hosts(&project.intents, &project.network, &compiled.allocations);
    let hosts = hosts
        .into_iter()
        .map(|host| {
            let name: NodeName = host.name.parse()?;
            let ipv6 = host.ipv6.map(|HostAddress { address, gateway }| netns::HostAddress { address, gateway });
            Ok(netns::LabHost { name, port: host.port, address: host.address, gateway: host.gateway, ipv6 })
        })
        .collect::<anyhow::Result<_>>()?;
    // Two labs on one machine need two names.
    let name = format!("weft{}", std::process::id());
    Ok(netns::LabTopology { name, devices, external_routers, cables, hosts })
}

fn status(running: &Running, output: &Output) -> Result<Exit, Failure> {
    let mut text = String::new();
    match running {
        Running::Emulated(client) => {
            let status = client.status()?;
            if output.format == Format::Json {
                output.result(serde_json::to_string_pretty(&status)?);
                return Ok(Exit::Success);
            }
            text += &format!("emulated, process {}\n", status.pid);
            for (name, device) in &status.devices {
                let address = device.address.map_or_else(|| "external".to_owned(), |address| address.to_string());
                let state = match (device.on, device.reachable) {
                    (false, _) => "off",
                    (true, false) => "no SSH",
                    (true, true) => "up",
                };
                let sessions = format!("{}/{} sessions", device.established, device.neighbors);
                text += &format!("{name:<16} {address:<22} {state:<8} {sessions:<16} {}\n", device.transaction);
            }
            text += &faults(&status.faults);
        }
        Running::Netns(lab) => {
            let status = lab.status()?;
            text += &format!("netns, {}\n", status.name);
            for (name, node) in &status.nodes {
                let address = node.management.map_or_else(|| "external".to_owned(), |address| address.to_string());
                let dead: Vec<&str> =
                    node.daemons.iter().filter(|(_, alive)| !**alive).map(|(daemon, _)| *daemon).collect();
                let state = match (node.running, dead.is_empty()) {
                    (false, _) => "off".to_owned(),
                    (true, true) => "up".to_owned(),
                    (true, false) => format!("dead: {}", dead.join(", ")),
                };
                text += &format!("{name:<16} {:<6} {address:<16} {state}\n", node.pack);
            }
            text += &faults(&status.faults);
        }
    }
    output.result(text);
    Ok(Exit::Success)
}

fn faults(faults: &BTreeSet<Fault>) -> String {
    faults.iter().map(|fault| format!("fault: {fault}\n")).collect()
}

fn exec(running: &Running, device: &str, command: &[String], output: &Output) -> Result<Exit, Failure> {
    match running {
        Running::Emulated(client) => {
            let executed = client.exec(device, &command.join(" ")).map_err(Failure::of_input)?;
            output.result(&executed.output);
            Ok(if executed.failed { Exit::Findings } else { Exit::Success })
        }
        Running::Netns(lab) => {
            let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
            let status = lab.command(device, &arguments).map_err(Failure::of_input)?.status()?;
            Ok(if status.success() { Exit::Success } else { Exit::Findings })
        }
    }
}
