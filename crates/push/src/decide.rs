//! What is done with a device whose controller is gone: a table of what is on the device, what it runs, and what is asked.

use serde::{Deserialize, Serialize};

/// What the devices of a run that was cut off are brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// To rest: what is confirmed stays, what is not goes back, no lock is left.
    Rest,
    /// To what they ran before the run, also where the new configuration is confirmed.
    Before,
}

/// The transaction on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDevice {
    /// None that holds it.
    Free,
    /// Ours holds it, and nothing was changed.
    Locked,
    /// Ours waits for its confirmation.
    Armed,
    /// Ours is confirmed.
    Confirmed,
    /// Ours has gone back.
    RolledBack,
    /// That of somebody else holds it.
    Foreign,
}

/// What a device runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    /// What it ran before the run.
    Before,
    /// What it was to run.
    Intended,
    /// Something else.
    Other,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// It is set free, and that is all.
    Release,
    /// It is told to roll back, and looked at again.
    RollBack,
    /// It is locked for the transaction that is over, so that it says whether it can still undo it, and looked at again.
    Lock,
    /// It is left alone: somebody else is at work.
    Leave,
}

/// Decides what is done next with a device.
pub(crate) fn decide(goal: Goal, on_device: OnDevice, runs: Runs) -> Act {
    match (goal, on_device, runs) {
        (_, OnDevice::Foreign, _) => Act::Leave,
        // Whatever runs meanwhile, it is not there to stay.
        (_, OnDevice::Armed, _) => Act::RollBack,
        (Goal::Before, OnDevice::Confirmed, Runs::Intended) => Act::RollBack,
        (Goal::Before, OnDevice::Free, Runs::Intended) => Act::Lock,
        // What somebody else made of it since is not ours to undo; what cannot be undone any more takes a new transaction.
        (_, OnDevice::Free | OnDevice::Locked | OnDevice::Confirmed | OnDevice::RolledBack, _) => Act::Release,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_device_has_its_act() {
        use {Act::*, OnDevice::*};
        // Of each state: what is done when the device runs what it ran before, what it was to run, or something else.
        let rest = [
            (Free, [Release, Release, Release]),
            (Locked, [Release, Release, Release]),
            (Armed, [RollBack, RollBack, RollBack]),
            (Confirmed, [Release, Release, Release]),
            (RolledBack, [Release, Release, Release]),
            (Foreign, [Leave, Leave, Leave]),
        ];
        let before = [
            (Free, [Release, Lock, Release]),
            (Locked, [Release, Release, Release]),
            (Armed, [RollBack, RollBack, RollBack]),
            (Confirmed, [Release, RollBack, Release]),
            (RolledBack, [Release, Release, Release]),
            (Foreign, [Leave, Leave, Leave]),
        ];
        for (goal, table) in [(Goal::Rest, rest), (Goal::Before, before)] {
            for (on_device, acts) in table {
                for (runs, act) in [Runs::Before, Runs::Intended, Runs::Other].into_iter().zip(acts) {
                    assert_eq!(decide(goal, on_device, runs), act, "{goal:?} {on_device:?} {runs:?}");
                }
            }
        }
    }
}
