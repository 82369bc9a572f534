//! Observations by instance and series, ready to be compared.
//!
//! - [`Dataset`]: all instances, each once, with the readings of each of its series in time order.
//! - [`builder`]: puts it together, one instance after the other.
//! - [`member`]: one instance.
//! - [`group`]: the instances that share a label's value.
//! - [`cells`]: what each instance has in each row, one instance after the other.
//! - [`host`]: the unit of evidence, and the one value that each host has in a row.

pub mod builder;
pub mod cells;
pub mod group;
pub mod host;
pub mod member;

use std::collections::BTreeMap;

pub use builder::Builder;
pub use cells::Cells;
pub use group::{Filter, Group, Span};
pub use host::{Host, LeftOut, Rounds, Side};
pub use member::Member;

use crate::observation::{Collected, Discarded, Vocabulary};
pub use crate::observation::{Reading, Readings, SeriesKey};
use crate::source::{Dropped, Note};

/// What one source gave.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SourceSummary {
    /// The source, as the user named it.
    pub source: String,
    /// How many instances it showed.
    pub instances: usize,
    /// How many observations it gave that can be compared.
    pub observations: usize,
}

/// All instances.
#[derive(Debug, Clone, Default)]
pub struct Dataset {
    members: Vec<Member>,
    sources: Vec<SourceSummary>,
    dropped: Vec<Dropped>,
    notes: Vec<Note>,
    discarded: Discarded,
    help: BTreeMap<String, String>,
}

impl Dataset {
    /// Puts together what the sources yielded, where that is a list; a fleet goes through [`Builder`].
    #[must_use]
    pub fn new(collected: Vec<Collected>) -> Self {
        let vocabulary = Vocabulary::default();
        let mut builder = Builder::default();
        for one in collected {
            builder.add(one.pack(&vocabulary));
        }
        builder.build()
    }

    /// The same, with the sources that gave nothing, for the report to name.
    #[must_use]
    pub fn with_dropped(mut self, dropped: Vec<Dropped>) -> Self {
        self.dropped.extend(dropped);
        self
    }

    /// The same, with what stores said of their data.
    #[must_use]
    pub fn with_notes(mut self, notes: Vec<Note>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// What stores said of their data.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// All instances, in the order in which they came.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What each source gave.
    #[must_use]
    pub fn sources(&self) -> &[SourceSummary] {
        &self.sources
    }

    /// The sources that gave nothing.
    #[must_use]
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }

    /// What could not be used of the sources that gave something.
    #[must_use]
    pub fn discarded(&self) -> Discarded {
        self.discarded
    }

    /// One sentence on each family, where a source had it.
    #[must_use]
    pub fn help(&self) -> &BTreeMap<String, String> {
        &self.help
    }
}
