//! Real SSH servers on loopback ports, and a pack for what they serve.

use std::{
    fs,
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use weft_pack::Pack;
use weft_ssh::{KnownHosts, Target};

/// A folder with the keys of a test and the servers that were started in it; they end with it.
pub(crate) struct Servers {
    pub(crate) folder: tempfile::TempDir,
    sshd: PathBuf,
    children: Vec<Child>,
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn user() -> String {
    String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned()
}

impl Servers {
    /// Makes the keys, or says loudly that the test is skipped because there is no sshd.
    pub(crate) fn new() -> Option<Self> {
        let paths = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"];
        let Some(sshd) = paths.iter().map(PathBuf::from).find(|path| path.exists()) else {
            // Straight to the stream: what `eprintln!` says in a test that passes is kept back.
            let _ =
                writeln!(std::io::stderr(), "SKIPPED: this test needs sshd (Debian: apt-get install openssh-server)");
            return None;
        };
        if user() == "root" {
            let _ = fs::create_dir_all("/run/sshd");
        }
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let servers = Self { folder, sshd, children: Vec::new() };
        for (name, kind) in [("user", "ed25519"), ("host", "ed25519"), ("other", "ed25519"), ("rsa", "rsa")] {
            run(Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-f"]).arg(servers.path(name)));
        }
        fs::copy(servers.path("user.pub"), servers.path("authorized_keys")).unwrap();
        fs::write(servers.path("known_hosts"), "").unwrap();
        Some(servers)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a server with the host key of a file, and options besides the usual ones; it writes what happens to `NAME.log`.
    pub(crate) fn start(&mut self, name: &str, host_key: &str, options: &[&str]) -> SocketAddr {
        for _ in 0..20 {
            // A free port may be taken by another test before sshd has it: then the next one is tried.
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let usual = [
                format!("Port {}", address.port()),
                "ListenAddress 127.0.0.1".into(),
                format!("HostKey {}", self.path(host_key).display()),
                format!("AuthorizedKeysFile {}", self.path("authorized_keys").display()),
                "PidFile none".into(),
                "StrictModes no".into(),
                "UsePAM no".into(),
                "UseDNS no".into(),
                "PasswordAuthentication no".into(),
                "LogLevel VERBOSE".into(),
            ];
            let mut command = Command::new(&self.sshd);
            command.args(["-D", "-f", "/dev/null", "-E"]).arg(self.path(&format!("{name}.log")));
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            // The first value of an option counts.
            for option in options.iter().map(|option| (*option).to_owned()).chain(usual) {
                command.arg("-o").arg(option);
            }
            let mut child = command.spawn().unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
                if TcpStream::connect(address).is_ok() {
                    self.children.push(child);
                    return address;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("sshd does not start");
    }

    /// Notes the host key of an address, that of the file `NAME.pub`.
    pub(crate) fn know(&self, address: SocketAddr, host_key: &str) {
        let key = fs::read_to_string(self.path(&format!("{host_key}.pub"))).unwrap();
        let mut file = fs::OpenOptions::new().append(true).open(self.path("known_hosts")).unwrap();
        file.write_all(format!("{} {key}", KnownHosts::host(address)).as_bytes()).unwrap();
    }

    /// Returns a device at an address.
    pub(crate) fn target(&self, address: SocketAddr) -> Target {
        Target {
            identity: Some(self.path("user")),
            known_hosts: Some(self.path("known_hosts")),
            ..Target::new(address, user())
        }
    }

    /// Returns how often somebody logged in at a server, once it is `expected` or it took too long.
    pub(crate) fn log_ins(&self, name: &str, expected: usize) -> usize {
        let count = || {
            let log = fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default();
            log.lines().filter(|line| line.contains("Accepted publickey")).count()
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        // One too many would come later.
        while count() < expected && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        count()
    }
}

/// A pack whose devices are any Unix.
pub(crate) fn pack(folder: &Path) -> Arc<Pack> {
    let mut manifest = "
description: a shell
tested: [\"1\"]
platforms: {}
files: [{ name: running.conf, templates: [all.j2] }]
transport: { kind: exec }
collectors: {}
probes:
  ping: { commands: [{ run: \"echo 3 sent, 2 received\" }] }
  ping_result: '(?P<sent>\\d+) sent, (?P<received>\\d+) received'
transaction:
  arm: { by: step, commands: [{ run: \"true\" }] }
"
    .to_owned();
    for step in ["lock", "upload", "apply", "confirm", "rollback", "unlock"] {
        manifest.push_str(&format!("  {step}: {{ commands: [{{ run: \"true\" }}] }}\n"));
    }
    manifest.push_str(&format!("  running: {{ commands: [{{ run: \"cat {}/user.pub\" }}] }}\n", folder.display()));
    manifest.push_str("  status: { commands: [{ run: \"echo none\" }] }\n");
    let files = [
        ("manifest.yaml".to_owned(), manifest),
        ("templates/all.j2".to_owned(), "hostname {{ device.hostname }}\n".to_owned()),
    ];
    let (pack, findings) = Pack::load("unix".parse().unwrap(), &files.into());
    Arc::new(pack.unwrap_or_else(|| panic!("{findings:#?}")))
}
