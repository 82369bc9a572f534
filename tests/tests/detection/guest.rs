//! The guests' first root file system: the kit, an `/init`, and runc with what it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tierprobe_tests::need::find;

use super::kit::{LIMIT, Lab, copy_libraries};
use super::run;
use super::runc::{USUAL, config};

/// The word of the kernel's command line that says what to run: `machine`, `runc`, or `serve`.
pub(crate) const PLACE: &str = "place";

/// What the guest says first and last.
pub(crate) const UP: &str = "tierprobe-tests: the guest is up";
pub(crate) const END: &str = "tierprobe-tests: the end";

/// What it says after each look at the metrics of an agent that serves.
pub(crate) const LOOKED: &str = "tierprobe-tests: looked";

/// The kernel makes the environment of what it does not know of its command line.
const INIT: &str = r#"#!/kit/busybox sh
busybox=/kit/busybox
export PATH=/kit
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sys /sys
$busybox mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1 </dev/null
echo "tierprobe-tests: the guest is up"
if [ "$place" = runc ]; then
    # runc changes the root by pivot_root, which the kernel's first root file system refuses.
    $busybox mount -t tmpfs -o size=90% root /new
    $busybox cp -a /kit /guest /lib /lib64 /new
    for folder in proc sys dev; do
        $busybox mkdir /new/$folder
        $busybox mount --move /$folder /new/$folder
    done
    exec $busybox switch_root /new /kit/busybox sh /guest/container
fi
if [ "$place" = serve ]; then
    $busybox ip link set lo up
    # Little is measured: the emulated processor is slow, and only the look-out counts.
    off=
    for probe in boot syscall vm_exit page_fault scheduler cpu spawn network storage; do off="$off --no-probe.$probe"; done
    /kit/agent serve --detect.interval=24h $off &
    # A line on the second serial port asks for another clock source.
    (read line </dev/ttyS1; echo acpi_pm >/sys/devices/system/clocksource/clocksource0/current_clocksource) &
    while :; do
        $busybox wget -q -O - http://127.0.0.1:10990/metrics | $busybox grep '^tierprobe_tier_'
        echo "tierprobe-tests: looked"
        $busybox sleep 1
    done
fi
$busybox sh /kit/probe
echo "tierprobe-tests: the end"
exec $busybox sleep 600
"#;

const CONTAINER: &str = r#"export PATH=/kit
busybox=/kit/busybox
$busybox mount -t cgroup2 cgroup /sys/fs/cgroup
/guest/runc --root /guest/state run --bundle /guest detection
echo "tierprobe-tests: the end"
exec $busybox sleep 600
"#;

/// Writes the archive that the kernel unpacks.
pub(crate) fn archive(lab: &Lab) -> PathBuf {
    let tree = lab.path("guest");
    for name in [
        "new",
        "lib",
        "lib64",
        "guest/rootfs/kit",
        "guest/rootfs/proc",
        "guest/rootfs/sys",
        "guest/rootfs/dev",
    ] {
        fs::create_dir_all(tree.join(name)).unwrap();
    }
    fs::write(tree.join("init"), INIT).unwrap();
    fs::set_permissions(tree.join("init"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(tree.join("guest/container"), CONTAINER).unwrap();
    if let Some(runc) = find("runc") {
        fs::copy(&runc, tree.join("guest/runc")).unwrap();
        // runc starts itself again, so its loader has to be where it expects it.
        copy_libraries(&runc, |library| tree.join(library.strip_prefix("/").unwrap()));
    }
    let mut config = config(Path::new("/guest/rootfs"), "/detection", &USUAL);
    let kit = json!({ "destination": "/kit", "type": "bind", "source": "/kit", "options": ["bind", "ro"] });
    config["mounts"].as_array_mut().unwrap().push(kit);
    fs::write(tree.join("guest/config.json"), config.to_string()).unwrap();

    // The kernel unpacks one archive after the other.
    let mut bytes = pack(lab, &lab.root());
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes.extend(pack(lab, &tree));
    let archive = lab.path("initrd");
    fs::write(&archive, bytes).unwrap();
    archive
}

fn pack(lab: &Lab, tree: &Path) -> Vec<u8> {
    let archive = lab.path("archive");
    let script = "cd \"$2\" && \"$1\" find . | \"$1\" cpio -o -H newc >\"$3\"";
    let busybox = lab.kit().join("busybox");
    let packed = run::output(
        Command::new("sh")
            .args(["-c", script, "sh"])
            .args([&busybox, tree, &archive].map(AsRef::<Path>::as_ref)),
        LIMIT,
    )
    .unwrap();
    assert!(packed.status.success(), "{}", packed.complaint());
    fs::read(archive).unwrap()
}
