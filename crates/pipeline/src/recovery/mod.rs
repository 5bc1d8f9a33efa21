//! What becomes of a run whose process has gone: it is carried on, or its devices are put back; and, of any run that changed
//! devices, the way back later.
//!
//! Before a push changes anything, the folder of its run holds all that another process needs: the plan, the texts that are to
//! run and those that ran before, the files and the packs that the texts are made of, and how devices are reached. What the
//! devices hold and run by now is asked of them.

mod carry_on;
mod cut_off;
mod kept;
mod made;
mod rollback;

pub use carry_on::carry_on;
pub use cut_off::{CutOff, RecoveryError, cut_off_findings};
pub(crate) use kept::{hand_over, keep_running};
pub use rollback::{Rollback, Undone, rollback};
