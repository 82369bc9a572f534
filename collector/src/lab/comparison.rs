//! The launchers against each other: hands the lab's observations to the collector's own comparison.

use super::observations::add_starts;
use super::phase::Measured;
use super::starts::Entrant;
use crate::compare::{self, Comparison, Options, Window, like};
use crate::dataset::Dataset;
use crate::error::CompareError;
use crate::observation::{Collected, Instance};

/// The label that tells the lab's instances apart, and groups them.
pub(crate) const LABEL: &str = "launcher";
/// Families that tell what an instance sees of the machine's memory.
const SEEN_MEMORY: &str = "tierprobe_memory_";
/// The launcher that the others are compared with, where it ran.
const BASELINE: &str = "process";

/// A comparison with what it was made of.
#[derive(Debug)]
pub(crate) struct Compared {
    /// The comparison.
    pub(crate) comparison: Comparison,
    /// What was compared.
    pub(crate) dataset: Dataset,
    /// How it was compared.
    pub(crate) options: Options,
}

/// Compares what was measured.
///
/// # Errors
///
/// When there are no two launchers to compare.
pub(crate) fn compare(entrants: &[Entrant<'_>], measured: Vec<Measured>) -> Result<Compared, CompareError> {
    let mut collected: Vec<Collected> = measured.into_iter().map(|one| one.collected).collect();
    for entrant in entrants.iter().filter(|entrant| !entrant.starts.is_empty()) {
        let name = entrant.launcher.name();
        let place = collected.iter().position(|one| one.instance.name == name);
        match place.and_then(|place| collected.get_mut(place)) {
            Some(instance) => add_starts(instance, &entrant.starts),
            None => collected.push(only_starts(entrant)),
        }
    }
    // What instances see of the machine's memory is the state of this one machine, whoever looks, and not what an
    // instance costs: that is measured from outside.
    for one in &mut collected {
        one.observations.retain(|observation| !observation.family.starts_with(SEEN_MEMORY));
    }
    let has_baseline = collected.iter().any(|one| one.instance.name == BASELINE);
    let first = collected.first().map(|one| one.instance.name.clone());
    let baseline = if has_baseline { Some(BASELINE.to_owned()) } else { first };
    let order = entrants.iter().map(|entrant| entrant.launcher.name().to_owned()).collect();
    // Launchers are unlike by design, which is what the lab shows, and take turns.
    let options = Options {
        by: LABEL.to_owned(),
        baseline,
        order,
        allow_mixed: vec![like::ALL.to_owned()],
        window: Window::Whole,
        ..Options::default()
    };
    let dataset = Dataset::new(collected);
    let comparison = compare::compare(&dataset, &options)?;
    Ok(Compared { comparison, dataset, options })
}

/// An instance that starts were measured of, and nothing else.
fn only_starts(entrant: &Entrant<'_>) -> Collected {
    let name = entrant.launcher.name();
    let mut instance = Instance { name: name.to_owned(), ..Instance::default() };
    instance.labels.insert(LABEL.to_owned(), name.to_owned());
    if let Some(accel) = entrant.accel {
        instance.labels.insert("accel".to_owned(), accel.to_owned());
    }
    let mut collected = Collected { source: format!("lab:{name}"), instance, ..Collected::default() };
    add_starts(&mut collected, &entrant.starts);
    collected
}
