//! The echo service over its sockets: what it answers, and what it does not let anybody do.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking")]

mod log;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use log::Log;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tierprobe_agent::echo::message::{LONGEST, SHORTEST, Ticket, answer, parse_reply, request};
use tierprobe_agent::echo::{LONGEST_SILENCE, MESSAGES_A_SECOND, MOST_CONNECTIONS};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait for what must not come.
const SILENCE: Duration = Duration::from_millis(300);

struct Echo {
    child: Child,
    echo: SocketAddr,
    web: SocketAddr,
}

impl Echo {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tierprobe-agent"))
            .args(["serve", "--web.listen-address=127.0.0.1:0", "--probe.network.echo-address=127.0.0.1:0"])
            .args(["--probe.interval=1h", "--no-probe.cpu", "--no-probe.spawn"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = Log::of(child.stderr.take().unwrap());
        let echo = log.address("answering other agents");
        let web = log.address("message=listening");
        log.pass_on();
        Self { child, echo, web }
    }

    fn udp(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(self.echo).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.echo).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn value(&self, series: &str) -> f64 {
        let mut stream = TcpStream::connect(self.web).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        assert!(line.is_some(), "no {series} in:\n{text}");
        line.unwrap().parse().unwrap()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _may_be_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn message(number: u64, length: usize) -> Vec<u8> {
    request(Ticket { session: 1, number }, length)
}

#[test]
fn an_answer_is_as_long_as_its_message_and_says_which_kernel_gave_it() {
    let echo = Echo::start();
    let (udp, mut tcp) = (echo.udp(), echo.tcp());
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let kernel = tierprobe_agent::echo::message::kernel_tag(boot_id.trim(), 1);
    let mut buffer = vec![0; LONGEST + 100];
    for (number, length) in [SHORTEST, 1472, LONGEST].into_iter().enumerate() {
        let sent = message(number as u64, length);
        udp.send(&sent).unwrap();
        let received = udp.recv(&mut buffer).unwrap();
        assert_eq!(received, length);
        let reply = parse_reply(&buffer[..received], length).unwrap();
        assert_eq!((reply.ticket.number, reply.kernel), (number as u64, kernel));
        assert!(reply.cpu.is_some());

        tcp.write_all(&sent).unwrap();
        tcp.read_exact(&mut buffer[..length]).unwrap();
        assert_eq!(parse_reply(&buffer[..length], length).unwrap().ticket.number, number as u64);
    }
    assert!(
        (echo.value("tierprobe_echo_messages_total{outcome=\"answered\",protocol=\"udp\"}") - 3.0).abs()
            < 0.5
    );
    assert!(echo.value("tierprobe_echo_cpu_seconds_total") > 0.0);
}

#[test]
fn what_is_no_request_is_not_answered() {
    let echo = Echo::start();
    let mut reply = message(1, SHORTEST);
    answer(&mut reply, None, "").unwrap();
    let mut longer_than_said = message(1, 200);
    longer_than_said.push(0);
    let mut shorter_than_said = message(1, 200);
    shorter_than_said.truncate(SHORTEST);
    let wrong = [
        Vec::new(),
        b"x".to_vec(),
        vec![0; SHORTEST],
        vec![0xff; 1400],
        reply,
        longer_than_said,
        shorter_than_said,
    ];
    for bytes in wrong {
        let udp = echo.udp();
        udp.set_read_timeout(Some(SILENCE)).unwrap();
        udp.send(&bytes).unwrap();
        assert!(udp.recv(&mut [0; 2000]).is_err(), "{} bytes were answered", bytes.len());
    }
    // A datagram that is too long, and one that is cut.
    let udp = echo.udp();
    udp.set_read_timeout(Some(SILENCE)).unwrap();
    udp.send(&[message(1, LONGEST), vec![0; 100]].concat()).unwrap();
    assert!(udp.recv(&mut [0; 2000]).is_err());
    // A connection that sends something else ends, without a byte.
    let mut tcp = echo.tcp();
    tcp.write_all(&[b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![b' '; 100]].concat()).unwrap();
    let mut got = Vec::new();
    let _reset_is_an_end_too = tcp.read_to_end(&mut got);
    assert!(got.is_empty());
    assert!(echo.value("tierprobe_echo_messages_total{outcome=\"malformed\",protocol=\"udp\"}") > 7.5);
}

#[test]
fn above_its_rate_nothing_is_answered() {
    let echo = Echo::start();
    let udp = echo.udp();
    udp.set_nonblocking(true).unwrap();
    let (begin, mut answers) = (Instant::now(), 0_u32);
    let mut buffer = [0; 100];
    let mut drain = || {
        while let Ok(length) = udp.recv(&mut buffer) {
            assert_eq!(length, SHORTEST);
            answers += 1;
        }
    };
    for number in 0..8000 {
        let _full = udp.send(&message(number, SHORTEST));
        // As fast as they are taken: what overflows a buffer says nothing about the rate.
        if number % 20 == 0 {
            std::thread::sleep(Duration::from_micros(500));
        }
        drain();
    }
    std::thread::sleep(SILENCE);
    drain();
    let most = f64::from(MESSAGES_A_SECOND) * (1.0 + begin.elapsed().as_secs_f64());
    assert!(f64::from(answers) <= most, "{answers} answers in {:?}", begin.elapsed());
    assert!(answers >= MESSAGES_A_SECOND, "{answers}: a second's worth is there at once");
    assert!(echo.value("tierprobe_echo_messages_total{outcome=\"over_rate\",protocol=\"udp\"}") > 0.5);

    // And goes on when it is asked as much as it is for.
    std::thread::sleep(Duration::from_millis(200));
    udp.set_nonblocking(false).unwrap();
    udp.send(&message(9999, SHORTEST)).unwrap();
    let length = udp.recv(&mut buffer).unwrap();
    assert_eq!(parse_reply(&buffer[..length], SHORTEST).unwrap().ticket.number, 9999);
}

/// Whether the other side has ended the connection, if it does within `patience`.
fn ends(stream: &TcpStream, patience: Duration) -> bool {
    stream.set_read_timeout(Some(patience)).unwrap();
    match (&mut &*stream).read(&mut [0; 100]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn connections_are_limited_in_number_and_time() {
    let echo = Echo::start();
    let mut idle: Vec<TcpStream> = (0..MOST_CONNECTIONS).map(|_| echo.tcp()).collect();
    // One that sends a message a bit at a time takes no longer than one that sends nothing.
    idle[0].write_all(&message(1, SHORTEST)[..10]).unwrap();
    let begin = Instant::now();
    assert!(ends(&echo.tcp(), PATIENCE), "one too many");
    assert!(begin.elapsed() < LONGEST_SILENCE, "refused because the others had ended");
    for stream in &idle {
        assert!(ends(stream, PATIENCE));
    }
    assert!(begin.elapsed() < LONGEST_SILENCE + PATIENCE);
    assert!(echo.value("tierprobe_echo_connections_total{outcome=\"refused\"}") > 0.5);
    let timed_out = echo.value("tierprobe_echo_connections_total{outcome=\"timed_out\"}");
    assert_eq!(timed_out.to_string(), MOST_CONNECTIONS.to_string());
    let mut stream = echo.tcp();
    stream.write_all(&message(2, SHORTEST)).unwrap();
    stream.read_exact(&mut [0; SHORTEST]).unwrap();
}

#[test]
fn whoever_does_not_read_its_answers_is_left() {
    let echo = Echo::start();
    let mut stream = echo.tcp();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    // Four times what the buffers of both kernels may hold.
    let messages = (0..4000).map(|number| message(number, LONGEST)).collect::<Vec<_>>().concat();
    let (begin, mut sent) = (Instant::now(), 0);
    let error = loop {
        assert!(sent < messages.len(), "{sent} bytes were taken without one being read");
        assert!(begin.elapsed() < 3 * PATIENCE, "it still waits after {sent} bytes");
        match stream.write(&messages[sent..]) {
            Ok(length) => sent += length,
            // Full; whether for good is the service's to say.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => break error.kind(),
        }
    };
    assert!(
        [std::io::ErrorKind::ConnectionReset, std::io::ErrorKind::BrokenPipe].contains(&error),
        "{error}"
    );
}

#[test]
fn it_is_where_it_was_told_to_be_and_nowhere_else() {
    let echo = Echo::start();
    let elsewhere = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), echo.echo.port()));
    assert!(TcpStream::connect_timeout(&elsewhere, PATIENCE).is_err());
    let udp = UdpSocket::bind("127.0.0.2:0").unwrap();
    udp.connect(elsewhere).unwrap();
    udp.set_read_timeout(Some(SILENCE)).unwrap();
    let _refused_next_time = udp.send(&message(1, SHORTEST));
    assert!(udp.recv(&mut [0; 100]).is_err());
}

#[test]
fn a_peer_has_no_more_series_than_promised() {
    let echo = Echo::start();
    let output = Command::new(env!("CARGO_BIN_EXE_tierprobe-agent"))
        .args(["measure", "--rounds=6", "--pause=50ms", "--probe=network", "--format=prometheus"])
        .arg(format!("--probe.network.peer=here={}", echo.echo))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let series = text.lines().filter(|line| line.contains("path=\"here\"")).count();
    assert!(series > 100, "{series}: it was not measured");
    assert!(series <= tierprobe_agent::probe::network::MOST_SERIES_OF_A_PEER, "{series}");
}

#[test]
fn it_ends_with_the_agent() {
    let mut echo = Echo::start();
    let _open = echo.tcp();
    let begin = Instant::now();
    kill(Pid::from_raw(i32::try_from(echo.child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert!(echo.child.wait().unwrap().success());
    assert!(begin.elapsed() < PATIENCE);
}

#[test]
fn an_address_that_is_not_ours_is_named_with_what_to_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_tierprobe-agent"))
        .args(["serve", "--web.listen-address=127.0.0.1:0", "--probe.network.echo-address=192.0.2.1:10992"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("--probe.network.echo-address: cannot listen on 192.0.2.1:10992"), "{said}");
}
