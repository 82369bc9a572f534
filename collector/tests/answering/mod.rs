//! Targets that answer what a test wants them to.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The address of a target on a port of its own. `answer` gets each connection once its request is read, and the number
/// of connections before it; whoever asked may be gone by then.
pub(crate) fn serve(
    answer: impl Fn(&mut TcpStream, usize) -> io::Result<()> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/metrics", listener.local_addr().unwrap());
    let (answer, served) = (Arc::new(answer), AtomicUsize::new(0));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let before = served.fetch_add(1, Ordering::Relaxed);
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut request = BufReader::new(stream.try_clone().unwrap());
                let mut length = 0;
                for line in request.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty())
                {
                    let field = line.to_ascii_lowercase();
                    let told =
                        field.strip_prefix("content-length:").and_then(|told| told.trim().parse().ok());
                    length = told.unwrap_or(length);
                }
                // Whoever is still being told something when it closes would be reset.
                let _form = io::copy(&mut request.take(length), &mut io::sink());
                let _whoever_asked_may_be_gone = answer(&mut stream, before);
            });
        }
    });
    address
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
