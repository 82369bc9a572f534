//! What stands on a line behind the series: value, timestamp, exemplar.

use super::cursor::Cursor;
use super::error::{Problem, shortened};
use super::number::{number, seconds};
use super::{Exemplar, Label, Timestamp};

/// A value, when it was taken, and a measurement behind it.
type Value<'a> = (f64, Option<Timestamp>, Option<Exemplar<'a>>);

/// The rest of a line in the text format.
pub(super) fn text<'a>(cursor: &mut Cursor<'a>) -> Result<Value<'a>, Problem> {
    cursor.skip_blanks();
    let before = *cursor;
    let value = number(cursor.word()).inspect_err(|_| *cursor = before)?;
    let timestamp = if cursor.skip_blanks() && !cursor.rest().is_empty() {
        let before = *cursor;
        let word = cursor.word();
        let milliseconds = word.parse().map_err(|_| {
            *cursor = before;
            Problem::NotANumber(shortened(word))
        })?;
        Some(Timestamp::Milliseconds(milliseconds))
    } else {
        None
    };
    cursor.skip_blanks();
    if cursor.rest().is_empty() {
        Ok((value, timestamp, None))
    } else {
        Err(cursor.unexpected("the end of the line"))
    }
}

/// The rest of a line in OpenMetrics. An exemplar's labels go into `labels`.
pub(super) fn open_metrics<'a>(
    cursor: &mut Cursor<'a>,
    mut labels: Vec<Label<'a>>,
) -> Result<Value<'a>, Problem> {
    let (value, timestamp) = value_and_seconds(cursor)?;
    if cursor.rest().is_empty() {
        return Ok((value, timestamp.map(Timestamp::Seconds), None));
    }
    if !cursor.eat_text(" # ") {
        return Err(cursor.unexpected("the end of the line, or an exemplar"));
    }
    if !cursor.rest().starts_with('{') {
        return Err(cursor.unexpected("the labels of an exemplar"));
    }
    cursor.labels(&mut labels, true)?;
    let (exemplar, taken) = value_and_seconds(cursor)?;
    if !cursor.rest().is_empty() {
        return Err(cursor.unexpected("the end of the line"));
    }
    let exemplar = Exemplar { labels, value: exemplar, timestamp: taken };
    Ok((value, timestamp.map(Timestamp::Seconds), Some(exemplar)))
}

/// ` value` or ` value timestamp`.
fn value_and_seconds(cursor: &mut Cursor<'_>) -> Result<(f64, Option<f64>), Problem> {
    if !cursor.eat(b' ') {
        return Err(cursor.unexpected("a space and a value"));
    }
    let before = *cursor;
    let value = number(cursor.word()).inspect_err(|_| *cursor = before)?;
    if cursor.rest().is_empty() || cursor.rest().starts_with(" #") {
        return Ok((value, None));
    }
    if !cursor.eat(b' ') {
        return Err(cursor.unexpected("a space"));
    }
    let before = *cursor;
    let timestamp = seconds(cursor.word()).inspect_err(|_| *cursor = before)?;
    Ok((value, Some(timestamp)))
}
