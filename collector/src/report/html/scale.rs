//! Where a value lies on an axis, and which values are written along it. Pure.

/// The ratio of its ends from which on an axis is logarithmic.
const WIDE: f64 = 5.0;
/// What is left free at each end, as a share of the axis.
const MARGIN: f64 = 0.06;
/// Steps that people count in.
const STEPS: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

/// Powers of ten that a number can have, and powers of two that a size can have.
const POWERS: std::ops::RangeInclusive<i16> = -308..=308;

/// An axis from its low to its high end; places on it are shares of its length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
}

impl Scale {
    /// An axis that holds all values, logarithmic where these are of several sizes; `None` without a finite value.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (low, high) = ends(values)?;
        if low > 0.0 && high > low * WIDE {
            return Some(Self::log(low, high));
        }
        // Values that are all the same still need some room around them.
        let room = ((high - low) * MARGIN).max(high.abs() * 0.02);
        // So do nothing but zeros.
        let room = if room > 0.0 { room } else { 1.0 };
        let floor = if low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
        Some(Self { low: (low - room).max(floor), high: high + room, is_log: false })
    }

    /// A logarithmic axis for ratios, which always shows what lies around 1.
    #[must_use]
    pub fn of_ratios(ratios: impl IntoIterator<Item = f64>, around: f64) -> Self {
        let ratios = ratios.into_iter().filter(|ratio| *ratio > 0.0);
        let (low, high) = ends(ratios.chain([1.0 / around, around])).unwrap_or((1.0 / around, around));
        Self::log(low, high)
    }

    /// A span of time, in seconds.
    #[must_use]
    pub const fn between(low: f64, high: f64) -> Self {
        Self { low, high, is_log: false }
    }

    fn log(low: f64, high: f64) -> Self {
        let room = ((high.ln() - low.ln()) * MARGIN).exp();
        Self { low: (low / room).max(f64::MIN_POSITIVE), high: (high * room).min(f64::MAX), is_log: true }
    }

    /// The place of a value, 0 at the low end and 1 at the high one; what lies beyond is put at the end.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        let share = if self.is_log {
            (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
        } else {
            (value - self.low) / (self.high - self.low)
        };
        // Zero has no logarithm, and no end without bound is a number.
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// Whether a value lies on the axis.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Round values along the axis, about `most` of them at most.
    #[must_use]
    pub fn ticks(&self, most: usize) -> Vec<f64> {
        if self.is_wide() { self.log_ticks(most) } else { self.even_ticks(most) }
    }

    /// The same for bytes, which are round where KiB and MiB are.
    #[must_use]
    pub fn byte_ticks(&self, most: usize) -> Vec<f64> {
        if !self.is_wide() {
            let fewest = (self.high - self.low) / crate::stats::real(most.max(1));
            return self.multiples(fewest.log2().ceil().exp2());
        }
        let (first, last) = (self.low.log2().ceil(), self.high.log2().floor());
        let of = |stride: usize| -> Vec<f64> {
            let powers = POWERS.map(f64::from).filter(|power| (first..=last).contains(power));
            powers.filter(|power| power.rem_euclid(crate::stats::real(stride)) < 0.5).map(f64::exp2).collect()
        };
        [1, 2, 5, 10, 20, 50, 100, 200]
            .into_iter()
            .map(of)
            .find(|ticks| ticks.len() <= most)
            .unwrap_or_default()
    }

    fn is_wide(&self) -> bool {
        self.is_log && self.high / self.low > WIDE
    }

    /// The same for seconds that are read as minutes and hours.
    #[must_use]
    pub fn time_ticks(&self, most: usize) -> Vec<f64> {
        const SPANS: [f64; 16] = [
            1.0,
            5.0,
            15.0,
            30.0,
            60.0,
            300.0,
            600.0,
            1800.0,
            3600.0,
            7200.0,
            10_800.0,
            21_600.0,
            43_200.0,
            86_400.0,
            604_800.0,
            2_592_000.0,
        ];
        let fewest = (self.high - self.low) / crate::stats::real(most.max(1));
        let step = SPANS.into_iter().find(|span| *span >= fewest).unwrap_or(31_536_000.0);
        self.multiples(step)
    }

    fn even_ticks(&self, most: usize) -> Vec<f64> {
        let fewest = (self.high - self.low) / crate::stats::real(most.max(1));
        let power = 10_f64.powf(fewest.log10().floor());
        let step = STEPS.into_iter().map(|step| step * power).find(|step| *step >= fewest);
        self.multiples(step.unwrap_or(fewest))
    }

    fn multiples(&self, step: f64) -> Vec<f64> {
        let first = (self.low / step).ceil();
        let values = (0..64_u32).map(|n| (first + f64::from(n)) * step);
        values.take_while(|value| *value <= self.high * (1.0 + 1e-12)).collect()
    }

    /// Powers of ten; between them 2 and 5 where there is room, every other one or fewer where there is not.
    fn log_ticks(&self, most: usize) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor(), self.high.log10().ceil());
        let of = |mantissas: &[f64], stride: usize| -> Vec<f64> {
            let mut values = Vec::new();
            for power in POWERS.map(f64::from).filter(|power| (first..=last).contains(power)) {
                // Counted from 10^0, so that 1 is among them.
                if power.rem_euclid(crate::stats::real(stride)) < 0.5 {
                    values.extend(mantissas.iter().map(|mantissa| mantissa * 10_f64.powf(power)));
                }
            }
            values.retain(|value| self.holds(*value));
            values
        };
        let between = [[1.0, 2.0, 5.0].as_slice(), &[1.0, 3.0]].into_iter().map(|mantissas| of(mantissas, 1));
        let powers = [1, 2, 3, 6, 12, 25, 50, 100].into_iter().map(|stride| of(&[1.0], stride));
        between.chain(powers).find(|ticks| ticks.len() <= most).unwrap_or_default()
    }
}

fn ends(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let values = values.into_iter().filter(|value| value.is_finite());
    values.fold(None, |ends, value| {
        let (low, high) = ends.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_shares_of_the_axis() {
        let time = Scale::between(100.0, 200.0);
        let places = [50.0, 100.0, 150.0, 999.0, f64::NAN].map(|at| format!("{}", time.place(at)));
        assert_eq!(places, ["0", "0", "0.5", "1", "0"]);
        let ratios = Scale::of_ratios([0.5, 2.0], 1.1);
        assert!((ratios.place(1.0) - 0.5).abs() < 1e-12);
        assert!(ratios.holds(2.0) && !ratios.holds(3.0));
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(Scale::of_ratios([0.9, 763.0], 1.1).ticks(5), [1.0, 10.0, 100.0, 1000.0]);
        let near = Scale::of_ratios([1.0], 1.1).ticks(5);
        assert!(
            near.iter().any(|tick| (tick - 1.0).abs() < 1e-9) && (3..=6).contains(&near.len()),
            "{near:?}"
        );
        let wide = Scale::of([1e-9, 3.0]).unwrap().ticks(6);
        assert!((2..=6).contains(&wide.len()), "{wide:?}");
        assert_eq!(Scale::between(0.0, 3600.0).time_ticks(4), [0.0, 1800.0, 3600.0]);
    }

    #[test]
    fn values_that_are_all_the_same_have_an_axis_too() {
        let scale = Scale::of([5.0, 5.0]).unwrap();
        assert!((scale.place(5.0) - 0.5).abs() < 1e-9 && !scale.ticks(4).is_empty());
        let zeros = Scale::of([0.0, 0.0]).unwrap();
        assert_eq!((zeros.place(0.0), zeros.ticks(3)), (0.0, vec![0.0, 0.5, 1.0]));
        assert_eq!(Scale::of([f64::NAN]), None);
    }

    #[test]
    fn bytes_are_round_in_their_own_units() {
        const KIB: f64 = 1024.0;
        let near = Scale::of([4.15 * KIB * KIB, 4.83 * KIB * KIB]).unwrap().byte_ticks(4);
        assert_eq!(near, [4.25, 4.5, 4.75].map(|mebibytes| mebibytes * KIB * KIB));
        let wide = Scale::of([4.2 * KIB * KIB, 265.0 * KIB * KIB]).unwrap().byte_ticks(4);
        assert_eq!(wide, [4.0, 16.0, 64.0, 256.0].map(|mebibytes| mebibytes * KIB * KIB));
        for (low, high) in [(1e-300, 1e300), (1.0, 1.0 + 1e-15), (0.0, 1e18), (0.0, 0.0)] {
            assert!(Scale::of([low, high]).unwrap().byte_ticks(5).len() <= 70, "{low} {high}");
        }
    }

    #[test]
    fn no_axis_has_endless_ticks() {
        for (low, high) in [(1e-300, 1e300), (1.0, 1.0 + 1e-15), (0.0, 1e18)] {
            let scale = Scale::of([low, high]).unwrap();
            assert!(scale.ticks(5).len() <= 70, "{low} {high}");
        }
    }
}
