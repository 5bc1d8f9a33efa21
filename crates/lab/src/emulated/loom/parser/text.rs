//! A configuration as the statements that it was loaded with, and changes to it line by line.

use std::{collections::HashMap, fmt};

use super::{Context, Line};

/// A statement and those of the section that it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// Its line in the text that was loaded, from 1; 0 when it was entered by hand.
    pub(crate) number: usize,
    /// What it says.
    pub(crate) line: Line,
    /// How it was written, without indentation.
    written: String,
    /// The statements of the section.
    pub(crate) sections: Vec<Section>,
}

/// A configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Text {
    /// The statements of the highest level.
    pub(crate) sections: Vec<Section>,
}

/// What is wrong with a line or with the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The line, from 1; 0 when it is none in particular, or was entered by hand.
    pub(crate) number: usize,
    /// What is wrong.
    pub(crate) what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => f.write_str(&self.what),
            number => write!(f, "line {number}: {}", self.what),
        }
    }
}

impl Text {
    /// Reads a whole configuration. `refused` tells whether the device refuses a line although it is a statement.
    ///
    /// # Errors
    /// Returns everything that is wrong with its lines, in order.
    pub(crate) fn load<'a>(
        lines: impl IntoIterator<Item = &'a str>,
        refused: impl Fn(&str) -> bool,
    ) -> Result<Self, Vec<Mistake>> {
        let mut text = Self::default();
        let mut mistakes = Vec::new();
        // The context in which lines of each depth stand, and the depth below which lines are skipped after a mistake: the
        // lines of a section whose head is wrong say nothing by themselves.
        let mut contexts = vec![Context::Top];
        let mut skipped_from: Option<usize> = None;
        for (index, raw) in lines.into_iter().enumerate() {
            let number = index + 1;
            let written = raw.trim_end();
            let statement = written.trim_start_matches(' ');
            if statement.is_empty() || statement.starts_with('!') {
                continue;
            }
            let indentation = written.len() - statement.len();
            let depth = indentation / 2;
            if skipped_from.is_some_and(|from| depth >= from) {
                continue;
            }
            skipped_from = None;
            let result = if statement.contains(char::is_control) {
                Err("it has control characters".to_owned())
            } else if indentation % 2 != 0 || depth >= contexts.len() {
                Err("its indentation fits no section above".to_owned())
            } else if refused(statement) {
                Err("refused by the device".to_owned())
            } else {
                Line::parse(contexts[depth], statement)
            };
            match result {
                Ok(line) => {
                    contexts.truncate(depth + 1);
                    contexts.extend(line.opens());
                    let section = Section { number, line, written: statement.to_owned(), sections: Vec::new() };
                    text.last_at(depth).push(section);
                }
                Err(what) => {
                    mistakes.push(Mistake { number, what });
                    skipped_from = Some(depth + 1);
                }
            }
        }
        if mistakes.is_empty() {
            text.put_in_order();
            Ok(text)
        } else {
            Err(mistakes)
        }
    }

    /// Enters a statement by hand at `path`, the subjects of the sections from the highest level on, or, where it is no
    /// statement of that section, at the nearest one above. Returns the path at which the next one stands.
    ///
    /// # Errors
    /// Returns what is wrong with it in the section of `path`.
    pub(crate) fn enter(&mut self, path: &[String], written: &str) -> Result<Vec<String>, String> {
        let mut first_error = None;
        for depth in (0..=path.len()).rev() {
            let path = &path[..depth];
            let Some((context, sections)) = self.section(path) else { continue };
            match Line::parse(context, written) {
                Ok(line) => {
                    let subject = line.subject();
                    let opens = line.opens().is_some();
                    let mut section = Section { number: 0, line, written: written.to_owned(), sections: Vec::new() };
                    match sections.iter_mut().find(|section| section.line.subject() == subject) {
                        Some(known) => {
                            section.sections = std::mem::take(&mut known.sections);
                            *known = section;
                        }
                        None => sections.push(section),
                    }
                    self.put_in_order();
                    let mut next = path.to_vec();
                    next.extend(opens.then_some(subject));
                    return Ok(next);
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.unwrap_or_else(|| "the section is gone".to_owned()))
    }

    /// Takes the statements that begin with these words out of the section at `path`, or out of the nearest one above
    /// that has such.
    ///
    /// # Errors
    /// Returns that there is none.
    pub(crate) fn remove(&mut self, path: &[String], words: &str) -> Result<(), String> {
        let begins = |section: &Section| {
            section.written == words || section.written.strip_prefix(words).is_some_and(|rest| rest.starts_with(' '))
        };
        for depth in (0..=path.len()).rev() {
            let Some((_, sections)) = self.section(&path[..depth]) else { continue };
            let before = sections.len();
            sections.retain(|section| !begins(section));
            if sections.len() < before {
                return Ok(());
            }
        }
        Err("there is no such statement".to_owned())
    }

    /// Returns the statements that are there more than once.
    pub(crate) fn duplicates(&self) -> Vec<Mistake> {
        fn search(sections: &[Section], mistakes: &mut Vec<Mistake>) {
            let mut known = HashMap::new();
            for section in sections {
                let subject = section.line.subject();
                if let Some(first) = known.get(&subject) {
                    let what = format!("`{subject}` is there twice, first in line {first}");
                    mistakes.push(Mistake { number: section.number, what });
                } else {
                    known.insert(subject, section.number);
                }
                search(&section.sections, mistakes);
            }
        }
        let mut mistakes = Vec::new();
        search(&self.sections, &mut mistakes);
        mistakes
    }

    /// Returns the context and the statements of a section.
    fn section(&mut self, path: &[String]) -> Option<(Context, &mut Vec<Section>)> {
        let mut context = Context::Top;
        let mut sections = &mut self.sections;
        for subject in path {
            let section = sections.iter_mut().find(|section| section.line.subject() == *subject)?;
            context = section.line.opens()?;
            sections = &mut section.sections;
        }
        Some((context, sections))
    }

    /// Returns the statements of the section that was last opened at a depth.
    fn last_at(&mut self, depth: usize) -> &mut Vec<Section> {
        fn descend(sections: &mut Vec<Section>, depth: usize) -> &mut Vec<Section> {
            if depth == 0 || sections.is_empty() {
                return sections;
            }
            let last = sections.len() - 1;
            descend(&mut sections[last].sections, depth - 1)
        }
        descend(&mut self.sections, depth)
    }

    fn put_in_order(&mut self) {
        fn sort(sections: &mut [Section]) {
            sections.sort_by_key(|section| section.line.place());
            sections.iter_mut().for_each(|section| sort(&mut section.sections));
        }
        sort(&mut self.sections);
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn write(f: &mut fmt::Formatter<'_>, sections: &[Section], depth: usize) -> fmt::Result {
            for section in sections {
                writeln!(f, "{:indentation$}{}", "", section.written, indentation = 2 * depth)?;
                write(f, &section.sections, depth + 1)?;
            }
            Ok(())
        }
        write(f, &self.sections, 0)
    }
}
