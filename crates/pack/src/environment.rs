//! The three template engines of a pack: for configurations, for commands and for parsers.
//!
//! None has a loader: a template can name another one of its pack and nothing else. Each stops after a number of steps.

use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, UndefinedBehavior, syntax::SyntaxConfig, value::Value,
};

use crate::{
    filters,
    provenance::{Mark, breaks_a_line},
};

/// The most steps of one configuration template: some thousand times what a switch with 512 ports takes.
const CONFIGURATION_FUEL: u64 = 50_000_000;
/// The most steps of one parser: enough for a table of a million routes.
const PARSER_FUEL: u64 = 1_000_000_000;
/// The most steps of one command.
const COMMAND_FUEL: u64 = 100_000;

/// Returns the engine of configuration templates: what they print stays within its line.
pub(crate) fn configuration() -> Environment<'static> {
    let mut environment = strict(CONFIGURATION_FUEL, BLOCKS_LEAVE_NO_LINES);
    environment.set_formatter(|out, _, value| match value.downcast_object_ref::<Mark>() {
        Some(mark) => write(out, &mark.text()),
        None => line(out, value),
    });
    environment
}

/// Returns the engine of command lines: a value prints letters, digits and `._:/@,+=%-`, so that no shell takes it for
/// more than a word.
pub(crate) fn command() -> Environment<'static> {
    let mut environment = strict(COMMAND_FUEL, false);
    environment.set_formatter(|out, _, value| {
        let text = printed(value)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "._:/@,+=%-".contains(c);
        if text.is_empty() || !text.chars().all(plain) {
            return Err(unsafe_value("a value in a command is one plain word"));
        }
        write(out, &text)
    });
    environment
}

/// Returns the engine of what goes to a command's standard input: values print as they are.
pub(crate) fn input() -> Environment<'static> {
    let mut environment = strict(COMMAND_FUEL, false);
    environment.set_formatter(|out, _, value| write(out, &printed(value)?));
    environment
}

/// Returns the engine of parsers.
pub(crate) fn parser() -> Environment<'static> {
    strict(PARSER_FUEL, BLOCKS_LEAVE_NO_LINES)
}

/// A line of a template that holds nothing but a block, such as `{% if %}`, leaves no line.
const BLOCKS_LEAVE_NO_LINES: bool = true;

fn strict(fuel: u64, blocks_leave_no_lines: bool) -> Environment<'static> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(blocks_leave_no_lines).lstrip_blocks(blocks_leave_no_lines).keep_trailing_newline(true);
    if let Ok(syntax) = syntax.build() {
        environment.set_syntax(syntax);
    }
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // An error would otherwise print the variables around it.
    environment.set_debug(false);
    environment.set_fuel(Some(fuel));
    filters::add(&mut environment);
    environment
}

/// Writes a value that stays within its line.
fn line(out: &mut Output<'_>, value: &Value) -> Result<(), Error> {
    let text = printed(value)?;
    if breaks_a_line(&text) {
        return Err(unsafe_value("the value holds a line break or another control character"));
    }
    write(out, &text)
}

/// Returns what a value prints; nothing that was not given prints as a word.
fn printed(value: &Value) -> Result<String, Error> {
    // Undefined here is an `if` without its `else`, which prints nothing; any other was an error before.
    if value.is_undefined() {
        return Ok(String::new());
    }
    if value.is_none() {
        return Err(Error::new(ErrorKind::UndefinedError, "the value is not given, and the template prints it"));
    }
    Ok(value.to_string())
}

fn write(out: &mut Output<'_>, text: &str) -> Result<(), Error> {
    out.write_str(text).map_err(|error| Error::new(ErrorKind::WriteFailure, "cannot print").with_source(error))
}

/// The text by which [`is_unsafe_value`] knows its errors: their detail begins with it.
const UNSAFE: &str = "unsafe value: ";

fn unsafe_value(message: &str) -> Error {
    Error::new(ErrorKind::BadEscape, format!("{UNSAFE}{message}"))
}

/// Tells whether a rendering failed because a value could have changed the meaning of the text.
pub(crate) fn is_unsafe_value(error: &Error) -> bool {
    error.detail().is_some_and(|detail| detail.starts_with(UNSAFE))
}

/// Returns what an error says, without its place and without any value.
pub(crate) fn reason(error: &Error) -> String {
    let kind = error.kind().to_string();
    match error.detail() {
        Some(detail) => match detail.strip_prefix(UNSAFE) {
            Some(detail) => detail.to_owned(),
            None => format!("{kind}: {detail}"),
        },
        None => kind,
    }
}
