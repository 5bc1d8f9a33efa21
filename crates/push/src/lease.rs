//! One push at a time for a device, across processes.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use weft_model::NodeName;

/// The right to change a device. It ends when this is dropped, also by a crash: the operating system keeps it.
///
/// A holder that crashed, or could not give the device free, leaves its transaction in the file, and so the next one knows which
/// locks on the device are those of the dead.
#[derive(Debug)]
pub struct Lease {
    file: File,
    dead: Vec<String>,
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another push has the device.
    #[error("{device}: another push has been working on it for {} s ({})", age.as_secs(), holder.lines().last().unwrap_or("nobody says who"))]
    Taken {
        /// The device.
        device: NodeName,
        /// What the other one says of itself.
        holder: String,
        /// How long it has had it.
        age: Duration,
    },
    /// The file cannot be used.
    #[error("{device}: take the lease {}: {source}", path.display())]
    Io {
        /// The device.
        device: NodeName,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

impl Lease {
    /// Takes a device, without waiting. `folder` is made when it is not there.
    ///
    /// # Errors
    /// Says who has the device.
    pub fn take(folder: &Path, device: &NodeName, transaction: &str) -> Result<Self, LeaseError> {
        let path = folder.join(format!("{device}.lease"));
        let fail = |source| LeaseError::Io { device: device.clone(), path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(fail)?;
        // The file stays: were it deleted, two processes could each lock a different one of that name.
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = std::fs::read_to_string(&path).unwrap_or_default();
                let written = file.metadata().and_then(|data| data.modified()).ok();
                let age = written.and_then(|written| written.elapsed().ok()).unwrap_or_default();
                return Err(LeaseError::Taken { device: device.clone(), holder, age });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(fail)?;
        let of_line = |line: &str| Some(line.strip_prefix("transaction ")?.split(',').next()?.to_owned());
        let dead: Vec<String> = text.lines().filter_map(of_line).filter(|dead| dead != transaction).collect();
        let mut lease = Self { file, dead };
        lease.write(Some(transaction)).map_err(fail)?;
        Ok(lease)
    }

    /// Returns the transactions of those who had the device and crashed.
    pub fn dead(&self) -> &[String] {
        &self.dead
    }

    /// Says that nothing of the dead is left on the device.
    pub(crate) fn settled(&mut self) {
        self.dead.clear();
    }

    /// Says that the device stays locked for a transaction that ends now.
    pub(crate) fn leave_locked(&mut self, transaction: &str) {
        self.dead.push(transaction.to_owned());
    }

    /// Writes who has the device, and the dead whose locks may still be on it.
    fn write(&mut self, holder: Option<&str>) -> io::Result<()> {
        let mut text: String = self.dead.iter().map(|dead| format!("transaction {dead}, dead\n")).collect();
        if let Some(holder) = holder {
            text.push_str(&format!("transaction {holder}, process {}\n", std::process::id()));
        }
        self.file.rewind()?;
        self.file.set_len(0)?;
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // What cannot be written now makes the next one look for a lock that is not there.
        let _ = self.write(None);
    }
}
