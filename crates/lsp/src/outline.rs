//! The outline of a YAML text that may be broken: which key or value stands where.
//!
//! A text that is being typed is seldom well formed, and where the cursor is least of all. So this reads line by line, by
//! indentation, and never fails: what it does not understand is the beginning of a key. The strict reader of
//! `weft-intent` decides what is right; this only says where things are.

use std::ops::Range;

use weft_intent::shape::Step;

/// Lists and mappings in brackets within each other; more is no intent.
const MOST_NESTED: usize = 64;

/// A key with its value, or an item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The entry that holds this one; none at the top of a document.
    pub(crate) parent: Option<usize>,
    /// The number of the document, from 0.
    pub(crate) document: usize,
    /// Where the key stands, without quotes; none for an item.
    pub(crate) key: Option<Range<usize>>,
    /// Where the single value stands, without quotes.
    pub(crate) value: Option<Range<usize>>,
    /// Whether the value is in quotes.
    pub(crate) quoted: bool,
    /// Where a value may be written: behind the colon or the dash.
    room: Range<usize>,
    /// The column of the key or the dash where it is written in lines, not in brackets.
    column: Option<usize>,
    /// Whether there is a colon behind the key.
    complete: bool,
}

/// A list or mapping in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Brackets {
    entry: usize,
    range: Range<usize>,
    mapping: bool,
}

/// What stands at a place of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A key, or where one may be written.
    Key {
        /// The entry whose mapping it is in; none at the top of a document.
        parent: Option<usize>,
        /// The entry, where there is one already.
        entry: Option<usize>,
        /// What is written.
        written: Range<usize>,
    },
    /// A single value, or where one may be written.
    Value {
        /// The key's entry, or the item.
        entry: usize,
        /// What is written.
        written: Range<usize>,
    },
    /// Where an item of a list may be written.
    Item {
        /// The entry whose list it is.
        list: usize,
        /// The place itself.
        written: Range<usize>,
    },
}

/// The outline of a text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outline {
    /// The entries in the order of the text.
    pub(crate) entries: Vec<Entry>,
    brackets: Vec<Brackets>,
    /// Where each document begins.
    documents: Vec<usize>,
}

impl Outline {
    pub(crate) fn of(text: &str) -> Self {
        let mut reader = Reader { text, outline: Self { documents: vec![0], ..Self::default() }, frames: Vec::new() };
        reader.lines();
        reader.outline
    }

    /// Returns the number of the document at an octet.
    pub(crate) fn document_at(&self, offset: usize) -> usize {
        self.documents.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    /// Returns the octets of a document.
    pub(crate) fn document(&self, document: usize, text: &str) -> Range<usize> {
        let start = self.documents.get(document).copied().unwrap_or(0);
        start..self.documents.get(document + 1).copied().unwrap_or(text.len())
    }

    /// Returns how many documents there may be.
    pub(crate) fn documents(&self) -> usize {
        self.documents.len()
    }

    /// Returns the steps from the top of the document to an entry.
    pub(crate) fn path<'t>(&self, text: &'t str, entry: Option<usize>) -> Vec<Step<'t>> {
        let mut steps = Vec::new();
        let mut next = entry;
        while let Some(entry) = next.and_then(|at| self.entries.get(at)) {
            steps.push(match &entry.key {
                Some(key) => Step::Key(&text[key.clone()]),
                None => Step::Item,
            });
            next = entry.parent;
        }
        steps.reverse();
        steps
    }

    /// Returns the entries of a mapping or list.
    pub(crate) fn inside(&self, document: usize, parent: Option<usize>) -> impl Iterator<Item = (usize, &Entry)> {
        // Entries follow what holds them.
        let first = parent.map_or(0, |parent| parent + 1);
        let entries = self.entries.iter().enumerate().skip(first);
        entries.filter(move |(_, entry)| entry.parent == parent && entry.document == document)
    }

    /// Returns the single value of a key in a mapping.
    pub(crate) fn value<'t>(
        &self,
        text: &'t str,
        document: usize,
        parent: Option<usize>,
        key: &str,
    ) -> Option<&'t str> {
        let of_key = |entry: &Entry| entry.key.as_ref().is_some_and(|range| &text[range.clone()] == key);
        let (_, entry) = self.inside(document, parent).find(|(_, entry)| of_key(entry))?;
        entry.value.clone().map(|range| &text[range])
    }

    /// Returns what stands at an octet, or may be written there; `None` in comments.
    pub(crate) fn place(&self, text: &str, offset: usize) -> Option<Place> {
        let document = self.document_at(offset);
        let touches = |range: &Range<usize>| range.start <= offset && offset <= range.end;
        for (at, entry) in self.entries.iter().enumerate() {
            if let Some(value) = entry.value.as_ref().filter(|value| touches(value)) {
                return Some(Place::Value { entry: at, written: value.clone() });
            }
            if let Some(key) = entry.key.as_ref().filter(|key| touches(key)) {
                return Some(Place::Key { parent: entry.parent, entry: Some(at), written: key.clone() });
            }
        }
        let line = text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let before = &text[line..offset];
        if before.trim_start().starts_with('#') || before.contains(" #") {
            return None;
        }
        let written = offset..offset;
        if let Some((at, _)) =
            self.entries.iter().enumerate().rfind(|(_, entry)| entry.value.is_none() && touches(&entry.room))
        {
            return Some(Place::Value { entry: at, written });
        }
        // Behind a value, or a key that is not finished, nothing fits.
        let around = self.brackets.iter().filter(|at| at.range.start < offset && offset < at.range.end);
        if let Some(brackets) = around.max_by_key(|brackets| brackets.range.start) {
            return Some(match brackets.mapping {
                true => Place::Key { parent: Some(brackets.entry), entry: None, written },
                false => Place::Item { list: brackets.entry, written },
            });
        }
        if !before.trim().is_empty() {
            return None;
        }
        // An empty line: the indentation tells what it is in.
        let column = before.len();
        let above = |entry: &Entry| entry.key.as_ref().map_or(entry.room.start, |key| key.start) <= offset;
        let last = self
            .entries
            .iter()
            .enumerate()
            .rfind(|(_, entry)| entry.document == document && entry.column.is_some() && above(entry));
        let parent = last.and_then(|(at, entry)| {
            let open = entry.complete || entry.key.is_none();
            let open = open && entry.value.is_none() && !self.brackets.iter().any(|brackets| brackets.entry == at);
            if open && entry.column.is_some_and(|own| own < column) {
                Some(at)
            } else {
                self.around(entry.parent, column)
            }
        });
        Some(Place::Key { parent, entry: None, written })
    }

    /// Returns the nearest entry around whose column is left of `column`.
    fn around(&self, entry: Option<usize>, column: usize) -> Option<usize> {
        let mut next = entry;
        while let Some(at) = next {
            match self.entries[at].column {
                Some(own) if own < column => return Some(at),
                _ => next = self.entries[at].parent,
            }
        }
        None
    }
}

/// A key or dash whose value goes on below it.
struct Frame {
    column: usize,
    entry: usize,
    dash: bool,
}

struct Reader<'t> {
    text: &'t str,
    outline: Outline,
    frames: Vec<Frame>,
}

impl Reader<'_> {
    fn lines(&mut self) {
        let mut at = 0;
        while at < self.text.len() {
            let end = self.end_of_line(at);
            let line = &self.text[at..end];
            if line.starts_with("---") || line.starts_with("...") {
                self.frames.clear();
                self.outline.documents.push(at + 3);
                at = end + 1;
                continue;
            }
            let indentation = line.len() - line.trim_start().len();
            at = if line.trim_start().is_empty() || line.trim_start().starts_with('#') {
                end + 1
            } else {
                self.line(at, at + indentation, end)
            };
        }
    }

    /// Reads a line from `position` on, and returns where the next one begins.
    fn line(&mut self, start: usize, mut position: usize, end: usize) -> usize {
        let mut item = None;
        loop {
            let rest = &self.text[position..end];
            if rest != "-" && !rest.starts_with("- ") {
                break;
            }
            let column = position - start;
            while self.frames.last().is_some_and(|last| last.column > column || (last.column == column && last.dash)) {
                self.frames.pop();
            }
            let next = position + 1 + rest[1..].len() - rest[1..].trim_start().len();
            let entry = self.add(None, Some(column), position + 1..next.max(position + 1));
            self.frames.push(Frame { column, entry, dash: true });
            item = Some((entry, column));
            position = next;
            if position >= end || self.text[position..end].starts_with('#') {
                return end + 1;
            }
        }
        let column = position - start;
        if let Some((key, behind)) = self.key(position, end, false) {
            self.leave(column);
            let entry = self.add(Some(key), Some(column), behind..behind);
            self.outline.entries[entry].complete = true;
            self.frames.push(Frame { column, entry, dash: false });
            return self.value(entry, behind, column);
        }
        if let Some((entry, dash)) = item {
            return self.value(entry, position, dash);
        }
        let open = self.frames.last().filter(|last| last.column < column).map(|last| (last.entry, last.column));
        match open {
            Some((entry, own)) if self.text[position..end].starts_with(['{', '[']) => self.value(entry, position, own),
            _ => {
                // A word alone on a line: a key that is being typed.
                self.leave(column);
                let word = self.text[position..end].split(" #").next().unwrap_or_default().trim_end();
                let entry = self.add(Some(position..position + word.len()), Some(column), end..end);
                self.outline.entries[entry].room = 0..0;
                end + 1
            }
        }
    }

    /// Leaves what does not hold something in `column`.
    fn leave(&mut self, column: usize) {
        while self.frames.last().is_some_and(|last| last.column >= column) {
            self.frames.pop();
        }
    }

    fn add(&mut self, key: Option<Range<usize>>, column: Option<usize>, room: Range<usize>) -> usize {
        let parent = self.frames.last().map(|frame| frame.entry);
        self.add_to(parent, key, column, room)
    }

    fn add_to(
        &mut self,
        parent: Option<usize>,
        key: Option<Range<usize>>,
        column: Option<usize>,
        room: Range<usize>,
    ) -> usize {
        let document = self.outline.documents.len() - 1;
        let entry = Entry { parent, document, key, value: None, quoted: false, room, column, complete: false };
        self.outline.entries.push(entry);
        self.outline.entries.len() - 1
    }

    /// Returns where a key stands, and what is behind its colon.
    fn key(&self, position: usize, end: usize, flow: bool) -> Option<(Range<usize>, usize)> {
        let rest = &self.text[position..end];
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let (inner, behind) = self.quoted(position, end, quote)?;
            let colon = behind + self.text[behind..end].len() - self.text[behind..end].trim_start().len();
            return self.text[colon..end].starts_with(':').then_some((inner, colon + 1));
        }
        if rest.starts_with(['{', '[', '#', '|', '>']) {
            return None;
        }
        for (at, character) in rest.char_indices() {
            let next = rest[at + character.len_utf8()..].chars().next();
            match character {
                ':' if next.is_none_or(|c| c.is_whitespace() || (flow && matches!(c, ',' | '}' | ']'))) => {
                    let key = rest[..at].trim_end();
                    return Some((position..position + key.len(), position + at + 1));
                }
                ',' | '}' | ']' | '{' | '[' if flow => return None,
                '#' if rest[..at].ends_with(' ') => return None,
                _ => {}
            }
        }
        None
    }

    /// Returns what is within quotes, and what is behind them; without an end on the line, the rest of it.
    fn quoted(&self, position: usize, end: usize, quote: char) -> Option<(Range<usize>, usize)> {
        let inner = position + 1;
        let mut escaped = false;
        for (at, character) in self.text.get(inner..end)?.char_indices() {
            if escaped {
                escaped = false;
            } else if character == '\\' && quote == '"' {
                escaped = true;
            } else if character == quote {
                return Some((inner..inner + at, inner + at + 1));
            }
        }
        Some((inner..end, end))
    }

    /// Reads the value of an entry from `position` on, and returns where the next line begins. `column` is that of the key or
    /// dash: what is further right below it belongs to it.
    fn value(&mut self, entry: usize, position: usize, column: usize) -> usize {
        let end = self.end_of_line(position);
        let rest = &self.text[position..end];
        let start = position + rest.len() - rest.trim_start().len();
        let rest = &self.text[start..end];
        self.outline.entries[entry].room = position..start;
        match rest.chars().next() {
            None | Some('#') => end + 1,
            Some('|' | '>') => {
                self.outline.entries[entry].value = Some(start..start);
                let mut at = end + 1;
                while at < self.text.len() {
                    let line_end = self.end_of_line(at);
                    let line = &self.text[at..line_end];
                    let indentation = line.len() - line.trim_start().len();
                    if !line.trim_start().is_empty() && indentation <= column {
                        break;
                    }
                    at = line_end + 1;
                }
                at
            }
            Some('{' | '[') => {
                let behind = self.brackets(entry, start, column, 0);
                // The rest of that line is a comment at most; a line that ended the brackets is read as one.
                let at_start = self.text[..behind].ends_with('\n') || behind == self.text.len();
                if at_start { behind } else { self.end_of_line(behind) + 1 }
            }
            Some(quote @ ('"' | '\'')) => {
                let (inner, behind) = self.quoted(start, end, quote).unwrap_or((start..end, end));
                let found = &mut self.outline.entries[entry];
                (found.value, found.quoted) = (Some(inner), true);
                self.end_of_line(behind) + 1
            }
            Some(_) => {
                let plain = rest.split(" #").next().unwrap_or_default().trim_end();
                self.outline.entries[entry].value = Some(start..start + plain.len());
                end + 1
            }
        }
    }

    /// Reads a list or mapping in brackets, and returns what is behind it: the start of the line that ended it where it is not
    /// closed.
    fn brackets(&mut self, entry: usize, start: usize, column: usize, depth: usize) -> usize {
        let mapping = self.text[start..].starts_with('{');
        let mut position = start + 1;
        let behind = loop {
            let rest = &self.text[position..];
            let Some(character) = rest.chars().next().filter(|_| depth < MOST_NESTED) else { break position };
            match character {
                '\n' => {
                    let line = &self.text[position + 1..self.end_of_line(position + 1)];
                    let indentation = line.len() - line.trim_start().len();
                    // Brackets go on to the right of their key. Whoever types has not closed them yet.
                    if line.starts_with("---")
                        || (!line.trim_start().is_empty()
                            && indentation <= column
                            && !line.trim_start().starts_with(['}', ']']))
                    {
                        break position + 1;
                    }
                    position += 1;
                }
                '}' | ']' => break position + 1,
                '#' if self.text[..position].ends_with([' ', '\n']) => position = self.end_of_line(position),
                c if c.is_whitespace() || c == ',' || c == ':' => position += c.len_utf8(),
                _ => position = self.inner(entry, mapping, position, column, depth),
            }
        };
        let closed = self.text[..behind].ends_with(['}', ']']);
        self.outline.brackets.push(Brackets { entry, range: start..behind + usize::from(!closed), mapping });
        behind
    }

    /// Reads one entry in brackets, and returns what is behind it.
    fn inner(&mut self, parent: usize, mapping: bool, position: usize, column: usize, depth: usize) -> usize {
        let end = self.end_of_line(position);
        let (entry, from) = if !mapping {
            (self.add_to(Some(parent), None, None, position..position), position)
        } else if let Some((key, behind)) = self.key(position, end, true) {
            let entry = self.add_to(Some(parent), Some(key), None, behind..behind);
            self.outline.entries[entry].complete = true;
            (entry, behind)
        } else {
            let (word, behind) = self.word(position, end);
            let entry = self.add_to(Some(parent), Some(word), None, 0..0);
            self.outline.entries[entry].room = 0..0;
            return behind.max(position + 1);
        };
        let rest = &self.text[from..end];
        let start = from + rest.len() - rest.trim_start().len();
        self.outline.entries[entry].room = from..start;
        match self.text[start..end].chars().next() {
            None => end,
            Some(',' | '}' | ']') => start,
            Some('{' | '[') => self.brackets(entry, start, column, depth + 1),
            Some(_) => {
                let quoted = self.text[start..].starts_with(['"', '\'']);
                let (word, behind) = self.word(start, end);
                let found = &mut self.outline.entries[entry];
                (found.value, found.quoted) = (Some(word), quoted);
                behind.max(position + 1)
            }
        }
    }

    /// Returns a word in brackets, and what is behind it.
    fn word(&self, position: usize, end: usize) -> (Range<usize>, usize) {
        let rest = &self.text[position..end];
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\''))
            && let Some((inner, behind)) = self.quoted(position, end, quote)
        {
            // Quotes that are not closed end where the brackets seem to: whoever types has not come to them yet. Those that
            // seem to hold another key are not closed either.
            let holds_key = self.text[inner.clone()].split_once(", ").is_some_and(|(_, next)| {
                next.split_once(": ").is_some_and(|(key, _)| key.chars().all(|c| c.is_alphanumeric() || c == '_'))
            });
            let unclosed = holds_key || (behind == end && !self.text[inner.start..end].ends_with(quote));
            if unclosed {
                let length = self.text[inner.clone()].find([',', '}', ']']).unwrap_or(inner.len());
                let word = self.text[inner.start..inner.start + length].trim_end();
                return (inner.start..inner.start + word.len(), inner.start + length);
            }
            return (inner, behind);
        }
        let length = rest.find([',', '}', ']']).unwrap_or(rest.len());
        let word = rest[..length].trim_end();
        (position..position + word.len(), position + length)
    }

    /// Returns where the line of an octet ends, before its line break.
    fn end_of_line(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let end = rest.find('\n').map_or(self.text.len(), |length| at + length);
        if self.text[..end].ends_with('\r') && end > at { end - 1 } else { end }
    }
}

#[cfg(test)]
mod tests;
