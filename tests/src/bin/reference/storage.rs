//! What `fio` times, as the agent has it: several operations in turn after each pause, and without the first of each.
//! What comes first after a pause is dearer, and in `fio`'s median.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::libc::O_DIRECT;
use tempfile::NamedTempFile;

const BLOCK: usize = 4096;
/// Of a file.
const BLOCKS: u64 = 16;

/// Turns, the pause before each, and how many operations each has, the first of which does not count.
const TURNS: usize = 21;
const PAUSE: Duration = Duration::from_millis(20);
const WRITES: u64 = 4;
const READS: u64 = 6;

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// A block written over one that the file has, and flushed.
    Overwrite,
    /// Flushed without anything to flush.
    Clean,
    /// A block written behind the last one, and flushed.
    Append,
    /// A block read from the page cache.
    ReadBuffered,
    /// A block read past the page cache.
    ReadDirect,
}

impl Operation {
    const ALL: [Self; 5] = [Self::Overwrite, Self::Clean, Self::Append, Self::ReadBuffered, Self::ReadDirect];

    fn times(self) -> u64 {
        if matches!(self, Self::ReadBuffered | Self::ReadDirect) { READS } else { WRITES }
    }
}

/// The median of the turns' medians of an operation, of all but the first of each turn; among the others, in the order in
/// which the agent has them where there is time for all.
pub(super) fn time(directory: &str, wanted: Operation) -> anyhow::Result<f64> {
    let named = NamedTempFile::new_in(directory).with_context(|| directory.to_owned())?;
    let direct = File::options().read(true).custom_flags(O_DIRECT).open(named.path())?;
    let whole = named.into_file();
    whole.write_all_at(&[1; 16 * BLOCK], 0)?;
    whole.sync_all()?;
    let growing = tempfile::tempfile_in(directory)?;
    let mut page = [0; BLOCK];
    let mut room = vec![0; 2 * BLOCK];
    let offset = room.as_ptr().align_offset(BLOCK);
    let aligned = room.get_mut(offset..offset + BLOCK).context("no aligned memory")?;

    let mut turn = 0;
    super::turns(TURNS, || {
        std::thread::sleep(PAUSE);
        super::close_something()?;
        let mut median = f64::NAN;
        for operation in Operation::ALL {
            let appended = turn * WRITES % BLOCKS;
            if operation == Operation::Append && appended == 0 {
                growing.set_len(0)?;
                growing.sync_data()?;
            }
            let mut seconds = Vec::new();
            for number in 0..operation.times() {
                let at = (turn * operation.times() + number) % BLOCKS * BLOCK as u64;
                let begin = Instant::now();
                match operation {
                    Operation::Overwrite => {
                        whole.write_all_at(&[2; BLOCK], at)?;
                        whole.sync_data()?;
                    }
                    Operation::Clean => whole.sync_data()?,
                    Operation::Append => {
                        growing.write_all_at(&[2; BLOCK], (appended + number) * BLOCK as u64)?;
                        growing.sync_data()?;
                    }
                    Operation::ReadBuffered => whole.read_exact_at(&mut page, at)?,
                    Operation::ReadDirect => direct.read_exact_at(aligned, at)?,
                }
                seconds.push(begin.elapsed().as_secs_f64());
            }
            if operation == wanted {
                median = super::median(seconds.split_off(1));
            }
        }
        turn += 1;
        Ok(median)
    })
}
