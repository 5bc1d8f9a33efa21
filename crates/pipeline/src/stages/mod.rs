//! The stages as functions: values in, values and findings out. Each can be used alone.
//!
//! | function | makes |
//! |---|---|
//! | [`validate`] | [`Project`]: packs, intents, topology, policies, the allocations of the lock file |
//! | [`compile`] | [`Compiled`]: allocations, configurations, their text |
//! | [`predict`], [`check`] | [`Predicted`]: the state of the network; what is wrong with it |
//! | [`read_running`], [`plan`] | what devices run; the plan |
//! | [`traffic()`], [`forecast`] | which traffic moves between two predicted networks; what a plan moves and touches |
//! | [`guard_findings`] | which rules of the organisation the plan breaks |
//! | [`absence_findings`], [`lockout_findings`] | what does not hold while devices change; which would let nobody in any more |
//! | [`gate_findings`], [`consent()`], [`push`] | whether the plan may be carried out; changes the devices |
//! | [`verify`] | observes them |

mod base;
mod check;
mod compile;
mod consent;
mod guard;
mod lockout;
mod plan;
mod push;
mod radius;
mod traffic;
mod validate;
mod verify;

pub(crate) use base::kept_sources;
pub use base::{Forecast, Planned, forecast, keep_sources};
pub use check::{Predicted, check, predict, silence};
pub use compile::{AllocationChange, CompileError, Compiled, allocation_changes, compile, lock_findings, write_lock};
pub(crate) use consent::waits_for;
pub use consent::{Asked, Consent, consent, note_approvals};
pub use guard::guard_findings;
pub use lockout::lockout_findings;
pub use plan::{Running, absence_findings, drain_findings, moved, plan, read_running};
pub use push::{PushError, PushRequest, gate_findings, push};
pub(crate) use push::{note, note_waves, policy, unreachable_findings, why};
pub use traffic::{Carried, moved_findings, traffic};
pub use validate::{Examined, Packs, Project, examine, packs, validate};
pub use verify::{intended, link_states, verify};
