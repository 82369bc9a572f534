//! What the user sees while agents are scraped: a bar on a terminal, else a line when something changes.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::figure;
use crate::source::Source;
use crate::source::agent::{Event, Schedule};

/// How far gathering is.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    targets: Mutex<BTreeMap<String, Target>>,
}

#[derive(Debug, Default)]
struct Target {
    rounds: usize,
    /// Why the last scrape failed; `None` while it works.
    failure: Option<String>,
}

impl Progress {
    /// Says what is going to happen; nothing when there is nothing to wait for.
    #[must_use]
    pub fn begin(sources: &[Source], schedule: &Schedule) -> Self {
        let agents = sources.iter().filter(|source| matches!(source, Source::Agent(_))).count();
        let targets = Mutex::new(BTreeMap::new());
        if agents == 0 {
            return Self { bar: None, targets };
        }
        let span = figure::span(schedule.duration.as_secs_f64());
        if !std::io::stderr().is_terminal() {
            say(&format!("scraping {agents} agents for {span}"));
            return Self { bar: None, targets };
        }
        let bar = ProgressBar::new(schedule.duration.as_secs());
        // The template is a constant; if it were wrong, the plain bar would do.
        if let Ok(style) = ProgressStyle::with_template("{elapsed} of {len}s {wide_bar} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_secs(1));
        Self { bar: Some(bar), targets }
    }

    /// Takes note of one scrape.
    pub fn report(&self, source: &Source, event: &Event) {
        // A thread that died while it held the lock leaves counts behind, and they are good enough to show.
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let target = targets.entry(source.to_string()).or_default();
        let before = target.failure.take();
        match event {
            Event::Scraped { rounds } => target.rounds = *rounds,
            Event::Failed { reason } => target.failure = Some(reason.clone()),
        }
        let now = target.failure.clone();
        if let Some(bar) = &self.bar {
            bar.set_position(bar.elapsed().as_secs().min(bar.length().unwrap_or(0)));
            bar.set_message(summary(&targets));
        }
        if before.is_some() != now.is_some() {
            let state = now.unwrap_or_else(|| "answers again".to_owned());
            self.line(&format!("{source}: {state}"));
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
            Some(bar) => bar.println(text),
            None => say(text),
        }
    }
}

fn summary(targets: &BTreeMap<String, Target>) -> String {
    let fewest = targets.values().map(|target| target.rounds).min().unwrap_or(0);
    let failing = targets.values().filter(|target| target.failure.is_some()).count();
    match failing {
        0 => format!("{fewest} rounds"),
        failing => format!("{fewest} rounds, {failing} not answering"),
    }
}

/// Progress is a courtesy: when nobody can read it, the work goes on.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
