//! The codes of what this crate finds.

use weft_diagnostics::Code;

/// A pipeline of that name or file is not there.
pub const NO_SUCH_PIPELINE: Code = Code::new(
    "WEFT-900",
    "no such pipeline",
    "The pipeline that was asked for is not among the definitions. Definitions are the files `pipeline/*.yaml`.",
);

/// An item of `stages` names no stage, or more than one.
pub const NOT_ONE_STAGE: Code = Code::new(
    "WEFT-901",
    "not one stage",
    "Each item of `stages` is one stage with its parameters, such as `- check: {}`.",
);

/// A stage is there twice.
pub const STAGE_TWICE: Code =
    Code::new("WEFT-902", "stage given twice", "A stage may stand only once in a pipeline. Remove one of the two.");

/// A stage needs another one before it.
pub const STAGE_MISSING: Code = Code::new(
    "WEFT-903",
    "stage without what it needs",
    "A stage works on what an earlier one made: `compile` needs `validate`, `check`, `plan` and `verify` need `compile`, and \
     `push` needs `plan`, and `check` too: nothing reaches a device unchecked. `report` tells of all stages and comes last.",
);

/// A pipeline file holds something else, or nothing.
pub const NOT_A_PIPELINE: Code = Code::new(
    "WEFT-904",
    "not a pipeline",
    "A file in `pipeline/` holds one document with `apiVersion: weft/v1` and `kind: Pipeline`.",
);

/// A report is to be written outside of the project.
pub const PATH_OUTSIDE: Code = Code::new(
    "WEFT-905",
    "path outside of the project",
    "Reports are written to a folder within the project, given relative to it.",
);

/// The end of an allowed change is not one.
pub const NOT_A_TRAFFIC_END: Code = Code::new(
    "WEFT-204",
    "not an end of traffic",
    "`allow_changes` names where traffic starts and goes: `segment/NAME`, `peering/NAME`, `node/NAME`, `fabric/NAME`, \
     `site/NAME`, `role/NAME`, `internet`, `loopbacks` or `any`.",
);

/// A line of a commit's message allows nothing.
pub const NOT_AN_ALLOWED_CHANGE: Code = Code::new(
    "WEFT-205",
    "commit allows nothing",
    "With `changes_in_commit` of the pipeline's `plan`, lines of the commit's message allow traffic to move: `Allow-change: FROM -> \
     TO: WHAT, WHAT`, where the ends are those of `allow_changes` and the last part may be left out. This line is none.",
);

/// An end of an allowed change is nowhere.
pub const NO_SUCH_TRAFFIC_END: Code = Code::new(
    "WEFT-206",
    "allowed change of nothing",
    "`allow_changes`, or a line of the commit's message, names where traffic starts or goes, and neither the network of before nor that \
     of after has such a place. It allows nothing; mostly a name is misspelled.",
);

/// A file looks like an intent and is not read.
pub const NOT_READ: Code = Code::new(
    "WEFT-910",
    "file is not read",
    "Intents and pipelines are files whose names end in `.yaml`. Rename the file, or move it out of the folder.",
);

/// A pack's file is not UTF-8.
pub const PACK_NOT_TEXT: Code =
    Code::new("WEFT-911", "file of a pack is not text", "The files of a device pack are UTF-8 texts.");

/// A folder of `device-templates` has a name that no pack can have.
pub const PACK_NAME: Code = Code::new(
    "WEFT-912",
    "folder is not a pack",
    "Each folder of `device-templates` is a pack and has its name: `a-z`, `0-9`, `-`, `_` and `.`.",
);

/// A secret has no value that can be used.
pub const SECRET_WITHOUT_VALUE: Code = Code::new(
    "WEFT-221",
    "secret without a value",
    "An intent refers to a secret that has no value here, or one that cannot stand in a configuration. Nothing is pushed then; a \
     plan and a verification go on, and count what devices have in its place as different. `weft secrets list` shows where \
     each is looked for.",
);

/// A file in `secrets/` is not encrypted.
pub const NOT_ENCRYPTED: Code = Code::new(
    "WEFT-222",
    "file of secrets in the clear",
    "The files in `secrets/` are committed, so they are encrypted with age. Encrypt the file with `weft secrets set`, and replace \
     the secrets in it: what was committed stays in the history.",
);

/// The lock file would change and must not.
pub const LOCK_OUT_OF_DATE: Code = Code::new(
    "WEFT-920",
    "lock file is not up to date",
    "The intents need addresses or numbers that the lock file does not give, or no longer need some that it gives. Run \
     `weft compile` without `--locked` and commit `intents/allocations.lock.yaml` with the intents.",
);

/// A device's pack is not installed.
pub const NO_SUCH_PACK: Code = Code::new(
    "WEFT-921",
    "no such pack",
    "The inventory says that a device runs a pack which is not in `device-templates`.",
);

/// A gate of the push is closed.
pub const GATE_CLOSED: Code = Code::new(
    "WEFT-930",
    "gate is closed",
    "The plan goes beyond what the pipeline allows without a person's consent. Look at the plan; then change the `gate` of the \
     stage, or make the change smaller.",
);

/// A device could not be reached.
pub const UNREACHABLE: Code = Code::new(
    "WEFT-931",
    "device is unreachable",
    "The running configuration of a device could not be read, so it cannot be part of a change. With `unreachable: skip` the \
     others are changed without it.",
);

/// The plan that was given is not the one that would be made now.
pub const PLAN_MOVED: Code = Code::new(
    "WEFT-932",
    "plan is out of date",
    "A plan is bound to the commit, to the packs and to what every device ran when it was made. Something of that has changed \
     since: make a new plan and look at it.",
);

/// Another run was cut off on the same devices.
pub const RUN_CUT_OFF: Code = Code::new(
    "WEFT-938",
    "run was cut off",
    "The process of an earlier run has gone while it changed devices of this plan. They may be locked for it, or wait for its \
     confirmation and go back by themselves. `weft resume RUN` carries it on, `weft abort RUN` puts its devices back.",
);

/// A device cannot be put back to what it ran before a run.
pub const NOT_PUT_BACK: Code = Code::new(
    "WEFT-939",
    "device cannot be put back",
    "`weft rollback RUN` brings devices from what the run left on them to what they ran before it. A device that runs something else \
     by now, or whose former text has a secret that is not known here, is not changed: what somebody else did since would be lost.",
);

/// A device is drained and changed in other ways in one go.
pub const DRAINED_AND_CHANGED: Code = Code::new(
    "WEFT-540",
    "drained and changed in one go",
    "A device gets the configuration that makes traffic leave it and other changes in the same moment: traffic still goes through it \
     while it changes. Carry out the maintenance first, and the other changes in a second run.",
);

/// Traffic moves that must not.
pub const TRAFFIC_MOVES: Code = Code::new(
    "WEFT-548",
    "traffic moves that must not",
    "The plan changes where traffic goes or how it ends beyond what `allow_changes` of the pipeline's `plan` lists. The finding \
     names the classes of traffic, how they change, and one pair of places. Nothing is pushed.",
);

/// It is not known which traffic moves.
pub const TRAFFIC_UNKNOWN: Code = Code::new(
    "WEFT-549",
    "traffic of before is not known",
    "`allow_changes` of the pipeline's `plan` promises that nothing else changes, and what the devices run is not the network of \
     any revision that Weft knows: the promise cannot be kept. Nothing is pushed.",
);

/// All codes of this crate.
pub const ALL: &[Code] = &[
    NO_SUCH_PIPELINE,
    NOT_ONE_STAGE,
    STAGE_TWICE,
    STAGE_MISSING,
    NOT_A_PIPELINE,
    PATH_OUTSIDE,
    NOT_A_TRAFFIC_END,
    NOT_AN_ALLOWED_CHANGE,
    NO_SUCH_TRAFFIC_END,
    NOT_READ,
    PACK_NOT_TEXT,
    PACK_NAME,
    SECRET_WITHOUT_VALUE,
    NOT_ENCRYPTED,
    LOCK_OUT_OF_DATE,
    NO_SUCH_PACK,
    GATE_CLOSED,
    UNREACHABLE,
    PLAN_MOVED,
    RUN_CUT_OFF,
    NOT_PUT_BACK,
    DRAINED_AND_CHANGED,
    TRAFFIC_MOVES,
    TRAFFIC_UNKNOWN,
];
