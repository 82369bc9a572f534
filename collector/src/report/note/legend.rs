//! What the columns and the marks of a report mean.

use crate::compare::Comparison;
use crate::report::figure;
use crate::stats::batch::tipping_spread;
use crate::verdict::Tag;

/// What the columns and marks mean, as far as they occur; `n` is what stands in the column of that name.
#[must_use]
pub fn legend(comparison: &Comparison, n: &str) -> Vec<String> {
    let no_difference = if comparison.is_live() {
        String::new()
    } else {
        format!("; no difference: below {} %", comparison.threshold.share() * 100.0)
    };
    let mut lines = vec![format!("n: {n}; ratio: candidate to baseline{no_difference}.")];
    if comparison.rows().any(|row| row.here.is_some()) {
        let luck =
            |ratio: f64| format!("{ratio} where they differ by {:.1} %", tipping_spread(ratio.ln()) * 100.0);
        lines.push(format!(
            "here: these two instances only, in this window. One host cannot stand for its tier: if hosts of a tier \
             differ, host luck alone makes a ratio of {}, of {}, of {}.",
            luck(1.05),
            luck(1.2),
            luck(2.0)
        ));
    }
    lines.extend(marks(comparison).map(str::to_owned));
    lines
}

/// What the marks behind verdicts mean, as far as they occur.
pub(in crate::report) fn marks(comparison: &Comparison) -> impl Iterator<Item = &'static str> {
    let meanings = [
        (
            Tag::Provisional,
            "?: provisional, from fewer than four hosts on a side, or of data that a store had something to say of.",
        ),
        (
            Tag::Confounded,
            "*: confounded, as the sides differ, or may differ, in more than what they are compared by; the warnings \
             say in what.",
        ),
    ];
    let occurs = |(tag, _): &(Tag, _)| comparison.rows().any(|row| figure::is_marked(row, *tag));
    meanings.into_iter().filter(occurs).map(|(_, meaning)| meaning)
}
