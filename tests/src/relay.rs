//! A relay that holds every message up for a known time: UDP and TCP, on one port of the loopback interface.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tierprobe_agent::echo::message::requested_length;

/// Room for one message.
const MESSAGE_BYTES: usize = 16 << 10;

/// How long a thread waits before it looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);

/// The last part of a delay is spun: a sleeping thread wakes up late.
const SPIN: Duration = Duration::from_micros(100);

/// Between whoever sends to [`Relay::address`] and a server. It ends with the value.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Relays to `server`. Each message on its way there waits for `delay`; answers come back at once.
    ///
    /// # Panics
    ///
    /// If there is no port.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn start(server: SocketAddr, delay: Duration) -> Self {
        let (listener, socket) = (0..100)
            .find_map(|_| {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let socket = UdpSocket::bind(listener.local_addr().unwrap()).ok()?;
                Some((listener, socket))
            })
            .unwrap();
        let address = listener.local_addr().unwrap();
        let end = Arc::new(AtomicBool::new(false));
        listener.set_nonblocking(true).unwrap();
        let ends = [Arc::clone(&end), Arc::clone(&end)];
        let [of_udp, of_tcp] = ends;
        let threads = vec![
            std::thread::spawn(move || udp(&socket, server, delay, &of_udp)),
            std::thread::spawn(move || tcp(&listener, server, delay, &of_tcp)),
        ];
        Self { address, end, threads }
    }

    /// Where to send to instead of to the server.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let _has_said_why = thread.join();
        }
    }
}

/// Waits until `delay` after `since`, never less.
fn hold_up(since: Instant, delay: Duration) {
    let until = since + delay;
    if let Some(sleep) = until.saturating_duration_since(Instant::now()).checked_sub(SPIN) {
        std::thread::sleep(sleep);
    }
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
fn udp(socket: &UdpSocket, server: SocketAddr, delay: Duration, end: &AtomicBool) {
    let upstream = UdpSocket::bind("127.0.0.1:0").unwrap();
    upstream.connect(server).unwrap();
    for one in [socket, &upstream] {
        one.set_read_timeout(Some(LOOK)).unwrap();
    }
    let _stays_at_fifty_micros = nix::sys::prctl::set_timerslack(1);
    let mut message = vec![0; MESSAGE_BYTES];
    while !end.load(Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut message) else { continue };
        hold_up(Instant::now(), delay);
        let Some(sent) = message.get(..length) else { continue };
        if upstream.send(sent).is_err() {
            continue;
        }
        let Ok(length) = upstream.recv(&mut message) else { continue };
        let _client_may_be_gone = socket.send_to(message.get(..length).unwrap_or_default(), client);
    }
}

fn tcp(listener: &TcpListener, server: SocketAddr, delay: Duration, end: &AtomicBool) {
    let _stays_at_fifty_micros = nix::sys::prctl::set_timerslack(1);
    while !end.load(Relaxed) {
        match listener.accept() {
            // One after the other, as the agent asks.
            Ok((client, _)) => {
                let _ended = relay(&client, server, delay, end);
            }
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn relay(
    mut client: &TcpStream,
    server: SocketAddr,
    delay: Duration,
    end: &AtomicBool,
) -> std::io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(LOOK))?;
    let mut upstream = TcpStream::connect(server)?;
    upstream.set_nodelay(true)?;
    upstream.set_read_timeout(Some(LOOK))?;
    let mut message = vec![0; MESSAGE_BYTES];
    while !end.load(Relaxed) {
        let length = client.read(&mut message)?;
        if length == 0 {
            return Ok(());
        }
        // The whole message: of a part of it there is no answer yet.
        let whole = requested_length(&message).unwrap_or(length);
        client.read_exact(message.get_mut(length..whole).unwrap_or_default())?;
        hold_up(Instant::now(), delay);
        let message = message.get_mut(..whole).unwrap_or_default();
        upstream.write_all(message)?;
        upstream.read_exact(message)?;
        client.write_all(message)?;
    }
    Ok(())
}
