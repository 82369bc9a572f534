//! What the kernel unpacks before it runs anything: modules for the disk, a script, and what goes onto the disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// What the kernel needs to see the disk, each after what it depends on.
const MODULES: [&str; 6] =
    ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk"];

/// Something on the guest's disk.
#[derive(Debug, Clone)]
pub enum Content {
    /// A file.
    File(Vec<u8>),
    /// A file that can be run.
    Program(Vec<u8>),
    /// A link to this path.
    Link(String),
}

/// The kernel runs it first. It has no units, so that for systemd there was no initrd.
const INIT: &str = r#"#!/bin/busybox sh
busybox=/bin/busybox
$busybox mount -t devtmpfs dev /dev
for module in $($busybox cat /modules/order); do $busybox insmod /modules/$module; done
for try in 1 2 3 4 5 6 7 8 9; do
    $busybox mount -t ext4 /dev/vda /disk && break
    $busybox sleep 0.2
done
$busybox cp -a /onto/. /disk/
$busybox mount --move /dev /disk/dev
exec $busybox switch_root /disk /sbin/init
"#;

/// Takes commands: a line is a number and a command, the answer ends with the number and the exit status.
const SHELL: &str = r#"#!/bin/sh
exec </dev/ttyS1 >/dev/ttyS1 2>&1
stty raw -echo
echo "tierprobe-tests: the shell is up"
while read -r number command; do
    (eval "$command") </dev/null 2>&1
    echo "tierprobe-tests: end of $number $?"
done
"#;

/// Gets an address and path, as in `get 127.0.0.1/10990 /metrics`: a static program would want to resolve the address
/// with libraries that fit another distribution.
const GET: &str = r#"#!/bin/bash
exec 3<>"/dev/tcp/$1" || exit
printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3
IFS= read -r -t 30 status <&3
[[ "$status" == *" 200 "* ]] || { echo "$status"; exit 1; }
sed '1,/^\r$/d' <&3
"#;

const SHELL_UNIT: &str = "[Unit]\nDescription=Takes commands over a serial port\nDefaultDependencies=no\n\
    After=systemd-tmpfiles-setup-dev.service sysinit.target\n\
    [Service]\nExecStart=/usr/local/sbin/tierprobe-tests-shell\nStandardError=journal\n";

/// Writes the archive; `scratch` is where its tree is put together.
pub(super) fn write(
    archive: &Path,
    scratch: &Path,
    busybox: &Path,
    modules: &Path,
    files: &[(String, Content)],
) -> anyhow::Result<()> {
    let tree = scratch.join("tree");
    for folder in ["dev", "disk", "modules", "onto"] {
        fs::create_dir_all(tree.join(folder))?;
    }
    let busybox_bytes = fs::read(busybox).with_context(|| busybox.display().to_string())?;
    put(&tree, "bin/busybox", &Content::Program(busybox_bytes))?;
    put(&tree, "init", &Content::Program(INIT.into()))?;
    let mut order = String::new();
    for name in MODULES {
        let Some(file) = file_below(modules, &format!("{name}.ko")) else { continue };
        let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
        put(&tree, &format!("modules/{name}.ko"), &Content::File(bytes))?;
        order.push_str(&format!("{name}.ko\n"));
    }
    put(&tree, "modules/order", &Content::File(order.into_bytes()))?;
    let onto = tree.join("onto");
    let unit = "etc/systemd/system/tierprobe-tests-shell.service";
    put(&onto, unit, &Content::File(SHELL_UNIT.into()))?;
    put(
        &onto,
        "etc/systemd/system/sysinit.target.wants/tierprobe-tests-shell.service",
        &Content::Link(format!("/{unit}")),
    )?;
    put(&onto, "usr/local/sbin/tierprobe-tests-shell", &Content::Program(SHELL.into()))?;
    put(&onto, "usr/local/bin/get", &Content::Program(GET.into()))?;
    for (path, content) in files {
        put(&onto, path, content)?;
    }
    pack(busybox, &tree, archive)?;
    fs::remove_dir_all(tree)?;
    Ok(())
}

fn put(root: &Path, path: &str, content: &Content) -> anyhow::Result<()> {
    let target = root.join(path);
    let folder = target.parent().context("no folder")?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    match content {
        Content::Link(to) => symlink(to, &target)?,
        Content::File(bytes) => fs::write(&target, bytes)?,
        Content::Program(bytes) => {
            fs::write(&target, bytes)?;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

/// The archive's owner is whoever packs it, and root is who may boot guests.
fn pack(busybox: &Path, tree: &Path, archive: &Path) -> anyhow::Result<()> {
    let script = "cd \"$2\" && \"$1\" find . | \"$1\" cpio -o -H newc >\"$3\"";
    let packed = Command::new("sh").args(["-c", script, "sh"]).args([busybox, tree, archive]).output()?;
    ensure!(packed.status.success(), "cpio: {}", String::from_utf8_lossy(&packed.stderr));
    Ok(())
}

fn file_below(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(_) if entry.file_name() == *name => return Some(entry.path()),
                _ => {}
            }
        }
    }
    None
}
