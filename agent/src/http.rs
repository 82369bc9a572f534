//! What the agent answers: metrics, a landing page, its health.
//!
//! A scrape reads the latest snapshot and never runs a probe.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::export;
use crate::process::ProcessStats;
use crate::snapshot::{Board, ProbeState};

/// Connections at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 32;

/// Time in which a request's head must have come, from the connection's start or the answer before. Short, because
/// whoever only connects takes a place from the others until then.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest life of a connection. Longer than any scrape interval, so that scrapers can keep theirs.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(600);

/// Pause after the system refused a connection, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What answers are made from.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) board: Arc<Board>,
    pub(crate) telemetry_path: String,
}

/// Accepts and answers until `shutdown`.
pub(crate) async fn serve(listener: TcpListener, answers: Arc<Answers>, shutdown: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    connection(stream, answers).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, answers: Arc<Answers>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&answers, request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(16 << 10)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
        // Scrapers hang up when they please, and port scanners send what they please.
        tracing::debug!(%error, "connection ended");
    }
}

fn answer(answers: &Answers, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match path {
        path if path == answers.telemetry_path => metrics(answers),
        "/" => landing_page(answers),
        "/-/healthy" => plain(StatusCode::OK, "healthy\n"),
        "/-/ready" if answers.board.latest().probes.iter().all(ProbeState::has_had_its_turn) => {
            plain(StatusCode::OK, "ready\n")
        }
        "/-/ready" => plain(StatusCode::SERVICE_UNAVAILABLE, "the first round is not over yet\n"),
        _ => plain(StatusCode::NOT_FOUND, "not found\n"),
    }
}

fn metrics(answers: &Answers) -> Response<Full<Bytes>> {
    match export::text(&answers.board.latest(), &ProcessStats::read()) {
        Ok(text) => response(StatusCode::OK, export::TEXT_FORMAT, text),
        Err(error) => {
            tracing::error!(%error, "could not encode the metrics");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "could not encode the metrics\n")
        }
    }
}

fn landing_page(answers: &Answers) -> Response<Full<Bytes>> {
    let snapshot = answers.board.latest();
    let detection = &snapshot.place.detection;
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>tierprobe-agent</title></head>\n\
         <body><h1>tierprobe-agent {version}</h1>\n<pre>{verdict}</pre>\n\
         <ul><li><a href=\"{path}\">Metrics</a></li><li><a href=\"/-/healthy\">Healthy</a></li>\
         <li><a href=\"/-/ready\">Ready</a></li></ul></body></html>\n",
        version = env!("CARGO_PKG_VERSION"),
        verdict = escape(&crate::detect::text::render(detection)),
        path = escape(&answers.telemetry_path),
    );
    response(StatusCode::OK, "text/html; charset=utf-8", page.into_bytes())
}

/// Text for HTML: kernel files may hold anything.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", text.as_bytes().to_vec())
}

fn response(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let content_type = hyper::header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
