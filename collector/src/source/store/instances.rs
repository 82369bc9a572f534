//! Who was there, and what it was when.
//!
//! A store adds labels to what it scrapes: `job`, `instance`, and whatever its users say of a target. They are the
//! labels of `tierprobe_probe_last_round_timestamp_seconds` but `probe`, and together they name an instance. Labels of
//! the agent that have the same name as one of them are called `exported_…`.
//!
//! An instance may become another one: a machine is rebooted, migrated, or its address is given to another. Each of
//! its eras is read for itself, and it counts as the last one that had rounds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::answer::{Sample, Series};
use super::stream::Label;
use crate::observation::{Instance, Labels};
use crate::source::identity;

const NAME: &str = "__name__";
const INSTANCE: &str = "instance";
const EXPORTED: &str = "exported_";

/// One instance, as the store knows it.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The labels that the store added.
    said: Labels,
    /// What each info metric says, where it says one thing all the time.
    constant: BTreeMap<String, Labels>,
    /// What info metrics say from when on, where they do not; in time order.
    changes: Vec<(f64, String, Labels)>,
    /// Numbers about the instance: its confidence, its resolutions.
    numbers: Vec<(String, Labels, f64)>,
}

/// All instances.
#[derive(Debug, Default)]
pub struct Fleet {
    /// Names of the labels that the store added.
    added: BTreeSet<String>,
    places: HashMap<String, usize>,
    known: Vec<Known>,
    /// The probes that have had rounds.
    pub probes: BTreeSet<String>,
}

/// An instance from a point in time on, in seconds since the epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Era {
    /// When it began.
    pub from: f64,
    /// What it was.
    pub instance: Instance,
}

impl Fleet {
    /// The fleet whose rounds' series are these.
    #[must_use]
    pub fn new(rounds: Vec<Labels>) -> Self {
        let mut fleet = Self::default();
        for labels in &rounds {
            fleet
                .added
                .extend(labels.keys().filter(|label| !matches!(label.as_str(), NAME | "probe")).cloned());
            fleet.probes.extend(labels.get("probe").cloned());
        }
        for labels in rounds {
            let key = fleet.key(&labels);
            if !fleet.places.contains_key(&key) {
                fleet.places.insert(key, fleet.known.len());
                let said = labels.into_iter().filter(|(label, _)| fleet.added.contains(label)).collect();
                fleet.known.push(Known { said, ..Known::default() });
            }
        }
        fleet
    }

    /// How many instances there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Forgets what each instance is, which takes more memory than who there is; there are no eras after that.
    pub(super) fn forget(&mut self) {
        self.known = Vec::new();
    }

    /// Whose a series is.
    #[must_use]
    pub fn find(&self, labels: &Labels) -> Option<usize> {
        self.places.get(&self.key(labels)).copied()
    }

    /// The same of labels as they are written. `key` is room for what they are compared by.
    pub(super) fn find_written(&self, labels: &[Label<'_>], key: &mut String) -> Option<usize> {
        key.clear();
        for added in &self.added {
            // Of a label that is there twice the last one holds.
            let value = labels.iter().rfind(|(label, _)| label == added);
            key.push_str(value.map_or("", |(_, value)| value));
            key.push('\0');
        }
        self.places.get(key.as_str()).copied()
    }

    /// Whether a label of a series is the agent's own.
    pub(super) fn is_own(&self, label: &str) -> bool {
        label != NAME && !self.added.contains(label)
    }

    /// The labels of a series that are the agent's own.
    #[must_use]
    pub fn own(&self, labels: Labels) -> Labels {
        let own = labels.into_iter().filter(|(label, _)| self.is_own(label));
        own.map(|(label, value)| match label.strip_prefix(EXPORTED) {
            Some(original) if self.added.contains(original) => (original.to_owned(), value),
            Some(_) | None => (label, value),
        })
        .collect()
    }

    /// Takes note of the series of info metrics, and says which metrics are not the same all the time, and on which
    /// instances.
    pub fn note_infos(&mut self, series: Vec<Labels>) -> BTreeMap<String, BTreeSet<String>> {
        let mut changing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for labels in series {
            let Some(at) = self.find(&labels) else { continue };
            let name = labels.get(NAME).cloned().unwrap_or_default();
            let called = labels.get(INSTANCE).cloned().unwrap_or_default();
            let own = self.own(labels);
            let Some(known) = self.known.get_mut(at) else { continue };
            let before = known.constant.insert(name.clone(), own.clone());
            if before.is_some_and(|before| before != own) {
                changing.entry(name).or_default().insert(called);
            }
        }
        changing
    }

    /// Takes note of when an info metric said what. To be called in time order.
    pub fn note_changes(&mut self, series: Vec<Series>) {
        let mut seen: BTreeMap<usize, Vec<(f64, String, Labels)>> = BTreeMap::new();
        for one in series {
            let Some(at) = self.find(&one.metric) else { continue };
            let name = one.metric.get(NAME).cloned().unwrap_or_default();
            let own = self.own(one.metric);
            let at_times = one.values.0.iter().filter(|sample| sample.value > 0.0);
            seen.entry(at)
                .or_default()
                .extend(at_times.map(|Sample { at, .. }| (*at, name.clone(), own.clone())));
        }
        for (at, mut seen) in seen {
            let Some(known) = self.known.get_mut(at) else { continue };
            seen.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
            for (when, name, own) in seen {
                let last = known.changes.iter().rfind(|(_, other, _)| *other == name);
                if last.is_none_or(|(before, _, same)| when > *before && *same != own) {
                    known.changes.push((when, name, own));
                }
            }
        }
    }

    /// Takes note of numbers about instances.
    pub fn note_numbers(&mut self, series: Vec<Series>) {
        for one in series {
            let latest = one.value.or_else(|| one.values.0.last().copied());
            let (Some(at), Some(sample)) = (self.find(&one.metric), latest) else { continue };
            let name = one.metric.get(NAME).cloned().unwrap_or_default();
            let own = self.own(one.metric);
            if let Some(known) = self.known.get_mut(at) {
                known.numbers.push((name, own, sample.value));
            }
        }
    }

    /// The eras of an instance, in time order; at least one.
    #[must_use]
    pub fn eras(&self, at: usize) -> Vec<Era> {
        let Some(known) = self.known.get(at) else { return Vec::new() };
        let mut infos = known.constant.clone();
        let mut changes = known.changes.clone();
        changes.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
        // What was so at first was so before it was first seen.
        for (_, name, labels) in changes.iter().rev() {
            infos.insert(name.clone(), labels.clone());
        }
        let mut eras = vec![Era { from: f64::NEG_INFINITY, instance: known.instance(&infos) }];
        for (when, name, labels) in changes {
            infos.insert(name, labels);
            let instance = known.instance(&infos);
            match eras.last_mut() {
                Some(last) if last.instance == instance => {}
                // Several metrics change with one scrape.
                Some(last) if last.from.total_cmp(&when).is_eq() => last.instance = instance,
                Some(_) | None => eras.push(Era { from: when, instance }),
            }
        }
        eras
    }

    fn key(&self, labels: &Labels) -> String {
        let mut key = String::new();
        for label in &self.added {
            key.push_str(labels.get(label).map_or("", String::as_str));
            key.push('\0');
        }
        key
    }
}

impl Known {
    fn instance(&self, infos: &BTreeMap<String, Labels>) -> Instance {
        let mut instance = Instance::default();
        for (name, labels) in infos {
            identity::note(&mut instance, name, labels, 1.0);
        }
        for (name, labels, value) in &self.numbers {
            identity::note(&mut instance, name, labels, *value);
        }
        for (label, value) in &self.said {
            if label == INSTANCE {
                instance.name.clone_from(value);
            } else {
                instance.labels.insert(label.clone(), value.clone());
            }
        }
        instance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect()
    }

    fn fleet() -> Fleet {
        let name = "tierprobe_probe_last_round_timestamp_seconds";
        let of = |instance, probe| {
            labels(&[(NAME, name), ("instance", instance), ("job", "j"), ("cloud", "ours"), ("probe", probe)])
        };
        Fleet::new(vec![of("a", "cpu"), of("a", "syscall"), of("b", "cpu")])
    }

    fn info(instance: &str, name: &str, more: &[(&str, &str)]) -> Labels {
        let mut all = labels(&[(NAME, name), ("instance", instance), ("job", "j"), ("cloud", "ours")]);
        all.extend(labels(more));
        all
    }

    #[test]
    fn labels_of_the_store_and_of_the_agent_are_told_apart() {
        let fleet = fleet();
        assert_eq!(fleet.len(), 2);
        let of_b = info("b", "x", &[("syscall", "read"), ("exported_cloud", "aws"), ("exported_y", "z")]);
        assert_eq!(fleet.find(&of_b), Some(1));
        assert_eq!(fleet.own(of_b), labels(&[("syscall", "read"), ("cloud", "aws"), ("exported_y", "z")]));
        assert_eq!(fleet.find(&info("c", "x", &[])), None);
    }

    #[test]
    fn what_the_user_says_of_a_target_holds() {
        let mut fleet = fleet();
        let tier = info("a", "tierprobe_tier_info", &[("tier", "vm"), ("exported_cloud", "aws")]);
        assert!(fleet.note_infos(vec![tier]).is_empty());
        let eras = fleet.eras(0);
        assert_eq!(eras.len(), 1);
        assert_eq!(eras[0].instance.name, "a");
        assert_eq!(eras[0].instance.labels, labels(&[("tier", "vm"), ("cloud", "ours"), ("job", "j")]));
    }

    #[test]
    fn an_instance_that_becomes_another_has_eras() {
        let mut fleet = fleet();
        let at = |boot, tier, times: &[f64]| {
            let kernel = info("a", "tierprobe_kernel_info", &[("boot_id", boot)]);
            let tier = info("a", "tierprobe_tier_info", &[("tier", tier)]);
            let values = times.iter().map(|at| Sample { at: *at, value: 1.0 }).collect::<Vec<_>>();
            [kernel, tier].map(|metric| Series {
                metric,
                values: super::super::answer::Samples(values.clone()),
                value: None,
            })
        };
        let before = at("one", "vm", &[1.0, 2.0]);
        let after = at("two", "container", &[3.0, 4.0]);
        let infos = before.iter().chain(&after).map(|series| series.metric.clone()).collect();
        let changing = fleet.note_infos(infos);
        assert_eq!(changing.len(), 2);
        assert!(changing.values().all(|instances| instances.iter().eq(["a"])));
        fleet.note_changes([before, after].into_iter().flatten().collect());
        fleet.note_changes(at("two", "container", &[4.0, 5.0]).into());
        let eras = fleet.eras(0);
        let told: Vec<_> = eras
            .iter()
            .map(|era| {
                (era.from, era.instance.labels["tier"].as_str(), era.instance.labels["boot_id"].as_str())
            })
            .collect();
        assert_eq!(told, [(f64::NEG_INFINITY, "vm", "one"), (3.0, "container", "two")]);
    }
}
