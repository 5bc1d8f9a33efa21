//! How long a device may take.

use std::time::Duration;

#[cfg(doc)]
use crate::Pool;

/// The longest that each kind of wait may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From the first packet until the TCP connection stands.
    pub connect: Duration,
    /// From then until the device has proved its host key and taken our key.
    pub authenticate: Duration,
    /// For a command that says no limit of its own.
    pub command: Duration,
    /// How often it is tried to log in where that changes nothing and the device could not be reached; see [`Pool::take`].
    pub attempts: u32,
    /// How often a silent connection is probed; after three probes without an answer it is lost.
    pub keepalive: Duration,
}

impl Default for Limits {
    /// 5 s to connect, 10 s to log in, 30 s a command, 3 tries to log in, a probe every 5 s.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            authenticate: Duration::from_secs(10),
            command: Duration::from_secs(30),
            attempts: 3,
            keepalive: Duration::from_secs(5),
        }
    }
}
