//! What processes have used so far, as the kernel counts it.

use std::{fs, time::Duration};

/// The parts of a second that the kernel counts processor time in (`getconf CLK_TCK`); Linux has no other number.
const TICKS: f64 = 100.0;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// The most memory that was resident at once.
    pub(crate) peak_mib: f64,
    /// In user and system mode, its children that have ended among it.
    pub(crate) cpu_seconds: f64,
}

impl Usage {
    /// Returns what a process has used; `None` when it is gone.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let peak: f64 = peak.split_whitespace().next()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // After the name in parentheses: the state, then 10 numbers, then the ticks in user and system mode, and those of
        // children that were waited for.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<f64>().unwrap_or_default());
        Some(Self { peak_mib: peak / 1024.0, cpu_seconds: ticks.sum::<f64>() / TICKS })
    }

    /// Returns what this process and the switches have used.
    pub(crate) fn of_both(server: u32) -> Both {
        Both {
            server,
            client: Self::of(std::process::id()).unwrap_or_default(),
            switches: Self::of(server).unwrap_or_default(),
        }
    }
}

/// Forgets the most memory that was resident at once.
pub(crate) fn reset_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("the kernel counts anew");
}

/// What this process, with its children, and the switches had used when a piece of work began.
pub(crate) struct Both {
    server: u32,
    client: Usage,
    switches: Usage,
}

impl Both {
    /// Prints how fast a piece of work was, and what either side used for it.
    pub(crate) fn print(&self, work: &str, devices: f64, took: Duration) {
        let now = Self::now(self.server);
        let client = now.client.cpu_seconds - self.client.cpu_seconds;
        let switches = now.switches.cpu_seconds - self.switches.cpu_seconds;
        let seconds = took.as_secs_f64();
        println!(
            "{work}: {seconds:.2} s, {:.1} devices/s; processor time: client {client:.2} s ({:.2} ms a device), \
             switches {switches:.2} s; client {:.0} MiB at most",
            devices / seconds,
            client / devices * 1000.0,
            now.client.peak_mib,
        );
    }

    fn now(server: u32) -> Self {
        Usage::of_both(server)
    }
}
