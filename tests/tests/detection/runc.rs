//! Containers of runc alone, with more and less of their own; and the bundle that gVisor and a guest run, too.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tierprobe_model::Seccomp;
use tierprobe_tests::need::need;

use super::case::{Case, Expected, Outcome, Want};
use super::kit::{LIMIT, Lab, Said};
use super::run;

const CAPABILITIES: [&str; 11] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// What `runc spec` hides.
const MASKED: [&str; 8] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/sched_debug",
    "/sys/firmware",
];

/// All that a container usually has of its own.
pub(crate) const USUAL: [&str; 6] = ["pid", "ipc", "uts", "mount", "network", "cgroup"];

/// The configuration of a bundle: the kit's root at `root`, in the control group `group`.
pub(crate) fn config(root: &Path, group: &str, namespaces: &[&str]) -> Value {
    let mount = |destination: &str, kind: &str, options: &[&str]| json!({ "destination": destination, "type": kind, "source": kind, "options": options });
    let namespaces: Vec<Value> = namespaces.iter().map(|kind| json!({ "type": kind })).collect();
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": Lab::probe(Path::new("/kit")),
            "env": ["PATH=/kit"],
            "cwd": "/",
            "noNewPrivileges": true,
            "capabilities": {
                "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES,
            },
        },
        "root": { "path": root, "readonly": false },
        "hostname": "detection",
        "mounts": [
            mount("/proc", "proc", &[]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
        ],
        "linux": {
            "cgroupsPath": group,
            "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
            "namespaces": namespaces,
            "maskedPaths": MASKED,
        },
    })
}

/// A variant: its name, its namespaces, and what else differs.
type Variant = (&'static str, &'static [&'static str], fn(&mut Value));

const VARIANTS: [Variant; 7] = [
    ("runc: usual namespaces", &USUAL, |_| {}),
    ("runc: the machine's cgroup namespace", &["pid", "ipc", "uts", "mount", "network"], |_| {}),
    ("runc: the machine's pid namespace", &["ipc", "uts", "mount", "network", "cgroup"], |_| {}),
    ("runc: a user namespace, too", &["pid", "ipc", "uts", "mount", "network", "cgroup", "user"], own_users),
    ("runc: only a mount namespace", &["mount"], |config| config["hostname"] = Value::Null),
    ("runc: read-only root", &USUAL, |config| config["root"]["readonly"] = Value::Bool(true)),
    (SECCOMP, &USUAL, |config| config["linux"]["seccomp"] = filter()),
];

const SECCOMP: &str = "runc: seccomp filter";

fn own_users(config: &mut Value) {
    let mapping = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    config["linux"]["uidMappings"] = mapping.clone();
    config["linux"]["gidMappings"] = mapping;
}

/// One that nothing here runs into: what counts is that there is one.
fn filter() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": [],
        "syscalls": [{ "names": ["kexec_load", "swapon"], "action": "SCMP_ACT_ERRNO" }],
    })
}

/// All of them.
pub(crate) fn cases(lab: &Lab) -> Vec<Case> {
    let expected = Expected::container(&lab.host, Want::Any);
    let cases = VARIANTS.iter().enumerate().map(|(index, (name, namespaces, change))| {
        let group = format!("/{}/runc-{index}", lab.run);
        let mut config = config(&lab.root(), &group, namespaces);
        change(&mut config);
        let outcome = match need("runc") {
            Some(runc) if nix::unistd::geteuid().is_root() => {
                let said = container(lab, &runc, &format!("{}-{index}", lab.run), &config);
                said.and_then(|said| has_filter(said, *name == SECCOMP)).into()
            }
            Some(_) => Outcome::Impossible("only root may".to_owned()),
            None => Outcome::Impossible("runc is not installed".to_owned()),
        };
        Case::new(name, expected.clone(), outcome)
    });
    cases.collect()
}

/// The agent must have seen the filter where there is one.
fn has_filter(said: Said, is_there: bool) -> Result<Said, String> {
    let seen = said.detection.isolation.seccomp;
    let is_seen = seen == Some(Seccomp::Filter);
    if is_seen == is_there { Ok(said) } else { Err(format!("the agent says {seen:?} of the seccomp filter")) }
}

fn container(lab: &Lab, runc: &Path, name: &str, config: &Value) -> Result<Said, String> {
    let bundle = lab.path(name);
    fs::create_dir_all(&bundle).unwrap();
    fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    let command = || {
        let mut command = Command::new(runc);
        command.arg("--root").arg(lab.path("runc-state"));
        command
    };
    let said = Lab::ask(command().args(["run", "--bundle"]).arg(&bundle).arg(name));
    // A container outlives a runc that was killed.
    let _gone_already = run::output(command().args(["delete", "--force", name]), LIMIT);
    said
}
