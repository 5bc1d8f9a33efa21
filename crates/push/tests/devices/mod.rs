//! Devices for tests: folders behind a real sshd on a loopback port, changed by a small shell script.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use weft_model::{NodeName, PackName};
use weft_pack::{Pack, Rendered, RenderedFile};
use weft_ssh::{Inventory, KnownHosts, Target};

/// A running sshd; it ends with this value.
pub(crate) struct Sshd {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Devices by name, each a folder with an sshd of its own.
pub(crate) struct Lab {
    pub(crate) folder: tempfile::TempDir,
    servers: BTreeMap<NodeName, Sshd>,
    pub(crate) inventory: Inventory,
    pub(crate) packs: BTreeMap<PackName, Arc<Pack>>,
}

fn sshd_path() -> Option<PathBuf> {
    ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"].iter().map(PathBuf::from).find(|path| path.exists())
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn key(path: &Path) {
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path));
}

fn start(sshd: &Path, folder: &Path, host_key: &Path) -> Sshd {
    if nix_is_root() {
        let _ = fs::create_dir_all("/run/sshd");
    }
    for _ in 0..20 {
        // A free port may be taken by another test before sshd has it: then the next one is tried.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let options = [
            format!("Port {}", address.port()),
            "ListenAddress 127.0.0.1".into(),
            format!("HostKey {}", host_key.display()),
            format!("AuthorizedKeysFile {}", folder.join("authorized_keys").display()),
            "PidFile none".into(),
            "StrictModes no".into(),
            "UsePAM no".into(),
            "UseDNS no".into(),
            "PasswordAuthentication no".into(),
            "KexAlgorithms curve25519-sha256".into(),
        ];
        let mut command = Command::new(sshd);
        command.args(["-D", "-e", "-f", "/dev/null"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        for option in &options {
            command.arg("-o").arg(option);
        }
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
            if TcpStream::connect(address).is_ok() {
                return Sshd { child, address };
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    panic!("sshd does not start");
}

fn nix_is_root() -> bool {
    user() == "root"
}

fn user() -> String {
    String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned()
}

impl Lab {
    /// Starts devices, or says loudly that the test is skipped because there is no sshd.
    pub(crate) fn start(names: &[&str]) -> Option<Self> {
        let Some(sshd) = sshd_path() else {
            // Straight to the stream: what `eprintln!` says in a test that passes is kept back.
            let _ =
                writeln!(std::io::stderr(), "SKIPPED: this test needs sshd (Debian: apt-get install openssh-server)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let at = |name: &str| folder.path().join(name);
        key(&at("host"));
        key(&at("user"));
        fs::write(at("agent.sh"), include_str!("agent.sh")).unwrap();
        let mut servers = BTreeMap::new();
        let mut inventory = Inventory::default();
        let mut known_hosts = String::new();
        let host_key = fs::read_to_string(at("host.pub")).unwrap();
        for name in names {
            fs::create_dir(at(name)).unwrap();
            fs::copy(at("user.pub"), at(name).join("authorized_keys")).unwrap();
            fs::write(at(name).join("running"), old_text(name)).unwrap();
            let server = start(&sshd, &at(name), &at("host"));
            known_hosts.push_str(&format!("{} {host_key}", KnownHosts::host(server.address)));
            inventory.devices.insert(
                name.parse().unwrap(),
                Target {
                    identity: Some(at("user")),
                    known_hosts: Some(at("known_hosts")),
                    ..Target::new(server.address, user())
                },
            );
            servers.insert(name.parse().unwrap(), server);
        }
        fs::write(at("known_hosts"), known_hosts).unwrap();
        let pack = pack(folder.path());
        let packs = BTreeMap::from([(pack.name().clone(), Arc::new(pack))]);
        Some(Self { folder, servers, inventory, packs })
    }

    pub(crate) fn path(&self, device: &str, file: &str) -> PathBuf {
        self.folder.path().join(device).join(file)
    }

    /// Plants a fault.
    pub(crate) fn fault(&self, device: &str, fault: &str) {
        fs::write(self.path(device, fault), "").unwrap();
    }

    pub(crate) fn running(&self, device: &str) -> String {
        fs::read_to_string(self.path(device, "running")).unwrap()
    }

    /// The steps that the device has done.
    pub(crate) fn steps(&self, device: &str) -> Vec<String> {
        let steps = fs::read_to_string(self.path(device, "steps")).unwrap_or_default();
        steps.lines().map(str::to_owned).collect()
    }

    pub(crate) fn target(&mut self, device: &str) -> &mut Target {
        self.inventory.devices.get_mut(device).unwrap()
    }

    /// Ends the sshd of a device.
    pub(crate) fn stop(&mut self, device: &str) {
        self.servers.remove(device);
    }
}

pub(crate) fn old_text(device: &str) -> String {
    format!("hostname {device}\nbgp 64512\n  neighbor 10.0.0.1\n")
}

pub(crate) fn new_text(device: &str) -> String {
    format!("hostname {device}\nbgp 64512\n  neighbor 10.0.0.1\n  neighbor 10.0.0.2\n")
}

pub(crate) fn rendered(device: &str, text: &str) -> Rendered {
    let lines = vec![Default::default(); text.lines().count()];
    Rendered {
        device: device.parse().unwrap(),
        pack: "folder".parse().unwrap(),
        files: BTreeMap::from([("running.conf".into(), RenderedFile { text: text.into(), lines })]),
    }
}

fn pack(folder: &Path) -> Pack {
    let agent = |step: &str, more: &str| {
        format!("run: \"sh {0}/agent.sh {0}/{{{{ device }}}} {step} {{{{ transaction }}}}{more}\"", folder.display())
    };
    let mut manifest = "
description: a folder
tested: [\"1\"]
platforms: {}
files: [{ name: running.conf, templates: [all.j2] }]
transport: { kind: exec }
collectors: {}
probes:
  ping: { commands: [{ run: \"echo 3 sent, 2 received\" }] }
  ping_result: '(?P<sent>\\d+) sent, (?P<received>\\d+) received'
transaction:
"
    .to_owned();
    for step in ["lock", "backup", "check", "health", "confirm", "rollback", "unlock"] {
        manifest.push_str(&format!("  {step}: {{ commands: [{{ {} }}] }}\n", agent(step, "")));
    }
    manifest
        .push_str(&format!("  upload: {{ commands: [{{ {}, input: \"{{{{ text }}}}\" }}] }}\n", agent("upload", "")));
    manifest.push_str(&format!("  apply: {{ commands: [{{ {} }}], limit_seconds: 3 }}\n", agent("apply", "")));
    manifest.push_str(&format!("  arm: {{ by: step, commands: [{{ {} }}] }}\n", agent("arm", " {{ seconds }}")));
    for step in ["running", "status"] {
        let run = agent(step, "").replace("{{ transaction }}", "-");
        manifest.push_str(&format!("  {step}: {{ commands: [{{ {run} }}] }}\n"));
    }
    let files = BTreeMap::from([
        ("manifest.yaml".to_owned(), manifest),
        ("templates/all.j2".to_owned(), "hostname {{ device.hostname }}\n".to_owned()),
    ]);
    let (pack, findings) = Pack::load("folder".parse().unwrap(), &files);
    pack.unwrap_or_else(|| panic!("{findings:#?}"))
}
