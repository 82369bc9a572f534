//! Points in time as people read them.

/// A point in time in UTC to the minute, such as `2026-11-24 16:58 UTC`; `seconds` are since the epoch.
#[must_use]
pub fn utc_minute(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "what is out of range saturates")]
    let minutes = (seconds / 60.0).floor() as i64;
    let (days, minute) = (minutes.div_euclid(1440), minutes.rem_euclid(1440));
    let (year, month, day) = civil(days.clamp(-1_000_000_000, 1_000_000_000));
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minute / 60, minute % 60)
}

/// The same to the second, such as `2026-11-24 16:58:07 UTC`.
#[must_use]
pub fn utc_second(seconds: f64) -> String {
    let minute = utc_minute(seconds);
    format!("{}:{:02.0} UTC", minute.trim_end_matches(" UTC"), seconds.floor().rem_euclid(60.0))
}

/// Seconds since the epoch of a point in time as RFC 3339 has it, such as `2026-11-24T16:58:00Z`, or of such a number.
///
/// # Errors
///
/// When it is neither.
pub fn parse(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
    number.or_else(|| rfc3339(text)).ok_or_else(|| {
        format!("{text:?} is no point in time: write 2026-11-24T16:58:00Z, or seconds since the epoch")
    })
}

fn rfc3339(text: &str) -> Option<f64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let (time, offset_minutes) = match time.strip_suffix(['Z', 'z']) {
        Some(time) => (time, 0.0),
        None => {
            let at = time.rfind(['+', '-'])?;
            let (time, offset) = time.split_at_checked(at)?;
            let [hours, minutes] = numbers(offset.get(1..)?, ':')?;
            let minutes = hours * 60.0 + minutes;
            (time, if offset.starts_with('-') { -minutes } else { minutes })
        }
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let is_in_range = (1970.0..=9999.0).contains(&year)
        && (1.0..=12.0).contains(&month)
        && (1.0..=31.0).contains(&day)
        && hour < 24.0
        && minute < 60.0
        && second < 61.0;
    #[expect(clippy::cast_possible_truncation, reason = "they are small whole numbers")]
    let days = is_in_range.then(|| days_of(year as i64, month as i64, day as i64))?;
    // The last day of a month is not the same in all: a day that does not exist is another one.
    let civil = civil(days);
    #[expect(clippy::cast_precision_loss, reason = "they are small whole numbers")]
    let (same, days) = (civil.2 as f64, days as f64);
    (same.total_cmp(&day).is_eq())
        .then_some(days * 86_400.0 + hour * 3600.0 + (minute - offset_minutes) * 60.0 + second)
}

/// So many numbers between separators; all but the last are whole.
fn numbers<const N: usize>(text: &str, separator: char) -> Option<[f64; N]> {
    let parts: Vec<&str> = text.split(separator).collect();
    let is_number =
        |part: &&str| part.len() >= 2 && part.chars().all(|each| each.is_ascii_digit() || each == '.');
    if !parts.iter().all(is_number) || parts.iter().rev().skip(1).any(|part| part.contains('.')) {
        return None;
    }
    let parsed: Vec<f64> = parts.iter().map(|part| part.parse().ok()).collect::<Option<_>>()?;
    parsed.try_into().ok()
}

/// Days since the epoch of a date, after Hinnant's `days_from_civil`.
const fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A point in time in UTC for the name of a file, such as `20261124T165803Z`; `seconds` are since the epoch.
#[must_use]
pub fn utc_compact(seconds: f64) -> String {
    let text = utc_minute(seconds);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let (date, time) = digits.split_at_checked(8).unwrap_or((&digits, ""));
    format!("{date}T{time}{:02}Z", seconds.rem_euclid(60.0).floor())
}

/// Year, month and day of a number of days since the epoch, after Hinnant's `civil_from_days`.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months count from March, so that the leap day is the last of the year.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0.0, "1970-01-01 00:00 UTC"),
            (951_827_696.0, "2000-02-29 12:34 UTC"),
            (1_700_000_000.0, "2023-11-14 22:13 UTC"),
            (4_107_542_399.0, "2100-02-28 23:59 UTC"),
            (-1.0, "1969-12-31 23:59 UTC"),
        ] {
            assert_eq!(utc_minute(seconds), text);
        }
        assert_eq!(utc_compact(1_700_000_001.9), "20231114T221321Z");
    }

    #[test]
    fn points_in_time_are_read() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("2000-02-29T12:34:56Z", 951_827_696.0),
            ("2000-02-29 14:34:56.5+02:00", 951_827_696.5),
            ("2000-02-29T07:04:56-05:30", 951_827_696.0),
            ("2100-02-28T23:59:59Z", 4_107_542_399.0),
            ("1700000000.25", 1_700_000_000.25),
        ] {
            assert_eq!(parse(text), Ok(seconds), "{text}");
        }
        for text in [
            "",
            "now",
            "2023-02-29T00:00:00Z",
            "2023-01-01",
            "2023-01-01T00:00:00",
            "2023-1-1T0:0:0Z",
            "-5",
            "NaN",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
