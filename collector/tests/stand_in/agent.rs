//! Stands in for the agent in tests of the lab: answers every request with one probe's round, taken in its turn.
//!
//! Compiled by the tests themselves, static and without any crate.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let flag = |name: &str, default: &str| {
        let prefix = format!("--{name}=");
        let value = arguments.iter().find_map(|argument| argument.strip_prefix(&prefix));
        value.unwrap_or(default).to_owned()
    };
    let slot = flag("probe.slot", "1/1");
    let (number, of) = slot.split_once('/').unwrap();
    let (number, of): (f64, f64) = (number.parse().unwrap(), of.parse().unwrap());
    let interval = flag("probe.interval", "1000ms");
    let interval = match interval.strip_suffix("ms") {
        Some(milliseconds) => milliseconds.parse::<f64>().unwrap() / 1e3,
        None => interval.trim_end_matches('s').parse().unwrap(),
    };

    let round = Arc::new(Mutex::new(None));
    let latest = Arc::clone(&round);
    thread::spawn(move || {
        loop {
            let now = since_epoch();
            let begin = (now / interval).floor() * interval + (number - 1.0) / of * interval;
            let begin = if begin < now { begin + interval } else { begin };
            thread::sleep(Duration::from_secs_f64(begin - now));
            let started = Instant::now();
            for _ in 0..1000 {
                std::hint::black_box(std::os::unix::process::parent_id());
            }
            *latest.lock().unwrap() = Some((since_epoch(), started.elapsed().as_secs_f64() / 1000.0));
        }
    });

    let listener = TcpListener::bind(flag("web.listen-address", "127.0.0.1:10990")).unwrap();
    for mut stream in listener.incoming().flatten() {
        let _ = stream.read(&mut [0; 4096]);
        let body = exposition(*round.lock().unwrap());
        let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    }
}

fn since_epoch() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn exposition(round: Option<(f64, f64)>) -> String {
    let mut text = "# TYPE tierprobe_tier_info gauge\ntierprobe_tier_info{tier=\"unknown\"} 1\n".to_owned();
    if let Some((end, seconds)) = round {
        text += "# TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n";
        text += &format!("tierprobe_probe_last_round_timestamp_seconds{{probe=\"syscall\"}} {end}\n");
        text += "# TYPE tierprobe_syscall_round_seconds summary\n";
        for quantile in ["0", "0.5", "0.9", "0.99", "1"] {
            text += &format!("tierprobe_syscall_round_seconds{{quantile=\"{quantile}\"}} {seconds}\n");
        }
        text += "tierprobe_syscall_round_seconds_sum 1\ntierprobe_syscall_round_seconds_count 1\n";
    }
    text
}
