//! The manifest of a pack: what the OS can do, how it is reached, how a change is made, what can be read.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{Bandwidth, Basis, Behavior, Mtu, OsVersion};

/// `manifest.yaml` of a pack.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What the pack is for, in a line.
    pub description: String,
    /// The versions of the OS that it was tried with.
    pub tested: Vec<String>,
    /// What the OS can do, such as `bgp.unnumbered`.
    #[serde(default)]
    pub features: BTreeSet<String>,
    /// How the versions of the OS behave, at first that of devices whose intents say no version. Without any, devices do what the
    /// RFCs ask for.
    #[serde(default)]
    pub profiles: Vec<ProfileManifest>,
    /// The platforms by name.
    pub platforms: BTreeMap<String, PlatformManifest>,
    /// The files that make up a configuration, in the order in which they are rendered.
    pub files: Vec<FileManifest>,
    /// How commands reach the device.
    pub transport: Transport,
    /// How a configuration is replaced.
    pub transaction: Transaction,
    /// What can be read, by part of the state.
    pub collectors: BTreeMap<CollectorName, Collector>,
    /// How the device tries to reach an address.
    pub probes: Probes,
}

/// How some versions of the OS behave.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileManifest {
    /// The versions, in quotes: `"8"` is 8 and everything below it, such as 8.4.4.
    #[schemars(with = "String")]
    pub version: OsVersion,
    /// How the behavior came to be known.
    pub basis: Basis,
    /// The behavior.
    pub behavior: Behavior,
}

/// The ports of a platform.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformManifest {
    /// The ports in order; `swp{1..16}` stands for sixteen of them. With what they can do:
    /// `{ names: "swp{1..16}", speed: 25G }`.
    pub ports: Vec<PortsManifest>,
    /// Those meant for links towards the spines, in the same notation.
    pub uplinks: Vec<String>,
}

/// Ports of a platform.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PortsManifest {
    /// Their names alone.
    Names(String),
    /// Their names, and what they can do.
    Described(DescribedPorts),
}

/// Ports of one kind.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DescribedPorts {
    /// Their names; `swp{1..16}` stands for sixteen of them.
    pub names: String,
    /// Their speed, such as `25G`: both ends of a link have the same.
    #[schemars(with = "Option<String>", extend("format" = "bandwidth"))]
    #[serde(default)]
    pub speed: Option<Bandwidth>,
    /// Their largest IP MTU, in octets.
    #[schemars(with = "Option<u16>", range(min = 1280, max = 9216))]
    #[serde(default)]
    pub mtu: Option<Mtu>,
}

/// A file of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileManifest {
    /// Its name in plans, diffs and artifacts, such as `frr.conf`.
    pub name: String,
    /// The templates that make it up, in order, relative to the pack's `templates` folder.
    pub templates: Vec<String>,
    /// How its running form compares with the rendered one.
    #[serde(default)]
    pub normalise: Normalise,
    /// Regular expressions of running lines that hold a secret, which is their group `secret`. It is compared by a keyed digest
    /// with the intended one, and left out of everything that is shown or kept.
    #[serde(default)]
    pub secrets: Vec<String>,
}

/// What makes no difference between two texts of one file. It is applied to both the rendered and the running text.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Normalise {
    /// Lines that match one of these regular expressions are left out.
    pub ignore: Vec<String>,
    /// Whether a line's place within its section makes no difference: the lines of a section are sorted.
    pub unordered: bool,
}

/// How commands reach the device.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "kind")]
pub enum Transport {
    /// Each command in a channel of its own; it has ended when its exit status is known.
    Exec,
    /// An interactive command line; a command has ended when the prompt is back.
    Shell(ShellTransport),
}

/// How to talk to an interactive command line.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShellTransport {
    /// A regular expression that matches the prompt at the very end of the output.
    pub prompt: String,
    /// Regular expressions of the lines by which the device says that it refuses a command.
    pub errors: Vec<String>,
    /// Commands that are sent first, such as the one that turns the pager off.
    #[serde(default)]
    pub setup: Vec<String>,
    /// What the device says at the end of a screen, and the key that shows the next one. Without it, the usual words are
    /// known, such as `--More--`.
    #[serde(default)]
    pub pager: Option<Pager>,
    /// Questions that the device asks before it carries a command out, and what is answered. One that is not here is not
    /// answered: the command takes too long then, and the question is named.
    #[serde(default)]
    pub questions: Vec<Question>,
}

/// What stops at the end of a screen.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pager {
    /// A regular expression that matches at the very end of the output, within its last line.
    pub pattern: String,
    /// What is sent for the next screen. Default: a space.
    #[serde(default = "Pager::space")]
    pub key: String,
}

impl Pager {
    fn space() -> String {
        " ".to_owned()
    }
}

/// A question of the device.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// A regular expression that matches at the very end of the output, within its last line, such as `\[confirm\]$`.
    pub pattern: String,
    /// What is sent, such as `"y\n"`.
    pub answer: String,
}

/// How a configuration is replaced. The steps run in the order of the fields.
///
/// Commands are minijinja templates with these variables: `transaction`, an id of `[0-9a-z-]`, the same for all steps of one
/// device in one run; `device`, its name; `seconds`, how long the device waits for `confirm` before it goes back by itself;
/// and `file`, a file's name, in steps that run once for each file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// Prepares the device: what later steps need there, such as a script. Changes nothing that a user sees.
    #[serde(default)]
    pub prepare: Option<Step>,
    /// Takes the device for this transaction, and fails when another one has it.
    pub lock: Step,
    /// Saves the running configuration on the device.
    #[serde(default)]
    pub backup: Option<Step>,
    /// Brings one file to the device; run for each file, with the file's text as `input`.
    pub upload: Step,
    /// The device's own check of the files.
    #[serde(default)]
    pub check: Option<Step>,
    /// From here on the device goes back by itself when `confirm` does not come within `seconds`.
    pub arm: Arm,
    /// Takes traffic away from the device while it changes, where there are other ways, and returns when it has moved or there
    /// are none. Nothing of it is saved or part of the running text. `confirm` and `rollback` bring the traffic back, and so does
    /// the device when it goes back by itself: it needs an `arm` of its own.
    #[serde(default)]
    pub drain: Option<Step>,
    /// Replaces the running configuration with the files.
    pub apply: Step,
    /// Tells whether the device works after `apply`: its daemons live and it took everything.
    #[serde(default)]
    pub health: Option<Step>,
    /// Makes the change final.
    pub confirm: Step,
    /// Goes back to the backup: before `confirm`, and after it as long as the backup of this transaction is there.
    pub rollback: Step,
    /// Gives the device free.
    pub unlock: Step,
    /// Prints the running text of one file; run for each file.
    pub running: Step,
    /// Prints `none`, or the state and id of the transaction that is on the device: `locked ID`, `armed ID`,
    /// `confirmed ID`, `rolled-back ID`.
    pub status: Step,
}

/// What makes the device go back by itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "by")]
pub enum Arm {
    /// A step of its own.
    Step(Step),
    /// `apply` itself does it, as in commit-confirmed.
    Apply {
        /// How the guarantee is kept.
        because: String,
    },
}

/// One step: commands that run one after the other; the first that fails ends it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The commands.
    pub commands: Vec<Command>,
    /// The longest that one command may take, in seconds. Default 30.
    #[serde(default = "Step::default_limit")]
    pub limit_seconds: u16,
}

impl Step {
    fn default_limit() -> u16 {
        30
    }
}

/// One command.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The command line, a template.
    pub run: String,
    /// What follows on standard input (`exec`) or as further lines (`shell`), a template; `text` is the text of the file in
    /// an `upload` step.
    #[serde(default)]
    pub input: Option<String>,
    /// Regular expressions of output that means failure, whatever the exit status.
    #[serde(default)]
    pub errors: Vec<String>,
}

/// A part of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CollectorName {
    /// The version of the operating system. It may be left out: then a device is taken to run the version that its intents say.
    Version,
    /// `DeviceState::interfaces`.
    Interfaces,
    /// `DeviceState::neighbors`.
    Neighbors,
    /// `DeviceState::ospf_neighbors`.
    OspfNeighbors,
    /// `DeviceState::rib`.
    Rib,
    /// `DeviceState::fib`.
    Fib,
    /// `DeviceState::advertised`, for one neighbor: the commands have the variables `neighbor` (address or interface) and
    /// `interface`.
    Advertised,
}

/// How a part of the state is read.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Collector {
    /// The commands; the outputs of all of them go to the parser.
    pub step: Step,
    /// The parser, relative to the pack's `parsers` folder: a template that gets `outputs`, a list of texts, and prints the
    /// part of the state as JSON.
    pub parser: String,
}

/// How the device tries to reach an address.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probes {
    /// Sends `count` echo requests from `source` to `destination` and prints the answer; a failure is no error.
    pub ping: Step,
    /// A regular expression with the groups `sent` and `received` on the output.
    pub ping_result: String,
}
