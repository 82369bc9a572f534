//! The running agent over its socket.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking")]

mod log;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use log::Log;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Agent {
    child: Child,
    address: SocketAddr,
}

impl Agent {
    /// Starts an agent and waits until it has measured once.
    fn ready(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tierprobe-agent"))
            .args(["serve", "--probe.pressure=1", "--web.listen-address=127.0.0.1:0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = Log::of(child.stderr.take().unwrap());
        let address = log.address("message=listening");
        log.pass_on();
        let agent = Self { child, address };
        agent.wait(|agent| agent.get("/-/ready").contains(" 200 "));
        agent
    }

    fn wait(&self, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < end, "the agent at {} did not get there", self.address);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Head and body of the answer to these bytes.
    fn send(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
    }

    fn value(&self, series: &str) -> Option<f64> {
        let answer = self.get("/metrics");
        let line = answer.lines().find(|line| line.split(' ').next() == Some(series))?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _may_be_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn it_answers_with_metrics_a_landing_page_and_its_health() {
    let agent = Agent::ready(&[]);
    let metrics = agent.get("/metrics");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4"), "{metrics}");
    assert!(
        metrics.contains("tierprobe_syscall_round_seconds{syscall=\"getppid\",quantile=\"0.5\"}"),
        "{metrics}"
    );
    assert!(agent.get("/").contains("<h1>tierprobe-agent"));
    assert!(agent.get("/-/healthy").contains(" 200 "));
    assert!(agent.get("/nowhere").contains(" 404 "));
    let post =
        agent.send(b"POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    assert!(post.contains(" 405 ") && post.contains("allow: GET, HEAD"), "{post}");
}

#[test]
fn whoever_sends_garbage_or_nothing_keeps_nobody_waiting() {
    let agent = Agent::ready(&[]);
    // More than it serves at a time, all of them silent.
    let idle: Vec<TcpStream> = (0..40).map(|_| agent.connect()).collect();
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..], b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n"] {
        let mut stream = agent.connect();
        stream.write_all(garbage).unwrap();
        drop(stream);
    }
    let head = [b"GET /metrics HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 64 << 10]].concat();
    let mut stream = agent.connect();
    // It may hang up in the middle.
    let _refused = stream.write_all(&head);
    assert!(agent.get("/metrics").contains(" 200 "));
    drop(idle);
}

#[test]
fn only_the_probes_that_are_on_run() {
    let agent = Agent::ready(&["--no-probe.network", "--no-probe.scheduler"]);
    let metrics = agent.get("/metrics");
    assert!(!metrics.contains("probe=\"network\"") && !metrics.contains("tierprobe_scheduler_"), "{metrics}");
    assert!(metrics.contains("probe=\"syscall\""), "{metrics}");
}

#[test]
fn over_budget_rounds_are_skipped_and_counted() {
    // Three milliseconds of credit for the first round, and fifty microseconds an interval from then on.
    let agent = Agent::ready(&["--probe.interval=500ms", "--probe.budget=0.0001"]);
    let skipped = "tierprobe_probe_skipped_rounds_total{probe=\"syscall\",reason=\"budget\"}";
    agent.wait(|agent| agent.value(skipped).is_some_and(|count| count >= 2.0));
    let metrics = agent.get("/metrics");
    let runs: f64 = metrics
        .lines()
        .filter(|line| line.starts_with("tierprobe_probe_runs_total{outcome=\"ok\""))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert!(runs >= 1.0, "{metrics}");
}

#[test]
fn a_slot_is_kept() {
    let agent = Agent::ready(&["--probe.interval=2s", "--probe.slot=2/4", "--probe.budget=1"]);
    let mut ends = Vec::new();
    for _ in 0..3 {
        let last = "tierprobe_probe_last_round_timestamp_seconds{probe=\"syscall\"}";
        agent.wait(|agent| agent.value(last).is_some_and(|end| Some(&end) != ends.last()));
        ends.extend(agent.value(last));
    }
    for end in ends {
        let within = end.rem_euclid(2.0);
        // Begins within [0.5, 1.0); a busy machine may let a round that has begun end late.
        assert!((0.5..1.5).contains(&within), "{within} s into the interval");
    }
}

#[test]
fn it_ends_in_order_when_told_to() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut agent = Agent::ready(&[]);
        kill(Pid::from_raw(i32::try_from(agent.child.id()).unwrap()), signal).unwrap();
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = agent.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "{signal} was not heeded");
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "{signal}: {status}");
    }
}
