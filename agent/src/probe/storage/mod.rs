//! # What is measured
//!
//! What writing for good costs in the directories that the user names: `overwrite_sync` (4 KiB at rotating places of a file
//! that has all its blocks, then `fdatasync`: what a database's log does), `append_sync` (the same at the end of a file
//! that grows, so that the file system writes its own books too), `clean_sync` (`fdatasync` with nothing to write, the
//! control: what flushing costs alone), `read_buffered` (4 KiB from the page cache), `read_direct` (4 KiB from the
//! device, absent where the file system has no `O_DIRECT`; `check` says where it is refused). Each is timed alone, the first of a round is the cold one.
//! The files have no name: nobody else sees them, and they are gone with the agent.
//!
//! Without a directory nothing is written. Every mount is classified all the same: `ephemeral` (a container's upper layer,
//! a tmpfs, an emptyDir: gone with what it belongs to), `node_local` (a device of this machine), `attached` (a network
//! file system, or a disk that the cloud or the host's storage provides), `unknown` (a virtual disk: its host decides),
//! with the evidence, the device's write cache, and whether it rotates. Volumes of Docker, Podman and Kubernetes are what
//! their device is, below encryption, logical volumes and RAID; disks that Hyper-V makes are unknown, as Azure's temporary
//! one is called the same. Nothing is asked of the mounts themselves: a server that is gone holds up nobody.
//!
//! # What distorts it
//!
//! A fast `fdatasync` proves no durability: a host or a controller may absorb the flush. `write_cache` says what the
//! device claims. Other writers of the same file system share its journal, and a flush waits for theirs. An idle CPU that
//! keeps its timer tick is woken more cheaply than one that stops it, and the kernel keeps it while it frees what was closed
//! before, by anybody: one virtual machine read from its disk in 63 µs with the tick and in 85 without. The probe stops
//! after 200 ms a directory, so that a slow disk does not hold up the others; what it has no samples of then, `check` says,
//! and the next round begins with what has waited longest, of which it takes a cold sample and a warm one at least. Nor does
//! a directory that fails hold up the others: they are measured, and `check` says which it was.
//!
//! # Cost
//!
//! Four overwrites, four appends, 32 KiB a directory, within a limit of bytes in any 24 hours (144 MiB by default), of which
//! an hour's worth may be written at once; an agent that is started again begins anew. 64 KiB a directory are written when
//! it is made ready, whatever the limit. Directories share it: who has not written for longest is first, and `check` says
//! who had no allowance left. At defaults one directory writes in every round, two in every second one.
//! 0.2 to 0.6 ms of CPU time, every 20 s. File systems write their journals beside.

mod allowance;
mod file;
mod mounts;
pub mod settings;
mod turns;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tierprobe_model::{Family, Kind};

use super::{LabelValue, NO_LABELS, Placement, Probe, ProbeError, Round, Spec};
use crate::host::HostFs;
use crate::measure::real;
use crate::sys::clock;
use allowance::Allowance;
use file::Target;
use settings::Settings;
use turns::Turns;

const TIME: Family = Family {
    name: "tierprobe_storage_seconds",
    help: "Time of one operation of 4 KiB in a directory that was named, warmed up.",
    kind: Kind::Duration,
    labels: &["operation", "directory"],
};
const COLD: Family = Family {
    name: "tierprobe_storage_cold_seconds",
    help: "Time of the first operation of its kind in the round.",
    kind: Kind::Gauge,
    labels: &["operation", "directory"],
};
const WRITTEN: Family = Family {
    name: "tierprobe_storage_written_bytes",
    help: "Bytes that the probe has written since it was made ready: 64 KiB a directory first, then what rounds wrote.",
    kind: Kind::Gauge,
    labels: &[],
};
const MOUNT: Family = Family {
    name: "tierprobe_storage_mount_info",
    help: "What becomes of files in a mount, and why that is thought; labels that do not apply are empty, always 1.",
    kind: Kind::Info,
    labels: &["mount", "fstype", "durability", "evidence", "write_cache", "rotational"],
};
const LEFT_OUT: Family = Family {
    name: "tierprobe_storage_mounts_left_out",
    help: "Mounts beyond those that are listed.",
    kind: Kind::Gauge,
    labels: &[],
};

/// Storage.
pub(super) const SPEC: Spec = Spec {
    name: "storage",
    measures: "writing for good, and reading, in named directories; what becomes of each mount's files",
    interval: Some(Duration::from_secs(20)),
    operations: Some(1),
    measures_waiting: false,
    families: &[&TIME, &COLD, &WRITTEN, &MOUNT, &LEFT_OUT],
    prepare: |site| {
        // Under another root the directories would be this machine's, and the mounts the other's.
        let settings = if site.fs.is_live() { site.settings.storage.clone() } else { Settings::default() };
        Ok(Box::new(Storage::new(site.fs, settings)))
    },
};

struct Storage {
    fs: HostFs,
    settings: Settings,
    /// By directory, made ready by the first round, and anew after a failure.
    targets: BTreeMap<PathBuf, Target>,
    /// Directories that have failed. Making them ready writes, so that trying again needs an allowance.
    failed: BTreeSet<PathBuf>,
    /// Bytes that were written by targets that are gone.
    written: u64,
    allowance: Allowance,
    /// Directories, by when they were written to.
    turns: Turns<PathBuf>,
}

impl Probe for Storage {
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let mut round = Round::default();
        let mounts = match mounts::classify(&self.fs) {
            Ok((mounts, left_out)) => {
                round.gauge(&LEFT_OUT, NO_LABELS, real(left_out));
                mounts
            }
            Err(why) if self.settings.directories.is_empty() => return Err(why),
            Err(why) => {
                round.miss("mounts", why);
                Vec::new()
            }
        };
        for mount in mounts {
            let labels = [
                mount.point.into(),
                mount.fstype.into(),
                LabelValue::Borrowed(mount.durability),
                mount.evidence.into(),
                mount.write_cache.into(),
                LabelValue::Borrowed(mount.rotational),
            ];
            round.gauge(&MOUNT, labels, 1.0);
        }
        for directory in self.turns.order(self.settings.directories.clone()) {
            if let Err(why) = self.directory(&directory, &mut round) {
                // What is wrong with it may pass.
                self.written += self.targets.remove(&directory).map_or(0, |target| target.written);
                self.failed.insert(directory);
                round.absent.push(why);
            }
        }
        if round.durations.is_empty() && !round.absent.is_empty() {
            return Err(ProbeError::Failed(round.absent.join("; ")));
        }
        if !self.targets.is_empty() {
            let written = self.targets.values().map(|target| target.written).sum::<u64>() + self.written;
            round.gauge(&WRITTEN, NO_LABELS, real(written));
        }
        Ok(round)
    }

    /// Without a directory it reads a few files of the kernel.
    fn feels_pressure(&mut self) -> bool {
        !self.settings.directories.is_empty()
    }
}

impl Storage {
    fn new(fs: &HostFs, settings: Settings) -> Self {
        Self {
            fs: fs.clone(),
            targets: BTreeMap::new(),
            failed: BTreeSet::new(),
            written: 0,
            allowance: Allowance::new(settings.daily_bytes, clock::monotonic_nanos()),
            turns: Turns::default(),
            settings,
        }
    }

    /// Measures in one directory.
    ///
    /// # Errors
    ///
    /// The directory, and what was wrong.
    fn directory(&mut self, directory: &Path, round: &mut Round) -> Result<(), String> {
        let target = match self.targets.entry(directory.to_owned()) {
            Entry::Occupied(target) => target.into_mut(),
            Entry::Vacant(place) => {
                let now = clock::monotonic_nanos();
                if !self.failed.contains(directory) {
                    self.allowance.owe(file::BYTES_TO_OPEN, now);
                } else if !self.allowance.take(file::BYTES_TO_OPEN, now) {
                    return Err(format!("{}: waits for an allowance to try again", directory.display()));
                }
                place.insert(Target::open(directory)?)
            }
        };
        let may_write = self.allowance.take(file::BYTES_A_ROUND, clock::monotonic_nanos());
        if may_write {
            self.turns.done(directory.to_owned());
        } else {
            round.miss(&format!("writing in {}", target.directory), "no allowance left");
        }
        let measured = target.measure(may_write)?;
        round.absent.extend(measured.absent);
        for (operation, samples) in measured.samples {
            let labels = [LabelValue::Borrowed(operation.as_str()), target.directory.clone().into()];
            round.add(&TIME, Some(&COLD), labels, samples);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Placement = Placement { cpu: 0, other: None };

    fn storage(directories: &[&tempfile::TempDir], daily_bytes: u64) -> Storage {
        let directories = directories.iter().map(|directory| directory.path().to_owned()).collect();
        Storage::new(&HostFs::live(), Settings { directories, daily_bytes })
    }

    #[test]
    fn only_what_writes_pauses_under_pressure() {
        let directory = tempfile::tempdir().unwrap();
        assert!(storage(&[&directory], 0).feels_pressure());
        assert!(!storage(&[], 0).feels_pressure());
    }

    #[test]
    fn who_had_no_allowance_is_said_and_is_first_the_next_time() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // An hour's worth: two directories made ready, and one of them written to.
        let mut storage = storage(&[&a, &b], 24 * (2 * file::BYTES_TO_OPEN + file::BYTES_A_ROUND));
        let round = storage.measure(PLACE).unwrap();
        let why = format!("writing in {}: no allowance left", b.path().display());
        assert_eq!(round.absent, [why]);
        storage.allowance = Allowance::new(24 * file::BYTES_A_ROUND, clock::monotonic_nanos());
        let round = storage.measure(PLACE).unwrap();
        let why = format!("writing in {}: no allowance left", a.path().display());
        assert_eq!(round.absent, [why]);
    }
}
