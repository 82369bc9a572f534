//! All differences or averages of two values, in order, without writing them down.
//!
//! Five thousand hosts a side have 25 million differences: as a list, 200 MB that would have to be sorted for each
//! row. Of sorted values, how many differences are up to a limit is counted in one walk along both, and the k-th is
//! found by halving the range of the limit: at most 64 walks, as a double has 64 bits. The result is the very number
//! that the sorted list would have.

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
        if place >= self.len() {
            return None;
        }
        let (first, last) = self.ends()?;
        let (mut low, mut high) = (key(first), key(last));
        while low < high {
            let middle = low.midpoint(high);
            let limit = value(middle);
            if self.up_to(limit) > place {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(value(low))
    }

    /// The middle one, or the mean of the middle two.
    pub(super) fn median(&self) -> Option<f64> {
        let upper = self.nth(self.len() / 2)?;
        if self.len() % 2 == 1 {
            return Some(upper);
        }
        let lower = self.nth(self.len() / 2 - 1)?;
        Some(lower / 2.0 + upper / 2.0)
    }

    /// The first and the last; `None` without any.
    pub(super) fn ends(&self) -> Option<(f64, f64)> {
        match self {
            Self::Differences(a, b) => Some((a.first()? - b.last()?, a.last()? - b.first()?)),
            Self::Averages(values) => Some((*values.first()?, *values.last()?)),
        }
    }

    /// How many satisfy what all below a limit satisfy and none above. Rounding keeps the order, so that along a
    /// sorted sample the ones that do are together.
    fn count(&self, is_below: impl Fn(f64) -> bool) -> usize {
        match self {
            Self::Differences(a, b) => {
                // The larger x, the larger must y be: the first y that is large enough only moves on.
                let mut rest = b.iter().peekable();
                let mut enough = b.len();
                let mut count = 0;
                for x in a {
                    while rest.next_if(|y| !is_below(x - **y)).is_some() {
                        enough -= 1;
                    }
                    count += enough;
                }
                count
            }
            Self::Averages(values) => {
                // The larger x, the smaller must y be: the last y that is small enough only moves back.
                let mut rest = values.iter().enumerate().rev().peekable();
                let mut count = 0;
                for (at, x) in values.iter().enumerate() {
                    while rest.next_if(|(_, y)| !is_below((x + **y) / 2.0)).is_some() {}
                    // Each two once: those from x on.
                    count += rest.peek().map_or(0, |(last, _)| (last + 1).saturating_sub(at));
                }
                count
            }
        }
    }
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
        fn keys_are_in_the_order_of_their_doubles(a in any::<f64>(), b in any::<f64>()) {
            prop_assert_eq!(key(a).cmp(&key(b)), a.total_cmp(&b));
            prop_assert_eq!(value(key(a)).to_bits(), a.to_bits());
        }
    }
}
