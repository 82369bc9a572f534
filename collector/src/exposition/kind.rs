//! What a family is.

use super::error::{Problem, shortened};

/// What `# TYPE` says of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets, a sum and a count.
    Histogram,
    /// The same of what is now and not since the start; OpenMetrics only.
    GaugeHistogram,
    /// Quantiles, a sum and a count.
    Summary,
    /// Labels; the value is 1. OpenMetrics only.
    Info,
    /// States that are on or off; OpenMetrics only.
    StateSet,
    /// Nothing is said: `untyped`, or `unknown` in OpenMetrics.
    Untyped,
}

impl Kind {
    /// By the word of the text format.
    pub(super) fn of_text(word: &str) -> Result<Self, Problem> {
        match word {
            "counter" => Ok(Self::Counter),
            "gauge" => Ok(Self::Gauge),
            "histogram" => Ok(Self::Histogram),
            "summary" => Ok(Self::Summary),
            "untyped" => Ok(Self::Untyped),
            other => Err(Problem::UnknownType(shortened(other))),
        }
    }

    /// By the word of OpenMetrics.
    pub(super) fn of_open_metrics(word: &str) -> Result<Self, Problem> {
        match word {
            "counter" => Ok(Self::Counter),
            "gauge" => Ok(Self::Gauge),
            "histogram" => Ok(Self::Histogram),
            "gaugehistogram" => Ok(Self::GaugeHistogram),
            "summary" => Ok(Self::Summary),
            "info" => Ok(Self::Info),
            "stateset" => Ok(Self::StateSet),
            "unknown" => Ok(Self::Untyped),
            other => Err(Problem::UnknownOpenMetricsType(shortened(other))),
        }
    }

    /// As formats call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Untyped => "untyped",
        }
    }
}
