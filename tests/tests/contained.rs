//! Memory and start of real containers: limits in the machine's own control groups, LXCFS, gVisor. What the agent says is
//! held to what the container was started with.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;
use tierprobe_model::record::{Outcome, Record};
use tierprobe_tests::agent::Agent;
use tierprobe_tests::need::{have, need};
use tierprobe_tests::{binary, scrape};

const MIB: u64 = 1 << 20;

/// Where the machine's hierarchies of control groups are.
const GROUPS: &str = "/sys/fs/cgroup";

/// A bundle whose only program is the agent, and the control groups that it is run in.
struct Container {
    folder: TempDir,
    group: String,
}

impl Container {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("tierprobe-contained-").tempdir().unwrap();
        for name in ["proc", "sys", "dev", "tmp"] {
            fs::create_dir_all(folder.path().join("root").join(name)).unwrap();
        }
        binary::copy(binary::agent(), &folder.path().join("root/agent"));
        let number = folder.path().file_name().unwrap().to_str().unwrap().to_owned();
        Self { folder, group: format!("/{number}") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The record of one round of memory and boot in a container with this limit and these mounts more.
    fn measure(&self, program: &Path, options: &[&str], limit: Option<u64>, mounts: &[Value]) -> Record {
        self.probed(program, options, limit, mounts, &["memory", "boot"])
    }

    /// The same of these probes.
    fn probed(
        &self,
        program: &Path,
        options: &[&str],
        limit: Option<u64>,
        mounts: &[Value],
        probes: &[&str],
    ) -> Record {
        let mut arguments = vec!["/agent", "measure", "--rounds", "1", "--format", "json"];
        arguments.extend(probes.iter().flat_map(|probe| ["--probe", probe]));
        let mut all = vec![
            json!({ "destination": "/proc", "type": "proc", "source": "proc" }),
            json!({ "destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "ro"] }),
            json!({ "destination": "/dev", "type": "tmpfs", "source": "tmpfs" }),
        ];
        all.extend_from_slice(mounts);
        let memory = limit.map_or_else(|| json!({}), |limit| json!({ "limit": limit }));
        let namespaces: Vec<Value> =
            ["pid", "ipc", "uts", "mount"].into_iter().map(|kind| json!({ "type": kind })).collect();
        let config = json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": { "uid": 0, "gid": 0 },
                "cwd": "/",
                "args": arguments,
            },
            "root": { "path": self.path("root"), "readonly": true },
            "mounts": all,
            "linux": {
                "namespaces": namespaces,
                "cgroupsPath": format!("{}/inner", self.group),
                "resources": { "memory": memory },
            },
        });
        fs::write(self.path("config.json"), config.to_string()).unwrap();
        let name = self.group.trim_start_matches('/');
        let command = |verb: &[&str]| {
            let mut command = Command::new(program);
            command.arg("--root").arg(self.path("state")).args(options).args(verb).stdin(Stdio::null());
            command
        };
        let bundle = self.folder.path().to_str().unwrap();
        let output = command(&["run", "-bundle", bundle, name]).output().unwrap();
        let _gone_already = command(&["delete", "-force", name]).output();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}: {}: {said}", program.display(), output.status);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Where the machine counts memory: version 1 or 2.
    fn memory_group(&self) -> (PathBuf, &'static str) {
        let legacy = Path::new(GROUPS).join("memory");
        if legacy.is_dir() {
            (legacy.join(&self.group[1..]), "memory.limit_in_bytes")
        } else {
            (Path::new(GROUPS).join(&self.group[1..]), "memory.max")
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Runtimes leave the groups around the container's own.
        let hierarchies = fs::read_dir(GROUPS).into_iter().flatten().flatten().map(|entry| entry.path());
        for hierarchy in hierarchies.chain([PathBuf::from(GROUPS)]) {
            for group in ["inner", ""] {
                let _not_in_each = fs::remove_dir(hierarchy.join(&self.group[1..]).join(group));
            }
        }
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn gauge(record: &Record, name: &str, label: &str) -> Option<f64> {
    let has = |gauge: &&tierprobe_model::record::GaugeRecord| {
        gauge.name == name && (label.is_empty() || gauge.labels.values().any(|value| value == label))
    };
    record.gauges.iter().find(has).map(|gauge| gauge.value)
}

fn cgroup(record: &Record, value: &str) -> Option<f64> {
    gauge(record, "tierprobe_memory_cgroup_bytes", value)
}

fn parts(record: &Record) -> f64 {
    let of_family = record.gauges.iter().filter(|gauge| gauge.name == "tierprobe_memory_footprint_bytes");
    of_family.map(|gauge| gauge.value).sum()
}

#[expect(clippy::cast_precision_loss, reason = "small")]
fn bytes(mebibytes: u64) -> Option<f64> {
    Some((mebibytes * MIB) as f64)
}

fn all_worked(record: &Record) {
    assert!(record.probes.iter().all(|probe| probe.outcome == Outcome::Ok), "{:?}", record.probes);
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

#[test]
fn a_container_sees_its_limit_and_the_one_around_it() {
    let (Some(runc), true) = (need("runc"), is_root()) else { return };
    let container = Container::new();
    let before = now();
    let record = container.measure(&runc, &[], Some(96 * MIB), &[]);
    let after = now();
    all_worked(&record);
    assert_eq!((cgroup(&record, "limit"), cgroup(&record, "effective_limit")), (bytes(96), bytes(96)));
    let (current, peak) = (cgroup(&record, "current").unwrap(), cgroup(&record, "peak"));
    assert!(
        current > 0.0 && peak.is_none_or(|peak| peak >= current) && Some(current) < bytes(96),
        "{record:?}"
    );
    assert_eq!(gauge(&record, "tierprobe_memory_view_info", "kernel"), Some(1.0));

    // Start times count in ticks of 10 ms.
    let started = gauge(&record, "tierprobe_boot_start_timestamp_seconds", "container").unwrap();
    assert!(before - 0.02 <= started && started <= after, "{before} {started} {after}");
    let agent = gauge(&record, "tierprobe_boot_start_timestamp_seconds", "agent").unwrap();
    assert!((agent - started).abs() < 1e-6, "the agent is the container's first process");
    assert!(gauge(&record, "tierprobe_boot_start_timestamp_seconds", "kernel").unwrap() < started);
    assert!(gauge(&record, "tierprobe_boot_duration_seconds", "").is_none(), "the kernel is not its own");

    let (group, file) = container.memory_group();
    fs::create_dir_all(&group).unwrap();
    fs::write(group.join(file), (48 * MIB).to_string()).unwrap();
    let record = container.measure(&runc, &[], Some(96 * MIB), &[]);
    assert_eq!((cgroup(&record, "limit"), cgroup(&record, "effective_limit")), (bytes(96), bytes(48)));
    let record = container.measure(&runc, &[], None, &[]);
    assert_eq!((cgroup(&record, "limit"), cgroup(&record, "effective_limit")), (None, bytes(48)));
}

/// LXCFS on a folder; unmounted when this ends.
struct Lxcfs {
    process: std::process::Child,
    folder: TempDir,
}

impl Lxcfs {
    fn start(program: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("tierprobe-lxcfs-").tempdir().unwrap();
        fs::create_dir(folder.path().join("mount")).unwrap();
        let mut command = Command::new(program);
        command.arg("-f").arg("-p").arg(folder.path().join("pid")).arg(folder.path().join("mount"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let lxcfs = Self { process: command.spawn().unwrap(), folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !lxcfs.meminfo().exists() {
            assert!(Instant::now() < deadline, "LXCFS does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        lxcfs
    }

    fn meminfo(&self) -> PathBuf {
        self.folder.path().join("mount/proc/meminfo")
    }
}

impl Drop for Lxcfs {
    fn drop(&mut self) {
        // It unmounts itself.
        let pid = i32::try_from(self.process.id()).unwrap_or_default();
        let _ended_already =
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        let _nothing_left_to_do = self.process.wait();
    }
}

#[test]
fn what_lxcfs_makes_up_adds_up_to_the_containers_limit() {
    let (Some(runc), Some(lxcfs), true) = (need("runc"), need("lxcfs"), is_root()) else { return };
    let lxcfs = Lxcfs::start(&lxcfs);
    let container = Container::new();
    let meminfo = json!({
        "destination": "/proc/meminfo", "type": "bind", "source": lxcfs.meminfo(), "options": ["bind", "ro"],
    });
    let record = container.measure(&runc, &[], Some(64 * MIB), &[meminfo]);
    all_worked(&record);
    assert_eq!(gauge(&record, "tierprobe_memory_view_info", "lxcfs"), Some(1.0));
    assert_eq!(Some(parts(&record)), bytes(64));
    assert_eq!(cgroup(&record, "effective_limit"), bytes(64));
    for of_the_machine in ["hardware", "reserved", "upkeep"] {
        let family = format!("tierprobe_memory_{of_the_machine}_bytes");
        assert_eq!(gauge(&record, &family, ""), None, "{family}");
    }
}

#[test]
fn a_sandbox_has_the_memory_that_it_shows() {
    let (Some(runsc), true) = (need("runsc"), is_root()) else { return };
    let container = Container::new();
    // Which platforms a release has depends on its age.
    let platforms = ["systrap", "ptrace"].map(|platform| format!("--platform={platform}"));
    let works = |platform: &&String| {
        let help =
            Command::new(&runsc).args([platform.as_str(), "--network=host", "do", "/bin/true"]).output();
        help.is_ok_and(|output| !String::from_utf8_lossy(&output.stderr).contains("unknown platform"))
    };
    let platform = platforms.iter().find(works).unwrap();
    let options = [platform.as_str(), "--network=host", "--ignore-cgroups"];
    let record = container.measure(&runsc, &options, None, &[]);
    all_worked(&record);
    assert_eq!(gauge(&record, "tierprobe_memory_view_info", "sandbox"), Some(1.0));
    let free = gauge(&record, "tierprobe_memory_footprint_bytes", "free").unwrap();
    assert!(free > 0.0 && free <= parts(&record), "{record:?}");
    assert_eq!(gauge(&record, "tierprobe_memory_reserved_bytes", ""), None);
    assert_eq!(gauge(&record, "tierprobe_memory_footprint_bytes", "slab"), None, "absent is not zero");

    // It may have CPUID fault, and says neither that it does nor that it does not.
    let exits = container.probed(&runsc, &options, None, &[], &["vm_exit"]);
    let [probe] = &exits.probes[..] else { panic!("{:?}", exits.probes) };
    assert_eq!(probe.outcome, Outcome::Unsupported, "{probe:?}");
    assert!(probe.reason.contains("sandbox"), "{probe:?}");
}

#[test]
fn a_first_process_buries_others_and_does_not_pay_for_them() {
    let Some(unshare) = need("unshare") else { return };
    let allowed = Command::new(&unshare).args(["--pid", "--fork", "true"]).status().unwrap();
    let allowed = if allowed.success() { Ok(()) } else { Err("unshare --pid") };
    if have("a PID namespace", allowed).is_none() {
        return;
    }
    // A program that uses two seconds of CPU time, below a shell whose parent becomes the agent.
    let folder = tempfile::tempdir().unwrap();
    let ended = folder.path().join("ended");
    let program = "sh -c 'ulimit -t 2; while :; do :; done'";
    let script = format!("{{ {program}; touch {}; }} & exec \"$0\" \"$@\"", ended.display());
    let mut command = Command::new(unshare);
    command
        .args(["--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", &script])
        .arg(binary::agent());
    let flags = ["--probe.interval=1s", "--probe.budget=1", "--probe.pressure=1"];
    let mut agent = Agent::start_as(command, &flags);
    let rounds =
        |text: &str| scrape::value(text, "tierprobe_probe_runs_total{outcome=\"ok\",probe=\"spawn\"}");
    let text = agent.wait_for_metrics("the program's end", |_| ended.exists());
    let before = rounds(&text).unwrap();
    let text = agent.wait_for_metrics("two more rounds", |text| rounds(text) >= Some(before + 2.0));
    let cpu = scrape::value(&text, "tierprobe_probe_cpu_seconds_total{probe=\"spawn\"}").unwrap();
    assert!(cpu > 0.0 && cpu < 1.0, "the agent pays {cpu} s for a program of two seconds");
}
