//! A window of time, read so that little more than the result is in memory.
//!
//! Rounds are clustered by time and put together by instance. So the window is gone through once to see whose rounds there
//! are, and then once for every so many rows of as many targets as have them: what was read of a target is packed before
//! the next ones are read.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rusqlite::Connection;

use super::StoreError;
use super::loading::{Counts, Loading, Names, bounds, keep_latest_once, packed, rounds};
use super::read::{Query, help, instances, seconds};
use crate::dataset::{Builder, Dataset, Span};
use crate::observation::{Vocabulary, before_change, counted};
use crate::source::Dropped;

/// Rows that are unpacked before they are packed anew; at a hundred numbers each some tens of MiB.
const ROWS_AT_A_TIME: usize = 40_000;

/// A window.
#[derive(Debug)]
pub struct Window {
    /// Its observations.
    pub dataset: Dataset,
    /// How much of it was observed.
    pub seen: Seen,
}

/// When a window was observed at all, whichever instances that were.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// The first scrape within that brought rounds, and the last one, in seconds since the epoch; `None` without any.
    pub span: Option<Span>,
    /// The longest time within without such a scrape, from the window's beginning to its end, in seconds.
    pub longest_gap: f64,
}

/// Reads a window in one view of the database.
pub(super) fn read(connection: &Connection, query: &Query<'_>, path: &Path) -> Result<Window, StoreError> {
    read_by(ROWS_AT_A_TIME, connection, query, path)
}

/// The same by so many rows at a time.
pub(super) fn read_by(
    most_rows: usize,
    connection: &Connection,
    query: &Query<'_>,
    path: &Path,
) -> Result<Window, StoreError> {
    let sqlite = || StoreError::sqlite(path);
    let names = Names::load(connection, query).map_err(sqlite())?;
    let (rows, seen) = rows(connection, query).map_err(sqlite())?;
    let mut targets: BTreeMap<(String, String), Vec<Loading>> = BTreeMap::new();
    let found = instances(connection).map_err(sqlite())?;
    let nameless = found.nameless.iter().filter(|id| rows.contains_key(id)).count();
    for (id, known) in found.known {
        if rows.contains_key(&id) {
            let key = (known.source.clone(), known.instance.name.clone());
            targets.entry(key).or_default().push(Loading::new(id, known, query.filters));
        }
    }
    let (vocabulary, builder) = (Vocabulary::default(), Builder::default());
    let mut all = Putting { names, query, vocabulary, builder, dropped: Vec::new() };
    for (family, help) in help(connection).map_err(sqlite())? {
        all.vocabulary.describe(&family, &help);
    }
    let mut counts = Counts { nameless, ..Counts::default() };
    let mut waiting = Vec::new();
    let mut at_hand = 0;
    for identities in targets.into_values() {
        let of_target = identities.iter().filter(|one| one.is_kept).filter_map(|one| rows.get(&one.id));
        at_hand += of_target.sum::<usize>();
        waiting.push(identities);
        if at_hand >= most_rows {
            all.put(connection, std::mem::take(&mut waiting), &mut counts, path)?;
            at_hand = 0;
        }
    }
    all.put(connection, waiting, &mut counts, path)?;
    Ok(Window { dataset: all.finish(&counts), seen })
}

/// How many rows there are of each instance, and how much of the span was observed.
fn rows(connection: &Connection, query: &Query<'_>) -> rusqlite::Result<(HashMap<i64, usize>, Seen)> {
    let mut select =
        connection.prepare("SELECT at, instance FROM round WHERE at BETWEEN ? AND ? ORDER BY at")?;
    let mut found = select.query(bounds(query))?;
    let mut counts = HashMap::new();
    let mut seen = Seen { span: None, longest_gap: 0.0 };
    let Span { from, until } = query.span;
    let mut last = from;
    while let Some(row) = found.next()? {
        *counts.entry(row.get(1)?).or_insert(0) += 1;
        let at = seconds(row.get(0)?);
        if at < from || at > until {
            continue;
        }
        seen.span.get_or_insert(Span { from: at, until: at }).until = at;
        seen.longest_gap = seen.longest_gap.max(at - last);
        last = at;
    }
    seen.longest_gap = seen.longest_gap.max(until - last);
    Ok((counts, seen))
}

/// Puts targets together.
struct Putting<'a> {
    names: Names,
    query: &'a Query<'a>,
    vocabulary: Vocabulary,
    builder: Builder,
    dropped: Vec<Dropped>,
}

impl Putting<'_> {
    /// Reads these targets and packs them.
    fn put(
        &mut self,
        connection: &Connection,
        targets: Vec<Vec<Loading>>,
        counts: &mut Counts,
        path: &Path,
    ) -> Result<(), StoreError> {
        let mut loading: HashMap<i64, &mut Loading> = HashMap::new();
        let mut targets = targets;
        for one in targets.iter_mut().flatten() {
            loading.insert(one.id, one);
        }
        rounds(connection, self.query, &self.names, &mut loading, counts, path)?;
        keep_latest_once(connection, &self.names, &mut loading).map_err(StoreError::sqlite(path))?;
        drop(loading);
        for identities in targets {
            self.add(identities);
        }
        Ok(())
    }

    /// One target: what it was last, and what it was before by name.
    fn add(&mut self, mut identities: Vec<Loading>) {
        identities.retain(|one| one.last.is_some());
        identities.sort_by_key(|one| one.last);
        let Some(current) = identities.pop() else { return };
        let source = current.known.source.clone();
        for before in identities.iter().filter(|before| before.is_kept && before.rounds > 0) {
            let (was, is) = (&before.known.instance.labels, &current.known.instance.labels);
            let reason = before_change(before.rounds, was, is);
            self.dropped.push(Dropped { source: source.clone(), reason });
        }
        if current.is_kept && current.rounds > 0 {
            self.builder.add(packed(&source, current, &self.names, self.query, &self.vocabulary));
        }
    }

    fn finish(mut self, counts: &Counts) -> Dataset {
        for (count, what) in [(counts.broken, "scrape"), (counts.nameless, "instance")] {
            if count > 0 {
                let reason = format!("{} in the store cannot be read", counted(count, what));
                self.dropped.push(Dropped { source: "the store".to_owned(), reason });
            }
        }
        self.builder.build().with_dropped(self.dropped)
    }
}
