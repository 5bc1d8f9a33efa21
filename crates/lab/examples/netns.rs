//! A small real lab to try things on: two spines and three leaves, of which one runs BIRD, an external router and two hosts.
//!
//! ```text
//! cargo run -p weft-lab --example netns -- up DIR            # bare routers, /run/netns/try-*
//! cargo run -p weft-lab --example netns -- exec DIR NODE COMMAND ...
//! cargo run -p weft-lab --example netns -- fault DIR 'link-down leaf-01:swp1'
//! cargo run -p weft-lab --example netns -- heal DIR 'link-down leaf-01:swp1'
//! cargo run -p weft-lab --example netns -- status DIR
//! cargo run -p weft-lab --example netns -- down DIR
//! ```
//! `up DIR NAME` calls the namespaces `NAME-*`, so that several run side by side. To log in:
//! `ip netns exec try-mgmt ssh -i DIR/id_ed25519 -o UserKnownHostsFile=DIR/known_hosts root@10.255.0.11`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{collections::BTreeMap, error::Error, path::Path, process::ExitCode};

use weft_lab::netns::{ExternalRouter, Fault, Lab, LabHost, LabTopology, NetnsDevice};
use weft_model::{NodeName, TerminationPoint};

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
            let start = std::time::Instant::now();
            let topology = small_fabric(rest.first().unwrap_or(&"try"))?;
            Lab::up(&topology, Path::new(dir))?;
            println!("{} routers up in {:.1} s", topology.devices.len() + topology.external_routers.len(), start.elapsed().as_secs_f32());
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
            eprintln!("usage: netns up DIR [NAME] | down DIR | status DIR | exec DIR NODE COMMAND ... | fault DIR FAULT | heal DIR FAULT|all");
            eprintln!("faults: {}", Fault::FORMS.join(", "));
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
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
