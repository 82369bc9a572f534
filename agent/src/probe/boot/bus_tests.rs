use std::io::{Read as _, Write as _};
use std::thread;

use super::super::message::tests::{Value, answer, refusal, welcome};
use super::*;

/// Longest that any of these may take; some servers here do not answer for ever.
const PATIENCE: Duration = Duration::from_millis(300);
const LIMIT: Duration = Duration::from_secs(10);

const OK: &[u8] = b"OK 0123456789abcdef0123456789abcdef\r\n";

/// What the agent makes of a server that does this, which never takes longer than the patience and some noise.
fn asked(
    peer: fn(UnixStream) -> Peer,
    serve: impl FnOnce(&mut UnixStream) -> std::io::Result<()> + Send + 'static,
) -> Result<Vec<(String, u64)>, String> {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    // It may be hung up on.
    let server = thread::spawn(move || serve(&mut theirs).is_ok());
    let begin = clock::monotonic_nanos();
    let result = properties(peer(ours), PATIENCE);
    let took = Duration::from_nanos(clock::monotonic_nanos() - begin);
    assert!(took < LIMIT, "{took:?}");
    server.join().unwrap();
    result
}

/// Reads until what was read ends so.
fn until(stream: &mut UnixStream, end: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        read.extend(byte);
    }
    Ok(read)
}

/// Lets the agent in, and reads its question.
fn let_in(stream: &mut UnixStream) -> std::io::Result<()> {
    // As systemd reads it: in one piece, with nothing of the question behind the beginning.
    let mut introduction = [0; 200];
    let length = stream.read(&mut introduction)?;
    let user: String =
        nix::unistd::geteuid().to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
    assert_eq!(&introduction[..length], format!("\0AUTH EXTERNAL {user}\r\nBEGIN\r\n").as_bytes());
    stream.write_all(OK)?;
    until(stream, b"org.freedesktop.systemd1.Manager\0").map(drop)
}

fn systemd() -> Vec<(String, Value)> {
    [
        ("Version", Value::Text("252.39-1~deb12u1".to_owned())),
        ("FinishTimestampMonotonic", Value::U64(13_506_962)),
        ("Environment", Value::Texts(vec!["LANG=C".to_owned()])),
        ("NNames", Value::U32(226)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn numbers() -> Vec<(String, u64)> {
    vec![("FinishTimestampMonotonic".to_owned(), 13_506_962), ("NNames".to_owned(), 226)]
}

#[test]
fn an_answer_may_come_in_the_smallest_pieces() {
    let result = asked(Peer::Bus, |stream| {
        let_in(stream)?;
        for byte in [welcome(), answer(false, 2, &systemd())].concat() {
            stream.write_all(&[byte])?;
        }
        Ok(())
    });
    assert_eq!(result, Ok(numbers()));
}

#[test]
fn systemd_itself_wants_no_greeting() {
    let result = asked(Peer::Itself, |stream| {
        let_in(stream)?;
        stream.write_all(&answer(true, 2, &systemd()))
    });
    assert_eq!(result, Ok(numbers()));
}

#[test]
fn a_refusal_is_passed_on() {
    let denied = asked(Peer::Bus, |stream| {
        let_in(stream)?;
        let refusal = refusal("org.freedesktop.DBus.Error.AccessDenied", "not\u{1b}you");
        stream.write_all(&[welcome(), refusal].concat())
    });
    assert_eq!(denied, Err("refused: org.freedesktop.DBus.Error.AccessDenied: not you".to_owned()));
    let rejected = asked(Peer::Itself, |stream| {
        until(stream, b"\r\n")?;
        stream.write_all(b"REJECTED EXTERNAL\r\n")
    });
    assert_eq!(rejected, Err("not let in: REJECTED EXTERNAL".to_owned()));
}

#[test]
fn silence_ends_with_the_patience() {
    let deaf = asked(Peer::Itself, |stream| stream.read_to_end(&mut Vec::new()).map(drop));
    assert_eq!(deaf, Err("no answer in time".to_owned()));
    let mute = asked(Peer::Bus, |stream| {
        let_in(stream)?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    });
    assert_eq!(mute, Err("no answer in time".to_owned()));
    let slow = asked(Peer::Itself, |stream| {
        let_in(stream)?;
        for byte in answer(false, 2, &systemd()) {
            thread::sleep(Duration::from_millis(20));
            stream.write_all(&[byte])?;
        }
        Ok(())
    });
    assert_eq!(slow, Err("no answer in time".to_owned()));
}

#[test]
fn garbage_is_no_answer() {
    for (garbage, why) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "what came is no message"),
        (&[0xff; 64], "what came is no message"),
        (b"l\x02\0\x01\x04\0\0\0\x01\0\0\0\0\0\0\0\xff\xff\xff\xff", "the connection was closed"),
        (
            b"l\x02\0\x01\x04\0\0\0\x01\0\0\0\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\xffbody",
            "what came is no answer",
        ),
        (b"", "the connection was closed"),
        (b"l", "the connection was closed"),
    ] {
        let result = asked(Peer::Itself, move |stream| {
            let_in(stream)?;
            stream.write_all(garbage)
        });
        assert_eq!(result, Err(why.to_owned()), "{garbage:?}");
    }
}

#[test]
fn what_is_too_much_is_not_read() {
    let line = asked(Peer::Itself, |stream| {
        loop {
            stream.write_all(&[b'x'; 64])?;
        }
    });
    assert_eq!(line, Err("too long a line".to_owned()));
    let announced = asked(Peer::Itself, |stream| {
        let_in(stream)?;
        stream.write_all(b"l\x02\0\x01\0\0\0\x07\x01\0\0\0\0\0\0\0")
    });
    assert_eq!(announced, Err("too long an answer".to_owned()));
    let signals = asked(Peer::Bus, |stream| {
        let_in(stream)?;
        loop {
            stream.write_all(&welcome())?;
        }
    });
    assert_eq!(signals, Err("no answer among 64 messages".to_owned()));
}
