//! A control group that a test makes, and that is gone when it ends.

use std::fs;
use std::io::Result;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::Pid;

/// Which names the files of a controller have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy of its own.
    V1,
    /// The unified hierarchy.
    V2,
}

/// A group for one controller.
#[derive(Debug)]
pub struct Group {
    directory: PathBuf,
    /// Which names its files have.
    pub version: Version,
}

impl Group {
    /// Makes one for `controller`, below the root of its hierarchy, called after this process and `name`.
    ///
    /// # Errors
    ///
    /// What the system said: not everybody may.
    pub fn make(controller: &str, name: &str) -> Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let (parent, version) = if root.join(controller).join("cgroup.procs").exists() {
            (root.join(controller), Version::V1)
        } else {
            // What the root hands on is for whoever boots the machine to say; asking for more does no harm.
            let _is_said_already = fs::write(root.join("cgroup.subtree_control"), format!("+{controller}"));
            (root.to_owned(), Version::V2)
        };
        let directory = parent.join(format!("tierprobe-test-{}-{name}", std::process::id()));
        fs::create_dir(&directory)?;
        Ok(Self { directory, version })
    }

    /// Writes to one of its files.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn set(&self, file: &str, value: &str) -> Result<()> {
        fs::write(self.directory.join(file), value)
    }

    /// Puts what `command` will start into the group.
    #[expect(
        unsafe_code,
        reason = "there is no safe way to have a child join a group before it is the program"
    )]
    pub fn confine(&self, command: &mut Command) {
        let members = self.directory.join("cgroup.procs");
        // Allocated here: after a fork the child may not.
        let mut own = [0_u8; 16];
        // SAFETY: between fork and exec a file is opened and written to, without allocating.
        unsafe {
            command.pre_exec(move || {
                let length = digits(Pid::this().as_raw().unsigned_abs(), &mut own);
                fs::write(&members, own.get(..length).unwrap_or_default())
            })
        };
    }
}

/// Writes a number as text, and says how long it is.
fn digits(mut number: u32, text: &mut [u8]) -> usize {
    let mut length = 0;
    for place in text.iter_mut() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        length += 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(written) = text.get_mut(..length) {
        written.reverse();
    }
    length
}

impl Drop for Group {
    fn drop(&mut self) {
        // A process that has just ended is in it a moment longer.
        for _ in 0..50 {
            match fs::remove_dir(&self.directory) {
                Err(error) if error.raw_os_error() == Some(nix::libc::EBUSY) => {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 7, 10, 4_194_304] {
            let mut text = [0; 16];
            let length = digits(number, &mut text);
            assert_eq!(std::str::from_utf8(&text[..length]).unwrap(), number.to_string());
        }
    }
}
