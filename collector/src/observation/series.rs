//! Which number of which series a value is, and the vocabulary in which each of these is kept once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use super::{Labels, Statistic};

/// Which row of a comparison: one number of one series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// The family.
    pub family: String,
    /// Its labels.
    pub labels: Labels,
    /// Which number of its rounds.
    pub statistic: Statistic,
}

/// A key by its place in a [`Vocabulary`]; means nothing in another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(u32);

impl SeriesId {
    /// Its place.
    #[must_use]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Every key once, with what its family is, for all instances that share the vocabulary: clones are handles of the same
/// one.
///
/// The agents of a fleet publish the same series. A key is some six hundred bytes, a place four.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary(Arc<RwLock<Keys>>);

impl Vocabulary {
    /// The place of a key, which is added if it is new.
    #[must_use]
    pub fn id(&self, key: &SeriesKey) -> SeriesId {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).id(key);
        known.unwrap_or_else(|| self.0.write().unwrap_or_else(PoisonError::into_inner).add(key.clone()))
    }

    /// The key at a place; `None` for one of another vocabulary.
    #[must_use]
    pub fn key(&self, id: SeriesId) -> Option<Arc<SeriesKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys.get(id.index()).cloned()
    }

    /// Keeps one sentence on a family, unless there is one already.
    pub fn describe(&self, family: &str, help: &str) {
        let is_known = self.0.read().unwrap_or_else(PoisonError::into_inner).help.contains_key(family);
        if !is_known {
            let help = help.to_owned();
            self.0.write().unwrap_or_else(PoisonError::into_inner).help.insert(family.to_owned(), help);
        }
    }

    /// The sentence on a family.
    #[must_use]
    pub fn help(&self, family: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).help.get(family).cloned()
    }

    /// Whether places of one mean the same in the other.
    #[must_use]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The keys as they are now.
    #[must_use]
    pub(crate) fn keys(&self) -> Keys {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The keys of a vocabulary that is complete.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    keys: Vec<Arc<SeriesKey>>,
    ids: HashMap<Arc<SeriesKey>, SeriesId>,
    /// One sentence on each family, where a source has it.
    help: BTreeMap<String, String>,
}

impl Keys {
    pub(crate) fn id(&self, key: &SeriesKey) -> Option<SeriesId> {
        self.ids.get(key).copied()
    }

    pub(crate) fn get(&self, id: SeriesId) -> Option<&SeriesKey> {
        self.keys.get(id.index()).map(Arc::as_ref)
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn help(&self) -> &BTreeMap<String, String> {
        &self.help
    }

    fn add(&mut self, key: SeriesKey) -> SeriesId {
        // Another thread may have been faster.
        if let Some(id) = self.id(&key) {
            return id;
        }
        // Four thousand million keys do not fit into memory.
        let id = SeriesId(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        let key = Arc::new(key);
        self.keys.push(Arc::clone(&key));
        self.ids.insert(key, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_place_whoever_asks() {
        let key = |family: &str| SeriesKey {
            family: family.into(),
            labels: Labels::new(),
            statistic: Statistic::P50,
        };
        let (vocabulary, other) = (Vocabulary::default(), Vocabulary::default());
        let handle = vocabulary.clone();
        let (a, b) = (vocabulary.id(&key("a")), handle.id(&key("b")));
        assert_eq!((handle.id(&key("a")), vocabulary.id(&key("b"))), (a, b));
        assert_eq!(vocabulary.key(b).as_deref(), Some(&key("b")));
        assert!(vocabulary.is(&handle) && !vocabulary.is(&other));
        assert_eq!(other.key(a), None);
    }
}
