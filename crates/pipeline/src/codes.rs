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

/// A wave would be watched for longer than its devices wait.
pub const SOAK_TOO_LONG: Code = Code::new(
    "WEFT-207",
    "wave is watched for too long",
    "A device goes back by itself when no confirmation arrives within `confirm_seconds`. A wave takes up to `converge_seconds` until its \
     sessions are established, and is then watched for `soak_seconds`: both must fit.",
);

/// A plan has not the approvals that it needs.
pub const NOT_APPROVED: Code = Code::new(
    "WEFT-214",
    "plan is not approved",
    "The pipeline asks for the approval of people for plans such as this one. Nothing is pushed before enough of them have approved \
     exactly this plan, with `weft approve`. Whoever made the plan or the commit does not count.",
);

/// An approval does not count.
pub const APPROVAL_REFUSED: Code = Code::new(
    "WEFT-215",
    "approval does not count",
    "An approval counts for one plan, for a time, when it is signed with the key of a person who may approve and has made neither the \
     plan nor the commit.",
);

/// It is not known who may approve.
pub const APPROVERS_UNKNOWN: Code = Code::new(
    "WEFT-216",
    "nobody may approve",
    "The pipeline asks for approvals, and the file with those who may approve, `allowed_signers`, cannot be read. Nothing is pushed.",
);

/// What a pipeline says of approvals cannot be.
pub const NOT_AN_APPROVAL: Code = Code::new(
    "WEFT-217",
    "not a rule for approvals",
    "`approval` of the pipeline's `push` names intents as `KIND/NAME` or `KIND`, and a file of allowed signers within the project or \
     with an absolute path.",
);

/// An intent does not hold while a device changes.
pub const BREAKS_WHILE_AWAY: Code = Code::new(
    "WEFT-208",
    "intent does not hold while a device changes",
    "A device may be away for a moment while it changes, and without it a Reachability intent does not hold in the predicted network. \
     The device changes alone. Drain it first, or give the network another path.",
);

/// A device would not let Weft in any more.
pub const LOCKED_OUT: Code = Code::new(
    "WEFT-209",
    "plan locks Weft out",
    "Once the plan is carried out, the account or the key that Weft logs in with is no longer on the device. Nothing is pushed: the \
     change could not be confirmed, and nobody could take it back.",
);

/// A device would not be reached any more.
pub const MANAGEMENT_CUT: Code = Code::new(
    "WEFT-218",
    "plan cuts the management path",
    "Once the plan is carried out, the address at which Weft reaches the device is gone, or lies in a subnet of another of its \
     interfaces, so that its answers go there. Nothing is pushed.",
);

/// Sessions were down before anything was done.
pub const DOWN_BEFORE: Code = Code::new(
    "WEFT-219",
    "session down before the push",
    "Sessions between devices that the plan does not change, or from them to external neighbors, were not established before the push. \
     The gate does not wait for them: whatever is wrong with them, the change did not cause it.",
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
    SOAK_TOO_LONG,
    NOT_APPROVED,
    APPROVAL_REFUSED,
    APPROVERS_UNKNOWN,
    NOT_AN_APPROVAL,
    BREAKS_WHILE_AWAY,
    LOCKED_OUT,
    MANAGEMENT_CUT,
    DOWN_BEFORE,
    DRAINED_AND_CHANGED,
    TRAFFIC_MOVES,
    TRAFFIC_UNKNOWN,
];
