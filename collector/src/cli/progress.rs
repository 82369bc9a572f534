//! What the user sees while agents are scraped: a bar on a terminal, else a line when something changes.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::printable::printable;
use crate::report::figure;
use crate::source::Source;
use crate::source::discovery::Discovery;
use crate::source::scrape::collect::{Event, Schedule};

/// How far gathering is.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    targets: Mutex<BTreeMap<String, Target>>,
    counted: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Target {
    /// `None` for what is not scraped itself, such as a list of targets.
    rounds: Option<usize>,
    /// Why the last scrape failed; `None` while it works.
    failure: Option<String>,
}

impl Progress {
    /// Says what is going to happen; nothing when there is nothing to wait for.
    #[must_use]
    pub fn begin(sources: &[Source], schedule: &Schedule) -> Self {
        let takes_time = sources.iter().any(|source| source.discovery().is_some());
        let bar = (takes_time && std::io::stderr().is_terminal()).then(|| bar(schedule));
        if bar.is_none()
            && let Some(plan) = plan(sources)
        {
            say(&format!("{plan} for {}", figure::span(schedule.duration.as_secs_f64())));
        }
        Self { bar, targets: Mutex::default(), counted: Mutex::default() }
    }

    /// Takes note of what happened at `place`.
    pub fn report(&self, place: &str, event: &Event) {
        // A thread that died while it held the lock leaves counts behind, and they are good enough to show.
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let target = targets.entry(place.to_owned()).or_default();
        let before = target.failure.take();
        match event {
            Event::Scraped { rounds } => target.rounds = Some(*rounds),
            Event::Found { .. } | Event::Read { .. } => {}
            Event::Failed { reason } => target.failure = Some(reason.clone()),
        }
        let now = target.failure.clone();
        if let Some(bar) = &self.bar {
            bar.set_position(bar.elapsed().as_secs().min(bar.length().unwrap_or(0)));
            // Counting thousands at each scrape would cost more than scraping.
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            if counted.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
                *counted = Some(Instant::now());
                bar.set_message(summary(&targets));
            }
        }
        if before.is_some() != now.is_some() {
            let state = now.unwrap_or_else(|| "answers again".to_owned());
            self.line(&format!("{place}: {state}"));
        }
    }

    /// Clears the bar.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(printable(text)),
            None => say(text),
        }
    }
}

fn bar(schedule: &Schedule) -> ProgressBar {
    let bar = ProgressBar::new(schedule.duration.as_secs());
    // The template is a constant; if it were wrong, the plain bar would do.
    if let Ok(style) = ProgressStyle::with_template("{elapsed} of {len}s {wide_bar} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}

/// What is asked, in words; `None` where everything comes from files.
fn plan(sources: &[Source]) -> Option<String> {
    let lists: Vec<Discovery> = sources.iter().filter_map(Source::discovery).collect();
    let agents = lists.iter().filter(|one| matches!(one, Discovery::Static(_))).count();
    let lists = lists.len() - agents;
    let stores = sources.iter().filter(|source| matches!(source, Source::Store(_))).count();
    let counted = |before: &str, count: usize, what: &str| {
        (count > 0).then(|| format!("{before}{count} {what}{}", if count == 1 { "" } else { "s" }))
    };
    let all = [
        counted("", agents, "agent"),
        counted("the agents of ", lists, "list"),
        counted("", stores, "store"),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    (!all.is_empty()).then(|| format!("asking {}", all.join(" and ")))
}

fn summary(targets: &BTreeMap<String, Target>) -> String {
    let fewest = targets.values().filter_map(|target| target.rounds).min().unwrap_or(0);
    let failing = targets.values().filter(|target| target.failure.is_some()).count();
    match failing {
        0 => format!("{fewest} rounds"),
        failing => format!("{fewest} rounds, {failing} not answering"),
    }
}

/// Progress is a courtesy: when nobody can read it, the work goes on.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}
