//! Port lists of platforms: `swp{1..16}` stands for sixteen ports.

use std::collections::BTreeMap;

use weft_model::{InterfaceName, Platform};

use crate::manifest::{DescribedPorts, PlatformManifest, PortsManifest};

/// The most ports that one range may stand for.
const MOST: u32 = 1024;

/// What is wrong with a list, and the JSON pointer to it from the platform.
type Wrong = (String, String);

/// Returns a platform's ports, or what is wrong with its lists.
pub(crate) fn platform(manifest: &PlatformManifest) -> Result<Platform, Wrong> {
    let (mut ports, mut speeds, mut mtus) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for (index, entry) in manifest.ports.iter().enumerate() {
        let (names, speed, mtu) = match entry {
            PortsManifest::Names(names) => (names, None, None),
            PortsManifest::Described(DescribedPorts { names, speed, mtu }) => (names, *speed, *mtu),
        };
        let before = ports.len();
        add(&mut ports, names, |_| Ok(())).map_err(|reason| (format!("/ports/{index}"), reason))?;
        let added = &ports[before..];
        speeds.extend(speed.into_iter().flat_map(|speed| added.iter().map(move |port| (port.clone(), speed))));
        mtus.extend(mtu.into_iter().flat_map(|mtu| added.iter().map(move |port| (port.clone(), mtu))));
    }
    let mut uplinks = Vec::new();
    for (index, entry) in manifest.uplinks.iter().enumerate() {
        let known = |uplink: &InterfaceName| {
            if ports.contains(uplink) { Ok(()) } else { Err(format!("the uplink `{uplink}` is not one of the ports")) }
        };
        add(&mut uplinks, entry, known).map_err(|reason| (format!("/uplinks/{index}"), reason))?;
    }
    Ok(Platform { ports, uplinks, speeds, mtus })
}

/// Adds the ports that an entry stands for.
fn add(
    ports: &mut Vec<InterfaceName>,
    entry: &str,
    check: impl Fn(&InterfaceName) -> Result<(), String>,
) -> Result<(), String> {
    for name in expand(entry)? {
        let port: InterfaceName = name.parse().map_err(|error| format!("{error}"))?;
        check(&port)?;
        if ports.contains(&port) {
            return Err(format!("the port `{port}` is named twice"));
        }
        ports.push(port);
    }
    Ok(())
}

fn expand(entry: &str) -> Result<Vec<String>, String> {
    let Some((prefix, rest)) = entry.split_once('{') else { return Ok(vec![entry.to_owned()]) };
    let range = rest.split_once('}').and_then(|(range, suffix)| {
        let (first, last) = range.split_once("..")?;
        Some((first.parse::<u32>().ok()?, last.parse::<u32>().ok()?, suffix))
    });
    match range {
        Some((first, last, suffix)) if first <= last && last - first < MOST => {
            Ok((first..=last).map(|number| format!("{prefix}{number}{suffix}")).collect())
        }
        _ => Err(format!("`{entry}` is not a range of ports: write `swp{{1..16}}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_stands_for_its_ports() {
        assert_eq!(expand("swp{9..11}").unwrap(), ["swp9", "swp10", "swp11"]);
        assert_eq!(expand("Ethernet{1..2}/1").unwrap(), ["Ethernet1/1", "Ethernet2/1"]);
        assert_eq!(expand("mgmt").unwrap(), ["mgmt"]);
        for bad in ["swp{3..1}", "swp{1-3}", "swp{1..", "swp{0..99999}"] {
            assert!(expand(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_uplink_is_a_port() {
        let lists = |ports: &str, uplink: &str| PlatformManifest {
            ports: vec![PortsManifest::Names(ports.into())],
            uplinks: vec![uplink.into()],
        };
        assert!(platform(&lists("swp{1..4}", "swp{3..4}")).is_ok());
        assert!(platform(&lists("swp{1..4}", "swp5")).unwrap_err().1.contains("swp5"));
    }

    #[test]
    fn ports_have_what_is_said_of_them() {
        let manifest: PlatformManifest = serde_json::from_value(serde_json::json!({
            "ports": ["mgmt", { "names": "swp{1..2}", "speed": "25G", "mtu": 9000 }, { "names": "swp3", "speed": "100G" }],
            "uplinks": ["swp3"],
        }))
        .unwrap();
        let platform = platform(&manifest).unwrap();
        assert_eq!(platform.ports.len(), 4);
        let speeds: Vec<String> = platform.speeds.iter().map(|(port, speed)| format!("{port} {speed}")).collect();
        assert_eq!(speeds, ["swp1 25G", "swp2 25G", "swp3 100G"]);
        let mtus: Vec<String> = platform.mtus.iter().map(|(port, mtu)| format!("{port} {mtu}")).collect();
        assert_eq!(mtus, ["swp1 9000", "swp2 9000"]);
    }
}
