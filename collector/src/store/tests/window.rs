//! Reading a window: in what portions, what is known of how much of it was observed, and how exact its numbers are.

use super::super::window::read_by;
use super::*;

fn by(rows: usize, folder: &Path, query: &Query<'_>) -> Dataset {
    let path = folder.join(FILE);
    read_by(rows, &open_reader(&path).unwrap(), query, &path).unwrap().dataset
}

/// Everything that a dataset holds, as text.
fn all(dataset: &Dataset) -> Vec<String> {
    let member = |member: &crate::dataset::Member| {
        let series =
            member.series().map(|(key, readings)| (key.clone(), readings.iter().collect::<Vec<_>>()));
        let mut series: Vec<_> = series.collect();
        series.sort_by(|a, b| a.0.cmp(&b.0));
        format!("{:?} {:?} {series:?}", member.instance, member.stale_seconds)
    };
    let dropped = format!("{:?} {:?}", dataset.dropped(), dataset.sources());
    dataset.members().iter().map(member).chain([dropped]).collect()
}

#[test]
fn it_does_not_matter_how_many_rows_are_read_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = filled(folder.path(), 20);
    // One of them starts anew within the window: both of what it was must be looked at together.
    let other = Instance { labels: labels(&[("tier", "vm"), ("boot_id", "new")]), ..instance(1) };
    for at in [300.0, 315.0] {
        let one = Scrape { instance: Arc::new(other.clone()), ..scrape(1, at) };
        writer.write(&[one]).unwrap();
    }
    let filters = ["tier=vm".parse().unwrap()];
    for query in [query(&[]), query(&filters)] {
        let together = all(&by(usize::MAX, folder.path(), &query));
        for rows in [1, 30, 50] {
            assert_eq!(all(&by(rows, folder.path(), &query)), together, "{rows}");
        }
        assert!(
            together.last().unwrap().contains("20 rounds from before it changed (boot_id")
                || query.filters.len() == 1
        );
    }
    let error =
        Reader::new(&folder.path().join(FILE)).dataset(&Query { limit: 100, ..query(&[]) }).unwrap_err();
    assert!(matches!(error, StoreError::TooMuch { limit: 100 }), "{error}");
}

#[test]
fn what_was_observed_of_a_window_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    for at in [100.0, 115.0, 130.0, 300.0, 315.0] {
        writer.write(&[scrape(0, at)]).unwrap();
    }
    let reader = Reader::new(&folder.path().join(FILE));
    let seen = |from: f64, until: f64| {
        let span = Span { from: BEGIN + from, until: BEGIN + until };
        let seen = reader.window(&Query { span, ..query(&[]) }).unwrap().seen;
        (seen.span.map(|span| (span.from - BEGIN, span.until - BEGIN)), seen.longest_gap)
    };
    // A late start, a break, an early end.
    assert_eq!(seen(0.0, 140.0), (Some((100.0, 130.0)), 100.0));
    assert_eq!(seen(95.0, 320.0), (Some((100.0, 315.0)), 170.0));
    assert_eq!(seen(290.0, 400.0), (Some((300.0, 315.0)), 85.0));
    assert_eq!(seen(140.0, 290.0), (None, 150.0));
}

#[test]
fn numbers_of_the_store_take_four_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let _writer = filled(folder.path(), 20);
    let dataset = dataset(folder.path());
    let values = dataset
        .members()
        .iter()
        .flat_map(|member| member.series())
        .flat_map(|(_, readings)| readings.values());
    #[expect(clippy::cast_possible_truncation, reason = "that is what is looked at")]
    let is_single = |value: f64| f64::from(value as f32).to_bits() == value.to_bits();
    assert!(values.into_iter().all(is_single));
}
