//! An interactive command line: a command has ended when the prompt is back.

use std::time::Duration;

use regex::Regex;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client::Msg};
use weft_model::NodeName;
use weft_pack::manifest::ShellTransport;

use crate::{
    Connection, SshError,
    connection::{brief, during},
};

/// What pagers say at the end of a screen.
const PAGER: &str = r"(?i)(?:-+\s*\(?more\)?[^\n]*-+|<-+\s*more\s*-+>|\(more\)|press any key to continue.*)\s*\z";

/// A [`ShellTransport`] whose patterns are ready.
#[derive(Debug, Clone)]
pub struct ShellRules {
    prompt: Regex,
    errors: Vec<Regex>,
    pager: Regex,
    setup: Vec<String>,
}

impl ShellRules {
    /// Prepares the patterns of a manifest.
    ///
    /// # Errors
    /// Returns the pattern that is no regular expression.
    pub fn new(transport: &ShellTransport) -> Result<Self, regex::Error> {
        Ok(Self {
            prompt: Regex::new(&format!(r"(?m)(?:{})\z", transport.prompt))?,
            errors: transport.errors.iter().map(|pattern| Regex::new(pattern)).collect::<Result<_, _>>()?,
            pager: Regex::new(PAGER)?,
            setup: transport.setup.clone(),
        })
    }
}

/// What the device answered to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The output, without echo and prompt.
    pub text: String,
    /// The lines by which the device refused the command; empty when it took it.
    pub errors: Vec<String>,
}

/// An interactive command line that is at its prompt.
pub struct Shell {
    device: NodeName,
    rules: ShellRules,
    reader: ChannelReadHalf,
    writer: ChannelWriteHalf<Msg>,
    usable: bool,
}

impl Shell {
    /// Opens a command line, waits for its first prompt and sends the set-up commands.
    ///
    /// # Errors
    /// A prompt that does not come within `limit` and a connection that is lost are errors. A set-up command that the device
    /// refuses is passed over: what follows will tell.
    pub async fn open(
        device: &NodeName,
        connection: &Connection,
        rules: &ShellRules,
        limit: Duration,
    ) -> Result<Self, SshError> {
        let channel = connection.channel(limit).await?;
        let fail = |source| during(device, "while the command line was opened", source);
        channel.request_pty(false, "vt100", 511, 1000, 0, 0, &[]).await.map_err(fail)?;
        channel.request_shell(true).await.map_err(fail)?;
        let (reader, writer) = channel.split();
        let mut shell = Self { device: device.clone(), rules: rules.clone(), reader, writer, usable: true };
        shell.exchange("", None, "the first prompt of the command line".into(), limit).await?;
        for command in rules.setup.clone() {
            shell.run(&command, None, limit).await?;
        }
        Ok(shell)
    }

    /// Says whether the command line can take another command. After a time-out, or after a refused command that further
    /// lines were sent to, nobody knows what it would do with one.
    pub fn is_usable(&self) -> bool {
        self.usable
    }

    /// Runs a command, sends `input` as further lines and waits for the prompt.
    ///
    /// # Errors
    /// A prompt that does not come within `limit` and a connection that is lost are errors; a refusal is part of the answer.
    pub async fn run(&mut self, command: &str, input: Option<&str>, limit: Duration) -> Result<Answer, SshError> {
        let waited_for = format!("the prompt after `{}`", brief(command));
        let output = self.exchange(command, input, waited_for, limit).await?;
        let text = without_echo(&output, command, input);
        let errors: Vec<String> = text
            .lines()
            .filter(|line| self.rules.errors.iter().any(|pattern| pattern.is_match(line)))
            .map(str::to_owned)
            .collect();
        if !errors.is_empty() && input.is_some() {
            self.usable = false;
        }
        Ok(Answer { text, errors })
    }

    /// Sends lines while it reads, until the output ends with a prompt; returns the output before that prompt.
    async fn exchange(
        &mut self,
        command: &str,
        input: Option<&str>,
        waited_for: String,
        limit: Duration,
    ) -> Result<String, SshError> {
        // Until the prompt is seen the state of the command line is unknown, also when this future is dropped.
        self.usable = false;
        let mut lines = String::new();
        if !command.is_empty() {
            lines.push_str(command);
            lines.push('\n');
        }
        if let Some(input) = input {
            lines.push_str(input);
            if !input.ends_with('\n') {
                lines.push('\n');
            }
        }
        let (rules, writer, reader) = (&self.rules, &self.writer, &mut self.reader);
        let both = async {
            let send = writer.data(lines.as_bytes());
            tokio::pin!(send);
            let mut sent = false;
            let mut output = Vec::new();
            loop {
                // Both at once: the device repeats lines while it is sent more of them.
                tokio::select! {
                    done = &mut send, if !sent => {
                        done.map_err(Some)?;
                        sent = true;
                    }
                    message = reader.wait() => match message {
                        Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) => {
                            output.extend_from_slice(&data);
                        }
                        Some(_) => continue,
                        None => return Err(None),
                    },
                }
                let start = output.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
                let last = visible(&String::from_utf8_lossy(&output[start..]));
                if rules.pager.is_match(&last) {
                    output.truncate(start);
                    writer.data(&b" "[..]).await.map_err(Some)?;
                } else if let Some(prompt) = rules.prompt.find(&last)
                    && sent
                    // A line that holds the command is its echo, whatever it ends with.
                    && (start > 0 || command.is_empty() || !last.contains(command))
                {
                    let mut text = String::from_utf8_lossy(&output[..start]).into_owned();
                    text.push_str(&last[..prompt.start()]);
                    return Ok(text);
                }
            }
        };
        match tokio::time::timeout(limit, both).await {
            Ok(Ok(output)) => {
                self.usable = true;
                Ok(output)
            }
            Ok(Err(source)) => {
                let while_running = format!("while waiting for {waited_for}");
                Err(during(&self.device, &while_running, source.unwrap_or(russh::Error::Disconnect)))
            }
            Err(_) => Err(SshError::TimedOut { device: self.device.clone(), waited_for, limit }),
        }
    }
}

/// What a terminal would show of a text: no control sequences, and of a line that was overwritten only what was written
/// last.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                // CSI: parameters, then one letter (ECMA-48 5.4).
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // OSC: up to BEL or ST.
                Some(']') => while chars.next().is_some_and(|c| c != '\u{7}' && c != '\u{1b}') {},
                _ => {}
            },
            '\u{8}' => {
                shown.pop();
            }
            '\r' if chars.peek().is_none_or(|next| *next == '\n' || *next == '\r') => {}
            '\r' => shown.truncate(shown.rfind('\n').map_or(0, |at| at + 1)),
            c if c.is_control() && c != '\n' && c != '\t' => {}
            c => shown.push(c),
        }
    }
    shown
}

/// Takes out what the device repeated of what was typed.
fn without_echo(output: &str, command: &str, input: Option<&str>) -> String {
    let output = visible(output);
    let mut lines = output.split_inclusive('\n').peekable();
    if !command.is_empty() && lines.peek().is_some_and(|line| line.trim_end().ends_with(command.trim_end())) {
        lines.next();
    }
    for typed in input.unwrap_or_default().lines() {
        if lines.peek().is_some_and(|line| line.trim_end() == typed.trim_end()) {
            lines.next();
        }
    }
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_less_than_was_sent() {
        assert_eq!(visible("a\r\nb\u{1b}[2K\u{1b}[1;31mc\u{1b}[0m\r\n"), "a\nbc\n");
        assert_eq!(visible("--More--\r        \rnext line\r\n"), "next line\n");
        assert_eq!(visible("abc\u{8}\u{8}x"), "ax");
    }

    #[test]
    fn the_echo_is_left_out() {
        assert_eq!(without_echo("show x\r\nline\r\n", "show x", None), "line\n");
        assert_eq!(without_echo("line\r\n", "show x", None), "line\n");
        assert_eq!(without_echo("load\r\na\r\n.\r\n% line 1: no\r\n", "load", Some("a\n.\n")), "% line 1: no\n");
    }

    #[test]
    fn pagers_are_known_by_what_they_say() {
        let pager = Regex::new(PAGER).unwrap();
        for last in ["--More--", " --More-- ", "<--- More --->", "---(more 12%)---", "-- more, next page: Space --"] {
            assert!(pager.is_match(last), "{last}");
        }
        assert!(!pager.is_match("b1-leaf-01> "));
    }
}
