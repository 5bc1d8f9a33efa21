//! Processes that are known by more than their number, so that none is killed that came later and got the number.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

/// How long a killed process may take to be gone.
pub(super) const END_LIMIT: Duration = Duration::from_secs(10);

/// A process of this machine since its last boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Process {
    /// Its number.
    pub(super) pid: i32,
    /// When it started, in clock ticks since the boot of the machine: `starttime` of proc_pid_stat(5).
    pub(super) start_ticks: u64,
}

impl Process {
    /// Returns the process that has the number now.
    pub(super) fn now(pid: i32) -> Option<Self> {
        stat(pid).map(|(_, start_ticks)| Self { pid, start_ticks })
    }

    /// Tells whether it runs. One that has ended and waits for its parent does not.
    pub(super) fn is_alive(&self) -> bool {
        stat(self.pid)
            .is_some_and(|(state, start_ticks)| start_ticks == self.start_ticks && !matches!(state, 'Z' | 'X'))
    }

    /// Returns its first child.
    pub(super) fn first_child(&self) -> Option<Self> {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid)).ok()?;
        children.split_ascii_whitespace().next()?.parse().ok().and_then(Self::now)
    }

    /// Kills it if it still is the one that was meant.
    pub(super) fn kill(&self) {
        if self.is_alive() {
            // It may end between the two lines; that is what was wanted.
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
    }

    /// Waits until it has ended, collects it if it is a child of this process, and tells whether it did.
    pub(super) fn wait_for_end(&self, limit: Duration) -> bool {
        let start = Instant::now();
        loop {
            match waitpid(Pid::from_raw(self.pid), Some(WaitPidFlag::WNOHANG)) {
                Ok(_) | Err(Errno::ECHILD | Errno::EINTR) => {}
                Err(_) => return !self.is_alive(),
            }
            if !self.is_alive() {
                return true;
            }
            if start.elapsed() > limit {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Returns the numbers of all processes of the machine.
pub(super) fn all() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Returns what distinguishes this boot of the machine from others.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Returns the state and the start time of a process. The name before them may hold spaces and parentheses.
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // Field 22; the state is field 3.
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_given_to_another_process_is_left_alone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::now(child.id() as i32).unwrap();
        let earlier = Process { start_ticks: process.start_ticks - 1, ..process };
        earlier.kill();
        assert!(!earlier.is_alive());
        assert!(process.is_alive());
        process.kill();
        assert!(process.wait_for_end(END_LIMIT));
        assert!(!process.is_alive());
        let _ = child.wait();
    }
}
