//! A server with tight limits, over its socket.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tierprobe_web::{Limits, Request, Response, Site, answer};
use tokio::sync::{Notify, oneshot};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// More than the kernel keeps for a client that does not read.
const LARGE_BYTES: usize = 64 << 20;

#[derive(Default)]
struct Store {
    ready: AtomicBool,
    /// Whoever asks for `/slow` has come in.
    asked: Notify,
    /// `/slow` may be answered.
    go_on: Notify,
}

impl Site for Store {
    async fn answer(&self, request: &Request) -> Option<Response> {
        match request.path() {
            "/" => Some(answer::plain(StatusCode::OK, "hello\n")),
            "/long" => Some(answer::plain(StatusCode::OK, "hello\n".repeat(1000))),
            "/large" => Some(answer::plain(StatusCode::OK, vec![b'x'; LARGE_BYTES])),
            "/slow" => {
                self.asked.notify_one();
                self.go_on.notified().await;
                Some(answer::plain(StatusCode::OK, "at last\n"))
            }
            _ => None,
        }
    }

    async fn finish(&self, request: &Request, response: Response) -> Response {
        tierprobe_web::gzip::compressed(request, response).await
    }

    fn not_ready(&self) -> Option<String> {
        (!self.ready.load(Ordering::Relaxed)).then(|| "not yet".to_owned())
    }
}

struct Server {
    address: SocketAddr,
    store: Arc<Store>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(limits: Limits) -> Self {
        let store = Arc::new(Store::default());
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = oneshot::channel();
        let site = Arc::clone(&store);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listeners = tierprobe_web::listen(&["127.0.0.1:0".parse().unwrap()], "test").await;
                let listeners = listeners.unwrap();
                tell.send(listeners.first().unwrap().local_addr().unwrap()).unwrap();
                let shutdown = async {
                    let _dropped_is_told = ended.await;
                };
                tierprobe_web::serve(listeners, site, limits, shutdown).await;
            });
        });
        let address = told.recv_timeout(PATIENCE).unwrap();
        Self { address, store, end: Some(end), thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// All that comes back for these bytes until the server hangs up.
    fn send(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    }

    /// Tells it to end, without waiting.
    fn tell_to_end(&mut self) {
        drop(self.end.take());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tell_to_end();
        self.store.go_on.notify_waiters();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn tight() -> Limits {
    let short = Duration::from_millis(300);
    Limits { connections: 2, head: short, stall: short, grace: PATIENCE, ..Limits::default() }
}

#[test]
fn paths_methods_and_health_are_told_apart() {
    let server = Server::start(Limits::default());
    assert!(server.get("/").starts_with("HTTP/1.1 200 "));
    assert!(server.get("/nowhere").starts_with("HTTP/1.1 404 "));
    let post =
        server.send("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
    assert!(post.starts_with("HTTP/1.1 405 ") && post.contains("allow: GET, HEAD"), "{post}");
    assert!(server.get("/-/healthy").ends_with("healthy\n"));
    let waiting = server.get("/-/ready");
    assert!(waiting.starts_with("HTTP/1.1 503 ") && waiting.ends_with("not yet\n"), "{waiting}");
    server.store.ready.store(true, Ordering::Relaxed);
    assert!(server.get("/-/ready").starts_with("HTTP/1.1 200 "));
    let head = server.send("HEAD /long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(head.contains("content-length: 6000") && head.ends_with("\r\n\r\n"), "{head}");
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let server = Server::start(Limits::default());
    let answers = server.send(
        "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 2, "{answers}");
}

#[test]
fn only_long_answers_are_compressed_and_only_for_who_can_read_them() {
    let server = Server::start(Limits::default());
    let ask = |path: &str, encoding: &str| {
        server.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
        ))
    };
    let long = ask("/long", "gzip");
    assert!(long.contains("content-encoding: gzip") && long.len() < 1000, "{long}");
    assert!(!ask("/long", "br").contains("content-encoding"));
    assert!(ask("/long", "br").contains("vary: Accept-Encoding"));
    assert!(!ask("/", "gzip").contains("content-encoding"));
}

#[test]
fn a_head_that_does_not_come_or_does_not_end_is_not_waited_for() {
    let server = Server::start(tight());
    // All places are taken by clients that say nothing, or too little.
    let silent = server.connect();
    let mut begun = server.connect();
    begun.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    assert!(server.get("/").starts_with("HTTP/1.1 200 "));
    drop((silent, begun));
    let mut long = server.connect();
    let _may_hang_up = long.write_all(format!("GET /{} HTTP/1.1\r\n", "a".repeat(1 << 20)).as_bytes());
    let mut answer = Vec::new();
    // Hanging up on what was not read may reset the connection.
    let _reset = long.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert!(server.get("/").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_client_that_does_not_read_its_answer_loses_its_place() {
    let server = Server::start(tight());
    let mut greedy = [server.connect(), server.connect()];
    for stream in &mut greedy {
        stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    assert!(server.get("/").starts_with("HTTP/1.1 200 "));
}

#[test]
fn what_was_begun_is_answered_before_the_end() {
    let mut server = Server::start(Limits { grace: PATIENCE, ..Limits::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut waiting = server.connect();
    waiting.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    runtime.block_on(server.store.asked.notified());
    server.tell_to_end();
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(server.address).is_ok() {
        assert!(Instant::now() < end, "it still accepts");
        std::thread::sleep(Duration::from_millis(10));
    }
    server.store.go_on.notify_one();
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("at last\n"), "{answer}");
}

#[test]
fn clients_that_do_not_end_are_not_waited_for_longer_than_the_grace() {
    let mut server = Server::start(Limits { grace: Duration::from_millis(100), ..Limits::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut waiting = server.connect();
    waiting.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    runtime.block_on(server.store.asked.notified());
    server.tell_to_end();
    // Nothing lets the answer go on: only the grace ends this.
    server.thread.take().unwrap().join().unwrap();
    server.thread = Some(std::thread::spawn(|| {}));
}
