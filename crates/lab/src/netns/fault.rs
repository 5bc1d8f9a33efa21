//! What can be broken on purpose, and how it is repaired.

use std::{
    fmt,
    path::Path,
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use weft_model::{NodeName, TerminationPoint};

use super::{
    LabError,
    lab::running,
    links, router,
    run::ip_batch,
    state::{Container, KernelEnd, State},
};

/// How long something that was asked for inside a router may take to be so.
const LIMIT: Duration = Duration::from_secs(10);

/// Something that is broken. As text: its name, then what is broken, such as `link-down b1-leaf-01:swp1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Fault {
    /// `link-down NODE:PORT`: the ports at both ends of a cable are shut, as by hand, and lose their carrier. A push that sets
    /// the ports as they should be opens them again.
    LinkDown(TerminationPoint),
    /// `silent-drop NODE:PORT`: the cable delivers nothing in either direction, and both ends look well.
    SilentDrop(TerminationPoint),
    /// `node-down NODE`: a router has no power. When it gets it back it boots from its disk, without what was not saved.
    NodeDown(NodeName),
    /// `ssh-cut NODE`: the SSH server and all its sessions are killed. What runs in the sessions goes on.
    SshCut(NodeName),
    /// `management-down NODE`: the cable of the management port is cut.
    ManagementDown(NodeName),
    /// `reject-line NODE PATTERN`: the routing suite refuses each line that matches the POSIX extended regular expression, as
    /// a version of it would that does not know the line.
    RejectLine {
        /// The router.
        node: NodeName,
        /// The regular expression.
        pattern: String,
    },
    /// `management-lost-after-apply NODE`: the next change of the configuration of the routing suite takes the management
    /// port down, until the change is undone. One change, once.
    ManagementLostAfterApply(NodeName),
    /// `daemon-dead NODE DAEMON`: a routing daemon is killed, and started again by the repair.
    DaemonDead {
        /// The router.
        node: NodeName,
        /// The daemon, such as `bgpd`.
        daemon: String,
    },
    /// `refuse-command NODE PATTERN`: commands of those who log in fail when they match the regular expression.
    RefuseCommand {
        /// The router.
        node: NodeName,
        /// The regular expression.
        pattern: String,
    },
    /// `login-refused NODE`: the SSH server takes nobody's key. Sessions that are open go on.
    LoginRefused(NodeName),
    /// `disk-full NODE`: nothing more can be written to the disk.
    DiskFull(NodeName),
    /// `disk-read-only NODE`: what lies on the disk can be read and not written, as the kernel leaves it after an error. A power
    /// cycle ends it.
    DiskReadOnly(NodeName),
}

/// Why a text is not a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a fault: {reason}", text.escape_debug())]
pub struct InvalidFault {
    text: String,
    reason: String,
}

impl Fault {
    /// The forms of a fault as text, for help pages.
    pub const FORMS: [&'static str; 12] = [
        "link-down NODE:PORT",
        "silent-drop NODE:PORT",
        "node-down NODE",
        "ssh-cut NODE",
        "management-down NODE",
        "reject-line NODE PATTERN",
        "management-lost-after-apply NODE",
        "daemon-dead NODE DAEMON",
        "refuse-command NODE PATTERN",
        "login-refused NODE",
        "disk-full NODE",
        "disk-read-only NODE",
    ];

    /// Breaks it.
    pub(super) fn inject(&self, state: &mut State) -> Result<(), LabError> {
        if state.faults.contains(self) {
            return Ok(());
        }
        match self {
            Self::LinkDown(port) => cut_link(&state.cable_at(port)?, state),
            Self::SilentDrop(port) => state.cable_at(port)?.iter().try_for_each(|end| {
                router::nft(
                    &end.namespace,
                    &format!(
                        "table netdev {} {{\n chain discard {{\n  type filter hook ingress device \"{}\" priority -500;\n  \
                         drop;\n }}\n}}\n",
                        drop_table(end),
                        end.interface
                    ),
                )
            }),
            Self::NodeDown(node) => {
                if let Some(container) = state.router(node.as_str())?.container {
                    router::end(node.as_str(), &container)?;
                }
                if let Some(router) = state.routers.get_mut(node) {
                    router.container = None;
                }
                // The management port looks dead from outside, too.
                links::forget(state.router(node.as_str())?)
            }
            Self::SshCut(node) => cut_ssh(node, state),
            Self::ManagementDown(node) => set_management(node, state, "down"),
            Self::RejectLine { node, pattern } => control(node, state, &["refuse", pattern]),
            Self::ManagementLostAfterApply(node) => {
                management_port(node, state)?;
                control(node, state, &["arm-loss"])?;
                let container = running(state, node.as_str())?;
                wait_for(&format!("watching the configuration of {node}"), || {
                    inside(&container, "/run/weft-lab/loss.pid").is_some()
                })
            }
            Self::DaemonDead { node, daemon } => {
                known_daemon(node, daemon, state)?;
                control(node, state, &["stop", daemon])?;
                let container = running(state, node.as_str())?;
                wait_for(&format!("the end of {daemon} on {node}"), || {
                    !router::process_names(&container).iter().any(|name| name == daemon)
                })
            }
            Self::RefuseCommand { node, pattern } => control(node, state, &["refuse-command", pattern]),
            Self::LoginRefused(node) => {
                management_port(node, state)?;
                control(node, state, &["refuse-login"])
            }
            Self::DiskFull(node) => control(node, state, &["fill-disk"]),
            Self::DiskReadOnly(node) => control(node, state, &["disk", "ro"]),
        }
    }

    /// Repairs it.
    pub(super) fn heal(&self, state: &mut State, init: &Path) -> Result<(), LabError> {
        match self {
            Self::LinkDown(port) => mend_link(&state.cable_at(port)?, state),
            Self::SilentDrop(port) => state
                .cable_at(port)?
                .iter()
                .try_for_each(|end| router::nft(&end.namespace, &format!("delete table netdev {}\n", drop_table(end)))),
            Self::NodeDown(node) => {
                let container = router::boot(node.as_str(), state.router(node.as_str())?, init)?;
                if let Some(router) = state.routers.get_mut(node) {
                    router.container = Some(container);
                }
                after_boot(node, state)
            }
            Self::SshCut(node) => if_running(node, state, &["sshd"]),
            Self::ManagementDown(node) => set_management(node, state, "up"),
            Self::RejectLine { node, .. } => {
                if running(state, node.as_str()).is_err() {
                    return Ok(());
                }
                control(node, state, &["accept"])?;
                self.again(node, state, &|fault| matches!(fault, Self::RejectLine { .. }))
            }
            Self::RefuseCommand { node, .. } => {
                if_running(node, state, &["accept-commands"])?;
                self.again(node, state, &|fault| matches!(fault, Self::RefuseCommand { .. }))
            }
            Self::LoginRefused(node) => if_running(node, state, &["accept-login"]),
            Self::DiskFull(node) => if_running(node, state, &["empty-disk"]),
            Self::DiskReadOnly(node) => if_running(node, state, &["disk", "rw"]),
            Self::ManagementLostAfterApply(node) => if_running(node, state, &["disarm-loss"]),
            Self::DaemonDead { node, daemon } => {
                let Ok(container) = running(state, node.as_str()) else { return Ok(()) };
                if router::process_names(&container).iter().any(|name| name == daemon) {
                    // Somebody else has started it.
                    return Ok(());
                }
                control(node, state, &["daemon", daemon])
            }
        }
    }

    /// Breaks again what the repair of one fault of a kind has repaired of others of the same router.
    fn again(&self, node: &NodeName, state: &State, kind: &dyn Fn(&Self) -> bool) -> Result<(), LabError> {
        let others =
            state.faults.iter().filter(|fault| *fault != self && kind(fault) && running(state, node.as_str()).is_ok());
        others.filter(|fault| fault.node() == Some(node)).try_for_each(|fault| match fault {
            Self::RejectLine { pattern, .. } => control(node, state, &["refuse", pattern]),
            Self::RefuseCommand { pattern, .. } => control(node, state, &["refuse-command", pattern]),
            _ => Ok(()),
        })
    }

    /// Returns the router that it is about; a cable has two.
    fn node(&self) -> Option<&NodeName> {
        match self {
            Self::LinkDown(_) | Self::SilentDrop(_) => None,
            Self::NodeDown(node)
            | Self::SshCut(node)
            | Self::ManagementDown(node)
            | Self::RejectLine { node, .. }
            | Self::ManagementLostAfterApply(node)
            | Self::DaemonDead { node, .. }
            | Self::RefuseCommand { node, .. }
            | Self::LoginRefused(node)
            | Self::DiskFull(node)
            | Self::DiskReadOnly(node) => Some(node),
        }
    }
}

/// Breaks again in a router that has just booted what a reboot repairs by itself and should not.
fn after_boot(node: &NodeName, state: &State) -> Result<(), LabError> {
    for fault in &state.faults {
        match fault {
            Fault::LinkDown(port) => {
                let ends = state.cable_at(port)?;
                if ends.iter().any(|end| end.router.as_ref() == Some(node)) {
                    cut_link(&ends, state)?;
                }
            }
            Fault::SshCut(cut) if cut == node => cut_ssh(node, state)?,
            Fault::RejectLine { node: refusing, pattern } if refusing == node => {
                control(node, state, &["refuse", pattern])?;
            }
            Fault::RefuseCommand { node: refusing, pattern } if refusing == node => {
                control(node, state, &["refuse-command", pattern])?;
            }
            // These live outside of the router or on its disk, or end with a power cycle.
            Fault::SshCut(_)
            | Fault::RejectLine { .. }
            | Fault::RefuseCommand { .. }
            | Fault::LoginRefused(_)
            | Fault::DiskFull(_)
            | Fault::DiskReadOnly(_)
            | Fault::SilentDrop(_)
            | Fault::NodeDown(_)
            | Fault::ManagementDown(_)
            | Fault::ManagementLostAfterApply(_)
            | Fault::DaemonDead { .. } => {}
        }
    }
    Ok(())
}

/// Returns the ends of a cable but those of routers without power.
fn ends_with_power<'e>(ends: &'e [KernelEnd; 2], state: &State) -> Vec<&'e KernelEnd> {
    let has_power = |end: &&KernelEnd| end.router.as_ref().is_none_or(|router| state.is_running(router.as_str()));
    ends.iter().filter(has_power).collect()
}

fn change_port(end: &KernelEnd, change: &str) -> Result<(), LabError> {
    ip_batch("change a link", Some(&end.namespace), &[], &[format!("link set {} {change}", end.interface)])
}

/// Takes both ends of a cable down. A veth has carrier while its other end is up, so that whatever one end does by itself the
/// link stays down.
fn cut_link(ends: &[KernelEnd; 2], state: &State) -> Result<(), LabError> {
    ends_with_power(ends, state).into_iter().try_for_each(|end| change_port(end, "down"))
}

/// Brings both ends of a cable up: first without the link being usable, until the routers have taken note, then usable.
///
/// The kernel tells of a port that comes up in two messages, and only the second says that it can be used. bgpd of FRR 8.4
/// takes the first for the port going down, and hears of it twice, over two sockets. A router advertisement of the neighbor
/// that gets between them is forgotten with the port, zebra does not tell of it again, and a session without addresses stays
/// idle until the next time that the link fails. A real cable does not do that: its port stays up, only carrier goes and comes.
fn mend_link(ends: &[KernelEnd; 2], state: &State) -> Result<(), LabError> {
    let is_frr = |end: &&KernelEnd| {
        let router = end.router.as_ref().and_then(|router| state.routers.get(router));
        router.is_some_and(|router| router.pack.as_str() == "frr")
    };
    // FRR first: the others, which do not wait for the link to be usable, are heard when it is settled.
    let (mut ends, others): (Vec<_>, Vec<_>) = ends_with_power(ends, state).into_iter().partition(is_frr);
    ends.extend(others);
    for end in &ends {
        change_port(end, "mode dormant up")?;
        if let Some(router) = &end.router {
            let container = running(state, router.as_str())?;
            wait_for(&format!("{router} to take note of its port"), || netlink_is_read(&container))?;
        }
    }
    ends.iter().try_for_each(|end| change_port(end, "state UP mode default"))?;
    // A host lost its default routes and its IPv6 address with its link.
    for host in state.hosts.values().filter(|host| ends.iter().any(|end| end.namespace == host.namespace)) {
        ip_batch("change a link", Some(&host.namespace), &[], &links::host_lines(host))?;
    }
    Ok(())
}

/// Tells whether the processes of a router have read all that the kernel told them (`proc_pid_net(5)`: `Rmem` is what waits in
/// a netlink socket, in bytes).
fn netlink_is_read(container: &Container) -> bool {
    let table = std::fs::read_to_string(format!("/proc/{}/net/netlink", container.init.pid)).unwrap_or_default();
    table.lines().skip(1).all(|line| line.split_whitespace().nth(4).is_none_or(|waiting| waiting == "0"))
}

fn drop_table(end: &KernelEnd) -> String {
    let interface: String = end.interface.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("weft_lab_{interface}")
}

fn management_port(node: &NodeName, state: &State) -> Result<String, LabError> {
    let management = state.router(node.as_str())?.management.as_ref();
    management.map(|management| management.port.clone()).ok_or_else(|| LabError::NotManaged(node.to_string()))
}

fn set_management(node: &NodeName, state: &State, to: &str) -> Result<(), LabError> {
    let port = management_port(node, state)?;
    let namespace = links::management_namespace(&state.name);
    ip_batch("change a management port", Some(&namespace), &[], &[format!("link set {port} {to}")])
}

fn cut_ssh(node: &NodeName, state: &State) -> Result<(), LabError> {
    management_port(node, state)?;
    control(node, state, &["stop", "sshd"])?;
    let container = running(state, node.as_str())?;
    wait_for(&format!("the end of sshd on {node}"), || {
        !router::process_names(&container).iter().any(|name| name == "sshd")
    })
}

fn control(node: &NodeName, state: &State, argv: &[&str]) -> Result<(), LabError> {
    router::control(node.as_str(), &running(state, node.as_str())?, argv)
}

/// Asks a router for a repair; one without power needs none.
fn if_running(node: &NodeName, state: &State, argv: &[&str]) -> Result<(), LabError> {
    if running(state, node.as_str()).is_ok() { control(node, state, argv) } else { Ok(()) }
}

fn known_daemon(node: &NodeName, daemon: &str, state: &State) -> Result<(), LabError> {
    let known = router::daemons(state.router(node.as_str())?);
    if known.contains(&daemon) {
        return Ok(());
    }
    Err(LabError::NoSuchDaemon {
        node: node.to_string(),
        daemon: daemon.to_owned(),
        known: known.iter().map(|name| (*name).to_owned()).collect(),
    })
}

/// Returns the text of a file inside a router.
fn inside(container: &Container, path: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{}/root{path}", container.init.pid)).ok()
}

fn wait_for(what: &str, condition: impl Fn() -> bool) -> Result<(), LabError> {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > LIMIT {
            return Err(LabError::TimedOut { what: what.to_owned(), limit: LIMIT });
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LinkDown(port) => write!(f, "link-down {port}"),
            Self::SilentDrop(port) => write!(f, "silent-drop {port}"),
            Self::NodeDown(node) => write!(f, "node-down {node}"),
            Self::SshCut(node) => write!(f, "ssh-cut {node}"),
            Self::ManagementDown(node) => write!(f, "management-down {node}"),
            Self::RejectLine { node, pattern } => write!(f, "reject-line {node} {pattern}"),
            Self::ManagementLostAfterApply(node) => write!(f, "management-lost-after-apply {node}"),
            Self::DaemonDead { node, daemon } => write!(f, "daemon-dead {node} {daemon}"),
            Self::RefuseCommand { node, pattern } => write!(f, "refuse-command {node} {pattern}"),
            Self::LoginRefused(node) => write!(f, "login-refused {node}"),
            Self::DiskFull(node) => write!(f, "disk-full {node}"),
            Self::DiskReadOnly(node) => write!(f, "disk-read-only {node}"),
        }
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.to_string()
    }
}

impl TryFrom<String> for Fault {
    type Error = InvalidFault;

    fn try_from(text: String) -> Result<Self, InvalidFault> {
        text.parse()
    }
}

impl FromStr for Fault {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let fail = |reason: String| InvalidFault { text: text.to_owned(), reason };
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        let node = |text: &str| text.parse::<NodeName>().map_err(|error| fail(error.to_string()));
        let port = || {
            let (name, interface) =
                rest.split_once(':').ok_or_else(|| fail("a port is written NODE:PORT".to_owned()))?;
            let interface = interface.parse().map_err(|error| fail(format!("{error}")))?;
            Ok(TerminationPoint { node: node(name)?, interface })
        };
        let with_word = |what: &str| {
            let (name, word) = rest.split_once(' ').ok_or_else(|| fail(format!("the {what} is missing")))?;
            if word.contains(char::is_control) {
                return Err(fail(format!("the {what} is more than a line")));
            }
            Ok((node(name)?, word.trim().to_owned()))
        };
        Ok(match kind {
            "link-down" => Self::LinkDown(port()?),
            "silent-drop" => Self::SilentDrop(port()?),
            "node-down" => Self::NodeDown(node(rest)?),
            "ssh-cut" => Self::SshCut(node(rest)?),
            "management-down" => Self::ManagementDown(node(rest)?),
            "reject-line" => {
                let (node, pattern) = with_word("pattern")?;
                Self::RejectLine { node, pattern }
            }
            "management-lost-after-apply" => Self::ManagementLostAfterApply(node(rest)?),
            "daemon-dead" => {
                let (node, daemon) = with_word("daemon")?;
                Self::DaemonDead { node, daemon }
            }
            "refuse-command" => {
                let (node, pattern) = with_word("pattern")?;
                Self::RefuseCommand { node, pattern }
            }
            "login-refused" => Self::LoginRefused(node(rest)?),
            "disk-full" => Self::DiskFull(node(rest)?),
            "disk-read-only" => Self::DiskReadOnly(node(rest)?),
            _ => return Err(fail(format!("it is one of: {}", Self::FORMS.join(", ")))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_back_as_it_is_written() {
        for text in [
            "link-down b1-leaf-01:swp1",
            "silent-drop a:eth1",
            "node-down a",
            "ssh-cut a",
            "management-down a",
            "reject-line a ^ *maximum-paths [0-9]+$",
            "management-lost-after-apply a",
            "daemon-dead a bgpd",
            "refuse-command a agent (lock|check)",
            "login-refused a",
            "disk-full a",
            "disk-read-only a",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        for bad in ["", "link-down a", "node-down A", "reject-line a", "fire a"] {
            assert!(bad.parse::<Fault>().is_err(), "{bad}");
        }
    }
}
