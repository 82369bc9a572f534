//! Computes a comparison once for all who ask, away from those who answer.
//!
//! A verdict is given on windows that are over, on a grid that begins at the epoch: repeated looks at one that grows
//! would find a difference too often where there is none. What is under way is shown without verdicts.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

use super::board::Board;
use super::config::Config;
use super::keeper::Keeper;
use super::problem::Problem;
use super::question::{Question, Window};
use super::site::Site;
use super::{now, within};
use crate::compare::{self, Comparison};
use crate::dataset::Span;
use crate::error::{CompareError, chain};
use crate::report::{self, Input};
use crate::store::StoreError;
use crate::store::read::Query;

/// Answers that are kept.
const KEPT: usize = 32;

/// Comparisons that are computed at the same time: one holds up to some hundred MiB.
const AT_A_TIME: usize = 1;

/// How long somebody waits for a comparison before being told to ask again; it is finished all the same.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether a window is over.
const LOOK: Duration = Duration::from_secs(1);

/// Shortest time for which a live answer holds.
const LIVE_HOLDS: Duration = Duration::from_secs(5);

/// How long a window is waited for beyond its end and a scrape interval, for scrapes that are under way.
const LATE: Duration = Duration::from_secs(2);

/// After how many intervals without an answer a target counts as stale.
const STALE_INTERVALS: u32 = 3;

/// What the page says of a window that is not over.
const LIVE: &str = "This window is not over: intervals are shown as they grow, and verdicts when it is.";

/// A comparison, and of when it is.
#[derive(Debug)]
pub struct Answer {
    /// The comparison.
    pub comparison: Comparison,
    /// The page, which shows more of the data than the comparison has; the data are gone by now.
    pub page: String,
    /// The window, in seconds since the epoch.
    pub span: Span,
    /// Whether the window is not over yet.
    pub is_live: bool,
    /// How long it took.
    pub took: Duration,
}

type Outcome = Result<Arc<Answer>, Problem>;

/// A question at one time; its answer does not change.
#[derive(Debug, Clone, PartialEq)]
struct Key {
    question: Question,
    span: Span,
    is_live: bool,
}

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
    places: Arc<Semaphore>,
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
        Self {
            config,
            board,
            keeper,
            entries: Arc::default(),
            places: Arc::new(Semaphore::new(AT_A_TIME)),
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
            Window::Last(length) => (length.as_secs_f64(), false),
            Window::Live(length) => (length.as_secs_f64(), true),
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
        entries.truncate(KEPT);
        drop(entries);

        let (places, entries, key) = (Arc::clone(&self.places), Arc::clone(&self.entries), key.clone());
        let (config, board) = (Arc::clone(&self.config), Arc::clone(&self.board));
        tokio::spawn(async move {
            let Ok(_place) = places.acquire_owned().await else { return };
            let asked = key.clone();
            let computing = tokio::task::spawn_blocking(move || compute(&asked, &reader, &config, &board));
            let Ok(outcome) = computing.await else { return };
            if outcome.is_err() {
                // It may be otherwise the next time.
                forget(&entries, &key);
            }
            let _nobody_waits = sender.send(Some(outcome));
        });
        Ok(outcome)
    }

    fn forget(&self, key: &Key) {
        forget(&self.entries, key);
    }

    fn note(&self, outcome: Outcome) {
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
                if let Err(problem) = &outcome {
                    tracing::debug!(reason = problem.message, "no comparison of the last window");
                }
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

fn compute(key: &Key, reader: &crate::store::Reader, config: &Config, board: &Board) -> Outcome {
    let begin = Instant::now();
    let options = &key.question.options;
    let query = Query {
        span: key.span,
        statistic: options.statistic,
        filters: &options.filters,
        limit: config.readings_limit,
        stale_seconds: (config.pace.interval * STALE_INTERVALS).as_secs_f64(),
    };
    let dataset = reader.dataset(&query).map_err(|error| of_store(&error))?;
    let shown: Vec<&str> = dataset.sources().iter().map(|one| one.source.as_str()).collect();
    let mut failures = board.failures();
    failures.retain(|failure| !shown.contains(&failure.source.as_str()));
    let dataset = dataset.with_dropped(failures);
    let comparison = compare::compare(&dataset, options).map_err(|error| of_comparing(&error, key))?;
    let comparison = if key.is_live { comparison.without_verdicts() } else { comparison };
    let notes = if key.is_live { vec![LIVE.to_owned()] } else { Vec::new() };
    let refresh_seconds = Some(if key.is_live { 15 } else { 60 });
    let input = Input { notes: &notes, refresh_seconds, ..Input::new(&comparison, &dataset, options) };
    let page = report::html::page(&input);
    Ok(Arc::new(Answer { comparison, page, span: key.span, is_live: key.is_live, took: begin.elapsed() }))
}

fn of_store(error: &StoreError) -> Problem {
    if matches!(error, StoreError::TooMuch { .. }) {
        return Problem::too_much(error.to_string());
    }
    Problem::ours(format!("{}; see the collector's log, or run it with --storage.check", chain(error)))
}

fn of_comparing(error: &CompareError, key: &Key) -> Problem {
    let window = if key.is_live {
        "so far"
    } else {
        "in the last window that is over; window=live has what is there since"
    };
    Problem::nothing(format!("{} ({window})", chain(error)))
}

fn floor(seconds: f64, length: f64) -> f64 {
    (seconds / length).floor() * length
}
