//! A comparison of a window that is not over.
//!
//! With twelve looks at data that arrive, equal tiers are once called different by 7 to 21 of a hundred reports instead
//! of 5. So intervals are shown while a window grows, and verdicts when it is over.

use super::Comparison;
use crate::verdict::Verdict;

impl Comparison {
    /// Whether it is of a window that is not over, so that no row has a verdict.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.rows().any(|row| row.verdict == Verdict::Live)
    }

    /// The same with `live` in the place of each verdict, and without what would be read as one.
    #[must_use]
    pub fn without_verdicts(mut self) -> Self {
        for row in self.blocks.iter_mut().flat_map(|block| &mut block.rows) {
            row.verdict = Verdict::Live;
            row.reason = None;
            row.tags.clear();
            row.forget_verdicts();
            row.here = None;
            // Why nothing can be said of two hosts is told as what is not decided.
            row.no_here = None;
            row.quoted = None;
            row.p_value = None;
            row.q_value = None;
            row.p_equivalence = None;
        }
        self
    }
}
