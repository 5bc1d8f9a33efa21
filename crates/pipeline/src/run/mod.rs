//! What a run is, and where its record and artifacts are kept.

mod id;
mod record;
mod store;
mod timestamp;

pub use id::{InvalidRunId, RunId};
pub use record::{
    AttemptRecord, DeviceRecord, DeviceResult, Finding, FindingLabel, FindingStep, LinkRecord, LinkState,
    NetworkRecord, NodeRecord, Place, Recovery, RunRecord, RunState, StageName, StageRecord, StageState, WaveRecord,
};
pub use store::{RunDirectory, RunStore, StoreError};
pub use timestamp::{Clock, Timestamp};
