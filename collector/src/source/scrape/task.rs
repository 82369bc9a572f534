//! Follows one target.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::{Next, Pace, Scrape, Shared, Sink, Target};
use crate::error::FetchError;
use crate::exposition;
use crate::http::{Answer, Client, Limits};

/// The plain format first: it is the one with nothing more to read.
const ACCEPT: &str = "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5";
const TYPES: [&str; 2] = ["text/plain", "application/openmetrics-text"];

/// Scrapes one target from `first` on until it `ended`, or the sink has enough.
pub(super) async fn follow<S: Sink>(
    target: Arc<Target>,
    shared: Arc<Shared<S>>,
    first: Instant,
    mut ended: oneshot::Receiver<()>,
) {
    let Pace { timeout, .. } = shared.pace;
    let interval = shared.pace.interval.max(Pace::MIN_INTERVAL);
    let limits = Limits { timeout, body_bytes: exposition::MAX_BYTES };
    let mut client = Client::new(target.address.clone(), Arc::clone(&target.access), Arc::clone(&shared.net));
    let mut reader = shared.sink.open(&target);
    let mut next = first;
    loop {
        // A turn that has come is not slept for: timers are a millisecond late, and what ends meanwhile, as a span of
        // no length does, would have no scrape.
        if next > Instant::now() {
            tokio::select! {
                () = sleep_until(next) => {}
                _ = &mut ended => break,
            }
        }
        // The semaphore is never closed, so there is always a slot in the end.
        let slot = shared.slots.acquire().await;
        let begin = Instant::now();
        let answer = client.get(ACCEPT, limits).await;
        let took = begin.elapsed();
        let after = match answer.map_err(FetchError::from).and_then(exposition_of) {
            Ok(bytes) => {
                let text =
                    exposition::decode(&bytes).map(|text| Scrape { text, took }).map_err(FetchError::from);
                shared.sink.take(&target, &mut reader, text)
            }
            Err(error) => shared.sink.take(&target, &mut reader, Err(error)),
        };
        drop(slot);
        if after == Next::GiveUp {
            break;
        }
        // Counted from the first: a slow answer must not stretch all later intervals. What it overslept is skipped.
        while next <= Instant::now() {
            next += interval;
        }
    }
    shared.sink.close(&target, reader);
}

/// The body of an answer that is what was asked for.
fn exposition_of(answer: Answer) -> Result<Vec<u8>, FetchError> {
    if answer.status != 200 {
        return Err(FetchError::Status { status: answer.status });
    }
    let found = answer.mime_type();
    if !found.is_empty() && !TYPES.contains(&found.as_str()) {
        return Err(FetchError::ContentType(found.chars().take(60).collect()));
    }
    Ok(answer.body)
}
