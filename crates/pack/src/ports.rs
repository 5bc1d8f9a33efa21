//! Port lists of platforms: `swp{1..16}` stands for sixteen ports.

use weft_model::{InterfaceName, Platform};

use crate::manifest::PlatformManifest;

/// The most ports that one range may stand for.
const MOST: u32 = 1024;

/// What is wrong with a list, and the JSON pointer to it from the platform.
type Wrong = (String, String);

/// Returns a platform's ports, or what is wrong with its lists.
pub(crate) fn platform(manifest: &PlatformManifest) -> Result<Platform, Wrong> {
    let ports = expand_all("ports", &manifest.ports, |_| Ok(()))?;
    let uplinks = expand_all("uplinks", &manifest.uplinks, |uplink| {
        if ports.contains(uplink) { Ok(()) } else { Err(format!("the uplink `{uplink}` is not one of the ports")) }
    })?;
    Ok(Platform { ports, uplinks })
}

fn expand_all(
    list: &str,
    entries: &[String],
    check: impl Fn(&InterfaceName) -> Result<(), String>,
) -> Result<Vec<InterfaceName>, Wrong> {
    let mut ports = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let wrong = |reason: String| (format!("/{list}/{index}"), reason);
        for name in expand(entry).map_err(wrong)? {
            let port: InterfaceName = name.parse().map_err(|error| wrong(format!("{error}")))?;
            check(&port).map_err(wrong)?;
            if ports.contains(&port) {
                return Err(wrong(format!("the port `{port}` is named twice")));
            }
            ports.push(port);
        }
    }
    Ok(ports)
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
        let lists =
            |ports: &str, uplink: &str| PlatformManifest { ports: vec![ports.into()], uplinks: vec![uplink.into()] };
        assert!(platform(&lists("swp{1..4}", "swp{3..4}")).is_ok());
        assert!(platform(&lists("swp{1..4}", "swp5")).unwrap_err().1.contains("swp5"));
    }
}
