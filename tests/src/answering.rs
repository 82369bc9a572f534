//! Answers scrapes for agents that are none, on ports of the loopback interface, and says when their rounds end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// A round of an agent: its number, and when it ended, in seconds since the epoch.
pub type Clock = Arc<dyn Fn() -> (u64, f64) + Send + Sync>;

/// A clock with a round every so many milliseconds of the real time.
#[must_use]
pub fn every(round: Duration) -> Clock {
    Arc::new(move || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let number = u64::try_from(since.as_millis() / round.as_millis().max(1)).unwrap_or_default();
        (number, end_of(round, number))
    })
}

/// When a round of that clock ended, in seconds since the epoch.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch are below 2^53")]
pub fn end_of(round: Duration, number: u64) -> f64 {
    (u128::from(number) * round.as_millis()) as f64 / 1000.0
}

/// Seconds since the epoch.
#[must_use]
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// What is asked for: behind which port, counted from 0, and at which path.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The port.
    pub port: usize,
    /// The path.
    pub path: &'a str,
}

/// Agents that are none.
pub trait Agents: Send + Sync + 'static {
    /// What is at a place now, and of which round it is; without anything the connection ends.
    fn show(&self, place: Place<'_>) -> Option<(String, u64)>;

    /// The last byte of that round was sent.
    fn was_shown(&self, place: Place<'_>, round: u64);
}

/// Ports that answer for agents until this is dropped. All of them are one thread and cost little.
#[derive(Debug)]
pub struct Answering {
    addresses: Vec<SocketAddr>,
    _end: oneshot::Sender<()>,
}

impl Answering {
    /// Starts to answer on so many ports.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn start(ports: usize, agents: Arc<impl Agents>) -> Self {
        let (_end, ended) = oneshot::channel::<()>();
        let (sender, started) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut addresses = Vec::new();
                for port in 0..ports {
                    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                    addresses.push(listener.local_addr().unwrap());
                    let agents = Arc::clone(&agents);
                    tokio::spawn(async move {
                        while let Ok((stream, _)) = listener.accept().await {
                            tokio::spawn(answer(stream, port, Arc::clone(&agents)));
                        }
                    });
                }
                sender.send(addresses).unwrap();
                let _dropped = ended.await;
            });
        });
        Self { addresses: started.recv().unwrap(), _end }
    }

    /// Host and port of each.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// Answers every request on a connection, which is kept.
async fn answer(mut stream: TcpStream, port: usize, agents: Arc<impl Agents>) {
    let _delays_answers = stream.set_nodelay(true);
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        request.extend_from_slice(buffer.get(..read).unwrap_or_default());
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        request.clear();
        let place = Place { port, path: text.split(' ').nth(1).unwrap_or_default() };
        let Some((body, round)) = agents.show(place) else { return };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.is_err() {
            return;
        }
        agents.was_shown(place, round);
    }
}
