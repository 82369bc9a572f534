//! Bodies of answers, with limits.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt as _;
use hyper::HeaderMap;
use hyper::body::Incoming;
use hyper::header::CONTENT_ENCODING;

use super::net::Share;
use super::{HttpError, Net};

/// The whole body, unpacked, and no more of it than `limit` bytes at any time.
pub(super) async fn read(
    net: &Net,
    place: &str,
    (headers, mut body): (&HeaderMap, Incoming),
    limit: usize,
) -> Result<Vec<u8>, HttpError> {
    // What it says of its length is a promise of a stranger: it only saves growing.
    let promised = hyper::body::Body::size_hint(&body).upper().and_then(|size| usize::try_from(size).ok());
    let mut bytes = Vec::with_capacity(promised.unwrap_or(0).min(limit).min(256 * 1024));
    let mut share = Share::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| HttpError::of(place, &error))?;
        if let Some(data) = frame.data_ref() {
            share.grow(net, bytes.len().saturating_add(data.len())).await;
            if bytes.len().saturating_add(data.len()) > limit {
                return Err(HttpError::TooLong(limit));
            }
            bytes.extend_from_slice(data);
        }
    }
    match headers.get(CONTENT_ENCODING).map(hyper::header::HeaderValue::as_bytes) {
        None | Some(b"" | b"identity") => Ok(bytes),
        Some(b"gzip" | b"x-gzip") => unpack(&bytes, limit),
        Some(other) => Err(HttpError::Encoding(String::from_utf8_lossy(other).chars().take(40).collect())),
    }
}

fn unpack(packed: &[u8], limit: usize) -> Result<Vec<u8>, HttpError> {
    let mut bytes = Vec::new();
    let longest = u64::try_from(limit).map_or(u64::MAX, |limit| limit.saturating_add(1));
    MultiGzDecoder::new(packed).take(longest).read_to_end(&mut bytes).map_err(HttpError::Gzip)?;
    if bytes.len() > limit { Err(HttpError::TooLong(limit)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        assert_eq!(unpack(&gzip(b"text"), 4).unwrap(), b"text");
        let twice = [gzip(b"te"), gzip(b"xt")].concat();
        assert_eq!(unpack(&twice, 4).unwrap(), b"text");
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        let bomb = gzip(&vec![0; 8 * 1024 * 1024]);
        assert!(bomb.len() < 64 * 1024);
        assert!(matches!(unpack(&bomb, 1024 * 1024), Err(HttpError::TooLong(_))));
    }

    #[test]
    fn what_is_cut_off_or_no_gzip_is_refused() {
        let whole = gzip(b"some text that is long enough");
        assert!(matches!(unpack(&whole[..whole.len() - 4], 100), Err(HttpError::Gzip(_))));
        assert!(matches!(unpack(b"no gzip", 100), Err(HttpError::Gzip(_))));
    }
}
