//! The journal: what is about to be done to which device, on disk before it is done.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    iter,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, mpsc},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
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

/// A line of the journal about a device.
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

/// What becomes of a wave, and with it of the push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turn {
    /// It begins.
    Begins,
    /// It is well: its devices are going to be confirmed.
    GoesOn,
    /// It is not, or somebody stopped it: devices are going to be put back.
    GoesBack,
}

/// A line of the journal about a wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalTurn {
    /// Milliseconds since 1970-01-01 UTC.
    pub at: u64,
    /// The transaction's id on the devices.
    pub transaction: String,
    /// The wave.
    pub wave: String,
    /// What becomes of it.
    pub turn: Turn,
    /// Why, where it goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JournalLine {
    /// About a device.
    Device(JournalEntry),
    /// About a wave.
    Wave(JournalTurn),
}

impl JournalLine {
    /// Tells whether it must be on disk before anything else is done.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Wave(_) => true,
            Self::Device(entry) => match entry.moment {
                Moment::Before | Moment::TakenOver { .. } => true,
                Moment::Done | Moment::Failed { .. } => false,
            },
        }
    }
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
    lines: Mutex<Lines>,
    /// Asks the thread that brings lines to the disk to say when all that is written by then is there.
    sync: mpsc::Sender<oneshot::Sender<io::Result<()>>>,
}

#[derive(Debug)]
struct Lines {
    file: File,
    /// The length of the whole lines.
    length: u64,
}

impl Journal {
    /// Opens a journal, and makes it and its folder where they are not there. A last line that was cut off is taken away.
    ///
    /// # Errors
    /// Returns what the operating system says.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let fail = |source| JournalError { operation: "open", path: path.to_owned(), source };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(fail)?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(fail)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(fail)?;
        let whole = text.iter().rposition(|&octet| octet == b'\n').map_or(0, |end| end + 1);
        let length = u64::try_from(whole).map_err(|error| fail(io::Error::other(error)))?;
        if whole < text.len() {
            file.set_len(length).map_err(fail)?;
        }
        // The name of the file is as lasting as what is written into it.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)?;
        Self::of(path, file, length).map_err(fail)
    }

    fn of(path: &Path, file: File, length: u64) -> io::Result<Self> {
        let (sync, asked) = mpsc::channel();
        let own = file.try_clone()?;
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || bring_to_disk(&own, &asked))?;
        Ok(Self { path: path.to_owned(), lines: Mutex::new(Lines { file, length }), sync })
    }

    /// Reads what a journal says of devices. A last line that was cut off by a crash is left out.
    ///
    /// # Errors
    /// A journal that cannot be read, or that has a line that is none, is an error.
    pub fn read(path: &Path) -> Result<Vec<JournalEntry>, JournalError> {
        let of_device = |line| match line {
            JournalLine::Device(entry) => Some(entry),
            JournalLine::Wave(_) => None,
        };
        Ok(Self::lines(path)?.into_iter().filter_map(of_device).collect())
    }

    /// Reads a journal. A last line that was cut off by a crash is left out.
    ///
    /// # Errors
    /// A journal that cannot be read, or that has a line that is none, is an error.
    pub fn lines(path: &Path) -> Result<Vec<JournalLine>, JournalError> {
        let fail = |source| JournalError { operation: "read", path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(fail)?;
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        whole.lines().map(|line| serde_json::from_str(line).map_err(|error| fail(error.into()))).collect()
    }

    /// Writes a line. What is about to be done, and what was decided, is on disk when this returns; lines that wait at the same
    /// time get there together. What came of a step follows with the next such line: after a crash the device is asked in any
    /// case.
    ///
    /// # Errors
    /// Then the step must not be done. The lines that are there are whole.
    pub(crate) async fn append(&self, line: &JournalLine) -> Result<(), JournalError> {
        let fail = |source| JournalError { operation: "write", path: self.path.clone(), source };
        let mut text = serde_json::to_vec(line).map_err(|error| fail(error.into()))?;
        text.push(b'\n');
        self.write(&text).map_err(fail)?;
        if line.is_lasting() { self.sync().await.map_err(fail) } else { Ok(()) }
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.file.write_all(line) {
            Ok(()) => {
                lines.length += u64::try_from(line.len()).map_err(io::Error::other)?;
                Ok(())
            }
            Err(source) => {
                // On a full disk a part of the line may be there, and the next one must not begin behind it. Where even that
                // cannot be mended, opening the journal does it.
                let length = lines.length;
                let _ = lines.file.set_len(length).and_then(|()| lines.file.seek(SeekFrom::End(0)));
                Err(source)
            }
        }
    }

    /// Returns once what is written is on disk.
    async fn sync(&self) -> io::Result<()> {
        let (answer, done) = oneshot::channel();
        self.sync.send(answer).map_err(io::Error::other)?;
        done.await.map_err(io::Error::other)?
    }
}

/// Brings lines to the disk for as long as the journal is open: those of all who wait at the same time together.
fn bring_to_disk(file: &File, asked: &mpsc::Receiver<oneshot::Sender<io::Result<()>>>) {
    let mut failed = false;
    while let Ok(first) = asked.recv() {
        // What they wait for was written before they asked.
        let waiting: Vec<_> = iter::once(first).chain(asked.try_iter()).collect();
        let done = match failed {
            // The operating system says once that lines are lost, and not that they are still lost.
            true => Err(io::Error::other("lines before may not have reached the disk")),
            false => file.sync_data(),
        };
        failed = done.is_err();
        for answer in waiting {
            // Who does not wait any more was stopped.
            let _ = answer.send(match &done {
                Ok(()) => Ok(()),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            });
        }
    }
}

/// Returns the time for an entry.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(wave: &str) -> JournalLine {
        JournalLine::Wave(JournalTurn {
            at: 1,
            transaction: "t".into(),
            wave: wave.into(),
            turn: Turn::Begins,
            why: None,
        })
    }

    #[tokio::test]
    async fn a_line_that_a_crash_cut_off_is_not_joined_with_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        Journal::open(&path).unwrap().append(&turn("one")).await.unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"{"at":1,"transac"#).unwrap();
        assert_eq!(Journal::lines(&path).unwrap(), [turn("one")]);
        Journal::open(&path).unwrap().append(&turn("two")).await.unwrap();
        assert_eq!(Journal::lines(&path).unwrap(), [turn("one"), turn("two")]);
    }

    #[tokio::test]
    async fn a_full_disk_is_an_error_and_nothing_is_written() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let journal = Journal::of("/dev/full".as_ref(), full, 0).unwrap();
        let error = journal.append(&turn("one")).await.unwrap_err();
        assert!(error.to_string().starts_with("write the journal /dev/full: No space left"), "{error}");
    }
}
