//! What a site sees of a request.

use hyper::Method;
use hyper::header::HeaderName;
use hyper::http::request::Parts;

/// Longest query of an address, in bytes.
const MAX_QUERY_BYTES: usize = 4096;

/// A request that has come in whole, without its body.
#[derive(Debug)]
pub struct Request {
    parts: Parts,
}

/// Why the parameters of a request cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// More than any sensible question needs.
    #[error("the parameters are longer than {MAX_QUERY_BYTES} bytes: ask for less at a time")]
    TooLong,
}

impl Request {
    pub(crate) const fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The path, not decoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The value of a header, if it is one text.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// Names and values of the parameters, decoded, in their order.
    ///
    /// # Errors
    ///
    /// When they are too long.
    pub fn parameters(&self) -> Result<Vec<(String, String)>, QueryError> {
        parameters(self.parts.uri.query().unwrap_or_default())
    }
}

/// Names and values of the parameters in the query of an address, decoded, in their order.
///
/// # Errors
///
/// When they are too long.
pub fn parameters(query: &str) -> Result<Vec<(String, String)>, QueryError> {
    if query.len() > MAX_QUERY_BYTES {
        return Err(QueryError::TooLong);
    }
    Ok(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> Request {
        Request::new(hyper::Request::builder().uri(uri).body(()).unwrap().into_parts().0)
    }

    #[test]
    fn parameters_are_decoded_and_keep_their_order() {
        let parameters = request("/x?where=a%3Db&where=c+d&empty=&bare").parameters().unwrap();
        let expected = [("where", "a=b"), ("where", "c d"), ("empty", ""), ("bare", "")];
        assert_eq!(parameters, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(request("/x").parameters(), Ok(Vec::new()));
    }

    #[test]
    fn a_query_without_end_is_refused() {
        let long = format!("/x?a={}", "b".repeat(MAX_QUERY_BYTES));
        assert_eq!(request(&long).parameters(), Err(QueryError::TooLong));
    }
}
