//! The findings of this crate.

use weft_diagnostics::Code;

/// The manifest is missing, is not YAML or does not have the form of a manifest.
pub const INVALID_MANIFEST: Code = Code::new(
    "WEFT-400",
    "invalid pack manifest",
    "The file `manifest.yaml` of a pack is missing or is not one YAML document. Its form is the schema `manifest`.",
);
/// The manifest names a file that the pack does not have.
pub const MISSING_FILE: Code = Code::new(
    "WEFT-401",
    "file missing from a pack",
    "The manifest names a template or a parser that is not in the pack.",
);
/// The pack has a file that nothing uses.
pub const UNKNOWN_FILE: Code = Code::new(
    "WEFT-402",
    "unknown file in a pack",
    "A file of the pack is none that the manifest names and is not in `files` or `cases`: its name may be misspelt.",
);
/// A template has a syntax error.
pub const INVALID_TEMPLATE: Code = Code::new(
    "WEFT-403",
    "invalid template",
    "A template, a parser or a command of a pack does not parse, or uses a variable, a filter, a test or a function that does not exist.",
);
/// A regular expression does not parse.
pub const INVALID_PATTERN: Code = Code::new(
    "WEFT-404",
    "invalid regular expression in a manifest",
    "A regular expression of the manifest does not parse, or lacks a group that it needs.",
);
/// The ports of a platform are not port names.
pub const INVALID_PORTS: Code = Code::new(
    "WEFT-405",
    "invalid ports of a platform",
    "A platform's port list names something that is not an interface, names a port twice, or has an uplink that is not a port.",
);
/// The manifest says twice how a version behaves.
pub const PROFILE_TWICE: Code = Code::new(
    "WEFT-406",
    "two behavior profiles of one version",
    "The manifest of a pack says twice how a version of the operating system behaves, so that it is not known which one predictions are to follow.",
);
/// A template could not be rendered for a device.
pub const RENDER: Code = Code::new(
    "WEFT-410",
    "template cannot be rendered",
    "A template of the device's pack failed for this device: it uses a value that is not there, or takes too many steps.",
);
/// A value could change the meaning of the configuration.
pub const UNSAFE_VALUE: Code = Code::new(
    "WEFT-411",
    "value cannot stand in a configuration",
    "A value that a template prints holds a line break or another control character, so that it could add lines of its own.",
);

/// All codes of this crate.
pub const ALL: &[Code] = &[
    INVALID_MANIFEST,
    MISSING_FILE,
    UNKNOWN_FILE,
    INVALID_TEMPLATE,
    INVALID_PATTERN,
    INVALID_PORTS,
    PROFILE_TWICE,
    RENDER,
    UNSAFE_VALUE,
];
