//! What a machine must have for a lab, found out by trying.

use std::path::Path;

use nix::unistd::Uid;

use super::run::{PATH, command, output};

/// Programs, with what they come from in words of Debian.
const PROGRAMS: [(&str, &str); 19] = [
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("setsid", "util-linux"),
    ("mount", "mount"),
    ("umount", "mount"),
    ("pivot_root", "util-linux"),
    ("hostname", "hostname"),
    ("timeout", "coreutils"),
    ("sshd", "openssh-server"),
    ("ping", "iputils-ping"),
    ("bird", "bird2"),
    ("birdc", "bird2"),
    ("vtysh", "frr"),
    ("/usr/lib/frr/zebra", "frr"),
    ("/usr/lib/frr/bgpd", "frr"),
    ("/usr/lib/frr/bfdd", "frr"),
    ("/usr/lib/frr/staticd", "frr"),
    ("/usr/lib/frr/frr-reload.py", "frr-pythontools"),
];

/// Tries what a lab needs of the kernel, in namespaces that end with it, and prints a line for each thing that fails.
const KERNEL_PROBE: &str = r#"
try() { what=$1; shift; "$@" >/dev/null 2>&1 || echo "$what"; }
try "the kernel makes no veth interfaces" ip link add weft0 type veth peer name weft1
try "the kernel makes no bridges" ip link add weft2 type bridge
try "the kernel lists no children of processes (CONFIG_PROC_CHILDREN)" test -e /proc/self/task/$$/children
try "the kernel has no IPv6" test -e /proc/sys/net/ipv6/conf/all/forwarding
try "no tmpfs can be mounted" mount -t tmpfs tmpfs /tmp
mkdir -p /tmp/upper /tmp/work /tmp/root
try "the kernel mounts no overlay over the root file system" mount -t overlay overlay -o lowerdir=/,upperdir=/tmp/upper,workdir=/tmp/work /tmp/root
"#;

/// Returns what this machine lacks for a lab, a line for each thing; nothing when a lab can run.
///
/// Starts a few short-lived programs, in namespaces of their own; changes nothing.
pub fn missing() -> Vec<String> {
    let mut missing = Vec::new();
    if !Uid::effective().is_root() {
        missing.push("only root can make network namespaces".to_owned());
    }
    for (program, package) in PROGRAMS {
        if !is_installed(program) {
            missing.push(format!("{program} is not installed (package {package})"));
        }
    }
    if !missing.is_empty() {
        return missing;
    }
    let mut probe = command("unshare");
    probe.args(["--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    probe.args(["sh", "-c", KERNEL_PROBE]);
    match output(&mut probe, "") {
        Ok(output) if output.status.success() => {
            missing.extend(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned));
        }
        // The last line of the probe succeeds in any case.
        Ok(output) => {
            missing.push(format!("no namespaces can be made: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Err(error) => missing.push(error.to_string()),
    }
    missing
}

fn is_installed(program: &str) -> bool {
    PATH.split(':').any(|folder| Path::new(folder).join(program).is_file())
}
