//! Scrapes a list of targets, for a while or for ever.
//!
//! - [`Target`]: one place to scrape. The list of them may change at any time.
//! - [`Sink`]: who takes what comes in.
//! - [`run`]: the engine. One thread is enough for thousands of targets.
//! - [`collect`]: the sink of `compare`.
//!
//! Each target has a task of its own and one connection that is kept. When in the interval it is scraped follows
//! from its address, so a fleet is spread over the interval and a target keeps its place in it over restarts.

pub mod collect;
mod target;
mod task;

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use target::Target;

use crate::error::FetchError;
use crate::http::Net;

/// The targets, as they are now.
pub type Targets = Vec<Arc<Target>>;

/// How often to scrape, and with how much haste.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From the begin of one scrape of a target to the begin of the next; at least [`Pace::MIN_INTERVAL`].
    pub interval: Duration,
    /// Over how long the first scrapes are spread: the interval, or half of all the time where that is less.
    pub spread: Duration,
    /// How long one scrape may take, from the look-up of the name to the body's last byte.
    pub timeout: Duration,
    /// Most scrapes that are under way at the same time.
    pub concurrency: usize,
}

impl Pace {
    /// Shortest interval: more often is a load on the target and shows no more rounds.
    pub const MIN_INTERVAL: Duration = Duration::from_millis(200);
    /// Scrapes that are under way at the same time by default. Those that wait for an answer that never comes must
    /// not hold up the others.
    pub const CONCURRENCY: usize = 512;
}

impl Default for Pace {
    fn default() -> Self {
        let interval = Duration::from_secs(15);
        Self { interval, spread: interval, timeout: Duration::from_secs(10), concurrency: Self::CONCURRENCY }
    }
}

/// What a target answered.
#[derive(Debug, Clone, Copy)]
pub struct Scrape<'a> {
    /// The exposition.
    pub text: &'a str,
    /// How long it took.
    pub took: Duration,
}

/// What is to become of a target after a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is scraped again in its turn.
    Again,
    /// It is not scraped again unless it leaves the list and comes back.
    GiveUp,
}

/// Takes what the engine fetches. All calls come from the engine's own tasks, those of one target one after the
/// other; each should be short, as the others wait meanwhile.
pub trait Sink: Send + Sync + 'static {
    /// What the sink keeps of one target, such as an [`Accumulator`](super::Accumulator).
    type Reader: Send + 'static;

    /// A target is new on the list.
    fn open(&self, target: &Target) -> Self::Reader;

    /// A scrape of the target is over.
    fn take(
        &self,
        target: &Target,
        reader: &mut Self::Reader,
        scrape: Result<Scrape<'_>, FetchError>,
    ) -> Next;

    /// The target has left the list, or the engine stops: nothing more comes of it.
    fn close(&self, target: &Target, reader: Self::Reader);
}

/// What all tasks need.
struct Shared<S> {
    sink: Arc<S>,
    pace: Pace,
    net: Arc<Net>,
    slots: Semaphore,
}

/// Scrapes the targets until `stop` is ready, or until the list is final, as its sender is gone, and the sink has
/// given up all that are on it.
///
/// A scrape whose turn has come when `stop` is ready is made, and one that is under way is brought to its end. A target
/// that leaves the list and comes back is a new one.
///
/// Must run on a Tokio runtime with time and I/O. A runtime of one thread is enough; what `sink` does is done on it.
#[expect(
    clippy::mutable_key_type,
    reason = "what is read of files for access is no part of a target's identity"
)]
pub async fn run<S: Sink>(
    mut targets: watch::Receiver<Targets>,
    pace: Pace,
    net: Arc<Net>,
    sink: Arc<S>,
    stop: impl Future<Output = ()>,
) {
    crate::http::allow_many_connections();
    let shared = Arc::new(Shared { sink, pace, net, slots: Semaphore::new(pace.concurrency.max(1)) });
    let mut tasks = JoinSet::new();
    // Dropping the sender ends the target's task.
    let mut running: HashMap<Arc<Target>, oneshot::Sender<()>> = HashMap::new();
    let mut is_final = false;
    tokio::pin!(stop);
    loop {
        let wanted: HashSet<Arc<Target>> = targets.borrow_and_update().iter().cloned().collect();
        running.retain(|target, _| wanted.contains(target));
        while tasks.try_join_next().is_some() {}
        for target in wanted {
            if let std::collections::hash_map::Entry::Vacant(free) = running.entry(target) {
                let (sender, ended) = oneshot::channel();
                let first = Instant::now() + free.key().phase(pace.spread);
                tasks.spawn(task::follow(Arc::clone(free.key()), Arc::clone(&shared), first, ended));
                free.insert(sender);
            }
        }
        tokio::select! {
            () = &mut stop => break,
            changed = targets.changed(), if !is_final => is_final = changed.is_err(),
            () = all_ended(&mut tasks), if is_final => break,
        }
    }
    running.clear();
    all_ended(&mut tasks).await;
}

async fn all_ended(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::http::Rules;
    use crate::observation::Labels;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Sink for Count {
        type Reader = ();

        fn open(&self, _: &Target) {}

        fn take(&self, _: &Target, (): &mut (), _: Result<Scrape<'_>, FetchError>) -> Next {
            self.0.fetch_add(1, Ordering::Relaxed);
            Next::Again
        }

        fn close(&self, _: &Target, (): ()) {}
    }

    /// How many scrapes there are of one target, which refuses connections, until it is over at once.
    async fn scrapes(spread: Duration) -> usize {
        let address = "http://127.0.0.1:1/metrics".parse().unwrap();
        let target = Target::new(address, Labels::new(), "test".into(), &Rules::default());
        let (_sender, targets) = watch::channel(vec![Arc::new(target)]);
        let sink = Arc::new(Count::default());
        let pace = Pace { spread, ..Pace::default() };
        run(targets, pace, Arc::default(), Arc::clone(&sink), std::future::ready(())).await;
        sink.0.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_turn_that_has_come_is_taken_however_soon_the_end() {
        assert_eq!(scrapes(Duration::ZERO).await, 1);
        assert_eq!(scrapes(Duration::from_secs(3600)).await, 0);
    }
}
