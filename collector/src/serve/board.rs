//! How each target is doing: what the engine saw last.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::now;
use crate::error::chain;
use crate::observation::Instance;
use crate::source::Dropped;
use crate::source::discovery::DiscoveryError;
use crate::source::scrape::Target;

/// How one target is doing.
#[derive(Debug, Clone)]
pub struct State {
    /// What the user named it by: its address, or the list that it is on.
    pub source: Arc<str>,
    /// Where it is scraped.
    pub address: String,
    /// What it said of itself last; only its name before its first answer.
    pub instance: Arc<Instance>,
    /// Whether the last scrape was taken in; `None` before the first.
    pub is_up: Option<bool>,
    /// When it was scraped last, in seconds since the epoch.
    pub last_scrape: Option<f64>,
    /// When that was last taken in.
    pub last_good: Option<f64>,
    /// Rounds that it showed since the start, over all probes.
    pub rounds: usize,
    /// Why the last scrape failed.
    pub error: Option<String>,
    /// How long the last scrape took that was answered.
    pub took: Option<Duration>,
}

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Totals {
    /// Scrapes that were taken in.
    pub good: AtomicU64,
    /// Scrapes that failed.
    pub failed: AtomicU64,
    /// How long those that were taken in took together, in nanoseconds.
    pub nanos: AtomicU64,
    /// Rounds of probes.
    pub rounds: AtomicU64,
}

/// All targets.
#[derive(Debug, Default)]
pub struct Board {
    targets: Mutex<BTreeMap<String, State>>,
    /// Why a list cannot be read, by what the user calls it.
    lists: Mutex<BTreeMap<String, String>>,
    looked: AtomicBool,
    tried: AtomicBool,
    /// Counts.
    pub totals: Totals,
}

/// What a target is called: its address, and the list where it is on one.
#[must_use]
pub fn name(target: &Target) -> String {
    let address = target.address.to_string();
    if address == *target.source { address } else { format!("{address} of {}", target.source) }
}

impl Board {
    /// A target is on the list.
    pub fn open(&self, target: &Target) {
        let state = State {
            source: Arc::clone(&target.source),
            address: target.address.to_string(),
            instance: Arc::new(Instance { name: target.instance(), ..Instance::default() }),
            is_up: None,
            last_scrape: None,
            last_good: None,
            rounds: 0,
            error: None,
            took: None,
        };
        self.lock().insert(key(target), state);
    }

    /// A target has left the list.
    pub fn close(&self, target: &Target) {
        self.lock().remove(&key(target));
    }

    /// A scrape was taken in.
    pub fn good(&self, target: &Target, instance: &Arc<Instance>, rounds: usize, took: Duration) {
        let was_down = self.change(target, |state| {
            let was_down = state.is_up == Some(false);
            state.is_up = Some(true);
            state.last_good = state.last_scrape;
            state.instance = Arc::clone(instance);
            state.rounds += rounds;
            state.error = None;
            state.took = Some(took);
            was_down
        });
        self.totals.good.fetch_add(1, Ordering::Relaxed);
        self.totals.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.totals.rounds.fetch_add(u64::try_from(rounds).unwrap_or_default(), Ordering::Relaxed);
        if was_down == Some(true) {
            tracing::info!(target = %name(target), "answers again");
        }
    }

    /// A scrape failed.
    pub fn failed(&self, target: &Target, reason: String) {
        let is_news = self.change(target, |state| {
            let is_news = state.is_up != Some(false);
            state.is_up = Some(false);
            state.error = Some(reason.clone());
            is_news
        });
        self.totals.failed.fetch_add(1, Ordering::Relaxed);
        // Once, and not at each of thousands of scrapes.
        if is_news == Some(true) {
            tracing::warn!(target = %name(target), reason, "cannot be scraped");
        }
    }

    /// A list was looked at.
    pub fn looked(&self, list: &str, found: Result<usize, &DiscoveryError>) {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(targets) => {
                if lists.remove(list).is_some() {
                    tracing::info!(list, targets, "can be read again");
                }
            }
            Err(error) => {
                let reason = chain(error);
                if lists.insert(list.to_owned(), reason.clone()).is_none() {
                    tracing::warn!(list, reason, "cannot be read; its targets stay as they were");
                }
            }
        }
    }

    /// All lists were looked at for the first time.
    pub fn looked_at_all(&self) {
        self.looked.store(true, Ordering::Release);
    }

    /// Whether each target has been scraped once, or tried; once it is so, it stays so.
    pub fn has_been_tried(&self) -> bool {
        if self.tried.load(Ordering::Relaxed) {
            return true;
        }
        let is_tried = self.looked.load(Ordering::Acquire)
            && self.lock().values().all(|state| state.last_scrape.is_some());
        if is_tried {
            self.tried.store(true, Ordering::Relaxed);
        }
        is_tried
    }

    /// All targets.
    #[must_use]
    pub fn states(&self) -> Vec<State> {
        self.lock().values().cloned().collect()
    }

    /// Targets and lists that give nothing at present, for a report to name.
    #[must_use]
    pub fn failures(&self) -> Vec<Dropped> {
        let lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Dropped> = lists
            .iter()
            .map(|(list, reason)| Dropped { source: list.clone(), reason: reason.clone() })
            .collect();
        all.extend(self.lock().iter().filter_map(|(key, state)| {
            let reason = state.error.clone()?;
            Some(Dropped { source: key.clone(), reason })
        }));
        all
    }

    fn change<T>(&self, target: &Target, change: impl FnOnce(&mut State) -> T) -> Option<T> {
        let mut targets = self.lock();
        let state = targets.get_mut(&key(target))?;
        state.last_scrape = Some(now());
        Some(change(state))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        // What a thread that died left behind is good enough to show.
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a target's state is; the same place twice with other labels is two targets.
fn key(target: &Target) -> String {
    name(target)
}
