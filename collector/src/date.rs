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
    }
}
