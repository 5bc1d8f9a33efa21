//! Ways to a device: jump hosts, old algorithms, passwords, sessions that are used again, and second tries.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sshd;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use russh::{
    MethodKind, MethodSet,
    keys::{Algorithm, PrivateKey, key::safe_rng},
    server::{self, Auth, Response},
};
use sshd::{Servers, pack};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use weft_model::NodeName;
use weft_ssh::{DigestKey, Inventory, KnownHosts, Limits, Pool, SecretStore, Session, Target};

fn name(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn limits() -> Limits {
    Limits { authenticate: Duration::from_secs(20), ..Limits::default() }
}

fn pool() -> Pool {
    Pool::new(Arc::new(SecretStore::default()), limits())
}

/// Opens a session and runs a command; returns what went wrong.
async fn ask(pool: &Pool, servers: &Servers, target: &Target) -> Result<(), String> {
    let opened = pool.open(&name("a"), target, pack(servers.folder.path())).await;
    let mut session = opened.map_err(|error| error.to_string())?;
    session.running().await.map_err(|error| error.to_string())?;
    session.close().await;
    Ok(())
}

/// Gives a device jump hosts.
fn behind(servers: &Servers, target: Target, jumps: &str, jump: &str) -> Target {
    let mut inventory: Inventory = serde_yaml::from_str(&format!("jumps:\n{jumps}")).unwrap();
    inventory.devices.insert(name("a"), Target { jump: jump.split(' ').map(str::to_owned).collect(), ..target });
    inventory.resolve(servers.folder.path()).unwrap();
    inventory.devices.remove("a").unwrap()
}

fn jump(name: &str, address: SocketAddr, more: &str) -> String {
    format!("  {name}: {{ address: \"{address}\", identity: user, known_hosts: known_hosts{more} }}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn jump_hosts_lead_to_devices_which_share_their_connections() {
    let Some(mut servers) = Servers::new() else { return };
    let outer = servers.start("outer", "host", &[]);
    let inner = servers.start("inner", "host", &[]);
    let device = servers.start("device", "host", &["AllowTcpForwarding no"]);
    for address in [outer, inner, device] {
        servers.know(address, "host");
    }
    let jumps = jump("outer", outer, "") + &jump("inner", inner, ", jump: outer");
    let target = behind(&servers, servers.target(device), &jumps, "inner");
    assert_eq!(target.hops.len(), 2);
    let pool = pool();
    for _ in 0..3 {
        ask(&pool, &servers, &target).await.unwrap();
    }
    assert_eq!(servers.log_ins("device", 3), 3);
    assert_eq!((servers.log_ins("outer", 1), servers.log_ins("inner", 1)), (1, 1));

    // Without a pool each session brings its own.
    let secrets = SecretStore::default();
    let mut session =
        Session::open(&name("a"), &target, pack(servers.folder.path()), &limits(), &secrets).await.unwrap();
    session.running().await.unwrap();
    session.close().await;
    assert_eq!(servers.log_ins("outer", 2), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_on_the_way_names_the_jump_host() {
    let Some(mut servers) = Servers::new() else { return };
    let open = servers.start("open", "host", &[]);
    let closed = servers.start("closed", "host", &["AllowTcpForwarding no"]);
    let changed = servers.start("changed", "other", &[]);
    for address in [open, closed, changed] {
        servers.know(address, "host");
    }
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let jumps = [("open", open), ("closed", closed), ("changed", changed), ("nobody", unused)];
    let jumps: String = jumps.iter().map(|(name, address)| jump(name, *address, "")).collect();
    let error = async |to: SocketAddr, by: &str| {
        ask(&pool(), &servers, &behind(&servers, servers.target(to), &jumps, by)).await.unwrap_err()
    };
    for (to, by, expected) in [
        (open, "nobody", format!("a: on the way, at the jump host nobody: connection refused by {unused}: no SSH")),
        (
            open,
            "changed",
            format!("a: on the way, at the jump host changed: the host key of [127.0.0.1]:{}", changed.port()),
        ),
        (open, "closed", format!("a: the jump host closed does not connect to {open}: it does not forward")),
        (unused, "open", format!("a: the jump host open does not connect to {unused}: it gets no connection")),
        (changed, "open", format!("a: the host key of [127.0.0.1]:{} has changed", changed.port())),
        (
            open,
            "open nobody",
            "a: on the way, at the jump host nobody: the jump host open does not connect to".to_owned(),
        ),
    ] {
        let error = error(to, by).await;
        assert!(error.starts_with(&expected), "{by}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_device_is_offered_what_it_needs_and_only_that_one() {
    let Some(mut servers) = Servers::new() else { return };
    let options = [
        "KexAlgorithms diffie-hellman-group14-sha1",
        "Ciphers aes128-cbc",
        "MACs hmac-sha1",
        "HostKeyAlgorithms ssh-rsa",
        "PubkeyAcceptedAlgorithms ssh-rsa,ssh-ed25519",
    ];
    let old = servers.start("old", "rsa", &options);
    servers.know(old, "rsa");
    let target = servers.target(old);
    let error = ask(&pool(), &servers, &target).await.unwrap_err();
    assert!(error.starts_with("a: SSH while the keys were exchanged: "), "{error}");
    let text = "{ kex: [diffie-hellman-group14-sha1], key: [ssh-rsa], cipher: [aes128-cbc], mac: [hmac-sha1] }";
    let target = Target { algorithms: serde_yaml::from_str(text).unwrap(), ..target };
    ask(&pool(), &servers, &target).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_used_again_while_it_stands() {
    let Some(mut servers) = Servers::new() else { return };
    let address = servers.start("device", "host", &[]);
    servers.know(address, "host");
    let (target, unix, pool) = (servers.target(address), pack(servers.folder.path()), pool());
    for _ in 0..3 {
        let mut session = pool.take(&name("a"), &target, unix.clone()).await.unwrap();
        session.running().await.unwrap();
        pool.give_back(&name("a"), &target, session).await;
        assert_eq!(pool.idle(), 1);
    }
    assert_eq!(servers.log_ins("device", 1), 1);
    // One that is opened anew is another one, and only one of the two is kept.
    let session = pool.open(&name("a"), &target, unix.clone()).await.unwrap();
    pool.give_back(&name("a"), &target, session).await;
    assert_eq!((pool.idle(), servers.log_ins("device", 2)), (1, 2));
    // Whoever kept nothing alive cannot give it back.
    let secrets = SecretStore::default();
    let borrowed = Session::open(&name("b"), &target, unix, &limits(), &secrets).await.unwrap();
    pool.give_back(&name("b"), &target, borrowed).await;
    assert_eq!(pool.idle(), 1);
    pool.close().await;
    assert_eq!(pool.idle(), 0);
}

/// Lets the first `broken` connections down, and leads the others to a server. Returns where, and how many there were.
async fn flaky(to: SocketAddr, broken: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            if counted.fetch_add(1, Ordering::SeqCst) < broken {
                continue;
            }
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await.unwrap();
                // How it ends is of no interest.
                let _ = copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    (address, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn to_log_in_is_tried_again_and_nothing_else_is() {
    let Some(mut servers) = Servers::new() else { return };
    let server = servers.start("device", "host", &[]);
    let unix = pack(servers.folder.path());
    let (address, tries) = flaky(server, 2).await;
    servers.know(address, "host");
    let target = servers.target(address);
    let mut session = pool().take(&name("a"), &target, unix.clone()).await.unwrap();
    session.running().await.unwrap();
    assert_eq!(tries.load(Ordering::SeqCst), 3);

    let (address, tries) = flaky(server, 9).await;
    servers.know(address, "host");
    let target = servers.target(address);
    let error = pool().take(&name("a"), &target, unix.clone()).await.err().unwrap().to_string();
    assert!(error.starts_with("a: connection lost while the keys were exchanged"), "{error}");
    assert_eq!(tries.load(Ordering::SeqCst), 3);
    assert!(pool().open(&name("a"), &target, unix.clone()).await.is_err());
    assert_eq!(tries.load(Ordering::SeqCst), 4);

    // A device that says no says no again.
    let (address, tries) = flaky(server, 0).await;
    let target = servers.target(address);
    let error = pool().take(&name("a"), &target, unix).await.err().unwrap().to_string();
    assert!(error.contains("is not known"), "{error}");
    assert_eq!(tries.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_devices_and_no_more_are_worked_on_at_the_same_time() {
    let pool = pool();
    let text = "jumps:\n  bastion: { address: 192.0.2.1, concurrency: 3 }\n\
        devices:\n  far: { address: \"192.0.2.9:22\", user: weft, jump: bastion }\n";
    let mut inventory: Inventory = serde_yaml::from_str(text).unwrap();
    inventory.resolve("/".as_ref()).unwrap();
    let far = inventory.devices["far"].clone();
    let devices: Vec<NodeName> = (0..20).map(|number| name(&format!("d{number}"))).collect();
    pool.bound(devices[..10].to_vec(), 2);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut counts = Vec::new();
    for some in [&devices[..10], &devices] {
        let mut tasks = tokio::task::JoinSet::new();
        for device in some {
            let (device, pool, far) = (device.clone(), pool.clone(), far.clone());
            let (now, most) = (now.clone(), most.clone());
            tasks.spawn(async move {
                let _place = pool.place(&device, &far).await;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        counts.push(most.swap(0, Ordering::SeqCst));
    }
    assert!(counts[0] <= 2 && counts[1] <= 3, "{counts:?}");
}

/// A device that takes a password in one of two ways.
struct Asks {
    by_question: bool,
}

impl server::Handler for Asks {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, Self::Error> {
        if !self.by_question && password == "open sesame" {
            return Ok(Auth::Accept);
        }
        let methods = MethodSet::from(&[MethodKind::KeyboardInteractive][..]);
        Ok(Auth::Reject { proceed_with_methods: Some(methods), partial_success: false })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(response) = response else {
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Password: ".into(), false)].into(),
            });
        };
        let answers: Vec<Vec<u8>> = response.map(|answer| answer.to_vec()).collect();
        Ok(if self.by_question && answers == [b"open sesame".to_vec()] { Auth::Accept } else { Auth::reject() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_a_secret_and_may_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("secrets")).unwrap();
    for (name, password) in [("right", "open sesame\n"), ("wrong", "open barley\n")] {
        let path = folder.path().join("secrets").join(name);
        fs::write(&path, password).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    for by_question in [false, true] {
        let host = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let known = format!("{} {}\n", KnownHosts::host(address), host.public_key().to_openssh().unwrap());
        fs::write(folder.path().join("known_hosts"), known).unwrap();
        let config = server::Config {
            keys: vec![host],
            auth_rejection_time: Duration::from_millis(10),
            ..server::Config::default()
        };
        let config = Arc::new(config);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let config = config.clone();
                tokio::spawn(async move {
                    let session = server::run_stream(config, stream, Asks { by_question }).await.unwrap();
                    // How the connection ends is of no interest.
                    let _ = session.await;
                });
            }
        });
        for (secret, expected) in [
            ("file/right", None),
            ("file/wrong", Some("a: log in as `weft`: the device does not take the password as the answer")),
            ("file/missing", Some("a: log in as `weft`: the secret file/missing has no value: ")),
        ] {
            let target = Target {
                password: Some(secret.parse().unwrap()),
                known_hosts: Some(folder.path().join("known_hosts")),
                ..Target::new(address, "weft")
            };
            let secrets = folder.path().join("secrets");
            let store = SecretStore::new(Some(secrets), None, BTreeMap::new(), DigestKey::default());
            let opened = Pool::new(Arc::new(store), limits()).open(&name("a"), &target, pack(folder.path())).await;
            match (opened, expected) {
                (Ok(session), None) => session.close().await,
                (Err(error), Some(expected)) => {
                    let error = error.to_string();
                    assert!(error.starts_with(expected) && !error.contains("barley"), "{error}");
                }
                (opened, _) => panic!("{secret}: {:?}", opened.err().map(|error| error.to_string())),
            }
        }
    }
}
