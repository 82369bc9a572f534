//! Warnings of rows, as notes on as many rows as they are true of.

use std::collections::{BTreeMap, BTreeSet};

use crate::compare::Block;
use crate::warning::{Ranked, Warning, some_of};

/// Warnings of rows: one note for all rows of which the same is said, with what is each one's own beside its name.
pub(in crate::report) fn of_rows(block: &Block, names: &[String]) -> Vec<String> {
    let mut alike: BTreeMap<(&str, String), Vec<(&Warning, &String)>> = BTreeMap::new();
    for (row, name) in block.rows.iter().zip(names) {
        for warning in row.warnings.iter().filter(|warning| !is_said_of_hosts(block, warning)) {
            let (_, shared) = warning.of_one_row();
            alike.entry((warning.kind(), shared)).or_default().push((warning, name));
        }
    }
    alike.into_iter().map(|((_, shared), rows)| of_alike(shared, &rows)).collect()
}

/// One note on several rows.
fn of_alike(shared: String, rows: &[(&Warning, &String)]) -> String {
    let texts: BTreeSet<String> = rows.iter().map(|(warning, _)| warning.to_string()).collect();
    // What says the same of each row needs no telling apart.
    let (text, tells_apart) = match texts.into_iter().collect::<Vec<_>>().as_slice() {
        [text] => (text.clone(), false),
        _ => (shared, true),
    };
    let named = |(warning, name): &(&Warning, &String)| match warning.of_one_row() {
        (Some(own), _) if tells_apart => format!("{name} ({own})"),
        _ => (*name).clone(),
    };
    format!("{}: {text}", some_of(&rows.iter().map(named).collect::<Vec<_>>()))
}

/// Whether a row's warning names only hosts that stand apart in most rows: they have a note of their own. Where ranks
/// decide in some of these rows only, each row says what does.
fn is_said_of_hosts(block: &Block, warning: &Warning) -> bool {
    let Warning::Outliers { hosts, .. } = warning else { return false };
    let said: Vec<&String> = block
        .warnings
        .iter()
        .filter_map(|warning| {
            let Warning::OutlierHosts { hosts, ranked } = warning else { return None };
            (*ranked != Ranked::Some).then_some(hosts)
        })
        .flatten()
        .collect();
    hosts.iter().all(|host| said.contains(&host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Row;
    use crate::report::table::tests::{comparison, full_row};
    use crate::verdict::Verdict;

    fn noted(warnings: &[Warning]) -> Vec<String> {
        let row = |warning: &Warning| Row { warnings: vec![warning.clone()], ..full_row() };
        let rows = warnings.iter().map(row).collect();
        let comparison = comparison(rows, "container");
        let names: Vec<String> = (1..=warnings.len()).map(|at| format!("row {at}")).collect();
        of_rows(&comparison.blocks[0], &names)
    }

    #[test]
    fn what_is_a_rows_own_stands_beside_its_name() {
        let sensitive = |ratio_all| Warning::DisturbanceSensitive { ratio_all, verdict_all: Verdict::Slower };
        let outliers = |host: &str, ranked| Warning::Outliers { hosts: vec![host.to_owned()], ranked };
        let told = noted(&[
            sensitive(1.2),
            sensitive(1.5),
            outliers("a", true),
            outliers("b", true),
            outliers("c", false),
        ]);
        assert_eq!(told.len(), 3, "{told:?}");
        for words in [
            "row 1 (1.20, slower), row 2 (1.50, slower): With",
            "row 3 (a), row 4 (b): Ranks",
            "row 5: The interval is wide",
        ] {
            assert!(told.iter().any(|text| text.contains(words)), "{words}: {told:?}");
        }
    }

    #[test]
    fn what_is_said_of_all_rows_is_said_once() {
        let told = noted(&[Warning::FewReadings { readings: 3 }, Warning::FewReadings { readings: 3 }]);
        assert_eq!(told, ["row 1, row 2: A host's value rests on 3 readings and not on ten rounds."]);
    }

    #[test]
    fn a_host_that_stands_apart_everywhere_is_told_once_unless_rows_are_decided_unlike() {
        let outliers = |ranked| Warning::Outliers { hosts: vec!["a".to_owned()], ranked };
        let told = |ranked| {
            let row = |ranked| Row { warnings: vec![outliers(ranked)], ..full_row() };
            let mut comparison = comparison(vec![row(true), row(false)], "container");
            comparison.blocks[0].warnings.push(Warning::OutlierHosts { hosts: vec!["a".to_owned()], ranked });
            of_rows(&comparison.blocks[0], &["one".to_owned(), "two".to_owned()])
        };
        assert!(told(Ranked::All).is_empty() && told(Ranked::None).is_empty());
        let both = told(Ranked::Some);
        let words = ["one: Ranks decide", "two: The interval is wide"];
        assert!(
            both.len() == 2 && both.iter().zip(words).all(|(told, words)| told.starts_with(words)),
            "{both:?}"
        );
    }
}
