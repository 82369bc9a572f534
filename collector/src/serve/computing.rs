//! One comparison: a window of the store into what is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::board::Board;
use super::config::Config;
use super::coverage;
use super::problem::Problem;
use super::question::Question;
use crate::compare::{self, Comparison};
use crate::dataset::Span;
use crate::error::{CompareError, chain};
use crate::report::{self, Input};
use crate::store::read::Query;
use crate::store::window::{Seen, Window};
use crate::store::{Reader, StoreError};

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
    pub(super) fn bytes(&self) -> usize {
        const ROW: usize = 2048;
        const SOURCE: usize = 256;
        let Comparison { sources, dropped, .. } = &self.comparison;
        self.page.len() + self.comparison.rows().count() * ROW + (sources.len() + dropped.len()) * SOURCE
    }
}

/// What comes of a question.
pub(super) type Outcome = Result<Arc<Answer>, Problem>;

/// A question at one time; its answer does not change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) question: Question,
    pub(super) span: Span,
    pub(super) is_live: bool,
}

/// Answers a question by what the store has.
///
/// # Errors
///
/// [`Problem`].
pub(super) fn compute(key: &Key, reader: &Reader, config: &Config, board: &Board) -> Outcome {
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
