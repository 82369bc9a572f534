//! What it answers.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tierprobe_tests::agent::Agent;
use tierprobe_tests::collector::Collector;
use tierprobe_tests::fake::Fleet;
use tierprobe_tests::need::need;
use tierprobe_tests::prometheus::promtool;
use tierprobe_tests::repository;

use super::{ask, collector, send};

/// A collector of eight hosts that has given a verdict.
pub(crate) fn decided(fleet: &Fleet, folder: &std::path::Path) -> Collector {
    let mut collector = collector(folder, fleet, 8, &[]);
    collector.wait_for("/metrics", "a verdict", |text| text.contains("verdict=\"slower\"} 1\n"));
    collector
}

#[test]
fn every_path_has_its_answer_and_every_mistake_says_what_to_do() {
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    let collector = decided(&fleet, folder.path());

    let (head, body) = ask(&collector, "/api/v1/comparison", "");
    assert!(head.contains("content-type: application/json"), "{head}");
    let document: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((document["live"].as_bool(), document["by"].as_str()), (Some(false), Some("tier")));
    let length = document["window"]["until"].as_f64().unwrap() - document["window"]["from"].as_f64().unwrap();
    assert!((length - 5.0).abs() < 1e-6, "{length}");
    let row = &document["rows"][0];
    assert_eq!(
        (row["family"].as_str(), row["group"].as_str()),
        (Some("tierprobe_syscall_seconds"), Some("container"))
    );
    assert_eq!(row["verdict"], "slower");
    let ratio = row["ratio"].as_f64().unwrap();
    assert!((1.2..1.3).contains(&ratio), "{ratio}");

    let live: Value = serde_json::from_str(&ask(&collector, "/api/v1/comparison?window=live", "").1).unwrap();
    assert_eq!((live["live"].as_bool(), live["rows"][0]["verdict"].as_str()), (Some(true), Some("live")));
    assert!(live["rows"][0]["p_value"].is_null());
    let table = ask(&collector, "/api/v1/comparison?format=table&baseline=container", "").1;
    assert!(table.contains("container against vm") && table.contains("faster"), "{table}");
    let few = ask(&collector, "/api/v1/comparison?by=instance&where=tier%3Dvm&statistic=max", "").1;
    assert!(few.contains("\"statistic\": \"max\"") && !few.contains("\"tier\": \"container\""), "{few}");

    let (_, body) = ask(&collector, "/api/v1/instances", "");
    let document: Value = serde_json::from_str(&body).unwrap();
    let instances = document["instances"].as_array().unwrap();
    assert_eq!(instances.len(), 8);
    assert!(instances.iter().all(|one| one["up"] == true && one["rounds"].as_u64() > Some(3)), "{body}");

    let (head, page) = ask(&collector, "/", "");
    assert!(head.contains("text/html") && page.contains("slower"), "{page}");
    assert!(ask(&collector, "/-/healthy", "").1.contains("healthy"));
    assert!(ask(&collector, "/-/ready", "").1.contains("ready"));
    assert!(ask(&collector, "/api/v1/openapi.json", "").1.contains("\"openapi\""));

    for (path, status, words) in [
        ("/nowhere", 404, "not found"),
        ("/api/v2", 404, "/api/v1/comparison"),
        ("/api/v1/comparison?until=now", 400, "by, baseline, window"),
        ("/api/v1/comparison?window=soon", 400, "live"),
        ("/api/v1/comparison?window=1h&window=2h", 400, "twice"),
        ("/api/v1/comparison?format=pdf", 400, "markdown"),
        ("/api/v1/comparison?where=tier", 400, "KEY=VALUE"),
        ("/api/v1/comparison?statistic=mean", 400, "p99"),
        ("/api/v1/comparison?by=rack", 404, "rack"),
        ("/api/v1/comparison?baseline=sandbox", 404, "sandbox"),
        ("/api/v1/comparison?window=live&where=tier%3Dsandbox", 404, "observation"),
        ("/api/v1/comparison?baseline=%00", 400, "control"),
        ("/api/v1/comparison?by=1", 400, "label"),
        ("/api/v1/instances?x=1", 400, "no parameters"),
        ("/?format=json", 400, "/api/v1/comparison"),
    ] {
        let (head, body) = ask(&collector, path, "");
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")) && body.contains(words),
            "{path}: {head}\n{body}"
        );
        if path.starts_with("/api/") {
            let problem: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(problem["status"], status);
        }
    }
    let (head, _) =
        send(&collector, "DELETE /api/v1/comparison HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("allow: GET, HEAD"), "{head}");
    let (head, body) = send(&collector, "HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(head.contains(" 200 ") && head.contains("content-length: ") && body.is_empty(), "{head}");
    let (head, body) = ask(&collector, "/metrics", "Accept-Encoding: gzip\r\n");
    assert!(head.contains("content-encoding: gzip") && body.len() < 4000, "{head}");
    let (head, _) = send(
        &collector,
        "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert!(head.contains(" 200 "), "{head}");
}

#[test]
fn real_agents_are_compared_and_prometheus_reads_the_result() {
    let Some(tool) = need("promtool") else { return };
    let agents: Vec<Agent> = (0..2)
        .map(|_| Agent::start(&["--probe.interval=500ms", "--probe.budget=1", "--probe.pressure=1"]))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let urls: Vec<String> =
        agents.iter().map(|agent| format!("http://{}/metrics", agent.address())).collect();
    let mut flags = vec!["--scrape-interval=500ms", "--window=10s", "--by=instance"];
    flags.extend(urls.iter().map(String::as_str));
    let mut collector = Collector::start(folder.path(), &flags);
    let ratio = "tierprobe_comparison_ratio{family=\"tierprobe_syscall_seconds\",label_syscall=\"getppid\"";
    let text = collector.wait_for("/metrics", "a ratio of getppid", |text| text.contains(ratio));
    assert!(
        text.contains("by=\"instance\"") && text.contains(&format!("baseline=\"{}\"", agents[0].address()))
            || text.contains(&format!("baseline=\"{}\"", agents[1].address())),
        "{text}"
    );
    promtool(&tool, &["check", "metrics"], &text).unwrap();
    // With the collector's own strict parser, too.
    tierprobe_collector::exposition::parse(&text).unwrap();
}

#[test]
fn the_interface_is_what_its_description_says() {
    let program = repository("out/schemathesis/bin/schemathesis");
    let Some(program) = Some(program).filter(|path| path.is_file()).or_else(|| need("schemathesis")) else {
        return;
    };
    let (fleet, folder) = (Fleet::start(Duration::from_millis(200)), tempfile::tempdir().unwrap());
    let collector = decided(&fleet, folder.path());
    let scratch = tempfile::tempdir().unwrap();
    let output = Command::new(program)
        .args(["run", &collector.url("/api/v1/openapi.json"), "--url", &collector.url("")])
        .args(["--max-examples=15", "--seed=1", "--no-color", "--workers=1", "--request-timeout=30"])
        .args([
            "--phases=examples,coverage,fuzzing",
            "--suppress-health-check=all",
            "--generation-database=none",
        ])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        collector.log()
    );
    assert!(text.contains("passed") || text.contains("✅") || text.contains("No issues found"), "{text}");
}
