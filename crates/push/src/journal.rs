//! The journal: what is about to be done to which device, on disk before it is done.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
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
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
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

    /// Writes an entry; it is on disk when this returns.
    ///
    /// # Errors
    /// Then the step must not be done.
    pub(crate) fn append(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        let fail = |source| JournalError { operation: "write", path: self.path.clone(), source };
        let mut line = serde_json::to_vec(entry).map_err(|error| fail(error.into()))?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).and_then(|()| file.sync_data()).map_err(fail)
    }
}

/// Returns the time for an entry.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
