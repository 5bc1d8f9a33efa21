//! The arguments of the `weft` command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValuesParser};
use weft_model::IntentKind;

use crate::new::New;

/// Intent-based network configuration: from intents in git to switches that do what they say.
#[derive(Debug, Parser)]
#[command(name = "weft", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well
  1  findings: mistakes in the input, changes that are refused, intents that do not hold
  2  the command line is wrong
  3  a device could not be changed, and what was changed has been rolled back
  4  something failed that is neither the user's nor a device's fault
  5  the plan waits for the approval of people, and nothing was changed";

const TRACE: &str = "\
Examples:
  weft trace b1-leaf-01:swp1 segment/db --proto tcp --port 5432
  weft trace segment/web 198.51.100.1 --fail link:b1-border-01:swp1
  weft trace peering/transit-a b1-leaf-03:swp1 --format json";

const WHAT_IF: &str = "\
Examples:
  weft what-if --fail link:b1-leaf-01:swp15
  weft what-if --fail node:b1-spine-01 --fail node:b1-spine-02
  weft what-if --fail group:north-duct --format json

Ends with 1 when an intent breaks that holds without the failure. What is to
`survive` a failure is not asked to survive one more.";

const RESUME: &str = "\
Each device of the run is asked what holds it and what it runs. What waits for a
confirmation goes back, locks of the run are taken away, what is confirmed stays.
Then the devices that are left get the same texts by the same plan, through the
same gates. A run that was going back goes back. Nothing is pushed while a device
does not answer, or runs something else: say it again when that is put right.";

const ABORT: &str = "\
Each device of the run is asked what holds it and what it runs. What waits for a
confirmation goes back, locks of the run are taken away; then what is confirmed
goes back, too, the last wave first. A device that runs something else than the
run left there is named and not changed.";

const ROLLBACK: &str = "\
The way back is a run of its own, with a plan, waves and gates. It is refused
where a device runs something else than the run left there. The intents still say
what goes away: revert them, or the next run brings it back.";

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Work in this folder instead of the current one
    #[arg(
        short = 'C',
        long = "directory",
        value_name = "DIR",
        global = true,
        default_value = ".",
        hide_default_value = true
    )]
    pub(crate) directory: PathBuf,
    /// How results are printed
    #[arg(long, global = true, default_value = "text", value_name = "FORMAT")]
    pub(crate) format: Format,
    /// When to use colours
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: Color,
    /// Say more; twice: also what devices are asked
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print results only, no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a terminal
    Text,
    /// For programs
    Json,
    /// JUnit XML, for CI systems (`report` only)
    Junit,
    /// For a comment on a pull request (`report` and `diff`)
    Markdown,
    /// One page with everything in it (`report` only)
    Html,
    /// SARIF 2.1.0, so that a forge shows findings at their lines (`validate`, `compile`, `check`)
    Sarif,
}

impl Format {
    /// Returns the format as it is written, such as `markdown`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Sarif => "sarif",
        }
    }
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Where intents are read from.
#[derive(Debug, Clone, Args)]
pub(crate) struct Revision {
    /// Read intents, templates and allocations from this git revision instead of the working tree
    #[arg(long, value_name = "REV")]
    pub(crate) commit: Option<String>,
}

/// What is broken, for predictions.
#[derive(Debug, Clone, Args)]
pub(crate) struct Failures {
    /// Break this: `link:NODE:PORT`, `node:NAME`, or `group:NAME` for all links of a shared risk; any number of times
    #[arg(long = "fail", value_name = "WHAT")]
    pub(crate) fail: Vec<String>,
}

/// What is done about the lock file of allocations.
#[derive(Debug, Clone, Args)]
pub(crate) struct Lock {
    /// Fail if the lock file of allocations would change, instead of writing it
    #[arg(long)]
    pub(crate) locked: bool,
}

/// How devices are reached.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reach {
    /// Reach devices as this file says, instead of the lab's inventory or the management addresses
    #[arg(long, value_name = "FILE")]
    pub(crate) inventory: Option<PathBuf>,
}

/// Where secrets are looked for.
#[derive(Debug, Clone, Args)]
pub(crate) struct SecretPlaces {
    /// The folder of the secrets `file/PATH`; `.weft/secrets` without it
    #[arg(long, value_name = "DIR", env = "WEFT_SECRETS", hide_env_values = true)]
    pub(crate) secrets: Option<PathBuf>,
    /// The file with the age identity that decrypts the secrets `age/FILE#KEY`
    #[arg(long, value_name = "FILE", env = "WEFT_AGE_IDENTITY", hide_env_values = true)]
    pub(crate) identity: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a new intent, with comments, from a few flags
    New(New),
    /// List the kinds of intent, or tell one's keys and show its example
    Catalogue {
        /// A kind, such as `segment`
        #[arg(value_parser = kinds())]
        kind: Option<String>,
    },
    /// Print the JSON Schema of a kind of intent, or of all of them together, for editors
    Schema {
        /// A kind, such as `segment`; `intent` for any of them; `pipeline` or `report`
        #[arg(value_parser = schemas(), default_value = "intent")]
        kind: String,
        /// Write all schemas into this folder instead
        #[arg(long, value_name = "DIR", conflicts_with = "kind")]
        out: Option<PathBuf>,
    },
    /// Check the intents: every mistake, with its place
    Validate {
        #[command(flatten)]
        revision: Revision,
        /// Go on, and check again whenever a file changes, until Ctrl-C
        #[arg(long, conflicts_with = "commit")]
        watch: bool,
    },
    /// Render the configuration of every device
    Compile {
        #[command(flatten)]
        revision: Revision,
        #[command(flatten)]
        lock: Lock,
        #[command(flatten)]
        reach: Reach,
        /// Write the files below this folder, one folder per device
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Say which intents cause a line, or which lines an intent causes
    Explain {
        /// `DEVICE`, `DEVICE:LINE`, `DEVICE:FILE:LINE`, an intent such as `segment/web`, `node/NAME` for where the settings of a node come from, or a code such as `WEFT-101`
        target: String,
        #[command(flatten)]
        revision: Revision,
        #[command(flatten)]
        reach: Reach,
    },
    /// Say what a code of a finding means, with an example; without one, list all codes
    ExplainCode {
        /// The code, such as `WEFT-101`
        code: Option<String>,
    },
    /// Check the compiled network: both ends of everything agree, and it does what the intents say
    Check {
        #[command(flatten)]
        revision: Revision,
        #[command(flatten)]
        lock: Lock,
    },
    /// Compare two revisions: which intents, allocations and lines of which devices differ
    Diff {
        /// `A..B`, `A..` for A and the working tree, or only `A`
        #[arg(value_name = "A..B")]
        from: String,
        /// With `A` alone: the other revision
        #[arg(value_name = "B")]
        to: Option<String>,
        /// Also tell which traffic goes other ways, as the predictions of both say
        #[arg(long)]
        traffic: bool,
        /// End with 1 when anything differs
        #[arg(long)]
        exit_code: bool,
    },
    /// Follow a packet through the predicted network: every equal-cost path, and why it goes there
    #[command(after_help = TRACE)]
    Trace {
        /// Where it starts: a node, a port for hosts `NODE:PORT`, `segment/NAME`, `peering/NAME` or an address
        #[arg(value_name = "SRC")]
        from: String,
        /// Where it goes, in the same words; an address need not be in the network
        #[arg(value_name = "DST")]
        to: String,
        /// Its protocol, for access lists
        #[arg(long, value_name = "PROTOCOL", value_parser = ["tcp", "udp", "icmp"])]
        proto: Option<String>,
        /// Its destination port, for access lists; of `tcp` unless `--proto` says otherwise
        #[arg(long)]
        port: Option<u16>,
        #[command(flatten)]
        failures: Failures,
        #[command(flatten)]
        revision: Revision,
    },
    /// Predict what a failure does: sessions, traffic, intents
    #[command(after_help = WHAT_IF)]
    WhatIf {
        #[command(flatten)]
        failures: Failures,
        #[command(flatten)]
        revision: Revision,
    },
    /// Compare with what the devices run: what would change, in which order
    Plan {
        #[command(flatten)]
        revision: Revision,
        #[command(flatten)]
        lock: Lock,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        secrets: SecretPlaces,
        /// The pipeline whose settings for waves and for traffic are used
        #[arg(long, value_name = "FILE", default_value = "pipeline/default.yaml")]
        pipeline: PathBuf,
        /// Take this git revision for what the devices run, for the traffic that moves
        #[arg(long, value_name = "REV")]
        base: Option<String>,
        /// Write the plan to this file, for `weft apply`
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Approve the plan of a run that waits for it, with your SSH key
    Approve {
        /// The run: its id, a unique beginning of it, or `latest`
        run: String,
        /// Sign with the private key in this file, instead of one that the SSH agent holds
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Push: change the devices as planned
    Apply {
        /// A plan that `weft plan --out` wrote, or the run that made one; without it, a new plan is made
        #[arg(value_name = "PLAN|RUN")]
        plan: Option<PathBuf>,
        #[command(flatten)]
        revision: Revision,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        secrets: SecretPlaces,
        /// The pipeline whose settings for pushing are used
        #[arg(long, value_name = "FILE", default_value = "pipeline/default.yaml")]
        pipeline: PathBuf,
    },
    /// Observe the network and compare it with the intents
    Verify {
        #[command(flatten)]
        revision: Revision,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        secrets: SecretPlaces,
        /// The pipeline whose settings for verification are used
        #[arg(long, value_name = "FILE", default_value = "pipeline/default.yaml")]
        pipeline: PathBuf,
        /// Look once, instead of waiting for the network to settle
        #[arg(long)]
        now: bool,
    },
    /// Run a pipeline: all stages, one run, one report
    Run {
        /// The pipeline
        #[arg(long, value_name = "FILE", default_value = "pipeline/default.yaml")]
        pipeline: PathBuf,
        #[command(flatten)]
        revision: Revision,
        #[command(flatten)]
        lock: Lock,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        secrets: SecretPlaces,
    },
    /// Carry on a run whose process has gone: its devices come to rest, then the rest is pushed
    #[command(after_help = RESUME)]
    Resume {
        /// The run: its id, a unique beginning of it, or `latest`
        run: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        secrets: SecretPlaces,
    },
    /// Put the devices of a run whose process has gone back to what they ran before it
    #[command(after_help = ABORT)]
    Abort {
        /// The run: its id, a unique beginning of it, or `latest`
        run: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        secrets: SecretPlaces,
    },
    /// Put the devices of a run that has ended back to what they ran before it, as a new run
    #[command(after_help = ROLLBACK)]
    Rollback {
        /// The run: its id, a unique beginning of it, or `latest`
        run: String,
        /// Only show the plan
        #[arg(long)]
        plan: bool,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        secrets: SecretPlaces,
        /// The pipeline whose settings for pushing are used; without it, that of the run
        #[arg(long, value_name = "FILE")]
        pipeline: Option<PathBuf>,
    },
    /// List the runs, or show one
    Runs {
        /// A run: its id, a unique beginning of it, or `latest`
        run: Option<String>,
    },
    /// Print the report of a run
    Report {
        /// The run: its id, a unique beginning of it, or `latest`
        #[arg(default_value = "latest")]
        run: String,
        /// Write to this file instead
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Run a lab: the network of the intents on this machine
    #[command(subcommand)]
    Lab(Lab),
    /// Show the secrets that the intents refer to, or put one into an encrypted file
    #[command(subcommand)]
    Secrets(Secrets),
    /// Serve an editor over standard input and output: findings as you type, completion, hover, definitions
    Lsp,
}

/// What is done with secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// List the references, where they stand, and whether each has a value here; never the value
    List {
        #[command(flatten)]
        revision: Revision,
        #[command(flatten)]
        places: SecretPlaces,
    },
    /// Put the value on standard input into an encrypted file, for the recipients in `secrets/recipients.txt`
    Set {
        /// The secret: `age/FILE#KEY`, with FILE below `secrets/`
        reference: String,
        #[command(flatten)]
        places: SecretPlaces,
    },
}

/// What becomes of a lab.
#[derive(Debug, Subcommand)]
pub(crate) enum Lab {
    /// Start the network of the intents, every device bare but for its management address
    Up {
        /// What the devices are
        #[arg(long, default_value = "emulated")]
        backend: Backend,
        #[command(flatten)]
        secrets: SecretPlaces,
    },
    /// Stop the lab and remove what it made
    Down,
    /// Show the devices of the lab and the faults that are in it
    Status,
    /// Run a command on a device or host of the lab
    Exec {
        /// The device or host
        device: String,
        /// The command: a line for an emulated device's CLI, a program with arguments for a real router
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Break something: `link-down NODE:PORT`, `silent-drop NODE:PORT`, `node-down NODE`, `ssh-cut NODE`,
    /// `management-down NODE`, `reject-line NODE PATTERN`, `management-lost-after-apply NODE`, `daemon-dead NODE DAEMON`,
    /// `refuse-command NODE PATTERN`, `login-refused NODE`, `disk-full NODE`, `disk-read-only NODE`
    Fault {
        /// What to break
        #[arg(required = true)]
        fault: Vec<String>,
    },
    /// Repair what `fault` broke
    Heal {
        /// What was broken, in the same words; `all` for everything
        #[arg(required = true)]
        fault: Vec<String>,
    },
    /// The process of an emulated lab
    #[command(hide = true)]
    Serve {
        #[command(flatten)]
        secrets: SecretPlaces,
    },
}

/// What devices a lab has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// SSH servers in one process; no root needed
    Emulated,
    /// Real routers in network namespaces; needs root
    Netns,
}

/// Takes the kinds of intent.
fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(IntentKind::ALL.map(IntentKind::as_str))
}

/// Takes the kinds of intent, and the other names of schemas.
fn schemas() -> PossibleValuesParser {
    PossibleValuesParser::new(crate::commands::schema::names())
}
