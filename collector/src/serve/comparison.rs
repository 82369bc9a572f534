//! Computes a comparison once for all who ask, away from those who answer.
//!
//! A verdict is given on windows that are over, on a grid that begins at the epoch: repeated looks at one that grows
//! would find a difference too often where there is none. What is under way is shown without verdicts.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::board::Board;
use super::config::Config;
use super::coverage;
use super::keeper::Keeper;
use super::problem::Problem;
use super::question::{self, Question};
use super::site::Site;
use super::{now, within};
use crate::compare::{self, Comparison};
use crate::dataset::Span;
use crate::error::{CompareError, chain};
use crate::report::{self, Input};
use crate::store::StoreError;
use crate::store::read::Query;
use crate::store::window::{Seen, Window};

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
    /// How much of the window was observed.
    pub seen: Seen,
    /// Whether that is enough for verdicts, once the window is over.
    pub is_whole: bool,
    /// How long it took.
    pub took: Duration,
}

impl Answer {
    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        const ROW: usize = 2048;
        const SOURCE: usize = 256;
        let Comparison { sources, dropped, .. } = &self.comparison;
        self.page.len() + self.comparison.rows().count() * ROW + (sources.len() + dropped.len()) * SOURCE
    }
}

type Job = Box<dyn FnOnce() + Send>;

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
    let Window { dataset, seen } = reader.window(&query).map_err(|error| of_store(&error))?;
    let is_whole = coverage::is_whole(&seen, key.span, config.pace.interval);
    // One that is under way has no verdicts that could be taken back.
    let missing = (!is_whole && !key.is_live).then(|| coverage::note(&seen, key.span));
    let shown: Vec<&str> = dataset.sources().iter().map(|one| one.source.as_str()).collect();
    let mut failures = board.failures();
    failures.retain(|failure| !shown.contains(&failure.source.as_str()));
    let dataset = dataset.with_dropped(failures).with_notes(missing.into_iter().collect());
    let comparison = compare::compare(&dataset, options).map_err(|error| of_comparing(&error, key))?;
    let comparison = if key.is_live { comparison.without_verdicts() } else { comparison };
    let notes = if key.is_live { vec![LIVE.to_owned()] } else { Vec::new() };
    let refresh_seconds = Some(if key.is_live { 15 } else { 60 });
    let input = Input { notes: &notes, refresh_seconds, ..Input::new(&comparison, &dataset, options) };
    let page = report::html::page(&input);
    let (span, is_live) = (key.span, key.is_live);
    Ok(Arc::new(Answer { comparison, page, span, is_live, seen, is_whole, took: begin.elapsed() }))
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
