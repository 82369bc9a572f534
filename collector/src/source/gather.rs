//! Reads all sources at the same time.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::discovery::{self, Discovery, DiscoveryError, Refresh};
use super::scrape::collect::{Collect, Event, Report, Schedule};
use super::{Dropped, Gathered, Note, Quota, Source, file, scrape, store};
use crate::error::{SourceError, chain};
use crate::http::{Address, Net, Rules};
use crate::observation::{Packed, Statistic, Vocabulary};

/// How to ask those who are asked over HTTP.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// When to scrape agents.
    pub schedule: Schedule,
    /// How often to look for targets.
    pub refresh: Refresh,
    /// Which access goes to which address.
    pub rules: Arc<Rules>,
    /// Names and memory.
    pub net: Arc<Net>,
    /// What to ask stores for.
    pub store: store::Options,
    /// The only number of a duration's rounds that is kept of agents; all where it is not said.
    pub only: Option<Statistic>,
    /// In which series are kept once for all instances.
    pub vocabulary: Vocabulary,
    /// How many readings all of them may bring. Once that is exceeded, nothing more is read, and what was is worth nothing.
    pub quota: Arc<Quota>,
}

/// What one source gave.
#[derive(Default)]
struct Given {
    /// A file has one result, a list of targets one for each.
    results: Vec<(String, Result<Packed, SourceError>)>,
    notes: Vec<Note>,
}

impl Given {
    fn one(source: String, result: Result<Packed, SourceError>) -> Self {
        Self { results: vec![(source, result)], notes: Vec::new() }
    }
}

/// Reads all sources at the same time, and returns when the last one is through.
///
/// A source that fails does not fail the others. Agents are scraped by the schedule of `options`; `report` hears of
/// what happens, as it happens. The order of the result is that of `sources`; targets of one list come by address.
#[must_use]
pub fn gather(sources: &[Source], options: &Options, report: &Report) -> Gathered {
    let all: Vec<(usize, Given)> = thread::scope(|scope| {
        let files: Vec<(usize, &Path)> =
            sources.iter().enumerate().filter_map(|(at, source)| Some((at, source.file()?))).collect();
        let (files, next) = (Arc::new(files), Arc::new(AtomicUsize::new(0)));
        let mut threads = Vec::new();
        for _ in 0..readers().min(files.len()) {
            let (files, next) = (Arc::clone(&files), Arc::clone(&next));
            threads.push(scope.spawn(move || {
                let turn = || files.get(next.fetch_add(1, Ordering::Relaxed));
                let read = |(at, path): &(usize, &Path)| {
                    (*at, Given { results: file::read(path, options), notes: Vec::new() })
                };
                std::iter::from_fn(turn).map(read).collect()
            }));
        }
        for (at, source) in sources.iter().enumerate() {
            if let Source::Store(prefix) = source {
                let read = move || vec![(at, stored(&source.to_string(), prefix, options, report))];
                threads.push(scope.spawn(read));
            }
        }
        threads.push(scope.spawn(|| scraped(sources, options, report)));
        // A panic in a thread is a bug in this program; one source less is better than all lost.
        let failed = |_| vec![(sources.len(), Given::one("a thread".to_owned(), Err(SourceError::Bug)))];
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(failed)).collect()
    });
    let mut by_source: BTreeMap<usize, Given> = BTreeMap::new();
    for (at, given) in all {
        let of_source = by_source.entry(at).or_default();
        of_source.results.extend(given.results);
        of_source.notes.extend(given.notes);
    }
    let mut gathered = Gathered::default();
    for given in by_source.into_values() {
        gathered.notes.extend(given.notes);
        for (source, result) in given.results {
            match result {
                Ok(collected) => gathered.collected.push(collected),
                Err(error) => gathered.dropped.push(Dropped { source, reason: chain(&error) }),
            }
        }
    }
    gathered
}

/// How many threads read files: as many as there are processors.
fn readers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// What a store has.
fn stored(source: &str, prefix: &Address, options: &Options, report: &Report) -> Given {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return Given::one(source.to_owned(), Err(SourceError::Runtime(error.to_string()))),
    };
    let (access, labels) = options.rules.find(prefix);
    let progress = |observations| report(source, &Event::Read { observations });
    let net = Arc::clone(&options.net);
    let read = store::read(
        (source, &options.vocabulary, &options.quota),
        prefix.clone(),
        &access,
        net,
        options.store.clone(),
        &progress,
    );
    match runtime.block_on(read) {
        Ok(stored) => {
            let note = |text, is_warning| Note { source: source.to_owned(), text, is_warning };
            let warnings = stored.warnings.into_iter().map(|text| note(text, true));
            let notes = warnings.chain(stored.infos.into_iter().map(|text| note(text, false))).collect();
            let mut results = Vec::new();
            for mut collected in stored.collected {
                collected.instance.labels.extend(labels.clone());
                results.push((source.to_owned(), Ok(collected)));
            }
            if results.is_empty() {
                results.push((source.to_owned(), Err(SourceError::NoRounds)));
            }
            Given { results, notes }
        }
        Err(error) => {
            report(source, &Event::Failed { reason: chain(&error) });
            Given::one(source.to_owned(), Err(error.into()))
        }
    }
}

/// Everything that is scraped, on this thread.
fn scraped(sources: &[Source], options: &Options, report: &Report) -> Vec<(usize, Given)> {
    let lists: Vec<(usize, Arc<str>, Discovery)> = sources
        .iter()
        .enumerate()
        .filter_map(|(at, source)| Some((at, source.to_string().into(), source.discovery()?)))
        .collect();
    if lists.is_empty() {
        return Vec::new();
    }
    let all_fail = |error: std::io::Error| {
        let fail = |(at, source, _): &(usize, Arc<str>, Discovery)| {
            (*at, Given::one(source.to_string(), Err(SourceError::Runtime(error.to_string()))))
        };
        lists.iter().map(fail).collect()
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return all_fail(error),
    };
    let looks = Arc::new(Looks::default());
    let collect = Arc::new(Collect::new(options, Arc::clone(report)));
    runtime.block_on(scrape_all(&lists, options, &looks, &collect, report));

    // The same source twice is one source.
    let place: BTreeMap<&str, usize> = lists.iter().rev().map(|(at, source, _)| (&**source, *at)).collect();
    let mut results = Vec::new();
    for (target, outcome) in collect.outcomes() {
        let at = place.get(&*target.source).copied().unwrap_or(sources.len());
        let address = target.address.to_string();
        let name =
            if address == *target.source { address } else { format!("{address} of {}", target.source) };
        results.push((at, Given::one(name, outcome)));
    }
    for (source, failure) in looks.failures() {
        let at = place.get(&*source).copied().unwrap_or(sources.len());
        results.push((at, Given::one(source, Err(failure))));
    }
    results
}

async fn scrape_all(
    lists: &[(usize, Arc<str>, Discovery)],
    options: &Options,
    looks: &Arc<Looks>,
    collect: &Arc<Collect>,
    report: &Report,
) {
    let (looks, report) = (Arc::clone(looks), Arc::clone(report));
    let context = discovery::Context {
        rules: Arc::clone(&options.rules),
        net: Arc::clone(&options.net),
        refresh: options.refresh,
        report: Arc::new(move |source, found| looks.note(source, found, &report)),
    };
    let lists = lists.iter().map(|(_, source, list)| (Arc::clone(source), list.clone())).collect();
    let watching = discovery::watch(lists, context).await;
    let end = Instant::now() + options.schedule.duration;
    let quota = Arc::clone(&options.quota);
    let stop = async move {
        tokio::select! {
            () = tokio::time::sleep_until(end) => {}
            () = quota.exceeded() => {}
        }
    };
    scrape::run(
        watching.targets.clone(),
        options.schedule.pace(),
        Arc::clone(&options.net),
        Arc::clone(collect),
        stop,
    )
    .await;
}

/// A runtime on this thread.
pub(super) fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// What came of looking for targets, by source.
#[derive(Default)]
struct Looks {
    latest: Mutex<BTreeMap<String, Look>>,
}

/// The most targets that a source ever had, and why the last look failed if none succeeded.
#[derive(Default)]
struct Look {
    most: usize,
    succeeded: bool,
    failure: Option<String>,
}

impl Looks {
    fn note(&self, source: &str, found: Result<usize, &DiscoveryError>, report: &Report) {
        let event = match found {
            Ok(targets) => Event::Found { targets },
            Err(error) => Event::Failed { reason: chain(error) },
        };
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let look = latest.entry(source.to_owned()).or_default();
        match &event {
            Event::Found { targets } => {
                look.succeeded = true;
                look.most = look.most.max(*targets);
            }
            Event::Failed { reason } => look.failure = Some(reason.clone()),
            Event::Scraped { .. } | Event::Read { .. } => {}
        }
        report(source, &event);
    }

    /// The sources that never had a target.
    fn failures(&self) -> Vec<(String, SourceError)> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = latest.iter().filter(|(_, look)| look.most == 0);
        let why = |look: &Look| match &look.failure {
            Some(why) if !look.succeeded => SourceError::Discovery(why.clone()),
            Some(_) | None => SourceError::NoTargets,
        };
        failed.map(|(source, look)| (source.clone(), why(look))).collect()
    }
}
