//! Files without a name in one directory, and what is timed on them.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::libc::{O_DIRECT, O_TMPFILE};

use super::turns::Turns;
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

/// After so long a round takes no more samples, but the first operation these: one cold, one warm.
const LONGEST: Duration = Duration::from_millis(200);
const LEAST: usize = 2;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    OverwriteSync,
    CleanSync,
    AppendSync,
    ReadBuffered,
    ReadDirect,
}

impl Operation {
    const ALL: [Self; 5] =
        [Self::OverwriteSync, Self::CleanSync, Self::AppendSync, Self::ReadBuffered, Self::ReadDirect];

    /// The label value.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::OverwriteSync => "overwrite_sync",
            Self::CleanSync => "clean_sync",
            Self::AppendSync => "append_sync",
            Self::ReadBuffered => "read_buffered",
            Self::ReadDirect => "read_direct",
        }
    }

    const fn reads(self) -> bool {
        matches!(self, Self::ReadBuffered | Self::ReadDirect)
    }
}

/// What a round in one directory gave.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub samples: Vec<(Operation, Samples)>,
    /// What it could not measure, and why.
    pub absent: Vec<String>,
}

/// One directory.
#[derive(Debug)]
pub(super) struct Target {
    /// Its path, a label value.
    pub directory: String,
    /// Has all its blocks.
    whole: File,
    /// The same without the page cache; `None` where the file system has no such thing, or why it cannot be had.
    direct: Result<Option<File>, String>,
    growing: File,
    /// Where the next overwrite goes, in blocks.
    next: u64,
    /// Blocks of the growing file.
    grown: u64,
    /// Operations by when they had warm samples.
    turns: Turns<Operation>,
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
        // File systems without it give blocks to what is written.
        let _at_once = fallocate(&whole, FallocateFlags::empty(), 0, all);
        // Also where it has blocks now, so that none is left that the file system would first have to mark as written.
        whole.write_all_at(&FILLING, 0).map_err(failed("cannot fill a file"))?;
        whole.sync_all().map_err(failed("cannot flush a file"))?;
        let path = format!("/proc/self/fd/{}", whole.as_raw_fd());
        let direct = match File::options().read(true).custom_flags(O_DIRECT).open(path) {
            Ok(direct) => Ok(Some(direct)),
            Err(error) if is_no_such_feature(&error) => Ok(None),
            Err(error) => Err(format!("cannot open a file past the page cache: {error}")),
        };
        Ok(Self {
            directory: directory.to_string_lossy().into_owned(),
            whole,
            direct,
            growing: unnamed(directory).map_err(failed("cannot make a file"))?,
            next: 0,
            grown: 0,
            turns: Turns::default(),
            written: BYTES_TO_OPEN,
        })
    }

    /// Times all operations, those that write if they may, as far as the time reaches: those first that have waited longest.
    ///
    /// # Errors
    ///
    /// The directory, the operation, and what the system said.
    pub(super) fn measure(&mut self, may_write: bool) -> Result<Measured, String> {
        let start_nanos = clock::monotonic_nanos();
        let directory = self.directory.clone();
        let mut measured = Measured::default();
        let mut left_out = Vec::new();
        let wanted = Operation::ALL.into_iter().filter(|operation| may_write || operation.reads());
        for (turn, operation) in self.turns.order(wanted).into_iter().enumerate() {
            let name = operation.as_str();
            // On the slowest disk each operation is the first one in some round.
            let limit = Limit { start_nanos, least: if turn == 0 { LEAST } else { 0 } };
            let samples = match self.time(operation, limit) {
                Ok(samples) => samples,
                // The others do not need it.
                Err(why) if operation == Operation::ReadDirect => {
                    measured.absent.push(format!("{directory}: {name}: {why}"));
                    None
                }
                Err(why) => return Err(format!("{directory}: {name}: {why}")),
            };
            if samples.as_ref().is_some_and(|samples| samples.warm.is_empty()) {
                left_out.push(name);
            } else {
                self.turns.done(operation);
            }
            measured.samples.extend(samples.map(|samples| (operation, samples)));
        }
        if !left_out.is_empty() {
            measured.absent.push(format!("{directory}: no time left for {}", left_out.join(", ")));
        }
        Ok(measured)
    }

    /// Times one operation. `None` where the file system has no such thing.
    fn time(&mut self, operation: Operation, limit: Limit) -> Result<Option<Samples>, String> {
        let block = [0x5a; BLOCK];
        let Self { whole, direct, growing, next, grown, written, .. } = self;
        let mut at = 0;
        let mut next_block = || {
            at = (at + 1) % BLOCKS;
            at * BLOCK as u64
        };
        let timed = match operation {
            Operation::OverwriteSync => limit.time(WRITES, || {
                *next = (*next + 1) % BLOCKS;
                whole.write_all_at(&block, *next * BLOCK as u64)?;
                *written += BLOCK as u64;
                whole.sync_data()
            }),
            Operation::CleanSync => limit.time(WRITES, || whole.sync_data()),
            Operation::AppendSync => {
                if *grown + WRITES as u64 > BLOCKS && !limit.is_reached(0) {
                    let emptied = growing.set_len(0).and_then(|()| growing.sync_data());
                    emptied.map_err(|error| format!("truncate: {error}"))?;
                    *grown = 0;
                }
                limit.time(WRITES, || {
                    growing.write_all_at(&block, *grown * BLOCK as u64)?;
                    *grown += 1;
                    *written += BLOCK as u64;
                    growing.sync_data()
                })
            }
            Operation::ReadBuffered => {
                let mut page = [0; BLOCK];
                limit.time(READS, || whole.read_exact_at(&mut page, next_block()))
            }
            Operation::ReadDirect => {
                let Some(direct) = direct.as_ref().map_err(Clone::clone)? else { return Ok(None) };
                let mut room = [0; 2 * BLOCK];
                let offset = room.as_ptr().align_offset(BLOCK);
                let Some(aligned) = room.get_mut(offset..offset + BLOCK) else { return Ok(None) };
                match limit.time(READS, || direct.read_exact_at(aligned, next_block())) {
                    // Some file systems take the flag and refuse the read.
                    Err(error) if is_no_such_feature(&error) => return Ok(None),
                    timed => timed,
                }
            }
        };
        timed.map(Some).map_err(|error| error.to_string())
    }
}

/// What a file system says that cannot read past the page cache.
fn is_no_such_feature(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EINVAL | Errno::EOPNOTSUPP))
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

/// How long a round may take.
#[derive(Debug, Clone, Copy)]
struct Limit {
    start_nanos: u64,
    /// Samples that are taken however long it takes.
    least: usize,
}

impl Limit {
    /// Whether after so many samples no more are taken.
    fn is_reached(self, taken: usize) -> bool {
        let elapsed = clock::monotonic_nanos().saturating_sub(self.start_nanos);
        taken >= self.least && Duration::from_nanos(elapsed) > LONGEST
    }

    /// Times `operation` up to `count` times, the first as the cold one, unless the round began too long ago.
    fn time(
        self,
        count: usize,
        mut operation: impl FnMut() -> std::io::Result<()>,
    ) -> std::io::Result<Samples> {
        let mut samples = Samples { cold: None, warm: Vec::with_capacity(count) };
        for taken in 0..count {
            if self.is_reached(taken) {
                break;
            }
            let start = clock::monotonic_nanos();
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
            let appended = measured.samples.iter().find(|(operation, _)| *operation == Operation::AppendSync);
            assert!(appended.unwrap().1.warm.len() < WRITES);
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
        assert!(measured.samples.iter().all(|(operation, _)| operation.reads()), "{measured:?}");
        let buffered = measured.samples.iter().find(|(operation, _)| *operation == Operation::ReadBuffered);
        assert_eq!(buffered.unwrap().1.warm.len(), READS - 1);
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_is_named() {
        let error = Target::open(Path::new("/proc")).unwrap_err();
        assert!(error.starts_with("/proc: cannot make a file"), "{error}");
    }

    #[test]
    fn a_slow_disk_ends_the_round_but_for_what_comes_first() {
        let longest = u64::try_from(LONGEST.as_nanos()).unwrap();
        let start_nanos = clock::monotonic_nanos().saturating_sub(2 * longest);
        let count = |least| {
            let samples = Limit { start_nanos, least }.time(5, || Ok(())).unwrap();
            usize::from(samples.cold.is_some()) + samples.warm.len()
        };
        assert_eq!((count(0), count(LEAST)), (0, LEAST));
    }

    #[test]
    fn a_read_past_the_page_cache_that_is_refused_is_said_and_the_rest_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let mut target = Target::open(directory.path()).unwrap();
        target.direct = Err("permission denied".to_owned());
        let measured = target.measure(true).unwrap();
        let why = format!("{}: read_direct: permission denied", directory.path().display());
        assert_eq!(measured.absent, [why]);
        assert_eq!(measured.samples.len(), 4);
        // Not every file system has it: nothing is wrong then.
        target.direct = Ok(None);
        let measured = target.measure(true).unwrap();
        assert_eq!((measured.absent.len(), measured.samples.len()), (0, 4));
        // Opened for writing alone, it cannot be read.
        let write_only =
            File::options().write(true).open(format!("/proc/self/fd/{}", target.whole.as_raw_fd()));
        target.direct = Ok(Some(write_only.unwrap()));
        let measured = target.measure(true).unwrap();
        assert!(measured.absent[0].contains("read_direct: Bad file descriptor"), "{measured:?}");
    }
}
