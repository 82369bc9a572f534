//! Single system calls that a seccomp filter refuses, as container engines do it.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use tierprobe_tests::agent::Agent;
use tierprobe_tests::confine::seccomp::{self, Refusal};
use tierprobe_tests::measured::Measured;
use tierprobe_tests::scrape::value;

use super::{CONTROL, Case, Expected, Failed, Lacks, Unsupported, hold};

/// First arguments: the clock of the thread's CPU time and its `getrusage`, the monotonic clock, timer slack, ARCH_GET_CPUID, and what forks and vforks ask of `clone`.
const THREAD_CPUTIME: u32 = 3;
const RUSAGE_THREAD: u32 = 1;
const MONOTONIC: u32 = 1;
const SET_TIMERSLACK: u32 = 29;
#[cfg(target_arch = "x86_64")]
const GET_CPUID: u32 = 0x1011;
const FORK: u32 = 0x0120_0011;
const VFORK: u32 = 0x4111;
/// The family of sockets to the kernel itself.
const NETLINK: u32 = 16;

const PINNED: Expected = Failed("cannot be pinned to a CPU (sched_setaffinity)");

/// A call, its first argument, what the probes say, and series that are gone.
type Row = (
    &'static str,
    libc::c_long,
    Option<(u32, u32)>,
    &'static [(&'static str, Expected)],
    &'static [&'static str],
);

const ROWS: &[Row] = &[
    (
        "getppid",
        libc::SYS_getppid,
        None,
        &[("syscall", Lacks("getppid: ")), ("page_fault", Lacks("the ratio to getppid: "))],
        &["syscall=\"getppid\"", "tierprobe_page_fault_syscall_ratio"],
    ),
    (
        "clock_gettime",
        libc::SYS_clock_gettime,
        Some((0, MONOTONIC)),
        &[("syscall", Lacks("clock_gettime: "))],
        &["syscall=\"clock_gettime\""],
    ),
    (
        "fstatfs",
        libc::SYS_fstatfs,
        None,
        &[("syscall", Lacks("openat_close_tmpfs: /dev/shm: statfs: "))],
        &["syscall=\"openat_close_tmpfs\""],
    ),
    (
        "clock_nanosleep",
        libc::SYS_clock_nanosleep,
        Some((0, MONOTONIC)),
        &[("scheduler", Lacks("wake-ups: clock_nanosleep: "))],
        &["tierprobe_scheduler_wakeup"],
    ),
    (
        "PR_SET_TIMERSLACK",
        libc::SYS_prctl,
        Some((0, SET_TIMERSLACK)),
        &[("scheduler", Lacks("wake-ups: the timer slack stays at "))],
        &["tierprobe_scheduler_wakeup"],
    ),
    (
        "sched_setaffinity",
        libc::SYS_sched_setaffinity,
        None,
        &[
            ("syscall", PINNED),
            ("vm_exit", PINNED),
            ("page_fault", PINNED),
            ("scheduler", PINNED),
            ("cpu", PINNED),
            ("spawn", PINNED),
            ("network", PINNED),
            ("netfilter", PINNED),
            ("storage", PINNED),
        ],
        &[],
    ),
    (
        "pipe2",
        libc::SYS_pipe2,
        None,
        &[
            ("scheduler", Lacks("exchanges through pipes: pipe: ")),
            ("spawn", Failed("cannot start /proc/self/exe: ")),
        ],
        &["tierprobe_scheduler_ping_pong"],
    ),
    ("fork", libc::SYS_clone, Some((0, FORK)), &[("spawn", Lacks("fork: "))], &["method=\"fork\""]),
    ("vfork", libc::SYS_clone, Some((0, VFORK)), &[("spawn", Lacks("vfork: "))], &["method=\"vfork\""]),
    (
        "madvise",
        libc::SYS_madvise,
        None,
        &[("page_fault", Failed("mapping memory: "))],
        &["tierprobe_page_fault_seconds"],
    ),
    (
        "mincore",
        libc::SYS_mincore,
        None,
        &[("page_fault", Lacks("huge pages: "))],
        &["tierprobe_page_fault_huge_seconds"],
    ),
    (
        "fdatasync",
        libc::SYS_fdatasync,
        None,
        &[("storage", Failed(": overwrite_sync: "))],
        &["tierprobe_storage_seconds"],
    ),
    (
        "socket",
        libc::SYS_socket,
        None,
        &[
            ("network", Failed("a socket over loopback: ")),
            ("netfilter", Failed("asking the packet filter: socket: ")),
        ],
        &["tierprobe_network_round_trip_seconds"],
    ),
    (
        "a socket to netlink",
        libc::SYS_socket,
        Some((0, NETLINK)),
        &[("netfilter", Failed("asking the packet filter: socket: "))],
        &["tierprobe_netfilter_rewrites_total"],
    ),
    (
        "bind",
        libc::SYS_bind,
        None,
        &[
            ("network", Failed("a socket over loopback: ")),
            ("netfilter", Failed("asking the packet filter: bind: ")),
        ],
        &["tierprobe_network_round_trip_seconds"],
    ),
    (
        "sendto",
        libc::SYS_sendto,
        None,
        &[
            ("network", Failed("UDP over loopback: ")),
            ("netfilter", Failed("asking the packet filter: sendto: ")),
        ],
        &["tierprobe_network_round_trip_seconds"],
    ),
    (
        "O_TMPFILE",
        libc::SYS_openat,
        Some((2, (libc::O_RDWR | libc::O_TMPFILE | libc::O_CLOEXEC).cast_unsigned())),
        &[("storage", Failed(": cannot make a file: "))],
        &["tierprobe_storage_seconds"],
    ),
    (
        "getdents64",
        libc::SYS_getdents64,
        None,
        &[("memory", Lacks("what the machine has: /sys/firmware/memmap: "))],
        &["tierprobe_memory_hardware_bytes"],
    ),
    (
        "readlinkat",
        libc::SYS_readlinkat,
        None,
        &[("boot", Lacks("when the kernel started: /proc/self/ns/time: "))],
        &["tierprobe_boot_start_timestamp_seconds{of=\"kernel\"}"],
    ),
    // Only legacy tables are asked about through it, where there are any.
    ("getsockopt", libc::SYS_getsockopt, None, &[], &[]),
    // Blocks come by writing, then.
    ("fallocate", libc::SYS_fallocate, None, &[], &[]),
    #[cfg(target_arch = "x86_64")]
    ("ARCH_GET_CPUID", libc::SYS_arch_prctl, Some((0, GET_CPUID)), &[], &[]),
];

#[test]
fn a_call_that_is_refused_costs_what_it_is_needed_for_and_nothing_else() {
    let (place, control) = &*CONTROL;
    let agents: Vec<_> = [Errno::EPERM, Errno::EACCES]
        .into_iter()
        .flat_map(|errno| ROWS.iter().map(move |row| (errno, row)))
        // Where there are no huge pages, there are none to lose.
        .filter(|(_, row)| row.0 != "mincore" || control.has("tierprobe_page_fault_huge_seconds"))
        .map(|(errno, row)| {
            let agent = move || {
                let mut command = Command::new(&place.agent);
                let refusal = Refusal { call: row.1, argument: row.2, errno };
                seccomp::confine(&mut command, seccomp::refusing(&[refusal]));
                command
            };
            (format!("{}: {errno}", row.0), row, agent)
        })
        .collect();
    let cases: Vec<Case<'_>> = agents
        .iter()
        .map(|(name, row, agent)| Case {
            name: name.clone(),
            agent,
            expected: row.3.to_vec(),
            absent: row.4.to_vec(),
        })
        .collect();
    hold(&cases);
}

const THREE_ROUNDS: &[&str] = &["measure", "--probe", "syscall", "--rounds", "3", "--pause", "200ms"];
const GETPPID: &[(&str, &str)] = &[("syscall", "getppid")];

/// The standard library's sleep would end the agent.
#[test]
fn rounds_are_apart_without_the_usual_sleep() {
    let (place, _) = &*CONTROL;
    let mut command = Command::new(&place.agent);
    let sleep =
        Refusal { call: libc::SYS_clock_nanosleep, argument: Some((0, MONOTONIC)), errno: Errno::EPERM };
    seccomp::confine(&mut command, seccomp::refusing(&[sleep]));
    let begin = Instant::now();
    let measured = Measured::by(command.args(THREE_ROUNDS));
    let taken = begin.elapsed();
    assert!(taken >= Duration::from_millis(400), "three rounds in {taken:?}");
    assert_eq!(measured.quantiles("tierprobe_syscall_seconds", GETPPID).len(), 3);
}

/// Only poll of no file is refused: the standard library does not start without that of the first three.
#[cfg(target_arch = "x86_64")]
#[test]
fn without_any_sleep_what_was_measured_is_written_and_the_rest_is_an_error() {
    let (place, _) = &*CONTROL;
    let mut command = Command::new(&place.agent);
    let refusal = |call, argument| Refusal { call, argument, errno: Errno::EPERM };
    let sleeps = [refusal(libc::SYS_clock_nanosleep, None), refusal(libc::SYS_poll, Some((1, 0)))];
    seccomp::confine(&mut command, seccomp::refusing(&sleeps));
    let output = command.args(THREE_ROUNDS).args(["--format", "json"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("measured 1 of 3 rounds: the kernel refuses to pause between them"), "{said}");
    let measured = Measured(serde_json::from_slice(&output.stdout).unwrap());
    assert_eq!(measured.quantiles("tierprobe_syscall_seconds", GETPPID).len(), 1);
}

/// A call that is refused with "no error" returns 0, which is what ARCH_GET_CPUID says where CPUID faults.
#[cfg(target_arch = "x86_64")]
#[test]
fn where_cpuid_faults_its_exit_is_not_measured() {
    let (place, _) = &*CONTROL;
    let agent = || {
        let mut command = Command::new(&place.agent);
        let faults = Refusal {
            call: libc::SYS_arch_prctl,
            argument: Some((0, GET_CPUID)),
            errno: Errno::UnknownErrno,
        };
        seccomp::confine(&mut command, seccomp::refusing(&[faults]));
        command
    };
    hold(&[Case {
        name: "CPUID faults".to_owned(),
        agent: &agent,
        expected: vec![("vm_exit", Unsupported("CPUID faults here"))],
        absent: vec!["tierprobe_vm_exit_seconds"],
    }]);
}

/// Whoever cannot see what it costs would spend without a limit.
#[test]
fn the_budget_is_kept_without_the_clock_of_cpu_time() {
    let (place, _) = &*CONTROL;
    let refusal = |call, first| Refusal { call, argument: Some((0, first)), errno: Errno::EPERM };
    let clock = refusal(libc::SYS_clock_gettime, THREAD_CPUTIME);
    let usage = refusal(libc::SYS_getrusage, RUSAGE_THREAD);
    for refused in [&[][..], &[clock], &[clock, usage]] {
        let mut command = Command::new(&place.agent);
        seccomp::confine(&mut command, seccomp::refusing(refused));
        let mut agent =
            Agent::start_as(command, &["--probe.interval=1s", "--probe.budget=0.0001", "--probe.pressure=1"]);
        let skipped = "tierprobe_probe_skipped_rounds_total{probe=\"syscall\",reason=\"budget\"}";
        let metrics = agent.wait_for_metrics("a skipped round", |metrics| value(metrics, skipped).is_some());
        // Of probes without processes of their own, whose time is told in another way. The coarser clock may not have
        // moved in the short ones; it has in those that sleep.
        let sum = |family: &str| -> f64 {
            let threads = ["memory", "syscall", "vm_exit", "page_fault", "scheduler", "cpu", "network"];
            threads.iter().filter_map(|probe| value(&metrics, &format!("{family}probe=\"{probe}\"}}"))).sum()
        };
        let spent = sum("tierprobe_probe_cpu_seconds_total{");
        let runs = sum("tierprobe_probe_runs_total{outcome=\"ok\",");
        assert!(spent > 0.0 || runs == 0.0, "{refused:?}: {spent} s for {runs} rounds\n{metrics}");
    }
}
