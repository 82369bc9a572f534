//! The host's files: the only opener of kernel files.
//!
//! Every path is written as the host knows it (`/proc/self/cgroup`, `/sys/class/dmi/id/sys_vendor`,
//! `/.dockerenv`); [`HostFs`] maps it below the roots that the user gave. Under `--path.rootfs DIR` all three
//! roots lie below `DIR` and symbolic links are resolved as if `DIR` were `/`, so that nothing falls through to
//! the live host.

mod below;
mod trace;

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open, readlinkat};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{AccessFlags, faccessat};

pub use trace::{Found, Trace};

/// Room for a file before its size is known.
const USUAL_BYTES: usize = 4096;

/// Largest file that is read. `mountinfo` of a busy container host is some hundred KiB.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Largest number of names that a directory listing gives.
const MAX_DIR_ENTRIES: usize = 10_000;

/// Largest record of the kernel's log that `/dev/kmsg` gives, and how many are read at most.
const MAX_RECORD_BYTES: usize = 8 << 10;
const MAX_RECORDS: usize = 50_000;

/// Why a file of the host gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no such file: often an answer in itself.
    #[error("not found")]
    NotFound,
    /// The kernel refused.
    #[error("{}", reason(*.0))]
    Refused(Errno),
    /// The file is larger than any kernel file has reason to be.
    #[error("larger than {} MiB", MAX_FILE_BYTES >> 20)]
    TooLarge,
}

/// The kernel's words for an error, in lower case as in `ls: permission denied`.
fn reason(errno: Errno) -> String {
    errno.desc().to_lowercase()
}

impl From<Errno> for ReadError {
    fn from(errno: Errno) -> Self {
        // ENOTDIR: a parent of the path is a file, so the path does not exist either.
        if matches!(errno, Errno::ENOENT | Errno::ENOTDIR) { Self::NotFound } else { Self::Refused(errno) }
    }
}

/// Where the host's files are.
#[derive(Debug, Clone)]
pub struct HostFs {
    /// Root of everything that is neither proc nor sysfs.
    root: PathBuf,
    procfs: PathBuf,
    sysfs: PathBuf,
    /// Directory that no path may leave; `None` on the live host.
    jail: Option<PathBuf>,
    /// Where to note what is read.
    trace: Option<Arc<Trace>>,
}

impl HostFs {
    /// The host that the agent runs on, unless paths say otherwise.
    ///
    /// With `rootfs`, `procfs` and `sysfs` default to directories below it, and no symbolic link leads out of it.
    #[must_use]
    pub fn new(rootfs: Option<&Path>, procfs: Option<&Path>, sysfs: Option<&Path>) -> Self {
        let root = rootfs.unwrap_or_else(|| Path::new("/"));
        Self {
            root: root.to_owned(),
            procfs: procfs.map_or_else(|| root.join("proc"), Path::to_owned),
            sysfs: sysfs.map_or_else(|| root.join("sys"), Path::to_owned),
            jail: rootfs.map(Path::to_owned),
            trace: None,
        }
    }

    /// The same files, and a note of whatever is read of them, but for the kernel's log.
    #[must_use]
    pub fn traced(&self) -> (Self, Arc<Trace>) {
        let trace = Arc::new(Trace::default());
        (Self { trace: Some(Arc::clone(&trace)), ..self.clone() }, trace)
    }

    /// The live host.
    #[must_use]
    pub fn live() -> Self {
        Self::new(None, None, None)
    }

    /// The tree below `root`, and nothing else.
    #[must_use]
    pub fn fixture(root: &Path) -> Self {
        Self::new(Some(root), None, None)
    }

    /// Whether these are the files of the kernel that answers the agent's own system calls.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.jail.is_none()
    }

    /// The whole file.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: missing, refused, or larger than 4 MiB.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.noted(path, self.read_bytes(path), |bytes| Found::File(bytes.clone()))
    }

    fn read_bytes(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        // O_NONBLOCK: a FIFO or device where a file should be must not hang the agent.
        let file = File::from(self.open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?);
        // Files of the kernel tell no size: nearly all are smaller, and take one reading then and not ten.
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| ReadError::Refused(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_FILE_BYTES) {
            Ok(bytes)
        } else {
            Err(ReadError::TooLarge)
        }
    }

    /// The whole file as text; bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    ///
    /// As [`HostFs::bytes`].
    pub fn text(&self, path: &str) -> Result<String, ReadError> {
        let bytes = self.bytes(path)?;
        Ok(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// Where a symbolic link points.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: missing, refused, or not a link.
    pub fn link(&self, path: &str) -> Result<String, ReadError> {
        let read = || {
            let at_link = self.open(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)?;
            Ok(readlinkat(at_link.as_fd(), "")?.to_string_lossy().into_owned())
        };
        self.noted(path, read(), |target| Found::Link(target.clone()))
    }

    /// Whether the path exists.
    ///
    /// # Errors
    ///
    /// [`ReadError::Refused`] where the kernel does not tell.
    pub fn exists(&self, path: &str) -> Result<bool, ReadError> {
        let opened = self.noted(path, self.open(path, OFlag::O_PATH), |there| {
            let kind = fstat(there).map_or(0, |stat| stat.st_mode & SFlag::S_IFMT.bits());
            Found::Exists { is_directory: kind == SFlag::S_IFDIR.bits() }
        });
        match opened {
            Ok(_) => Ok(true),
            Err(ReadError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the agent may write to the path, by faccessat2(2) (Linux 5.8): nothing is opened for writing. `None` in
    /// a tree of files, whose owner and mount say nothing about the host that it stands for.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: missing, or the kernel does not tell.
    pub fn is_writable(&self, path: &str) -> Result<Option<bool>, ReadError> {
        if !self.is_live() {
            return Ok(None);
        }
        // The effective ids count, as they would for open(2) and connect(2).
        match faccessat(AT_FDCWD, &self.real_path(path), AccessFlags::W_OK, AtFlags::AT_EACCESS) {
            Ok(()) => Ok(Some(true)),
            Err(Errno::EACCES | Errno::EROFS) => Ok(Some(false)),
            Err(error) => Err(error.into()),
        }
    }

    /// The sorted names in a directory, at most ten thousand, without `.` and `..`.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: missing, refused, or not a directory.
    pub fn names(&self, path: &str) -> Result<Vec<String>, ReadError> {
        self.noted(path, self.read_names(path), |names| Found::Names(names.clone()))
    }

    fn read_names(&self, path: &str) -> Result<Vec<String>, ReadError> {
        let directory = self.open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::from_fd(directory)? {
            // Whoever is refused once is refused again, without an end.
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
            if names.len() >= MAX_DIR_ENTRIES {
                break;
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// A connection to the server behind a socket, at once or not at all. A tree of files has no servers.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: missing, refused, nobody listens, or too many are waiting.
    pub fn connect(&self, path: &str) -> Result<UnixStream, ReadError> {
        if !self.is_live() {
            return Err(ReadError::NotFound);
        }
        // Without O_NONBLOCK a server that accepts nobody would hang the agent.
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let client = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(client.as_raw_fd(), &UnixAddr::new(&self.real_path(path))?)?;
        let stream = UnixStream::from(client);
        let blocking = stream.set_nonblocking(false);
        blocking
            .map_err(|error| ReadError::Refused(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)))?;
        Ok(stream)
    }

    /// The kernel's log as far as it still has it, one record a line.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: no such device, or not allowed to read it.
    pub fn kernel_log(&self) -> Result<String, ReadError> {
        let device = self.open("/dev/kmsg", OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
        let mut log = String::new();
        let mut record = vec![0; MAX_RECORD_BYTES];
        for _ in 0..MAX_RECORDS {
            match nix::unistd::read(&device, &mut record) {
                Ok(0) | Err(Errno::EAGAIN) => break,
                Ok(length) => {
                    log.push_str(&String::from_utf8_lossy(record.get(..length).unwrap_or_default()))
                }
                // A record was overwritten before it was read; the next read goes on behind it.
                Err(Errno::EPIPE) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(log)
    }

    fn noted<T>(
        &self,
        path: &str,
        read: Result<T, ReadError>,
        found: impl FnOnce(&T) -> Found,
    ) -> Result<T, ReadError> {
        if let Some(trace) = &self.trace {
            trace.note(path, Found::of(&read, found));
        }
        read
    }

    fn open(&self, path: &str, flags: OFlag) -> Result<OwnedFd, ReadError> {
        let flags = flags | OFlag::O_CLOEXEC;
        let real = self.real_path(path);
        let Some((jail, path)) =
            self.jail.as_ref().and_then(|jail| Some((jail, real.strip_prefix(jail).ok()?)))
        else {
            return Ok(open(&real, flags, Mode::empty())?);
        };
        let jail = open(jail, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(below::open(&jail, path, flags)?)
    }

    fn real_path(&self, path: &str) -> PathBuf {
        let below =
            |prefix: &str| path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let (base, rest) = match (below("/proc"), below("/sys")) {
            (Some(rest), _) => (&self.procfs, rest),
            (None, Some(rest)) => (&self.sysfs, rest),
            (None, None) => (&self.root, path),
        };
        base.join(rest.trim_start_matches('/'))
    }
}

/// Files in a folder of their own, and the host that they are.
#[cfg(test)]
pub(crate) fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, HostFs) {
    let tree = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let fs = HostFs::fixture(tree.path());
    (tree, fs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixture_never_falls_through_to_the_live_host() {
        let fixture = tempfile::tempdir().unwrap();
        let host = HostFs::fixture(fixture.path());
        assert_eq!(host.text("/proc/self/cgroup"), Err(ReadError::NotFound));

        std::fs::create_dir_all(fixture.path().join("proc")).unwrap();
        std::os::unix::fs::symlink("/proc/version", fixture.path().join("proc/leak")).unwrap();
        std::os::unix::fs::symlink("../../../../proc/version", fixture.path().join("proc/climb")).unwrap();
        assert_eq!(host.text("/proc/leak"), Err(ReadError::NotFound));
        assert_eq!(host.text("/proc/climb"), Err(ReadError::NotFound));
    }

    #[test]
    fn a_tree_says_nothing_of_who_may_write_and_the_live_host_does() {
        let fixture = tempfile::tempdir().unwrap();
        let file = fixture.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(HostFs::fixture(fixture.path()).is_writable("/file"), Ok(None));
        assert_eq!(HostFs::live().is_writable(file.to_str().unwrap()), Ok(Some(true)));
        assert_eq!(HostFs::live().is_writable("/no/such/file"), Err(ReadError::NotFound));
    }

    #[test]
    fn a_server_is_reached_on_the_live_host_alone_and_never_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let server = std::os::unix::net::UnixListener::bind(&path).unwrap();
        nix::sys::socket::listen(&server, nix::sys::socket::Backlog::new(1).unwrap()).unwrap();
        let path = path.to_str().unwrap();
        assert!(matches!(HostFs::fixture(Path::new("/")).connect(path), Err(ReadError::NotFound)));
        // Nobody accepts: the queue fills, and then there is an answer all the same.
        let waiting: Vec<_> = (0..8).map(|_| HostFs::live().connect(path)).collect();
        assert!(waiting[0].is_ok());
        assert!(matches!(waiting[7], Err(ReadError::Refused(Errno::EAGAIN))), "{waiting:?}");
        assert!(matches!(HostFs::live().connect("/no/such/socket"), Err(ReadError::NotFound)));
    }

    #[test]
    fn links_are_read_without_being_followed() {
        let fixture = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(fixture.path().join("proc/self/ns")).unwrap();
        std::os::unix::fs::symlink("pid:[4026531836]", fixture.path().join("proc/self/ns/pid")).unwrap();
        let host = HostFs::fixture(fixture.path());
        assert_eq!(host.link("/proc/self/ns/pid").as_deref(), Ok("pid:[4026531836]"));
    }

    #[test]
    fn what_is_no_file_is_refused_without_hanging() {
        let fixture = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(fixture.path().join("proc/version")).unwrap();
        std::fs::write(fixture.path().join("huge"), vec![b'x'; 5 << 20]).unwrap();
        nix::unistd::mkfifo(&fixture.path().join("fifo"), Mode::S_IRUSR).unwrap();
        let host = HostFs::fixture(fixture.path());
        assert_eq!(host.text("/proc/version"), Err(ReadError::Refused(Errno::EISDIR)));
        assert_eq!(host.text("/huge"), Err(ReadError::TooLarge));
        assert_eq!(host.text("/fifo").as_deref(), Ok(""));
    }
}
