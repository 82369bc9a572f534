//! What is on disk or comes in by standard input: records and saved expositions, packed or not.
//!
//! A saved exposition holds the latest round of each probe and no more, so one is good for gauges and for trying things
//! out; a comparison of durations needs many. A folder holds the scrapes of one instance, which is called as the folder,
//! or a folder for each instance.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::unpack::{self, UnpackError};
use super::{Accumulator, Options, record};
use crate::error::SourceError;
use crate::exposition;
use crate::observation::Packed;

/// Stands for standard input.
pub const STANDARD_INPUT: &str = "-";
/// Longest record that is read, in bytes, unpacked: more than a day's rounds of all probes.
const MAX_RECORD_BYTES: usize = 128 * 1024 * 1024;
/// Most files of one folder.
const MOST_FILES: usize = 100_000;

/// What each file, by its name, gave.
pub type Given = Vec<(String, Result<Packed, SourceError>)>;

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// JSON of `tierprobe-agent measure`.
    Record,
    /// A scrape, in either format.
    Exposition,
}

impl Kind {
    /// What a file's name says, and the name without what says it; `None` for a name that says neither.
    fn of_name(name: &str) -> Option<(Self, &str)> {
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
    if !path.is_dir() {
        return one(path, None, options);
    }
    match files(path) {
        Ok(files) if files.is_empty() => {
            vec![(path.display().to_string(), Err(SourceError::NoFiles { path: path.to_owned() }))]
        }
        Ok(files) => files
            .into_iter()
            .flat_map(|file| {
                let folder = file.parent().map(name_of);
                one(&file, folder.as_deref(), options)
            })
            .collect(),
        Err(error) => vec![(path.display().to_string(), Err(error))],
    }
}

fn standard_input(path: &Path, options: &Options) -> Given {
    let source = path.display().to_string();
    let bytes = match unpack::read(io::stdin().lock(), MAX_RECORD_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => return vec![(source, Err(unpacked(path, error)))],
    };
    match Kind::of_content(&bytes) {
        Kind::Record => records(path, &bytes, options),
        Kind::Exposition => vec![(source, scrape(path, "stdin", &bytes, options))],
    }
}

/// One file; `instance` is what the scrape is called after, instead of the file.
fn one(path: &Path, instance: Option<&str>, options: &Options) -> Given {
    let source = path.display().to_string();
    if let Err(error) = options.quota.check() {
        return vec![(source, Err(error.into()))];
    }
    let name = name_of(path);
    let Some((kind, stem)) = Kind::of_name(&name) else {
        return vec![(path.display().to_string(), Err(SourceError::NoFiles { path: path.to_owned() }))];
    };
    let limit = if kind == Kind::Record { MAX_RECORD_BYTES } else { exposition::MAX_BYTES };
    match (open(path).and_then(|file| unpack::read(file, limit).map_err(|error| unpacked(path, error))), kind)
    {
        (Ok(bytes), Kind::Record) => records(path, &bytes, options),
        (Ok(bytes), Kind::Exposition) => {
            let result = scrape(path, instance.unwrap_or(stem), &bytes, options);
            vec![(path.display().to_string(), result)]
        }
        (Err(error), _) => vec![(path.display().to_string(), Err(error))],
    }
}

/// Records, one or several one after the other.
fn records(path: &Path, bytes: &[u8], options: &Options) -> Given {
    let source = path.display().to_string();
    let records = record::parse(path, bytes, &options.vocabulary);
    records.map(|result| (source.clone(), result.and_then(|packed| kept(packed, options)))).collect()
}

fn scrape(path: &Path, instance: &str, bytes: &[u8], options: &Options) -> Result<Packed, SourceError> {
    let refused = |error| SourceError::Prom { path: path.to_owned(), error };
    let mut accumulator = Accumulator::new(path.display().to_string(), instance).sharing(&options.vocabulary);
    let text = exposition::decode(bytes).map_err(|error| refused(error.into()))?;
    accumulator.take(text).map_err(refused)?;
    let packed = accumulator.pack();
    if packed.is_empty() { Err(SourceError::NoRounds) } else { kept(packed, options) }
}

/// What is going to be compared of an instance, as far as there may be more.
fn kept(packed: Packed, options: &Options) -> Result<Packed, SourceError> {
    let packed = match options.only {
        Some(only) => packed.keeping(only),
        None => packed,
    };
    options.quota.take(packed.observations())?;
    Ok(packed)
}

/// Opens what is a file: a pipe without a writer would never give anything.
fn open(path: &Path) -> Result<File, SourceError> {
    let failed = |error| SourceError::File { path: path.to_owned(), error };
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(SourceError::NotAFile { path: path.to_owned() });
    }
    File::open(path).map_err(failed)
}

/// The files of a folder and of the folders in it, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            files.extend(entries(&path)?.into_iter().filter(|path| path.is_file()));
        } else {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            return Err(SourceError::TooManyFiles { path: folder.to_owned(), limit: MOST_FILES });
        }
    }
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

fn unpacked(path: &Path, error: UnpackError) -> SourceError {
    SourceError::Unpack { path: path.to_owned(), error }
}

/// The last part of a path. A folder may be named by what it is from here, such as `.`.
fn name_of(path: &Path) -> String {
    let whole = || path.canonicalize().ok()?.file_name().map(OsStr::to_owned);
    let name = path.file_name().map(OsStr::to_owned).or_else(whole);
    name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
