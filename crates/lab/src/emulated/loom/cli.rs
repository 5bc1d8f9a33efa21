//! loom's command line, without the terminal: a line in, its output out.

use std::{sync::Arc, time::Duration};

use similar::TextDiff;
use weft_model::NodeName;

use super::{
    datastore::{Refused, SessionId},
    parser::Text,
    ping, show,
};
use crate::emulated::shared::Shared;

/// The lines of a page before `terminal length` changes it.
const PAGE: usize = 24;

const HELP: &str = "\
commands:
  show running-config | candidate diff | transaction
  show interfaces | bgp neighbors | route | forwarding  [json]
  show bgp neighbor NEIGHBOR advertised json
  configure exclusive   load replace   check   discard
  commit   commit confirmed SECONDS comment ID   confirm ID   rollback ID
  lock ID   unlock ID
  ping DESTINATION [source ADDRESS] [count N]
  terminal length N   end   exit
while configuring, a statement is entered as it is written, and `no STATEMENT` takes it out
";

/// A session of the command line. It gives up what it holds when it is dropped.
#[derive(Debug)]
pub(crate) struct Cli {
    lab: Arc<Shared>,
    device: NodeName,
    session: SessionId,
    /// The transaction that it joined with `lock`.
    transaction: Option<String>,
    /// The section in which statements are entered.
    path: Vec<String>,
    /// The lines of a `load replace` that is not finished.
    loading: Option<Vec<String>>,
    /// The lines of a page; 0 turns the pager off.
    pub(crate) page: usize,
}

/// The answer to a line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    /// What is printed; ends in a line break unless it is empty.
    pub(crate) output: String,
    /// Whether the session ends.
    pub(crate) ends: bool,
}

impl Cli {
    /// Returns a new session on a device.
    pub(crate) fn new(lab: Arc<Shared>, device: NodeName) -> Self {
        let session = lab.number();
        Self { lab, device, session, transaction: None, path: Vec::new(), loading: None, page: PAGE }
    }

    /// Returns the prompt; `None` while a configuration is being loaded.
    pub(crate) fn prompt(&self) -> Option<String> {
        if self.loading.is_some() {
            return None;
        }
        let (hostname, configuring) = self.lab.datastore(&self.device, |datastore| {
            (datastore.running().config.system.hostname.clone(), datastore.is_configuring(self.session))
        })?;
        Some(format!("{hostname}{}", if configuring { "(config)# " } else { "> " }))
    }

    /// Tells whether a line is one of a text that is being loaded, and not its last: nothing comes of it yet.
    pub(crate) fn collects(&self, line: &str) -> bool {
        self.loading.is_some() && line != "."
    }

    /// Carries out a line.
    pub(crate) fn execute(&mut self, line: &str) -> Reply {
        if let Some(loaded) = &mut self.loading {
            if line != "." {
                loaded.push(line.to_owned());
                return Reply::default();
            }
            let loaded = self.loading.take().unwrap_or_default();
            return answer(self.load(&loaded));
        }
        let line = line.trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        if matches!(words.as_slice(), ["exit" | "quit"]) && !self.is_configuring() {
            return Reply { output: String::new(), ends: true };
        }
        answer(self.trouble(line, &words).map_or_else(|| self.command(line, &words), |why| Err(vec![why])))
    }

    /// Tells why a command fails that is well itself: it is refused on purpose, or cannot write to the disk what it has to.
    fn trouble(&self, line: &str, words: &[&str]) -> Option<String> {
        let fabric = self.lab.fabric();
        let device = fabric.devices.get(&self.device)?;
        if device.refused_commands.iter().any(|pattern| pattern.is_match(line)) {
            return Some("refused by the lab".to_owned());
        }
        // The candidate, what the device goes back to, and what it starts with are files. Going back makes none.
        let writes = matches!(words, ["load" | "commit" | "confirm", ..]);
        device.disk.filter(|_| writes).map(str::to_owned)
    }

    fn command(&mut self, line: &str, words: &[&str]) -> Result<String, Refused> {
        let done = Ok(String::new());
        match words {
            [] => done,
            ["?" | "help"] => Ok(HELP.to_owned()),
            ["terminal", "length", length] => match length.parse() {
                Ok(length) => {
                    self.page = length;
                    done
                }
                Err(_) => Err(vec![format!("`{}` is not a number of lines", length.escape_debug())]),
            },
            ["show", "running-config"] => self.act(|datastore, _| Ok(datastore.running().text.to_string())),
            ["show", "candidate", "diff"] => self.act(|datastore, session| {
                let running = datastore.running().text.to_string();
                let candidate = datastore.candidate(session)?.to_string();
                let diff = TextDiff::from_lines(&running, &candidate);
                Ok(diff.unified_diff().header("running", "candidate").to_string())
            }),
            ["show", "transaction"] => self.act(|datastore, _| Ok(format!("{}\n", datastore.transaction()))),
            ["show", what @ ..] => {
                let state = self.lab.fabric().state(&self.device);
                let state = state.ok_or_else(|| vec!["the device is off".to_owned()])?;
                show::show(&state, what).map_err(|why| vec![why])
            }
            ["ping", rest @ ..] => ping::from_device(&self.lab, &self.device, rest).map_err(|why| vec![why]),
            ["lock", transaction] => {
                self.act(|datastore, session| datastore.lock(session, transaction).map(|()| String::new()))?;
                self.transaction = Some((*transaction).to_owned());
                done
            }
            ["unlock", transaction] => {
                self.transaction.take_if(|joined| joined == transaction);
                self.act(|datastore, _| datastore.unlock(transaction).map(|()| String::new()))
            }
            ["configure", "exclusive"] => {
                let transaction = self.transaction.clone();
                self.path.clear();
                self.act(|datastore, session| {
                    datastore.configure(session, transaction.as_deref()).map(|()| String::new())
                })
            }
            ["load", "replace"] => {
                self.act(|datastore, session| datastore.candidate(session).map(|_| String::new()))?;
                self.loading = Some(Vec::new());
                done
            }
            ["check"] => self.act(|datastore, session| datastore.check(session).map(|_| String::new())),
            ["discard"] => self.act(|datastore, session| datastore.discard(session).map(|()| String::new())),
            ["commit"] => self.commit(None),
            ["commit", "confirmed", seconds, "comment", transaction] => match seconds.parse::<u16>() {
                Ok(seconds) if seconds > 0 => self.commit(Some((Duration::from_secs(seconds.into()), transaction))),
                Ok(_) | Err(_) => Err(vec![format!("`{}` is not 1 to 65535 seconds", seconds.escape_debug())]),
            },
            ["confirm", transaction] => self.act(|datastore, _| datastore.confirm(transaction).map(|()| String::new())),
            ["rollback", transaction] => {
                let changed = self.lab.datastore(&self.device, |datastore| datastore.rollback(transaction));
                if changed.unwrap_or(Ok(false))? {
                    self.lab.went_back(&self.device);
                }
                done
            }
            ["end"] => self.leave(),
            ["exit" | "quit"] if self.path.pop().is_some() => done,
            ["exit" | "quit"] => self.leave(),
            _ if self.is_configuring() => self.statement(line),
            _ => Err(vec![format!("`{}` is not a command; `help` lists them", line.escape_debug())]),
        }
    }

    fn act<T>(&self, act: impl FnOnce(&mut super::Datastore, SessionId) -> Result<T, Refused>) -> Result<T, Refused> {
        self.lab
            .datastore(&self.device, |datastore| act(datastore, self.session))
            .unwrap_or_else(|| Err(vec!["the device is gone".to_owned()]))
    }

    fn is_configuring(&self) -> bool {
        self.lab.datastore(&self.device, |datastore| datastore.is_configuring(self.session)).unwrap_or(false)
    }

    fn leave(&mut self) -> Result<String, Refused> {
        self.path.clear();
        self.act(|datastore, session| {
            datastore.leave(session);
            Ok(String::new())
        })
    }

    /// Tells whether the device refuses a line although it is a statement.
    fn rejects(&self) -> impl Fn(&str) -> bool + use<> {
        let patterns = self.lab.fabric().devices.get(&self.device).map(|device| device.rejects.clone());
        move |line| patterns.iter().flatten().any(|pattern| pattern.is_match(line))
    }

    fn load(&mut self, lines: &[String]) -> Result<String, Refused> {
        let loaded = Text::load(lines.iter().map(String::as_str), self.rejects());
        let loaded = loaded.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Refused>())?;
        self.path.clear();
        self.act(|datastore, session| {
            *datastore.candidate(session)? = loaded;
            Ok(String::new())
        })
    }

    fn statement(&mut self, line: &str) -> Result<String, Refused> {
        if self.rejects()(line) {
            return Err(vec!["refused by the device".to_owned()]);
        }
        let path = self.path.clone();
        let next = self.act(|datastore, session| {
            let candidate = datastore.candidate(session)?;
            let entered = match line.strip_prefix("no ") {
                Some(words) => candidate.remove(&path, words.trim()).map(|()| path.clone()),
                None => candidate.enter(&path, line),
            };
            entered.map_err(|why| vec![why])
        })?;
        self.path = next;
        Ok(String::new())
    }

    fn commit(&mut self, confirmed: Option<(Duration, &str)>) -> Result<String, Refused> {
        let transaction = confirmed.map(|(_, transaction)| transaction);
        let generation = self.act(|datastore, session| datastore.commit(session, transaction))?;
        self.lab.committed(&self.device, generation, confirmed.map(|(limit, _)| limit));
        Ok(String::new())
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        self.lab.datastore(&self.device, |datastore| datastore.leave(self.session));
    }
}

/// Turns what a command came to into what is printed: each reason on a line of its own, behind `% `.
fn answer(result: Result<String, Refused>) -> Reply {
    let output = match result {
        Ok(output) => output,
        Err(reasons) => reasons.iter().map(|reason| format!("% {reason}\n")).collect(),
    };
    Reply { output, ends: false }
}
