//! Reads the tokens of one line.

use super::error::Problem;
use super::{Escaped, Label, MAX_LABELS};

/// What is left of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    line: &'a str,
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(line: &'a str) -> Self {
        Self { line, rest: line }
    }

    /// Everything not yet read.
    pub(super) const fn rest(&self) -> &'a str {
        self.rest
    }

    /// Everything read since a cursor of the same line.
    pub(super) fn since(&self, earlier: &Self) -> &'a str {
        earlier.rest.get(..earlier.rest.len() - self.rest.len()).unwrap_or_default()
    }

    /// Where the rest begins, in characters from 1.
    pub(super) fn column(&self) -> usize {
        let read = self.line.len() - self.rest.len();
        1 + self.line.get(..read).unwrap_or_default().chars().count()
    }

    /// Skips spaces and tabs, and says whether there were any.
    pub(super) fn skip_blanks(&mut self) -> bool {
        let bytes = self.rest.as_bytes();
        let Some(b' ' | b'\t') = bytes.first() else { return false };
        let end = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(bytes.len());
        self.split_at(end);
        true
    }

    /// Reads the ASCII character `expected` if it comes next.
    pub(super) fn eat(&mut self, expected: u8) -> bool {
        let is_next = self.rest.as_bytes().first() == Some(&expected);
        if is_next {
            self.split_at(1);
        }
        is_next
    }

    /// Reads `expected` if it comes next.
    pub(super) fn eat_text(&mut self, expected: &str) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Reads everything up to the next blank.
    pub(super) fn word(&mut self) -> &'a str {
        let bytes = self.rest.as_bytes();
        let end = bytes.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(bytes.len());
        self.split_at(end)
    }

    /// Reads a metric name: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    pub(super) fn metric_name(&mut self) -> Result<&'a str, Problem> {
        self.name("a metric name", |byte| byte == b':')
    }

    fn label_name(&mut self) -> Result<&'a str, Problem> {
        self.name("a label name", |_| false)
    }

    #[inline]
    fn name(&mut self, expected: &'static str, also: impl Fn(u8) -> bool) -> Result<&'a str, Problem> {
        let bytes = self.rest.as_bytes();
        let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || also(byte);
        if !bytes.first().copied().is_some_and(is_start) {
            return Err(self.unexpected(expected));
        }
        let is_part = |byte: u8| is_start(byte) || byte.is_ascii_digit();
        let end = bytes.iter().position(|byte| !is_part(*byte)).unwrap_or(bytes.len());
        Ok(self.split_at(end))
    }

    /// Reads `{name="value",…}` if it comes next. Blanks between the tokens and a comma after the last label belong to
    /// the text format; OpenMetrics is `strict` about both.
    pub(super) fn labels(&mut self, labels: &mut Vec<Label<'a>>, strict: bool) -> Result<(), Problem> {
        labels.clear();
        if !self.eat(b'{') {
            return Ok(());
        }
        loop {
            self.blanks(strict);
            if (labels.is_empty() || !strict) && self.eat(b'}') {
                return Ok(());
            }
            let before = *self;
            let name = self.label_name()?;
            self.blanks(strict);
            self.require(b'=', "'='")?;
            self.blanks(strict);
            self.require(b'"', "a label value in double quotes")?;
            let value = self.quoted(strict)?;
            if labels.iter().any(|label| label.name == name) {
                *self = before;
                return Err(Problem::DuplicateLabel(name.to_owned()));
            }
            if labels.len() == MAX_LABELS {
                return Err(Problem::TooManyLabels);
            }
            labels.push(Label { name, value });
            self.blanks(strict);
            if !self.eat(b',') {
                self.require(b'}', "',' or '}'")?;
                return Ok(());
            }
        }
    }

    fn blanks(&mut self, strict: bool) {
        if !strict {
            self.skip_blanks();
        }
    }

    /// Reads a label value up to its closing quote. In OpenMetrics a backslash before anything else is one, too.
    fn quoted(&mut self, is_open_metrics: bool) -> Result<Escaped<'a>, Problem> {
        let mut has_escapes = false;
        let mut at = 0;
        loop {
            let bytes = self.rest.as_bytes().get(at..).unwrap_or_default();
            match memchr::memchr2(b'"', b'\\', bytes)
                .map(|found| (found, bytes.get(found), bytes.get(found + 1)))
            {
                Some((found, Some(b'"'), _)) => {
                    let raw = self.split_at(at + found);
                    self.eat(b'"');
                    return Ok(Escaped { raw, has_escapes });
                }
                Some((found, _, Some(b'\\' | b'"' | b'n'))) => {
                    has_escapes = true;
                    at += found + 2;
                }
                Some((found, _, Some(_))) if is_open_metrics => {
                    has_escapes = true;
                    at += found + 2;
                }
                Some((found, _, Some(_))) => {
                    self.split_at(at + found);
                    return Err(self.unexpected(ESCAPE));
                }
                Some((_, _, None)) | None => {
                    self.rest = "";
                    return Err(self.unexpected("the closing quote of a label value"));
                }
            }
        }
    }

    /// Reads the text of `# HELP` to the end of the line; in OpenMetrics escapes are those of label values.
    pub(super) fn help(&mut self, is_open_metrics: bool) -> Result<Escaped<'a>, Problem> {
        let mut has_escapes = false;
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'\\', self.rest.as_bytes().get(at..).unwrap_or_default()) {
            let next = self.rest.as_bytes().get(at + found + 1);
            let is_known = matches!(next, Some(b'\\' | b'n')) || (is_open_metrics && next.is_some());
            if !is_known {
                self.split_at(at + found);
                return Err(self.unexpected(ESCAPE));
            }
            has_escapes = true;
            at += found + 2;
        }
        Ok(Escaped { raw: std::mem::take(&mut self.rest), has_escapes })
    }

    fn require(&mut self, wanted: u8, expected: &'static str) -> Result<(), Problem> {
        if self.eat(wanted) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// An error about what comes next.
    pub(super) fn unexpected(&self, expected: &'static str) -> Problem {
        let shown: String = self.rest.chars().take(20).collect();
        let found = if shown.is_empty() { "the end of the line".to_owned() } else { format!("{shown:?}") };
        Problem::Unexpected { expected, found }
    }

    fn split_at(&mut self, end: usize) -> &'a str {
        // `end` is behind an ASCII character or before one, so the split never fails.
        let (head, tail) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = tail;
        head
    }
}

const ESCAPE: &str = "an escape (\\\\, \\\" or \\n)";
