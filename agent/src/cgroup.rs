//! Where the agent's own control group keeps its files.
//!
//! `/proc/self/cgroup` gives the path within each hierarchy; hierarchies are mounted below `/sys/fs/cgroup`. In a
//! container with a private cgroup namespace the path is `/` and the mount begins at the container's own group; with
//! a shared one the path may lie outside of what is mounted, and the mount's own directory is the best there is.

use crate::host::{HostFs, ReadError};

/// Which hierarchy a controller is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy of its own.
    V1,
    /// The unified hierarchy.
    V2,
}

/// The directory of the agent's group in one controller's hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    /// Its path, as the host knows it.
    pub directory: String,
    /// Which names its files have.
    pub version: Version,
}

impl Cgroup {
    /// The agent's group for `controller` (`memory`, `cpu`); `None` where no hierarchy has it.
    #[must_use]
    pub fn of(fs: &HostFs, controller: &str) -> Option<Self> {
        Self::listed(fs, &fs.text("/proc/self/cgroup").ok()?, controller)
    }

    /// The group for `controller` in the text of a `/proc/PID/cgroup`.
    #[must_use]
    pub fn listed(fs: &HostFs, text: &str, controller: &str) -> Option<Self> {
        let mut lines = text.lines().filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            rest.split_once(':')
        });
        let v1 = lines.clone().find(|(controllers, _)| controllers.split(',').any(|one| one == controller));
        if let Some((controllers, path)) = v1 {
            // The mount is named for the controllers as listed, and each of them is a link to it.
            let mounts = [controllers, controller].map(|name| format!("/sys/fs/cgroup/{name}"));
            return mounts.iter().find_map(|mount| Self::below(fs, mount, path, Version::V1));
        }
        let (_, path) = lines.find(|(controllers, _)| controllers.is_empty())?;
        // Beside hierarchies of version 1 the unified one has a folder of its own.
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
        let cgroup = mounts.iter().find_map(|mount| Self::below(fs, mount, path, Version::V2))?;
        let controllers = fs.text(&format!("{}/cgroup.controllers", cgroup.directory)).ok()?;
        controllers.split_ascii_whitespace().any(|one| one == controller).then_some(cgroup)
    }

    fn below(fs: &HostFs, mount: &str, path: &str, version: Version) -> Option<Self> {
        [format!("{mount}{}", path.trim_end_matches('/')), mount.to_owned()]
            .into_iter()
            // `cgroup.procs` is in every group of both versions, and in nothing else.
            .find(|directory| fs.exists(&format!("{directory}/cgroup.procs")).is_ok_and(|exists| exists))
            .map(|directory| Self { directory, version })
    }

    /// The group and those around it, from it outwards, as far as they are visible.
    pub fn with_ancestors(&self) -> impl Iterator<Item = Self> {
        let version = self.version;
        let parent = |directory: &String| {
            let (parent, _) = directory.rsplit_once('/')?;
            parent.starts_with("/sys/fs/cgroup").then(|| parent.to_owned())
        };
        std::iter::successors(Some(self.directory.clone()), parent)
            .map(move |directory| Self { directory, version })
    }

    /// A number in one of the group's files; `None` if the file is missing or says `max`.
    ///
    /// # Errors
    ///
    /// The file's path and what is wrong with it.
    pub fn number(&self, fs: &HostFs, file: &str) -> Result<Option<u64>, String> {
        let path = format!("{}/{file}", self.directory);
        match fs.text(&path) {
            Ok(text) if text.trim() == "max" => Ok(None),
            Ok(text) => match text.trim().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(format!(
                    "{path}: {:?} is no number",
                    text.trim().chars().take(40).collect::<String>()
                )),
            },
            Err(ReadError::NotFound) => Ok(None),
            Err(error) => Err(format!("{path}: {error}")),
        }
    }

    /// The value behind `key` in a file of `key value` lines, such as `cpu.stat`.
    #[must_use]
    pub fn keyed(&self, fs: &HostFs, file: &str, key: &str) -> Option<u64> {
        let text = fs.text(&format!("{}/{file}", self.directory)).ok()?;
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(name, _)| *name == key)?
            .1
            .trim()
            .parse()
            .ok()
    }

    /// The same summed over the group and those around it, as any of them may hold its tasks; `None` where none has it.
    #[must_use]
    pub fn keyed_around(&self, fs: &HostFs, file: &str, key: &str) -> Option<u64> {
        self.with_ancestors().filter_map(|group| group.keyed(fs, file, key)).reduce(u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tree;

    #[test]
    fn a_unified_hierarchy_without_the_controller_has_no_group_for_it() {
        let (_tree, fs) = tree(&[
            ("proc/self/cgroup", "0::/a.slice\n"),
            ("sys/fs/cgroup/a.slice/cgroup.procs", ""),
            ("sys/fs/cgroup/a.slice/cgroup.controllers", "cpu memory\n"),
        ]);
        let memory = Cgroup::of(&fs, "memory").unwrap();
        assert_eq!((memory.directory.as_str(), memory.version), ("/sys/fs/cgroup/a.slice", Version::V2));
        assert_eq!(Cgroup::of(&fs, "io"), None);
    }

    #[test]
    fn a_quota_around_the_group_holds_its_tasks_too() {
        let (_tree, fs) = tree(&[
            ("proc/self/cgroup", "0::/a.slice/b.service\n"),
            ("sys/fs/cgroup/a.slice/b.service/cgroup.procs", ""),
            ("sys/fs/cgroup/a.slice/b.service/cgroup.controllers", "cpu\n"),
            ("sys/fs/cgroup/a.slice/b.service/cpu.stat", "usage_usec 5\nnr_throttled 0\n"),
            ("sys/fs/cgroup/a.slice/cpu.stat", "usage_usec 5\nnr_throttled 7\n"),
            ("sys/fs/cgroup/cpu.stat", "usage_usec 5\n"),
        ]);
        let group = Cgroup::of(&fs, "cpu").unwrap();
        assert_eq!(group.keyed(&fs, "cpu.stat", "nr_throttled"), Some(0));
        assert_eq!(group.keyed_around(&fs, "cpu.stat", "nr_throttled"), Some(7));
        assert_eq!(group.keyed_around(&fs, "cpu.stat", "nr_bursts"), None);
    }

    #[test]
    fn a_path_outside_of_the_mount_falls_back_to_the_mount() {
        let (_tree, fs) = tree(&[
            ("proc/self/cgroup", "4:memory:/docker/3039\n0::/\n"),
            ("sys/fs/cgroup/memory/cgroup.procs", ""),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "garbage"),
        ]);
        let memory = Cgroup::of(&fs, "memory").unwrap();
        assert_eq!((memory.directory.as_str(), memory.version), ("/sys/fs/cgroup/memory", Version::V1));
        let error = memory.number(&fs, "memory.limit_in_bytes").unwrap_err();
        assert!(error.contains("/sys/fs/cgroup/memory/memory.limit_in_bytes"), "{error}");
        assert_eq!(memory.number(&fs, "memory.usage_in_bytes"), Ok(None));
    }
}
