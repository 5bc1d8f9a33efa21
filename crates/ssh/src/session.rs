//! A connection together with the pack of the device's OS.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use regex::Regex;
use weft_model::NodeName;
use weft_pack::{
    Pack, Variables,
    manifest::{CollectorName, Command, Step, Transport},
};
use zeroize::Zeroizing;

use crate::{
    Connection, Limits, Secrets, SessionError, Shell, ShellRules, Target,
    connection::brief,
    dial::Dialer,
    secret::{Redaction, reveal},
};

/// How many echo requests were sent, and how many were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingResult {
    /// Sent.
    pub sent: u32,
    /// Answered.
    pub received: u32,
}

/// Where the values of secrets come from: borrowed, or kept alive.
enum Source<'s> {
    Borrowed(&'s dyn Secrets),
    Shared(Arc<dyn Secrets>),
}

impl Source<'_> {
    fn get(&self) -> &dyn Secrets {
        match self {
            Self::Borrowed(secrets) => *secrets,
            Self::Shared(secrets) => &**secrets,
        }
    }
}

/// A session with a device.
pub struct Session<'s> {
    device: NodeName,
    connection: Connection,
    pack: Arc<Pack>,
    limits: Limits,
    secrets: Source<'s>,
    redaction: Arc<Redaction>,
    rules: Option<ShellRules>,
    shell: Option<Shell>,
    prepared: bool,
}

/// What a command printed, and its exit status where the transport has one.
struct Output {
    text: String,
    status: Option<u32>,
    words: String,
    refused: bool,
}

impl Session<'static> {
    /// As [`Session::open`], with what sessions have in common.
    pub(crate) async fn with(
        dialer: &Dialer,
        device: &NodeName,
        target: &Target,
        pack: Arc<Pack>,
        limits: &Limits,
        secrets: &Arc<dyn Secrets>,
        redaction: &Arc<Redaction>,
    ) -> Result<Self, SessionError> {
        let rules = dialer.rules(&pack, || rules(device, &pack))?;
        let connection = dialer.connect(device, target, limits, &**secrets).await?;
        let secrets = Source::Shared(secrets.clone());
        Ok(Self::over(device, connection, pack, limits, secrets, redaction.clone(), rules))
    }
}

impl<'s> Session<'s> {
    /// Connects and logs in, with the host keys of the target's file or else of `~/.ssh/known_hosts`. An interactive
    /// command line is opened when the first command needs it.
    ///
    /// # Errors
    /// See [`SshError`].
    pub async fn open(
        device: &NodeName,
        target: &Target,
        pack: Arc<Pack>,
        limits: &Limits,
        secrets: &'s dyn Secrets,
    ) -> Result<Session<'s>, SessionError> {
        let redaction = Arc::new(Redaction::new(secrets));
        let rules = rules(device, &pack)?;
        let connection = Dialer::default().connect(device, target, limits, secrets).await?;
        let secrets = Source::Borrowed(secrets);
        Ok(Self::over(device, connection, pack, limits, secrets, redaction, rules))
    }

    fn over(
        device: &NodeName,
        connection: Connection,
        pack: Arc<Pack>,
        limits: &Limits,
        secrets: Source<'s>,
        redaction: Arc<Redaction>,
        rules: Option<ShellRules>,
    ) -> Self {
        Self {
            device: device.clone(),
            connection,
            pack,
            limits: limits.clone(),
            secrets,
            redaction,
            rules,
            shell: None,
            prepared: false,
        }
    }

    /// Tells whether the next command can be sent: the connection stands, and a command line that was opened is at its prompt.
    pub(crate) fn is_usable(&self) -> bool {
        !self.connection.is_closed() && self.shell.as_ref().is_none_or(Shell::is_usable)
    }

    /// Returns the session if it keeps alive what it needs.
    pub(crate) fn into_shared(self) -> Result<Session<'static>, Box<Self>> {
        let Source::Shared(secrets) = &self.secrets else { return Err(Box::new(self)) };
        let secrets = Source::Shared(secrets.clone());
        let Self { device, connection, pack, limits, redaction, rules, shell, prepared, secrets: _ } = self;
        Ok(Session { device, connection, pack, limits, secrets, redaction, rules, shell, prepared })
    }

    /// Tells whether the device answers.
    pub(crate) async fn answers(&self) -> bool {
        self.connection.answers().await
    }

    /// Returns the pack of the device's OS.
    pub fn pack(&self) -> &Arc<Pack> {
        &self.pack
    }

    /// Runs the commands of a step one after the other, and returns what each printed, secrets left out. The placeholders of
    /// secrets in the commands' input are replaced by their values.
    ///
    /// # Errors
    /// The first command that the device refuses ends the step.
    pub async fn step(&mut self, step: &Step, vars: &BTreeMap<&str, String>) -> Result<Vec<String>, SessionError> {
        let outputs = self.raw_step(step, vars).await?;
        Ok(outputs.into_iter().map(|text| self.redaction.hide(text)).collect())
    }

    /// As [`Session::step`], with the outputs as they are: secrets may stand in them.
    async fn raw_step(&mut self, step: &Step, vars: &BTreeMap<&str, String>) -> Result<Vec<String>, SessionError> {
        let mut outputs = Vec::with_capacity(step.commands.len());
        for command in &step.commands {
            let (shown, output) = self.command(command, step.limit_seconds, vars).await?;
            if output.refused {
                return Err(SessionError::Rejected {
                    device: self.device.clone(),
                    command: shown,
                    status: output.status,
                    words: if output.words.is_empty() { "it says nothing".into() } else { output.words },
                });
            }
            outputs.push(output.text);
        }
        Ok(outputs)
    }

    /// Brings what the pack's other steps need to the device, once in a session. A device that is new has none of it.
    ///
    /// # Errors
    /// See [`Session::step`].
    pub async fn prepare(&mut self) -> Result<(), SessionError> {
        let pack = self.pack.clone();
        if let (false, Some(step)) = (self.prepared, &pack.manifest().transaction.prepare) {
            self.step(step, &BTreeMap::from([("device", self.device.to_string())])).await?;
        }
        self.prepared = true;
        Ok(())
    }

    /// Asks for a transaction that waits for its confirmation. What runs then is not there to stay.
    ///
    /// # Errors
    /// See [`Session::step`].
    pub async fn unconfirmed(&mut self) -> Result<Option<String>, SessionError> {
        self.prepare().await?;
        let pack = self.pack.clone();
        let vars = BTreeMap::from([("device", self.device.to_string())]);
        let outputs = self.step(&pack.manifest().transaction.status, &vars).await?;
        Ok(outputs.concat().lines().find_map(|line| line.trim().strip_prefix("armed ")).map(str::to_owned))
    }

    /// Reads the running text of every file. In the place of each secret stands the placeholder of its digest; where the value
    /// of a secret of ours stands elsewhere, the secret's placeholder.
    ///
    /// # Errors
    /// See [`Session::step`].
    pub async fn running(&mut self) -> Result<BTreeMap<String, String>, SessionError> {
        self.prepare().await?;
        let pack = self.pack.clone();
        let mut texts = BTreeMap::new();
        for file in &pack.manifest().files {
            let vars = BTreeMap::from([("file", file.name.clone()), ("device", self.device.to_string())]);
            let outputs = Zeroizing::new(self.raw_step(&pack.manifest().transaction.running, &vars).await?);
            let text = Zeroizing::new(outputs.concat());
            let text = pack.without_secrets(&file.name, &text, &|value| self.secrets.get().key().digest(value));
            texts.insert(file.name.clone(), self.redaction.hide(text));
        }
        Ok(texts)
    }

    /// Reads a part of the state and returns what each command of the collector printed. `vars` has what the collector needs
    /// besides `device`: `neighbor` and `interface` for [`CollectorName::Advertised`].
    ///
    /// # Errors
    /// See [`Session::step`]; a pack without this collector is an error too.
    pub async fn collect(
        &mut self,
        collector: CollectorName,
        vars: &BTreeMap<&str, String>,
    ) -> Result<Vec<String>, SessionError> {
        let pack = self.pack.clone();
        let Some(found) = pack.manifest().collectors.get(&collector) else {
            return Err(self.pack_error(format!("it has no collector {collector:?}")));
        };
        let mut vars = vars.clone();
        vars.entry("device").or_insert_with(|| self.device.to_string());
        self.step(&found.step, &vars).await
    }

    /// Lets the device send echo requests. No answer is a result, not an error.
    ///
    /// # Errors
    /// An output in which the pack cannot find the counts is an error.
    pub async fn ping(&mut self, source: IpAddr, destination: IpAddr, count: u8) -> Result<PingResult, SessionError> {
        let pack = self.pack.clone();
        let probes = &pack.manifest().probes;
        let vars = BTreeMap::from([
            ("device", self.device.to_string()),
            ("source", source.to_string()),
            ("destination", destination.to_string()),
            ("count", count.to_string()),
        ]);
        let mut printed = String::new();
        for command in &probes.ping.commands {
            let (_, output) = self.command(command, probes.ping.limit_seconds, &vars).await?;
            printed.push_str(&self.redaction.hide(output.text));
            printed.push_str(&output.words);
        }
        let pattern = Regex::new(&format!("(?m){}", probes.ping_result)).map_err(|e| self.pack_error(e.to_string()))?;
        let number = |name| pattern.captures(&printed)?.name(name)?.as_str().parse().ok();
        match (number("sent"), number("received")) {
            (Some(sent), Some(received)) => Ok(PingResult { sent, received }),
            _ => Err(SessionError::Rejected {
                device: self.device.clone(),
                command: format!("ping {destination} from {source}"),
                status: None,
                words: first_lines(&printed),
            }),
        }
    }

    /// Ends the session. It does not wait for an answer.
    pub async fn close(self) {
        drop(self.shell);
        self.connection.close().await;
    }

    fn pack_error(&self, reason: String) -> SessionError {
        SessionError::Pack { device: self.device.clone(), pack: self.pack.name().clone(), reason }
    }

    /// Runs one command; returns how it is shown to people, and what came of it. Secrets may stand in the output's text.
    async fn command(
        &mut self,
        command: &Command,
        limit_seconds: u16,
        vars: &BTreeMap<&str, String>,
    ) -> Result<(String, Output), SessionError> {
        let vars: Variables = vars.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let rendered = self.pack.command(command, &vars).map_err(|error| self.pack_error(error.to_string()))?;
        let input = match &rendered.input {
            Some(input) => Some(
                reveal(input, self.secrets.get())
                    .map_err(|source| SessionError::Secret { device: self.device.clone(), source })?,
            ),
            None => None,
        };
        let input = input.as_ref().map(|input| input.as_str());
        let limit = Duration::from_secs(limit_seconds.into());
        let mut output = match &self.rules {
            None => {
                let done = self.connection.exec(&rendered.run, input, limit).await?;
                let words =
                    first_lines(&format!("{}{}", done.stderr, if done.status == 0 { "" } else { &done.stdout }));
                Output { refused: done.status != 0, text: done.stdout, status: Some(done.status), words }
            }
            Some(rules) => {
                let mut shell = match self.shell.take().filter(Shell::is_usable) {
                    Some(shell) => shell,
                    None => Shell::open(&self.device, &self.connection, rules, self.limits.command).await?,
                };
                let answer = shell.run(&rendered.run, input, limit).await?;
                self.shell = Some(shell);
                let words = first_lines(&answer.errors.join("\n"));
                Output { refused: !answer.errors.is_empty(), text: answer.text, status: None, words }
            }
        };
        for pattern in &command.errors {
            let pattern = Regex::new(&format!("(?m){pattern}")).map_err(|error| self.pack_error(error.to_string()))?;
            let whole = format!("{}\n{}", output.text, output.words);
            if !output.refused && pattern.is_match(&whole) {
                output.refused = true;
                let lines: Vec<&str> = whole.lines().filter(|line| pattern.is_match(line)).collect();
                output.words = first_lines(&lines.join("\n"));
            }
        }
        output.words = self.redaction.hide(output.words);
        Ok((self.redaction.hide(brief(&rendered.run)), output))
    }
}

/// Prepares the patterns of a pack whose devices have an interactive command line.
fn rules(device: &NodeName, pack: &Pack) -> Result<Option<ShellRules>, SessionError> {
    let Transport::Shell(shell) = &pack.manifest().transport else { return Ok(None) };
    let rules = ShellRules::new(shell).map_err(|error| SessionError::Pack {
        device: device.clone(),
        pack: pack.name().clone(),
        reason: error.to_string(),
    })?;
    Ok(Some(rules))
}

/// The beginning of what a device says: enough for a person, not a screen full.
fn first_lines(text: &str) -> String {
    const MOST: usize = 12;
    let lines: Vec<&str> = text.trim().lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let mut words = lines.iter().take(MOST).copied().collect::<Vec<_>>().join("\n");
    if lines.len() > MOST {
        words.push_str(&format!("\n({} more lines)", lines.len() - MOST));
    }
    words
}
