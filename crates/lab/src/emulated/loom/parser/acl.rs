//! Entries of loom's access lists.

use std::str::FromStr;

use weft_device::config::{AclAction, AclEntry, IpProtocol};
use weft_model::{Name, Provenance};

/// Reads `SEQUENCE ACTION name NAME [source P,P] [destination P,P] [protocol P] [ports N,N-N] [log]`.
///
/// # Errors
/// Returns what is wrong with it.
pub(super) fn entry(sequence: &str, action: &str, name: &str, rest: &[&str]) -> Result<AclEntry, String> {
    let mut entry = AclEntry {
        sequence: one(sequence)?,
        name: one::<Name>(name)?,
        action: self::action(action)?,
        sources: Vec::new(),
        destinations: Vec::new(),
        protocol: None,
        destination_ports: Vec::new(),
        log: false,
        provenance: Provenance::default(),
    };
    let mut rest = rest;
    loop {
        rest = match rest {
            [] => break,
            ["source", prefixes, rest @ ..] => {
                entry.sources = list(prefixes)?;
                rest
            }
            ["destination", prefixes, rest @ ..] => {
                entry.destinations = list(prefixes)?;
                rest
            }
            ["protocol", protocol, rest @ ..] => {
                entry.protocol = Some(match *protocol {
                    "tcp" => IpProtocol::Tcp,
                    "udp" => IpProtocol::Udp,
                    "icmp" => IpProtocol::Icmp,
                    _ => return Err(format!("`{}` is none of tcp, udp, icmp", protocol.escape_debug())),
                });
                rest
            }
            ["ports", ports, rest @ ..] => {
                entry.destination_ports = list(ports)?;
                rest
            }
            ["log"] => {
                entry.log = true;
                &[]
            }
            [word, ..] => return Err(format!("`{}` is no part of an entry", word.escape_debug())),
        };
    }
    let with_ports = matches!(entry.protocol, Some(IpProtocol::Tcp | IpProtocol::Udp));
    if !entry.destination_ports.is_empty() && !with_ports {
        return Err("only tcp and udp have ports".to_owned());
    }
    Ok(entry)
}

/// Reads what is done with a packet.
///
/// # Errors
/// Returns what is wrong with it.
pub(super) fn action(word: &str) -> Result<AclAction, String> {
    match word {
        "accept" => Ok(AclAction::Accept),
        "drop" => Ok(AclAction::Drop),
        _ => Err(format!("`{}` is neither `accept` nor `drop`", word.escape_debug())),
    }
}

/// Returns what is done with a packet as loom writes it.
pub(in crate::emulated::loom) fn action_word(action: AclAction) -> &'static str {
    match action {
        AclAction::Accept => "accept",
        AclAction::Drop => "drop",
    }
}

fn one<T: FromStr<Err: std::fmt::Display>>(word: &str) -> Result<T, String> {
    word.parse().map_err(|error| format!("`{}`: {error}", word.escape_debug()))
}

fn list<T: FromStr<Err: std::fmt::Display>>(words: &str) -> Result<Vec<T>, String> {
    words.split(',').map(one).collect()
}

/// Returns an entry as loom writes it.
pub(in crate::emulated::loom) fn text(entry: &AclEntry) -> String {
    fn joined<T: ToString>(items: &[T]) -> String {
        items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
    let mut text = format!("entry {} {} name {}", entry.sequence, action_word(entry.action), entry.name);
    if !entry.sources.is_empty() {
        text.push_str(&format!(" source {}", joined(&entry.sources)));
    }
    if !entry.destinations.is_empty() {
        text.push_str(&format!(" destination {}", joined(&entry.destinations)));
    }
    if let Some(protocol) = entry.protocol {
        text.push_str(match protocol {
            IpProtocol::Tcp => " protocol tcp",
            IpProtocol::Udp => " protocol udp",
            IpProtocol::Icmp => " protocol icmp",
        });
    }
    if !entry.destination_ports.is_empty() {
        text.push_str(&format!(" ports {}", joined(&entry.destination_ports)));
    }
    if entry.log {
        text.push_str(" log");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_written_as_it_was_read() {
        for line in [
            "entry 10 accept name clients source 203.0.113.0/24,2001:db8::/48 destination 10.20.0.0/16 protocol tcp ports 5432,8000-8100 log",
            "entry 20 drop name rest",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let ["entry", sequence, action, "name", name, ref rest @ ..] = words[..] else { panic!("{line}") };
            assert_eq!(text(&entry(sequence, action, name, rest).unwrap()), line);
        }
        assert!(entry("10", "accept", "x", &["ports", "80"]).is_err());
        assert!(entry("10", "permit", "x", &[]).is_err());
        assert!(entry("10", "accept", "x", &["log", "source", "any"]).is_err());
    }
}
