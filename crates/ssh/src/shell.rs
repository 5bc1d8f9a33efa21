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

/// What pagers say at the end of a screen, unless the pack knows better.
const PAGER: &str = r"(?i)(?:-+\s*\(?more\)?[^\n]*-+|<-+\s*more\s*-+>|\(more\)|press any key to continue.*)\s*\z";

/// The key that shows the next screen, unless the pack knows better.
const NEXT_SCREEN: &str = " ";
/// The most questions that are answered during one command: one that is asked again and again is never answered well.
const MOST_ANSWERS: usize = 16;
/// A command that is longer may be shown scrolled or shortened by the device's line editor.
const LONGEST_ECHO: usize = 60;

/// A [`ShellTransport`] whose patterns are ready.
#[derive(Debug, Clone)]
pub struct ShellRules {
    prompt: Regex,
    errors: Vec<Regex>,
    pager: (Regex, String),
    questions: Vec<(Regex, String)>,
    setup: Vec<String>,
}

impl ShellRules {
    /// Prepares the patterns of a manifest.
    ///
    /// # Errors
    /// Returns the pattern that is no regular expression.
    pub fn new(transport: &ShellTransport) -> Result<Self, regex::Error> {
        let at_the_end = |pattern: &str| Regex::new(&format!(r"(?m)(?:{pattern})\z"));
        let questions = transport.questions.iter();
        Ok(Self {
            prompt: at_the_end(&transport.prompt)?,
            errors: transport.errors.iter().map(|pattern| Regex::new(pattern)).collect::<Result<_, _>>()?,
            pager: match &transport.pager {
                Some(pager) => (at_the_end(&pager.pattern)?, pager.key.clone()),
                None => (Regex::new(PAGER)?, NEXT_SCREEN.to_owned()),
            },
            questions: questions
                .map(|one| Ok((at_the_end(&one.pattern)?, one.answer.clone())))
                .collect::<Result<_, _>>()?,
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
    /// Whether the device was seen to repeat what is typed: then a prompt that comes before that is an old one.
    echoes: bool,
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
        let mut shell =
            Self { device: device.clone(), rules: rules.clone(), reader, writer, usable: true, echoes: false };
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
        let output = visible(&self.exchange(command, input, waited_for, limit).await?);
        let text = without_echo(self.since_echo(&output, command), command, input);
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

    /// Returns the output from the echo of the command on: what a device that echoes says before is about something else.
    fn since_echo<'t>(&self, output: &'t str, command: &str) -> &'t str {
        let mut at = 0;
        for line in output.split_inclusive('\n').take_while(|_| self.echoes) {
            let before = line.trim_end().strip_suffix(command.trim_end());
            if before.is_some_and(|before| before.is_empty() || self.rules.prompt.is_match(before)) {
                return &output[at..];
            }
            at += line.len();
        }
        output
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
        // The device may be slow to repeat it, and may have printed a prompt of its own accord before.
        let echo = (self.echoes && command.len() <= LONGEST_ECHO).then_some(command);
        let mut output = Vec::new();
        let both = async {
            let send = writer.data(lines.as_bytes());
            tokio::pin!(send);
            let (mut sent, mut answers) = (false, 0);
            // Where what was said since the last key or answer begins.
            let mut since = 0;
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
                let start = last_line(&output);
                if is_cut(&output[start..]) {
                    continue;
                }
                let last = visible(&String::from_utf8_lossy(&output[start..]));
                let news = visible(&String::from_utf8_lossy(&output[start.max(since)..]));
                if rules.pager.0.is_match(&news) {
                    writer.data(rules.pager.1.as_bytes()).await.map_err(Some)?;
                    output.truncate(start);
                    since = start;
                } else if let Some((_, answer)) = rules.questions.iter().find(|(pattern, _)| pattern.is_match(&news))
                    && answers < MOST_ANSWERS
                {
                    answers += 1;
                    since = output.len();
                    writer.data(answer.as_bytes()).await.map_err(Some)?;
                } else if let Some(prompt) = rules.prompt.find(&last)
                    && sent
                    // A line that holds the command is its echo, whatever it ends with.
                    && (start > 0 || command.is_empty() || !last.contains(command))
                    && echo.is_none_or(|echo| has_echo(&output[..start], echo))
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
                let first = visible(&output);
                let first = first.lines().next().unwrap_or_default();
                self.echoes |= !command.is_empty() && first.trim_end().ends_with(command.trim_end());
                Ok(output)
            }
            Ok(Err(source)) => {
                let while_running = format!("while waiting for {waited_for}");
                Err(during(&self.device, &while_running, source.unwrap_or(russh::Error::Disconnect)))
            }
            Err(_) => {
                let last = visible(&String::from_utf8_lossy(&output[last_line(&output)..]));
                let waited_for = match brief(&last) {
                    last if last.is_empty() => waited_for,
                    // What was typed may be a secret that is shown nowhere.
                    last if input.is_none() => format!("{waited_for}; the last line is `{last}`"),
                    _ => waited_for,
                };
                Err(SshError::TimedOut { device: self.device.clone(), waited_for, limit })
            }
        }
    }
}

/// Returns where the last line begins.
fn last_line(output: &[u8]) -> usize {
    output.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)
}

/// Tells whether a line ends within a control sequence or a character: the rest is on its way.
fn is_cut(line: &[u8]) -> bool {
    let sequence = line.iter().rposition(|&byte| byte == 0x1b).map(|at| &line[at + 1..]);
    let within = match sequence {
        None => false,
        Some([]) => true,
        Some([b'[', rest @ ..]) => !rest.iter().any(|byte| (b'@'..=b'~').contains(byte)),
        Some([b']', rest @ ..]) => !rest.contains(&0x7),
        Some(_) => false,
    };
    let lead = line.iter().rposition(|byte| byte & 0xc0 != 0x80).map(|at| (line[at], line.len() - at));
    let character = lead.is_some_and(|(lead, length)| match lead {
        0xc0..=0xdf => length < 2,
        0xe0..=0xef => length < 3,
        0xf0..=0xf7 => length < 4,
        _ => false,
    });
    within || character
}

/// Tells whether what the device said holds what was typed, however it broke the line.
fn has_echo(output: &[u8], typed: &str) -> bool {
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    squeezed(&visible(&String::from_utf8_lossy(output))).contains(&squeezed(typed))
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
            // It goes back no further than to the beginning of the line.
            '\u{8}' if !shown.ends_with('\n') => {
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
    let mut rest = output.as_str();
    let typed = (!command.is_empty()).then_some(command).into_iter();
    for (index, typed) in typed.chain(input.unwrap_or_default().lines()).enumerate() {
        let Some((line, behind)) = rest.split_once('\n') else { break };
        // The prompt may stand before the first one.
        let same =
            if index == 0 { line.trim_end().ends_with(typed.trim_end()) } else { line.trim_end() == typed.trim_end() };
        if same {
            rest = behind;
        } else if let Some(behind) = behind_wrapped(rest, typed) {
            rest = behind;
        }
    }
    rest.to_owned()
}

/// Returns what follows a line that was typed and that the device broke into several.
fn behind_wrapped<'t>(text: &'t str, typed: &str) -> Option<&'t str> {
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    let (wanted, mut joined, mut rest) = (squeezed(typed), String::new(), text);
    if wanted.is_empty() {
        return None;
    }
    while joined.len() < wanted.len() {
        let (line, behind) = rest.split_once('\n')?;
        joined.push_str(&squeezed(line));
        rest = behind;
    }
    // All that may stand before it is the prompt.
    (joined.ends_with(&wanted) && joined.len() <= wanted.len() + LONGEST_ECHO).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_less_than_was_sent() {
        assert_eq!(visible("a\r\nb\u{1b}[2K\u{1b}[1;31mc\u{1b}[0m\r\n"), "a\nbc\n");
        assert_eq!(visible("--More--\r        \rnext line\r\n"), "next line\n");
        assert_eq!(visible("abc\u{8}\u{8}x"), "ax");
        assert_eq!(visible("abc\n\u{8}\u{8}x"), "abc\nx");
    }

    #[test]
    fn half_a_sequence_or_character_is_no_end() {
        for cut in ["sw1> \u{1b}", "sw1> \u{1b}[", "sw1> \u{1b}[01;3", "\u{1b}]0;title"] {
            assert!(is_cut(cut.as_bytes()), "{cut:?}");
        }
        assert!(is_cut(&"ü".as_bytes()[..1]) && !is_cut("ü".as_bytes()));
        assert!(!is_cut(b"\x1b[31msw1> ") && !is_cut(b"") && !is_cut(b"sw1> "));
    }

    #[test]
    fn the_echo_is_left_out() {
        assert_eq!(without_echo("show x\r\nline\r\n", "show x", None), "line\n");
        assert_eq!(without_echo("line\r\n", "show x", None), "line\n");
        let wrapped = "sw1# set description a-long\r\n-description on a line\r\ndone\r\n";
        assert_eq!(without_echo(wrapped, "set description a-long-description on a line", None), "done\n");
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
