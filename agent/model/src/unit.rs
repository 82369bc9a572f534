//! Units, and how people read a value.

use crate::label_values;

/// The base unit of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A share from 0 to 1.
    Ratio,
    /// A number of things.
    Count,
}

label_values!(Unit { Seconds = "seconds", Bytes = "bytes", Ratio = "ratio", Count = "count" });

impl Unit {
    /// The unit that a family's name ends with, `_total` and `_info` aside.
    #[must_use]
    pub fn of_family(name: &str) -> Self {
        let name = name.strip_suffix("_total").unwrap_or(name);
        [Self::Seconds, Self::Bytes, Self::Ratio]
            .into_iter()
            .find(|unit| name.ends_with(unit.as_str()))
            .unwrap_or(Self::Count)
    }

    /// A value as people read it: three significant digits and a prefix, `169 ns`, `1.02 µs`, `3.1 MiB`.
    #[must_use]
    pub fn human(self, value: f64) -> String {
        let scaled = |steps: &[(f64, &str)]| {
            let magnitude = value.abs();
            let (factor, name) = steps
                .iter()
                // 999.6 ns would print as `1000 ns`: the step changes where rounding does.
                .find(|(factor, _)| magnitude >= factor * 0.9995)
                .or_else(|| steps.last())
                .copied()
                .unwrap_or((1.0, ""));
            format!("{} {name}", three_digits(value / factor)).trim_end().to_owned()
        };
        match self {
            Self::Seconds => scaled(&[(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")]),
            Self::Bytes => scaled(&[
                (1_099_511_627_776.0, "TiB"),
                (1_073_741_824.0, "GiB"),
                (1_048_576.0, "MiB"),
                (1024.0, "KiB"),
                (1.0, "B"),
            ]),
            Self::Ratio => format!("{} %", three_digits(value * 100.0)),
            Self::Count => three_digits(value),
        }
    }
}

/// Three significant digits, never fewer than those before the decimal point.
fn three_digits(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = if !(1e-12..99.95).contains(&magnitude) {
        0
    } else if magnitude >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_three_digits_and_a_prefix() {
        assert_eq!(Unit::Seconds.human(169.4e-9), "169 ns");
        assert_eq!(Unit::Seconds.human(1.0234e-6), "1.02 µs");
        assert_eq!(Unit::Seconds.human(999.6e-9), "1.00 µs");
        assert_eq!(Unit::Seconds.human(29.04e-3), "29.0 ms");
        assert_eq!(Unit::Seconds.human(0.0), "0 ns");
        assert_eq!(Unit::Seconds.human(3600.0), "3600 s");
        assert_eq!(Unit::Bytes.human(1_925_120.0), "1.84 MiB");
        assert_eq!(Unit::Ratio.human(0.123), "12.3 %");
        assert_eq!(Unit::Count.human(5.0), "5.00");
    }

    #[test]
    fn the_unit_is_the_end_of_the_name() {
        assert_eq!(Unit::of_family("tierprobe_syscall_seconds"), Unit::Seconds);
        assert_eq!(Unit::of_family("tierprobe_probe_cpu_seconds_total"), Unit::Seconds);
        assert_eq!(Unit::of_family("tierprobe_memory_footprint_bytes"), Unit::Bytes);
        assert_eq!(Unit::of_family("tierprobe_probe_runs_total"), Unit::Count);
    }
}
