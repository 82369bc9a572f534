//! A live agent, scraped for a while.
//!
//! A target may answer garbage, a page for people, nothing, or without end. None of that may hang the collector
//! or take its memory: each scrape has one deadline over everything, the body has a limit, and redirects are
//! not followed.

use std::time::{Duration, Instant};

use super::Accumulator;
use crate::error::{FetchError, SourceError};
use crate::exposition;
use crate::observation::Collected;

/// When to scrape, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// How long to go on; zero scrapes once.
    pub duration: Duration,
    /// From the begin of one scrape to the begin of the next; at least [`Schedule::MIN_INTERVAL`].
    pub interval: Duration,
    /// How long one scrape may take, from name lookup to the body's last byte.
    pub timeout: Duration,
}

impl Schedule {
    /// Shortest interval: more often is a load on the target and shows no more rounds.
    pub const MIN_INTERVAL: Duration = Duration::from_millis(200);
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15 * 60),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
        }
    }
}

/// What happened at one scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It was taken in; so many rounds are there by now.
    Scraped {
        /// The most rounds of any one probe.
        rounds: usize,
    },
    /// It failed.
    Failed {
        /// Why.
        reason: String,
    },
}

/// Scrapes one agent, one call a scrape.
#[derive(Debug)]
pub struct Scraper {
    address: String,
    http: ureq::Agent,
    accumulator: Accumulator,
}

impl Scraper {
    /// A scraper for the agent at `address`, which is also its source; the instance is called `host:port`.
    #[must_use]
    pub fn new(address: &str, timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .http_status_as_error(false)
            // A proxy of the environment is meant for the web, not for agents beside us.
            .proxy(None)
            .user_agent(concat!("tierprobe-collector/", env!("CARGO_PKG_VERSION")))
            .accept("text/plain;version=0.0.4")
            .build();
        let name = host_of(address).unwrap_or_else(|| address.to_owned());
        Self {
            address: address.to_owned(),
            http: config.into(),
            accumulator: Accumulator::new(address, name),
        }
    }

    /// Scrapes once and says how many rounds were new.
    ///
    /// # Errors
    ///
    /// When there is no usable answer in time; the next call may well succeed.
    pub fn poll(&mut self) -> Result<usize, FetchError> {
        let text = self.fetch()?;
        Ok(self.accumulator.take(&text)?)
    }

    /// The most rounds of any one probe so far.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.accumulator.rounds()
    }

    /// Everything scraped so far.
    #[must_use]
    pub fn finish(self) -> Collected {
        self.accumulator.finish()
    }

    fn fetch(&self) -> Result<String, FetchError> {
        let transport = |error| FetchError::Transport(Box::new(error));
        let mut response = self.http.get(&self.address).call().map_err(transport)?;
        if response.status() != 200 {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        if let Some(found) = response.body().mime_type()
            && found != "text/plain"
        {
            return Err(FetchError::ContentType(found.chars().take(60).collect()));
        }
        let limit = u64::try_from(exposition::MAX_BYTES).unwrap_or(u64::MAX);
        let bytes = match response.body_mut().with_config().limit(limit).read_to_vec() {
            Ok(bytes) => bytes,
            Err(ureq::Error::BodyExceedsLimit(_)) => {
                return Err(FetchError::TooLong(exposition::MAX_BYTES / 1024 / 1024));
            }
            Err(error) => return Err(transport(error)),
        };
        Ok(exposition::decode(&bytes)?.to_owned())
    }
}

/// How often in a row a target may answer with something that is no exposition before it is given up.
///
/// A target that is not up yet is waited for, as the user asked for a duration; one that answers, but with a page
/// for people, will not become an agent.
const PATIENCE: usize = 3;

/// After how many intervals without an answer a target counts as stale.
const STALE_INTERVALS: u32 = 3;

/// Scrapes the agent at `address` by `schedule`; `report` hears of each scrape.
///
/// # Errors
///
/// When no scrape was usable, or none showed a round.
pub fn scrape(address: &str, schedule: &Schedule, report: &dyn Fn(&Event)) -> Result<Collected, SourceError> {
    let interval = schedule.interval.max(Schedule::MIN_INTERVAL);
    let begin = Instant::now();
    let mut scraper = Scraper::new(address, schedule.timeout);
    let mut last_good: Option<Instant> = None;
    let mut last_error = None;
    let mut attempts = 0;
    let mut hopeless = 0;
    let mut next = begin;
    loop {
        attempts += 1;
        match scraper.poll() {
            Ok(_) => {
                last_good = Some(Instant::now());
                report(&Event::Scraped { rounds: scraper.rounds() });
            }
            Err(error) => {
                report(&Event::Failed { reason: crate::error::chain(&error) });
                hopeless = if is_transient(&error) { 0 } else { hopeless + 1 };
                last_error = Some(error);
            }
        }
        // Counted from the begin: a slow answer must not stretch all later intervals. What it overslept is
        // skipped.
        while next <= Instant::now() {
            next += interval;
        }
        let given_up = last_good.is_none() && hopeless == PATIENCE;
        if given_up || next.duration_since(begin) > schedule.duration {
            break;
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    if let (None, Some(last)) = (last_good, last_error) {
        return Err(SourceError::NeverGood { attempts, last });
    }
    let stale = last_good.map(|at| at.elapsed()).filter(|age| *age > interval * STALE_INTERVALS);
    let mut collected = scraper.finish();
    collected.stale_seconds = stale.map(|age| age.as_secs_f64());
    if collected.observations.is_empty() { Err(SourceError::NoRounds) } else { Ok(collected) }
}

/// Whether waiting may help.
fn is_transient(error: &FetchError) -> bool {
    match error {
        FetchError::Transport(_) => true,
        FetchError::Status(status) => *status >= 500,
        FetchError::ContentType(_) | FetchError::TooLong(_) | FetchError::Take(_) => false,
    }
}

/// `host:port` of an address; `None` when it has no usable host.
pub(super) fn host_of(address: &str) -> Option<String> {
    let uri: ureq::http::Uri = address.parse().ok()?;
    let authority = uri.authority()?;
    let host = authority.host();
    if host.is_empty() {
        return None;
    }
    let port = authority.as_str().rsplit_once(host).map(|(_, rest)| rest)?;
    match port.strip_prefix(':') {
        Some(port) => port.parse::<u16>().ok().map(|port| format!("{host}:{port}")),
        None => Some(host.to_owned()),
    }
}
