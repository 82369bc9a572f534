//! The sink of `compare`: scrapes for a while into one [`Packed`] a target.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Next, Pace, Scrape, Sink, Target};
use crate::error::{FetchError, SourceError};
use crate::observation::{Packed, Statistic, Vocabulary};
use crate::source::{Accumulator, Options, Quota};

/// How often in a row a target may answer with something that is no exposition before it is given up.
///
/// A target that is not up yet is waited for, as the user asked for a duration; one that answers, but with a page
/// for people, will not become an agent.
const PATIENCE: usize = 3;

/// After how many intervals without an answer a target counts as stale.
const STALE_INTERVALS: u32 = 3;

/// When to scrape, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// How long to go on; zero scrapes once.
    pub duration: Duration,
    /// From the begin of one scrape to the begin of the next; at least [`Pace::MIN_INTERVAL`].
    pub interval: Duration,
    /// How long one scrape may take, from the look-up of the name to the body's last byte.
    pub timeout: Duration,
    /// Most scrapes that are under way at the same time.
    pub concurrency: usize,
}

impl Schedule {
    /// Shortest interval: more often is a load on the target and shows no more rounds.
    pub const MIN_INTERVAL: Duration = Pace::MIN_INTERVAL;

    pub(in crate::source) fn pace(&self) -> Pace {
        Pace {
            interval: self.interval,
            // Everyone's first turn comes well before the end.
            spread: self.interval.min(self.duration / 2),
            timeout: self.timeout,
            concurrency: self.concurrency,
        }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15 * 60),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            concurrency: Pace::CONCURRENCY,
        }
    }
}

/// What happened at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A scrape was taken in; so many rounds are there by now.
    Scraped {
        /// The most rounds of any one probe.
        rounds: usize,
    },
    /// A scrape, a look for targets or a query failed.
    Failed {
        /// Why.
        reason: String,
    },
    /// A store has answered; so many observations are there by now.
    Read {
        /// How many.
        observations: usize,
    },
    /// A look for targets found these many.
    Found {
        /// How many.
        targets: usize,
    },
}

/// Hears of events, with the address or the source where they happened.
pub type Report = Arc<dyn Fn(&str, &Event) + Send + Sync>;

/// What became of one target.
pub(in crate::source) type Outcome = (Target, Result<Packed, SourceError>);

/// Collects.
pub(in crate::source) struct Collect {
    interval: Duration,
    only: Option<Statistic>,
    vocabulary: Vocabulary,
    quota: Arc<Quota>,
    report: Report,
    done: Mutex<Vec<Outcome>>,
}

/// One target so far.
pub(in crate::source) struct Reader {
    accumulator: Accumulator,
    last_good: Option<Instant>,
    last_error: Option<FetchError>,
    attempts: usize,
    hopeless: usize,
}

impl Collect {
    pub(in crate::source) fn new(options: &Options, report: Report) -> Self {
        let interval = options.schedule.interval.max(Pace::MIN_INTERVAL);
        let vocabulary = options.vocabulary.clone();
        let quota = Arc::clone(&options.quota);
        Self { interval, only: options.only, vocabulary, quota, report, done: Mutex::default() }
    }

    /// What became of the targets that are closed, in their own order.
    pub(in crate::source) fn outcomes(&self) -> Vec<Outcome> {
        let mut done = std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner));
        done.sort_by(|(a, _), (b, _)| a.cmp(b));
        done
    }
}

impl Sink for Collect {
    type Reader = Reader;

    fn open(&self, target: &Target) -> Reader {
        let accumulator = Accumulator::new(&*target.source, target.instance())
            .labelled(&target.labels)
            .sharing(&self.vocabulary);
        Reader {
            accumulator: match self.only {
                Some(only) => accumulator.keeping(only),
                None => accumulator,
            },
            last_good: None,
            last_error: None,
            attempts: 0,
            hopeless: 0,
        }
    }

    fn take(&self, target: &Target, reader: &mut Reader, scrape: Result<Scrape<'_>, FetchError>) -> Next {
        if self.quota.check().is_err() {
            return Next::GiveUp;
        }
        reader.attempts += 1;
        let before = reader.accumulator.readings();
        let taken = scrape.and_then(|scrape| Ok(reader.accumulator.take(scrape.text)?));
        let event = match taken {
            Ok(_) => {
                reader.last_good = Some(Instant::now());
                Event::Scraped { rounds: reader.accumulator.rounds() }
            }
            Err(error) => {
                let reason = crate::error::chain(&error);
                reader.hopeless = if is_transient(&error) { 0 } else { reader.hopeless + 1 };
                reader.last_error = Some(error);
                Event::Failed { reason }
            }
        };
        (self.report)(&target.address.to_string(), &event);
        let is_too_much = self.quota.take(reader.accumulator.readings() - before).is_err();
        let is_hopeless = reader.last_good.is_none() && reader.hopeless == PATIENCE;
        if is_hopeless || is_too_much { Next::GiveUp } else { Next::Again }
    }

    fn close(&self, target: &Target, reader: Reader) {
        let outcome = (target.clone(), reader.finish(self.interval));
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
    }
}

impl Reader {
    fn finish(self, interval: Duration) -> Result<Packed, SourceError> {
        if let (None, Some(last)) = (self.last_good, self.last_error) {
            return Err(SourceError::NeverGood { attempts: self.attempts, last });
        }
        let mut collected = self.accumulator.measured()?;
        let stale = self.last_good.map(|at| at.elapsed()).filter(|age| *age > interval * STALE_INTERVALS);
        collected.stale_seconds = stale.map(|age| age.as_secs_f64());
        Ok(collected)
    }
}

/// Whether waiting may help.
fn is_transient(error: &FetchError) -> bool {
    match error {
        FetchError::Http(_) => true,
        FetchError::Status { status } => *status >= 500 || *status == 429,
        FetchError::ContentType(_) | FetchError::Take(_) => false,
    }
}
