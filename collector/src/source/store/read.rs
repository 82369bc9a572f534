//! A store's samples into one [`Packed`] an instance.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::answer::Series;
use super::api::{Api, Span, matches};
use super::instances::Fleet;
use super::names;
use super::plan::{LAST_ROUND, Plan};
use super::reading::Reading;
use super::{Options, StoreError};
use crate::date::utc_minute;
use crate::http::{Access, Address, Net};
use crate::observation::{Packed, Vocabulary};
use crate::source::{Quota, identity};

const ALL_NAMES: &str = "(instance:)?tierprobe_.+";
/// What is asked for besides what was computed, in seconds.
const RECENT_SECONDS: f64 = 60.0;
/// Up to how many instances are asked for by name; beyond, asking for all is cheaper.
const FEW: usize = 50;

/// What a store gave.
#[derive(Debug, Default)]
pub struct Stored {
    /// One entry an instance.
    pub collected: Vec<Packed>,
    /// What the store warned of: the data may be incomplete.
    pub warnings: Vec<String>,
    /// What else it said.
    pub infos: Vec<String>,
}

/// Reads the store at `prefix`. `source` is what the user calls it, `vocabulary` keeps its series, `quota` says
/// how many readings there may be; `progress` hears how many observations there are.
///
/// # Errors
///
/// When the store does not answer, or cannot be relied on, or has no agents.
pub async fn read(
    (source, vocabulary, quota): (&str, &Vocabulary, &Arc<Quota>),
    prefix: Address,
    access: &Access,
    net: Arc<Net>,
    options: Options,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Stored, StoreError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let to = options.end.unwrap_or(now);
    let span = Span { from: to - options.range.as_secs_f64(), to };
    let statistic = options.statistic;
    let mut api = Api::new(prefix, access, net, options);

    // Alone: a store that has no agents, or does not answer, is asked for nothing else.
    let rounds = api.series(&[api.selector(LAST_ROUND, &[])], span).await?;
    let mut fleet = Fleet::new(rounds);
    if fleet.is_empty() {
        return Err(StoreError::NoAgents { from: utc_minute(span.from), to: utc_minute(span.to) });
    }
    let mut other = api.another();
    let ((), (names, numbers)) =
        tokio::try_join!(identify(&mut api, &mut fleet, span), look_around(&mut other, span))?;
    fleet.note_numbers(numbers);

    let wanted = names::wanted(&names, statistic);
    let shared = Arc::clone(api.shared());
    let reading = Reading::new(source, vocabulary, &fleet);
    fleet.forget();
    let plan = Plan::new((reading, &fleet), &wanted, (vocabulary, quota), span, progress);
    tokio::try_join!(plan.follow(api), plan.follow(other))?;
    let (collected, notes) = (plan.finish(), shared.notes());
    Ok(Stored {
        collected,
        warnings: notes.warnings.into_iter().collect(),
        infos: notes.infos.into_iter().collect(),
    })
}

/// Finds out what each instance is, and when.
async fn identify(api: &mut Api, fleet: &mut Fleet, span: Span) -> Result<(), StoreError> {
    let selectors: Vec<String> = identity::IDENTITY.iter().map(|name| api.selector(name, &[])).collect();
    let infos = api.series(&selectors, span).await?;
    for (name, instances) in fleet.note_infos(infos) {
        let few = (instances.len() <= FEW).then(|| {
            let names: Vec<String> = instances.iter().map(|name| escaped(name)).collect();
            matches("instance", &names.join("|"))
        });
        let few: Vec<String> = few.into_iter().collect();
        let selector = api.selector(&name, &few);
        api.samples(&selector, span, |series| fleet.note_changes(series)).await?;
    }
    Ok(())
}

/// Finds out which metrics there are, and the numbers about instances.
async fn look_around(api: &mut Api, span: Span) -> Result<(BTreeSet<String>, Vec<Series>), StoreError> {
    let all = api.selector("", &[matches("__name__", ALL_NAMES)]);
    let names: BTreeSet<String> = api.values_of("__name__", &all, span).await?;
    let names_of_numbers = [identity::TIER_CONFIDENCE, identity::RESOLUTION].join("|");
    let selector = api.selector("", &[matches("__name__", &names_of_numbers)]);
    let milliseconds = ((span.to - span.from) * 1000.0).ceil();
    let latest = format!("last_over_time({selector}[{milliseconds:.0}ms])");
    let mut numbers = api.query(&latest, span.to).await?;
    // VictoriaMetrics leaves the last half minute out of what is computed; samples as they are have it.
    let recent = Span { from: span.from.max(span.to - RECENT_SECONDS), to: span.to };
    api.samples(&selector, recent, |series| numbers.extend(series)).await?;
    Ok((names, numbers))
}

/// A text as a regular expression that matches it alone.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if !character.is_alphanumeric() && !matches!(character, '_' | '-' | ':' | '/' | ' ') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_themselves_alone() {
        assert_eq!(escaped("10.0.0.1:9|x"), r"10\.0\.0\.1:9\|x");
    }
}
