//! What a row is called.

use std::collections::BTreeMap;

use crate::compare::Row;
use crate::dataset::SeriesKey;
use crate::observation::Statistic;

/// Names of the rows, in their order, at most `width` characters long where that can be without two rows
/// getting the same name.
///
/// A row is called after its family and its label values: `network round trip udp same_cpu`. Where that is too
/// long, values that all rows of the family share are left out, then all words of the family but the first where
/// that says enough, or else the first one; the same for all rows of a family.
#[must_use]
pub fn of_rows(rows: &[Row], width: usize) -> Vec<String> {
    let keys: Vec<&SeriesKey> = rows.iter().map(|row| &row.key).collect();
    let mut names: Vec<String> = keys.iter().map(|key| full(key)).collect();
    for shortened in [without_shared, with_first_word_only, without_first_word] {
        let candidates: Vec<String> = keys.iter().map(|key| shortened(key, &keys)).collect();
        for family in families_of(&keys) {
            let places: Vec<usize> = (0..keys.len()).filter(|at| is_of(&keys, *at, family)).collect();
            let is_too_long = |at: &usize| names.get(*at).is_some_and(|name| name.chars().count() > width);
            let is_unique = |at: &usize| {
                let Some(name) = candidates.get(*at) else { return false };
                let own = names.get(*at) == Some(name);
                candidates.iter().filter(|other| *other == name).count() == 1
                    && (own || !names.contains(name))
            };
            if places.iter().any(is_too_long) && places.iter().all(is_unique) {
                for at in places {
                    if let (Some(name), Some(shorter)) = (names.get_mut(at), candidates.get(at)) {
                        shorter.clone_into(name);
                    }
                }
            }
        }
    }
    names
}

/// The whole name, with the statistic where it is not the one that goes without saying.
#[must_use]
pub fn full(key: &SeriesKey) -> String {
    named(&stem(key), key.labels.values().map(String::as_str))
}

fn named<'a>(stem: &'a str, values: impl Iterator<Item = &'a str>) -> String {
    std::iter::once(stem).chain(values.filter(|value| !value.is_empty())).collect::<Vec<_>>().join(" ")
}

fn stem(key: &SeriesKey) -> String {
    let family = key.family.strip_prefix("tierprobe_").unwrap_or(&key.family);
    let family =
        ["_seconds", "_bytes", "_ratio"].iter().find_map(|unit| family.strip_suffix(unit)).unwrap_or(family);
    let stem = family.replace('_', " ");
    match key.statistic {
        Statistic::P50 | Statistic::Value => stem,
        other @ (Statistic::Min
        | Statistic::P90
        | Statistic::P99
        | Statistic::Max
        | Statistic::Quantile(_)) => {
            format!("{stem} {other}")
        }
    }
}

fn without_shared(key: &SeriesKey, all: &[&SeriesKey]) -> String {
    named(&stem(key), telling(key, all))
}

/// `memory slab` for `memory footprint slab`, unless another family begins with the same word.
fn with_first_word_only(key: &SeriesKey, all: &[&SeriesKey]) -> String {
    let first = |key: &SeriesKey| stem(key).split(' ').next().unwrap_or_default().to_owned();
    let word = first(key);
    let is_alone = all.iter().all(|other| other.family == key.family || first(other) != word);
    let has_more = telling(key, all).next().is_some();
    if is_alone && has_more { named(&word, telling(key, all)) } else { without_shared(key, all) }
}

fn without_first_word(key: &SeriesKey, all: &[&SeriesKey]) -> String {
    let stem = stem(key);
    let rest = stem.split_once(' ').map_or(stem.as_str(), |(_, rest)| rest);
    named(rest, telling(key, all))
}

/// The values of labels that are not the same in all rows of the family.
fn telling<'a>(key: &'a SeriesKey, all: &'a [&SeriesKey]) -> impl Iterator<Item = &'a str> {
    key.labels
        .iter()
        .filter(move |(label, value)| {
            all.iter()
                .filter(|other| other.family == key.family)
                .any(|other| other.labels.get(*label) != Some(*value))
        })
        .map(|(_, value)| value.as_str())
}

fn families_of<'a>(keys: &[&'a SeriesKey]) -> Vec<&'a str> {
    let mut families: BTreeMap<&str, ()> = BTreeMap::new();
    for key in keys {
        families.insert(&key.family, ());
    }
    families.into_keys().collect()
}

fn is_of(keys: &[&SeriesKey], at: usize, family: &str) -> bool {
    keys.get(at).is_some_and(|key| key.family == family)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Labels;

    fn key(family: &str, labels: &[(&str, &str)]) -> SeriesKey {
        let labels: Labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        SeriesKey { family: family.into(), labels, statistic: Statistic::P50 }
    }

    fn names(keys: &[SeriesKey], width: usize) -> Vec<String> {
        let rows: Vec<Row> = keys.iter().map(|key| crate::report::table::tests::row(key.clone())).collect();
        of_rows(&rows, width)
    }

    fn round_trip(protocol: &str, placement: &str) -> SeriesKey {
        let labels = [("path", "loopback"), ("placement", placement), ("protocol", protocol)];
        key("tierprobe_network_round_trip_seconds", &labels)
    }

    #[test]
    fn a_row_is_called_after_its_family_and_its_labels() {
        let getppid = key("tierprobe_syscall_seconds", &[("syscall", "getppid")]);
        assert_eq!(names(&[getppid], 40), ["syscall getppid"]);
    }

    #[test]
    fn long_names_lose_what_tells_nothing_apart() {
        let connect = key("tierprobe_network_connect_seconds", &[("path", "loopback")]);
        let keys = [round_trip("udp", "same_cpu"), round_trip("tcp", "cross_cpu"), connect];
        assert_eq!(names(&keys, 60)[0], "network round trip loopback same_cpu udp");
        assert_eq!(names(&keys, 32)[0], "network round trip same_cpu udp");
        assert_eq!(names(&keys, 24)[0], "round trip same_cpu udp");
    }

    #[test]
    fn the_first_word_says_enough_where_no_other_family_has_it() {
        let memory = |part: &str| key("tierprobe_memory_footprint_bytes", &[("part", part)]);
        assert_eq!(names(&[memory("slab"), memory("page_cache")], 20), ["memory slab", "memory page_cache"]);
    }

    #[test]
    fn names_stay_unique() {
        let keys = [
            key("tierprobe_network_connect_seconds", &[("path", "loopback_of_the_host")]),
            key("tierprobe_storage_connect_seconds", &[("path", "loopback_of_the_host")]),
        ];
        assert_eq!(names(&keys, 10), ["network connect", "storage connect"]);
    }
}
