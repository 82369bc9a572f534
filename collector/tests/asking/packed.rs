//! Answers that come packed: what is offered is understood, and a bomb does not go off.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tierprobe_collector::http::Net;
use tierprobe_collector::source::{Gathered, Options};

use crate::discovery::name_server;
use crate::place::{agent, ok, place, read};
use crate::stores::{JSON, options, sound};

/// More than an exposition may have, in zeros: 20 MiB become some KiB.
const BOMB_BYTES: usize = 20 << 20;

fn packed(bytes: &[u8], encoding: &str) -> Vec<u8> {
    match encoding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest),
        _ => bytes.to_vec(),
    }
}

fn answer(body: &[u8], encoding: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// What an agent shows, without the head.
fn exposition() -> Vec<u8> {
    agent().split_once("\r\n\r\n").unwrap().1.as_bytes().to_vec()
}

/// Asks it by a name: what answers on an address of this machine is asked not to pack.
fn by_name(target: SocketAddr) -> Gathered {
    let net = Arc::new(Net::new(vec![name_server(target.port())]));
    let source = format!("http://one.test:{}/metrics", target.port());
    read(&[source], Duration::ZERO, Options { net, ..Options::default() })
}

#[test]
fn what_is_offered_is_understood_by_whichever_the_other_side_takes() {
    let offered: Arc<Mutex<Vec<String>>> = Arc::default();
    for encoding in ["zstd", "gzip", "identity"] {
        let own = Arc::clone(&offered);
        let target = place(None, move |request| {
            own.lock().unwrap().push(request.header("accept-encoding").to_owned());
            answer(&packed(&exposition(), encoding), encoding)
        });
        let gathered = by_name(target);
        assert_eq!(gathered.dropped, [], "{encoding}");
        assert_eq!(gathered.collected[0].observations(), 1, "{encoding}");
        // On this machine packing costs more than it saves, but whoever does it all the same is understood.
        let local = read(&[format!("http://{target}/metrics")], Duration::ZERO, Options::default());
        assert_eq!(local.dropped, [], "{encoding}");
    }
    let offered = offered.lock().unwrap();
    for pair in offered.chunks(2) {
        assert_eq!(pair, ["zstd, gzip", "identity"]);
    }
    assert_eq!(offered.len(), 6);
}

#[test]
fn bombs_and_what_is_none_of_what_it_says_are_refused_by_name() {
    let zeros = vec![0; BOMB_BYTES];
    let cut = |encoding| {
        let whole = packed(&exposition(), encoding);
        whole[..whole.len() - 5].to_vec()
    };
    for (body, encoding, said) in [
        (packed(&zeros, "gzip"), "gzip", "16 MiB"),
        (packed(&zeros, "zstd"), "zstd", "16 MiB"),
        (cut("gzip"), "gzip", "no gzip although it says so, or is cut off"),
        (cut("zstd"), "zstd", "no zstd although it says so, or is cut off"),
        (packed(&exposition(), "gzip"), "zstd", "no zstd"),
        (exposition(), "br", "\"br\", which was not asked for"),
        (packed(&packed(&exposition(), "gzip"), "gzip"), "gzip, gzip", "\"gzip, gzip\""),
    ] {
        assert!(body.len() < 256 * 1024, "{} bytes", body.len());
        let target = place(None, move |_| answer(&body, encoding));
        let gathered = by_name(target);
        let reason = &gathered.dropped[0].reason;
        assert!(gathered.collected.is_empty() && reason.contains(said), "{encoding}: {reason}");
    }
}

/// Stores pack what is asked for by a name, and some pack as they like.
#[test]
fn answers_of_stores_are_unpacked_as_they_come() {
    for encoding in ["gzip", "zstd", "identity"] {
        for is_cut in [false, true] {
            let target = place(None, move |request| {
                let whole = ok(JSON, &sound(request));
                let body = whole.split_once("\r\n\r\n").unwrap().1;
                let mut bytes = packed(body.as_bytes(), encoding);
                if is_cut && request.form("query").starts_with("tierprobe_syscall") {
                    bytes.truncate(bytes.len() - 5);
                }
                answer(&bytes, encoding)
            });
            let net = Arc::new(Net::new(vec![name_server(target.port())]));
            let source = format!("prometheus+http://one.test:{}/prefix", target.port());
            let gathered =
                read(&[source], Duration::ZERO, Options { net, ..options(Duration::from_secs(5)) });
            if is_cut {
                assert!(gathered.dropped[0].reason.contains("cut off"), "{encoding}: {gathered:?}");
                assert!(gathered.collected.is_empty(), "{encoding}");
            } else {
                assert_eq!(gathered.dropped, [], "{encoding}");
                assert_eq!(gathered.collected[0].observations(), 2, "{encoding}");
            }
        }
    }
}
