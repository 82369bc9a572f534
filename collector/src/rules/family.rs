//! Families as the agent's documentation lists them.
//!
//! `agent/METRICS.md` is generated from the agent's code and checked against it, so a new family needs nothing here.

use std::str::FromStr;

use tierprobe_model::Family as Named;

use crate::observation::Statistic;

/// What an agent publishes.
const METRICS: &str = include_str!("../../../agent/METRICS.md");
/// What the summary of a family's rounds ends with.
const ROUNDS: &str = "_round_seconds";

/// A family to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Its name, such as `tierprobe_syscall_seconds`.
    pub name: String,
    /// The summary of its rounds; `None` for a gauge.
    pub rounds: Option<String>,
    /// Its labels, `quantile` not among them.
    pub labels: Vec<String>,
}

impl Family {
    /// All families of durations: what dashboards and comparisons rest on.
    #[must_use]
    pub fn durations() -> Vec<Self> {
        known().filter(|family| family.rounds.is_some()).collect()
    }

    /// All families that a comparison shows, gauges included.
    #[must_use]
    pub fn all() -> Vec<Self> {
        known().collect()
    }

    /// Whether a round of it has this number: agents of this release publish
    /// [`OF_DURATIONS`](Statistic::OF_DURATIONS), of others nobody knows, and gauges have but one.
    #[must_use]
    pub fn has(&self, statistic: Statistic) -> bool {
        self.rounds.is_none()
            || Statistic::OF_DURATIONS.contains(&statistic)
            || !known().any(|known| known.name == self.name)
    }
}

impl FromStr for Family {
    type Err = String;

    /// A name that the agent's documentation knows, or any with its labels: `NAME{LABEL,LABEL}`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, labels) = match text.split_once('{') {
            Some((name, rest)) => {
                let labels = rest.strip_suffix('}').ok_or_else(|| format!("{text:?} lacks its }}"))?;
                let labels = labels.split(',').map(str::trim).filter(|label| !label.is_empty());
                (name, Some(labels.map(str::to_owned).collect::<Vec<String>>()))
            }
            None => (text, None),
        };
        let is_word = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !is_word(name) || !name.starts_with("tierprobe_") {
            return Err(format!("{name:?} is no family of an agent: their names begin with tierprobe_"));
        }
        if let Some(odd) = labels.iter().flatten().find(|label| !is_word(label)) {
            return Err(format!("{odd:?} is no label"));
        }
        let found = known().find(|family| family.name == name || family.rounds.as_deref() == Some(name));
        match (found, labels) {
            (Some(family), None) => Ok(family),
            (found, Some(labels)) => {
                let family = Named::name_of_round(name);
                let name = family.unwrap_or_else(|| name.to_owned());
                let stem = name.strip_suffix("_seconds").unwrap_or(&name).to_owned();
                let is_duration =
                    text.contains(ROUNDS) || found.is_some_and(|family| family.rounds.is_some());
                Ok(Self { name, rounds: is_duration.then(|| format!("{stem}{ROUNDS}")), labels })
            }
            (None, None) => Err(format!(
                "{name} is not known to this release: write its labels, too, as in {name}{{path,placement}}; the \
                 name of a duration is that of its rounds, tierprobe_…{ROUNDS}"
            )),
        }
    }
}

/// The families of probes, by the tables of the documentation; what is about the agent itself comes behind them.
fn known() -> impl Iterator<Item = Family> {
    let of_probes = METRICS.split("## The agent itself").next().unwrap_or_default();
    of_probes.lines().filter_map(line)
}

/// A family by its line: names, kind, labels and help between bars.
fn line(line: &str) -> Option<Family> {
    let mut cells = line.strip_prefix("| ")?.split(" | ");
    let (names, kind, labels) = (cells.next()?, cells.next()?, cells.next()?);
    let rounds = match kind {
        "duration" => Some(code(names).nth(1)?.to_owned()),
        "gauge" => None,
        _ => return None,
    };
    let name = code(names).next()?.to_owned();
    Some(Family { name, rounds, labels: code(labels).map(str::to_owned).collect() })
}

/// What is written between backticks.
fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(name: &str, rounds: Option<&str>, labels: &[&str]) -> Family {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Family { name: name.to_owned(), rounds: rounds.map(str::to_owned), labels }
    }

    #[test]
    fn the_documentation_says_what_there_is() {
        let syscall =
            family("tierprobe_syscall_seconds", Some("tierprobe_syscall_round_seconds"), &["syscall"]);
        assert_eq!("tierprobe_syscall_seconds".parse(), Ok(syscall.clone()));
        assert_eq!("tierprobe_syscall_round_seconds".parse(), Ok(syscall.clone()));
        assert!(Family::durations().contains(&syscall));
        let upkeep = family("tierprobe_memory_upkeep_bytes", None, &[]);
        assert_eq!("tierprobe_memory_upkeep_bytes".parse(), Ok(upkeep));
    }

    #[test]
    fn quantiles_of_known_families_are_those_that_agents_publish() {
        let labels = "whose quantiles 0, 0.5, 0.9, 0.99 and 1 comparisons use";
        assert!(METRICS.contains(labels), "{labels}: then OF_DURATIONS is another, too");
        let p95 = Statistic::of_quantile("0.95").unwrap();
        let has = |family: &str, statistic| family.parse::<Family>().unwrap().has(statistic);
        assert!(has("tierprobe_syscall_seconds", Statistic::P90) && !has("tierprobe_syscall_seconds", p95));
        assert!(has("tierprobe_new_round_seconds{side}", p95) && has("tierprobe_memory_upkeep_bytes", p95));
    }

    #[test]
    fn other_families_come_with_their_labels() {
        let new = family("tierprobe_new_seconds", Some("tierprobe_new_round_seconds"), &["a", "b"]);
        assert_eq!("tierprobe_new_round_seconds{a, b}".parse(), Ok(new));
        assert_eq!("tierprobe_new_bytes{}".parse(), Ok(family("tierprobe_new_bytes", None, &[])));
        for odd in [
            "tierprobe_new_seconds",
            "node_load1{}",
            "tierprobe_x{a",
            "tierprobe_x{a-b}",
            "",
            "tierprobe_x) or (y{}",
        ] {
            assert!(odd.parse::<Family>().is_err(), "{odd}");
        }
    }
}
