//! Names of series and layouts: forgotten when no round that is kept is of them, and not before.

use super::*;

/// A scrape whose only cost has a label that somebody made up.
fn made_up(n: usize, at: f64) -> Scrape {
    let observation = Observation {
        family: "tierprobe_made_up_seconds".to_owned(),
        labels: labels(&[("number", &n.to_string())]),
        statistic: Statistic::P50,
        timestamp: BEGIN + at - 1.5,
        value: 1e-6,
        disturbed: false,
    };
    Scrape { points: vec![point(observation)], ..scrape(9, at) }
}

fn rows(writer: &Writer, table: &str) -> i64 {
    writer.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// Rows of series, layouts and families.
fn names(writer: &Writer) -> [i64; 3] {
    ["series", "layout", "family"].map(|table| rows(writer, table))
}

const RETENTION: Retention = Retention { age: Duration::from_secs(3600), bytes: u64::MAX };

#[test]
fn names_that_no_round_is_of_make_room_for_others() {
    let folder = tempfile::tempdir().unwrap();
    vocabulary().describe("tierprobe_made_up_seconds", "Nothing.");
    let mut writer = filled(folder.path(), 1);
    let usual = names(&writer);
    writer.max_series = 31;
    for n in 0..20_u32 {
        writer.write(&[made_up(n as usize, f64::from(n))]).unwrap();
    }
    assert_eq!(names(&writer), [usual[0] + 20, usual[1] + 20, usual[2] + 1]);
    let left_out = |writer: &mut Writer, at| writer.write(&[made_up(99, at)]).unwrap().left_out;
    assert_eq!(left_out(&mut writer, 21.0), 1);
    // An hour later all of it is forgotten but what is measured now.
    for at in [7200.0, 7215.0] {
        writer.write(&[scrape(0, at)]).unwrap();
    }
    writer.retain(&RETENTION, BEGIN + 7300.0).unwrap();
    assert_eq!(names(&writer), usual);
    assert_eq!(left_out(&mut writer, 7301.0), 0);
    writer.write(&[scrape(0, 7315.0)]).unwrap();
    let known = dataset(folder.path());
    let host = known.members().iter().find(|member| member.instance.name == "host-0:10990").unwrap();
    let durations = host.series().filter(|(key, _)| key.family == "tierprobe_syscall_seconds");
    assert_eq!(durations.map(|(_, readings)| readings.len()).collect::<Vec<_>>(), [3, 3]);
    assert_eq!(rounds(&known), 3 * 3 + 1);
}

#[test]
fn names_of_rounds_that_are_kept_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = filled(folder.path(), 1);
    // A clock that was an hour ahead for a while, and an agent that shows something else since.
    writer.write(&[scrape(0, 3600.0)]).unwrap();
    for at in [15.0, 900.0] {
        writer.write(&[scrape(0, at)]).unwrap();
    }
    for at in [1200.0, 3000.0, 4000.0] {
        writer.write(&[made_up(1, at)]).unwrap();
    }
    writer.retain(&Retention { age: Duration::from_secs(1000), ..RETENTION }, BEGIN + 4100.0).unwrap();
    let known = dataset(folder.path());
    let host = known.members().iter().find(|member| member.instance.name == "host-0:10990").unwrap();
    assert!(host.series().any(|(key, _)| key.family == "tierprobe_syscall_seconds"), "{:?}", names(&writer));
    assert_eq!(known.help()["tierprobe_syscall_seconds"], "Time of one system call.");
}

#[test]
fn what_is_read_once_keeps_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    writer.write(&[scrape(0, 0.0)]).unwrap();
    let durations = |at| {
        let all = scrape(0, at);
        Scrape { points: all.points.into_iter().filter(|point| !is_gauge(point)).collect(), ..all }
    };
    for at in [3000.0, 7200.0] {
        writer.write(&[durations(at)]).unwrap();
    }
    assert!(writer.retain(&RETENTION, BEGIN + 7300.0).unwrap() > 0);
    let known = dataset(folder.path());
    let gauge = known.members()[0].series().find(|(key, _)| key.statistic == Statistic::Value);
    assert_eq!(gauge.unwrap().1.len(), 1);
}

#[test]
fn names_of_a_store_that_did_not_note_their_use_stay_as_long_as_its_rounds() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture(), folder.path().join(FILE)).unwrap();
    let mut writer = writer(folder.path());
    let usual = names(&writer);
    // The first of two rounds goes.
    let retention = |seconds| Retention { age: Duration::from_secs(seconds), ..RETENTION };
    assert!(writer.retain(&retention(10), BEGIN + 20.0).unwrap() > 0);
    assert_eq!(names(&writer), usual);
    assert!(rounds(&dataset(folder.path())) > 0);
    assert!(writer.retain(&retention(10), BEGIN + 100_000.0).unwrap() > 0);
    assert_eq!(names(&writer), [0, 0, 0]);
}
