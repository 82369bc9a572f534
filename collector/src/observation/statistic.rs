//! Which number of a round a value is.

use std::borrow::Cow;
use std::str::FromStr;

/// Which number of a round an observation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statistic {
    /// The smallest sample of the round.
    Min,
    /// The median of the round.
    P50,
    /// The 90th percentile of the round.
    P90,
    /// The 99th percentile of the round.
    P99,
    /// The largest sample of the round.
    Max,
    /// Any other quantile that a summary publishes.
    Quantile(Quantile),
    /// The value of a gauge at the round.
    Value,
}

/// A quantile that has no name of its own, strictly between 0 and 1, to nine digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantile {
    /// In thousand millionths, so that equal ones are equal.
    billionths: u32,
    /// `p99.9`, padded with zeros; follows from the number.
    name: [u8; Self::LONGEST],
}

impl Quantile {
    /// `p` and 99.9999999.
    const LONGEST: usize = 11;
    const WHOLE: f64 = 1e9;

    fn of(billionths: u32) -> Self {
        let (whole, rest) = (billionths / 10_000_000, billionths % 10_000_000);
        let text = format!("p{whole}.{rest:07}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        let mut name = [0; Self::LONGEST];
        name.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Self { billionths, name }
    }

    fn as_str(&self) -> &str {
        let end = self.name.iter().position(|byte| *byte == 0).unwrap_or(Self::LONGEST);
        // It was written by `of`, in ASCII.
        std::str::from_utf8(self.name.get(..end).unwrap_or_default()).unwrap_or_default()
    }
}

impl Statistic {
    /// The numbers that a round of a duration has.
    pub const OF_DURATIONS: [Self; 5] = [Self::Min, Self::P50, Self::P90, Self::P99, Self::Max];

    /// Whether it is needed where this number of durations is compared; gauges always are.
    #[must_use]
    pub fn is_kept_for(self, compared: Self) -> bool {
        self == compared || self == Self::Value
    }

    /// As reports and JSON write it: `p50`, and `p99.9` for the quantile 0.999.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Min => "min",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::Quantile(quantile) => quantile.as_str(),
            Self::Value => "value",
        }
    }

    /// The statistic that a round summary publishes under this `quantile` label; `None` for what is no number from
    /// 0 to 1. OpenMetrics writes `1.0` where the text format writes `1`, so the number counts, not the text.
    #[must_use]
    pub fn of_quantile(label: &str) -> Option<Self> {
        let quantile: f64 = label.parse().ok()?;
        if !(0.0..=1.0).contains(&quantile) {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and a thousand million"
        )]
        let billionths = (quantile * Quantile::WHOLE).round() as u32;
        Some(match billionths {
            0 => Self::Min,
            500_000_000 => Self::P50,
            900_000_000 => Self::P90,
            990_000_000 => Self::P99,
            1_000_000_000 => Self::Max,
            other => Self::Quantile(Quantile::of(other)),
        })
    }

    /// The values that the label `quantile` of a summary may have for it, as a regular expression; `None` for gauges.
    /// The text format and OpenMetrics write whole numbers in two ways.
    #[must_use]
    pub fn quantile_pattern(self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::Min => "0|0.0".into(),
            Self::P50 => "0.5".into(),
            Self::P90 => "0.9".into(),
            Self::P99 => "0.99".into(),
            Self::Max => "1|1.0".into(),
            Self::Quantile(quantile) => (f64::from(quantile.billionths) / Quantile::WHOLE).to_string().into(),
            Self::Value => return None,
        })
    }

    /// As the names of recorded series end with it: `p50`, and `p99_9`, as there is no point in a name.
    #[must_use]
    pub fn in_a_name(self) -> String {
        self.as_str().replace('.', "_")
    }

    /// The statistic of a recorded series by what its name ends with.
    #[must_use]
    pub fn of_a_name(end: &str) -> Option<Self> {
        match end {
            "value" => Some(Self::Value),
            _ if end.starts_with(['p', 'm']) => end.replace('_', ".").parse().ok(),
            _ => None,
        }
    }
}

impl FromStr for Statistic {
    type Err = String;

    /// `min`, `max`, a percentile such as `p99.9`, or a quantile such as 0.999.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = match text {
            "min" => Some(Self::Min),
            "max" => Some(Self::Max),
            _ => match text.strip_prefix('p') {
                Some(percent) => {
                    let is_number = percent.starts_with(|c: char| c.is_ascii_digit());
                    let percent: Option<f64> = percent.parse().ok().filter(|_| is_number);
                    percent.and_then(|percent| Self::of_quantile(&(percent / 100.0).to_string()))
                }
                None => Self::of_quantile(text),
            },
        };
        known.ok_or_else(|| {
            "say min, max, a percentile such as p50 or p99.9, or a quantile from 0 to 1 such as 0.999"
                .to_owned()
        })
    }
}

impl std::fmt::Display for Statistic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numbers_however_they_are_written() {
        for (label, name) in [
            ("0", "min"),
            ("0.0", "min"),
            ("0.5", "p50"),
            ("5e-1", "p50"),
            ("0.99", "p99"),
            ("1.0", "max"),
            ("0.95", "p95"),
            ("0.999", "p99.9"),
            ("0.05", "p5"),
            ("0.000000001", "p0.0000001"),
            ("0.999999999", "p99.9999999"),
        ] {
            let statistic = Statistic::of_quantile(label).unwrap();
            assert_eq!(statistic.as_str(), name, "{label}");
            assert_eq!(name.parse(), Ok(statistic), "{name}");
            assert_eq!(label.parse(), Ok(statistic), "{label}");
        }
        for none in ["", "half", "NaN", "-0.1", "1.1", "inf"] {
            assert_eq!(Statistic::of_quantile(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_no_statistic_says_what_there_is() {
        for text in ["p", "p101", "p-1", "pinf", "median", "2", ""] {
            assert!(text.parse::<Statistic>().unwrap_err().contains("p99.9"), "{text}");
        }
    }

    #[test]
    fn labels_and_names_are_read_as_they_are_written() {
        let others =
            ["0.95", "0.999", "0.001", "0.123456789"].map(|label| Statistic::of_quantile(label).unwrap());
        for statistic in Statistic::OF_DURATIONS.into_iter().chain(others) {
            for label in statistic.quantile_pattern().unwrap().split('|') {
                assert_eq!(Statistic::of_quantile(label), Some(statistic), "{label}");
            }
            let name = statistic.in_a_name();
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
            assert_eq!(Statistic::of_a_name(&name), Some(statistic), "{name}");
        }
        assert_eq!(Statistic::of_a_name("value"), Some(Statistic::Value));
        assert_eq!(Statistic::Value.quantile_pattern(), None);
        for none in ["", "0_5", "count", "p", "median"] {
            assert_eq!(Statistic::of_a_name(none), None, "{none}");
        }
    }

    #[test]
    fn other_quantiles_stand_in_their_order() {
        let of = |label| Statistic::of_quantile(label).unwrap();
        assert!(of("0.1") < of("0.25") && of("0.25") < of("0.999"));
    }
}
