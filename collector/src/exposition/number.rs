//! Numbers as the formats write them.

use super::error::{Problem, shortened};

/// Powers of ten that a double holds exactly.
const EXACT: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// Digits that always fit into the 53 bits of a double.
const EXACT_DIGITS: usize = 15;

/// A value as Go's `ParseFloat` reads it: a decimal number, or an infinity or NaN by name.
pub(super) fn number(word: &str) -> Result<f64, Problem> {
    if let Some(value) = simple(word.as_bytes()) {
        return Ok(value);
    }
    let not_a_number = || Problem::NotANumber(shortened(word));
    let value: f64 = word.parse().map_err(|_| not_a_number())?;
    // Rust turns a number that is too large into an infinity; the format has a name for that one.
    if value.is_infinite() && word.contains(|c: char| c.is_ascii_digit()) {
        return Err(not_a_number());
    }
    // A NaN has no sign where Prometheus reads it.
    if value.is_nan() && word.starts_with(['+', '-']) {
        return Err(not_a_number());
    }
    Ok(value)
}

/// Digits with or without a point, few enough that one division of two exact numbers gives the nearest double
/// (Clinger 1990); `None` for everything else.
fn simple(word: &[u8]) -> Option<f64> {
    if word.len() > EXACT_DIGITS + 1 {
        return None;
    }
    let (mut mantissa, mut decimals, mut has_point, mut has_digits) = (0_u64, 0, false, false);
    for byte in word {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                has_digits = true;
                decimals += usize::from(has_point);
            }
            b'.' if !has_point => has_point = true,
            _ => return None,
        }
    }
    if !has_digits || word.len() - usize::from(has_point) > EXACT_DIGITS {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "fifteen digits are below 2^53")]
    let mantissa = mantissa as f64;
    Some(if decimals == 0 { mantissa } else { mantissa / EXACT.get(decimals)? })
}

/// A timestamp of OpenMetrics in seconds: a number that is finite.
pub(super) fn seconds(word: &str) -> Result<f64, Problem> {
    number(word).and_then(|value| {
        if value.is_finite() { Ok(value) } else { Err(Problem::NotANumber(shortened(word))) }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_those_of_prometheus() {
        for (word, value) in
            [("0", 0.0), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("+1", 1.0), ("-1e-9", -1e-9), ("1E3", 1e3)]
        {
            assert_eq!(number(word).map(f64::to_bits), Ok(f64::to_bits(value)), "{word}");
        }
        for word in ["Inf", "+Inf", "-inf", "infinity"] {
            assert!(number(word).is_ok_and(f64::is_infinite), "{word}");
        }
        assert!(number("NaN").is_ok_and(f64::is_nan));
        for word in ["", ".", "-", "1e", "1e999", "0x10", "1_000", "1,5", "+NaN", "one", "1 "] {
            assert!(number(word).is_err(), "{word}");
        }
        assert!(seconds("NaN").is_err() && seconds("Inf").is_err() && seconds("1.5").is_ok());
    }

    proptest! {
        #[test]
        fn the_short_way_gives_what_the_long_way_gives(word in "[0-9]{0,9}\\.?[0-9]{0,9}") {
            let long: Result<f64, _> = word.parse::<f64>();
            prop_assert_eq!(number(&word).ok().map(f64::to_bits), long.ok().map(f64::to_bits));
        }
    }
}
