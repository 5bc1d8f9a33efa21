//! One push at a time for a device, across processes.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use weft_model::NodeName;

/// The right to change a device. It ends when this is dropped, also by a crash: the operating system keeps it.
#[derive(Debug)]
pub struct Lease {
    _file: File,
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another push has the device.
    #[error("{device}: another push is working on it ({})", holder.trim())]
    Taken {
        /// The device.
        device: NodeName,
        /// What the other one says of itself.
        holder: String,
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
                return Err(LeaseError::Taken { device: device.clone(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        file.set_len(0).map_err(fail)?;
        writeln!(file, "transaction {transaction}, process {}", std::process::id()).map_err(fail)?;
        Ok(Self { _file: file })
    }
}
