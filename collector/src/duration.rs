//! Spans of time as users write them: `200ms`, `30s`, `15m`, `1h30m`, `7d`.

use std::time::Duration;

/// Longest span: what is longer is a typing error.
const LONGEST_DAYS: u64 = 366;

/// Reads a span of time.
///
/// # Errors
///
/// When it is none, with the forms that there are.
pub fn parse(text: &str) -> Result<Duration, String> {
    const FORMS: &str = "write a number and a unit (ms, s, m, h, d), such as 30s, 15m or 1h30m";
    let mut rest = text;
    let mut span = Duration::ZERO;
    if rest.is_empty() {
        return Err(FORMS.to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at_checked(digits).unwrap_or((rest, ""));
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(letters).unwrap_or((tail, ""));
        let number: u64 = number.parse().map_err(|_| FORMS.to_owned())?;
        let milliseconds: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(FORMS.to_owned()),
        };
        let part = number.checked_mul(milliseconds).map(Duration::from_millis);
        span = part.and_then(|part| span.checked_add(part)).ok_or_else(|| FORMS.to_owned())?;
        rest = tail;
    }
    if span > Duration::from_secs(LONGEST_DAYS * 86_400) {
        return Err(format!("longer than {LONGEST_DAYS} days"));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_numbers_with_units() {
        for (text, milliseconds) in
            [("200ms", 200), ("30s", 30_000), ("15m", 900_000), ("1h30m", 5_400_000), ("0s", 0)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["", "5", "s", "5 s", "-5s", "1.5h", "5x", "99999999999999999999s", "9999d", "1h5", "µs"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
