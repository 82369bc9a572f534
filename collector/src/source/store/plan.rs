//! What to ask a store for, by as many as ask it at the same time.
//!
//! Values need the rounds that they are of, so each probe's rounds come first; whoever has nothing else to do reads
//! those of the next probe. All that is read is put together on the one thread that all of them share: answers take
//! longer to be made than to be read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use serde::Deserialize;
use tokio::sync::Notify;

use super::StoreError;
use super::api::{Api, Span, equals, matches};
use super::heard::Heard;
use super::instances::Fleet;
use super::names::Metric;
use super::pages::Pages;
use super::reading::{Reading, Timeline};
use super::rounds::Rounds;
use crate::observation::{Packed, Vocabulary, probe_of};
use crate::source::Quota;

pub(super) const LAST_ROUND: &str = "tierprobe_probe_last_round_timestamp_seconds";
const LAST_ROUND_DISTURBED: &str = "tierprobe_probe_last_round_disturbed";

/// What is to be read, and what was.
pub(super) struct Plan<'a> {
    fleet: &'a Fleet,
    vocabulary: &'a Vocabulary,
    quota: &'a Quota,
    span: Span,
    progress: &'a (dyn Fn(usize) + Sync),
    reading: RefCell<Reading>,
    queue: RefCell<Queue>,
    /// Rounds were read, so that there is more to do.
    is_more: Notify,
}

/// What nobody has begun.
#[derive(Default)]
struct Queue {
    probes: VecDeque<(String, Vec<Metric>)>,
    metrics: VecDeque<(Metric, Rc<Timeline>)>,
    families: Vec<Metric>,
    /// How many are reading rounds, which are more to do when they are there.
    under_way: usize,
}

/// What one of those who ask does next.
enum Job {
    Rounds(String, Vec<Metric>),
    Values(Metric, Rc<Timeline>),
    Families(Vec<Metric>),
}

impl<'a> Plan<'a> {
    /// All of `wanted` that belongs to a probe which has had rounds.
    pub(super) fn new(
        (reading, fleet): (Reading, &'a Fleet),
        wanted: &BTreeSet<Metric>,
        (vocabulary, quota): (&'a Vocabulary, &'a Quota),
        span: Span,
        progress: &'a (dyn Fn(usize) + Sync),
    ) -> Self {
        let mut queue = Queue { families: wanted.iter().cloned().collect(), ..Queue::default() };
        for probe in &fleet.probes {
            let is_of = |metric: &&Metric| {
                probe_of(&metric.family, fleet.probes.iter().map(String::as_str)) == Some(probe.as_str())
            };
            let metrics: Vec<Metric> = wanted.iter().filter(is_of).cloned().collect();
            if !metrics.is_empty() {
                queue.probes.push_back((probe.clone(), metrics));
            }
        }
        let (reading, queue, is_more) = (RefCell::new(reading), RefCell::new(queue), Notify::new());
        Self { fleet, vocabulary, quota, span, progress, reading, queue, is_more }
    }

    /// Does one thing after the other, until there is none.
    ///
    /// # Errors
    ///
    /// When there is no answer, or none that can be relied on.
    pub(super) async fn follow(&self, mut api: Api) -> Result<(), StoreError> {
        while let Some(job) = self.next().await {
            match job {
                Job::Rounds(probe, metrics) => self.read_rounds(&mut api, &probe, metrics).await?,
                Job::Values(metric, timeline) => self.read_values(&mut api, &metric, &timeline).await?,
                Job::Families(metrics) => describe(&mut api, &metrics, self.vocabulary).await,
            }
        }
        Ok(())
    }

    /// All instances that were read, at the end of the span.
    pub(super) fn finish(self) -> Vec<Packed> {
        self.reading.into_inner().finish(self.span.to)
    }

    async fn next(&self) -> Option<Job> {
        loop {
            if let Some(job) = self.queue.borrow_mut().take() {
                return Some(job);
            }
            if self.queue.borrow().under_way == 0 {
                return None;
            }
            self.is_more.notified().await;
        }
    }

    async fn read_rounds(&self, api: &mut Api, probe: &str, metrics: Vec<Metric>) -> Result<(), StoreError> {
        let of_probe = [equals("probe", probe)];
        let mut rounds = vec![Rounds::default(); self.fleet.len()];
        let mut heard = Heard::of_instances(self.fleet);
        let mut pages = self.pages(api, LAST_ROUND, &of_probe);
        while pages.next(api, &mut heard).await? {
            heard.series().for_each(|(whose, _, samples)| {
                rounds.get_mut(whose).into_iter().for_each(|rounds| rounds.add(samples));
            });
            // There is a reading at each of them, or more.
            self.quota.look(rounds.iter().map(Rounds::len).sum())?;
        }
        let mut pages = self.pages(api, LAST_ROUND_DISTURBED, &of_probe);
        while pages.next(api, &mut heard).await? {
            heard.series().for_each(|(whose, _, samples)| {
                rounds.get_mut(whose).into_iter().for_each(|rounds| rounds.mark(samples));
            });
        }
        let timeline = Rc::new(self.reading.borrow_mut().begin(&rounds));
        let mut queue = self.queue.borrow_mut();
        queue.metrics.extend(metrics.into_iter().map(|metric| (metric, Rc::clone(&timeline))));
        queue.under_way -= 1;
        self.is_more.notify_waiters();
        Ok(())
    }

    async fn read_values(
        &self,
        api: &mut Api,
        metric: &Metric,
        timeline: &Timeline,
    ) -> Result<(), StoreError> {
        let quantile: Vec<String> =
            metric.quantile.iter().map(|quantile| matches("quantile", quantile)).collect();
        let mut heard = Heard::of_values(self.fleet, metric, self.vocabulary);
        let mut pages = self.pages(api, &metric.name, &quantile);
        while pages.next(api, &mut heard).await? {
            let mut reading = self.reading.borrow_mut();
            self.quota.take(reading.observe(timeline, &heard))?;
            (self.progress)(reading.observations());
        }
        Ok(())
    }

    /// The samples of a metric, page by page.
    fn pages(&self, api: &Api, name: &str, matchers: &[String]) -> Pages {
        Pages::of(api, api.selector(name, matchers), self.span)
    }
}

impl Queue {
    fn take(&mut self) -> Option<Job> {
        if let Some((metric, timeline)) = self.metrics.pop_front() {
            return Some(Job::Values(metric, timeline));
        }
        if let Some((probe, metrics)) = self.probes.pop_front() {
            self.under_way += 1;
            return Some(Job::Rounds(probe, metrics));
        }
        let families = std::mem::take(&mut self.families);
        (!families.is_empty()).then_some(Job::Families(families))
    }
}

/// What a metric is, by the metadata of the store.
#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    help: String,
}

/// One sentence on each family. Not all stores know any, and nothing depends on it.
async fn describe(api: &mut Api, metrics: &[Metric], vocabulary: &Vocabulary) {
    for metric in metrics {
        let known: Result<BTreeMap<String, Vec<Metadata>>, _> = api.metadata(&metric.name).await;
        let Ok(known) = known else { return };
        if let Some(metadata) = known.into_values().flatten().find(|metadata| !metadata.help.is_empty()) {
            vocabulary.describe(&metric.family, &metadata.help);
        }
    }
}
