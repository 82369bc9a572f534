//! Files without a name in one directory, and what is timed on them.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::libc::{O_DIRECT, O_TMPFILE};

use crate::measure::{Samples, seconds};
use crate::sys::clock;

/// One operation: a page, and a block of most file systems.
const BLOCK: usize = 4096;

/// Blocks of the file that is overwritten, and of the one that grows before it begins anew.
const BLOCKS: u64 = 16;

/// What the file is filled with: all its blocks.
static FILLING: [u8; 16 * BLOCK] = [1; 16 * BLOCK];

/// Operations that write, in a round: one cold, three warm. Of an even number the median by nearest rank would be the
/// smaller of the two in the middle.
const WRITES: usize = 4;

/// Operations that read: one cold, five warm.
const READS: usize = 6;

/// Bytes that a round writes: overwritten, and appended.
pub(super) const BYTES_A_ROUND: u64 = 2 * WRITES as u64 * BLOCK as u64;

/// Bytes that making a directory ready writes.
pub(super) const BYTES_TO_OPEN: u64 = BLOCKS * BLOCK as u64;

/// After so long a round takes no more samples.
const LONGEST: Duration = Duration::from_millis(200);

/// One directory.
#[derive(Debug)]
pub(super) struct Target {
    /// Its path, a label value.
    pub directory: String,
    /// Has all its blocks.
    whole: File,
    /// The same without the page cache; `None` where the file system cannot.
    direct: Option<File>,
    growing: File,
    /// Where the next overwrite goes, in blocks.
    next: u64,
    /// Blocks of the growing file.
    grown: u64,
    /// Bytes that were written here so far.
    pub written: u64,
}

impl Target {
    /// Makes the files.
    ///
    /// # Errors
    ///
    /// The directory, and what the system said.
    pub(super) fn open(directory: &Path) -> Result<Self, String> {
        let failed = |what: &'static str| {
            let directory = directory.display().to_string();
            move |error: std::io::Error| format!("{directory}: {what}: {error}")
        };
        let whole = unnamed(directory).map_err(failed("cannot make a file"))?;
        let all = i64::try_from(BYTES_TO_OPEN).unwrap_or(0);
        if fallocate(&whole, FallocateFlags::empty(), 0, all).is_err() {
            // File systems without it get their blocks by being written to.
            whole.write_all_at(&FILLING, 0).map_err(failed("cannot fill a file"))?;
        }
        // Once over, so that no block is left that the file system would first have to mark as written.
        whole.write_all_at(&FILLING, 0).map_err(failed("cannot fill a file"))?;
        whole.sync_all().map_err(failed("cannot flush a file"))?;
        let direct = File::options()
            .read(true)
            .custom_flags(O_DIRECT)
            .open(format!("/proc/self/fd/{}", whole.as_raw_fd()))
            .ok();
        Ok(Self {
            directory: directory.to_string_lossy().into_owned(),
            whole,
            direct,
            growing: unnamed(directory).map_err(failed("cannot make a file"))?,
            next: 0,
            grown: 0,
            written: BYTES_TO_OPEN,
        })
    }

    /// Times all operations, those that write if they may.
    ///
    /// # Errors
    ///
    /// The directory, the operation, and what the system said.
    pub(super) fn measure(&mut self, may_write: bool) -> Result<Vec<(&'static str, Samples)>, String> {
        let directory = self.directory.clone();
        let failed = |operation: &'static str| {
            move |error: std::io::Error| format!("{directory}: {operation}: {error}")
        };
        let start = clock::monotonic_nanos();
        let writes = if may_write { WRITES } else { 0 };
        let block = [0x5a; BLOCK];
        let Self { whole, growing, next, grown, written, .. } = self;

        let overwrite = time(start, writes, || {
            *next = (*next + 1) % BLOCKS;
            whole.write_all_at(&block, *next * BLOCK as u64)?;
            *written += BLOCK as u64;
            whole.sync_data()
        });
        let overwrite = overwrite.map_err(failed.clone()("overwrite_sync"))?;
        let clean = time(start, writes, || whole.sync_data()).map_err(failed.clone()("clean_sync"))?;
        if *grown + WRITES as u64 > BLOCKS {
            growing.set_len(0).and_then(|()| growing.sync_data()).map_err(failed.clone()("truncate"))?;
            *grown = 0;
        }
        let append = time(start, writes, || {
            growing.write_all_at(&block, *grown * BLOCK as u64)?;
            *grown += 1;
            *written += BLOCK as u64;
            growing.sync_data()
        });
        let append = append.map_err(failed.clone()("append_sync"))?;

        let mut at = 0;
        let mut next_block = || {
            at = (at + 1) % BLOCKS;
            at * BLOCK as u64
        };
        let mut page = [0; BLOCK];
        let buffered = time(start, READS, || whole.read_exact_at(&mut page, next_block()));
        let buffered = buffered.map_err(failed("read_buffered"))?;
        let mut measured = vec![
            ("overwrite_sync", overwrite),
            ("clean_sync", clean),
            ("append_sync", append),
            ("read_buffered", buffered),
        ];
        // Some file systems take the flag and refuse the read: then there is no such series.
        let mut room = [0; 2 * BLOCK];
        let offset = room.as_ptr().align_offset(BLOCK);
        if let (Some(direct), Some(aligned)) = (&self.direct, room.get_mut(offset..offset + BLOCK))
            && let Ok(samples) = time(start, READS, || direct.read_exact_at(aligned, next_block()))
        {
            measured.push(("read_direct", samples));
        }
        Ok(measured)
    }
}

/// A file that is nowhere to be found and gone when it is closed.
fn unnamed(directory: &Path) -> std::io::Result<File> {
    let open = |flags| File::options().read(true).write(true).custom_flags(flags).mode(0o600).open(directory);
    let no_such_kind = |error: &std::io::Error| {
        let known = [Errno::EOPNOTSUPP, Errno::EISDIR, Errno::EINVAL, Errno::ENOENT];
        error.raw_os_error().is_some_and(|raw| known.contains(&Errno::from_raw(raw)))
    };
    match open(O_TMPFILE) {
        Err(error) if no_such_kind(&error) => {
            // For an instant it has a name; nobody else's file is ever opened by it.
            let path =
                directory.join(format!(".tierprobe-{}-{}", std::process::id(), clock::monotonic_nanos()));
            let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
            std::fs::remove_file(&path)?;
            Ok(file)
        }
        made => made,
    }
}

/// Times `operation` up to `count` times, the first as the cold one, unless the round began too long ago.
fn time(
    round_start: u64,
    count: usize,
    mut operation: impl FnMut() -> std::io::Result<()>,
) -> std::io::Result<Samples> {
    let mut samples = Samples { cold: None, warm: Vec::with_capacity(count) };
    for _ in 0..count {
        let start = clock::monotonic_nanos();
        if Duration::from_nanos(start.saturating_sub(round_start)) > LONGEST {
            break;
        }
        operation()?;
        let taken = seconds(clock::monotonic_nanos().saturating_sub(start));
        if samples.cold.is_none() {
            samples.cold = Some(taken);
        } else {
            samples.warm.push(taken);
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_leave_no_trace_and_do_not_grow() {
        let directory = tempfile::tempdir().unwrap();
        let mut target = Target::open(directory.path()).unwrap();
        for _ in 0..20 {
            let measured = target.measure(true).unwrap();
            assert!(
                measured.iter().any(|(name, samples)| *name == "append_sync" && samples.warm.len() < WRITES)
            );
        }
        assert!(target.growing.metadata().unwrap().len() <= BLOCKS * BLOCK as u64);
        // Removing a directory fails unless it is empty.
        std::fs::remove_dir(directory.path()).unwrap();
    }

    #[test]
    fn without_an_allowance_nothing_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut target = Target::open(directory.path()).unwrap();
        let measured = target.measure(false).unwrap();
        let count = |wanted: &str| measured.iter().find(|(name, _)| *name == wanted).unwrap().1.warm.len();
        assert_eq!((count("overwrite_sync"), count("append_sync"), count("clean_sync")), (0, 0, 0));
        assert_eq!(count("read_buffered"), READS - 1);
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_is_named() {
        let error = Target::open(Path::new("/proc")).unwrap_err();
        assert!(error.starts_with("/proc: cannot make a file"), "{error}");
    }

    #[test]
    fn a_slow_disk_ends_the_round() {
        let long_ago = clock::monotonic_nanos() - 2 * u64::try_from(LONGEST.as_nanos()).unwrap();
        let samples = time(long_ago, 5, || Ok(())).unwrap();
        assert_eq!(samples, Samples::default());
    }
}
