//! Places in a text: octets, lines and characters as findings count them, and UTF-16 units as editors count them.

use lsp_types::{Position, Range};
use weft_diagnostics::SourceSpan;

/// Where the lines of a text begin.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// Returns the content of a line, from 0, without its end.
    pub(crate) fn line<'t>(&self, text: &'t str, line: usize) -> &'t str {
        let Some(&start) = self.0.get(line) else { return "" };
        let end = self.0.get(line + 1).map_or(text.len(), |next| next - 1);
        text[start..end].trim_end_matches('\r')
    }

    /// Returns the octet at a position of an editor, the nearest one where there is none.
    pub(crate) fn offset(&self, text: &str, position: Position) -> usize {
        let Some(&start) = self.0.get(position.line as usize) else { return text.len() };
        let mut units = 0;
        for (at, character) in self.line(text, position.line as usize).char_indices() {
            if units >= position.character {
                return start + at;
            }
            units += u32::try_from(character.len_utf16()).unwrap_or(1);
        }
        start + self.line(text, position.line as usize).len()
    }

    /// Returns the line of an octet, from 0.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        self.0.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    /// Returns the position of an octet as an editor counts it.
    pub(crate) fn position(&self, text: &str, offset: usize) -> Position {
        let line = self.line_of(offset);
        let start = self.0[line];
        let before = text.get(start..offset.min(text.len())).unwrap_or_default();
        Position::new(count(line), count(before.encode_utf16().count()))
    }

    /// Returns the range of octets as an editor counts it.
    pub(crate) fn range(&self, text: &str, range: &std::ops::Range<usize>) -> Range {
        Range::new(self.position(text, range.start), self.position(text, range.end))
    }

    /// Returns the place of a finding as an editor counts it. A place without an end gets that of its word.
    pub(crate) fn span(&self, text: &str, span: &SourceSpan) -> Range {
        let at = |line: u32, column: u32| {
            let line = line.saturating_sub(1);
            let content = self.line(text, line as usize);
            let units = content.chars().take(column.saturating_sub(1) as usize).map(char::len_utf16).sum();
            Position::new(line, count(units))
        };
        let start = at(span.line, span.column);
        let mut end = at(span.end_line, span.end_column);
        if end <= start {
            let content = self.line(text, start.line as usize);
            let word = content.chars().skip(span.column.saturating_sub(1) as usize);
            let word: usize = word.take_while(|c| !c.is_whitespace()).map(char::len_utf16).sum();
            end = Position::new(start.line, start.character + count(word));
        }
        Range::new(start, end)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_units_of_utf16() {
        let text = "a: \"ü🦀\" x\r\nb: ☃ y\n";
        let lines = Lines::of(text);
        let x = text.find('x').unwrap();
        // The crab is one character, four octets and two units.
        assert_eq!(lines.position(text, x), Position::new(0, 9));
        assert_eq!(lines.offset(text, Position::new(0, 9)), x);
        assert_eq!(lines.span(text, &SourceSpan::on_line("f", 1, 9, 1)), lines.range(text, &(x..x + 1)));
        assert_eq!(lines.span(text, &SourceSpan::point("f", 2, 4)).end, Position::new(1, 4));
        assert_eq!(lines.offset(text, Position::new(0, 99)), text.find('\r').unwrap());
        assert_eq!(lines.offset(text, Position::new(9, 0)), text.len());
        assert_eq!(lines.position(text, text.len()), Position::new(2, 0));
    }
}
