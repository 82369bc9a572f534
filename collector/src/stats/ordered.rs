//! All differences or averages of two values, in order, without writing them down.
//!
//! Five thousand hosts a side have 25 million differences: as a list, 200 MB that would have to be sorted for each
//! row. Of sorted values, how many differences are up to a limit is counted in one walk along both. The k-th is found
//! between two limits: where it would be if the differences between them were spread evenly, and in the middle of the
//! doubles between them, in turn, so that at most 64 of the latter are needed; when no more are left than there are
//! values, they are listed. The result is the very number that the sorted list would have.

use super::real;

/// Values of which any two are combined.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ordered {
    /// `x - y` of each x of the first and y of the second sample, both sorted.
    Differences(Vec<f64>, Vec<f64>),
    /// `(x + y) / 2` of any two values of a sorted sample, each with itself as well.
    Averages(Vec<f64>),
}

impl Ordered {
    /// Of two samples.
    pub(super) fn differences(a: &[f64], b: &[f64]) -> Self {
        Self::Differences(sorted(a), sorted(b))
    }

    /// Of one sample.
    pub(super) fn averages(values: &[f64]) -> Self {
        Self::Averages(sorted(values))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Differences(a, b) => a.len() * b.len(),
            Self::Averages(values) => values.len() * (values.len() + 1) / 2,
        }
    }

    /// How many are `limit` or less.
    pub(super) fn up_to(&self, limit: f64) -> usize {
        self.count(|value| value <= limit)
    }

    /// How many are `limit` or more.
    pub(super) fn from(&self, limit: f64) -> usize {
        self.len() - self.count(|value| value < limit)
    }

    /// The one at a place, counted from 0, if they were sorted.
    pub(super) fn nth(&self, place: usize) -> Option<f64> {
        self.two(place, place).map(|(nth, _)| nth)
    }

    /// Those at two places that are the same or next to one another, the lower one first.
    fn two(&self, lower: usize, upper: usize) -> Option<(f64, f64)> {
        if upper >= self.len() {
            return None;
        }
        let (first, last) = self.ends()?;
        let few = match self {
            Self::Differences(a, b) => a.len() + b.len(),
            Self::Averages(values) => values.len(),
        };
        // Both are above the lower limit and not above the upper one; how many are up to each.
        let (mut low, mut high) = (first.next_down(), last);
        let (mut below, mut within) = (0, self.len());
        let mut is_even = true;
        while within - below > few {
            let (least, most) = (key(low) + 1, key(high) - 1);
            if least > most {
                return Some((high, high));
            }
            let limit = if is_even {
                let share = (real(lower - below) + 0.5) / real(within - below);
                // Weighted, as the difference of two large limits may not be finite.
                value(key(low * (1.0 - share) + high * share).clamp(least, most))
            } else {
                value(least.midpoint(most))
            };
            is_even = !is_even;
            let count = self.up_to(limit);
            if count > upper {
                (high, within) = (limit, count);
            } else if count <= lower {
                (low, below) = (limit, count);
            } else {
                // The limit is between the two.
                return self.nth(lower).zip(self.nth(upper));
            }
        }
        let mut left = self.between(low, high);
        let at = upper - below;
        if at >= left.len() {
            return None;
        }
        let (smaller, upper_value, _) = left.select_nth_unstable_by(at, f64::total_cmp);
        let upper_value = *upper_value;
        let next = if lower == upper { None } else { smaller.iter().copied().max_by(f64::total_cmp) };
        Some((next.unwrap_or(upper_value), upper_value))
    }

    /// The middle one, or the mean of the middle two.
    pub(super) fn median(&self) -> Option<f64> {
        let (upper, is_odd) = (self.len() / 2, self.len() % 2 == 1);
        let (low, high) = self.two(if is_odd { upper } else { upper.checked_sub(1)? }, upper)?;
        Some(if is_odd { high } else { low / 2.0 + high / 2.0 })
    }

    /// The first and the last; `None` without any.
    pub(super) fn ends(&self) -> Option<(f64, f64)> {
        match self {
            Self::Differences(a, b) => Some((a.first()? - b.last()?, a.last()? - b.first()?)),
            Self::Averages(values) => Some((*values.first()?, *values.last()?)),
        }
    }

    /// How many satisfy what all below a limit satisfy and none above.
    fn count(&self, is_below: impl Fn(f64) -> bool) -> usize {
        match self {
            Self::Differences(a, b) => subtrahends(a, b, is_below).map(|(_, ys)| ys.len()).sum(),
            Self::Averages(values) => partners(values, is_below).map(|(_, ys)| ys.len()).sum(),
        }
    }

    /// Those above one limit and up to another, in no order.
    fn between(&self, low: f64, high: f64) -> Vec<f64> {
        let (up_to_low, up_to_high) = (|value: f64| value <= low, |value: f64| value <= high);
        let mut between = Vec::new();
        match self {
            Self::Differences(a, b) => {
                for ((_, low), (x, high)) in subtrahends(a, b, up_to_low).zip(subtrahends(a, b, up_to_high)) {
                    let ys = high.iter().take(high.len() - low.len());
                    between.extend(ys.map(|y| x - y));
                }
            }
            Self::Averages(values) => {
                for ((_, low), (x, high)) in partners(values, up_to_low).zip(partners(values, up_to_high)) {
                    between.extend(high.iter().skip(low.len()).map(|y| (x + y) / 2.0));
                }
            }
        }
        between
    }
}

/// Each `x` of a sorted sample, with those of another one that make `x - y` satisfy what all below a limit satisfy and
/// none above: its end, as the larger x, the larger y must be. Rounding keeps the order.
fn subtrahends<'s>(
    a: &'s [f64],
    b: &'s [f64],
    is_below: impl Fn(f64) -> bool + 's,
) -> impl Iterator<Item = (f64, &'s [f64])> {
    let mut ys = b;
    a.iter().map(move |x| {
        while let [y, larger @ ..] = ys
            && !is_below(x - y)
        {
            ys = larger;
        }
        (*x, ys)
    })
}

/// Each `x` of a sorted sample, with itself and those behind it that make the average of both satisfy the like: the
/// larger x, the smaller y must be.
fn partners<'s>(
    values: &'s [f64],
    is_below: impl Fn(f64) -> bool + 's,
) -> impl Iterator<Item = (f64, &'s [f64])> {
    let mut ys = values;
    values.iter().enumerate().map(move |(at, x)| {
        while let [smaller @ .., y] = ys
            && !is_below((x + y) / 2.0)
        {
            ys = smaller;
        }
        (*x, ys.get(at..).unwrap_or_default())
    })
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

const SIGN: u64 = 1 << 63;

/// A whole number that is in the order of the doubles.
const fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The double of a key.
const fn value(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(ordered: &Ordered) -> Vec<f64> {
        let mut list: Vec<f64> = match ordered {
            Ordered::Differences(a, b) => a.iter().flat_map(|x| b.iter().map(move |y| x - y)).collect(),
            Ordered::Averages(values) => (0..values.len())
                .flat_map(|at| values[at..].iter().map(move |y| (values[at] + y) / 2.0))
                .collect(),
        };
        list.sort_by(f64::total_cmp);
        list
    }

    fn agrees(ordered: &Ordered) {
        let list = listed(ordered);
        assert_eq!(ordered.len(), list.len());
        for (at, value) in list.iter().enumerate() {
            // As numbers: a zero has two signs.
            assert_eq!(ordered.nth(at), Some(*value));
            for limit in [*value, value.next_up(), value.next_down()] {
                assert_eq!(ordered.up_to(limit), list.iter().filter(|one| **one <= limit).count());
                assert_eq!(ordered.from(limit), list.iter().filter(|one| **one >= limit).count());
            }
        }
        assert_eq!(ordered.nth(list.len()), None);
        assert_eq!(ordered.median(), crate::stats::summary::median(&list));
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        // Few different values, so that there are ties, and some that are far apart.
        let value = prop_oneof![(-3..3_i32).prop_map(f64::from), -1e3..1e3_f64, Just(1e-300), Just(0.1)];
        proptest::collection::vec(value, 0..9)
    }

    proptest! {
        #[test]
        fn differences_are_those_of_the_list(a in values(), b in values()) {
            agrees(&Ordered::differences(&a, &b));
        }

        #[test]
        fn averages_are_those_of_the_list(a in values()) {
            agrees(&Ordered::averages(&a));
        }

        #[test]
        fn what_is_found_between_limits_is_that_of_the_list(
            a in proptest::collection::vec(-1e3..1e3_f64, 30..60),
            b in proptest::collection::vec(prop_oneof![-1e-3..1e-3_f64, Just(7.0), Just(1e300)], 30..60),
        ) {
            for ordered in [Ordered::differences(&a, &b), Ordered::averages(&b)] {
                let list = listed(&ordered);
                for at in (0..list.len()).step_by(97) {
                    prop_assert_eq!(ordered.nth(at), Some(list[at]));
                    let next = list.get(at + 1).map(|next| (list[at], *next));
                    prop_assert_eq!(ordered.two(at, at + 1), next);
                }
                prop_assert_eq!(ordered.median(), crate::stats::summary::median(&list));
            }
        }

        #[test]
        fn keys_are_in_the_order_of_their_doubles(a in any::<f64>(), b in any::<f64>()) {
            prop_assert_eq!(key(a).cmp(&key(b)), a.total_cmp(&b));
            prop_assert_eq!(value(key(a)).to_bits(), a.to_bits());
        }
    }
}
