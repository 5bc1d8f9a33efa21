//! What all devices of a push share.

use tokio::sync::Semaphore;
use weft_model::SecretDigests;
use weft_ssh::SessionError;

use crate::{Observer, PushInputs, StepName};

/// What all devices of a push share.
pub(crate) struct Context<'a> {
    pub(crate) inputs: &'a PushInputs<'a>,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) transaction: String,
    /// The digests of the secrets in the configurations.
    pub(crate) secrets: SecretDigests,
    /// As many as devices may be worked on at the same time.
    pub(crate) slots: Semaphore,
}

impl Context<'_> {
    pub(crate) fn is_cancelled(&self) -> bool {
        *self.inputs.cancel.borrow()
    }
}

/// Why a device's transaction cannot go on.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) step: StepName,
    pub(crate) reason: String,
    pub(crate) unreachable: bool,
}

impl Failure {
    pub(crate) fn new(step: StepName, reason: impl Into<String>) -> Self {
        Self { step, reason: reason.into(), unreachable: false }
    }

    pub(crate) fn session(step: StepName, error: &SessionError) -> Self {
        Self { step, reason: error.to_string(), unreachable: error.is_unreachable() }
    }
}
