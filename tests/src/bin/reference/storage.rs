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
const TURNS: u64 = 20;
const PAUSE: Duration = Duration::from_millis(20);
const WRITES: u64 = 4;
const READS: u64 = 6;

/// What is done to a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Written over one that the file has, and flushed.
    Overwrite,
    /// Written behind the last one, and flushed.
    Append,
    /// Read past the page cache.
    ReadDirect,
}

/// The median of an operation: of all but the first of each turn, among the others, each of which has its turn at being
/// the first after the pause.
pub(super) fn time(directory: &str, wanted: Operation) -> anyhow::Result<f64> {
    let named = NamedTempFile::new_in(directory).with_context(|| directory.to_owned())?;
    let direct = File::options().read(true).custom_flags(O_DIRECT).open(named.path())?;
    let whole = named.into_file();
    whole.write_all_at(&[1; 16 * BLOCK], 0)?;
    whole.sync_all()?;
    let growing = tempfile::tempfile_in(directory)?;
    let mut room = vec![0; 2 * BLOCK];
    let offset = room.as_ptr().align_offset(BLOCK);
    let aligned = room.get_mut(offset..offset + BLOCK).context("no aligned memory")?;

    let mut seconds = Vec::new();
    let mut order = [Operation::Overwrite, Operation::Append, Operation::ReadDirect];
    for turn in 0..TURNS {
        std::thread::sleep(PAUSE);
        order.rotate_left(1);
        for operation in order {
            let times = if operation == Operation::ReadDirect { READS } else { WRITES };
            if operation == Operation::Append {
                growing.set_len(0)?;
                growing.sync_data()?;
            }
            for number in 0..times {
                let at = (turn * times + number) % BLOCKS * BLOCK as u64;
                let begin = Instant::now();
                match operation {
                    Operation::Overwrite => {
                        whole.write_all_at(&[2; BLOCK], at)?;
                        whole.sync_data()?;
                    }
                    Operation::Append => {
                        growing.write_all_at(&[2; BLOCK], number * BLOCK as u64)?;
                        growing.sync_data()?;
                    }
                    Operation::ReadDirect => direct.read_exact_at(aligned, at)?,
                }
                if operation == wanted && number > 0 {
                    seconds.push(begin.elapsed().as_secs_f64());
                }
            }
        }
    }
    Ok(super::median(seconds))
}
