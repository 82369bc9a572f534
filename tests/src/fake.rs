//! Agents that are none: they show what a test wants them to, and remember which rounds they have shown.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Hosts behind one address; host `N` is at `/N/metrics`.
#[derive(Debug)]
pub struct Fleet {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    round: Duration,
    end: AtomicBool,
    /// Which rounds each host has shown, and when the last byte of the answer was sent, in seconds since the epoch.
    shown: Mutex<BTreeMap<usize, BTreeMap<u64, f64>>>,
}

impl Fleet {
    /// Starts answering on a free port of the loopback interface; a new round begins every `round`.
    ///
    /// # Panics
    ///
    /// If there is no port.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn start(round: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { round, end: AtomicBool::new(false), shown: Mutex::default() });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if own.end.load(Ordering::Relaxed) {
                    return;
                }
                let own = Arc::clone(&own);
                std::thread::spawn(move || stream.map(|stream| own.answer(&stream)));
            }
        });
        Self { address, shared }
    }

    /// Where a host is scraped.
    #[must_use]
    pub fn url(&self, host: usize) -> String {
        format!("http://{}/{host}/metrics", self.address)
    }

    /// The rounds that a host has shown, by number, with the time when that was.
    #[must_use]
    pub fn shown(&self, host: usize) -> BTreeMap<u64, f64> {
        let shown = self.shared.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.get(&host).cloned().unwrap_or_default()
    }

    /// When a round ended, in seconds since the epoch.
    #[must_use]
    pub fn end_of(&self, round: u64) -> f64 {
        end_of(self.shared.round, round)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.shared.end.store(true, Ordering::Relaxed);
        // The thread that accepts is woken, and finds that it is over.
        let _wake = TcpStream::connect(self.address);
    }
}

impl Shared {
    /// Answers one connection until the client has enough.
    fn answer(&self, stream: &TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        loop {
            let mut first = String::new();
            reader.read_line(&mut first).ok().filter(|bytes| *bytes > 0)?;
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
            }
            if self.end.load(Ordering::Relaxed) {
                return None;
            }
            let host: usize = first.split('/').nth(1)?.parse().ok()?;
            let round = current(self.round);
            let body = exposition(host, end_of(self.round, round), round);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            writer.write_all((head + &body).as_bytes()).ok()?;
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            shown.entry(host).or_default().entry(round).or_insert_with(now);
        }
    }
}

/// Seconds since the epoch.
#[must_use]
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn current(round: Duration) -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis() / round.as_millis().max(1)).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch are below 2^53")]
fn end_of(round: Duration, number: u64) -> f64 {
    (u128::from(number) * round.as_millis()) as f64 / 1000.0
}

/// What a host shows: even hosts are virtual machines at 200 ns a call, odd ones containers at 250 ns, two per cent
/// more or less by host and by round.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn exposition(host: usize, end: f64, round: u64) -> String {
    let tier = if host.is_multiple_of(2) { "vm" } else { "container" };
    let base = if host.is_multiple_of(2) { 200e-9 } else { 250e-9 };
    let spread = |step: u64| (step * 7919 % 41) as f64 / 1000.0 - 0.02;
    let value = base * (1.0 + spread(host as u64 + 3)) * (1.0 + spread(round));
    format!(
        "# TYPE tierprobe_tier_info gauge\n\
         tierprobe_tier_info{{tier=\"{tier}\"}} 1\n\
         # TYPE tierprobe_tier_confidence_ratio gauge\n\
         tierprobe_tier_confidence_ratio 0.99\n\
         # TYPE tierprobe_kernel_info gauge\n\
         tierprobe_kernel_info{{boot_id=\"{host}\",release=\"6.1\",clocksource=\"tsc\"}} 1\n\
         # TYPE tierprobe_probe_resolution_seconds gauge\n\
         tierprobe_probe_resolution_seconds{{probe=\"syscall\"}} 1e-12\n\
         # TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
         tierprobe_probe_last_round_timestamp_seconds{{probe=\"syscall\"}} {end}\n\
         # TYPE tierprobe_probe_last_round_disturbed gauge\n\
         tierprobe_probe_last_round_disturbed{{probe=\"syscall\"}} 0\n\
         # HELP tierprobe_syscall_round_seconds Time of one system call.\n\
         # TYPE tierprobe_syscall_round_seconds summary\n\
         tierprobe_syscall_round_seconds{{syscall=\"getppid\",quantile=\"0\"}} {low}\n\
         tierprobe_syscall_round_seconds{{syscall=\"getppid\",quantile=\"0.5\"}} {value}\n\
         tierprobe_syscall_round_seconds{{syscall=\"getppid\",quantile=\"1\"}} {high}\n\
         tierprobe_syscall_round_seconds_sum{{syscall=\"getppid\"}} 1\n\
         tierprobe_syscall_round_seconds_count{{syscall=\"getppid\"}} 100\n",
        low = value * 0.9,
        high = value * 1.5,
    )
}
