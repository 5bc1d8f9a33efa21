//! The journal: what is about to be done to which device, on disk before it is done.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use weft_model::NodeName;
use weft_plan::Digest;

use crate::StepName;

/// Before or after a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Moment {
    /// The step is about to begin.
    Before,
    /// It succeeded.
    Done,
    /// The lock of a transaction whose controller is dead was taken from it.
    TakenOver {
        /// That transaction.
        from: String,
    },
    /// It failed, or nobody knows whether it was done.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Milliseconds since 1970-01-01 UTC.
    pub at: u64,
    /// The transaction's id on the devices.
    pub transaction: String,
    /// The device.
    pub device: NodeName,
    /// The step.
    pub step: StepName,
    /// Before or after it.
    pub moment: Moment,
    /// The digest of what the device ran before the push.
    pub before: Digest,
    /// The digest of what it is to run.
    pub intended: Digest,
}

/// Why the journal cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("{operation} the journal {}: {source}", path.display())]
pub struct JournalError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// An append-only file of JSON lines.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
    /// How many entries are written.
    written: AtomicU64,
    /// How many of them are on disk; whoever holds it brings them there.
    synced: tokio::sync::Mutex<u64>,
}

impl Journal {
    /// Opens a journal, and makes it and its folder where they are not there.
    ///
    /// # Errors
    /// Returns what the operating system says.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let fail = |source| JournalError { operation: "open", path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(fail)?;
        }
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(fail)?;
        let (written, synced) = (AtomicU64::new(0), tokio::sync::Mutex::new(0));
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), written, synced })
    }

    /// Reads a journal. A last line that was cut off by a crash is left out.
    ///
    /// # Errors
    /// A journal that cannot be read, or that has a line that is none, is an error.
    pub fn read(path: &Path) -> Result<Vec<JournalEntry>, JournalError> {
        let fail = |source| JournalError { operation: "read", path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(fail)?;
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        whole.lines().map(|line| serde_json::from_str(line).map_err(|error| fail(error.into()))).collect()
    }

    /// Writes an entry; it is on disk when this returns. Entries that wait at the same time get there together.
    ///
    /// # Errors
    /// Then the step must not be done.
    pub(crate) async fn append(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        let fail = |source| JournalError { operation: "write", path: self.path.clone(), source };
        let mut line = serde_json::to_vec(entry).map_err(|error| fail(error.into()))?;
        line.push(b'\n');
        let number = self.write(&line).map_err(fail)?;
        self.sync(number).await.map_err(fail)
    }

    /// Writes a line, and returns its number.
    fn write(&self, line: &[u8]) -> io::Result<u64> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line)?;
        Ok(self.written.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// Returns once the line of a number is on disk. One of those who wait brings there all that is written by then.
    async fn sync(&self, number: u64) -> io::Result<()> {
        let mut synced = self.synced.lock().await;
        if *synced >= number {
            return Ok(());
        }
        let written = self.written.load(Ordering::SeqCst);
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).try_clone()?;
        // Others write meanwhile, and the runtime goes on.
        tokio::task::spawn_blocking(move || file.sync_data()).await.map_err(io::Error::other)??;
        *synced = written;
        Ok(())
    }
}

/// Returns the time for an entry.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
