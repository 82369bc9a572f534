//! A file system whose server does not answer, as a hard mount of NFS whose server is gone.

use std::ffi::OsStr;
use std::sync::{Arc, Condvar, Mutex};

use fuser::{Errno, FileHandle, Filesystem, INodeNo, ReplyAttr, ReplyEntry, ReplyStatfs, Request};

/// Until this goes, nothing is answered.
#[derive(Clone, Default)]
pub(crate) struct Silence(Arc<(Mutex<bool>, Condvar)>);

impl Silence {
    fn wait(&self) {
        let (is_over, changed) = &*self.0;
        drop(changed.wait_while(is_over.lock().unwrap(), |is_over| !*is_over).unwrap());
    }

    /// Lets everybody go who waits.
    pub(crate) fn end(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// The file system.
pub(crate) struct Hung(pub(crate) Silence);

impl Filesystem for Hung {
    fn lookup(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        self.0.wait();
        reply.error(Errno::EIO);
    }

    fn getattr(&self, _: &Request, _: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.0.wait();
        reply.error(Errno::EIO);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        self.0.wait();
        reply.error(Errno::EIO);
    }
}
