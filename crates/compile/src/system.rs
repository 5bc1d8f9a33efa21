//! Compiles Baseline intents into servers and accounts.

use std::{collections::BTreeMap, net::IpAddr};

use weft_device::config::{Server, SshKey, SshServer, System, User};
use weft_model::{Node, Provenance, Source};

use crate::device::Compiler;

impl Compiler<'_> {
    /// Returns the services and accounts of a node. What several baselines ask for is there once, with all its sources.
    pub(crate) fn system(&self, node: &Node) -> System {
        let mut system = System {
            hostname: node.name.clone(),
            ntp_servers: Vec::new(),
            dns_servers: Vec::new(),
            syslog_servers: Vec::new(),
            banner: None,
            ssh: SshServer::default(),
            snmp: None,
            users: BTreeMap::new(),
            provenance: Provenance::from(node.source.clone()),
        };
        for baseline in &self.selection.of(&node.name).baselines {
            for (index, server) in baseline.spec.ntp.servers.iter().enumerate() {
                let source = baseline.source_at(&format!("/spec/ntp/servers/{index}"));
                add_server(&mut system.ntp_servers, *server, source);
            }
            for (index, server) in baseline.spec.dns.servers.iter().enumerate() {
                let source = baseline.source_at(&format!("/spec/dns/servers/{index}"));
                add_server(&mut system.dns_servers, *server, source);
            }
            for (index, account) in baseline.spec.users.iter().enumerate() {
                let source = baseline.source_at(&format!("/spec/users/{index}"));
                let user = system
                    .users
                    .entry(account.name.clone())
                    .or_insert_with(|| User { ssh_keys: Vec::new(), provenance: Provenance::default() });
                user.provenance.sources.insert(source);
                for key in account.ssh_keys.iter().map(|line| ssh_key(line)) {
                    if !user.ssh_keys.contains(&key) {
                        user.ssh_keys.push(key);
                    }
                }
            }
        }
        system
    }
}

fn add_server(servers: &mut Vec<Server>, address: IpAddr, source: Source) {
    match servers.iter_mut().find(|server| server.address == address) {
        Some(server) => _ = server.provenance.sources.insert(source),
        None => servers.push(Server { address, provenance: Provenance::from(source) }),
    }
}

/// Splits a line of an `authorized_keys` file without options into its three parts.
fn ssh_key(line: &str) -> SshKey {
    let mut rest = line.trim();
    let mut next = || {
        let (word, tail) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        rest = tail.trim_start();
        word.to_owned()
    };
    let (algorithm, key) = (next(), next());
    SshKey { algorithm, key, comment: rest.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_three_parts_and_the_comment_may_have_spaces() {
        let key = ssh_key("ssh-ed25519  AAAA\t net ops@example.net ");
        assert_eq!([&*key.algorithm, &*key.key, &*key.comment], ["ssh-ed25519", "AAAA", "net ops@example.net"]);
        assert_eq!(ssh_key("ssh-ed25519 AAAA").comment, "");
    }
}
