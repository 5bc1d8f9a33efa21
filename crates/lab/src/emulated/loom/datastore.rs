//! The datastores of a device (RFC 8342) and the transactions that change them.
//!
//! At most one session configures at a time and has the candidate. A transaction may lock the device across sessions. A
//! commit replaces the running configuration; a confirmed commit goes back when its confirmation does not come in time,
//! for which the owner of the datastore calls [`Datastore::time_is_up`]. The last commit can be undone.

use std::{collections::BTreeSet, fmt, sync::Arc};

use weft_device::config::DeviceConfig;
use weft_model::{NodeName, PackName};

use super::parser::{Mistake, Text, interpret};

/// A session of the command line.
pub(crate) type SessionId = u64;

/// A configuration, as it was written and as it is understood.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    /// As it was written.
    pub(crate) text: Text,
    /// As it is understood.
    pub(crate) config: Arc<DeviceConfig>,
}

impl Configuration {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub(crate) fn read(device: &NodeName, pack: &PackName, text: &str) -> Result<Self, Vec<Mistake>> {
        let text = Text::load(text.lines(), |_| false)?;
        let config = Arc::new(interpret(device, pack, &text)?);
        Ok(Self { text, config })
    }
}

/// What became of the last commit.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Commit {
    /// It goes back unless it is confirmed.
    Armed,
    /// It is final.
    Confirmed,
    /// It is undone.
    RolledBack,
}

/// The last commit.
#[derive(Debug, Clone)]
struct LastCommit {
    /// Its transaction; `None` for a change by hand.
    transaction: Option<String>,
    state: Commit,
    /// What ran before it.
    former: Configuration,
}

/// A session that configures.
#[derive(Debug)]
struct Configuring {
    session: SessionId,
    transaction: Option<String>,
    candidate: Text,
}

/// The datastores of one device.
#[derive(Debug)]
pub(crate) struct Datastore {
    device: NodeName,
    pack: PackName,
    running: Configuration,
    configuring: Option<Configuring>,
    locked_by: Option<String>,
    last: Option<LastCommit>,
    /// Transactions that committed, at any time.
    committed: BTreeSet<String>,
    /// Counts commits, so that a timer knows whether it is still about the last one.
    generation: u64,
}

/// Why a command was refused; printed behind `% `.
pub(crate) type Refused = Vec<String>;

fn refuse<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(vec![why.into()])
}

fn lines(mistakes: Vec<Mistake>) -> Refused {
    mistakes.iter().map(ToString::to_string).collect()
}

impl Datastore {
    /// Returns the datastores of a device that runs a configuration.
    pub(crate) fn new(device: NodeName, pack: PackName, running: Configuration) -> Self {
        Self {
            device,
            pack,
            running,
            configuring: None,
            locked_by: None,
            last: None,
            committed: BTreeSet::new(),
            generation: 0,
        }
    }

    /// Returns the running configuration.
    pub(crate) fn running(&self) -> &Configuration {
        &self.running
    }

    /// Takes the device for a transaction.
    pub(crate) fn lock(&mut self, session: SessionId, transaction: &str) -> Result<(), Refused> {
        if let Some(holder) = self.locked_by.as_ref().filter(|holder| *holder != transaction) {
            return refuse(format!("locked by {holder}"));
        }
        if let Some(configuring) = &self.configuring {
            let same = configuring.session == session || configuring.transaction.as_deref() == Some(transaction);
            if !same {
                return refuse("another session is configuring");
            }
        }
        if self.last.as_ref().is_some_and(|last| {
            last.state == Commit::Armed && last.transaction.as_deref().is_some_and(|armed| armed != transaction)
        }) {
            return refuse("another transaction waits for its confirmation");
        }
        self.locked_by = Some(transaction.to_owned());
        Ok(())
    }

    /// Gives the device free, also from a lost session of the transaction that still configures.
    pub(crate) fn unlock(&mut self, transaction: &str) -> Result<(), Refused> {
        match &self.locked_by {
            Some(holder) if holder != transaction => refuse(format!("locked by {holder}")),
            Some(_) | None => {
                self.locked_by = None;
                self.configuring.take_if(|configuring| configuring.transaction.as_deref() == Some(transaction));
                Ok(())
            }
        }
    }

    /// Lets a session configure; `transaction` is the one that it joined with `lock`.
    pub(crate) fn configure(&mut self, session: SessionId, transaction: Option<&str>) -> Result<(), Refused> {
        if let Some(holder) = self.locked_by.as_deref().filter(|holder| transaction != Some(*holder)) {
            return refuse(format!("locked by {holder}"));
        }
        if let Some(configuring) = &self.configuring {
            if configuring.session == session {
                return Ok(());
            }
            // A session of the same transaction was lost; its candidate goes.
            if transaction.is_none() || configuring.transaction.as_deref() != transaction {
                return refuse("another session is configuring");
            }
        }
        self.configuring = Some(Configuring {
            session,
            transaction: transaction.map(str::to_owned),
            candidate: self.running.text.clone(),
        });
        Ok(())
    }

    /// Tells whether a session configures.
    pub(crate) fn is_configuring(&self, session: SessionId) -> bool {
        self.configuring.as_ref().is_some_and(|configuring| configuring.session == session)
    }

    /// Drops the candidate of a session that ends or leaves the configuration mode.
    pub(crate) fn leave(&mut self, session: SessionId) {
        if self.is_configuring(session) {
            self.configuring = None;
        }
    }

    /// Returns the candidate of a session.
    pub(crate) fn candidate(&mut self, session: SessionId) -> Result<&mut Text, Refused> {
        match &mut self.configuring {
            Some(configuring) if configuring.session == session => Ok(&mut configuring.candidate),
            Some(_) => refuse("another session has taken over"),
            None => refuse("not configuring: `configure exclusive` comes first"),
        }
    }

    /// Makes the candidate the running configuration again.
    pub(crate) fn discard(&mut self, session: SessionId) -> Result<(), Refused> {
        let running = self.running.text.clone();
        *self.candidate(session)? = running;
        Ok(())
    }

    /// Looks at the candidate as a whole.
    pub(crate) fn check(&mut self, session: SessionId) -> Result<DeviceConfig, Refused> {
        let (device, pack) = (self.device.clone(), self.pack.clone());
        let candidate = self.candidate(session)?;
        interpret(&device, &pack, candidate).map_err(lines)
    }

    /// Makes the candidate run. A commit with a `transaction` goes back unless it is confirmed; one without is final.
    /// Returns the number of the commit, for [`Datastore::time_is_up`].
    pub(crate) fn commit(&mut self, session: SessionId, transaction: Option<&str>) -> Result<u64, Refused> {
        if let Some(armed) = self.last.as_ref().filter(|last| last.state == Commit::Armed) {
            return refuse(format!("{} waits for its confirmation", armed.name()));
        }
        if let (Some(holder), Some(transaction)) = (self.locked_by.as_deref(), transaction)
            && holder != transaction
        {
            return refuse(format!("locked by {holder}"));
        }
        let config = Arc::new(self.check(session)?);
        let text = self.candidate(session)?.clone();
        let former = std::mem::replace(&mut self.running, Configuration { text, config });
        let state = if transaction.is_some() { Commit::Armed } else { Commit::Confirmed };
        self.committed.extend(transaction.map(str::to_owned));
        self.last = Some(LastCommit { transaction: transaction.map(str::to_owned), state, former });
        self.generation += 1;
        Ok(self.generation)
    }

    /// Makes the commit of a transaction final.
    pub(crate) fn confirm(&mut self, transaction: &str) -> Result<(), Refused> {
        match self.last.as_mut().filter(|last| last.transaction.as_deref() == Some(transaction)) {
            Some(last) if last.state != Commit::RolledBack => {
                last.state = Commit::Confirmed;
                Ok(())
            }
            Some(_) => refuse(format!("{transaction} has gone back")),
            None => refuse(format!("{transaction} waits for no confirmation")),
        }
    }

    /// Undoes the commit of a transaction, and drops a candidate. Returns whether the running configuration changed.
    pub(crate) fn rollback(&mut self, transaction: &str) -> Result<bool, Refused> {
        if let Some(holder) = self.locked_by.as_deref().filter(|holder| *holder != transaction) {
            return refuse(format!("locked by {holder}"));
        }
        let is_last = self.last.as_ref().is_some_and(|last| last.transaction.as_deref() == Some(transaction));
        if !is_last && self.committed.contains(transaction) {
            return refuse(format!("{transaction} is not the last commit"));
        }
        if let Some(configuring) = &mut self.configuring
            && (configuring.transaction.as_deref() == Some(transaction) || configuring.transaction.is_none())
        {
            configuring.candidate = self.running.text.clone();
        }
        Ok(is_last && self.undo())
    }

    /// Undoes a commit that was not confirmed in time. Returns whether the running configuration changed.
    pub(crate) fn time_is_up(&mut self, generation: u64) -> bool {
        let armed = self.last.as_ref().is_some_and(|last| last.state == Commit::Armed);
        generation == self.generation && armed && self.undo()
    }

    /// Switches the device off and on: what is not confirmed, sessions and locks are gone. Returns whether the running
    /// configuration changed.
    pub(crate) fn power_cycle(&mut self) -> bool {
        self.configuring = None;
        self.locked_by = None;
        self.time_is_up(self.generation)
    }

    fn undo(&mut self) -> bool {
        let Some(last) = self.last.as_mut().filter(|last| last.state != Commit::RolledBack) else { return false };
        last.state = Commit::RolledBack;
        self.running = last.former.clone();
        if let Some(configuring) = &mut self.configuring {
            configuring.candidate = self.running.text.clone();
        }
        true
    }

    /// Returns the state of the transaction on the device, as `show transaction` prints it.
    pub(crate) fn transaction(&self) -> String {
        let last = self.last.as_ref().filter(|last| last.transaction.is_some());
        match (&self.locked_by, last) {
            (Some(holder), Some(last)) if last.transaction.as_ref() == Some(holder) => last.to_string(),
            (Some(holder), _) => format!("locked {holder}"),
            (None, Some(last)) => last.to_string(),
            (None, None) => "none".to_owned(),
        }
    }
}

impl LastCommit {
    fn name(&self) -> &str {
        self.transaction.as_deref().unwrap_or("a change by hand")
    }
}

impl fmt::Display for LastCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            Commit::Armed => "armed",
            Commit::Confirmed => "confirmed",
            Commit::RolledBack => "rolled-back",
        };
        write!(f, "{state} {}", self.name())
    }
}
