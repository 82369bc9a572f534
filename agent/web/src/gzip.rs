//! Compression of answers, for sites that want it.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::{Body as _, Bytes};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue, VARY};

use crate::{Request, Response};

/// What is not longer than this fits into a packet or two as it is.
const MIN_BYTES: u64 = 1024;

/// The same answer, compressed where the client takes that and there is something to save.
pub async fn compressed(request: &Request, mut response: Response) -> Response {
    if response.body().size_hint().lower() <= MIN_BYTES {
        return response;
    }
    // Whatever stores answers must not give a compressed one to a client that cannot read it.
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if !request.header(&ACCEPT_ENCODING).is_some_and(accepts) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Some(bytes) = whole(body.clone()) else { return Response::from_parts(parts, body) };
    // Megabytes take long enough to keep others waiting.
    match tokio::task::spawn_blocking(move || encode(&bytes)).await {
        Ok(Ok(smaller)) => {
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            Response::from_parts(parts, Full::new(Bytes::from(smaller)))
        }
        Ok(Err(_)) | Err(_) => Response::from_parts(parts, body),
    }
}

/// Whether `gzip` or `*` is among the encodings, and not with a weight of zero.
fn accepts(header: &str) -> bool {
    let weight = |wanted: &str| {
        header.split(',').find_map(|one| {
            let mut parts = one.split(';').map(str::trim);
            let is_it = parts.next()?.eq_ignore_ascii_case(wanted);
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map(str::parse::<f32>);
            is_it.then(|| weight.is_none_or(|weight| weight.is_ok_and(|weight| weight > 0.0)))
        })
    };
    weight("gzip").or_else(|| weight("*")).unwrap_or(false)
}

/// The bytes of a body that is there as a whole, so that asking for them never waits.
fn whole(mut body: Full<Bytes>) -> Option<Bytes> {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(&mut body).poll_frame(&mut context) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().ok(),
        Poll::Ready(_) | Poll::Pending => None,
    }
}

fn encode(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_zero_are_refusals() {
        for (header, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("identity", false),
            ("", false),
            ("gzip;q=x", false),
        ] {
            assert_eq!(accepts(header), expected, "{header:?}");
        }
    }
}
