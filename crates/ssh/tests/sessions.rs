//! Recorded sessions with command lines, replayed by an SSH server on loopback: as they were recorded, byte by byte, and cut in
//! two at every place.
//!
//! `sessions/<case>/session.txt` is what was recorded, `<` what the device sends and `>` what it gets, each a JSON string.
//! `sessions/<case>/case.yaml` has the transport of the pack, the commands, and what each is to come to.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use russh::{
    Channel, ChannelId, ChannelMsg, Pty,
    keys::{Algorithm, PrivateKey, key::safe_rng, ssh_key::LineEnding},
    server::{self, Auth, ChannelOpenHandle, Msg, PublicKeyOffer, VerifiedPublicKey},
};
use serde::Deserialize;
use tokio::{net::TcpListener, sync::mpsc};
use weft_model::NodeName;
use weft_pack::manifest::ShellTransport;
use weft_ssh::{Connection, KnownHosts, Limits, Shell, ShellRules, SshError, Target};

/// The longest that a command may take; a case that is to take too long says so.
const LIMIT: Duration = Duration::from_secs(20);

/// `case.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    transport: ShellTransport,
    commands: Vec<Command>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    run: String,
    #[serde(default)]
    input: Option<String>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    errors: Vec<String>,
    /// It takes too long, and the error has these words.
    #[serde(default)]
    times_out: Option<String>,
}

/// A line of `session.txt`.
#[derive(Debug, Clone)]
enum Event {
    Sends(Vec<u8>),
    Gets(Vec<u8>),
}

fn recorded(folder: &Path) -> Vec<Event> {
    let text = fs::read_to_string(folder.join("session.txt")).unwrap();
    let events = text.lines().filter(|line| !line.is_empty()).map(|line| {
        let bytes = serde_json::from_str::<String>(&line[2..]).unwrap_or_else(|error| panic!("{line}: {error}"));
        match &line[..2] {
            "< " => Event::Sends(bytes.into_bytes()),
            "> " => Event::Gets(bytes.into_bytes()),
            _ => panic!("{line}: neither `< ` nor `> `"),
        }
    });
    events.collect()
}

/// Cuts what is sent at one place, counted over all of it; `None` cuts everywhere.
fn cut(events: &[Event], place: Option<usize>) -> Vec<Event> {
    let mut cut = Vec::new();
    let mut sent = 0;
    for event in events {
        match event {
            Event::Gets(_) => cut.push(event.clone()),
            Event::Sends(bytes) => {
                match place {
                    None => cut.extend(bytes.iter().map(|byte| Event::Sends(vec![*byte]))),
                    Some(place) if (sent + 1..sent + bytes.len()).contains(&place) => {
                        let (before, behind) = bytes.split_at(place - sent);
                        cut.extend([before, behind].map(|part| Event::Sends(part.to_vec())));
                    }
                    Some(_) => cut.push(event.clone()),
                }
                sent += bytes.len();
            }
        }
    }
    cut
}

/// The server: each shell replays the next script.
struct Device {
    scripts: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Vec<Event>>>>,
    problems: mpsc::UnboundedSender<String>,
}

impl server::Handler for Device {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _: &str, _: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut server::Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        let (scripts, problems) = (self.scripts.clone(), self.problems.clone());
        tokio::spawn(async move {
            let script = scripts.lock().await.recv().await.unwrap();
            if let Err(problem) = replay(channel, script).await {
                problems.send(problem).unwrap();
            }
        });
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut server::Session) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }
}

async fn replay(mut channel: Channel<Msg>, script: Vec<Event>) -> Result<(), String> {
    // Until the client asks for a shell, nothing is said.
    loop {
        match channel.wait().await {
            Some(ChannelMsg::RequestShell { .. }) => break,
            Some(_) => {}
            None => return Err("no shell was asked for".into()),
        }
    }
    let mut got = Vec::new();
    for event in script {
        match event {
            Event::Sends(bytes) => channel.data_bytes(bytes).await.map_err(|error| error.to_string())?,
            Event::Gets(wanted) => {
                while got.len() < wanted.len() {
                    match channel.wait().await {
                        Some(ChannelMsg::Data { data }) => got.extend_from_slice(&data),
                        Some(ChannelMsg::Eof | ChannelMsg::Close) | None => {
                            return Err(format!("the end instead of {:?}", String::from_utf8_lossy(&wanted)));
                        }
                        Some(_) => {}
                    }
                }
                let behind = got.split_off(wanted.len());
                if got != wanted {
                    let (got, wanted) = (String::from_utf8_lossy(&got), String::from_utf8_lossy(&wanted));
                    return Err(format!("got {got:?} instead of {wanted:?}"));
                }
                got = behind;
            }
        }
    }
    // Whatever else comes was not recorded.
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::Data { data } = message {
            return Err(format!("got {:?} at the end", String::from_utf8_lossy(&data)));
        }
    }
    Ok(())
}

/// A server and a connection to it.
struct Bench {
    device: NodeName,
    connection: Connection,
    scripts: mpsc::UnboundedSender<Vec<Event>>,
    problems: mpsc::UnboundedReceiver<String>,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (host, user) = (new_key(), new_key());
        let identity = folder.path().join("key");
        user.write_openssh_file(&identity, LineEnding::LF).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let known = format!("{} {}\n", KnownHosts::host(address), host.public_key().to_openssh().unwrap());
        let (scripts, receiver) = mpsc::unbounded_channel();
        let (sender, problems) = mpsc::unbounded_channel();
        let config = server::Config { keys: vec![host], nodelay: true, ..server::Config::default() };
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let device = Device { scripts: Arc::new(tokio::sync::Mutex::new(receiver)), problems: sender };
            let session = server::run_stream(Arc::new(config), stream, device).await.unwrap();
            // How the connection ends is of no interest.
            let _ = session.await;
        });
        let device: NodeName = "recorded".parse().unwrap();
        let target = Target { identity: Some(identity), ..Target::new(address, "weft") };
        let known_hosts = KnownHosts::new("known_hosts", known);
        let connection = Connection::open(&device, &target, &known_hosts, &Limits::default()).await.unwrap();
        Self { device, connection, scripts, problems }
    }

    /// Plays a session, and compares what it comes to; `how` says how it is cut.
    async fn play(&mut self, case: &Case, events: Vec<Event>, how: &str) {
        self.scripts.send(events).unwrap();
        let rules = ShellRules::new(&case.transport).unwrap();
        let opened = Shell::open(&self.device, &self.connection, &rules, LIMIT).await;
        let mut shell = opened.unwrap_or_else(|error| panic!("{how}: {error}; {:?}", self.problems.try_recv()));
        for command in &case.commands {
            let limit = if command.times_out.is_some() { Duration::from_millis(300) } else { LIMIT };
            let answer = shell.run(&command.run, command.input.as_deref(), limit).await;
            match (answer, &command.times_out) {
                (Ok(answer), None) => {
                    assert_eq!(answer.text, command.text, "{how}: {}", command.run);
                    assert_eq!(answer.errors, command.errors, "{how}: {}", command.run);
                }
                (Err(error @ SshError::TimedOut { .. }), Some(words)) => {
                    assert!(error.to_string().contains(words), "{how}: {error}");
                    assert!(!shell.is_usable());
                }
                (answer, _) => panic!("{how}: {}: {answer:?}; {:?}", command.run, self.problems.try_recv()),
            }
        }
        drop(shell);
        if let Ok(problem) = self.problems.try_recv() {
            panic!("{how}: the device {problem}");
        }
    }
}

fn new_key() -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_sessions_come_to_the_same_wherever_they_are_cut() {
    let mut bench = Bench::start().await;
    for folder in cases() {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let files: BTreeSet<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, ["case.yaml", "session.txt"].map(Into::into).into(), "{name}");
        let case: Case = serde_yaml::from_str(&fs::read_to_string(folder.join("case.yaml")).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let events = recorded(&folder);
        bench.play(&case, events.clone(), &name).await;
        bench.play(&case, cut(&events, None), &format!("{name}, byte by byte")).await;
        // A case that waits for its limit is not repeated that often.
        if case.commands.iter().all(|command| command.times_out.is_none()) {
            let sent = events.iter().map(|event| if let Event::Sends(bytes) = event { bytes.len() } else { 0 });
            for place in 1..sent.sum() {
                bench.play(&case, cut(&events, Some(place)), &format!("{name}, cut at {place}")).await;
            }
        }
    }
}
