//! What the probes say where something they need is missing, refused or scarce: the real program on the live machine.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests start the program, look at directories and fail by panicking"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::Pid;
use tierprobe_model::record::{Outcome, Record};

/// Most series at defaults: each host of a fleet pays for them.
const MOST_SERIES: usize = 700;

fn measuring(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tierprobe-agent"));
    command.args(["measure", "--pause", "1ms"]).args(arguments);
    command
}

fn record(command: &mut Command) -> Record {
    let output = command.args(["--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The values that a label has in a family's series.
fn values(record: &Record, family: &str, label: &str) -> Vec<String> {
    let series = record.families.iter().filter(|one| one.name == family).flat_map(|one| &one.series);
    series.filter_map(|series| series.labels.get(label).cloned()).collect()
}

fn gauge(record: &Record, name: &str) -> Option<f64> {
    record.gauges.iter().find(|gauge| gauge.name == name).map(|gauge| gauge.value)
}

/// Mounts that `storage` tells of.
const MOST_MOUNTS: usize = 16;

#[test]
fn no_host_pays_for_more_series_than_promised() {
    let output = measuring(&["--rounds", "2", "--format", "prometheus"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(text.contains("tierprobe_spawn_round_seconds"), "every probe runs once");
    // As many mounts as are told of at all.
    let mounts = text.lines().filter(|line| line.starts_with("tierprobe_storage_mount_info{")).count();
    let series = series + MOST_MOUNTS.saturating_sub(mounts);
    assert!(series <= MOST_SERIES, "{series} series at defaults");
}

#[test]
fn on_one_cpu_nothing_is_said_of_two() {
    let mut command = measuring(&["--rounds", "1", "--probe", "scheduler", "--probe", "network"]);
    let pin = || {
        let allowed = sched_getaffinity(Pid::this())?;
        let first = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu).unwrap_or(false)).unwrap_or(0);
        let mut one = CpuSet::new();
        one.set(first)?;
        Ok(sched_setaffinity(Pid::this(), &one)?)
    };
    // SAFETY: the closure makes two system calls on memory of its own.
    #[expect(unsafe_code, reason = "there is no safe way to set what a child inherits")]
    let record = record(unsafe { command.pre_exec(pin) });
    for family in ["tierprobe_scheduler_ping_pong_seconds", "tierprobe_network_round_trip_seconds"] {
        let placements = values(&record, family, "placement");
        assert!(
            !placements.is_empty() && placements.iter().all(|place| place == "same_cpu"),
            "{placements:?}"
        );
    }
}

/// The agent as a user who may have so many threads and processes; `None` unless we are root.
fn confined(threads: u64) -> Option<std::process::Output> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can become another user");
        return None;
    }
    // Where the program was built, others may not look.
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("agent");
    // Not by this process: what other tests start meanwhile would have it open for writing, and it could not be run.
    let copied =
        Command::new("cp").arg(env!("CARGO_BIN_EXE_tierprobe-agent")).arg(&program).status().unwrap();
    assert!(copied.success(), "cp: {copied}");
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(program);
    command.args(["measure", "--rounds", "1", "--probe", "spawn", "--format", "json"]);
    let scarce = move || Ok(setrlimit(Resource::RLIMIT_NPROC, threads, threads)?);
    // The limit counts all of a user's processes: nobody else is this user.
    let user = 61_000 + u32::try_from(threads).unwrap();
    // SAFETY: the closure makes one system call on memory of its own.
    #[expect(unsafe_code, reason = "there is no safe way to set what a child inherits")]
    let command = unsafe { command.uid(user).gid(user).pre_exec(scarce) };
    Some(command.output().unwrap())
}

#[test]
fn a_place_that_starts_no_process_has_no_time_of_one() {
    // Two are the agent's own: its first thread, and the one that measures.
    let Some(output) = confined(2) else { return };
    let record: Record = serde_json::from_slice(&output.stdout).unwrap();
    let spawn = &record.probes[0];
    assert_eq!(spawn.outcome, Outcome::Failed, "{spawn:?}");
    assert!(spawn.reason.contains("cannot start"), "{spawn:?}");
    assert!(values(&record, "tierprobe_spawn_seconds", "method").is_empty());
}

#[test]
fn a_place_without_a_thread_to_give_is_an_error_and_no_panic() {
    let Some(output) = confined(1) else { return };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot start the measuring thread"), "{said}");
}

#[test]
fn new_processes_cost_more_the_more_they_are() {
    let record = record(&mut measuring(&["--rounds", "3", "--probe", "spawn"]));
    let mut methods = values(&record, "tierprobe_spawn_seconds", "method");
    methods.sort();
    assert_eq!(methods, ["fork", "spawn", "vfork"]);
    let series =
        &record.families.iter().find(|family| family.name == "tierprobe_spawn_seconds").unwrap().series;
    let smallest = |method: &str| {
        let rounds = &series.iter().find(|series| series.labels["method"] == method).unwrap().rounds;
        rounds.iter().map(|round| round.quantiles.min).fold(f64::INFINITY, f64::min)
    };
    // A copy of memory, and another program, come on top of a child that needs neither.
    assert!(smallest("vfork") < smallest("fork"), "{series:?}");
    assert!(smallest("fork") < smallest("spawn"), "{series:?}");
}

#[test]
fn storage_is_timed_where_it_was_told_to_and_nowhere_else() {
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = directory.path().to_str().unwrap();
    let measured =
        record(&mut measuring(&["--rounds", "2", "--probe", "storage", "--probe.storage.directory", path]));
    let operations = values(&measured, "tierprobe_storage_seconds", "operation");
    for expected in ["overwrite_sync", "append_sync", "clean_sync", "read_buffered"] {
        assert!(operations.iter().any(|operation| operation == expected), "{operations:?}");
    }
    assert!(values(&measured, "tierprobe_storage_seconds", "directory").iter().all(|one| one == path));
    assert_eq!(gauge(&measured, "tierprobe_storage_written_bytes"), Some(65_536.0 + 2.0 * 32_768.0));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "something is left behind");

    let nowhere = record(&mut measuring(&["--rounds", "1", "--probe", "storage"]));
    assert!(values(&nowhere, "tierprobe_storage_seconds", "operation").is_empty());
    assert_eq!(gauge(&nowhere, "tierprobe_storage_written_bytes"), None);
    assert_eq!(nowhere.probes[0].outcome, Outcome::Ok);
}

#[test]
fn a_directory_that_takes_no_file_is_a_failure_that_names_it() {
    let arguments = ["--rounds", "1", "--probe", "storage", "--probe.storage.directory", "/proc"];
    let record = record(&mut measuring(&arguments));
    let storage = &record.probes[0];
    assert_eq!(storage.outcome, Outcome::Failed);
    assert!(storage.reason.starts_with("/proc: cannot make a file"), "{storage:?}");
}

#[test]
fn over_its_allowance_storage_writes_nothing_but_its_files() {
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = directory.path().to_str().unwrap();
    let arguments = ["--rounds", "3", "--probe", "storage", "--probe.storage.daily-bytes", "0"];
    let record = record(measuring(&arguments).args(["--probe.storage.directory", path]));
    let operations = values(&record, "tierprobe_storage_seconds", "operation");
    assert!(
        !operations.is_empty() && operations.iter().all(|one| one.starts_with("read_")),
        "{operations:?}"
    );
    assert_eq!(gauge(&record, "tierprobe_storage_written_bytes"), Some(65_536.0));
}

#[test]
fn a_directory_that_is_none_is_refused_with_what_to_write() {
    for (directory, expected) in [("relative", "no absolute path"), ("/nowhere", "/nowhere is no directory")]
    {
        let output = measuring(&["--rounds", "1", "--probe.storage.directory", directory]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{said}");
        assert!(said.contains("--probe.storage.directory"), "{said}");
    }
}

#[test]
fn what_holds_memory_adds_up_to_what_the_machine_has() {
    let record = record(&mut measuring(&["--rounds", "1", "--probe", "memory"]));
    let part = |part: &str| {
        let is = |gauge: &&tierprobe_model::record::GaugeRecord| {
            gauge.name == "tierprobe_memory_footprint_bytes"
                && gauge.labels.get("part").is_some_and(|label| label == part)
        };
        record.gauges.iter().find(is).map(|gauge| gauge.value)
    };
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(&format!("{name}:")))?;
        let kibibytes: u32 = line.trim().trim_end_matches(" kB").parse().ok()?;
        Some(f64::from(kibibytes) * 1024.0)
    };
    let total = line("MemTotal").unwrap();
    let sums: [(&str, &[&str], &[&str]); 8] = [
        ("free", &["MemFree"], &[]),
        ("slab", &["Slab"], &[]),
        ("kernel_stack", &["KernelStack"], &[]),
        ("page_tables", &["PageTables"], &[]),
        ("per_cpu", &["Percpu"], &[]),
        ("anonymous", &["AnonPages"], &[]),
        ("shared", &["Shmem"], &[]),
        ("page_cache", &["Cached", "Buffers"], &["Shmem"]),
    ];
    for (name, added, taken) in sums {
        let sum = |lines: &[&str]| lines.iter().map(|name| line(name)).sum::<Option<f64>>();
        let expected = sum(added).zip(sum(taken)).map(|(added, taken)| added - taken);
        // Other tests come and go meanwhile; the kernel's own parts move little.
        let is_work = ["free", "anonymous", "shared", "page_cache"].contains(&name);
        let most = if is_work { total / 10.0 } else { total / 100.0 };
        let near = part(name).zip(expected).map(|(ours, theirs)| (ours - theirs).abs() < most);
        assert!(near.unwrap_or_else(|| part(name) == expected), "{name}: {:?}, not {expected:?}", part(name));
    }
    let Ok(block) = std::fs::read_to_string("/sys/devices/system/memory/block_size_bytes") else { return };
    let hardware = gauge(&record, "tierprobe_memory_hardware_bytes").unwrap();
    let reserved = gauge(&record, "tierprobe_memory_reserved_bytes").unwrap();
    assert!((hardware - total - reserved).abs() < 1.0, "{hardware} - {total} is not {reserved}");
    let blocks = std::fs::read_dir("/sys/devices/system/memory").unwrap();
    let is_block =
        |name: &str| name.strip_prefix("memory").is_some_and(|number| number.parse::<u32>().is_ok());
    let count =
        blocks.filter(|entry| is_block(entry.as_ref().unwrap().file_name().to_str().unwrap())).count();
    let size = u64::from_str_radix(block.trim(), 16).unwrap();
    let installed = f64::from(u32::try_from(size >> 20).unwrap())
        * 1_048_576.0
        * f64::from(u32::try_from(count).unwrap());
    // The firmware's map, where there is one, knows the holes that blocks have.
    assert!(hardware > installed * 0.9 && hardware < installed * 1.01, "{hardware}, {installed} in blocks");
    let upkeep = gauge(&record, "tierprobe_memory_upkeep_bytes").unwrap();
    assert!(upkeep > reserved && upkeep < hardware, "{upkeep}");
}
