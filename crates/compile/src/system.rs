//! Compiles Baseline intents into servers and accounts.

use std::{collections::BTreeMap, net::IpAddr};

use weft_device::config::{Banner, Server, Snmp, SnmpCommunity, SshKey, SshServer, System, User};
use weft_intent::{Intent, spec::BaselineSpec};
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
            for (index, server) in baseline.spec.syslog.servers.iter().enumerate() {
                let source = baseline.source_at(&format!("/spec/syslog/servers/{index}"));
                add_server(&mut system.syslog_servers, *server, source);
            }
            if let Some(text) = &baseline.spec.banner {
                let source = baseline.source_at("/spec/banner");
                let banner = system
                    .banner
                    .get_or_insert_with(|| Banner { text: text.clone(), provenance: Provenance::default() });
                banner.provenance.sources.insert(source);
            }
            ssh_server(&mut system.ssh, baseline);
            snmp(&mut system.snmp, baseline);
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

/// Adds what a baseline says of the SSH server. Two that say different things were refused before.
fn ssh_server(ssh: &mut SshServer, baseline: &Intent<BaselineSpec>) {
    let spec = &baseline.spec.ssh;
    let mut add = |given: bool, field: &str| {
        if given {
            let source = baseline.source_at(&format!("/spec/ssh/{field}"));
            ssh.provenance.sources.insert(source.clone());
            ssh.provenance.leaves.entry(field.to_owned()).or_default().insert(source);
        }
    };
    add(spec.password_authentication.is_some(), "password_authentication");
    add(spec.idle_timeout_seconds.is_some(), "idle_timeout_seconds");
    add(spec.maximum_startups.is_some(), "maximum_startups");
    ssh.password_authentication = ssh.password_authentication.or(spec.password_authentication);
    ssh.idle_timeout_seconds = ssh.idle_timeout_seconds.or(spec.idle_timeout_seconds);
    ssh.maximum_startups = ssh.maximum_startups.or(spec.maximum_startups);
}

/// Adds what a baseline says of SNMP; communities are joined.
fn snmp(snmp: &mut Option<Snmp>, baseline: &Intent<BaselineSpec>) {
    let Some(spec) = &baseline.spec.snmp else { return };
    let snmp = snmp.get_or_insert_with(|| Snmp {
        communities: Vec::new(),
        location: None,
        contact: None,
        provenance: Provenance::default(),
    });
    snmp.provenance.sources.insert(baseline.source_at("/spec/snmp"));
    for (index, community) in spec.communities.iter().enumerate() {
        let source = baseline.source_at(&format!("/spec/snmp/communities/{index}"));
        match snmp.communities.iter_mut().find(|known| known.community == community.snmp_community) {
            Some(known) => {
                known.provenance.sources.insert(source);
                let new = community.clients.iter().filter(|client| !known.clients.contains(client)).copied();
                let new: Vec<_> = new.collect();
                known.clients.extend(new);
            }
            None => snmp.communities.push(SnmpCommunity {
                community: community.snmp_community.clone(),
                clients: community.clients.clone(),
                provenance: Provenance::from(source),
            }),
        }
    }
    snmp.location = snmp.location.take().or_else(|| spec.location.clone());
    snmp.contact = snmp.contact.take().or_else(|| spec.contact.clone());
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
