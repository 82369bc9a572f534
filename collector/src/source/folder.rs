//! A folder of files.
//!
//! It holds the scrapes of one instance, which is called as the folder, or a folder for each instance; records, which
//! say their own names, may be beside them. The scrapes are taken in as a target's are that is scraped: in the order of
//! their rounds, whatever the files are called, so that an instance that became another one counts as what it was last.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::{Given, Kind, name_of, one, scrape, unpacked};
use super::intake::LAST_ROUND;
use super::{Accumulator, Options};
use crate::error::{SourceError, TakeError};
use crate::exposition::{self, Format, Head, Line, Sink};
use crate::observation::Packed;

/// Most files of one folder.
const MOST_FILES: usize = 100_000;

/// Reads a folder and the folders in it. A file that is no use is named and takes no other with it.
pub(super) fn read(path: &Path, options: &Options) -> Given {
    let files = match files(path) {
        Ok(files) if files.is_empty() => Err(SourceError::NoFiles { path: path.to_owned() }),
        other => other,
    };
    match files {
        Ok(files) => files
            .chunk_by(|a, b| a.parent() == b.parent())
            .flat_map(|files| instance(files, options))
            .collect(),
        Err(error) => vec![(path.display().to_string(), Err(error))],
    }
}

/// The files of one folder: records, and the scrapes of one instance.
fn instance(files: &[PathBuf], options: &Options) -> Given {
    let is_scrape =
        |path: &&PathBuf| Kind::of_name(&name_of(path)).is_some_and(|(kind, _)| kind == Kind::Exposition);
    let (scrapes, records): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(is_scrape);
    let mut given: Given = records.into_iter().flat_map(|path| one(path, options)).collect();
    let Some(folder) = scrapes.first().and_then(|path| path.parent()) else { return given };
    let mut in_order: Vec<(f64, &Path)> = Vec::new();
    for path in scrapes {
        match last_round(path, folder, options) {
            Ok(ended) => in_order.push((ended, path)),
            Err(error) => given.push((path.display().to_string(), Err(error))),
        }
    }
    in_order.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let whole = taken(folder, &in_order, options, &mut given);
    given.extend(whole.map(|whole| (folder.display().to_string(), whole)));
    given
}

/// When the last round ended that a scrape shows, in seconds since the epoch.
///
/// # Errors
///
/// When it cannot be read, or shows none.
fn last_round(path: &Path, folder: &Path, options: &Options) -> Result<f64, SourceError> {
    options.quota.check()?;
    let bytes = unpacked(path, Kind::Exposition)?;
    let refused = |error: TakeError| SourceError::Prom { path: path.to_owned(), error };
    let text = exposition::decode(&bytes).map_err(|error| refused(error.into()))?;
    let mut last = LastRound { is_meant: false, ended: None };
    exposition::read(text, Format::guess(text), &mut last).map_err(|error| refused(error.into()))?;
    match last.ended {
        Some(ended) => Ok(ended),
        // Who takes it in knows why there is none.
        None => scrape(path, &name_of(folder), &bytes, options).and(Err(SourceError::NoRounds)),
    }
}

/// What these scrapes say of the folder's instance; `None` without a good one. Files that are none go into `given`.
fn taken(
    folder: &Path,
    scrapes: &[(f64, &Path)],
    options: &Options,
    given: &mut Given,
) -> Option<Result<Packed, SourceError>> {
    let mut accumulator =
        Accumulator::new(folder.display().to_string(), name_of(folder)).sharing(&options.vocabulary);
    if let Some(only) = options.only {
        accumulator = accumulator.keeping(only);
    }
    let mut is_any_good = false;
    for (_, path) in scrapes {
        let before = accumulator.readings();
        match take(&mut accumulator, path) {
            Ok(()) => is_any_good = true,
            Err(error) => given.push((path.display().to_string(), Err(error))),
        }
        if let Err(error) = options.quota.take(accumulator.readings() - before) {
            return Some(Err(error.into()));
        }
    }
    let named = |packed| Packed { is_known_by_name: true, ..packed };
    is_any_good.then(|| accumulator.measured().map(named))
}

fn take(accumulator: &mut Accumulator, path: &Path) -> Result<(), SourceError> {
    let refused = |error: TakeError| SourceError::Prom { path: path.to_owned(), error };
    let bytes = unpacked(path, Kind::Exposition)?;
    let text = exposition::decode(&bytes).map_err(|error| refused(error.into()))?;
    accumulator.take(text).map(|_| ()).map_err(refused)
}

/// Finds the end of the last round in a scrape.
struct LastRound {
    /// Whether the family that is being read says so.
    is_meant: bool,
    ended: Option<f64>,
}

impl<'a> Sink<'a> for LastRound {
    fn family(&mut self, head: &Head<'a>) {
        self.is_meant = head.name == LAST_ROUND;
    }

    fn line(&mut self, line: &Line<'a, '_>) {
        if self.is_meant && line.value.is_finite() && line.value > 0.0 {
            self.ended = Some(self.ended.map_or(line.value, |ended| ended.max(line.value)));
        }
    }
}

/// The files of a folder and of the folders in it, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let (mut files, mut below) = (Vec::new(), Vec::new());
    for path in entries(folder)? {
        if path.is_dir() {
            below.extend(entries(&path)?.into_iter().filter(|path| path.is_file()));
        } else {
            files.push(path);
        }
        if files.len() + below.len() > MOST_FILES {
            return Err(SourceError::TooManyFiles { path: folder.to_owned(), limit: MOST_FILES });
        }
    }
    files.append(&mut below);
    files.retain(|path| Kind::of_name(&name_of(path)).is_some());
    Ok(files)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let failed = |error| SourceError::File { path: folder.to_owned(), error };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}
