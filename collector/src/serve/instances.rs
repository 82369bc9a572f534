//! Every instance, how it is doing and what it is.

use serde::Serialize;
use tierprobe_web::{Response, StatusCode, answer};

use super::board::State;
use super::now;
use super::problem::Problem;
use super::site::Site;
use crate::error::chain;
use crate::observation::{Instance, Labels};
use crate::store::read::Known;

#[derive(Serialize)]
struct Document {
    schema: u32,
    instances: Vec<One>,
}

#[derive(Serialize)]
struct One {
    instance: String,
    /// What the user named it by.
    source: String,
    /// Absent where it is no target any more.
    address: Option<String>,
    labels: Labels,
    tier: Option<String>,
    tier_confidence: Option<f64>,
    up: Option<bool>,
    last_scrape: Option<f64>,
    last_success: Option<f64>,
    stale_seconds: Option<f64>,
    rounds: usize,
    error: Option<String>,
}

/// The document. What the store knows from before the start fills in what a target has not said yet.
///
/// # Errors
///
/// [`Problem`] while the store is being opened, or when it cannot be read.
pub async fn render(site: &Site) -> Result<Response, Problem> {
    let Some(reader) = site.keeper().reader().cloned() else {
        return Err(Problem::later("the store is still being opened; ask again soon".to_owned(), 5));
    };
    let known = tokio::task::spawn_blocking(move || reader.instances()).await;
    let known = match known {
        Ok(Ok(known)) => known,
        Ok(Err(error)) => return Err(Problem::ours(format!("{}; see the collector's log", chain(&error)))),
        Err(_) => return Err(Problem::ours("the store cannot be read; see the collector's log".to_owned())),
    };
    let document = Document { schema: tierprobe_model::SCHEMA, instances: all(site.board().states(), known) };
    let text = serde_json::to_string_pretty(&document)
        .map_err(|error| Problem::ours(format!("the document cannot be written: {error}")))?;
    Ok(answer::of(StatusCode::OK, answer::JSON, text + "\n"))
}

fn all(states: Vec<State>, mut known: Vec<Known>) -> Vec<One> {
    let mut instances = Vec::new();
    for state in states {
        let source = if state.address == *state.source {
            state.address.clone()
        } else {
            format!("{} of {}", state.address, state.source)
        };
        let at = known.iter().position(|known| known.source == source);
        let before = at.map(|at| known.swap_remove(at));
        instances.push(target(state, before));
    }
    let gone = known.into_iter().map(|known| {
        let last = Some(known.last_at);
        let one = describe(&known.instance, known.source);
        One { last_scrape: last, last_success: last, stale_seconds: since(last), ..one }
    });
    instances.extend(gone);
    instances.sort_by(|a, b| (&a.instance, &a.source).cmp(&(&b.instance, &b.source)));
    instances
}

fn target(state: State, before: Option<Known>) -> One {
    let has_answered = state.last_good.is_some();
    let last_success = state.last_good.or_else(|| before.as_ref().map(|known| known.last_at));
    let one = match before {
        Some(known) if !has_answered => describe(&known.instance, state.source.to_string()),
        Some(_) | None => describe(&state.instance, state.source.to_string()),
    };
    One {
        address: Some(state.address),
        up: state.is_up,
        last_scrape: state.last_scrape,
        last_success,
        // While it answers, the time since its last answer is no staleness.
        stale_seconds: if state.is_up == Some(true) { None } else { since(last_success) },
        rounds: state.rounds,
        error: state.error,
        ..one
    }
}

fn describe(instance: &Instance, source: String) -> One {
    One {
        instance: instance.name.clone(),
        source,
        address: None,
        labels: instance.labels.clone(),
        tier: instance.labels.get("tier").cloned(),
        tier_confidence: instance.tier_confidence,
        up: None,
        last_scrape: None,
        last_success: None,
        stale_seconds: None,
        rounds: 0,
        error: None,
    }
}

fn since(at: Option<f64>) -> Option<f64> {
    at.map(|at| (now() - at).max(0.0))
}
