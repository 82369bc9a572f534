//! What `fio` times, without what comes first after each pause: it is dearer, and in `fio`'s median.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::libc::O_DIRECT;

const BLOCK: usize = 4096;
const BLOCKS: u64 = 16;

/// Turns, the pause before each, and how many operations each has, the first of which does not count.
const TURNS: u64 = 20;
const PAUSE: Duration = Duration::from_millis(20);
const WRITES: u64 = 4;
const READS: u64 = 6;

/// A file that is gone with the value.
struct Named(PathBuf);

impl Drop for Named {
    fn drop(&mut self) {
        let _nobody_needs_it = std::fs::remove_file(&self.0);
    }
}

fn make(directory: &str) -> anyhow::Result<(Named, File)> {
    let path = Path::new(directory).join(format!("reference-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path);
    let file = file.with_context(|| path.display().to_string())?;
    Ok((Named(path), file))
}

/// The same with all its blocks on the disk.
fn make_whole(directory: &str) -> anyhow::Result<(Named, File)> {
    let (name, file) = make(directory)?;
    file.write_all_at(&[1; BLOCK * 16], 0)?;
    file.sync_all()?;
    Ok((name, file))
}

/// A block of a file that has it, written over and flushed.
pub(super) fn overwrite(directory: &str) -> anyhow::Result<f64> {
    let (_name, file) = make_whole(directory)?;
    time(WRITES, |number| {
        file.write_all_at(&[2; BLOCK], number % BLOCKS * BLOCK as u64)?;
        file.sync_data()
    })
}

/// A block more, flushed; as long as the file may be, then it begins anew.
pub(super) fn append(directory: &str) -> anyhow::Result<f64> {
    let (_name, file) = make(directory)?;
    time(WRITES, |number| {
        if number % BLOCKS == 0 {
            // At the beginning of a turn, whose first operation does not count.
            file.set_len(0)?;
            file.sync_data()?;
        }
        file.write_all_at(&[2; BLOCK], number % BLOCKS * BLOCK as u64)?;
        file.sync_data()
    })
}

/// A block read past the page cache.
pub(super) fn read_direct(directory: &str) -> anyhow::Result<f64> {
    let (name, _whole) = make_whole(directory)?;
    let file = File::options().read(true).custom_flags(O_DIRECT).open(&name.0)?;
    let mut room = vec![0; 2 * BLOCK];
    let offset = room.as_ptr().align_offset(BLOCK);
    let aligned = room.get_mut(offset..offset + BLOCK).context("no aligned memory")?;
    time(READS, |number| file.read_exact_at(aligned, number % BLOCKS * BLOCK as u64))
}

/// The median of all operations but the first of each turn; each is given its number.
fn time(operations: u64, mut operation: impl FnMut(u64) -> std::io::Result<()>) -> anyhow::Result<f64> {
    let mut seconds = Vec::new();
    for turn in 0..TURNS {
        std::thread::sleep(PAUSE);
        for number in 0..operations {
            let begin = Instant::now();
            operation(turn * operations + number)?;
            if number > 0 {
                seconds.push(begin.elapsed().as_secs_f64());
            }
        }
    }
    Ok(super::median(seconds))
}
