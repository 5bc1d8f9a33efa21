//! Composes YAML events into values with places, within limits.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, ScanError, StructureStyle};
use weft_diagnostics::{Diagnostic, SourceSpan};

use super::{
    Document, Place,
    place::{Extent, Inner},
    scalar,
};
use crate::{SourceFile, codes, source::clamp};

/// Nested lists and mappings; an intent needs eight.
const MOST_DEPTH: usize = 64;
/// Values in a file: 20 MB of intents have about two million.
const MOST_VALUES: usize = 4_000_000;
/// Values that aliases may repeat in a file.
const MOST_REPEATED: usize = 50_000;
/// Octets of a file.
const MOST_OCTETS: usize = 64 << 20;

/// Returns the documents of a file that are well formed, and what is wrong with the others.
pub(super) fn documents(file: &SourceFile) -> (Vec<(Document, Value)>, Vec<Diagnostic>) {
    if file.text.len() > MOST_OCTETS {
        let message = format!("the file has {} octets; {MOST_OCTETS} are the most", file.text.len());
        let finding = Diagnostic::error(codes::TOO_LARGE, message).at(SourceSpan::point(file.path.clone(), 1, 1));
        return (Vec::new(), vec![finding.help("split it into several files")]);
    }
    // YAML would take it for the end of a line, and an editor or a diff does not: nobody would agree where anything stands.
    let lone = file.text.match_indices('\r').find(|(at, _)| file.text.as_bytes().get(at + 1) != Some(&b'\n'));
    if let Some((at, _)) = lone {
        let before = &file.text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
        let span = SourceSpan::on_line(file.path.clone(), clamp(line), clamp(column), 1);
        let finding = Diagnostic::error(codes::CONTROL_CHARACTER, "a carriage return stands within a line").at(span);
        return (Vec::new(), vec![finding.help("end lines with a line feed, alone or after a carriage return")]);
    }
    let options = granit_parser::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        disallow_directives: true,
        strict_indentation: true,
        // One more than ours, so that ours is reported.
        flow_nesting_limit: MOST_DEPTH + 2,
        block_nesting_limit: MOST_DEPTH + 2,
    };
    let mut composer = Composer {
        parser: Parser::new_from_str_with_options(&file.text, options),
        file,
        anchors: BTreeMap::new(),
        aliases: Vec::new(),
        values: 0,
        repeated: 0,
        findings: Vec::new(),
    };
    let documents = composer.stream();
    (documents, composer.findings)
}

/// The rest of the document cannot be read; the reason was reported.
struct Abandoned;

type Composed = Result<(Value, Place), Abandoned>;

struct Composer<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    file: &'a SourceFile,
    /// What aliases stand for, by the parser's number of the anchor, with the count of values in it and where it is.
    anchors: BTreeMap<usize, (Value, usize, Extent)>,
    /// Where the aliases of the document are, and what each stands for.
    aliases: Vec<(Extent, Extent)>,
    values: usize,
    repeated: usize,
    findings: Vec<Diagnostic>,
}

impl<'a> Composer<'a> {
    fn stream(&mut self) -> Vec<(Document, Value)> {
        let mut documents = Vec::new();
        loop {
            let composed = match self.next() {
                Ok(None | Some((Event::StreamEnd, _))) => break,
                Ok(Some((Event::DocumentStart(..), _))) => {
                    self.anchors.clear();
                    self.aliases.clear();
                    let before = self.findings.len();
                    self.root().map(|root| (root, before))
                }
                Ok(Some(_)) => continue,
                Err(Abandoned) => Err(Abandoned),
            };
            match composed {
                Ok((Some((value, root)), before)) => {
                    // A document with a duplicate key or an odd character is not whole: what it says is not known.
                    if self.findings.len() == before {
                        let start = root.first().span(&self.file.path);
                        let aliases = std::mem::take(&mut self.aliases);
                        documents.push((Document { file: self.file.path.clone(), start, root, aliases }, value));
                    }
                }
                Ok((None, _)) => {}
                Err(Abandoned) => match self.parser.proceed_next_document() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        self.syntax(&error);
                        break;
                    }
                },
            }
        }
        documents
    }

    /// Returns the next event, and `None` at the end.
    fn next(&mut self) -> Result<Option<(Event<'a>, granit_parser::Span)>, Abandoned> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(error)) => {
                self.syntax(&error);
                Err(Abandoned)
            }
        }
    }

    /// Returns the root of a document, and `None` when the document is empty.
    fn root(&mut self) -> Result<Option<(Value, Place)>, Abandoned> {
        let Some((event, span)) = self.next()? else { return Err(Abandoned) };
        if matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if scalar::plain(text).is_null()) {
            return Ok(None);
        }
        self.node(event, span, 0).map(Some)
    }

    fn node(&mut self, event: Event<'a>, span: granit_parser::Span, depth: usize) -> Composed {
        let extent = extent(&span);
        self.values += 1;
        if self.values > MOST_VALUES {
            let message = format!("the file has more than {MOST_VALUES} values");
            return self.abandon(codes::TOO_LARGE, message, extent, "split it into several files");
        }
        if depth > MOST_DEPTH {
            let message = format!("lists and mappings are nested more than {MOST_DEPTH} deep");
            return self.abandon(codes::TOO_DEEP, message, extent, "no kind of document is that deep");
        }
        if event.tag().is_some() {
            let at = span.tag_start.map_or(extent, |start| mark(&start));
            // Not repeated: without quotes, a secret that begins with `!` is a tag.
            let finding = Diagnostic::error(codes::YAML_TAG, "a tag, `!...`, has no meaning here");
            self.report(finding.help("remove it, or quote a text that begins with `!`"), at);
        }
        let anchor = event.anchor_id();
        let before = self.values;
        let (value, place) = match event {
            Event::Scalar(text, style, _, _) => {
                self.characters(&text, extent, "value");
                let value = match style {
                    ScalarStyle::Plain => scalar::plain(&text),
                    ScalarStyle::SingleQuoted
                    | ScalarStyle::DoubleQuoted
                    | ScalarStyle::Literal
                    | ScalarStyle::Folded => Value::String(text.into_owned()),
                };
                (value, Place { extent, ..Place::default() })
            }
            Event::SequenceStart(style, _, _) => self.sequence(style, extent, depth)?,
            Event::MappingStart(style, _, _) => self.mapping(style, extent, depth)?,
            Event::Alias(id) => self.alias(id, extent)?,
            Event::UnresolvedAlias(_) => {
                self.report(
                    Diagnostic::error(codes::BAD_ALIAS, "there is no anchor `&...` of this name before the alias")
                        .help("quote text that begins with `*`"),
                    extent,
                );
                (Value::Null, Place { extent, ..Place::default() })
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(Abandoned),
            #[allow(unreachable_patterns, reason = "comments are an event only when a feature of the parser is on")]
            _ => return Err(Abandoned),
        };
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, (value.clone(), 1 + self.values - before, place.whole()));
        }
        Ok((value, place))
    }

    fn sequence(&mut self, style: StructureStyle, mut extent: Extent, depth: usize) -> Composed {
        let (mut values, mut places) = (Vec::new(), Vec::new());
        loop {
            match self.next()? {
                None => return Err(Abandoned),
                Some((Event::SequenceEnd, span)) => {
                    close(&mut extent, style, &span);
                    return Ok((Value::Array(values), Place { extent, key: None, inner: Inner::Items(places) }));
                }
                Some((event, span)) => {
                    let (value, place) = self.node(event, span, depth + 1)?;
                    values.push(value);
                    places.push(place);
                }
            }
        }
    }

    fn mapping(&mut self, style: StructureStyle, mut extent: Extent, depth: usize) -> Composed {
        let mut values = Map::new();
        let mut places: Vec<(Box<str>, Place)> = Vec::new();
        loop {
            let (event, span) = match self.next()? {
                None => return Err(Abandoned),
                Some((Event::MappingEnd, span)) => {
                    match (
                        style,
                        places.iter().filter_map(|(_, place)| place.key).min_by_key(|key| (key.line, key.column)),
                    ) {
                        (StructureStyle::Block, Some(first)) => extent = first,
                        _ => close(&mut extent, style, &span),
                    }
                    places.sort_by(|(a, _), (b, _)| a.cmp(b));
                    return Ok((Value::Object(values), Place { extent, key: None, inner: Inner::Values(places) }));
                }
                Some(event) => event,
            };
            let key_extent = self::extent(&span);
            let key = match event {
                Event::Scalar(text, _, _, None) => {
                    self.characters(&text, key_extent, "key");
                    Some(text)
                }
                event => {
                    let finding = Diagnostic::error(codes::KEY_NOT_TEXT, "a key must be plain text");
                    self.report(finding.help("quote the key, or write `key: value`"), key_extent);
                    self.node(event, span, depth + 1)?;
                    None
                }
            };
            let Some((event, span)) = self.next()? else { return Err(Abandoned) };
            let (value, mut place) = self.node(event, span, depth + 1)?;
            let Some(key) = key else { continue };
            place.key = Some(key_extent);
            if place.extent == Extent::default() || (value.is_null() && place.extent.line != key_extent.line) {
                place.extent = key_extent;
            }
            if values.contains_key(&*key) {
                let first = places.iter().find(|(name, _)| **name == *key).and_then(|(_, place)| place.key);
                let mut finding =
                    Diagnostic::error(codes::DUPLICATE_KEY, format!("the key `{}` is given twice", key.escape_debug()))
                        .help("keep one of them");
                if let Some(first) = first {
                    finding = finding.label(first.span(&self.file.path), "first given here");
                }
                self.report(finding, key_extent);
                continue;
            }
            values.insert(key.clone().into_owned(), value);
            places.push((key.into(), place));
        }
    }

    fn alias(&mut self, id: usize, extent: Extent) -> Composed {
        let Some((value, count, whole)) = self.anchors.get(&id) else {
            let message = "this alias stands inside the value it stands for";
            return self.abandon(codes::BAD_ALIAS, message, extent, "write the value out");
        };
        self.repeated += count;
        if self.repeated > MOST_REPEATED {
            let message = format!("aliases repeat more than {MOST_REPEATED} values");
            return self.abandon(codes::TOO_LARGE, message, extent, "write the values out, or use fewer aliases");
        }
        self.values += count;
        self.aliases.push((extent, *whole));
        Ok((value.clone(), Place { extent, ..Place::default() }))
    }

    /// Reports the first character of a scalar that no text has, or that hides what the text says.
    fn characters(&mut self, text: &str, extent: Extent, what: &str) {
        let odd = |c: char| {
            (c.is_control() && !matches!(c, '\n' | '\t'))
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        };
        if text.is_ascii() && !text.bytes().any(|c| c.is_ascii_control()) {
            return;
        }
        if let Some(found) = text.chars().find(|&c| odd(c)) {
            let message = format!("the {what} holds the control character U+{:04X}", u32::from(found));
            self.report(Diagnostic::error(codes::CONTROL_CHARACTER, message).help("remove the character"), extent);
        }
    }

    fn report(&mut self, finding: Diagnostic, extent: Extent) {
        self.findings.push(finding.at(extent.span(&self.file.path)));
    }

    fn abandon(
        &mut self,
        code: weft_diagnostics::Code,
        message: impl Into<String>,
        extent: Extent,
        help: &str,
    ) -> Composed {
        self.report(Diagnostic::error(code, message).help(help), extent);
        Err(Abandoned)
    }

    fn syntax(&mut self, error: &ScanError) {
        use granit_parser::ErrorKind;
        let at = mark(error.marker());
        let finding = match error.kind() {
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar => {
                let (line, column) = self.character_near(error.marker(), '\t');
                let span = SourceSpan::on_line(self.file.path.clone(), line, column, 1);
                let finding = Diagnostic::error(codes::TAB, "there is a tab where only spaces can be");
                self.findings.push(finding.at(span).help("YAML is indented by spaces only"));
                return;
            }
            ErrorKind::UnexpectedCharacter { character } if character.is_control() => {
                let (line, column) = self.character_near(error.marker(), *character);
                let span = SourceSpan::on_line(self.file.path.clone(), line, column, 1);
                let message = format!("the text holds the control character U+{:04X}", u32::from(*character));
                let finding = Diagnostic::error(codes::CONTROL_CHARACTER, message).at(span);
                self.findings.push(finding.help("remove the character"));
                return;
            }
            ErrorKind::RecursionLimitExceeded => {
                Diagnostic::error(codes::TOO_DEEP, format!("lists and mappings are nested more than {MOST_DEPTH} deep"))
                    .help("no kind of document is that deep")
            }
            ErrorKind::DirectiveDisallowed => {
                Diagnostic::error(codes::YAML_SYNTAX, "YAML directives are not used here")
                    .help("remove the line that begins with `%`")
            }
            _ => Diagnostic::error(codes::YAML_SYNTAX, format!("this is not YAML: {}", error.info()))
                .help("look at the indentation, the quotes and the brackets here and above"),
        };
        self.report(finding, at);
    }

    /// Returns the line and column of the character that stopped the reader: the last one before the place where it was on
    /// that line, or else the first one behind it, and that place when there is none near.
    fn character_near(&self, marker: &granit_parser::Marker, character: char) -> (u32, u32) {
        let at = mark(marker);
        let Some((before, behind)) = marker.byte_offset().and_then(|offset| self.file.text.split_at_checked(offset))
        else {
            return (at.line, at.column);
        };
        let start = before.rsplit('\n').next().unwrap_or_default();
        if let Some(found) = start.rfind(character) {
            return (at.line, clamp(start[..found].chars().count()) + 1);
        }
        for (number, line) in behind.lines().take(LINES_BEHIND).enumerate() {
            if let Some(found) = line.find(character) {
                let before = clamp(line[..found].chars().count());
                let column = if number == 0 { at.column + before } else { before + 1 };
                return (at.line + clamp(number), column);
            }
        }
        (at.line, at.column)
    }
}

/// Lines behind a finding about a character in which it is looked for.
const LINES_BEHIND: usize = 20;

impl Place {
    /// Returns the place of the first key, or of the value itself when it is no mapping.
    fn first(&self) -> Extent {
        let keys = match &self.inner {
            Inner::Values(values) => values.as_slice(),
            Inner::Nothing | Inner::Items(_) => &[],
        };
        keys.iter().filter_map(|(_, place)| place.key).min_by_key(|key| (key.line, key.column)).unwrap_or(self.extent)
    }
}

fn mark(marker: &granit_parser::Marker) -> Extent {
    let (line, column) = (clamp(marker.line()).max(1), clamp(marker.col()) + 1);
    Extent { line, column, end_line: line, end_column: column }
}

fn extent(span: &granit_parser::Span) -> Extent {
    let (start, end) = (mark(&span.start), mark(&span.end));
    Extent { end_line: end.line, end_column: end.column, ..start }
}

/// Ends a list or mapping in brackets at its closing bracket; the others are only known by their start.
fn close(extent: &mut Extent, style: StructureStyle, end: &granit_parser::Span) {
    if style == StructureStyle::Flow {
        let end = mark(&end.end);
        (extent.end_line, extent.end_column) = (end.line, end.column);
    }
}
