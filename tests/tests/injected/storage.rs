//! Storage that is slow by a known time: flushes that wait, and a limit on operations.

use std::os::linux::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use tierprobe_tests::confine::cgroup::{Group, Version};
use tierprobe_tests::measured::{Measured, median};
use tierprobe_tests::need::have;

use crate::hung::{Hung, Silence};
use crate::slow::Slow;
use crate::{agent, alone};

/// The agent with the probe storage in `directory`.
fn storage(directory: &Path, rounds: &str) -> std::process::Command {
    let mut command = agent(&["--rounds", rounds, "--pause", "1ms", "--probe", "storage"]);
    command.arg("--probe.storage.directory").arg(directory);
    command
}

#[test]
fn a_flush_takes_what_the_file_system_takes_for_it() {
    let _alone = alone();
    let delays = [Duration::ZERO, Duration::from_millis(2), Duration::from_millis(10)];
    let mounts: Vec<_> = delays.iter().map(|_| tempfile::tempdir().unwrap()).collect();
    let mounted: std::io::Result<Vec<_>> = delays
        .iter()
        .zip(&mounts)
        .map(|(delay, mount)| fuser::spawn_mount(Slow::new(*delay), mount.path(), &fuser::Config::default()))
        .collect();
    let Some(_sessions) = have("a FUSE mount", mounted) else { return };
    let mut costs = [const { Vec::new() }; 3];
    for _ in 0..3 {
        for ((mount, delay), costs) in mounts.iter().zip(delays).zip(&mut costs) {
            let measured = Measured::by(&mut storage(mount.path(), "3"));
            for operation in ["overwrite_sync", "append_sync", "clean_sync"] {
                let rounds = measured.quantiles("tierprobe_storage_seconds", &[("operation", operation)]);
                assert!(!rounds.is_empty(), "{operation}: {:?}", measured.outcome("storage"));
                let shortest = rounds.iter().map(|round| round.min).fold(f64::INFINITY, f64::min);
                assert!(shortest >= delay.as_secs_f64(), "{operation} took {shortest} s of {delay:?}");
                costs.push(median(rounds.iter().map(|round| round.p50)));
            }
        }
    }
    let [none, short, long] = costs.map(median);
    println!("a flush: {none:e} s without a delay, {short:e} s with 2 ms, {long:e} s with 10 ms");
    assert!(none < short && short < long, "{none} {short} {long}");
    // What the kernel and the file system take beside is some tens of microseconds, and no second delay.
    assert!(long < 0.020, "{long} s for a delay of 10 ms");
}

#[test]
fn on_a_slow_disk_each_operation_has_its_turn() {
    let _alone = alone();
    let mount = tempfile::tempdir().unwrap();
    // Four flushes take longer than a round may.
    let slow = Slow::new(Duration::from_millis(60));
    let mounted = fuser::spawn_mount(slow, mount.path(), &fuser::Config::default());
    let Some(_session) = have("a FUSE mount", mounted) else { return };
    let measured = Measured::by(&mut storage(mount.path(), "8"));
    let (_, reason) = measured.outcome("storage");
    for operation in ["overwrite_sync", "clean_sync", "append_sync", "read_buffered"] {
        let rounds = measured.quantiles("tierprobe_storage_seconds", &[("operation", operation)]);
        assert!(rounds.len() >= 2, "{operation}: {} rounds; {reason}", rounds.len());
    }
    assert!(reason.contains("no time left for "), "{reason:?}");
}

#[test]
fn a_mount_that_does_not_answer_holds_up_no_probe() {
    let _alone = alone();
    let mount = tempfile::tempdir().unwrap();
    let silence = Silence::default();
    let mounted = fuser::spawn_mount(Hung(silence.clone()), mount.path(), &fuser::Config::default());
    let Some(_session) = have("a FUSE mount", mounted) else { return };
    // Who asks is kept waiting.
    let mut asking = std::process::Command::new("stat");
    let mut asking = asking.arg("-f").arg(mount.path()).stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut agent = agent(&["--rounds", "1"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    let mut ended = None;
    while ended.is_none() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
        ended = agent.try_wait().unwrap();
    }
    let is_waiting = asking.try_wait().unwrap().is_none();
    // Whoever still waits for an answer has one now, and can be ended.
    silence.end();
    let _has_ended = agent.kill();
    agent.wait().unwrap();
    asking.wait().unwrap();
    assert!(is_waiting, "the file system answers");
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}

/// `major:minor` of the disk that holds `directory`.
fn disk(directory: &Path) -> Result<String, String> {
    let device = std::fs::metadata(directory).unwrap().st_dev();
    let number = format!("{}:{}", nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let link = Path::new("/sys/dev/block").join(&number).canonicalize();
    let link = link.map_err(|error| format!("{} is on no block device: {error}", directory.display()))?;
    // Limits are for whole disks.
    if !link.join("partition").exists() {
        return Ok(number);
    }
    let whole = std::fs::read_to_string(link.join("../dev")).map_err(|error| error.to_string())?;
    Ok(whole.trim().to_owned())
}

#[test]
fn a_disk_with_a_limit_is_slow_to_read_or_to_write() {
    let _alone = alone();
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let Some(disk) = have("a disk of this machine", disk(directory.path())) else { return };
    let controller = if Path::new("/sys/fs/cgroup/blkio/cgroup.procs").exists() { "blkio" } else { "io" };
    let made = have("a control group for disks", Group::make(controller, "disk"));
    let Some(group) = made else { return };
    let limit = |what: &str, operations: Option<u32>| {
        let file = format!("blkio.throttle.{what}_iops_device");
        let letter = &what[..1];
        let set = match (group.version, operations) {
            (Version::V1, number) => group.set(&file, &format!("{disk} {}", number.unwrap_or(0))),
            (Version::V2, Some(number)) => group.set("io.max", &format!("{disk} {letter}iops={number}")),
            (Version::V2, None) => group.set("io.max", &format!("{disk} {letter}iops=max")),
        };
        set.map_err(|error| format!("{disk}: {error}"))
    };
    let run = || {
        let mut command = storage(directory.path(), "4");
        group.confine(&mut command);
        let measured = Measured::by(&mut command);
        let times = |operation| {
            let rounds = measured.quantiles("tierprobe_storage_seconds", &[("operation", operation)]);
            assert!(!rounds.is_empty(), "{operation}: {:?}", measured.outcome("storage"));
            rounds
        };
        Disk {
            read_direct: median(times("read_direct").iter().map(|round| round.max)),
            read_buffered: median(times("read_buffered").iter().map(|round| round.p50)),
            overwrite: median(times("overwrite_sync").iter().map(|round| round.max)),
        }
    };
    let (mut free, mut few_reads, mut few_writes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2 {
        if have("a limit on the disk", limit("read", None)).is_none() {
            return;
        }
        free.push(run());
        // Twenty a second: one each 50 ms, after what the kernel lets through at once.
        limit("read", Some(20)).unwrap();
        few_reads.push(run());
        limit("read", None).unwrap();
        limit("write", Some(20)).unwrap();
        few_writes.push(run());
        limit("write", None).unwrap();
    }
    println!("{free:?} without a limit, {few_reads:?} with 20 reads a second, {few_writes:?} with 20 writes");
    let read = |runs: &[Disk]| median(runs.iter().map(|disk| disk.read_direct));
    let write = |runs: &[Disk]| median(runs.iter().map(|disk| disk.overwrite));
    assert!(read(&few_reads) > 0.02, "{few_reads:?}");
    assert!(read(&few_reads) > read(&free), "{free:?} {few_reads:?}");
    assert!(write(&few_writes) > 0.02, "{few_writes:?}");
    assert!(write(&few_writes) > write(&free), "{free:?} {few_writes:?}");
    // The other way is free, and what is in the page cache does not go to the disk.
    assert!(read(&few_writes) < 0.05, "{few_writes:?}");
    assert!(few_reads.iter().all(|disk| disk.read_buffered < 0.01), "{few_reads:?}");
}

/// What a disk was found to take, in seconds.
#[derive(Debug)]
struct Disk {
    read_direct: f64,
    read_buffered: f64,
    overwrite: f64,
}
