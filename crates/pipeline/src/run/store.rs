//! The run store: a folder for each run, under `.weft/runs`.
//!
//! A file appears whole or not at all: it is written beside its place, synced and renamed. While a run is at work its
//! process holds a lock on the file `lock` of its folder; the kernel lets go of it when the process ends, however it
//! ends. So a record that says `running` whose lock is free is that of a run that was interrupted.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Component, Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{RunId, RunRecord, RunState};

const RECORD: &str = "run.json";
const LOCK: &str = "lock";

/// Why the run store cannot do what it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder cannot be written.
    #[error("write {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder cannot be read.
    #[error("read {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of a run is not what Weft writes.
    #[error("{path} is not what Weft writes there")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// There are no runs yet.
    #[error("there are no runs in {0}")]
    Empty(PathBuf),
    /// No run has this id, nor one that begins so.
    #[error("there is no run `{0}`")]
    NoSuchRun(String),
    /// Several runs have ids that begin so.
    #[error("`{prefix}` is the beginning of {} runs: {}", matching.len(), matching.iter().take(5).map(RunId::as_str).collect::<Vec<_>>().join(", "))]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// The runs it may be.
        matching: Vec<RunId>,
    },
    /// A process is at work on the run.
    #[error("run {id} is at work{}: it can be stopped there with Ctrl-C", pid.map(|pid| format!(" in process {pid}")).unwrap_or_default())]
    AtWork {
        /// The run.
        id: RunId,
        /// The process.
        pid: Option<u32>,
    },
    /// An artifact may only be kept in the folder of its run.
    #[error("`{0}` is not a path within a run")]
    Outside(String),
}

/// The folder that holds the runs of a project.
#[derive(Debug, Clone)]
pub struct RunStore {
    folder: PathBuf,
}

impl RunStore {
    /// Returns the store of the project in `project`: its folder `.weft/runs`, which need not exist yet.
    pub fn of_project(project: &Path) -> Self {
        Self { folder: project.join(".weft").join("runs") }
    }

    /// Begins a run: makes its folder, locks it for this process and writes the record `make` gives for its id.
    ///
    /// The id is that of the first `nth` for which `id` gives one that is free.
    ///
    /// # Errors
    /// Fails when the folder or the record cannot be written.
    pub fn begin(
        &self,
        id: impl Fn(u32) -> RunId,
        make: impl FnOnce(RunId) -> RunRecord,
    ) -> Result<(RunDirectory, RunRecord), StoreError> {
        let write = |path: &Path, source| StoreError::Write { path: path.to_owned(), source };
        fs::create_dir_all(&self.folder).map_err(|error| write(&self.folder, error))?;
        // What Weft keeps beside a project is never part of its history.
        let ignore = self.folder.with_file_name(".gitignore");
        if !ignore.exists() {
            fs::write(&ignore, "*\n").map_err(|error| write(&ignore, error))?;
        }
        let mut nth = 1;
        let (id, path) = loop {
            let id = id(nth);
            let path = self.folder.join(id.as_str());
            match fs::create_dir(&path) {
                Ok(()) => break (id, path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => nth += 1,
                Err(error) => return Err(write(&path, error)),
            }
        };
        let lock_path = path.join(LOCK);
        let lock = File::create(&lock_path).map_err(|error| write(&lock_path, error))?;
        lock.lock().map_err(|error| write(&lock_path, error))?;
        let directory = RunDirectory { path, _lock: Some(lock) };
        let record = make(id);
        directory.save(&record)?;
        Ok((directory, record))
    }

    /// Returns the records of all runs, the oldest first. A folder without a record, left by a process that ended while it
    /// made it, is no run.
    ///
    /// # Errors
    /// Fails when the store or a record cannot be read.
    pub fn list(&self) -> Result<Vec<RunRecord>, StoreError> {
        let mut records = Vec::new();
        for id in self.ids()? {
            let directory = self.directory(&id);
            match directory.record() {
                Ok(record) => records.push(record),
                Err(StoreError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        records.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
        Ok(records)
    }

    /// Returns the run that `which` names: `latest`, an id, or the beginning of exactly one id.
    ///
    /// # Errors
    /// Fails when there is none or more than one such run, or when its record cannot be read.
    pub fn load(&self, which: &str) -> Result<(RunDirectory, RunRecord), StoreError> {
        let id = if which == "latest" {
            self.list()?.pop().ok_or_else(|| StoreError::Empty(self.folder.clone()))?.id
        } else {
            let ids = self.ids()?;
            let mut matching: Vec<RunId> = ids.into_iter().filter(|id| id.as_str().starts_with(which)).collect();
            match matching.iter().position(|id| id.as_str() == which) {
                Some(exact) => matching.swap_remove(exact),
                None if matching.len() == 1 => matching.swap_remove(0),
                None if matching.is_empty() || which.is_empty() => return Err(StoreError::NoSuchRun(which.to_owned())),
                None => return Err(StoreError::Ambiguous { prefix: which.to_owned(), matching }),
            }
        };
        let directory = self.directory(&id);
        let record = directory.record()?;
        Ok((directory, record))
    }

    /// Takes over the run that `which` names, as in [`RunStore::load`], from the process that has gone: from now on this
    /// process is at work on it. Returns its record as it was found.
    ///
    /// # Errors
    /// As [`RunStore::load`], and where a process is at work on it.
    pub fn take_over(&self, which: &str) -> Result<(RunDirectory, RunRecord), StoreError> {
        /// Who only looks whether a process is at work holds the lock for a moment, too.
        const TRIES: u32 = 20;
        let (mut directory, record) = self.load(which)?;
        let path = directory.path.join(LOCK);
        let failed = |source| StoreError::Write { path: path.clone(), source };
        let lock = File::options().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        for _ in 0..TRIES {
            match lock.try_lock() {
                Ok(()) => {
                    directory._lock = Some(lock);
                    // Another one may have ended it meanwhile. Who says of itself that it runs is gone.
                    let mut record = directory.record()?;
                    if record.state == RunState::Running {
                        record.state = RunState::Interrupted;
                    }
                    return Ok((directory, record));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        Err(StoreError::AtWork { id: record.id, pid: record.pid })
    }

    fn directory(&self, id: &RunId) -> RunDirectory {
        RunDirectory { path: self.folder.join(id.as_str()), _lock: None }
    }

    fn ids(&self) -> Result<Vec<RunId>, StoreError> {
        let read = |source| StoreError::Read { path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(read(error)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            if let Some(id) = entry.map_err(read)?.file_name().to_str().and_then(|name| name.parse().ok()) {
                ids.push(id);
            }
        }
        ids.sort();
        Ok(ids)
    }
}

/// The folder of one run.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// Held for as long as the run is at work in this process.
    _lock: Option<File>,
}

impl RunDirectory {
    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the id of the run.
    ///
    /// # Errors
    /// Fails when the folder has no such name, which the store never gives one.
    pub fn id(&self) -> Result<RunId, StoreError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        name.parse().map_err(|_| StoreError::NoSuchRun(name.into_owned()))
    }

    /// Writes the record of the run.
    ///
    /// # Errors
    /// Fails when it cannot be written; the former record is then still whole.
    pub fn save(&self, record: &RunRecord) -> Result<(), StoreError> {
        self.write_json(RECORD, record)
    }

    /// Returns the record of the run, with the state `interrupted` where its process has gone without ending it.
    ///
    /// # Errors
    /// Fails when it cannot be read or is not what Weft writes.
    pub fn record(&self) -> Result<RunRecord, StoreError> {
        let path = self.path.join(RECORD);
        let text = fs::read(&path).map_err(|source| StoreError::Read { path: path.clone(), source })?;
        let mut record: RunRecord =
            serde_json::from_slice(&text).map_err(|source| StoreError::Malformed { path, source })?;
        if record.state == RunState::Running && self._lock.is_none() && !self.is_locked() {
            record.state = RunState::Interrupted;
        }
        Ok(record)
    }

    /// Writes an artifact. `name` is a path within the folder, such as `intended/leaf-01/frr.conf`.
    ///
    /// # Errors
    /// Fails when it cannot be written, or when `name` leads out of the folder.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let path = self.artifact(name)?;
        let failed = |source| StoreError::Write { path: path.clone(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        write_atomically(&path, content).map_err(failed)
    }

    /// Writes an artifact as JSON.
    ///
    /// # Errors
    /// As [`RunDirectory::write`].
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), StoreError> {
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(|source| StoreError::Malformed { path: self.path.join(name), source })?;
        text.push(b'\n');
        self.write(name, &text)
    }

    /// Makes the names of all artifacts as lasting as what is in them: after a power cut none is missing.
    ///
    /// # Errors
    /// Fails when a folder cannot be read or synced.
    pub fn sync(&self) -> Result<(), StoreError> {
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            let failed = |source| StoreError::Write { path: folder.clone(), source };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                if entry.file_type().map_err(failed)?.is_dir() {
                    folders.push(entry.path());
                }
            }
            File::open(&folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        // The folder of the run is a name, too.
        let above = self.path.parent().unwrap_or(Path::new("."));
        let failed = |source| StoreError::Write { path: above.to_owned(), source };
        File::open(above).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// Returns an artifact's text, and `None` where the run has none of this name.
    ///
    /// # Errors
    /// Fails when it is there and cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<String>, StoreError> {
        let path = self.artifact(name)?;
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Read { path, source }),
        }
    }

    /// Returns the names of the files in a folder of artifacts, in their order; of one that is not there, none.
    ///
    /// # Errors
    /// Fails when it is there and cannot be read.
    pub fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let path = self.artifact(folder)?;
        let failed = |source| StoreError::Read { path: path.clone(), source };
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry.map_err(failed)?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    /// Returns what an artifact holds as JSON, and `None` where the run has none of this name.
    ///
    /// # Errors
    /// Fails when it is there and cannot be read, or is not what Weft writes.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(text) = self.read(name)? else { return Ok(None) };
        let malformed = |source| StoreError::Malformed { path: self.path.join(name), source };
        serde_json::from_str(&text).map(Some).map_err(malformed)
    }

    fn artifact(&self, name: &str) -> Result<PathBuf, StoreError> {
        let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) && !name.is_empty();
        if inside { Ok(self.path.join(name)) } else { Err(StoreError::Outside(name.to_owned())) }
    }

    /// Tells whether a process is at work on the run. A lock that cannot be asked for counts as held: a run is called
    /// interrupted only on evidence.
    fn is_locked(&self) -> bool {
        match File::open(self.path.join(LOCK)) {
            Ok(lock) => match lock.try_lock_shared() {
                Ok(()) => false,
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
            },
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }
}

/// Writes `content` so that `path` has either its former content or all of the new one, whenever the process or the machine
/// stops.
fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let written = File::create(&beside)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The error to report is the one above; a leftover does no harm.
        let _ = fs::remove_file(&beside);
    }
    written
}
