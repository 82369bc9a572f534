//! The one place where a stream becomes a connection.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::stall::Stall;
use crate::{Limits, Site, door};

/// Answers one client until either side has enough.
pub(crate) async fn serve<S: Site>(
    stream: TcpStream,
    site: Arc<S>,
    limits: Limits,
    mut closed: watch::Receiver<()>,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(door::enter(&*site, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes)
        .serve_connection(TokioIo::new(Stall::new(stream, limits.stall)), service);
    let mut connection = std::pin::pin!(connection);
    let whole = async {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            _ = closed.changed() => {}
        }
        // Ends after the answer that is under way, or at once.
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Ok(Err(error)) = tokio::time::timeout(limits.connection, whole).await {
        // Scrapers hang up when they please, and port scanners send what they please.
        tracing::debug!(%error, "connection ended");
    }
}
