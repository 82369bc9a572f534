//! The files that are opened and closed: one on the root's file system, one on a tmpfs.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, lstat, stat};
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use super::Found;
use crate::host::HostFs;
use crate::sys::raw;

/// Directories of the root's file system that have regular files nearly everywhere.
const ROOT_DIRECTORIES: [&str; 4] = ["/", "/etc", "/usr/bin", "/bin"];

/// Entries of such a directory that are looked at.
const MOST_ENTRIES: usize = 64;

/// Directories that are a tmpfs nearly everywhere, after the one that systemd gives the unit.
const TMPFS_DIRECTORIES: [&str; 3] = ["/dev/shm", "/run", "/tmp"];

/// A file by the directory that it is opened relative to, and its name in it.
#[derive(Debug)]
pub(super) struct Entry {
    directory: OwnedFd,
    name: CString,
    /// Whether it was made to be opened, and goes with this.
    is_made: bool,
}

impl Entry {
    /// The file at `path`, if it can be opened.
    fn at(path: &Path) -> Found<Self> {
        let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(failed(&"not a file"));
        };
        let name = CString::new(name.as_bytes()).map_err(|error| failed(&error))?;
        let directory = directory(parent).map_err(|errno| failed(&errno))?;
        let entry = Self { directory, name, is_made: false };
        entry.open_close().map_err(|errno| failed(&errno))?;
        Ok(entry)
    }

    /// Opens and closes it.
    pub(super) fn open_close(&self) -> Result<(), Errno> {
        raw::open_close(self.directory.as_fd(), &self.name)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.is_made {
            let _gone_or_not = unlinkat(&self.directory, self.name.as_c_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

fn directory(path: &Path) -> Result<OwnedFd, Errno> {
    open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

/// A regular file on the file system that `/` is on: the agent's own, or whichever is found first where that one was
/// mounted from elsewhere.
pub(super) fn on_root() -> Found<Entry> {
    let device = stat("/").map_err(|errno| format!("/: {errno}"))?.st_dev;
    let mounts = HostFs::live().text("/proc/self/mountinfo").unwrap_or_default();
    // A file that is a mount point itself lies elsewhere, and so does what is in a directory of another device. That of
    // the file tells nothing: overlayfs has it from the layer.
    let is_mount = |path: &Path| {
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
        points.map(Path::new).any(|point| point == path)
    };
    let is_on_root = |path: &PathBuf| {
        let parent = path.parent().and_then(|parent| stat(parent).ok());
        parent.is_some_and(|parent| parent.st_dev == device) && !is_mount(path)
    };
    let own = std::env::current_exe().ok().into_iter();
    let others = ROOT_DIRECTORIES.into_iter().flat_map(regular_files);
    let found = own.chain(others).filter(is_on_root).find_map(|path| Entry::at(&path).ok());
    found.ok_or_else(|| "no readable file is known on the file system of /".to_owned())
}

/// The first regular files in a directory, links not followed.
fn regular_files(directory: &'static str) -> impl Iterator<Item = PathBuf> {
    let names = HostFs::live().names(directory).unwrap_or_default();
    let paths = names.into_iter().take(MOST_ENTRIES).map(move |name| Path::new(directory).join(name));
    paths.filter(|path| lstat(path).is_ok_and(|stat| is_regular(&stat)))
}

fn is_regular(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG
}

/// A regular file on a tmpfs, made for it. `None` where no tmpfs is at hand that can be written to.
pub(super) fn on_tmpfs() -> Found<Option<Entry>> {
    let given = std::env::var_os("RUNTIME_DIRECTORY");
    let given = given.as_ref().and_then(|folders| std::env::split_paths(folders).next());
    let mut refused = None;
    for path in given.into_iter().chain(TMPFS_DIRECTORIES.map(PathBuf::from)) {
        let Ok(directory) = directory(&path) else { continue };
        let kind = fstatfs(&directory).map_err(|errno| format!("{}: statfs: {errno}", path.display()))?;
        if kind.filesystem_type() != TMPFS_MAGIC {
            continue;
        }
        match make(directory) {
            Ok(entry) => return Ok(Some(entry)),
            Err(errno) => {
                refused.get_or_insert_with(|| format!("a file in {}: {errno}", path.display()));
            }
        }
    }
    refused.map_or(Ok(None), Err)
}

/// Makes an empty file that is the agent's own, or takes the one that an agent before left behind.
fn make(directory: OwnedFd) -> Result<Entry, Errno> {
    let user = geteuid();
    let name = CString::new(format!("tierprobe-agent.{user}")).map_err(|_| Errno::EINVAL)?;
    let flags = OFlag::O_RDONLY | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = openat(&directory, name.as_c_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let found = fstat(&file)?;
    // Anybody may have put something there by this name.
    if !is_regular(&found) || found.st_uid != user.as_raw() {
        return Err(Errno::EEXIST);
    }
    Ok(Entry { directory, name, is_made: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_on_the_root_is_a_regular_one_there() {
        let entry = on_root().unwrap();
        entry.open_close().unwrap();
        let there = fstat(&entry.directory).unwrap().st_dev;
        assert_eq!(there, stat("/").unwrap().st_dev);
    }

    #[test]
    fn a_file_that_was_made_goes_again_and_nothing_of_others_is_taken() {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let here = || directory(folder.path()).unwrap();
        let count = || HostFs::live().names(folder.path().to_str().unwrap()).unwrap().len();
        let made = make(here()).unwrap();
        made.open_close().unwrap();
        assert_eq!(count(), 1);
        drop(made);
        assert_eq!(count(), 0);

        let name = folder.path().join(format!("tierprobe-agent.{}", geteuid()));
        std::os::unix::fs::symlink("/etc/passwd", &name).unwrap();
        assert_eq!(make(here()).unwrap_err(), Errno::ELOOP);
        std::fs::remove_file(&name).unwrap();
        std::fs::create_dir(&name).unwrap();
        assert!(make(here()).is_err());
        assert!(name.is_dir());
    }
}
