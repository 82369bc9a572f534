//! The names of the families of a text, and which of them OpenMetrics has no room for beside each other.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Head, Kind};

/// The families so far.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    /// Their kinds; `None` for one that is not complete.
    known: HashMap<&'a str, Option<Kind>, RandomState>,
    /// A name that is being looked up.
    name: String,
}

impl<'a> Names<'a> {
    /// Notes a name, and says whether it is new.
    pub(super) fn insert(&mut self, name: &'a str) -> bool {
        self.known.insert(name, None).is_none()
    }

    /// Notes what the family is, and returns the name that a line of it and a line of an earlier family could share.
    ///
    /// Only where one family's lines are called as the family itself: suffixes of two families cannot meet otherwise,
    /// as none is a part of another's end.
    pub(super) fn complete(&mut self, head: &Head<'a>) -> Option<&str> {
        self.known.insert(head.name, Some(head.kind));
        let own = suffixes(head.kind);
        for suffix in own.iter().filter(|suffix| !suffix.is_empty()) {
            self.name.clear();
            self.name.push_str(head.name);
            self.name.push_str(suffix);
            let is_taken = |kind: Kind| suffixes(kind).contains(&"");
            if self.known.get(self.name.as_str()).copied().flatten().is_some_and(is_taken) {
                return Some(&self.name);
            }
        }
        let is_taken = own.contains(&"")
            && head.name.match_indices('_').any(|(at, _)| {
                let (name, suffix) = head.name.split_at(at);
                self.known.get(name).copied().flatten().is_some_and(|kind| suffixes(kind).contains(&suffix))
            });
        is_taken.then_some(head.name)
    }
}

/// What the names of a family's lines may have beyond its own, in OpenMetrics.
pub(super) const fn suffixes(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Counter => &["_total", "_created"],
        Kind::Gauge | Kind::StateSet | Kind::Untyped => &[""],
        Kind::Histogram => &["_bucket", "_sum", "_count", "_created"],
        Kind::GaugeHistogram => &["_bucket", "_gsum", "_gcount"],
        Kind::Summary => &["", "_sum", "_count", "_created"],
        Kind::Info => &["_info"],
    }
}
