//! How long a device may take.

use std::time::Duration;

/// The longest that each kind of wait may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From the first packet until the TCP connection stands.
    pub connect: Duration,
    /// From then until the device has proved its host key and taken our key.
    pub authenticate: Duration,
    /// For a command that says no limit of its own.
    pub command: Duration,
    /// How often a silent connection is probed; after three probes without an answer it is lost.
    pub keepalive: Duration,
}

impl Default for Limits {
    /// 5 s to connect, 10 s to log in, 30 s a command, a probe every 5 s.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            authenticate: Duration::from_secs(10),
            command: Duration::from_secs(30),
            keepalive: Duration::from_secs(5),
        }
    }
}
