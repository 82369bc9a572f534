//! Durations as the user writes them.

use std::time::Duration;

/// A duration as Prometheus writes it: `500ms`, `15s`, `5m`, `1h`.
///
/// # Errors
///
/// What to write instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_millis = match text.get(digits.len()..) {
        Some("ms") => Some(1),
        Some("s") => Some(1_000),
        Some("m") => Some(60_000),
        Some("h") => Some(3_600_000),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .zip(unit_millis)
        .and_then(|(number, unit)| number.checked_mul(unit))
        .map(Duration::from_millis)
        .ok_or_else(|| {
            format!("{text:?} is no duration; write a whole number and ms, s, m or h, for example 15s")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_prometheus() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["", "15", "s", "-1s", "1.5s", "1d", "99999999999999999999s", "µs"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
