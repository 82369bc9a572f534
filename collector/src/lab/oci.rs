//! The configuration of an OCI container: what runc is told about the agent's container.
//!
//! The [runtime specification](https://github.com/opencontainers/runtime-spec/blob/main/config.md), filled in as
//! `runc spec` does: no seccomp filter. That is what sets this tier apart from Docker's, whose filter costs time
//! in every system call.

use serde_json::{Value, json};

use super::process_table::MARKER;

/// The capabilities that Docker, containerd and Podman give by default, or fewer.
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

const NAMESPACES: [&str; 6] = ["pid", "ipc", "uts", "mount", "network", "cgroup"];

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

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The `config.json` of a bundle whose `rootfs` holds `/agent`.
///
/// `group` is the container's control group, `run` marks the process as this run's.
#[must_use]
pub(crate) fn config(arguments: &[String], group: &str, run: &str) -> Value {
    let mut args = vec!["/agent".to_owned()];
    args.extend(arguments.iter().cloned());
    let namespaces: Vec<Value> = NAMESPACES.iter().map(|kind| json!({ "type": kind })).collect();
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": args,
            "env": ["PATH=/", format!("{MARKER}={run}")],
            "cwd": "/",
            "noNewPrivileges": true,
            "capabilities": {
                "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES,
            },
        },
        "root": { "path": "rootfs", "readonly": false },
        "hostname": "tierprobe-lab",
        "mounts": [
            mount("/proc", "proc", &[]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
        ],
        "linux": {
            "cgroupsPath": group,
            "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
            "namespaces": namespaces,
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    })
}

fn mount(destination: &str, kind: &str, options: &[&str]) -> Value {
    json!({ "destination": destination, "type": kind, "source": kind, "options": options })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_gets_its_arguments_and_the_mark_of_the_run() {
        let config = config(&["serve".into()], "/tierprobe-lab-1/a", "tierprobe-lab-1");
        assert_eq!(config["process"]["args"], json!(["/agent", "serve"]));
        assert_eq!(config["process"]["env"][1], "TIERPROBE_LAB_RUN=tierprobe-lab-1");
        assert_eq!(config["linux"]["cgroupsPath"], "/tierprobe-lab-1/a");
    }
}
