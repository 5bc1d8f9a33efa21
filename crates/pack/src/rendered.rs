//! A device's rendered configuration: text, and the intents behind each line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weft_model::{NodeName, PackName, Sources};

/// All that a pack renders for one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// The device.
    pub device: NodeName,
    /// The pack that rendered it.
    pub pack: PackName,
    /// The files by the names that the manifest gives them, such as `frr.conf`.
    pub files: BTreeMap<String, RenderedFile>,
}

/// One rendered file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedFile {
    /// The text, ending in a line break. A secret stands in it as its placeholder, see `SecretRef::placeholder`.
    pub text: String,
    /// What caused each line, as many as the text has lines.
    pub lines: Vec<Sources>,
}
