//! Control groups of either version, both, and none, as trees of the kernel's files.

use std::fs;

use tierprobe_tests::agent;
use tierprobe_tests::scrape::written;

/// Files of a group.
type Files = &'static [(&'static str, &'static str)];

/// What is charged to it by them, and how its quota has held it; `None`: there is nothing to read that from.
type Expected = (Option<&'static str>, Option<&'static str>);

type Row = (&'static str, Files, Expected);

const ROWS: &[Row] = &[
    (
        "the first version",
        &[
            ("proc/self/cgroup", "4:memory:/app\n3:cpu,cpuacct:/app\n"),
            ("sys/fs/cgroup/memory/app/cgroup.procs", "1\n"),
            ("sys/fs/cgroup/memory/app/memory.usage_in_bytes", "4096\n"),
            ("sys/fs/cgroup/memory/app/memory.current", "1\n"),
            ("sys/fs/cgroup/cpu,cpuacct/app/cgroup.procs", "1\n"),
            ("sys/fs/cgroup/cpu,cpuacct/app/cpu.stat", "nr_throttled 3\nthrottled_time 700\n"),
        ],
        (Some("4096"), Some("0")),
    ),
    (
        "the second version",
        &[
            ("proc/self/cgroup", "0::/app\n"),
            ("sys/fs/cgroup/app/cgroup.procs", "1\n"),
            ("sys/fs/cgroup/app/cgroup.controllers", "cpu memory\n"),
            ("sys/fs/cgroup/app/memory.current", "8192\n"),
            ("sys/fs/cgroup/app/cpu.stat", "nr_throttled 3\nthrottled_usec 700\n"),
        ],
        (Some("8192"), Some("0")),
    ),
    (
        "both, memory in the first",
        &[
            ("proc/self/cgroup", "4:memory:/app\n1:name=systemd:/app\n0::/app\n"),
            ("sys/fs/cgroup/unified/app/cgroup.procs", "1\n"),
            ("sys/fs/cgroup/unified/app/memory.current", "1\n"),
            ("sys/fs/cgroup/memory/app/cgroup.procs", "1\n"),
            ("sys/fs/cgroup/memory/app/memory.usage_in_bytes", "12288\n"),
        ],
        (Some("12288"), None),
    ),
    (
        "the second version without the controller",
        &[
            ("proc/self/cgroup", "0::/app\n"),
            ("sys/fs/cgroup/app/cgroup.procs", "1\n"),
            ("sys/fs/cgroup/app/cgroup.controllers", "cpu\n"),
            // As version 1 writes it: nothing of version 2.
            ("sys/fs/cgroup/app/cpu.stat", "nr_throttled 3\nthrottled_time 700\n"),
        ],
        (None, None),
    ),
    ("none", &[], (None, None)),
];

#[test]
fn what_is_charged_is_read_from_the_version_that_counts_it() {
    for (name, files, (charged, throttled)) in ROWS {
        let tree = tempfile::tempdir().unwrap();
        // Whatever this machine has: only the group's files matter.
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap();
        for (path, text) in [("proc/meminfo", meminfo.as_str())].iter().chain(*files) {
            let path = tree.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = tree.path().to_str().unwrap();
        let flags = [
            "--rounds",
            "2",
            "--pause",
            "1ms",
            "--format",
            "prometheus",
            "--probe",
            "memory",
            "--probe",
            "cpu",
        ];
        let text = agent::output(&[&["measure", "--path.rootfs", root], &flags[..]].concat());
        let find = |name: &str| written(&text, name);
        let current = find("tierprobe_memory_cgroup_bytes{value=\"current\"}");
        assert_eq!(current, *charged, "{name}:\n{text}");
        for probe in ["memory", "cpu"] {
            let up = find(&format!("tierprobe_probe_up{{probe=\"{probe}\"}}"));
            assert_eq!(up, Some("1"), "{name}: {probe}:\n{text}");
        }
        // Of a tree nobody knows how fast it counts: what does not grow is zero, what is not there is absent.
        assert_eq!(find("tierprobe_cpu_throttled_ratio"), *throttled, "{name}:\n{text}");
    }
}
