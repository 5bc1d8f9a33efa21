//! The terminal of a device: line editing, echo, the pager.

use std::{collections::VecDeque, sync::Arc};

use russh::{Channel, ChannelMsg, Pty, server::Msg};
use weft_model::NodeName;

use super::{
    loom::{Cli, Reply},
    shared::Shared,
};

/// What the pager prints, and what takes it away again.
const MORE: &str = "--More--";
const NO_MORE: &str = "\r        \r";
/// The longest line that is read, in octets.
const LONGEST_LINE: usize = 65_536;

/// The client has gone.
struct Gone;

/// Serves a shell until either side ends it.
pub(super) async fn run(channel: Channel<Msg>, lab: Arc<Shared>, device: NodeName) {
    let mut terminal =
        Terminal { channel, echo: false, input: VecDeque::new(), echoed: Vec::new(), after_return: false };
    if terminal.until_shell().await.is_ok() && terminal.session(Cli::new(lab, device)).await.is_ok() {
        // The client may have closed the channel meanwhile.
        let _ = terminal.channel.exit_status(0).await;
        let _ = terminal.channel.eof().await;
    }
    let _ = terminal.channel.close().await;
}

struct Terminal {
    channel: Channel<Msg>,
    /// Whether what is typed is printed.
    echo: bool,
    input: VecDeque<u8>,
    /// What is typed ahead of its being printed: it goes out with the next output, or before input is waited for.
    echoed: Vec<u8>,
    /// Whether the last octet was a carriage return: a line feed behind it belongs to it.
    after_return: bool,
}

impl Terminal {
    /// Waits until the client asks for a shell.
    async fn until_shell(&mut self) -> Result<(), Gone> {
        loop {
            match self.channel.wait().await.ok_or(Gone)? {
                ChannelMsg::RequestPty { terminal_modes, .. } => {
                    self.echo = !terminal_modes.iter().any(|&(mode, value)| mode == Pty::ECHO && value == 0);
                }
                ChannelMsg::RequestShell { .. } => return Ok(()),
                ChannelMsg::Eof | ChannelMsg::Close => return Err(Gone),
                _ => {}
            }
        }
    }

    async fn session(&mut self, mut cli: Cli) -> Result<(), Gone> {
        self.print(&cli.prompt().unwrap_or_default()).await?;
        while let Some(line) = self.line().await? {
            if cli.collects(&line) {
                cli.execute(&line);
                continue;
            }
            // Computing routes takes a while in a large lab.
            let executed = tokio::task::spawn_blocking(move || {
                let reply = cli.execute(&line);
                (cli, reply)
            });
            let reply: Reply;
            (cli, reply) = executed.await.map_err(|_| Gone)?;
            self.page(&reply.output, cli.page).await?;
            if reply.ends {
                return Ok(());
            }
            self.print(&cli.prompt().unwrap_or_default()).await?;
        }
        Ok(())
    }

    /// Reads a line; `None` at the end of the input.
    async fn line(&mut self) -> Result<Option<String>, Gone> {
        let mut line: Vec<u8> = Vec::new();
        loop {
            match self.octet().await? {
                b'\r' | b'\n' => {
                    self.echo(b"\r\n");
                    return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
                }
                // Interrupt: the line is dropped.
                0x03 => {
                    self.echo(b"^C\r\n");
                    return Ok(Some(String::new()));
                }
                // End of transmission.
                0x04 if line.is_empty() => return Ok(None),
                0x08 | 0x7f => {
                    if line.pop().is_some() {
                        self.echo(b"\x08 \x08");
                    }
                }
                _ if line.len() >= LONGEST_LINE => return Err(Gone),
                octet => {
                    line.push(octet);
                    self.echo(&[octet]);
                }
            }
        }
    }

    /// Prints a page at a time, and waits for a key in between: space for a page, return for a line, `q` for no more.
    async fn page(&mut self, output: &str, page: usize) -> Result<(), Gone> {
        if page == 0 {
            return self.print(output).await;
        }
        let mut lines: VecDeque<&str> = output.split_inclusive('\n').collect();
        let mut room = page;
        loop {
            let now: String = lines.drain(..room.min(lines.len())).collect();
            self.print(&now).await?;
            if lines.is_empty() {
                return Ok(());
            }
            self.print(MORE).await?;
            room = match self.octet().await? {
                b'q' | b'Q' | 0x03 => 0,
                b'\r' | b'\n' => 1,
                _ => page,
            };
            self.print(NO_MORE).await?;
            if room == 0 {
                return Ok(());
            }
        }
    }

    /// Reads an octet. Of a carriage return and line feed only the first is seen.
    async fn octet(&mut self) -> Result<u8, Gone> {
        loop {
            if let Some(octet) = self.input.pop_front() {
                let belongs = octet == b'\n' && self.after_return;
                self.after_return = octet == b'\r';
                if belongs {
                    continue;
                }
                return Ok(octet);
            }
            self.flush().await?;
            match self.channel.wait().await.ok_or(Gone)? {
                ChannelMsg::Data { data } => self.input.extend(data.iter()),
                ChannelMsg::Eof | ChannelMsg::Close => return Err(Gone),
                _ => {}
            }
        }
    }

    fn echo(&mut self, octets: &[u8]) {
        if self.echo {
            self.echoed.extend(octets);
        }
    }

    /// Prints text; lines end as a terminal wants it where there is one.
    async fn print(&mut self, text: &str) -> Result<(), Gone> {
        if self.echo {
            self.echoed.extend(text.replace('\n', "\r\n").bytes());
        } else {
            self.echoed.extend(text.bytes());
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        if self.echoed.is_empty() {
            return Ok(());
        }
        self.channel.data_bytes(std::mem::take(&mut self.echoed)).await.map_err(|_| Gone)
    }
}
