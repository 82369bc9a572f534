//! Parts of the file system that are missing, read-only, or somebody else's.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tierprobe_tests::confine::files::{after, hide};
use tierprobe_tests::measured::Measured;
use tierprobe_tests::need::{have, need};

use super::{CONTROL, Case, Failed, Lacks, Unsupported, hold};

/// A user that nobody is.
const NOBODY: u32 = 61_999;

#[test]
fn files_that_are_missing_cost_what_they_are_needed_for() {
    if need("unshare").is_none() {
        return;
    }
    let may_mount = Command::new("unshare").args(["--mount", "true"]).status().unwrap();
    let may_mount = if may_mount.success() { Ok(()) } else { Err("unshare --mount: not permitted") };
    if have("a mount namespace", may_mount).is_none() {
        return;
    }
    let (place, control) = &*CONTROL;
    let agent = |mounts: String| move || after(&mounts, &place.agent);
    let proc = agent(hide("/proc"));
    let sys = agent(hide("/sys"));
    let dev = agent(hide("/dev"));
    let cgroup = agent(hide("/sys/fs/cgroup"));
    let root = agent("mount -o remount,bind,ro /".to_owned());
    let answers = hold(&[
        Case {
            name: "no /proc".to_owned(),
            agent: &proc,
            expected: vec![
                ("boot", Unsupported("nor /proc/1/stat tells")),
                ("memory", Unsupported("/proc/meminfo")),
                ("cpu", Lacks("steal: /proc/stat: ")),
                ("spawn", Unsupported("is /proc mounted, and /dev?")),
                ("storage", Lacks("mounts: /proc/self/mountinfo")),
                ("netfilter", Unsupported("/proc/self/status: not found")),
            ],
            absent: vec![
                "tierprobe_boot_start_timestamp_seconds",
                "tierprobe_storage_mount_info",
                "tierprobe_storage_mounts_left_out",
                "tierprobe_cpu_unexplained_ratio",
            ],
        },
        Case {
            name: "no /sys".to_owned(),
            agent: &sys,
            expected: vec![("memory", Lacks("what the machine has: /sys/firmware/memmap: not found"))],
            absent: vec!["tierprobe_memory_hardware_bytes", "tierprobe_page_fault_huge_seconds"],
        },
        Case {
            name: "no /dev".to_owned(),
            agent: &dev,
            expected: vec![
                ("boot", Lacks("/dev/kmsg")),
                ("syscall", Lacks("read: /dev/zero: ")),
                ("spawn", Unsupported("is /proc mounted, and /dev?")),
            ],
            absent: vec!["syscall=\"read\"", "syscall=\"write\"", "tierprobe_spawn_seconds"],
        },
        Case {
            name: "no control groups".to_owned(),
            agent: &cgroup,
            expected: vec![("memory", Lacks("the control group: none with the controller memory"))],
            absent: vec!["tierprobe_memory_cgroup_bytes"],
        },
        Case {
            name: "a read-only root".to_owned(),
            agent: &root,
            expected: vec![("storage", Failed("Read-only file system"))],
            absent: vec!["tierprobe_storage_seconds"],
        },
    ]);
    // Waits are told by a file, switches by the kernel.
    assert!(answers.first().unwrap().by_switches, "without /proc");
    assert_eq!(control.by_switches, !Path::new("/proc/thread-self/schedstat").exists());
}

#[test]
fn a_file_that_another_agent_takes_along_is_made_again() {
    let (place, _) = &*CONTROL;
    let folder = have("a tmpfs", tempfile::tempdir_in("/dev/shm").map_err(|error| error.to_string()));
    let Some(folder) = folder else { return };
    let mut command = Command::new(&place.agent);
    command.env("RUNTIME_DIRECTORY", folder.path()).stdout(Stdio::piped());
    command.args(["measure", "--probe", "syscall", "--rounds", "3", "--pause", "300ms", "--format", "json"]);
    let mut agent = command.spawn().unwrap();
    let its_file = || std::fs::read_dir(folder.path()).unwrap().next();
    let file = loop {
        match its_file() {
            Some(file) => break file.unwrap().path(),
            None => assert!(agent.try_wait().unwrap().is_none(), "the agent ended without a file"),
        }
    };
    std::fs::remove_file(file).unwrap();
    let output = agent.wait_with_output().unwrap();
    let measured = Measured(serde_json::from_slice(&output.stdout).unwrap());
    let labels = [("syscall", "openat_close_tmpfs")];
    assert_eq!(measured.quantiles("tierprobe_syscall_seconds", &labels).len(), 3);
    assert!(its_file().is_none(), "the agent leaves nothing behind");
}

#[test]
fn without_permission_the_probes_that_need_none_go_on() {
    let root = nix::unistd::geteuid().is_root();
    if have("another user", if root { Ok(()) } else { Err("only root can become one") }).is_none() {
        return;
    }
    let (place, _) = &*CONTROL;
    let agent = || {
        let mut command = Command::new(&place.agent);
        command.uid(NOBODY).gid(NOBODY);
        command
    };
    hold(&[Case {
        name: "nobody".to_owned(),
        agent: &agent,
        expected: vec![
            ("storage", Failed("cannot make a file: Permission denied")),
            ("boot", Lacks("/dev/kmsg")),
            ("netfilter", Unsupported("CAP_NET_ADMIN")),
        ],
        absent: vec!["tierprobe_storage_seconds"],
    }]);
}
