//! The one place where a request is let in.

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};

use crate::{Request, Response, Site, answer};

/// Why a request is not answered with what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing here can be changed, only read.
    #[error("only GET and HEAD")]
    Method,
    /// There is no such path.
    #[error("not found")]
    NotFound,
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
        }
    }
}

/// From a request to its answer. The body of a request is never read: none of ours has one.
pub(crate) async fn enter<S: Site>(site: &S, request: hyper::Request<Incoming>) -> Response {
    let request = Request::new(request.into_parts().0);
    let response = match admit(&request) {
        Ok(()) => match site.answer(&request).await {
            Some(response) => response,
            None => health(site, &request),
        },
        Err(refusal) => refused(site, &request, refusal),
    };
    site.finish(&request, response).await
}

fn admit(request: &Request) -> Result<(), Refusal> {
    if *request.method() == Method::GET || *request.method() == Method::HEAD {
        Ok(())
    } else {
        Err(Refusal::Method)
    }
}

fn health<S: Site>(site: &S, request: &Request) -> Response {
    match request.path() {
        "/-/healthy" => answer::plain(StatusCode::OK, "healthy\n"),
        "/-/ready" => match site.not_ready() {
            None => answer::plain(StatusCode::OK, "ready\n"),
            Some(why) => answer::plain(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        _ => refused(site, request, Refusal::NotFound),
    }
}

fn refused<S: Site>(site: &S, request: &Request, refusal: Refusal) -> Response {
    let mut response = site.refuse(request, refusal);
    if refusal == Refusal::Method {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
