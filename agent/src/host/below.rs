//! Opens files below a directory as if that were `/`, so that no symbolic link leads out of it.
//!
//! openat2(2) does that (Linux 5.6). gVisor does not have it, and seccomp filters that do not know it refuse it: there
//! the links are followed one by one.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::Mode;

/// As many as Linux follows.
const MAX_LINKS: usize = 40;

/// Opens `path` below `jail`.
pub(super) fn open(jail: &OwnedFd, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT);
    match openat2(jail, path, how) {
        Err(Errno::ENOSYS | Errno::EPERM) => open_by_steps(jail, path, flags),
        opened => opened,
    }
}

/// The same by readlink(2). Whoever changes the tree meanwhile can only make it fail.
fn open_by_steps(jail: &OwnedFd, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    let mut ahead = parts(path);
    let mut behind = PathBuf::new();
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            behind.pop();
            continue;
        }
        let next = behind.join(part);
        if ahead.is_empty() && flags.contains(OFlag::O_NOFOLLOW) {
            behind = next;
            break;
        }
        match readlinkat(jail.as_fd(), &next) {
            Ok(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::ELOOP);
                }
                let target = PathBuf::from(target);
                if target.is_absolute() {
                    behind = PathBuf::new();
                }
                ahead.extend(parts(&target));
            }
            // It is no link.
            Err(Errno::EINVAL) => behind = next,
            Err(error) => return Err(error),
        }
    }
    if behind.as_os_str().is_empty() {
        behind.push(".");
    }
    openat(jail, &behind, flags | OFlag::O_NOFOLLOW, Mode::empty())
}

/// Parts of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder(path: &Path) -> OwnedFd {
        nix::fcntl::open(path, OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty()).unwrap()
    }

    /// Opens both ways, which must not differ.
    fn read(root: &Path, path: &str) -> Result<String, Errno> {
        let jail = folder(root);
        let [one, other] = [open, open_by_steps].map(|open| {
            open(&jail, Path::new(path), OFlag::O_RDONLY).map(|file| {
                let mut text = String::new();
                File::from(file).read_to_string(&mut text).unwrap();
                text
            })
        });
        assert_eq!(one, other, "{path}");
        other
    }

    #[test]
    fn links_are_followed_and_never_lead_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "inside").unwrap();
        fs::write(folder.path().join("file"), "outside").unwrap();
        symlink("/a/b", root.join("absolute")).unwrap();
        symlink("../../../a/b/file", root.join("a/climbs")).unwrap();
        symlink("../../file", root.join("a/out")).unwrap();
        symlink("round", root.join("round")).unwrap();
        assert_eq!(read(&root, "a/b/file").as_deref(), Ok("inside"));
        assert_eq!(read(&root, "absolute/file").as_deref(), Ok("inside"));
        assert_eq!(read(&root, "a/climbs").as_deref(), Ok("inside"));
        assert_eq!(read(&root, "a/../../../a/b/file").as_deref(), Ok("inside"));
        assert_eq!(read(&root, "a/out"), Err(Errno::ENOENT));
        assert_eq!(read(&root, "a/b/file/more"), Err(Errno::ENOTDIR));
        assert_eq!(read(&root, "round"), Err(Errno::ELOOP));
    }

    #[test]
    fn a_link_itself_can_be_opened() {
        let folder_of_link = tempfile::tempdir().unwrap();
        symlink("pid:[1]", folder_of_link.path().join("pid")).unwrap();
        let jail = folder(folder_of_link.path());
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
        let link = open_by_steps(&jail, Path::new("pid"), flags).unwrap();
        assert_eq!(readlinkat(link.as_fd(), "").unwrap(), "pid:[1]");
    }
}
