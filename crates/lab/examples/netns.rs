//! A small real lab to try things on: two spines and three leaves, of which one runs BIRD, an external router and two hosts.
//!
//! ```text
//! cargo run -p weft-lab --example netns -- up DIR            # bare routers, /run/netns/try-*
//! cargo run -p weft-lab --example netns -- up-intents DIR intents device-templates   # the network of these intents
//! cargo run -p weft-lab --example netns -- exec DIR NODE COMMAND ...
//! cargo run -p weft-lab --example netns -- fault DIR 'link-down leaf-01:swp1'
//! cargo run -p weft-lab --example netns -- heal DIR 'link-down leaf-01:swp1'
//! cargo run -p weft-lab --example netns -- status DIR
//! cargo run -p weft-lab --example netns -- down DIR
//! ```
//! `up DIR NAME` calls the namespaces `NAME-*`, so that several run side by side. To log in:
//! `ip netns exec try-mgmt ssh -i DIR/id_ed25519 -o UserKnownHostsFile=DIR/known_hosts root@10.255.0.11`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    path::Path,
    process::ExitCode,
};

use weft_compile::Allocations;
use weft_intent::SourceFile;
use weft_lab::netns::{EXTERNAL_PACK, ExternalRouter, Fault, Lab, LabHost, LabTopology, NetnsDevice};
use weft_model::{Catalogue, NodeName, PackName, TerminationPoint};
use weft_pack::Pack;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("netns: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<ExitCode, Box<dyn Error>> {
    match words {
        ["up", dir, rest @ ..] => {
            up(&small_fabric(rest.first().unwrap_or(&"try"))?, dir)?;
        }
        ["up-intents", dir, intents, templates, rest @ ..] => {
            up(&of_intents(rest.first().unwrap_or(&"try"), Path::new(intents), Path::new(templates))?, dir)?;
        }
        ["down", dir] => Lab::attach(Path::new(dir))?.down()?,
        ["status", dir] => {
            let status = Lab::attach(Path::new(dir))?.status()?;
            for (name, node) in &status.nodes {
                let dead: Vec<_> = node.daemons.iter().filter(|(_, runs)| !**runs).map(|(name, _)| *name).collect();
                println!("{name}: {} running={} ssh={} dead={dead:?}", node.pack, node.running, node.ssh);
            }
            for fault in &status.faults {
                println!("fault: {fault}");
            }
        }
        ["exec", dir, node, argv @ ..] => {
            let status = Lab::attach(Path::new(dir))?.command(node, argv)?.status()?;
            return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        ["fault", dir, fault] => Lab::attach(Path::new(dir))?.inject(&fault.parse()?)?,
        ["heal", dir, "all"] => Lab::attach(Path::new(dir))?.heal_all()?,
        ["heal", dir, fault] => Lab::attach(Path::new(dir))?.heal(&fault.parse()?)?,
        _ => {
            eprintln!(
                "usage: netns up DIR [NAME] | up-intents DIR INTENTS TEMPLATES [NAME] | down DIR | status DIR | exec DIR NODE COMMAND ... | fault DIR FAULT | heal DIR FAULT|all"
            );
            eprintln!("faults: {}", Fault::FORMS.join(", "));
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn up(topology: &LabTopology, dir: &str) -> Result<(), Box<dyn Error>> {
    let start = std::time::Instant::now();
    Lab::up(topology, Path::new(dir))?;
    println!(
        "{} routers and {} hosts up in {:.1} s",
        topology.devices.len() + topology.external_routers.len(),
        topology.hosts.len(),
        start.elapsed().as_secs_f32()
    );
    Ok(())
}

/// Returns the lab of the network that intents describe. Mistakes in them are for `weft validate` to explain.
fn of_intents(name: &str, intents: &Path, templates: &Path) -> Result<LabTopology, Box<dyn Error>> {
    let mut sources = Vec::new();
    for (path, text) in texts(intents)? {
        if path.ends_with(".yaml") && !path.ends_with(".lock.yaml") {
            sources.push(SourceFile { path: path.into(), text: text.into() });
        }
    }
    let mut packs = BTreeMap::new();
    for entry in fs::read_dir(templates)? {
        let folder = entry?.path();
        let name = folder.file_name().and_then(|name| name.to_str()).ok_or("a folder has no name")?;
        if let (Some(pack), _) = Pack::load(name.parse()?, &texts(&folder)?) {
            packs.insert(name.parse::<PackName>()?, pack);
        }
    }
    let catalogue: Catalogue = packs.iter().map(|(name, pack)| (name.clone(), pack.description())).collect();
    let (intents, _) = weft_intent::load(&sources);
    let (network, findings) = weft_intent::validate(&intents, &catalogue);
    for finding in &findings {
        eprintln!("{}: {}", finding.code.id(), finding.message);
    }
    let (allocations, _) = weft_compile::allocate(&intents, &network, &Allocations::default());
    let external = weft_compile::external_routers(&intents, &network, &allocations);
    let mut cables = external.cables.clone();
    cables.extend(network.links().map(|link| link.ends.clone()));
    let hosts = weft_compile::hosts(&intents, &network, &allocations);
    let ends: Vec<&TerminationPoint> = cables.iter().flatten().chain(hosts.iter().map(|host| &host.port)).collect();
    let interfaces = |node: &NodeName| {
        ends.iter().filter(|end| end.node == *node).map(|end| end.interface.clone()).collect::<BTreeSet<_>>()
    };
    let mut topology = LabTopology { name: name.to_owned(), ..LabTopology::default() };
    for node in network.nodes() {
        let management = *allocations.management.get(&node.name).ok_or("a node has no management address")?;
        let ospf = BTreeSet::new();
        let device = NetnsDevice { pack: node.pack.clone(), management, interfaces: interfaces(&node.name), ospf };
        topology.devices.insert(node.name.clone(), device);
    }
    for (name, config) in &external.configs {
        let pack = packs.get(EXTERNAL_PACK).ok_or("an external router has no pack")?;
        let rendered = pack.render(config).0.ok_or("an external router is not rendered")?;
        let files = rendered.files.into_iter().map(|(name, file)| (name, file.text)).collect();
        let router = ExternalRouter { pack: pack.name().clone(), interfaces: interfaces(name), files };
        topology.external_routers.insert(name.clone(), router);
    }
    for host in &hosts {
        topology.hosts.push(LabHost {
            name: host.name.parse()?,
            port: host.port.clone(),
            address: host.address,
            gateway: host.gateway,
            ipv6: None,
        });
    }
    topology.cables = cables;
    Ok(topology)
}

/// Returns the texts of a folder and the folders in it, by path within it.
fn texts(folder: &Path) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let mut texts = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("a file has no name")?.to_owned();
        if path.is_dir() {
            texts.extend(self::texts(&path)?.into_iter().map(|(inner, text)| (format!("{name}/{inner}"), text)));
        } else {
            texts.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(texts)
}

fn small_fabric(name: &str) -> Result<LabTopology, Box<dyn Error>> {
    let ports = |names: &[&str]| names.iter().map(|name| name.parse()).collect::<Result<_, _>>();
    let mut devices = BTreeMap::new();
    for (number, (node, pack)) in
        [("spine-01", "frr"), ("spine-02", "frr"), ("leaf-01", "frr"), ("leaf-02", "frr"), ("leaf-03", "bird")]
            .into_iter()
            .enumerate()
    {
        let device = NetnsDevice {
            pack: pack.parse()?,
            management: std::net::IpAddr::from([10, 255, 0, 11 + number as u8]),
            interfaces: ports(&["swp1", "swp2", "swp3", "swp4"])?,
            ospf: BTreeSet::new(),
        };
        devices.insert(node.parse::<NodeName>()?, device);
    }
    let frr_conf = "hostname transit\n\
        interface eth1\n ip address 192.0.2.0/31\n!\n\
        ip route 198.51.100.0/24 blackhole\n\
        router bgp 64500\n no bgp ebgp-requires-policy\n neighbor 192.0.2.1 remote-as external\n \
        address-family ipv4 unicast\n  network 198.51.100.0/24\n exit-address-family\n!\n";
    let transit = ExternalRouter {
        pack: "frr".parse()?,
        interfaces: ports(&["eth1"])?,
        files: [("frr.conf".to_owned(), frr_conf.to_owned())].into(),
    };
    let mut cables = vec![[end("leaf-01:swp4")?, end("transit:eth1")?]];
    for leaf in 1..=3 {
        for spine in 1..=2 {
            cables.push([end(&format!("leaf-0{leaf}:swp{spine}"))?, end(&format!("spine-0{spine}:swp{leaf}"))?]);
        }
    }
    let host = |name: &str, port: &str, subnet: u8| -> Result<LabHost, Box<dyn Error>> {
        Ok(LabHost {
            name: name.parse()?,
            port: end(port)?,
            address: format!("10.20.{subnet}.2/24").parse()?,
            gateway: format!("10.20.{subnet}.1").parse()?,
            ipv6: None,
        })
    };
    Ok(LabTopology {
        name: name.to_owned(),
        devices,
        external_routers: [("transit".parse()?, transit)].into(),
        cables,
        hosts: vec![host("host-01", "leaf-01:swp3", 1)?, host("host-03", "leaf-03:swp3", 3)?],
    })
}

fn end(text: &str) -> Result<TerminationPoint, Box<dyn Error>> {
    let (node, interface) = text.split_once(':').ok_or("a port is written NODE:PORT")?;
    Ok(TerminationPoint { node: node.parse()?, interface: interface.parse()? })
}
