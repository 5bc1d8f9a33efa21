//! How traffic differs between two networks: what a prediction finds, a plan records, and a pipeline allows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the traffic between two places changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrafficWhat {
    /// Packets arrived, and do not any more, or not all of them.
    Lost,
    /// Packets did not all arrive, and now do, or more of them.
    Gained,
    /// As many arrive as before, and they end elsewhere or are dropped by something else.
    Verdict,
    /// They end as before, and pass other devices or links.
    Path,
    /// They end as before, over some of the equal-cost paths of before.
    Narrower,
    /// They end as before, over further equal-cost paths beside those of before.
    Wider,
    /// The source or the destination is new.
    Comes,
    /// The source or the destination is gone.
    Goes,
}

impl TrafficWhat {
    /// All of them, the worst first.
    pub const ALL: [Self; 8] =
        [Self::Lost, Self::Gained, Self::Verdict, Self::Path, Self::Narrower, Self::Wider, Self::Comes, Self::Goes];

    /// Returns the change as it is written, such as `narrower`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Gained => "gained",
            Self::Verdict => "verdict",
            Self::Path => "path",
            Self::Narrower => "narrower",
            Self::Wider => "wider",
            Self::Comes => "comes",
            Self::Goes => "goes",
        }
    }
}
