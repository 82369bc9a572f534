//! Numbers in as few bytes as hold them exactly.
//!
//! The store of `serve` keeps single precision where that is close enough, so that what comes out of it takes four bytes
//! a number; what agents say themselves has more digits and takes eight.

/// Numbers that do not change any more.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    /// As they are.
    Whole(Box<[f64]>),
    /// Each of them is one of single precision.
    Single(Box<[f32]>),
}

/// Some of them, next to one another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Slice<'a> {
    Whole(&'a [f64]),
    Single(&'a [f32]),
}

impl Default for Values {
    fn default() -> Self {
        Self::Single(Box::default())
    }
}

impl From<Vec<f64>> for Values {
    fn from(values: Vec<f64>) -> Self {
        let is_exact = |value: &f64| f64::from(single(*value)).to_bits() == value.to_bits();
        if values.iter().all(is_exact) {
            Self::Single(values.into_iter().map(single).collect())
        } else {
            Self::Whole(values.into())
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "whoever calls looks at what is lost")]
const fn single(value: f64) -> f32 {
    value as f32
}

impl Values {
    pub(crate) fn len(&self) -> usize {
        self.all().len()
    }

    pub(crate) fn all(&self) -> Slice<'_> {
        match self {
            Self::Whole(values) => Slice::Whole(values),
            Self::Single(values) => Slice::Single(values),
        }
    }
}

impl Slice<'_> {
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Whole(values) => values.len(),
            Self::Single(values) => values.len(),
        }
    }

    pub(crate) fn at(&self, at: usize) -> Option<f64> {
        match self {
            Self::Whole(values) => values.get(at).copied(),
            Self::Single(values) => values.get(at).copied().map(f64::from),
        }
    }

    /// From one place to before another; `None` where there are not so many.
    pub(crate) fn part(self, from: usize, to: usize) -> Option<Self> {
        match self {
            Self::Whole(values) => values.get(from..to).map(Slice::Whole),
            Self::Single(values) => values.get(from..to).map(Slice::Single),
        }
    }

    /// Appends all of them.
    pub(crate) fn append_to(self, list: &mut Vec<f64>) {
        match self {
            Self::Whole(values) => list.extend_from_slice(values),
            Self::Single(values) => list.extend(values.iter().copied().map(f64::from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_out_as_they_went_in(
            many in prop::collection::vec(any::<f64>(), 0..20),
            singles in prop::collection::vec(any::<f32>(), 0..20),
        ) {
            let singles: Vec<f64> = singles.into_iter().map(f64::from).collect();
            for values in [many.clone(), singles.clone(), [singles, many].concat()] {
                let kept = Values::from(values.clone());
                let mut back = Vec::new();
                kept.all().append_to(&mut back);
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&back), bits(&values));
                prop_assert_eq!(kept.len(), values.len());
                let each: Option<Vec<f64>> = (0..values.len()).map(|at| kept.all().at(at)).collect();
                prop_assert_eq!(bits(&each.unwrap_or_default()), bits(&values));
            }
        }
    }

    #[test]
    fn what_single_precision_holds_takes_four_bytes_and_nothing_else_does() {
        assert!(matches!(Values::from(vec![0.5, -0.0, 4096.0]), Values::Single(_)));
        for one in [0.1, 1e300, 16_777_217.0, f64::MIN_POSITIVE] {
            assert!(matches!(Values::from(vec![0.5, one]), Values::Whole(_)), "{one}");
        }
        let part = Values::from(vec![1.0, 2.0, 3.0]);
        assert_eq!(part.all().part(1, 3).and_then(|part| part.at(1)), Some(3.0));
        assert!(part.all().part(2, 4).is_none() && part.all().part(2, 1).is_none());
    }
}
