//! Whose turn it is where not all can have one. Pure.

use std::collections::BTreeMap;

/// In which order they had their last turns.
#[derive(Debug)]
pub(super) struct Turns<T> {
    count: u64,
    last: BTreeMap<T, u64>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { count: 0, last: BTreeMap::new() }
    }
}

impl<T: Ord> Turns<T> {
    /// All of them, those first that have waited longest, and before them those that never had one. Taking turns by number
    /// would not do: whoever is first in each round in which there is something would have all of it.
    pub(super) fn order(&self, all: impl IntoIterator<Item = T>) -> Vec<T> {
        let mut all: Vec<T> = all.into_iter().collect();
        all.sort_by_key(|one| self.last.get(one).copied());
        all
    }

    /// One has had its turn.
    pub(super) fn done(&mut self, one: T) {
        self.count += 1;
        self.last.insert(one, self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_longest_is_first() {
        let mut turns = Turns::default();
        assert_eq!(turns.order(["a", "b", "c"]), ["a", "b", "c"]);
        turns.done("a");
        assert_eq!(turns.order(["a", "b", "c"]), ["b", "c", "a"]);
        turns.done("b");
        turns.done("a");
        assert_eq!(turns.order(["a", "b", "c"]), ["c", "b", "a"]);
    }
}
