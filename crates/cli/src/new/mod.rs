//! The forms of `weft new`: for each kind of intent its flags and a template, as data, and the arguments made of them.

mod form;

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, builder::PossibleValuesParser};
use weft_model::IntentKind;

pub(crate) use form::{Flag, Form, Unfilled, forms};

/// The arguments of `weft new KIND`.
#[derive(Debug)]
pub(crate) struct New {
    /// The kind.
    pub(crate) kind: IntentKind,
    /// What was given, by flag.
    pub(crate) values: BTreeMap<&'static str, Vec<String>>,
    /// Where to write, when it is not the usual place.
    pub(crate) out: Option<String>,
    /// Whether a file that is there is written over.
    pub(crate) force: bool,
}

impl Args for New {
    fn augment_args(command: Command) -> Command {
        let command = command.subcommand_required(true).arg_required_else_help(true).subcommand_value_name("KIND");
        IntentKind::ALL.into_iter().fold(command, |command, kind| command.subcommand(subcommand(&forms()[&kind])))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for New {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (name, matches) = matches.subcommand().ok_or_else(missing)?;
        let kind = IntentKind::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(missing)?;
        let given = |flag: &Flag| -> Option<(&'static str, Vec<String>)> {
            let values: Vec<String> = matches.get_many::<String>(&flag.flag)?.cloned().collect();
            forms()[&kind].flags.iter().find(|known| known.flag == flag.flag).map(|known| (&*known.flag, values))
        };
        Ok(Self {
            kind,
            values: forms()[&kind].flags.iter().filter_map(given).collect(),
            out: matches.get_one::<String>("out").cloned(),
            force: matches.get_flag("force"),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn subcommand(form: &'static Form) -> Command {
    let command = form.flags.iter().fold(Command::new(form.kind.as_str()), |command, flag| {
        let mut arg = Arg::new(&*flag.flag)
            .long(&*flag.flag)
            .value_name(flag.value_name())
            .help(flag.help())
            .help_heading("What is written");
        arg = match flag.choices() {
            choices if !choices.is_empty() => arg.value_parser(PossibleValuesParser::new(choices)),
            _ if flag.is_number() => arg.value_parser(number),
            _ => arg,
        };
        if flag.is_list() {
            arg = arg.action(ArgAction::Append);
            if flag.parts.is_empty() {
                arg = arg.value_delimiter(',');
            }
        }
        command.arg(arg)
    });
    command
        .about(form.kind.purpose())
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("FILE")
                .help("Write to this file instead of `intents/KIND-NAME.yaml`; `-` prints"),
        )
        .arg(
            Arg::new("force")
                .long("force")
                .action(ArgAction::SetTrue)
                .help("Write over the file when it is already there"),
        )
}

/// Takes a number, and keeps its text.
fn number(text: &str) -> Result<String, String> {
    text.parse::<u64>().map(|_| text.to_owned()).map_err(|_| "not a whole number".to_owned())
}
