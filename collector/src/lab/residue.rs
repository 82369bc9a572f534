//! Finds what a run left behind: the machine before it against the machine after it.
//!
//! A clean-up that nobody checks rots. Other programs make and remove things during a run, too, so only what
//! carries the run's name is an error; the rest is told, as it may still come from a runtime that worked for us.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::cgroup;
use super::process_table;

/// Folders where runtimes keep state beside the lab's own folder.
const STATE_FOLDERS: [&str; 7] = [
    "/run/runc",
    "/run/docker/netns",
    "/run/netns",
    "/etc/docker",
    "/var/lib/docker",
    "/opt/containerd",
    "/opt",
];

/// What can be left behind, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    things: BTreeSet<String>,
}

/// What is there that was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Residue {
    /// Things that carry the run's name.
    pub(crate) ours: Vec<String>,
    /// Things that do not.
    pub(crate) others: Vec<String>,
}

impl Snapshot {
    /// This moment's mounts, network links, control groups and runtime state.
    #[must_use]
    pub(crate) fn take() -> Self {
        let mut things = BTreeSet::new();
        for line in fs::read_to_string("/proc/self/mounts").unwrap_or_default().lines() {
            let words: Vec<&str> = line.split(' ').take(3).collect();
            things.insert(format!("mount {}", words.join(" ")));
        }
        if let Ok(links) = nix::net::if_::if_nameindex() {
            things.extend(links.iter().map(|link| format!("network link {}", link.name().to_string_lossy())));
        }
        // An empty text is part of every name: all control groups.
        things.extend(
            cgroup::folders_named("").iter().map(|group| format!("control group {}", group.display())),
        );
        for folder in STATE_FOLDERS {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            things.extend(entries.flatten().map(|entry| format!("file {}", entry.path().display())));
        }
        Self { things }
    }

    /// What this snapshot does not have, but the machine now has, after the run with this name and folder.
    #[must_use]
    pub(crate) fn residue(&self, run: &str, folder: &Path) -> Residue {
        let now = Self::take();
        let mut residue = now.beyond(self, run);
        if folder.exists() {
            residue.ours.push(format!("folder {}", folder.display()));
        }
        let own = nix::unistd::getpid().as_raw();
        for pid in process_table::marked(run).into_iter().filter(|pid| *pid != own) {
            residue.ours.push(format!("process {pid} ({})", process_table::name(pid)));
        }
        residue
    }

    fn beyond(&self, before: &Self, run: &str) -> Residue {
        let new = self.things.difference(&before.things).cloned();
        let (ours, others) = new.partition(|thing| thing.contains(run));
        Residue { ours, others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_the_runs_name_is_ours() {
        let snapshot =
            |things: &[&str]| Snapshot { things: things.iter().map(|thing| (*thing).to_owned()).collect() };
        let before = snapshot(&["mount / ext4"]);
        let after = snapshot(&["mount / ext4", "mount /tmp/tierprobe-lab-1/x", "network link tap0"]);
        let residue = after.beyond(&before, "tierprobe-lab-1");
        assert_eq!(residue.ours, ["mount /tmp/tierprobe-lab-1/x"]);
        assert_eq!(residue.others, ["network link tap0"]);
    }

    #[test]
    fn a_machine_at_rest_differs_in_nothing_of_ours() {
        let before = Snapshot::take();
        let residue = before.residue("tierprobe-lab-none", Path::new("/nonexistent"));
        assert_eq!(residue.ours, Vec::<String>::new());
    }
}
