//! Lines into families and samples.

use super::cursor::Cursor;
use super::error::{Problem, shortened};
use super::names::{Names, suffixes};
use super::number::number;
use super::rules::Rules;
use super::seen::Seen;
use super::value;
use super::{ExpositionError, Format, Head, Kind, Label, Line, MAX_BYTES, MAX_LINE_BYTES, MAX_SERIES, Sink};

/// Reads a whole exposition and tells `sink` what is in it.
///
/// What `sink` heard is of use only if this succeeds: the error may come with the last line.
///
/// # Errors
///
/// At the first line that breaks the format or a limit of this module.
pub fn read<'a>(text: &'a str, format: Format, sink: &mut impl Sink<'a>) -> Result<(), ExpositionError> {
    if text.len() > MAX_BYTES {
        return Err(ExpositionError { line: 1, column: 1, problem: Problem::TooLong });
    }
    let mut reader = Reader::new(text, format, sink);
    let mut rest = text;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let end = memchr::memchr(b'\n', rest.as_bytes());
        let (line, next) = match end {
            Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end + 1..).unwrap_or_default()),
            None => (rest, ""),
        };
        let mut cursor = Cursor::new(line);
        reader.at = text.len() - rest.len();
        reader.line(&mut cursor, line, end.is_some()).map_err(|problem| ExpositionError {
            line: number,
            column: cursor.column(),
            problem,
        })?;
        rest = next;
    }
    reader.end().map_err(|problem| ExpositionError { line: number.max(1), column: 1, problem })
}

struct Reader<'a, 's, S> {
    text: &'a str,
    is_open_metrics: bool,
    sink: &'s mut S,
    /// Names of all families so far, the open one included.
    names: Names<'a>,
    /// The family that the next lines may belong to.
    open: Option<Open<'a>>,
    seen: Seen,
    rules: Rules<'a>,
    series: usize,
    labels: Vec<Label<'a>>,
    exemplar_labels: Vec<Label<'a>>,
    /// Where the line begins in the text.
    at: usize,
    has_ended: bool,
}

struct Open<'a> {
    head: Head<'a>,
    is_typed: bool,
    /// Whether the sink knows of it.
    is_told: bool,
}

impl<'a, 's, S: Sink<'a>> Reader<'a, 's, S> {
    fn new(text: &'a str, format: Format, sink: &'s mut S) -> Self {
        Self {
            text,
            is_open_metrics: format == Format::OpenMetrics,
            sink,
            names: Names::default(),
            open: None,
            seen: Seen::new(format == Format::OpenMetrics),
            rules: Rules::default(),
            series: 0,
            labels: Vec::new(),
            exemplar_labels: Vec::new(),
            at: 0,
            has_ended: false,
        }
    }

    fn line(&mut self, cursor: &mut Cursor<'a>, line: &'a str, ends: bool) -> Result<(), Problem> {
        if line.len() >= MAX_LINE_BYTES {
            return Err(Problem::LineTooLong);
        }
        if self.has_ended {
            return Err(Problem::AfterEnd);
        }
        if self.is_open_metrics {
            return self.open_metrics_line(cursor, line, ends);
        }
        if !ends {
            return Err(Problem::CutOff);
        }
        cursor.skip_blanks();
        if cursor.rest().is_empty() {
            return Ok(());
        }
        if cursor.eat(b'#') { self.comment(cursor) } else { self.sample(cursor) }
    }

    fn open_metrics_line(
        &mut self,
        cursor: &mut Cursor<'a>,
        line: &'a str,
        ends: bool,
    ) -> Result<(), Problem> {
        if line == "# EOF" {
            self.has_ended = true;
            return Ok(());
        }
        if !ends {
            return Err(Problem::NoEnd);
        }
        if !cursor.eat(b'#') {
            return self.sample(cursor);
        }
        let what = ["HELP", "TYPE", "UNIT"].into_iter().find(|what| {
            let rest = cursor.rest().strip_prefix(' ').and_then(|rest| rest.strip_prefix(what));
            rest.is_some_and(|rest| rest.starts_with(' '))
        });
        let Some(what) = what else { return Err(cursor.unexpected("HELP, TYPE, UNIT or EOF after '# '")) };
        cursor.eat(b' ');
        cursor.eat_text(what);
        cursor.eat(b' ');
        let name = cursor.metric_name()?;
        let may_end = what == "HELP" && cursor.rest().is_empty();
        if !may_end && !cursor.eat(b' ') {
            return Err(cursor.unexpected("a space"));
        }
        match what {
            "HELP" => self.help(cursor, name),
            "TYPE" => self.kind(cursor, name),
            _ => self.unit(cursor, name),
        }
    }

    fn comment(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Problem> {
        cursor.skip_blanks();
        match cursor.word() {
            "HELP" => {
                cursor.skip_blanks();
                let name = cursor.metric_name()?;
                if !cursor.skip_blanks() && !cursor.rest().is_empty() {
                    return Err(cursor.unexpected("a blank"));
                }
                self.help(cursor, name)
            }
            "TYPE" => {
                cursor.skip_blanks();
                let name = cursor.metric_name()?;
                if !cursor.skip_blanks() {
                    return Err(cursor.unexpected("a blank and a type"));
                }
                self.kind(cursor, name)
            }
            // Anything else after `#` is a remark for people.
            _ => Ok(()),
        }
    }

    fn help(&mut self, cursor: &mut Cursor<'a>, name: &'a str) -> Result<(), Problem> {
        let help = cursor.help(self.is_open_metrics)?;
        let head = &mut self.header("HELP", name)?.head;
        if head.help.replace(help).is_some() {
            return Err(Problem::DuplicateHeader { what: "HELP", family: name.to_owned() });
        }
        Ok(())
    }

    fn kind(&mut self, cursor: &mut Cursor<'a>, name: &'a str) -> Result<(), Problem> {
        let word = cursor.rest();
        let kind = if self.is_open_metrics {
            Kind::of_open_metrics(word)?
        } else {
            Kind::of_text(word.trim_end_matches([' ', '\t']))?
        };
        let open = self.header("TYPE", name)?;
        if std::mem::replace(&mut open.is_typed, true) {
            return Err(Problem::DuplicateHeader { what: "TYPE", family: name.to_owned() });
        }
        open.head.kind = kind;
        Ok(())
    }

    fn unit(&mut self, cursor: &mut Cursor<'a>, name: &'a str) -> Result<(), Problem> {
        let unit = cursor.rest();
        let head = &mut self.header("UNIT", name)?.head;
        if head.unit.replace(unit).is_some() {
            return Err(Problem::DuplicateHeader { what: "UNIT", family: name.to_owned() });
        }
        Ok(())
    }

    /// The family that a header line is about; opens it if it is new.
    fn header(&mut self, what: &'static str, name: &'a str) -> Result<&mut Open<'a>, Problem> {
        let current = self.open.as_ref().filter(|open| open.head.name == name);
        if current.is_some_and(|open| open.is_told) {
            return Err(Problem::LateHeader { what, family: name.to_owned() });
        }
        let is_current = current.is_some();
        self.family(name, is_current)
    }

    fn sample(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Problem> {
        let begin = *cursor;
        let name = cursor.metric_name()?;
        let strict = self.is_open_metrics;
        if !strict {
            cursor.skip_blanks();
        }
        let mut labels = std::mem::take(&mut self.labels);
        cursor.labels(&mut labels, strict)?;
        let series = cursor.since(&begin);
        let (value, timestamp, exemplar) = if strict {
            value::open_metrics(cursor, std::mem::take(&mut self.exemplar_labels))?
        } else {
            value::text(cursor)?
        };

        if self.series == MAX_SERIES {
            return Err(Problem::TooManySeries);
        }
        self.series += 1;
        let is_current = self.open.as_ref().is_some_and(|open| suffix(&open.head, name, strict).is_some());
        self.family(name, is_current)?;
        // Both fit: the text is at most 16 MiB long.
        let at = u32::try_from(self.at).unwrap_or(u32::MAX);
        if !self.seen.insert(self.text, at, name, &labels) {
            return Err(Problem::DuplicateSeries(shortened(series)));
        }
        self.tell()?;
        let Some(open) = &self.open else { return Ok(()) };
        let suffix = suffix(&open.head, name, strict).unwrap_or_default();
        let line =
            Line { name, suffix, labels: &labels, value, timestamp, exemplar: exemplar.as_ref(), series };
        require_label(&open.head, &line)?;
        if strict {
            self.rules.check(&open.head, &line)?;
        }
        self.sink.line(&line);
        // The next line's go into the same memory.
        self.labels = labels;
        if let Some(exemplar) = exemplar {
            self.exemplar_labels = exemplar.labels;
        }
        Ok(())
    }

    /// The open family if it is the `current` one, else a new one called `name`.
    fn family(&mut self, name: &'a str, is_current: bool) -> Result<&mut Open<'a>, Problem> {
        if !is_current {
            self.close()?;
            if !self.names.insert(name) {
                return Err(Problem::Split(name.to_owned()));
            }
            self.seen.begin_family();
        }
        Ok(self.open.get_or_insert(Open {
            head: Head { name, kind: Kind::Untyped, help: None, unit: None },
            is_typed: false,
            is_told: false,
        }))
    }

    /// Tells the sink of the open family, whose headers are complete.
    fn tell(&mut self) -> Result<(), Problem> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if std::mem::replace(&mut open.is_told, true) {
            return Ok(());
        }
        if self.is_open_metrics
            && let Some(name) = self.names.complete(&open.head)
        {
            return Err(Problem::Clash { family: open.head.name.to_owned(), name: name.to_owned() });
        }
        self.rules.begin(&open.head, self.is_open_metrics)?;
        self.sink.family(&open.head);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        self.tell()?;
        let Some(open) = self.open.take() else { return Ok(()) };
        if self.is_open_metrics { self.rules.end(&open.head) } else { Ok(()) }
    }

    fn end(&mut self) -> Result<(), Problem> {
        self.close()?;
        if self.is_open_metrics && !self.has_ended { Err(Problem::NoEnd) } else { Ok(()) }
    }
}

/// What a line's name has beyond its family's; `None` where it is not one of the family's.
fn suffix<'a>(head: &Head<'_>, name: &'a str, is_open_metrics: bool) -> Option<&'a str> {
    let suffix = name.strip_prefix(head.name)?;
    let belongs = if head.kind == Kind::Counter && !is_open_metrics {
        suffix.is_empty()
    } else {
        suffixes(head.kind).contains(&suffix) && (is_open_metrics || suffix != "_created")
    };
    belongs.then_some(suffix)
}

/// Buckets need `le` and quantiles need `quantile`, each a number: else they would be taken for something else.
fn require_label(head: &Head<'_>, line: &Line<'_, '_>) -> Result<(), Problem> {
    let (label, kind) = match (head.kind, line.suffix) {
        (Kind::Histogram, "_bucket") => ("le", "histogram"),
        (Kind::GaugeHistogram, "_bucket") => ("le", "gaugehistogram"),
        (Kind::Summary, "") => ("quantile", "summary"),
        _ => return Ok(()),
    };
    if line.label(label).is_some_and(|value| number(value.raw()).is_ok()) {
        return Ok(());
    }
    Err(Problem::MissingLabel {
        line_name: shortened(line.series),
        family: head.name.to_owned(),
        kind,
        label,
    })
}
