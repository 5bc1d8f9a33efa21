//! Approvals: which plans people must agree to, who did, and whether that is enough.
//!
//! An approval is a short text with the digest of the plan, signed with the SSH key of an allowed signer. It lies in the folder of the
//! run that made the plan, and counts for every run that would do exactly the same.

mod judge;
mod need;
mod request;
mod text;

pub use judge::{Counted, Refused};
pub use need::need;
pub(crate) use request::carried_out;
pub use request::{Approvals, ApproveError, approve, makers, request};
pub use text::{ApprovalText, NAMESPACE};
