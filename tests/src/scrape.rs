//! What a scrape found, as tests ask for it: a series by its name with all its labels, in their order.

/// The value of a series, as it is written.
#[must_use]
pub fn written<'a>(scrape: &'a str, series: &str) -> Option<&'a str> {
    scrape.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

/// The value of a series.
#[must_use]
pub fn value(scrape: &str, series: &str) -> Option<f64> {
    written(scrape, series)?.parse().ok()
}
