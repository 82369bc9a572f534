//! Lines into families.

use std::collections::BTreeSet;

use super::cursor::Cursor;
use super::{ExpositionError, Family, Kind, MAX_BYTES, MAX_LINE_BYTES, MAX_SERIES, Problem, Sample};

/// Bytes as text.
///
/// # Errors
///
/// When they are not UTF-8; the line is that of the first bad byte.
pub fn decode(bytes: &[u8]) -> Result<&str, ExpositionError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        ExpositionError { line, problem: Problem::NotUtf8 }
    })
}

/// Reads a whole exposition.
///
/// An empty text has no families. Lines of a family that say nothing more than the format needs are kept as they
/// are: checking that a histogram's buckets add up is not this parser's business.
///
/// # Errors
///
/// At the first line that breaks the format or a limit of this module.
pub fn parse(text: &str) -> Result<Vec<Family>, ExpositionError> {
    if text.len() > MAX_BYTES {
        return Err(ExpositionError { line: 1, problem: Problem::TooLong });
    }
    let mut parser = Parser::default();
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        parser.line(line).map_err(|problem| ExpositionError { line: number, problem })?;
    }
    parser.close_family();
    Ok(parser.families)
}

#[derive(Default)]
struct Parser {
    families: Vec<Family>,
    /// Names of all families so far, the open one included.
    names: BTreeSet<String>,
    /// The family that the next lines may belong to.
    open: Option<Open>,
    /// Identities of all series so far.
    series: BTreeSet<String>,
}

struct Open {
    family: Family,
    typed: bool,
}

impl Parser {
    fn line(&mut self, line: &str) -> Result<(), Problem> {
        if line.len() > MAX_LINE_BYTES {
            return Err(Problem::LineTooLong);
        }
        let line = line.strip_suffix('\n').ok_or(Problem::CutOff)?;
        let mut cursor = Cursor::new(line);
        cursor.skip_blanks();
        if cursor.rest().is_empty() {
            return Ok(());
        }
        if cursor.eat('#') { self.comment(cursor) } else { self.sample(cursor) }
    }

    fn comment(&mut self, mut cursor: Cursor<'_>) -> Result<(), Problem> {
        cursor.skip_blanks();
        match cursor.word() {
            "HELP" => {
                cursor.skip_blanks();
                let name = cursor.metric_name()?;
                if !cursor.skip_blanks() && !cursor.rest().is_empty() {
                    return Err(cursor.unexpected("a blank"));
                }
                let help = cursor.help()?;
                let open = self.header("HELP", name)?;
                if open.family.help.is_some() {
                    return Err(Problem::DuplicateHeader { what: "HELP", family: name.to_owned() });
                }
                open.family.help = Some(help);
                Ok(())
            }
            "TYPE" => {
                cursor.skip_blanks();
                let name = cursor.metric_name()?;
                if !cursor.skip_blanks() {
                    return Err(cursor.unexpected("a blank and a type"));
                }
                let kind = kind(cursor.rest().trim_end_matches([' ', '\t']))?;
                let open = self.header("TYPE", name)?;
                if open.typed {
                    return Err(Problem::DuplicateHeader { what: "TYPE", family: name.to_owned() });
                }
                open.typed = true;
                open.family.kind = kind;
                Ok(())
            }
            // Anything else after `#` is a remark for people.
            _ => Ok(()),
        }
    }

    /// The family that a header line is about; opens it if it is new.
    fn header(&mut self, what: &'static str, name: &str) -> Result<&mut Open, Problem> {
        let current = self.open.as_ref().is_some_and(|open| open.family.name == name);
        if current && self.open.as_ref().is_some_and(|open| !open.family.samples.is_empty()) {
            return Err(Problem::LateHeader { what, family: name.to_owned() });
        }
        self.family(name, current)
    }

    fn sample(&mut self, mut cursor: Cursor<'_>) -> Result<(), Problem> {
        let name = cursor.metric_name()?;
        cursor.skip_blanks();
        let labels = cursor.labels()?;
        cursor.skip_blanks();
        let value = number(cursor.word())?;
        let timestamp_ms = if cursor.skip_blanks() && !cursor.rest().is_empty() {
            let word = cursor.word();
            Some(word.parse().map_err(|_| Problem::NotANumber(word.to_owned()))?)
        } else {
            None
        };
        cursor.skip_blanks();
        if !cursor.rest().is_empty() {
            return Err(cursor.unexpected("the end of the line"));
        }

        let identity = format!("{name}{labels:?}");
        if self.series.contains(&identity) {
            return Err(Problem::DuplicateSeries(shown(name, &labels)));
        }
        if self.series.len() == MAX_SERIES {
            return Err(Problem::TooManySeries);
        }
        self.series.insert(identity);

        let current = self.open.as_ref().is_some_and(|open| belongs(&open.family, name));
        let open = self.family(name, current)?;
        require_label(&open.family, name, &labels)?;
        open.family.samples.push(Sample { name: name.to_owned(), labels, value, timestamp_ms });
        Ok(())
    }

    /// The open family if it is the `current` one, else a new one called `name`.
    fn family(&mut self, name: &str, current: bool) -> Result<&mut Open, Problem> {
        if !current {
            if self.names.contains(name) {
                return Err(Problem::Split(name.to_owned()));
            }
            self.close_family();
            self.names.insert(name.to_owned());
        }
        Ok(self.open.get_or_insert_with(|| Open {
            family: Family { name: name.to_owned(), help: None, kind: Kind::Untyped, samples: Vec::new() },
            typed: false,
        }))
    }

    fn close_family(&mut self) {
        self.families.extend(self.open.take().map(|open| open.family));
    }
}

/// Whether a line called `name` is one of the family's.
fn belongs(family: &Family, name: &str) -> bool {
    let Some(suffix) = name.strip_prefix(family.name.as_str()) else { return false };
    match family.kind {
        Kind::Counter | Kind::Gauge | Kind::Untyped => suffix.is_empty(),
        Kind::Histogram => matches!(suffix, "_bucket" | "_sum" | "_count"),
        Kind::Summary => matches!(suffix, "" | "_sum" | "_count"),
    }
}

/// Buckets need `le` and quantiles need `quantile`, each a number: else they would be taken for something else.
fn require_label(
    family: &Family,
    name: &str,
    labels: &std::collections::BTreeMap<String, String>,
) -> Result<(), Problem> {
    let (label, kind) = match family.kind {
        Kind::Histogram if name.len() == family.name.len() + "_bucket".len() => ("le", "histogram"),
        Kind::Summary if name == family.name => ("quantile", "summary"),
        Kind::Histogram | Kind::Summary | Kind::Counter | Kind::Gauge | Kind::Untyped => return Ok(()),
    };
    match labels.get(label).map(|value| number(value)) {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) | None => Err(Problem::MissingLabel {
            line_name: shown(name, labels),
            family: family.name.clone(),
            kind,
            label,
        }),
    }
}

fn kind(word: &str) -> Result<Kind, Problem> {
    match word {
        "counter" => Ok(Kind::Counter),
        "gauge" => Ok(Kind::Gauge),
        "histogram" => Ok(Kind::Histogram),
        "summary" => Ok(Kind::Summary),
        "untyped" => Ok(Kind::Untyped),
        other => Err(Problem::UnknownType(shortened(other))),
    }
}

/// A value as Go's `ParseFloat` reads it: a decimal number, or an infinity or NaN by name.
fn number(word: &str) -> Result<f64, Problem> {
    let value: f64 = word.parse().map_err(|_| Problem::NotANumber(shortened(word)))?;
    // Rust turns a number that is too large into an infinity; the format has a name for that one.
    if value.is_infinite() && word.contains(|c: char| c.is_ascii_digit()) {
        return Err(Problem::NotANumber(shortened(word)));
    }
    Ok(value)
}

fn shown(name: &str, labels: &std::collections::BTreeMap<String, String>) -> String {
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    shortened(&format!("{name}{{{}}}", labels.join(",")))
}

/// Keeps messages readable when a line is not.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}
