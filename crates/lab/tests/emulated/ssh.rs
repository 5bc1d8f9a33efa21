//! A small SSH client for a switch's command line.

use std::{path::Path, sync::Arc, time::Duration};

use russh::{
    Channel, ChannelMsg, Disconnect,
    client::{self, Handle, Msg},
    keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key},
};
use weft_ssh::Inventory;

/// Everything in these tests happens within this time, or does not.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

struct Anybody;

impl client::Handler for Anybody {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// A shell on a switch.
pub(crate) struct Shell {
    _connection: Handle<Anybody>,
    pub(crate) channel: Channel<Msg>,
}

/// Connects and logs in with a key; `None` when either fails.
async fn connect(dir: &Path, device: &str, key: &Path) -> Option<Handle<Anybody>> {
    let inventory: Inventory =
        serde_saphyr::from_str(&std::fs::read_to_string(dir.join("inventory.yaml")).unwrap()).unwrap();
    let target = &inventory.devices[device];
    let config = Arc::new(client::Config { nodelay: true, ..client::Config::default() });
    let mut connection = client::connect(config, target.address, Anybody).await.ok()?;
    let key = PrivateKeyWithHashAlg::new(Arc::new(load_secret_key(key, None).unwrap()), None);
    let answer = connection.authenticate_publickey(&target.user, key).await.ok()?;
    answer.success().then_some(connection)
}

/// Tells whether one can log in.
pub(crate) async fn answers(dir: &Path, device: &str) -> bool {
    let Some(connection) = connect(dir, device, &dir.join("id_ed25519")).await else { return false };
    let _ = connection.disconnect(Disconnect::ByApplication, "", "").await;
    true
}

/// Tells whether one can log in with another key.
pub(crate) async fn answers_with(dir: &Path, device: &str, key: &Path) -> bool {
    connect(dir, device, key).await.is_some()
}

/// Waits until a condition holds.
pub(crate) async fn wait_for<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let waited = tokio::time::timeout(LIMIT, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

impl Shell {
    /// Opens a shell without a pager.
    pub(crate) async fn open(dir: &Path, device: &str) -> Self {
        let mut shell = Self::with_pager(dir, device, false).await;
        shell.run("terminal length 0").await;
        shell
    }

    /// Opens a shell as it comes, with a terminal if asked for.
    pub(crate) async fn with_pager(dir: &Path, device: &str, terminal: bool) -> Self {
        let connection = connect(dir, device, &dir.join("id_ed25519")).await.expect("one can log in");
        let channel = connection.channel_open_session().await.unwrap();
        if terminal {
            channel.request_pty(true, "vt100", 80, 24, 0, 0, &[]).await.unwrap();
        }
        channel.request_shell(true).await.unwrap();
        let mut shell = Self { _connection: connection, channel };
        shell.until(|text| text.ends_with("> ")).await;
        shell
    }

    /// Sends a line and returns its output without the prompt behind it.
    pub(crate) async fn run(&mut self, line: &str) -> String {
        self.send(line).await;
        let text = self.until(|text| is_prompt(text.rsplit('\n').next().unwrap_or_default())).await;
        let output = text.rsplit_once('\n').map_or("", |(output, _)| output);
        output.to_owned()
    }

    /// Sends lines, and returns the output of all.
    pub(crate) async fn run_all(&mut self, lines: &[&str]) -> Vec<String> {
        let mut outputs = Vec::new();
        for line in lines {
            outputs.push(self.run(line).await);
        }
        outputs
    }

    /// Puts a text into the candidate.
    pub(crate) async fn load(&mut self, text: &str) -> String {
        assert_eq!(self.run("configure exclusive").await, "");
        self.send("load replace").await;
        self.run(&format!("{text}.")).await
    }

    pub(crate) async fn send(&self, line: &str) {
        self.channel.data_bytes(format!("{line}\n")).await.unwrap();
    }

    /// Reads until the text that came is enough, and returns it.
    pub(crate) async fn until(&mut self, enough: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        let read = async {
            while !enough(&text) {
                match self.channel.wait().await {
                    Some(ChannelMsg::Data { data }) => text += std::str::from_utf8(&data).unwrap(),
                    Some(_) => {}
                    None => panic!("the session ended behind {text:?}"),
                }
            }
        };
        if tokio::time::timeout(LIMIT, read).await.is_err() {
            panic!("no end of the output: {text:?}");
        }
        text
    }

    /// Waits until the session has ended.
    pub(crate) async fn ended(&mut self) {
        let end = async { while self.channel.wait().await.is_some() {} };
        tokio::time::timeout(LIMIT, end).await.expect("the session ends");
    }
}

fn is_prompt(line: &str) -> bool {
    let name = line.strip_suffix("> ").or_else(|| line.strip_suffix("(config)# "));
    name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
}
