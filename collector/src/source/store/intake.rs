//! Takes in answers while the store works on the next one.
//!
//! Reading an answer takes about as long as the store needs for it. One after the other, each would wait for the other
//! half of the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::StoreError;
use super::answer::{Heard, Matrix, Series};
use super::names::Metric;
use super::reading::{Reading, Taken};
use crate::source::Quota;

/// What there is to take in, in this order for each probe.
#[derive(Debug)]
pub(super) enum Part {
    /// An answer with the ends of rounds.
    Rounds(Vec<u8>),
    /// An answer with which of them were disturbed.
    Marks(Vec<u8>),
    /// The values that follow are of this metric.
    Metric(Metric),
    /// An answer with values.
    Values(Vec<u8>),
    /// The next probe begins.
    EndOfProbe,
}

/// A thread that takes in one part after the other.
#[derive(Debug)]
pub(super) struct Intake {
    parts: mpsc::Sender<Part>,
    worker: JoinHandle<Result<(Reading, Heard), StoreError>>,
    observations: Arc<AtomicUsize>,
}

impl Intake {
    /// Starts it; it ends when this is dropped.
    pub(super) fn start(reading: Reading, quota: Arc<Quota>) -> Self {
        // One answer waits at the most while another is read: they are large.
        let (parts, receiver) = mpsc::channel(1);
        let observations = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&observations);
        let worker = tokio::task::spawn_blocking(move || work(receiver, reading, &count, &quota));
        Self { parts, worker, observations }
    }

    /// Hands over a part. Returns when the one before is taken up, so that no more than two answers are in memory.
    ///
    /// # Errors
    ///
    /// When an answer that was handed over before is none that can be relied on.
    pub(super) async fn give(&mut self, part: Part) -> Result<(), StoreError> {
        let is_taken = self.parts.send(part).await.is_ok() && self.parts.reserve().await.is_ok();
        if is_taken {
            return Ok(());
        }
        // It ends before we do for an error only.
        ended(&mut self.worker).await.map(|_| ())
    }

    /// How many observations there are so far.
    pub(super) fn observations(&self) -> usize {
        self.observations.load(Ordering::Relaxed)
    }

    /// Waits until all is taken in.
    ///
    /// # Errors
    ///
    /// As [`Intake::give`].
    pub(super) async fn end(self) -> Result<(Reading, Heard), StoreError> {
        let Self { parts, mut worker, .. } = self;
        drop(parts);
        ended(&mut worker).await
    }
}

async fn ended<T>(worker: &mut JoinHandle<Result<T, StoreError>>) -> Result<T, StoreError> {
    match worker.await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The program ends.
            Err(error) => Err(StoreError::NoApi { why: error.to_string() }),
        },
    }
}

fn work(
    mut parts: mpsc::Receiver<Part>,
    mut reading: Reading,
    observations: &AtomicUsize,
    quota: &Quota,
) -> Result<(Reading, Heard), StoreError> {
    let mut heard = Heard::default();
    let mut current: Option<(Metric, Taken)> = None;
    while let Some(part) = parts.blocking_recv() {
        match part {
            Part::Rounds(body) => {
                reading.add_rounds(series(&mut heard, body)?);
                // There is a reading at each of them, or more.
                quota.look(reading.rounds())?;
            }
            Part::Marks(body) => reading.mark_rounds(series(&mut heard, body)?),
            Part::Metric(metric) => current = Some((metric, Taken::new())),
            Part::Values(body) => {
                let series = series(&mut heard, body)?;
                if let Some((metric, taken)) = &mut current {
                    let before = reading.observations();
                    reading.observe(metric, series, taken);
                    quota.take(reading.observations() - before)?;
                    observations.store(reading.observations(), Ordering::Relaxed);
                }
            }
            Part::EndOfProbe => reading.end_probe(),
        }
    }
    Ok((reading, heard))
}

/// What an answer holds; the text of it is gone after that.
fn series(heard: &mut Heard, body: Vec<u8>) -> Result<Vec<Series>, StoreError> {
    let matrix: Matrix = heard.open(&body)?;
    drop(body);
    Ok(matrix.result)
}
