//! Answers: a status, a type and a body that is there as a whole.

use http_body_util::Full;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};

/// A whole answer.
pub type Response = hyper::Response<Full<Bytes>>;

/// Plain text.
pub const PLAIN: &str = "text/plain; charset=utf-8";
/// A page for people.
pub const HTML: &str = "text/html; charset=utf-8";
/// A document for programs.
pub const JSON: &str = "application/json";

/// An answer of any type.
#[must_use]
pub fn of(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer in plain text.
#[must_use]
pub fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response {
    of(status, PLAIN, text)
}
