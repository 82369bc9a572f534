//! A file system in memory whose flushes take as long as it is told.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyEmpty, ReplyEntry, ReplyWrite, Request,
    TimeOrNow, WriteFlags,
};

/// For how long the kernel may believe what it was told: not at all.
const TTL: Duration = Duration::ZERO;

/// The file system: one directory with files.
pub(crate) struct Slow {
    flush: Duration,
    files: Mutex<Files>,
}

#[derive(Default)]
struct Files {
    names: HashMap<OsString, u64>,
    /// Also those that have no name any more: whoever holds them open goes on.
    contents: HashMap<u64, Vec<u8>>,
    last: u64,
}

impl Slow {
    /// One in which `fsync` and `fdatasync` take so long.
    pub(crate) fn new(flush: Duration) -> Self {
        let files = Files { last: INodeNo::ROOT.0, ..Files::default() };
        Self { flush, files: Mutex::new(files) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Files) -> T) -> T {
        act(&mut self.files.lock().unwrap())
    }
}

impl Files {
    fn attributes(&self, inode: u64) -> Option<FileAttr> {
        let is_root = inode == INodeNo::ROOT.0;
        let size = if is_root { 0 } else { self.contents.get(&inode)?.len() as u64 };
        Some(FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_root { FileType::Directory } else { FileType::RegularFile },
            perm: if is_root { 0o777 } else { 0o600 },
            nlink: 1,
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }
}

impl Filesystem for Slow {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.with(|files| files.attributes(*files.names.get(name)?));
        match found {
            Some(attributes) => reply.entry(&TTL, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.with(|files| files.attributes(inode.0)) {
            Some(attributes) => reply.attr(&TTL, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let attributes = self.with(|files| {
            if let (Some(size), Some(content)) = (size, files.contents.get_mut(&inode.0)) {
                content.resize(usize::try_from(size).unwrap(), 0);
            }
            files.attributes(inode.0)
        });
        match attributes {
            Some(attributes) => reply.attr(&TTL, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn create(&self, _: &Request, _: INodeNo, name: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        let attributes = self.with(|files| {
            files.last += 1;
            files.names.insert(name.to_owned(), files.last);
            files.contents.insert(files.last, Vec::new());
            files.attributes(files.last).unwrap()
        });
        reply.created(&TTL, &attributes, Generation(0), FileHandle(0), FopenFlags::empty());
    }

    fn unlink(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        match self.with(|files| files.names.remove(name)) {
            Some(_) => reply.ok(),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.with(|files| match files.contents.get(&inode.0) {
            Some(content) => {
                let begin = usize::try_from(offset).unwrap().min(content.len());
                let end = (begin + size as usize).min(content.len());
                reply.data(content.get(begin..end).unwrap());
            }
            None => reply.error(Errno::ENOENT),
        });
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        self.with(|files| match files.contents.get_mut(&inode.0) {
            Some(content) => {
                let begin = usize::try_from(offset).unwrap();
                let end = begin + data.len();
                content.resize(content.len().max(end), 0);
                content.get_mut(begin..end).unwrap().copy_from_slice(data);
                reply.written(u32::try_from(data.len()).unwrap());
            }
            None => reply.error(Errno::ENOENT),
        });
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        std::thread::sleep(self.flush);
        reply.ok();
    }
}
