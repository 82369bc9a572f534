//! Accepts on all listeners, and ends in order.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::{Limits, Site, connection};

/// Pause after the system refused a connection, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts and answers until `shutdown`; then accepts no more, and gives what was begun [`Limits::grace`] to end.
pub async fn serve<S: Site>(
    listeners: Vec<TcpListener>,
    site: Arc<S>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    // Nothing is ever sent: that the sender is gone is the sign to end.
    let (close, closed) = watch::channel(());
    let mut accepting = Vec::new();
    for listener in listeners {
        accepting.push(tokio::spawn(accept(listener, Arc::clone(&site), limits, closed.clone())));
    }
    shutdown.await;
    drop(close);
    for one in accepting {
        let _panics_are_aborts = one.await;
    }
}

async fn accept<S: Site>(
    listener: TcpListener,
    site: Arc<S>,
    limits: Limits,
    mut closed: watch::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let next = async {
            // Accepting first would take from the kernel's queue what nobody answers.
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            next = next => next,
            _ = closed.changed() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (site, closed) = (Arc::clone(&site), closed.clone());
                tokio::spawn(async move {
                    connection::serve(stream, site, limits, closed).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Whoever comes now is refused at once instead of waiting for nobody.
    drop(listener);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if tokio::time::timeout(limits.grace, places.acquire_many(all)).await.is_err() {
        tracing::warn!("ending although clients are still being answered");
    }
}
