//! Computes a comparison once for all who ask, away from those who answer.
//!
//! A verdict is given on windows that are over, on a grid that begins at the epoch: repeated looks at one that grows
//! would find a difference too often where there is none. What is under way is shown without verdicts.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::watch;

use super::board::Board;
use super::computing::{Answer, Key, Outcome, compute};
use super::config::Config;
use super::keeper::Keeper;
use super::problem::Problem;
use super::question::{self, Question};
use super::site::Site;
use super::{now, within};
use crate::dataset::Span;

/// Answers that are kept, and bytes that they may take together; the latest one is kept however large it is.
const KEPT: usize = 32;
const KEPT_BYTES: usize = 24 << 20;

/// How long somebody waits for a comparison before being told to ask again; it is finished all the same.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether a window is over.
const LOOK: Duration = Duration::from_secs(1);

/// Shortest time for which a live answer holds.
const LIVE_HOLDS: Duration = Duration::from_secs(5);

/// How long a window is waited for beyond its end and a scrape interval, for scrapes that are under way.
const LATE: Duration = Duration::from_secs(2);

type Job = Box<dyn FnOnce() + Send>;

#[derive(Debug)]
struct Entry {
    key: Key,
    outcome: watch::Receiver<Option<Outcome>>,
}

/// Comparisons by question.
#[derive(Debug)]
pub struct Comparisons {
    config: Arc<Config>,
    board: Arc<Board>,
    keeper: Arc<Keeper>,
    entries: Arc<Mutex<VecDeque<Entry>>>,
    /// To the thread that computes one after the other: one holds up to some hundred MiB, and what it leaves to the
    /// thread's part of the heap is there for the next one.
    jobs: mpsc::Sender<Job>,
    /// The usual question's latest answer, for metrics.
    latest: Mutex<Option<Arc<Answer>>>,
    /// Why the usual question had no answer last.
    problem: Mutex<Option<Problem>>,
    failures: std::sync::atomic::AtomicU64,
}

impl Comparisons {
    /// None so far.
    #[must_use]
    pub fn new(config: Arc<Config>, board: Arc<Board>, keeper: Arc<Keeper>) -> Self {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let computing = std::thread::Builder::new().name("comparing".to_owned()).spawn(move || {
            // Whoever waits for one that panics hears of it by the end of the job.
            waiting.into_iter().for_each(|job| drop(catch_unwind(AssertUnwindSafe(job))));
        });
        if let Err(error) = computing {
            tracing::error!(%error, "there is no thread for comparisons");
        }
        Self {
            config,
            board,
            keeper,
            entries: Arc::default(),
            jobs,
            latest: Mutex::default(),
            problem: Mutex::default(),
            failures: std::sync::atomic::AtomicU64::new(0),
        }
    }

    /// The answer to a question, computed now unless it is known.
    ///
    /// # Errors
    ///
    /// [`Problem`].
    pub async fn ask(&self, question: Question) -> Outcome {
        let key = self.key(question);
        let mut outcome = self.entry(&key)?;
        let waited = within(PATIENCE, outcome.wait_for(Option::is_some)).await;
        let known = match waited {
            Some(Ok(outcome)) => outcome.clone(),
            // Whoever computes has died.
            Some(Err(_)) => None,
            None => {
                let message = "the comparison takes longer than 30 s and goes on; ask again for it, or for a shorter \
                               window or fewer instances (where=LABEL=VALUE)";
                return Err(Problem::later(message.to_owned(), 10));
            }
        };
        known.unwrap_or_else(|| {
            self.forget(&key);
            Err(Problem::ours("the comparison failed; please report this as a bug, with the log".to_owned()))
        })
    }

    /// The usual question's answer of the last window that is over.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Answer>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why there is no answer to the usual question.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often the usual question had no answer.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Gives the question its time.
    fn key(&self, question: Question) -> Key {
        let interval = self.config.pace.interval;
        let (length, is_live) = match question.window {
            question::Window::Last(length) => (length.as_secs_f64(), false),
            question::Window::Live(length) => (length.as_secs_f64(), true),
        };
        let span = if is_live {
            // Answers hold for a while, so that a page that many look at is computed once.
            let until = floor(now(), interval.max(LIVE_HOLDS).as_secs_f64());
            Span { from: until - length, until }
        } else {
            let until = floor(now() - (interval + LATE).as_secs_f64(), length);
            Span { from: until - length, until }
        };
        Key { question, span, is_live }
    }

    /// Where the answer to a question is or comes to be.
    fn entry(&self, key: &Key) -> Result<watch::Receiver<Option<Outcome>>, Problem> {
        let Some(reader) = self.keeper.reader().cloned() else {
            return Err(Problem::later("the store is still being opened; ask again soon".to_owned(), 5));
        };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = entries.iter().position(|entry| entry.key == *key)
            && let Some(entry) = entries.remove(at)
        {
            let outcome = entry.outcome.clone();
            entries.push_front(entry);
            return Ok(outcome);
        }
        let (sender, outcome) = watch::channel(None);
        entries.push_front(Entry { key: key.clone(), outcome: outcome.clone() });
        trim(&mut entries);
        drop(entries);

        let (entries, key) = (Arc::clone(&self.entries), key.clone());
        let (config, board) = (Arc::clone(&self.config), Arc::clone(&self.board));
        let job = move || {
            let outcome = compute(&key, &reader, &config, &board);
            if outcome.is_err() {
                // It may be otherwise the next time.
                forget(&entries, &key);
            }
            let _nobody_waits = sender.send(Some(outcome));
            trim(&mut entries.lock().unwrap_or_else(PoisonError::into_inner));
        };
        // Where the thread is gone, the job is too, and with it its sender: whoever waits hears that it failed.
        let _thread_is_gone = self.jobs.send(Box::new(job));
        Ok(outcome)
    }

    fn forget(&self, key: &Key) {
        forget(&self.entries, key);
    }

    fn note(&self, outcome: Outcome) {
        if let Err(problem) = &outcome
            && self.problem().as_ref() != Some(problem)
        {
            // Once, and not of each window. That there is nothing to compare yet is no mistake.
            let reason = &problem.message;
            if problem.is_trouble() {
                tracing::warn!(reason, "no comparison of the last window");
            } else {
                tracing::debug!(reason, "no comparison of the last window");
            }
        }
        let problem = match outcome {
            Ok(answer) => {
                *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                None
            }
            Err(problem) => {
                self.failures.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                // What was true of an earlier window is not true of this one.
                *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Some(problem)
            }
        };
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// Forgets the answers that were asked for longest ago, as far as there are too many or they are too large.
fn trim(entries: &mut VecDeque<Entry>) {
    let mut bytes = 0;
    let fitting = entries.iter().take(KEPT).take_while(|entry| {
        let before = bytes;
        bytes += match &*entry.outcome.borrow() {
            Some(Ok(answer)) => answer.bytes(),
            Some(Err(_)) | None => 0,
        };
        before == 0 || bytes <= KEPT_BYTES
    });
    let fitting = fitting.count();
    entries.truncate(fitting);
}

fn forget(entries: &Mutex<VecDeque<Entry>>, key: &Key) {
    let mut entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
    entries.retain(|entry| entry.key != *key);
}

/// Answers the usual question whenever a window is over, so that metrics and the page have the answer already.
pub async fn refresh(site: Arc<Site>, ended: impl Future<Output = ()>) {
    let comparisons = site.comparisons();
    let usual = || Question::usual(&comparisons.config);
    let mut answered = None;
    let work = async {
        if !comparisons.keeper.opened().await {
            return;
        }
        loop {
            let until = comparisons.key(usual()).span.until;
            if answered != Some(until.to_bits()) {
                let outcome = comparisons.ask(usual()).await;
                // Of what takes long, the answer is there at a later look.
                let is_late = outcome.as_ref().is_err_and(|problem| problem.retry_seconds.is_some());
                comparisons.note(outcome);
                answered = (!is_late).then_some(until.to_bits());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = ended => {}
    }
}

fn floor(seconds: f64, length: f64) -> f64 {
    (seconds / length).floor() * length
}
