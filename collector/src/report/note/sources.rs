//! Sources that gave nothing, and those a part of which is left out.

use std::collections::BTreeMap;

use crate::compare::Comparison;
use crate::observation::{counted, is_of_before};
use crate::warning::some_of;

/// So many sources that gave nothing are told one by one; of more, as many groups of those that say the same.
const FEW: usize = 12;

/// Which sources gave nothing or a part of which is left out, and why, a sentence for each.
pub(in crate::report) fn no_data(comparison: &Comparison) -> Vec<String> {
    let sentence = |(who, why): (String, String)| {
        if is_of_before(&why) { format!("Of {who}, {why}.") } else { format!("No data from {who}: {why}.") }
    };
    dropped(comparison).into_iter().map(sentence).collect()
}

/// Which sources gave nothing, and why.
pub(in crate::report) fn dropped(comparison: &Comparison) -> Vec<(String, String)> {
    let all = comparison.dropped.iter().map(|one| (one.source.clone(), one.reason.trim_end_matches('.')));
    if comparison.dropped.len() <= FEW {
        return all.map(|(source, reason)| (source, reason.to_owned())).collect();
    }
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (source, reason) in all {
        by_reason.entry(reason).or_default().push(source);
    }
    let mut reasons: Vec<(&str, Vec<String>)> = by_reason.into_iter().collect();
    reasons.sort_by_key(|(_, sources)| std::cmp::Reverse(sources.len()));
    let others: usize = reasons.iter().skip(FEW).map(|(_, sources)| sources.len()).sum();
    let mut told: Vec<(String, String)> =
        reasons.iter().take(FEW).map(|(reason, sources)| (some_of(sources), (*reason).to_owned())).collect();
    if others > 0 {
        let why = "each for a reason of its own; --format json names them all".to_owned();
        told.push((counted(others, "more source"), why));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::note::of_comparison;
    use crate::report::table::tests::comparison;
    use crate::source::Dropped;

    #[test]
    fn a_fleet_that_is_silent_takes_as_many_lines_as_it_has_reasons() {
        let mut comparison = comparison(Vec::new(), "container");
        let silent = |at: usize| Dropped { source: format!("host-{at}:10990"), reason: "refused".to_owned() };
        comparison.dropped = (0..FEW).map(silent).collect();
        assert_eq!(of_comparison(&comparison).len(), FEW);
        comparison.dropped = (0..1000).map(silent).collect();
        let [told] = of_comparison(&comparison).try_into().unwrap();
        assert!(told.contains("host-0:10990") && told.contains("996 more: refused."), "{told}");
    }

    #[test]
    fn who_changed_is_not_said_to_be_silent() {
        let mut comparison = comparison(Vec::new(), "container");
        let labels = |boot: &str| [("boot_id".to_owned(), boot.to_owned())].into();
        let reason = crate::observation::before_change(5, &labels("a"), &labels("b"));
        comparison.dropped = vec![Dropped { source: "host-1:10990".to_owned(), reason }];
        let told = of_comparison(&comparison);
        let words = "Of host-1:10990, 5 rounds from before it changed (boot_id) are left out: they are of what it was then.";
        assert_eq!(told, [words]);
    }
}
