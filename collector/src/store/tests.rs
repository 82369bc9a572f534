use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::open::{check, open_reader};
use super::read::Query;
use super::*;
use crate::dataset::{Dataset, Filter, Span};
use crate::observation::{Instance, Labels, Observation, Reading, SeriesKey, Statistic, Vocabulary};

mod names;
mod window;

const BEGIN: f64 = 1_700_000_000.0;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The vocabulary of all tests: places must be the same in each scrape.
fn vocabulary() -> Vocabulary {
    static VOCABULARY: std::sync::OnceLock<Vocabulary> = std::sync::OnceLock::new();
    VOCABULARY.get_or_init(Vocabulary::default).clone()
}

/// What host `n` shows at `at` seconds after the begin: one round of two system calls and of a gauge.
fn observations(n: usize, at: f64) -> Vec<Observation> {
    let observation = |family: &str, call: &str, statistic, value| Observation {
        family: family.to_owned(),
        labels: labels(&[("syscall", call)]),
        statistic,
        timestamp: BEGIN + at - 1.5,
        value,
        disturbed: n == 3,
    };
    let mut observations = Vec::new();
    for call in ["getppid", "read"] {
        for statistic in Statistic::OF_DURATIONS {
            observations.push(observation("tierprobe_syscall_seconds", call, statistic, 1.5e-7 + at * 1e-12));
        }
    }
    observations.push(observation(
        "tierprobe_memory_footprint_bytes",
        "kernel",
        Statistic::Value,
        4096.0 * 77.0,
    ));
    observations
}

fn scrape(n: usize, at: f64) -> Scrape {
    Scrape {
        source: format!("http://host-{n}:10990/metrics").into(),
        instance: Arc::new(instance(n)),
        points: observations(n, at).into_iter().map(point).collect(),
        at: BEGIN + at,
    }
}

fn point(one: Observation) -> Point {
    let vocabulary = vocabulary();
    vocabulary.describe("tierprobe_syscall_seconds", "Time of one system call.");
    let key = SeriesKey { family: one.family, labels: one.labels, statistic: one.statistic };
    let reading = Reading { timestamp: one.timestamp, value: one.value, disturbed: one.disturbed };
    Point { series: vocabulary.id(&key), reading }
}

fn is_gauge(point: &Point) -> bool {
    vocabulary().key(point.series).unwrap().statistic == Statistic::Value
}

fn instance(n: usize) -> Instance {
    Instance {
        name: format!("host-{n}:10990"),
        labels: labels(&[
            ("tier", if n.is_multiple_of(2) { "vm" } else { "container" }),
            ("boot_id", &n.to_string()),
        ]),
        tier_confidence: Some(0.97),
        resolution_seconds: [("syscall".to_owned(), 1e-11)].into(),
    }
}

fn writer(folder: &Path) -> Writer {
    let opened = open(folder).unwrap();
    assert_eq!(opened.set_aside, None);
    Writer::new(opened, vocabulary()).unwrap()
}

fn filled(folder: &Path, rounds: usize) -> Writer {
    let mut writer = writer(folder);
    for round in 0..rounds {
        let at = f64::from(u32::try_from(round).unwrap()) * 15.0;
        let scrapes: Vec<Scrape> = (0..4).map(|n| scrape(n, at)).collect();
        assert_eq!(writer.write(&scrapes).unwrap().rounds, 4);
    }
    writer
}

fn query(filters: &[Filter]) -> Query<'_> {
    Query {
        span: Span { from: BEGIN - 10.0, until: BEGIN + 100_000.0 },
        statistic: Statistic::P50,
        filters,
        limit: 1_000_000,
        stale_seconds: 60.0,
    }
}

fn dataset(folder: &Path) -> Dataset {
    Reader::new(&folder.join(FILE)).dataset(&query(&[])).unwrap()
}

fn rounds(dataset: &Dataset) -> usize {
    dataset.members().iter().flat_map(|member| member.series()).map(|(_, readings)| readings.len()).sum()
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let _writer = filled(folder.path(), 20);
    let dataset = dataset(folder.path());
    assert_eq!(dataset.members().len(), 4);
    // Two medians and a gauge.
    assert_eq!(rounds(&dataset), 4 * 20 * 3);
    assert_eq!(dataset.discarded().duplicates, 0);
    assert_eq!(dataset.help()["tierprobe_syscall_seconds"], "Time of one system call.");
    let member = dataset.members().iter().find(|member| member.instance.name == "host-3:10990").unwrap();
    assert_eq!(member.instance.tier_confidence, Some(0.97));
    assert_eq!(member.instance.resolution_seconds["syscall"].to_bits(), 1e-11_f64.to_bits());
    let (key, readings) = member.series().find(|(key, _)| key.statistic == Statistic::P50).unwrap();
    let second = readings.iter().nth(1).unwrap();
    assert_eq!(key.labels, labels(&[("syscall", "getppid")]));
    let expected = 1.5e-7 + 15.0 * 1e-12;
    assert!((second.value / expected - 1.0).abs() < 1e-7, "{second:?}");
    assert_eq!((second.timestamp, second.disturbed), (BEGIN + 13.5, true));
}

#[test]
fn a_window_has_the_rounds_that_ended_within_it_and_what_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let _writer = filled(folder.path(), 20);
    let reader = Reader::new(&folder.path().join(FILE));
    let filters = ["tier=vm".parse().unwrap()];
    let span = Span { from: BEGIN + 60.0, until: BEGIN + 120.0 };
    let dataset = reader.dataset(&Query { span, ..query(&filters) }).unwrap();
    assert_eq!(dataset.members().len(), 2);
    assert_eq!(rounds(&dataset), 2 * 4 * 3);
    let nothing = Span { from: BEGIN + 5000.0, until: BEGIN + 6000.0 };
    assert!(reader.dataset(&Query { span: nothing, ..query(&[]) }).unwrap().members().is_empty());
    let error = reader.dataset(&Query { limit: 100, ..query(&[]) }).unwrap_err();
    assert!(matches!(error, StoreError::TooMuch { limit: 100 }), "{error}");
}

#[test]
fn what_is_read_once_outlives_its_window() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    for at in [0.0, 900.0, 915.0] {
        let mut one = scrape(0, at);
        one.points.retain(|one| at == 0.0 || !is_gauge(one));
        writer.write(&[one]).unwrap();
    }
    let span = Span { from: BEGIN + 600.0, until: BEGIN + 1200.0 };
    let dataset = Reader::new(&folder.path().join(FILE)).dataset(&Query { span, ..query(&[]) }).unwrap();
    assert_eq!(rounds(&dataset), 2 * 2 + 1);
}

#[test]
fn a_round_that_is_seen_again_after_a_start_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 3));
    let mut writer = writer(folder.path());
    let again = scrape(0, 30.0);
    assert_eq!(writer.write(&[Scrape { at: again.at + 5.0, ..again }]).unwrap().rounds, 0);
    assert_eq!(writer.write(&[scrape(0, 45.0)]).unwrap().rounds, 1);
    let dataset = dataset(folder.path());
    assert_eq!((rounds(&dataset), dataset.discarded().duplicates), (4 * 3 * 3 + 3, 0));
}

#[test]
fn a_target_that_became_another_counts_as_what_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = filled(folder.path(), 5);
    for at in [75.0, 90.0] {
        let mut one = scrape(0, at);
        Arc::make_mut(&mut one.instance).labels.insert("boot_id".to_owned(), "later".to_owned());
        writer.write(&[one]).unwrap();
    }
    let dataset = dataset(folder.path());
    assert_eq!(dataset.members().len(), 4);
    let host = dataset.members().iter().find(|member| member.instance.name == "host-0:10990").unwrap();
    assert_eq!(host.instance.labels["boot_id"], "later");
    assert!(host.series().all(|(_, readings)| readings.len() == 2));
    let [dropped] = dataset.dropped() else { panic!("{:?}", dataset.dropped()) };
    assert!(dropped.reason.contains("5 rounds") && dropped.reason.contains("boot_id"), "{dropped:?}");
}

#[test]
fn whoever_reads_keeps_no_writer_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = filled(folder.path(), 5);
    let reading = open_reader(&folder.path().join(FILE)).unwrap();
    let transaction = reading.unchecked_transaction().unwrap();
    let count = |transaction: &rusqlite::Transaction<'_>| {
        transaction.query_row("SELECT count(*) FROM round", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count(&transaction), 20);
    // Waiting would end in an error, after the time that a statement waits for a lock.
    writer.write(&[scrape(0, 1000.0)]).unwrap();
    assert_eq!(count(&transaction), 20);
    drop(transaction);
    assert_eq!(dataset(folder.path()).members().len(), 4);
}

#[test]
fn what_is_too_old_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = filled(folder.path(), 100);
    let retention = Retention { age: Duration::from_secs(600), bytes: u64::MAX };
    // 1500 s after the begin: the first 900 s go, 60 rounds of 4 hosts.
    assert_eq!(writer.retain(&retention, BEGIN + 1500.0).unwrap(), 240);
    assert_eq!(rounds(&dataset(folder.path())), 4 * 40 * 3);
    // All of it, the instances with it.
    assert_eq!(writer.retain(&retention, BEGIN + 100_000.0).unwrap(), 160);
    assert_eq!(Reader::new(&folder.path().join(FILE)).instances().unwrap(), []);
    assert_eq!(writer.write(&[scrape(0, 100_001.0)]).unwrap().rounds, 1);
}

#[test]
fn what_is_too_much_is_forgotten_from_the_oldest_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = filled(folder.path(), 400);
    let before = writer.size().unwrap();
    let bytes = before.used * 4 / 5;
    let retention = Retention { age: Duration::from_secs(1 << 30), bytes };
    writer.retain(&retention, BEGIN + 6000.0).unwrap();
    let after = writer.size().unwrap();
    assert!(after.used <= bytes && after.bytes <= bytes, "{before:?} {after:?}");
    assert!(after.oldest > before.oldest);
    let dataset = dataset(folder.path());
    let all = dataset.members().iter().flat_map(|member| member.series());
    let last = all.filter_map(|(_, readings)| readings.iter().last().map(|reading| reading.timestamp));
    assert!(last.fold(0.0, f64::max) > BEGIN + 399.0 * 15.0 - 2.0);
    assert!(rounds(&dataset) > 4 * 100 * 3, "{}", rounds(&dataset));
}

#[test]
fn a_full_disk_loses_nothing_that_was_written_and_ends_with_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = filled(folder.path(), 5);
    let limit = |writer: &Writer, pages: u32| {
        writer.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    limit(&writer, 1);
    let many: Vec<Scrape> = (100..400).map(|n| scrape(n, 100.0)).collect();
    let error = writer.write(&many).unwrap_err();
    assert!(error.is_full(), "{error:?}");
    assert_eq!(dataset(folder.path()).members().len(), 4);
    limit(&writer, 1_000_000);
    assert_eq!(writer.write(&many).unwrap().rounds, 300);
    assert_eq!(dataset(folder.path()).members().len(), 304);
}

#[test]
fn a_store_has_one_collector_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = writer(folder.path());
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    drop(first);
    drop(writer(folder.path()));
}

/// The names in a folder that a broken database was set aside under.
fn aside(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.display().to_string().contains(".broken-")).collect()
}

/// Puts other bytes wherever these are, as an error of the disk does that SQLite does not see.
fn replace(path: &Path, these: &str, others: &str) {
    let mut bytes = fs::read(path).unwrap();
    let places: Vec<usize> =
        (0..bytes.len() - these.len()).filter(|at| bytes[*at..].starts_with(these.as_bytes())).collect();
    assert!(!places.is_empty() && these.len() == others.len());
    places.into_iter().for_each(|at| bytes[at..at + these.len()].copy_from_slice(others.as_bytes()));
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_instance_that_cannot_be_read_is_counted_and_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 5));
    replace(&folder.path().join(FILE), "{\"boot_id\":\"2\"", "{#boot_id\":\"2\"");
    let mut writer = writer(folder.path());
    let before = dataset(folder.path());
    assert_eq!(before.members().len(), 3);
    let [dropped] = before.dropped() else { panic!("{:?}", before.dropped()) };
    assert_eq!(
        (dropped.source.as_str(), dropped.reason.as_str()),
        ("the store", "1 instance in the store cannot be read")
    );
    writer.write(&[scrape(2, 100.0)]).unwrap();
    assert_eq!(dataset(folder.path()).members().len(), 4);
    assert_eq!(Reader::new(&folder.path().join(FILE)).instances().unwrap().len(), 4);
}

#[test]
fn what_is_broken_is_set_aside_and_a_new_one_begun() {
    type Break = (&'static str, fn(&Path));
    let breaks: [Break; 5] = [
        ("garbage", |path| fs::write(path, "no database\n".repeat(1000)).unwrap()),
        ("a stump", |path| fs::write(path, "SQLite format 3\0").unwrap()),
        ("truncated", |path| {
            let length = fs::metadata(path).unwrap().len();
            fs::File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
        }),
        ("overwritten", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[4096..].fill(0xa5);
            fs::write(path, bytes).unwrap();
        }),
        ("a series' labels", |path| replace(path, "{\"syscall\":\"read", "{#syscall\":\"read")),
    ];
    for (name, break_it) in breaks {
        let folder = tempfile::tempdir().unwrap();
        drop(filled(folder.path(), 50));
        let path = folder.path().join(FILE);
        break_it(&path);
        let broken = fs::read(&path).unwrap();
        assert!(!check(folder.path()).unwrap().is_empty(), "{name}");
        let opened = open(folder.path()).unwrap();
        let set_aside = opened.set_aside.clone().unwrap_or_else(|| panic!("{name} was not noticed"));
        assert!(!set_aside.reason.is_empty());
        assert_eq!(fs::read(&set_aside.path).unwrap(), broken, "{name}");
        let mut writer = Writer::new(opened, vocabulary()).unwrap();
        writer.write(&[scrape(0, 1.0)]).unwrap();
        drop(writer);
        assert_eq!(dataset(folder.path()).members().len(), 1, "{name}");
        assert_eq!(aside(folder.path()).len(), 1, "{name}");
        assert_eq!(check(folder.path()).unwrap(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_is_not_ours_or_later_is_left_as_it_is() {
    for (name, application_id, version) in [
        ("another program's", 77, 1),
        ("nobody's with tables", 0, 0),
        ("a later release's", schema::APPLICATION_ID, 999),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
        connection.pragma_update(None, "application_id", application_id).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
        drop(connection);
        let before = fs::read(&path).unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(FILE) && error.contains("--storage.path"), "{name}: {error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{name}");
        assert_eq!(aside(folder.path()), Vec::<PathBuf>::new(), "{name}");
    }
}

/// A database of schema 1 with two rounds of two hosts, as its release wrote it.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store/schema-1.db")
}

#[test]
fn a_database_of_the_first_schema_is_taken_along() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    fs::copy(fixture(), &path).unwrap();
    assert_eq!(schema::version(&open_reader(&path).unwrap()), Ok(1));
    let opened = open(folder.path()).unwrap();
    assert_eq!(
        (opened.steps, opened.set_aside.clone()),
        (usize::try_from(schema::latest()).unwrap() - 1, None)
    );
    let mut writer = Writer::new(opened, vocabulary()).unwrap();
    let before = dataset(folder.path());
    assert_eq!((before.members().len(), rounds(&before)), (2, 2 * 2 * 3));
    // It knows which rounds it has, and takes new ones.
    assert_eq!(writer.write(&[scrape(0, 15.0), scrape(0, 30.0)]).unwrap().rounds, 1);
    assert_eq!(check(&folder.path().join("elsewhere")).unwrap(), Vec::<String>::new());
}

#[test]
fn the_fixture_can_be_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let connection = rusqlite::Connection::open(&path).unwrap();
    schema::first_only(&connection).unwrap();
    for (id, n) in [(1, 0), (2, 1)] {
        let one = scrape(n, 0.0);
        let text = |labels: &Labels| serde_json::to_string(labels).unwrap();
        connection
            .execute(
                "INSERT INTO instance VALUES (?, ?, ?, ?, 0.97, '{\"syscall\":1e-11}', ?)",
                rusqlite::params![
                    id,
                    one.source,
                    one.instance.name,
                    text(&one.instance.labels),
                    milliseconds(BEGIN)
                ],
            )
            .unwrap();
        if n == 0 {
            for (at, observation) in (1_u32..).zip(&observations(n, 0.0)) {
                let name = observation.statistic.as_str();
                connection
                    .execute(
                        "INSERT INTO series VALUES (?, ?, ?, ?)",
                        rusqlite::params![at, observation.family, text(&observation.labels), name],
                    )
                    .unwrap();
            }
            let durations: Vec<u8> = (1..=10_u32).flat_map(u32::to_le_bytes).collect();
            connection
                .execute("INSERT INTO layout VALUES (1, ?), (2, ?)", [durations, vec![11, 0, 0, 0]])
                .unwrap();
        }
        for at in [0.0, 15.0] {
            let one = scrape(n, at);
            let values: Vec<f64> = one.points.iter().map(|one| one.reading.value).collect();
            let timestamp = one.points[0].reading.timestamp;
            let group = |layout, values: &[f64]| pack::Group {
                layout,
                timestamp,
                disturbed: false,
                values: values.to_vec(),
            };
            let data = pack::pack(&[group(1, &values[..10]), group(2, &values[10..])]);
            connection
                .execute(
                    "INSERT INTO round VALUES (?, ?, ?)",
                    rusqlite::params![milliseconds(one.at), id, data],
                )
                .unwrap();
        }
    }
    drop(connection);
    if std::env::var_os("TIERPROBE_GOLDEN").is_some_and(|value| value == "write") {
        fs::copy(&path, fixture()).unwrap();
    }
    let dump = |path: &Path| {
        let connection = open_reader(path).unwrap();
        let mut select = connection.prepare("SELECT sql FROM sqlite_master ORDER BY name").unwrap();
        let lines = select.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap();
        lines.map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(dump(&path), dump(&fixture()), "the first schema must never change");
}
