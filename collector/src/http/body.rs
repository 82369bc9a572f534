//! Bodies of answers, with limits.

use std::borrow::Cow;

use http_body_util::BodyExt as _;
use hyper::HeaderMap;
use hyper::body::Incoming;
use hyper::header::CONTENT_ENCODING;

use super::net::Share;
use super::{HttpError, Net};
use crate::source::unpack::{self, UnpackError};

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
    unpacked(bytes, &encoding(headers), limit)
}

/// How it says that it is packed; several layers as one list, which nothing here takes.
pub(super) fn encoding(headers: &HeaderMap) -> String {
    let all = headers.get_all(CONTENT_ENCODING).into_iter();
    let all: Vec<_> = all.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    all.join(", ")
}

fn unpacked(bytes: Vec<u8>, encoding: &str, limit: usize) -> Result<Vec<u8>, HttpError> {
    let unpacked = match unpack::decode(&bytes, encoding, limit) {
        Ok(Cow::Owned(unpacked)) => unpacked,
        Ok(Cow::Borrowed(_)) => return Ok(bytes),
        Err(UnpackError::TooLarge { .. }) => return Err(HttpError::TooLong(limit)),
        Err(UnpackError::Unknown(other)) => return Err(HttpError::Encoding(other)),
        Err(UnpackError::Broken { encoding, error }) => return Err(HttpError::Packed { encoding, error }),
        Err(UnpackError::Read(error)) => return Err(HttpError::Protocol(error.to_string())),
    };
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn a_body_that_was_packed_twice_is_refused_by_name() {
        let mut headers = HeaderMap::new();
        assert_eq!(encoding(&headers), "");
        for layer in ["zstd", "gzip"] {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(layer));
        }
        let error = unpacked(b"x".to_vec(), &encoding(&headers), 10).unwrap_err();
        assert!(matches!(&error, HttpError::Encoding(layers) if layers == "zstd, gzip"), "{error}");
    }

    #[test]
    fn what_is_too_long_or_broken_is_said_in_the_words_of_requests() {
        assert_eq!(unpacked(b"text".to_vec(), "identity", 4).unwrap(), b"text");
        assert!(matches!(unpacked(b"text".to_vec(), "", 3), Err(HttpError::TooLong(3))));
        for encoding in ["gzip", "zstd"] {
            let error = unpacked(b"none".to_vec(), encoding, 100).unwrap_err();
            assert!(error.to_string().contains(encoding), "{error}");
        }
    }
}
