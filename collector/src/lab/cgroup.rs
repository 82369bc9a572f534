//! Control groups: the kernel memory of an instance, and the folders that runtimes leave behind.
//!
//! Both versions of the interface, also side by side: cgroups(7), and in the kernel's documentation
//! `admin-guide/cgroup-v1/memory.rst` and `admin-guide/cgroup-v2.rst`.

use std::fs;
use std::path::{Path, PathBuf};

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchy {
    /// The part of the hierarchy that is mounted: `/`, unless we are in a container ourselves.
    root: PathBuf,
    /// Where it is mounted.
    mount_point: PathBuf,
    /// Whether it is version 2.
    is_unified: bool,
    /// Whether it is the version 1 hierarchy of the memory controller.
    is_memory: bool,
}

fn hierarchies() -> Vec<Hierarchy> {
    fs::read_to_string("/proc/self/mountinfo").map(|text| parse_mountinfo(&text)).unwrap_or_default()
}

fn parse_mountinfo(text: &str) -> Vec<Hierarchy> {
    let parse = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, mount_point) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let (kind, options) = (right.next()?, right.nth(1)?);
        matches!(kind, "cgroup" | "cgroup2").then(|| Hierarchy {
            root: root.into(),
            mount_point: mount_point.into(),
            is_unified: kind == "cgroup2",
            is_memory: kind == "cgroup" && options.split(',').any(|option| option == "memory"),
        })
    };
    text.lines().filter_map(parse).collect()
}

/// The folder of the memory control group that a process is in; `None` where that is our own group, because
/// then the instance has none.
#[must_use]
pub(crate) fn memory_folder(pid: i32) -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let theirs = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    hierarchies().into_iter().filter(|hierarchy| hierarchy.is_memory || hierarchy.is_unified).find_map(
        |hierarchy| {
            let path = path_in(&theirs, &hierarchy)?;
            if Some(path) == path_in(&own, &hierarchy) {
                return None;
            }
            let inside = Path::new(path).strip_prefix(&hierarchy.root).ok()?;
            let folder = hierarchy.mount_point.join(inside);
            kernel_file(&folder).is_some().then_some(folder)
        },
    )
}

/// The line of `/proc/PID/cgroup` for this hierarchy: `4:memory:/path`, or `0::/path` for version 2.
fn path_in<'a>(text: &'a str, hierarchy: &Hierarchy) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let is_it = if hierarchy.is_unified {
            controllers.is_empty()
        } else {
            controllers.split(',').any(|controller| controller == "memory")
        };
        is_it.then_some(path)
    })
}

/// Memory that the kernel holds for the group, in bytes: stacks, page tables, slab objects.
///
/// `None` where the kernel does not account it.
#[must_use]
pub(crate) fn kernel_bytes(folder: &Path) -> Option<u64> {
    kernel_file(folder)
}

fn kernel_file(folder: &Path) -> Option<u64> {
    if let Ok(text) = fs::read_to_string(folder.join("memory.kmem.usage_in_bytes")) {
        return text.trim().parse().ok();
    }
    // Since Linux 5.18; older kernels do not give the sum.
    let text = fs::read_to_string(folder.join("memory.stat")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("kernel "))?.trim().parse().ok()
}

/// Every control group folder, in any hierarchy, with `name` in its own name.
#[must_use]
pub(crate) fn folders_named(name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = hierarchies().into_iter().map(|hierarchy| hierarchy.mount_point).collect();
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            if entry.file_name().to_string_lossy().contains(name) {
                found.push(entry.path());
            }
            open.push(entry.path());
        }
    }
    found
}

/// Removes the control groups with `name` in their own name, with all below them, in every hierarchy.
///
/// # Errors
///
/// Names the first folder that could not be removed: something still runs in it.
pub(crate) fn remove_named(name: &str) -> anyhow::Result<()> {
    for folder in folders_named(name) {
        remove_tree(&folder)?;
    }
    Ok(())
}

/// Control groups cannot be unlinked file by file: folders only, deepest first.
fn remove_tree(folder: &Path) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_tree(&entry.path())?;
    }
    match fs::remove_dir(folder) {
        Err(error) if folder.exists() => {
            Err(anyhow::Error::new(error).context(format!("removing {}", folder.display())))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
25 20 0:22 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 25 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
32 25 0:29 /box /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw";

    #[test]
    fn both_versions_are_found_side_by_side() {
        let found = parse_mountinfo(MOUNTINFO);
        assert_eq!(found.len(), 2);
        assert!(found[0].is_memory && !found[0].is_unified);
        assert!(found[1].is_unified && found[1].root == Path::new("/box"));
    }

    #[test]
    fn each_hierarchy_has_its_own_line() {
        let found = parse_mountinfo(MOUNTINFO);
        let text = "4:memory:/lab/a\n3:cpuset:/\n0::/lab/b";
        assert_eq!(path_in(text, &found[0]), Some("/lab/a"));
        assert_eq!(path_in(text, &found[1]), Some("/lab/b"));
    }
}
