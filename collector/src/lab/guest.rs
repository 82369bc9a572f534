//! The guest of the virtual machine: a root file system in memory that holds the agent and next to nothing else.
//!
//! The agent is the guest's first process: what is measured is the cost of a kernel of one's own, not of a
//! distribution. A shell stays beside it for the guest's clock, see [`guest_clock`](super::guest_clock).

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;

use super::cpio::{Archive, Content};
use super::kernel::Kernel;

/// What the guest writes to its first serial port right before it becomes the agent.
pub(crate) const MARKER: &str = "tierprobe-lab: starting the agent";

/// The guest's address in QEMU's user network; its port forwarding leads there.
pub(crate) const ADDRESS: &str = "10.0.2.15";

/// The command names of busybox that the script uses.
const COMMANDS: [&str; 9] = ["sh", "mount", "mkdir", "insmod", "ip", "stty", "date", "adjtimex", "echo"];

/// Writes the guest's first root file system.
///
/// # Errors
///
/// When a part of it cannot be read.
pub(crate) fn write(
    output: impl Write,
    agent: &Path,
    busybox: &Path,
    kernel: &Kernel,
    scratch: &Path,
) -> anyhow::Result<()> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let mut archive = Archive::new(output);
    for folder in ["bin", "dev", "modules", "proc", "sys", "tmp", "run"] {
        archive.add(folder, &Content::Folder)?;
    }
    // The kernel opens it for the first process before anything is mounted.
    archive.add("dev/console", &Content::Device(5, 1))?;
    archive.add("bin/busybox", &Content::File(&read(busybox)?, true))?;
    for command in COMMANDS {
        archive.add(&format!("bin/{command}"), &Content::Link("busybox"))?;
    }
    archive.add("agent", &Content::File(&read(agent)?, true))?;
    let modules = kernel.modules(scratch)?;
    for (name, content) in &modules {
        archive.add(&format!("modules/{name}.ko"), &Content::File(content, false))?;
    }
    let names: Vec<&str> = modules.iter().map(|(name, _)| *name).collect();
    archive.add("init", &Content::File(script(&names).as_bytes(), true))?;
    archive.finish()?.flush()?;
    Ok(())
}

/// The guest's first program. The kernel hands it the agent's arguments: all that follows `--` on its own command
/// line.
fn script(modules: &[&str]) -> String {
    let modules = modules.join(" ");
    format!(
        r#"#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs tmp /tmp
for module in {modules}; do insmod /modules/$module.ko; done
ip link set lo up
ip addr add {ADDRESS}/24 dev eth0
ip link set eth0 up
(
    stty -F /dev/ttyS1 raw -echo clocal
    while read -r word at; do
        case $word in
            set) date -s "@$at" >/dev/null && echo "is $at" ;;
            ask) set -- $(adjtimex); echo "now $*" ;;
        esac
    done
) </dev/ttyS1 >/dev/ttyS1 2>/dev/null &
echo "{MARKER}" >/dev/ttyS0
exec /agent "$@" </dev/null >/dev/ttyS0 2>&1
"#
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_script_is_one_that_a_shell_understands() {
        let script = script(&["virtio", "virtio_net"]);
        assert!(Command::new("sh").args(["-n", "-c", &script]).status().unwrap().success());
    }
}
