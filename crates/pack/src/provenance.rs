//! `from(element)` in a template: marks that tell which intents caused the lines that follow, and how they become line sources.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use minijinja::{
    Error, ErrorKind, State,
    value::{Object, Value},
};
use serde::Deserialize;
use weft_model::{Provenance, Sources};

/// Begins a mark in rendered text. No other value may print a control character, and no template holds one.
const BEGIN: char = '\u{1}';
/// Ends a mark.
const END: char = '\u{2}';

/// The function `from` of one rendering, and the sources that it has marked.
#[derive(Debug, Default)]
pub(crate) struct From {
    marked: Mutex<Vec<Sources>>,
}

/// What `from` returns: it prints as a mark, and only where it is printed by itself.
#[derive(Debug)]
pub(crate) struct Mark(usize);

impl Object for Mark {
    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl Mark {
    /// Returns the text of the mark.
    pub(crate) fn text(&self) -> String {
        format!("{BEGIN}{}{END}", self.0)
    }
}

impl Object for From {
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let wrong = |message: &str| Error::new(ErrorKind::InvalidOperation, message.to_owned());
        let (element, leaf) = match args {
            [element] => (element, None),
            [element, leaf] => (element, Some(leaf.as_str().ok_or_else(|| wrong("the leaf of `from` is a text"))?)),
            _ => return Err(wrong("`from` takes an element and, if it is meant, the name of one of its leaves")),
        };
        let provenance = element.get_attr("provenance").map_err(|_| wrong("`from` takes an element of the device"))?;
        let provenance = Provenance::deserialize(&provenance)
            .map_err(|_| wrong("`from` takes an element that has a provenance of its own"))?;
        let sources = leaf.map_or(&provenance.sources, |leaf| provenance.of(leaf)).clone();
        let mut marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
        marked.push(sources);
        Ok(Value::from_object(Mark(marked.len() - 1)))
    }
}

impl From {
    /// Takes the marks out of `rendered`: returns the text and the sources of each of its lines. A line without a mark has the
    /// sources of the line before it; a line with several has those of all.
    pub(crate) fn lines(&self, rendered: &str) -> (String, Vec<Sources>) {
        let marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::with_capacity(rendered.len());
        let mut lines = Vec::new();
        let mut current = Sources::new();
        for line in rendered.lines() {
            let mut own: Option<Sources> = None;
            let mut rest = line;
            while let Some((before, after)) = rest.split_once(BEGIN) {
                text.push_str(before);
                let (mark, after) = after.split_once(END).unwrap_or((after, ""));
                if let Some(sources) = mark.parse().ok().and_then(|index: usize| marked.get(index)) {
                    own.get_or_insert_default().extend(sources.iter().cloned());
                }
                rest = after;
            }
            text.push_str(rest);
            text.push('\n');
            current = own.unwrap_or(current);
            lines.push(current.clone());
        }
        (text, lines)
    }
}

/// Tells whether `text` holds what may not stand in a line of a configuration: a control character, or a character that
/// breaks lines or reverses the direction of writing.
pub(crate) fn breaks_a_line(text: &str) -> bool {
    text.chars().any(|c| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    })
}
