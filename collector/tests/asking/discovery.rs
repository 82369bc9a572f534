//! Lists of targets that change while agents are scraped: files that are exchanged, pages, and a name server.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::place::{agent, ok, place, read, status};
use tierprobe_collector::http::Net;
use tierprobe_collector::source::discovery::Refresh;
use tierprobe_collector::source::{Gathered, Options};

fn often() -> Options {
    let refresh = Refresh { files: Duration::from_millis(100), others: Duration::from_millis(100) };
    Options { refresh, ..Options::default() }
}

fn list(targets: &[SocketAddr], rack: &str) -> String {
    let targets: Vec<String> = targets.iter().map(|target| format!("\"{target}\"")).collect();
    format!("[{{\"targets\": [{}], \"labels\": {{\"rack\": \"{rack}\"}}}}]", targets.join(","))
}

fn exchange(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn names(gathered: &Gathered) -> Vec<(String, String)> {
    let instances = gathered.collected.iter().map(|one| &one.instance);
    let mut names: Vec<_> =
        instances.map(|instance| (instance.name.clone(), instance.labels["rack"].clone())).collect();
    names.sort();
    names
}

#[test]
fn a_file_that_changes_is_followed_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agents.json");
    let [first, second] = [place(None, |_| agent()), place(None, |_| agent())];
    exchange(&path, &list(&[first], "r1"));
    let source = format!("file_sd:{}", path.display());
    let reading = std::thread::spawn({
        let source = source.clone();
        move || read(&[source], Duration::from_secs(3), often())
    });
    std::thread::sleep(Duration::from_millis(600));
    exchange(&path, "[{\"targets\":");
    std::thread::sleep(Duration::from_millis(600));
    exchange(&path, &list(&[second], "r2"));
    let gathered = reading.join().unwrap();
    let mut expected = vec![(first.to_string(), "r1".to_owned()), (second.to_string(), "r2".to_owned())];
    expected.sort();
    assert_eq!(names(&gathered), expected);
    assert_eq!(gathered.dropped, []);
    assert!(gathered.collected.iter().all(|one| one.source == source));
}

#[test]
fn a_list_that_is_none_is_dropped_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agents.yml");
    std::fs::write(&path, "- targets: [127.0.0.1:1]\n- tragets: []\n").unwrap();
    let good = place(None, |_| agent());
    let sources = [format!("file_sd:{}", path.display()), format!("http://{good}/metrics")];
    let gathered = read(&sources, Duration::ZERO, often());
    assert_eq!(gathered.collected.len(), 1);
    let reason = &gathered.dropped[0].reason;
    assert!(
        reason.contains("agents.yml") && reason.contains("line 2") && reason.contains("tragets"),
        "{reason}"
    );
}

#[test]
fn a_page_lists_agents() {
    let target = place(None, |_| agent());
    let page = place(None, move |request| match request.line.as_str() {
        "GET /targets HTTP/1.1" => ok("application/json", &list(&[target], "r1")),
        "GET /empty HTTP/1.1" => ok("application/json", "[]"),
        "GET /page HTTP/1.1" => ok("text/html", "<html>"),
        "GET /half HTTP/1.1" => ok("application/json", "[{\"targets\":[\"a:1\""),
        _ => status("503 Service Unavailable"),
    });
    let of = |path: &str| read(&[format!("http_sd:http://{page}{path}")], Duration::ZERO, often());
    let gathered = of("/targets");
    assert_eq!(names(&gathered), [(target.to_string(), "r1".to_owned())]);
    let reason = |path: &str| of(path).dropped[0].reason.clone();
    assert!(reason("/empty").contains("no targets"), "{}", reason("/empty"));
    assert!(reason("/page").contains("text/html"), "{}", reason("/page"));
    assert!(reason("/half").contains("line 1"), "{}", reason("/half"));
    assert!(reason("/busy").contains("503"), "{}", reason("/busy"));
}

/// A name server that knows `agents.test` (A), `_agents._tcp.test` (SRV) and `one.test` (A), and nothing else.
pub(crate) fn name_server(port: u16) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _lost = socket.send_to(&reply(&buffer[..length], port), from);
        }
    });
    address
}

/// A reply as RFC 1035 has it; SRV as RFC 2782.
fn reply(query: &[u8], port: u16) -> Vec<u8> {
    let mut name = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let length = usize::from(query[at]);
        name.push(String::from_utf8_lossy(&query[at + 1..=at + length]).to_lowercase());
        at += length + 1;
    }
    let question = &query[12..at + 5];
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let answers: Vec<Vec<u8>> = match (name.join(".").as_str(), kind) {
        ("agents.test" | "one.test", 1) => vec![vec![127, 0, 0, 1]],
        ("_agents._tcp.test", 33) => {
            let target = [&[0, 0, 0, 0][..], &port.to_be_bytes(), b"\x03one\x04test\x00"].concat();
            vec![target]
        }
        _ => Vec::new(),
    };
    let is_known =
        !answers.is_empty() || name.last().is_some_and(|last| last == "test") && name[0] != "nobody";
    let mut reply = query[..2].to_vec();
    reply.extend([
        0x81,
        if is_known { 0x80 } else { 0x83 },
        0,
        1,
        0,
        u8::try_from(answers.len()).unwrap(),
        0,
        0,
        0,
        0,
    ]);
    reply.extend(question);
    for answer in answers {
        reply.extend([0xc0, 0x0c]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 1]);
        reply.extend(u16::try_from(answer.len()).unwrap().to_be_bytes());
        reply.extend(answer);
    }
    reply
}

#[test]
fn names_are_asked_for_agents() {
    let target = place(None, |_| agent());
    let port = target.port();
    let server = name_server(port);
    let of = |source: String| {
        let net = Arc::new(Net::new(vec![server]));
        read(&[source], Duration::ZERO, Options { net, ..often() })
    };
    let found = |source: String| {
        let gathered = of(source);
        assert_eq!(gathered.dropped, []);
        gathered.collected.iter().map(|one| one.instance.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(found(format!("dns:agents.test:{port}")), [format!("127.0.0.1:{port}")]);
    assert_eq!(found("dns+srv:_agents._tcp.test".to_owned()), [format!("one.test:{port}")]);
    assert_eq!(found(format!("http://one.test:{port}/metrics")), [format!("one.test:{port}")]);
    let unknown = of(format!("dns:nobody.test:{port}"));
    assert!(unknown.dropped[0].reason.contains("nobody.test"), "{unknown:?}");
    let unknown = of(format!("http://nobody.test:{port}/metrics"));
    assert!(unknown.dropped[0].reason.contains("cannot find the host \"nobody.test\""), "{unknown:?}");
}
