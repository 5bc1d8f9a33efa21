//! One router: its files, its boot, its end.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::unistd::User;
use weft_device::config::AfiSafi;

use super::{
    LabError, links,
    processes::{END_LIMIT, Process},
    run::{command, run},
    state::{Container, Router},
};

/// How long a router may take to boot, on a machine that does other things too.
const BOOT_LIMIT: Duration = Duration::from_secs(90);

const INIT: &str = include_str!("init.sh");
const ROUTER: &str = include_str!("router.sh");
const REFUSE: &str = include_str!("refuse.sh");
const SHELL: &str = include_str!("shell.sh");

/// Where the lab keeps its own things inside a router.
const OWN: &str = "usr/local/lib/weft-lab";
/// The command by which the lab asks a router for things.
pub(super) const CONTROL: &str = "/usr/local/lib/weft-lab/router";

/// What a router can write to its disk, apart from logs and homes. It takes memory only when it is used.
const DISK_SIZE: &str = "64m";

/// FRR's own defaults of Debian, but for the daemons that a router runs.
const FRR_DAEMONS: &str = "\
vtysh_enable=yes
zebra_options=\"-A 127.0.0.1 -s 90000000\"
bgpd_options=\"-A 127.0.0.1\"
bfdd_options=\"-A 127.0.0.1\"
staticd_options=\"-A 127.0.0.1\"
ospfd_options=\"-A 127.0.0.1\"
ospf6d_options=\"-A ::1\"
";
/// A BIRD that does nothing but know its interfaces.
const BIRD_BARE: &str = "log \"/var/log/bird.log\" all;\nprotocol device { }\n";

/// What goes onto the disk of a router before its first boot.
pub(super) struct Disk<'a> {
    /// The private key of its SSH server.
    pub(super) host_key: Option<&'a str>,
    /// The public key that may log in as root.
    pub(super) authorized_key: &'a str,
    /// Its configuration, for an external router.
    pub(super) files: &'a BTreeMap<String, String>,
}

/// Returns the daemons of a router.
pub(super) fn daemons(router: &Router) -> Vec<&'static str> {
    if router.pack.as_str() != "frr" {
        return vec!["bird"];
    }
    let ospf = router.ospf.iter().map(|family| match family {
        AfiSafi::Ipv4Unicast => "ospfd",
        AfiSafi::Ipv6Unicast => "ospf6d",
    });
    ["zebra", "bgpd", "bfdd", "staticd"].into_iter().chain(ospf).collect()
}

/// Writes the script that all routers boot with.
pub(super) fn write_init(path: &Path) -> Result<(), LabError> {
    write(path, INIT, 0o755, None)
}

/// Fills the disk of a router.
pub(super) fn provision(router: &Router, disk: &Disk<'_>) -> Result<(), LabError> {
    let folder = &router.folder;
    make_folder(&folder.join("disk"), 0o755, None)?;
    // A disk of its own, so that it can be full.
    mount_memory(&folder.join("disk"), DISK_SIZE)?;
    for part in ["disk/upper/etc/ssh", "disk/work", "root", "users", "log", &format!("disk/upper/{OWN}")] {
        make_folder(&folder.join(part), 0o755, None)?;
    }
    make_folder(&folder.join("home/.ssh"), 0o700, None)?;
    write(&folder.join("links.batch"), &(links::boot_lines(router).join("\n") + "\n"), 0o644, None)?;

    let upper = folder.join("disk/upper");
    let own = upper.join(OWN);
    write(&own.join("router"), ROUTER, 0o755, None)?;
    write(&own.join("refuse"), REFUSE, 0o755, None)?;
    write(&own.join("shell"), SHELL, 0o755, None)?;
    write(&own.join("pack"), router.pack.as_str(), 0o644, None)?;
    write(&own.join("daemons"), &daemons(router).join(" "), 0o644, None)?;

    write(&folder.join("home/.ssh/authorized_keys"), &format!("{}\n", disk.authorized_key), 0o600, None)?;
    // An empty key file also hides the machine's own key from a router that is not managed.
    write(&upper.join("etc/ssh/ssh_host_ed25519_key"), disk.host_key.unwrap_or_default(), 0o600, None)?;
    if let Some(management) = &router.management {
        write(&upper.join("etc/ssh/sshd_config"), &sshd_config(management.address), 0o644, None)?;
    }

    let given = |name: &str| disk.files.get(name).map(String::as_str);
    if router.pack.as_str() == "frr" {
        let etc = upper.join("etc/frr");
        make_folder(&etc, 0o750, Some("frr"))?;
        make_folder(&folder.join("log/frr"), 0o755, Some("frr"))?;
        // zebra and staticd always run.
        let chosen = daemons(router).into_iter().filter(|daemon| !["zebra", "staticd"].contains(daemon));
        let chosen: String = chosen.map(|daemon| format!("{daemon}=yes\n")).collect();
        write(&etc.join("daemons"), &(chosen + FRR_DAEMONS), 0o640, Some("frr"))?;
        write(&etc.join("vtysh.conf"), "service integrated-vtysh-config\n", 0o640, Some("frr"))?;
        write(&etc.join("frr.conf"), given("frr.conf").unwrap_or_default(), 0o640, Some("frr"))?;
    } else {
        let etc = upper.join("etc/bird");
        make_folder(&etc, 0o750, Some("bird"))?;
        write(&etc.join("bird.conf"), given("bird.conf").unwrap_or(BIRD_BARE), 0o640, Some("bird"))?;
        write(&folder.join("log/bird.log"), "", 0o644, Some("bird"))?;
    }
    if !disk.files.is_empty() {
        let boot = boot_script(given("links.conf").unwrap_or_default(), given("addresses.conf").unwrap_or_default())?;
        write(&upper.join("etc/rc.local"), &boot, 0o755, None)?;
    }
    Ok(())
}

/// Returns what an external router does at boot besides its routing: MTUs, and addresses where the suite has none.
fn boot_script(links: &str, addresses: &str) -> Result<String, LabError> {
    let mut script = "#!/bin/sh\n".to_owned();
    let mut add = |line: &str, command: &dyn Fn(&str, &str) -> Option<String>| {
        let (interface, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let interface = interface
            .parse::<weft_model::InterfaceName>()
            .map_err(|error| LabError::Topology(format!("configuration of an external router: {error}")))?;
        if let Some(command) = command(interface.as_str(), rest.trim()) {
            script.push_str(&command);
        }
        Ok::<(), LabError>(())
    };
    let says_something = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    for line in links.lines().filter(says_something) {
        add(line, &|interface, rest| {
            let mtu: u16 = rest.strip_prefix("mtu ")?.trim().parse().ok()?;
            Some(format!("ip link set {interface} mtu {mtu}\n"))
        })?;
    }
    for line in addresses.lines().filter(says_something) {
        add(line, &|interface, rest| {
            let address: ipnet::IpNet = rest.parse().ok()?;
            Some(format!("ip addr replace {address} dev {interface}\n"))
        })?;
    }
    Ok(script)
}

/// The default key exchange of OpenSSH costs a quarter of a second of CPU time for each login; this one a tenth of that.
fn sshd_config(address: std::net::IpAddr) -> String {
    format!(
        "MaxStartups 100\nInclude /etc/ssh/sshd_config.d/*.conf\nListenAddress {address}\nHostKey /etc/ssh/ssh_host_ed25519_key\nPidFile /run/sshd.pid\n\
         KexAlgorithms curve25519-sha256\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nUsePAM no\nUseDNS no\nMaxSessions 64\nPrintMotd no\n\
         Subsystem sftp internal-sftp\n"
    )
}

/// Boots a router and returns its processes when all services run.
pub(super) fn boot(node: &str, router: &Router, init: &Path) -> Result<Container, LabError> {
    let boot_error = |reason: String| LabError::Boot { node: node.to_owned(), reason, log: log(&router.folder) };
    let console_path = router.folder.join("console.log");
    let file_error = |source| LabError::File { operation: "write", path: console_path.clone(), source };
    let console = File::create(&console_path).map_err(file_error)?;
    let mut shell = command("setsid");
    shell
        .args(["nsenter", &format!("--net=/run/netns/{}", router.namespace)])
        .args(["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"])
        .arg("sh")
        .args([init.as_os_str(), node.as_ref(), router.folder.as_os_str()])
        .stdin(Stdio::null())
        .stdout(console.try_clone().map_err(file_error)?)
        .stderr(console);
    let mut child = shell.spawn().map_err(|source| LabError::Start { program: "setsid".to_owned(), source })?;
    let supervisor = Process::now(child.id() as i32).ok_or_else(|| boot_error("it ended at once".to_owned()))?;
    let booted = wait_for_boot(&mut child, supervisor);
    if booted.is_err() {
        supervisor.kill();
        supervisor.wait_for_end(END_LIMIT);
    }
    booted.map_err(boot_error)
}

fn wait_for_boot(child: &mut Child, supervisor: Process) -> Result<Container, String> {
    let start = Instant::now();
    loop {
        if let Some(init) = supervisor.first_child()
            && Path::new(&format!("/proc/{}/root/run/weft-lab/booted", init.pid)).exists()
        {
            return Ok(Container { supervisor, init });
        }
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => return Err(format!("its first process ended with {status}")),
            Err(error) => return Err(error.to_string()),
        }
        if start.elapsed() > BOOT_LIMIT {
            return Err(format!("its services did not start within {} s", BOOT_LIMIT.as_secs()));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Ends all processes of a router, at once and without telling them.
pub(super) fn end(node: &str, container: &Container) -> Result<(), LabError> {
    container.supervisor.kill();
    for process in [container.supervisor, container.init] {
        if !process.wait_for_end(END_LIMIT) {
            return Err(LabError::StillRuns { node: node.to_owned(), pid: process.pid, limit: END_LIMIT });
        }
    }
    Ok(())
}

/// Returns the end of what a router printed at its last boot.
fn log(folder: &Path) -> String {
    let mut lines = Vec::new();
    for file in ["console.log", "log/boot.log"] {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        lines.extend(text.lines().map(str::to_owned));
    }
    let last = lines.len().saturating_sub(20);
    lines.split_off(last).join("; ")
}

/// Returns a command that runs `argv` inside a router.
pub(super) fn inside(container: &Container, argv: &[&str]) -> Command {
    let mut nsenter = command("nsenter");
    nsenter
        .arg(format!("--target={}", container.init.pid))
        .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wdns=/root", "--"])
        .args(argv);
    nsenter
}

/// Asks a router for something that the lab does inside it.
pub(super) fn control(node: &str, container: &Container, argv: &[&str]) -> Result<(), LabError> {
    let words: Vec<&str> = [CONTROL].iter().chain(argv).copied().collect();
    run(&format!("in {node}"), &mut inside(container, &words), "").map(drop)
}

/// Returns the names of the processes inside a router.
pub(super) fn process_names(container: &Container) -> Vec<String> {
    let proc = format!("/proc/{}/root/proc", container.init.pid);
    let entries = fs::read_dir(&proc).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|c| c.is_ascii_digit()))
        .filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

/// Loads rules of nftables in a namespace.
pub(super) fn nft(namespace: &str, rules: &str) -> Result<(), LabError> {
    let mut nft = command("nsenter");
    nft.args([&format!("--net=/run/netns/{namespace}"), "nft", "-f", "-"]);
    run("drop packets silently", &mut nft, rules).map(drop)
}

/// Unmounts what was mounted on a folder, if anything was.
pub(super) fn unmount(path: &Path) -> Result<(), LabError> {
    // proc(5): a space stands there as its octal number.
    let listed = path.to_string_lossy().replace(' ', "\\040");
    let is_mounted = fs::read_to_string("/proc/self/mounts")
        .is_ok_and(|mounts| mounts.lines().filter_map(|line| line.split(' ').nth(1)).any(|on| on == listed));
    if !is_mounted {
        return Ok(());
    }
    let mut umount = command("umount");
    umount.arg("-l").arg(path);
    run("unmount the disks of the routers", &mut umount, "").map(drop)
}

/// Mounts a file system in memory on a folder, of a size as mount(8) takes it.
pub(super) fn mount_memory(path: &Path, size: &str) -> Result<(), LabError> {
    let mut mount = command("mount");
    mount.args(["-t", "tmpfs", "-o", &format!("mode=755,size={size}"), "weft-lab"]).arg(path);
    run("mount the disks of the routers", &mut mount, "").map(drop)
}

/// Makes a folder and those above it.
fn make_folder(path: &Path, mode: u32, owner: Option<&str>) -> Result<(), LabError> {
    let failed = |source| LabError::File { operation: "make folder", path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(failed)?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
    give(path, owner).map_err(failed)
}

/// Writes a file.
pub(super) fn write(path: &Path, text: &str, mode: u32, owner: Option<&str>) -> Result<(), LabError> {
    let failed = |source| LabError::File { operation: "write", path: path.to_owned(), source };
    if mode & 0o077 == 0 {
        // A secret is never readable by others, not even for a moment.
        File::create(path).and_then(|file| file.set_permissions(Permissions::from_mode(mode))).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
    give(path, owner).map_err(failed)
}

fn give(path: &Path, owner: Option<&str>) -> io::Result<()> {
    let Some(name) = owner else { return Ok(()) };
    let user = User::from_name(name)?.ok_or_else(|| io::Error::other(format!("there is no user {name}")))?;
    chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
}
