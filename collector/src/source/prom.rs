//! A saved exposition: what one scrape showed.
//!
//! It holds the latest round of each probe and no more, so it is good for gauges and for trying things out; a
//! comparison of durations needs many rounds.

use std::path::Path;

use super::Accumulator;
use super::record::read_limited;
use crate::error::SourceError;
use crate::exposition;
use crate::observation::Collected;

/// Reads one `.prom` file; the instance is called as the file, without folder and ending.
///
/// # Errors
///
/// When the file cannot be read, is no exposition of an agent, or shows no round.
pub fn read(path: &Path) -> Result<Collected, SourceError> {
    let bytes = read_limited(path, exposition::MAX_BYTES)?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut accumulator = Accumulator::new(path.to_string_lossy(), name);
    let refused = |error| SourceError::Prom { path: path.to_owned(), error };
    let text = exposition::decode(&bytes).map_err(|error| refused(error.into()))?;
    accumulator.take(text).map_err(refused)?;
    let collected = accumulator.finish();
    if collected.observations.is_empty() { Err(SourceError::NoRounds) } else { Ok(collected) }
}
