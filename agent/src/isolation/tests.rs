use tierprobe_model::isolation::{IdRange, Limit, PathAccess};
use tierprobe_model::{Seccomp, Severity};

use super::*;

/// A container as Docker makes it; tests replace what they are about.
const DOCKER: &[(&str, &str)] = &[
    (
        "proc/self/status",
        "Uid:\t0\t0\t0\t0\nCapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n\
         CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n",
    ),
    (
        "proc/self/mountinfo",
        "1120 1083 0:61 / / rw,relatime - overlay overlay rw\n\
         1121 1120 0:65 / /proc rw,nosuid - proc proc rw\n\
         1124 1120 0:68 / /sys ro,nosuid - sysfs sysfs ro\n\
         1125 1124 0:30 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n\
         1098 1121 0:65 /sys /proc/sys ro,nosuid - proc proc rw\n\
         1099 1121 0:65 /sysrq-trigger /proc/sysrq-trigger ro - proc proc rw\n\
         1101 1121 0:66 /null /proc/kcore rw,nosuid - tmpfs tmpfs rw\n\
         1105 1124 0:73 / /sys/firmware ro,relatime - tmpfs tmpfs ro\n",
    ),
    ("proc/self/attr/current", "docker-default (enforce)\n"),
    ("proc/self/cgroup", "0::/\n"),
    ("proc/self/uid_map", "         0          0 4294967295\n"),
    ("proc/sys/kernel/osrelease", "6.1.0-28-amd64\n"),
    ("proc/sys/kernel/core_pattern", "core\n"),
    ("proc/sysrq-trigger", ""),
    ("sys/fs/cgroup/cgroup.procs", "1\n"),
    ("sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n"),
    ("sys/fs/cgroup/cpu.max", "150000 100000\n"),
    ("sys/fs/cgroup/memory.max", "536870912\n"),
    ("sys/fs/cgroup/pids.max", "2048\n"),
    ("run/.keep", ""),
];

/// All private but user and time.
const NAMESPACES: &[(&str, u64)] = &[
    ("cgroup", 4_026_532_574),
    ("ipc", 4_026_532_572),
    ("mnt", 4_026_532_570),
    ("net", 4_026_532_575),
    ("pid", 4_026_532_573),
    ("time", 4_026_531_834),
    ("user", 4_026_531_837),
    ("uts", 4_026_532_571),
];

/// Reads Docker's tree with changes to it: files to replace or add, namespaces to replace.
fn changed(files: &[(&str, &str)], namespaces: &[(&str, u64)]) -> Isolation {
    let tree = tempfile::tempdir().unwrap();
    for (path, text) in DOCKER.iter().chain(files) {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::create_dir_all(tree.path().join("proc/self/ns")).unwrap();
    for (name, inode) in NAMESPACES {
        let inode =
            namespaces.iter().find(|(changed, _)| changed == name).map_or(*inode, |(_, inode)| *inode);
        let link = tree.path().join("proc/self/ns").join(name);
        std::os::unix::fs::symlink(format!("{name}:[{inode}]"), link).unwrap();
    }
    read(&HostFs::fixture(tree.path()), Kernel::Shared)
}

fn names(isolation: &Isolation, severity: Severity) -> Vec<&str> {
    let findings = isolation.findings.iter().filter(|finding| finding.severity == severity);
    findings.map(|finding| finding.name.as_str()).collect()
}

fn what<'a>(isolation: &'a Isolation, name: &str) -> &'a str {
    &isolation.findings.iter().find(|finding| finding.name == name).unwrap().what
}

#[test]
fn docker_as_it_comes_is_held_well_but_is_root() {
    let isolation = changed(&[], &[]);
    assert_eq!(isolation.seccomp, Some(Seccomp::Filter));
    assert_eq!(isolation.capabilities.effective.as_ref().map(Vec::len), Some(14));
    assert_eq!(isolation.security_modules.profile.as_deref(), Some("docker-default"));
    assert_eq!(isolation.is_private("pid"), Some(true));
    assert_eq!(isolation.is_private("user"), Some(false));
    // Before 6.17 the first network namespace has no fixed number.
    assert_eq!(isolation.is_private("net"), None);
    assert_eq!(isolation.limits.cpus, Some(Limit::At(1.5)));
    assert_eq!(isolation.limits.memory_bytes, Some(Limit::At(536_870_912.0)));
    assert_eq!(isolation.limits.processes, Some(Limit::At(2048.0)));
    assert_eq!(isolation.read_only_root, Some(false));
    assert_eq!(isolation.kernel_paths.get("/proc/kcore"), Some(&PathAccess::Masked));
    assert_eq!(isolation.kernel_paths.get("/sys/fs/cgroup"), Some(&PathAccess::ReadOnly));
    assert_eq!(isolation.sysctls["kernel.core_pattern"].writable, Some(false));
    assert_eq!(isolation.module_loading, Some(false));
    assert_eq!(isolation.engine_sockets, Some(Vec::new()));
    assert_eq!(isolation.unreadable, []);

    assert_eq!(names(&isolation, Severity::Critical), [""; 0]);
    assert_eq!(names(&isolation, Severity::High), [""; 0]);
    assert_eq!(names(&isolation, Severity::Medium), ["host_root"]);
    assert_eq!(names(&isolation, Severity::Low), ["raw_sockets", "new_privileges", "writable_root"]);
}

#[test]
fn privileged_docker_is_open_by_capabilities_and_paths() {
    let status = "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t0\n";
    let mounts = "1120 1083 0:61 / / rw - overlay overlay rw\n\
                  1121 1120 0:65 / /proc rw - proc proc rw\n\
                  1124 1120 0:68 / /sys rw - sysfs sysfs rw\n\
                  1125 1124 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    let isolation = changed(
        &[
            ("proc/self/status", status),
            ("proc/self/mountinfo", mounts),
            ("proc/self/attr/current", "unconfined\n"),
            ("proc/sys/kernel/modules_disabled", "0\n"),
            ("proc/kcore", ""),
            ("sys/fs/cgroup/pids.max", "max\n"),
            ("run/docker.sock", ""),
        ],
        &[],
    );
    assert_eq!(isolation.module_loading, Some(true));
    let critical = ["engine_socket", "module_loading", "escape_capabilities", "writable_kernel_paths"];
    assert_eq!(names(&isolation, Severity::Critical), critical);
    assert_eq!(names(&isolation, Severity::High), ["wide_capabilities", "no_seccomp"]);
    assert_eq!(
        names(&isolation, Severity::Medium),
        ["unconfined", "host_root", "unmasked_paths", "no_process_limit"]
    );
    assert!(what(&isolation, "engine_socket").contains("docker at /run/docker.sock"));
    assert!(
        what(&isolation, "writable_kernel_paths")
            .contains("(/proc/sys, /proc/sysrq-trigger, /sys, /sys/fs/cgroup)")
    );
    assert!(what(&isolation, "escape_capabilities").contains("cap_sys_admin"));
    // In a private network and pid namespace these two are harmless.
    for harmless in ["cap_net_admin", "cap_sys_ptrace"] {
        assert!(!isolation.findings.iter().any(|finding| finding.what.contains(harmless)));
    }
    let text = text::render(&isolation);
    assert!(text.starts_with("Isolation:\n  critical  an engine's socket is within reach"), "{text}");
    assert!(!text.contains("no-new-privileges"), "good practice alone is no news:\n{text}");
}

#[test]
fn root_of_a_user_namespace_is_not_root_of_the_host() {
    let isolation = changed(
        &[
            ("proc/self/uid_map", "         0       1000          1\n         1     100000      65536\n"),
            ("proc/self/attr/current", "system_u:system_r:container_t:s0:c201,c745\0"),
            (
                "proc/self/status",
                "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\nNoNewPrivs:\t1\nSeccomp:\t2\n",
            ),
            ("proc/sys/kernel/modules_disabled", "0\n"),
        ],
        &[("user", 4_026_532_480)],
    );
    assert_eq!(
        isolation.uid_map.as_deref().and_then(<[_]>::first),
        Some(&IdRange { inside: 0, outside: 1000, count: 1 })
    );
    assert_eq!(isolation.security_modules.module.as_deref(), Some("selinux"));
    assert_eq!(isolation.module_loading, Some(false), "the capability is not the host's");
    assert_eq!(isolation.findings.iter().filter(|finding| finding.severity < Severity::Low).count(), 0);
    assert_eq!(text::render(&isolation), "");
}

#[test]
fn bubblewrap_without_a_filter_and_with_the_hosts_processes_is_told_so() {
    let isolation = changed(
        &[(
            "proc/self/status",
            "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t0\n",
        )],
        &[("pid", 4_026_531_836), ("user", 4_026_533_177)],
    );
    assert_eq!(names(&isolation, Severity::Critical), [""; 0]);
    assert_eq!(names(&isolation, Severity::High), ["no_seccomp", "host_processes"]);
    assert_eq!(names(&isolation, Severity::Medium), [""; 0]);
}

#[test]
fn on_a_kernel_of_its_own_only_the_processor_matters() {
    let tree = tempfile::tempdir().unwrap();
    let folder = tree.path().join("sys/devices/system/cpu/vulnerabilities");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(tree.path().join("proc/self")).unwrap();
    std::fs::write(tree.path().join("proc/self/status"), "Seccomp:\t0\nCapEff:\t000001ffffffffff\n").unwrap();
    std::fs::write(folder.join("spec_store_bypass"), "Vulnerable\n").unwrap();
    std::fs::write(folder.join("mds"), "Mitigation: Clear CPU buffers; SMT vulnerable\n").unwrap();
    let isolation = read(&HostFs::fixture(tree.path()), Kernel::Own);
    let names: Vec<&str> = isolation.findings.iter().map(|finding| finding.name.as_str()).collect();
    assert_eq!(names, ["cpu_vulnerable", "cpu_partly_vulnerable"]);
}

#[test]
fn limits_of_groups_above_count_and_v1_has_its_own_names() {
    let isolation = changed(
        &[
            ("proc/self/cgroup", "4:memory:/a/b\n3:cpu,cpuacct:/a\n2:pids:/a\n"),
            ("sys/fs/cgroup/memory/cgroup.procs", ""),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/a/cgroup.procs", ""),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1048576\n"),
            ("sys/fs/cgroup/memory/a/b/cgroup.procs", ""),
            ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/cpu,cpuacct/a/cgroup.procs", ""),
            ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n"),
            ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
            ("sys/fs/cgroup/pids/a/cgroup.procs", ""),
            ("sys/fs/cgroup/pids/a/pids.max", "max\n"),
        ],
        &[],
    );
    assert_eq!(isolation.limits.memory_bytes, Some(Limit::At(1_048_576.0)));
    assert_eq!(isolation.limits.cpus, Some(Limit::Unlimited));
    assert_eq!(isolation.limits.processes, Some(Limit::Unlimited));
}

#[test]
fn an_empty_tree_says_nothing() {
    let tree = tempfile::tempdir().unwrap();
    assert_eq!(read(&HostFs::fixture(tree.path()), Kernel::Unknown), Isolation::default());
}
