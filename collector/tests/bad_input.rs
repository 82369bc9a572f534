//! Input that is broken, endless, slow or meant to do harm, all at once through the real binary: each is named with its
//! reason, memory and time stay bounded, and what the good sources say is what they say alone.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

mod answering;

use answering::{gzip, serve};

/// The address space that the program gets, in KiB. Its threads reserve most of it and use little.
const MOST_ADDRESSES_KIB: u64 = 2 * 1024 * 1024;
/// The memory that it may use.
const MOST_BYTES: i64 = 300 * 1024 * 1024;
/// Scraping takes a second, a timeout six; the rest is slack for a busy machine.
const MOST_TIME: Duration = Duration::from_secs(60);

/// Packed once: packing takes longer than unpacking.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| gzip(&vec![b'#'; 64 << 20]));
static ZSTD_BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    ruzstd::encoding::compress_to_vec(&*vec![b'#'; 64 << 20], ruzstd::encoding::CompressionLevel::Fastest)
});

fn head(stream: &mut TcpStream, more: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{more}\r\n")
}

fn body(stream: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
    head(stream, &format!("Content-Length: {}\r\n", body.len()))?;
    stream.write_all(body)
}

fn forever(stream: &mut TcpStream, piece: &[u8], pause: Duration) -> std::io::Result<()> {
    loop {
        stream.write_all(piece)?;
        std::thread::sleep(pause);
    }
}

type Answer = fn(&mut TcpStream) -> std::io::Result<()>;

/// What a target answers, and what is said of it; any of these.
const TARGETS: &[(Answer, &[&str])] = &[
    (
        |stream| head(stream, "").and_then(|()| forever(stream, &[b'#'; 1 << 16], Duration::ZERO)),
        &["MiB", "time"],
    ),
    (|stream| head(stream, "").and_then(|()| forever(stream, b"a", Duration::from_millis(20))), &["time"]),
    (|stream| forever(stream, b"X: y\r\n", Duration::ZERO), &["no usable HTTP: invalid HTTP version"]),
    // Names that never end, of which there are too many or which are too long together.
    (
        |stream| {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\n")
                .and_then(|()| forever(stream, b"X: y\r\n", Duration::ZERO))
        },
        &["no usable HTTP: message head is too large"],
    ),
    (
        |stream| head(stream, "Content-Length: 1000\r\n").and_then(|()| stream.write_all(b"tierprobe_x 1\n")),
        &["end", "close", "complete", "time"],
    ),
    // Cut off within a number, where the length says that this is all.
    (
        |stream| head(stream, "Content-Length: 12\r\n").and_then(|()| stream.write_all(b"tierprobe_x 15\n")),
        &["cut off"],
    ),
    (
        |stream| {
            head(stream, &format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", BOMB.len()))?;
            stream.write_all(&BOMB)
        },
        &["MiB", "time"],
    ),
    (
        |stream| {
            head(stream, &format!("Content-Encoding: zstd\r\nContent-Length: {}\r\n", ZSTD_BOMB.len()))?;
            stream.write_all(&ZSTD_BOMB)
        },
        &["MiB", "time"],
    ),
    (
        |stream| {
            head(stream, "Content-Encoding: gzip\r\nContent-Length: 4\r\n")
                .and_then(|()| stream.write_all(b"none"))
        },
        &["gzip"],
    ),
    (
        |stream| {
            head(stream, "Content-Encoding: gzip\r\nContent-Length: 60\r\n")
                .and_then(|()| stream.write_all(&gzip(&agent("1", 100))[..60]))
        },
        &["gzip"],
    ),
    (
        |stream| {
            head(stream, "Content-Encoding: br\r\nContent-Length: 1\r\n")
                .and_then(|()| stream.write_all(b"x"))
        },
        &["\"br\""],
    ),
    (
        |stream| {
            head(stream, "Content-Length: 4000000000000\r\n")
                .and_then(|()| stream.write_all(b"tierprobe_x 1\n"))
        },
        &["time", "no usable HTTP"],
    ),
    (|stream| stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n"), &["no usable HTTP: invalid HTTP version"]),
    (|_| Ok(()), &["no usable HTTP: connection closed"]),
    (
        |_| {
            std::thread::sleep(Duration::from_secs(10));
            Ok(())
        },
        &["time"],
    ),
    (
        |stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nx\n")
        },
        &["text/html"],
    ),
    (|stream| body(stream, b""), &["not of a tierprobe agent"]),
    (|stream| body(stream, b"node_load1 0.5\n"), &["not of a tierprobe agent"]),
    (
        |stream| body(stream, b"# TYPE tierprobe_tier_info gauge\ntierprobe_tier_info{tier=\"vm\"} 1\n"),
        &["no probe has finished a round"],
    ),
    (|stream| body(stream, b"<html><body>502 Bad Gateway</body></html>\n"), &["line 1, column 1"]),
    (|stream| stream.write_all(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), &["500"]),
    (|stream| body(stream, b"tierprobe_x 1\ntierprobe_y\xff 1\n"), &["line 2, column 12"]),
    (|stream| body(stream, b"tierprobe_x 1\n\0\0\0\0\n"), &["line 2"]),
    (|stream| body(stream, b"tierprobe_x{a=\"1\"} 1\ntierprobe_x{a=\"1\"} 2\n"), &["second time"]),
    (|stream| body(stream, b"# TYPE tierprobe_x summary\ntierprobe_x{quantile=\"no\"} 1\n"), &["quantile"]),
    (|stream| body(stream, b"# TYPE tierprobe_x gauge\ntierprobe_x one\n"), &["\"one\" is no number"]),
    (
        |stream| body(stream, format!("tierprobe_x{{a=\"{}\"}} 1\n", "y".repeat(1 << 20)).as_bytes()),
        &["64 KiB"],
    ),
    (|stream| body(stream, format!("tierprobe_x {}\n", "9".repeat(1000)).as_bytes()), &["no number"]),
    (|stream| body(stream, "tierprobe_x 1\n".repeat(1 << 16).as_bytes()), &["second time"]),
    (
        |stream| {
            let many: String = (0..100_001).map(|i| format!("tierprobe_x{{i=\"{i}\"}} 1\n")).collect();
            body(stream, many.as_bytes())
        },
        &["100000 series"],
    ),
    (
        |stream| {
            let labels: String = (0..5000).map(|i| format!("l{i}=\"\",")).collect();
            body(stream, format!("tierprobe_x{{{labels}}} 1\n").as_bytes())
        },
        &["128 labels"],
    ),
    // All that it measures is not finite.
    (|stream| body(stream, &agent("NaN", 100)), &["no measurement"]),
];

/// The same of what is said to be a store.
const STORES: &[(Answer, &[&str])] = &[
    (|stream| body(stream, b"<!doctype html><html>Sign in</html>\n"), &["a page for people"]),
    (
        |stream| body(stream, br#"{"status":"error","errorType":"bad_data","error":"parse error"}"#),
        &["it refuses a query (bad_data): parse error"],
    ),
    (
        |stream| {
            head(stream, "")?;
            stream.write_all(br#"{"status":"success","data":["#)?;
            forever(stream, &[b' '; 1 << 16], Duration::ZERO)
        },
        &["64 MiB", "time"],
    ),
    (|stream| body(stream, br#"{"status":"success","data":[{"__name__":"tierpr"#), &["cut off after"]),
    (|stream| body(stream, b"[]"), &["it is no JSON object"]),
    (|stream| body(stream, br#"{"status":"success","data":[]}"#), &["it holds no rounds of agents"]),
];

/// An agent whose only number is `value`.
fn agent(value: &str, round: u32) -> Vec<u8> {
    format!(
        "# TYPE tierprobe_tier_info gauge\ntierprobe_tier_info{{tier=\"sandbox\"}} 1\n\
         # TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
         tierprobe_probe_last_round_timestamp_seconds{{probe=\"syscall\"}} {round}\n\
         # TYPE tierprobe_syscall_round_seconds summary\n\
         tierprobe_syscall_round_seconds{{quantile=\"0.5\"}} {value}\n"
    )
    .into_bytes()
}

/// A file: its name, what is in it, and what is said of it.
fn files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let record = good("bad", 1.0).to_string();
    let packed = gzip(record.as_bytes());
    vec![
        ("empty.json", Vec::new(), "EOF"),
        ("garbage.json", b"not json".to_vec(), "line 1"),
        ("cut.json", record.as_bytes()[..record.len() / 2].to_vec(), "EOF"),
        ("cut.json.gz", packed[..packed.len() / 2].to_vec(), "gzip"),
        ("bomb.prom.gz", BOMB.clone(), "16 MiB"),
        ("bomb.json.gz", gzip(&vec![b' '; 200 << 20]), "128 MiB"),
        ("none.prom.zst", b"\x28\xb5\x2f\xfdnone".to_vec(), "zstd"),
        ("deep.json", "[".repeat(1 << 20).into_bytes(), "no record"),
        ("list.json", b"[1, 2]".to_vec(), "no record"),
        ("null.json", record.replace("\"min\":", "\"min\": null, \"was\":").into_bytes(), "null"),
        ("text.json", record.replace("\"p50\":", "\"p50\": \"fast\", \"was\":").into_bytes(), "string"),
        ("huge.json", format!("{{\"schema\": {}}}", "9".repeat(1 << 20)).into_bytes(), "no record"),
        ("schema.json", record.replacen("\"schema\":1", "\"schema\":7", 2).into_bytes(), "schema 7"),
        ("zeros.prom", vec![0; 1 << 20], "line 1"),
        ("empty.prom", Vec::new(), "not of a tierprobe agent"),
        ("cut.om", b"# TYPE tierprobe_x gauge\ntierprobe_x 1\n# EO".to_vec(), "cut off"),
        ("two.om", b"# EOF\n# EOF\n".to_vec(), "after # EOF"),
    ]
}

fn good(name: &str, cost: f64) -> Value {
    let round = |i: u32| {
        let value = 1e-7 * cost * (1.0 + 0.004 * (f64::from(i * 7 % 11) - 5.0) / 5.0);
        json!({"timestamp": 1_700_000_000.0 + 15.0 * f64::from(i), "min": value, "p50": value, "p90": value, "p99": value,
               "max": value, "samples": 9})
    };
    let tier = if cost > 1.5 { "container_in_vm" } else { "vm" };
    json!({
        "schema": 1, "instance": name, "probes": [], "gauges": [],
        "detection": {"schema": 1, "tier": tier, "confidence": 0.97, "kernel": "own", "stack": [], "evidence": [],
                      "unreadable": [], "roles": [], "isolation": {"seccomp": "none"}},
        "families": [{"name": "tierprobe_syscall_seconds", "unit": "seconds",
                      "series": [{"labels": {}, "rounds": (0..60).map(round).collect::<Vec<_>>()}]}],
    })
}

fn compare(arguments: &[String]) -> Output {
    compare_as("json", arguments)
}

fn compare_as(format: &str, arguments: &[String]) -> Output {
    // The shell sets the limit and becomes the program.
    let script = format!("ulimit -v {MOST_ADDRESSES_KIB}; exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_tierprobe-collector"), "compare", "--format", format])
        .args(["--for", "1s", "--scrape-interval", "200ms", "--source.timeout", "6s"])
        .args(["--store.timeout", "6s"])
        .args(arguments)
        .output()
        .unwrap()
}

fn report(arguments: &[String]) -> Value {
    let output = compare(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn bad_sources_are_named_and_harm_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources: Vec<String> = (0..5)
        .flat_map(|i| [(format!("vm-{i}"), 1.0), (format!("ct-{i}"), 2.0)])
        .map(|(name, cost)| {
            let record = good(&name, cost * (1.0 + 0.001 * f64::from(u8::try_from(name.len()).unwrap())));
            written(folder.path(), &format!("{name}.json"), record.to_string().as_bytes())
        })
        .collect();
    let alone = report(&sources);

    let mut expected: Vec<(String, Vec<&str>)> = Vec::new();
    for (answer, said) in TARGETS {
        expected.push((serve(|stream, _| answer(stream)), said.to_vec()));
    }
    for (answer, said) in STORES {
        let address = serve(|stream, _| answer(stream));
        let prefix = address.strip_suffix("/metrics").unwrap();
        expected.push((format!("prometheus+{prefix}/"), said.to_vec()));
    }
    for (name, bytes, said) in files() {
        expected.push((written(folder.path(), name, &bytes), vec![said]));
    }
    let pipe = folder.path().join("pipe.prom");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    expected.push((pipe.to_str().unwrap().to_owned(), vec!["no file"]));
    let nothing = folder.path().join("nothing");
    std::fs::create_dir(&nothing).unwrap();
    expected.push((nothing.to_str().unwrap().to_owned(), vec!["no file in"]));
    expected.push((folder.path().join("missing.json").to_str().unwrap().to_owned(), vec!["cannot read"]));
    sources.extend(expected.iter().map(|(source, _)| source.clone()));

    let began = Instant::now();
    let together = report(&sources);
    let took = began.elapsed();
    let peak =
        nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap().max_rss()
            * 1024;
    assert!(took < MOST_TIME, "took {took:?}");
    assert!(peak < MOST_BYTES, "took {} MiB", peak / 1024 / 1024);
    assert_eq!(together["rows"], alone["rows"]);
    let dropped: Vec<(&str, &str)> = together["dropped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["source"].as_str().unwrap(), one["reason"].as_str().unwrap()))
        .collect();
    for (source, said) in &expected {
        let reason = dropped.iter().find(|(name, _)| name == source).map(|(_, reason)| *reason);
        let reason =
            reason.unwrap_or_else(|| panic!("{source}, of which {said:?} should be said, was taken"));
        assert!(said.iter().any(|said| reason.contains(said)), "{source}: {reason:?} says none of {said:?}");
    }
    assert_eq!(dropped.len(), expected.len());
}

#[test]
fn rounds_out_of_order_and_numbers_that_are_none_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources: Vec<String> = [("vm-1", 1.0), ("ct-1", 2.0)]
        .map(|(name, cost)| {
            written(folder.path(), &format!("{name}.json"), good(name, cost).to_string().as_bytes())
        })
        .to_vec();
    // A folder is one instance: its scrapes may come in any order, and one twice.
    let scrapes = folder.path().join("box");
    std::fs::create_dir(&scrapes).unwrap();
    for (name, value, round) in [
        ("a.prom", "3e-7", 130),
        ("b.prom", "1e-7", 100),
        ("c.prom", "2e-7", 115),
        ("d.txt", "2e-7", 115),
        ("e.om", "+Inf", 145),
    ] {
        let mut text = agent(value, round);
        if name.ends_with("om") {
            text.extend(
                b"# TYPE tierprobe_syscall_cold_seconds gauge\ntierprobe_syscall_cold_seconds 1e-6\n# EOF\n",
            );
        }
        written(&scrapes, name, &text);
    }
    sources.push(scrapes.to_str().unwrap().to_owned());
    let report = report(&sources);
    let rows = report["rows"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["group"] == "sandbox" && row["family"] == "tierprobe_syscall_seconds")
        .unwrap();
    // Three rounds are too few for a value, which is said; the instance is there once.
    assert_eq!(row["candidate"]["instances"], json!(0));
    let sandbox =
        report["groups"].as_array().unwrap().iter().find(|group| group["group"] == "sandbox").unwrap();
    assert_eq!(sandbox["instances"], json!(1));
    assert!(report["warnings"].to_string().contains("no finite numbers"), "{}", report["warnings"]);
}

#[test]
fn any_published_quantile_can_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    let sources: Vec<String> = [("a", "vm", 1.0), ("b", "sandbox", 3.0)]
        .map(|(name, tier, cost)| {
            let scrapes = folder.path().join(name);
            std::fs::create_dir(&scrapes).unwrap();
            for round in 0..45_u32 {
                let text = String::from_utf8(agent("1e-7", 100 + 15 * round)).unwrap();
                let value = 1e-6 * cost * (1.0 + 0.001 * f64::from(round * 7 % 11));
                let p95 = format!("tierprobe_syscall_round_seconds{{quantile=\"0.95\"}} {value}\n");
                written(
                    &scrapes,
                    &format!("{round}.prom"),
                    (text.replace("sandbox", tier) + &p95).as_bytes(),
                );
            }
            scrapes.to_str().unwrap().to_owned()
        })
        .to_vec();
    for statistic in ["p95", "0.95"] {
        let mut arguments = sources.clone();
        arguments.extend(["--statistic".to_owned(), statistic.to_owned()]);
        let row = report(&arguments)["rows"][0].clone();
        assert_eq!((&row["statistic"], &row["here"]["verdict"]), (&json!("p95"), &json!("slower")), "{row}");
        assert!((2.9..3.1).contains(&row["ratio"].as_f64().unwrap()), "{row}");
    }
    let mut arguments = sources;
    arguments.extend(["--statistic".to_owned(), "p94".to_owned()]);
    let output = compare(&arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
    assert!(said.contains("no instance publishes p94 of its rounds; there are: p50, p95"), "{said}");
}

#[test]
fn control_characters_of_strangers_reach_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "\u{1b}]0;pwn\u{7}\u{9b}2J\u{202e}";
    let scrape = |tier: &str, round: u32| {
        let text = String::from_utf8(agent("1e-7", round)).unwrap().replace("sandbox", tier);
        let help = format!("# HELP tierprobe_syscall_round_seconds of {evil}\n");
        help + &text.replace("quantile=", &format!("syscall=\"a{evil}\\n|\",quantile="))
    };
    let mut sources = Vec::new();
    for tier in [&format!("vm{evil}"), "sandbox"] {
        let scrapes = folder.path().join(tier);
        std::fs::create_dir(&scrapes).unwrap();
        for round in 0..12 {
            written(&scrapes, &format!("{round}.prom"), scrape(tier, 100 + 15 * round).as_bytes());
        }
        sources.push(scrapes.to_str().unwrap().to_owned());
    }
    sources.push(written(folder.path(), &format!("bad{evil}.prom"), format!("tierprobe_x{evil}").as_bytes()));
    sources.push(serve(|stream, _| write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/\u{9b}2J\r\n\r\n")));
    for (format, more) in [("table", None), ("markdown", None), ("table", Some("--where=tier=zzz"))] {
        let more: Vec<String> = more.into_iter().map(str::to_owned).collect();
        let output = compare_as(format, &[&sources[..], &more].concat());
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let raw = text.chars().find(|c| *c != '\n' && (c.is_control() || *c == '\u{202e}'));
        assert_eq!(raw, None, "{more:?}: {text:?}");
        assert!(text.contains("u{1b}"), "{more:?}: {text}");
    }
}

#[test]
fn standard_input_is_seen_for_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let vm = written(folder.path(), "vm-1.json", good("vm-1", 1.0).to_string().as_bytes());
    let two = good("ct-1", 2.0).to_string() + "\n" + &good("ct-2", 2.0).to_string();
    for input in [two.clone().into_bytes(), gzip(two.as_bytes())] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tierprobe-collector"))
            .args(["compare", "--format", "json", &vm, "-"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&input).unwrap();
        let output = child.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["sources"][1], json!({"source": "-", "instances": 2, "observations": 120}));
    }
}

#[test]
fn standard_input_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let vm = written(folder.path(), "vm-1.json", good("vm-1", 1.0).to_string().as_bytes());
    let mut child = Command::new(env!("CARGO_BIN_EXE_tierprobe-collector"))
        .args(["compare", "-", &vm, "-"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("standard input (-) is named twice"), "{said}");
}
