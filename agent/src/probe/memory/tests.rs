use tierprobe_model::Kernel;

use super::*;
use crate::host::tree;
use crate::probe::Settings;

const MEMINFO_TEXT: &str =
    "MemTotal: 1000000 kB\nMemFree: 600000 kB\nCached: 200000 kB\nShmem: 50000 kB\nAnonPages: 90000 kB\n";

/// What the probe publishes of these files, as `family` or `family label` and value, without the parts.
fn measured(tier: Tier, files: &[(&str, &str)]) -> Result<Vec<(String, u64)>, ProbeError> {
    let (_tree, mut memory) = probe(tier, files);
    let round = memory.measure(Placement { cpu: 0, other: None })?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes")]
    let series = round.gauges.iter().filter(|gauge| *gauge.family != PART).map(|gauge| {
        let name = gauge.family.name.trim_start_matches("tierprobe_memory_");
        (format!("{name} {}", gauge.labels.join(" ")).trim_end().to_owned(), gauge.value as u64)
    });
    Ok(series.collect())
}

/// Its own group's values alone.
fn cgroup(files: &[(&str, &str)]) -> Vec<(String, u64)> {
    let files = [&[("proc/meminfo", MEMINFO_TEXT)], files].concat();
    let published = measured(Tier::Container, &files).unwrap();
    let values = published.into_iter();
    values.filter_map(|(name, value)| Some((name.strip_prefix("cgroup_bytes ")?.to_owned(), value))).collect()
}

fn expected(values: &[(&str, u64)]) -> Vec<(String, u64)> {
    values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

const V1: [(&str, &str); 4] = [
    ("proc/self/cgroup", "4:memory:/docker/3039\n1:name=systemd:/\n0::/\n"),
    ("sys/fs/cgroup/memory/docker/3039/cgroup.procs", ""),
    ("sys/fs/cgroup/memory/docker/3039/memory.usage_in_bytes", "5242880\n"),
    ("sys/fs/cgroup/memory/docker/3039/memory.max_usage_in_bytes", "7340032\n"),
];

#[test]
fn version_1_knows_the_smallest_limit_itself() {
    let limited = [
        ("sys/fs/cgroup/memory/docker/3039/memory.limit_in_bytes", "104857600\n"),
        ("sys/fs/cgroup/memory/docker/3039/memory.stat", "cache 0\nhierarchical_memory_limit 67108864\n"),
    ];
    let values =
        [("current", 5 << 20), ("peak", 7 << 20), ("limit", 100 << 20), ("effective_limit", 64 << 20)];
    assert_eq!(cgroup(&[&V1[..], &limited].concat()), expected(&values));
}

#[test]
fn version_1_writes_no_limit_as_the_largest_number_of_pages() {
    for pages in ["9223372036854771712\n", "9223372036854710272\n"] {
        let unlimited = [
            ("sys/fs/cgroup/memory/docker/3039/memory.limit_in_bytes", pages),
            (
                "sys/fs/cgroup/memory/docker/3039/memory.stat",
                "hierarchical_memory_limit 9223372036854771712\n",
            ),
        ];
        let values = [("current", 5 << 20), ("peak", 7 << 20)];
        assert_eq!(cgroup(&[&V1[..], &unlimited].concat()), expected(&values));
    }
}

/// A service within a slice within a slice.
const V2: [(&str, &str); 7] = [
    ("proc/self/cgroup", "0::/a.slice/b.slice/c.service\n"),
    ("sys/fs/cgroup/cgroup.procs", ""),
    ("sys/fs/cgroup/a.slice/memory.max", "268435456\n"),
    ("sys/fs/cgroup/a.slice/b.slice/memory.max", "max\n"),
    ("sys/fs/cgroup/a.slice/b.slice/c.service/cgroup.procs", ""),
    ("sys/fs/cgroup/a.slice/b.slice/c.service/cgroup.controllers", "cpu memory pids\n"),
    ("sys/fs/cgroup/a.slice/b.slice/c.service/memory.current", "4194304\n"),
];

#[test]
fn version_2_takes_the_smallest_of_the_limits_around_it() {
    let own = |limit: &'static str| [("sys/fs/cgroup/a.slice/b.slice/c.service/memory.max", limit)];
    for (limit, values) in [
        ("1073741824\n", vec![("current", 4 << 20), ("limit", 1 << 30), ("effective_limit", 256 << 20)]),
        ("134217728\n", vec![("current", 4 << 20), ("limit", 128 << 20), ("effective_limit", 128 << 20)]),
        ("max\n", vec![("current", 4 << 20), ("effective_limit", 256 << 20)]),
        // As the kernel has it, none at all is not no limit.
        ("0\n", vec![("current", 4 << 20), ("limit", 0), ("effective_limit", 0)]),
    ] {
        // Without memory.peak, which came with Linux 5.19.
        assert_eq!(cgroup(&[&V2[..], &own(limit)].concat()), expected(&values), "{limit}");
    }
}

#[test]
fn without_the_controller_or_any_group_there_is_nothing_to_say() {
    let without_controller: Vec<(&str, &str)> = V2
        .iter()
        .map(|(path, text)| (*path, if path.ends_with("controllers") { "cpu pids\n" } else { text }))
        .collect();
    assert_eq!(cgroup(&without_controller), []);
    assert_eq!(cgroup(&[]), []);
    assert_eq!(cgroup(&[("proc/self/cgroup", "0::/\n")]), []);
}

#[test]
fn a_hybrid_may_have_the_controller_on_either_side() {
    let unified = [
        ("proc/self/cgroup", "3:cpu,cpuacct:/\n1:name=systemd:/\n0::/x.service\n"),
        ("sys/fs/cgroup/unified/cgroup.procs", ""),
        ("sys/fs/cgroup/unified/x.service/cgroup.procs", ""),
        ("sys/fs/cgroup/unified/x.service/cgroup.controllers", "memory\n"),
        ("sys/fs/cgroup/unified/x.service/memory.max", "33554432\n"),
    ];
    assert_eq!(cgroup(&unified), expected(&[("limit", 32 << 20), ("effective_limit", 32 << 20)]));
    let legacy = [&V1[..], &[("sys/fs/cgroup/unified/cgroup.procs", "")]].concat();
    assert_eq!(cgroup(&legacy), expected(&[("current", 5 << 20), ("peak", 7 << 20)]));
}

const BLOCKS: [(&str, &str); 9] = [
    ("sys/devices/system/memory/block_size_bytes", "8000000\n"),
    ("sys/devices/system/memory/memory0/state", "online\n"),
    ("sys/devices/system/memory/memory1/state", "online\n"),
    ("sys/devices/system/memory/memory2/state", "online\n"),
    ("sys/devices/system/memory/memory3/state", "online\n"),
    ("sys/devices/system/memory/memory4/state", "online\n"),
    ("sys/devices/system/memory/memory5/state", "online\n"),
    ("sys/devices/system/memory/memory6/state", "online\n"),
    ("sys/devices/system/memory/memory7/state", "online\n"),
];

const LXCFS_MOUNT: &str = "43 27 0:41 /proc/meminfo /proc/meminfo rw,nosuid,nodev,relatime - fuse.lxcfs lxcfs \
    rw,user_id=0,group_id=0,allow_other\n";

#[test]
fn whose_memory_it_is_decides_what_is_said_of_the_machine() {
    let files = [&[("proc/meminfo", MEMINFO_TEXT)], &BLOCKS[..]].concat();
    let machine = [
        ("hardware_bytes memory_blocks", 1 << 30),
        ("reserved_bytes", (1 << 30) - (1_000_000 << 10)),
        // All but 600000 kB free and 150000 kB of page cache.
        ("upkeep_bytes", (1 << 30) - (750_000 << 10)),
        ("view_info kernel", 1),
    ];
    assert_eq!(measured(Tier::Vm, &files).unwrap(), expected(&machine));
    assert_eq!(measured(Tier::Sandbox, &files).unwrap(), expected(&[("view_info sandbox", 1)]));
    let lxcfs = [&files[..], &[("proc/self/mountinfo", LXCFS_MOUNT)]].concat();
    assert_eq!(measured(Tier::Container, &lxcfs).unwrap(), expected(&[("view_info lxcfs", 1)]));
}

#[test]
fn a_machine_with_less_than_its_kernel_manages_is_not_believed() {
    let files = [&[("proc/meminfo", MEMINFO_TEXT)], &BLOCKS[..4]].concat();
    assert_eq!(measured(Tier::Vm, &files).unwrap(), expected(&[("view_info kernel", 1)]));
}

#[test]
fn what_cannot_be_is_an_error_that_names_the_file() {
    for (files, why) in [
        (
            vec![("proc/meminfo", "MemTotal: 500 kB\nMemFree: 800 kB\n")],
            "/proc/meminfo: its parts add up to 819200",
        ),
        (vec![("proc/meminfo", "garbage")], "/proc/meminfo: no MemTotal"),
    ] {
        let error = measured(Tier::Container, &files).unwrap_err();
        assert!(matches!(&error, ProbeError::Failed(said) if said.contains(why)), "{error:?}");
    }
    let none = measured(Tier::Vm, &[]).unwrap_err();
    assert_eq!(none, ProbeError::Unsupported("/proc/meminfo: not found".to_owned()));
}

/// A probe on these files, which may be changed later.
fn probe(tier: Tier, files: &[(&str, &str)]) -> (tempfile::TempDir, Memory) {
    let (tree, fs) = tree(files);
    let settings = Settings::default();
    let site = Site { fs: &fs, tier, kernel: Kernel::Unknown, settings: &settings };
    let probe = Memory::prepare(&site);
    (tree, probe)
}

#[test]
fn an_odd_file_of_the_control_group_costs_that_value_alone() {
    let odd = [&[("proc/meminfo", MEMINFO_TEXT)], &V1[..2], &[(V1[2].0, "many"), V1[3]], &BLOCKS].concat();
    let (_tree, mut memory) = probe(Tier::Container, &odd);
    let round = memory.measure(Placement { cpu: 0, other: None }).unwrap();
    let why = "/docker/3039/memory.usage_in_bytes: \"many\" is no number";
    assert!(matches!(&round.absent[..], [absent] if absent.contains(why)), "{round:?}");
    assert!(round.gauges.iter().any(|gauge| *gauge.family == CGROUP && gauge.labels == ["peak"]));
    assert!(round.gauges.iter().any(|gauge| *gauge.family == PART));
}

#[test]
fn memory_that_is_plugged_in_or_out_is_noticed() {
    let (tree, mut memory) = probe(Tier::Vm, &[&[("proc/meminfo", MEMINFO_TEXT)], &BLOCKS[..]].concat());
    let mut hardware = || {
        let round = memory.measure(Placement { cpu: 0, other: None }).unwrap();
        round.gauges.into_iter().find(|gauge| *gauge.family == HARDWARE).map(|gauge| gauge.value)
    };
    assert_eq!(hardware(), Some(f64::from(1 << 30)));
    std::fs::remove_dir_all(tree.path().join("sys/devices/system/memory/memory7")).unwrap();
    std::fs::write(tree.path().join("proc/meminfo"), MEMINFO_TEXT.replace("1000000", "900000")).unwrap();
    assert_eq!(hardware(), Some(f64::from(7 << 27)));
}

#[test]
fn what_is_not_known_is_said() {
    let absent = |tier, files: &[(&str, &str)]| {
        let (_tree, mut memory) = probe(tier, &[&[("proc/meminfo", MEMINFO_TEXT)], files].concat());
        memory.measure(Placement { cpu: 0, other: None }).unwrap().absent
    };
    let no_group = "the control group: none with the controller memory in /sys/fs/cgroup";
    let nothing =
        "what the machine has: /sys/firmware/memmap: not found, /sys/devices/system/memory: not found";
    assert_eq!(absent(Tier::Vm, &[]), [nothing, no_group]);
    let less = "what the machine has: memory_blocks says 402653184 bytes, less than MemTotal";
    assert_eq!(absent(Tier::Vm, &BLOCKS[..4]), [less, no_group]);
    // A sandbox shows another machine than the one that it is on.
    assert_eq!(absent(Tier::Sandbox, &[]), [no_group]);
    assert!(absent(Tier::Vm, &[&BLOCKS[..], &V1].concat()).is_empty());
}
