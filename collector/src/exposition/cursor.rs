//! Reads the tokens of one line.

use std::collections::BTreeMap;

use super::Problem;

/// What is left of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { rest: line }
    }

    /// Everything not yet read.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Skips spaces and tabs, and says whether there were any.
    pub(super) fn skip_blanks(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        self.rest.len() != before
    }

    /// Reads `expected` if it comes next.
    pub(super) fn eat(&mut self, expected: char) -> bool {
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
        let end = self.rest.find([' ', '\t']).unwrap_or(self.rest.len());
        self.split_at(end)
    }

    /// Reads a metric name: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    pub(super) fn metric_name(&mut self) -> Result<&'a str, Problem> {
        self.name("a metric name", |c| c == ':')
    }

    fn label_name(&mut self) -> Result<&'a str, Problem> {
        self.name("a label name", |_| false)
    }

    fn name(&mut self, expected: &'static str, also: fn(char) -> bool) -> Result<&'a str, Problem> {
        let is_start = |c: char| c.is_ascii_alphabetic() || c == '_' || also(c);
        if !self.rest.starts_with(is_start) {
            return Err(self.unexpected(expected));
        }
        let end = self.rest.find(|c: char| !(is_start(c) || c.is_ascii_digit())).unwrap_or(self.rest.len());
        Ok(self.split_at(end))
    }

    /// Reads `{name="value",…}` if it comes next; the comma after the last label is optional.
    pub(super) fn labels(&mut self) -> Result<BTreeMap<String, String>, Problem> {
        let mut labels = BTreeMap::new();
        if !self.eat('{') {
            return Ok(labels);
        }
        loop {
            self.skip_blanks();
            if self.eat('}') {
                return Ok(labels);
            }
            let name = self.label_name()?;
            self.skip_blanks();
            self.require('=', "'='")?;
            self.skip_blanks();
            self.require('"', "a label value in double quotes")?;
            let value = self.quoted()?;
            if labels.insert(name.to_owned(), value).is_some() {
                return Err(Problem::DuplicateLabel(name.to_owned()));
            }
            self.skip_blanks();
            if !self.eat(',') && !self.rest.starts_with('}') {
                return Err(self.unexpected("',' or '}'"));
            }
        }
    }

    /// Reads a label value up to its closing quote, escapes resolved.
    fn quoted(&mut self) -> Result<String, Problem> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.split_at(at + 1);
                    return Ok(value);
                }
                '\\' => match characters.next() {
                    Some((_, '\\')) => value.push('\\'),
                    Some((_, '"')) => value.push('"'),
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, other)) => return Err(unknown_escape(other)),
                    None => break,
                },
                _ => value.push(c),
            }
        }
        self.rest = "";
        Err(self.unexpected("the closing quote of a label value"))
    }

    /// Reads the text of `# HELP` to the end of the line, escapes resolved.
    pub(super) fn help(&mut self) -> Result<String, Problem> {
        let mut help = String::new();
        let mut characters = self.rest.chars();
        while let Some(c) = characters.next() {
            match c {
                '\\' => match characters.next() {
                    Some('\\') => help.push('\\'),
                    Some('n') => help.push('\n'),
                    Some(other) => return Err(unknown_escape(other)),
                    None => return Err(unknown_escape('\n')),
                },
                _ => help.push(c),
            }
        }
        self.rest = "";
        Ok(help)
    }

    fn require(&mut self, wanted: char, expected: &'static str) -> Result<(), Problem> {
        if self.eat(wanted) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// An error about what comes next.
    pub(super) fn unexpected(&self, expected: &'static str) -> Problem {
        let shown: String = self.rest.chars().take(20).collect();
        let found = if shown.is_empty() { "the end of the line".to_owned() } else { format!("{shown:?}") };
        Problem::Unexpected { expected, found }
    }

    fn split_at(&mut self, end: usize) -> &'a str {
        // `end` always is a position that `find` or `char_indices` gave, so the split never fails.
        let (head, tail) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = tail;
        head
    }
}

fn unknown_escape(found: char) -> Problem {
    Problem::Unexpected {
        expected: "an escape (\\\\, \\\" or \\n)",
        found: format!("{:?}", format!("\\{found}")),
    }
}
