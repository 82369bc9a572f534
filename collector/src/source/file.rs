//! What is on disk or comes in by standard input: records and saved expositions, packed or not.
//!
//! A saved exposition holds the latest round of each probe and no more, so one is good for gauges and for trying things
//! out; a comparison of durations needs many, in a `folder`.
//!
//! A record's instance is called as the record says, a saved exposition's as its file. That name is all that tells
//! instances of files apart: of two that have one name and are not alike, one is what the other was before.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::unpack::{self, UnpackError};
use super::{Accumulator, Options, folder, record};
use crate::error::SourceError;
use crate::exposition;
use crate::observation::Packed;

/// Stands for standard input.
pub const STANDARD_INPUT: &str = "-";
/// Longest record that is read, in bytes, unpacked: more than a day's rounds of all probes.
const MAX_RECORD_BYTES: usize = 128 * 1024 * 1024;

/// What each file, by its name, gave.
pub type Given = Vec<(String, Result<Packed, SourceError>)>;

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// JSON of `tierprobe-agent measure`.
    Record,
    /// A scrape, in either format.
    Exposition,
}

impl Kind {
    /// What a file's name says, and the name without what says it; `None` for a name that says neither.
    pub(super) fn of_name(name: &str) -> Option<(Self, &str)> {
        let plain = [".gz", ".zst"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(name);
        let (stem, ending) = plain.rsplit_once('.')?;
        match ending {
            "json" => Some((Self::Record, stem)),
            "prom" | "txt" | "om" => Some((Self::Exposition, stem)),
            _ => None,
        }
    }

    /// What the bytes say: only a record begins with a brace.
    fn of_content(bytes: &[u8]) -> Self {
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if first == Some(&b'{') { Self::Record } else { Self::Exposition }
    }
}

/// Whether a path can be read here, by its name or because it is a folder.
#[must_use]
pub fn is_one(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT) || Kind::of_name(&name_of(path)).is_some() || path.is_dir()
}

/// Reads a file, a folder or standard input. A file that is no use is named and takes no other with it.
#[must_use]
pub fn read(path: &Path, options: &Options) -> Given {
    if path == Path::new(STANDARD_INPUT) {
        return standard_input(path, options);
    }
    if path.is_dir() { folder::read(path, options) } else { one(path, options) }
}

fn standard_input(path: &Path, options: &Options) -> Given {
    let source = path.display().to_string();
    let bytes = match unpack::read(io::stdin().lock(), MAX_RECORD_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => return vec![(source, Err(broken(path, error)))],
    };
    match Kind::of_content(&bytes) {
        Kind::Record => records(path, &bytes, options),
        Kind::Exposition => vec![(source, scrape(path, "stdin", &bytes, options))],
    }
}

/// One file.
pub(super) fn one(path: &Path, options: &Options) -> Given {
    let source = path.display().to_string();
    if let Err(error) = options.quota.check() {
        return vec![(source, Err(error.into()))];
    }
    let name = name_of(path);
    let Some((kind, stem)) = Kind::of_name(&name) else {
        return vec![(source, Err(SourceError::NoFiles { path: path.to_owned() }))];
    };
    match (unpacked(path, kind), kind) {
        (Ok(bytes), Kind::Record) => records(path, &bytes, options),
        (Ok(bytes), Kind::Exposition) => vec![(source, scrape(path, stem, &bytes, options))],
        (Err(error), _) => vec![(source, Err(error))],
    }
}

/// Records, one or several one after the other.
fn records(path: &Path, bytes: &[u8], options: &Options) -> Given {
    let source = path.display().to_string();
    let records = record::parse(path, bytes, &options.vocabulary);
    records.map(|result| (source.clone(), result.and_then(|packed| kept(packed, options)))).collect()
}

/// A scrape alone.
pub(super) fn scrape(
    path: &Path,
    instance: &str,
    bytes: &[u8],
    options: &Options,
) -> Result<Packed, SourceError> {
    let refused = |error| SourceError::Prom { path: path.to_owned(), error };
    let mut accumulator = Accumulator::new(path.display().to_string(), instance).sharing(&options.vocabulary);
    let text = exposition::decode(bytes).map_err(|error| refused(error.into()))?;
    accumulator.take(text).map_err(refused)?;
    kept(accumulator.measured()?, options)
}

/// What is going to be compared of an instance, as far as there may be more.
fn kept(packed: Packed, options: &Options) -> Result<Packed, SourceError> {
    let packed = match options.only {
        Some(only) => packed.keeping(only),
        None => packed,
    };
    options.quota.take(packed.observations())?;
    Ok(Packed { is_known_by_name: true, ..packed })
}

/// What is in a file, unpacked.
pub(super) fn unpacked(path: &Path, kind: Kind) -> Result<Vec<u8>, SourceError> {
    let limit = if kind == Kind::Record { MAX_RECORD_BYTES } else { exposition::MAX_BYTES };
    unpack::read(open(path)?, limit).map_err(|error| broken(path, error))
}

/// Opens what is a file: a pipe without a writer would never give anything.
fn open(path: &Path) -> Result<File, SourceError> {
    let failed = |error| SourceError::File { path: path.to_owned(), error };
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(SourceError::NotAFile { path: path.to_owned() });
    }
    File::open(path).map_err(failed)
}

fn broken(path: &Path, error: UnpackError) -> SourceError {
    SourceError::Unpack { path: path.to_owned(), error }
}

/// The last part of a path. A folder may be named by what it is from here, such as `.`.
pub(super) fn name_of(path: &Path) -> String {
    let whole = || path.canonicalize().ok()?.file_name().map(OsStr::to_owned);
    let name = path.file_name().map(OsStr::to_owned).or_else(whole);
    name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
