//! The same rounds, read from agents directly, through a real Prometheus and through a real VictoriaMetrics: the same
//! comparison comes out.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking; clippy exempts only test functions"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tierprobe_collector::observation::Statistic;
use tierprobe_collector::rules::{self, Family, Options};
use tierprobe_tests::agent::Agent;
use tierprobe_tests::answering::Clock;
use tierprobe_tests::binary;
use tierprobe_tests::http::get;
use tierprobe_tests::need::need;
use tierprobe_tests::prometheus::Prometheus;
use tierprobe_tests::simulated::Simulated;
use tierprobe_tests::victoria::Victoria;

/// Rounds of the simulated agents. Each is there for longer than the slowest reader's interval of a second.
const ROUNDS: u64 = 12;
const ROUND: Duration = Duration::from_millis(1600);

/// A comparison that runs.
struct Running {
    child: Child,
    output: PathBuf,
}

fn compare(folder: &tempfile::TempDir, name: &str, arguments: &[&str]) -> Running {
    let output = folder.path().join(name);
    let child = Command::new(binary::collector())
        .args(["compare", "--format", "json", "--output"])
        .arg(&output)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Running { child, output }
}

impl Running {
    fn report(self) -> Value {
        let output = self.child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&std::fs::read(self.output).unwrap()).unwrap()
    }
}

/// The rows of a report by what they are of.
fn rows(report: &Value) -> BTreeMap<String, &Value> {
    let rows = report["rows"].as_array().unwrap().iter();
    rows.map(|row| (format!("{} {} {}", row["family"], row["labels"], row["group"]), row)).collect()
}

/// Fails unless two reports say the same of the same rounds.
fn assert_same(expected: &Value, actual: &Value, who: &str) {
    let (expected_rows, actual_rows) = (rows(expected), rows(actual));
    let names = |rows: &BTreeMap<String, &Value>| rows.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&expected_rows), names(&actual_rows), "{who}");
    for (name, row) in &expected_rows {
        let other = actual_rows[name];
        for side in ["baseline", "candidate"] {
            assert_eq!(row[side]["instances"], other[side]["instances"], "{who}: {name}");
            assert_eq!(row[side]["rounds"], other[side]["rounds"], "{who}: {name}");
        }
        assert_eq!(row["verdict"], other["verdict"], "{who}: {name}");
        for number in ["ratio", "ratio_low", "ratio_high"] {
            let (a, b) = (row[number].as_f64(), other[number].as_f64());
            let is_same = match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-9 * a.abs(),
                (a, b) => a == b,
            };
            assert!(is_same, "{who}: {name} {number}: {a:?} and {b:?}");
        }
    }
}

/// All rounds of all rows of a report.
fn rounds(report: &Value) -> u64 {
    let of = |row: &Value| {
        row["candidate"]["rounds"].as_u64().unwrap() + row["baseline"]["rounds"].as_u64().unwrap()
    };
    report["rows"].as_array().unwrap().iter().map(of).sum()
}

/// The rules that record all that a comparison shows.
fn all_rules() -> String {
    rules::render(&Options {
        families: Family::all(),
        statistics: vec![Statistic::P50, Statistic::P90],
        by: "tier".to_owned(),
        on: rules::ON.map(str::to_owned).to_vec(),
        interval: None,
    })
}

/// Waits until a store shows so many series of an expression.
fn wait_for(address: &str, expression: &str, count: usize) {
    for _ in 0..300 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
        let answer = get(&format!("http://{address}/api/v1/query"), &[("query", expression), ("time", &now)]);
        let found = answer.ok().and_then(|body| {
            let body: Value = serde_json::from_str(&body).ok()?;
            Some(body["data"]["result"].as_array()?.len())
        });
        if found == Some(count) {
            return;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("{address} does not show {count} series of {expression}");
}

#[test]
fn the_same_rounds_give_the_same_comparison_whichever_way_they_come() {
    let (Some(prometheus), Some(victoria)) = (need("prometheus"), need("victoria-metrics")) else { return };
    let round = Arc::new(AtomicU64::new(0));
    let begin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let shown = Arc::clone(&round);
    let clock: Clock = Arc::new(move || {
        let round = shown.load(Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a few rounds")]
        let ended = begin + round as f64 * 15.0;
        (round, ended)
    });
    let agents = Simulated::start(8, clock);
    let targets: Vec<String> = agents.addresses().collect();
    let recorded = Victoria::start(&victoria, &[]);
    let prometheus = Prometheus::recording(&prometheus, &targets, &all_rules(), recorded.address());
    let victoria = Victoria::start(&victoria, &targets);
    for address in [prometheus.address(), victoria.address()] {
        wait_for(address, "tierprobe_tier_info[1m]", 8);
    }

    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("agents.json");
    std::fs::write(
        &list,
        serde_json::json!([{ "targets": targets, "labels": { "job": "tierprobe" } }]).to_string(),
    )
    .unwrap();
    let span = ROUND * u32::try_from(ROUNDS + 2).unwrap();
    let span = format!("{}ms", span.as_millis());
    let list = format!("file_sd:{}", list.display());
    let direct = compare(&folder, "direct", &[&list, "--for", &span, "--scrape-interval", "400ms"]);
    sleep(ROUND);
    for _ in 0..ROUNDS {
        sleep(ROUND);
        round.fetch_add(1, Ordering::Relaxed);
    }
    let direct = direct.report();
    let of = |address: &str| format!("prometheus+http://{address}");
    let asked = |name, address, statistic| {
        compare(&folder, name, &[&of(address), "--for", "5m", "--statistic", statistic]).report()
    };
    let through = |name, address| asked(name, address, "p50");
    // What is recorded is sent on with a delay.
    let recorded_at = recorded.address();
    let mut recorded = through("recorded", recorded_at);
    for _ in 0..20 {
        if rounds(&recorded) == rounds(&direct) {
            break;
        }
        sleep(Duration::from_millis(500));
        recorded = through("recorded", recorded_at);
    }
    let prometheus_at = prometheus.address();
    let (prometheus, victoria) =
        (through("prometheus", prometheus_at), through("victoria", victoria.address()));

    assert!(rows(&direct).len() > 30, "{direct}");
    let getppid = rows(&direct);
    let (_, row) =
        getppid.iter().find(|(name, _)| name.contains("getppid") && !name.contains("cold")).unwrap();
    let ratio = row["ratio"].as_f64().unwrap();
    assert!((1.15..1.25).contains(&ratio), "the truth is 1.2: {row}");
    assert_eq!(row["verdict"], "slower", "{row}");
    // 13 rounds on 4 instances, of which each has lost one or two to disturbance.
    assert!((40..=48).contains(&row["candidate"]["rounds"].as_u64().unwrap()), "{row}");
    assert_same(&direct, &prometheus, "Prometheus");
    assert_same(&direct, &victoria, "VictoriaMetrics");
    assert_same(&direct, &recorded, "what rules have recorded");
    let of_statistic = |report: &Value, statistic: &str| {
        report["rows"].as_array().unwrap().iter().filter(|row| row["statistic"] == statistic).count()
    };
    assert!(of_statistic(&recorded, "p50") > 10 && of_statistic(&recorded, "value") > 20, "{recorded}");

    let [raw, recorded] = [("raw-p90", prometheus_at), ("recorded-p90", recorded_at)]
        .map(|(name, address)| asked(name, address, "p90"));
    assert!(of_statistic(&recorded, "p90") > 10, "{recorded}");
    assert_same(&raw, &recorded, "what rules have recorded of another quantile");
}

#[test]
fn a_store_has_the_same_series_of_real_agents_as_they_show() {
    let Some(prometheus) = need("prometheus") else { return };
    let often = ["--probe.interval=1s", "--probe.budget=0.5", "--probe.pressure=1"];
    let agents = [Agent::start(&often), Agent::start(&often)];
    let addresses = [0, 1].map(|at: usize| format!("http://{}/metrics", agents[at].address()));
    let prometheus = Prometheus::start(&prometheus, &agents);
    wait_for(prometheus.address(), "tierprobe_tier_info", 2);
    let folder = tempfile::tempdir().unwrap();
    let common = ["--by", "instance", "--for", "6s", "--scrape-interval", "1s"];
    let [one, other] = &addresses;
    let direct =
        compare(&folder, "direct", &[&[one.as_str(), other.as_str()], &common[..]].concat()).report();
    let store = format!("prometheus+http://{}", prometheus.address());
    let stored = compare(&folder, "stored", &[&[store.as_str()], &common[..]].concat()).report();
    let names = |report: &Value| rows(report).keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&direct), names(&stored));
    assert_eq!(stored["sources"][0]["instances"], 2);
    assert_eq!(direct["baseline"], stored["baseline"]);
}
