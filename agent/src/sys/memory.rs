//! Anonymous memory: the heap, and pages to fault in.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};

/// From how many bytes on a block of the heap is a mapping of its own, and given back as soon as it is freed.
#[cfg(target_env = "gnu")]
const OWN_MAPPING_BYTES: i32 = 32 << 10;

/// Keeps the heap small: one for all threads, and large blocks apart. The C library has one for each thread, and keeps
/// what was freed in each. To be called before there are threads.
#[cfg(target_env = "gnu")]
pub fn keep_heap_small() {
    use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, mallopt};
    for (setting, value) in [(M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, OWN_MAPPING_BYTES)] {
        // SAFETY: it sets how the allocator behaves from now on.
        let _is_set = unsafe { mallopt(setting, value) };
    }
}

/// Nothing: this C library has one heap.
#[cfg(not(target_env = "gnu"))]
pub const fn keep_heap_small() {}

/// Private anonymous memory in small pages, none of them present until touched.
#[derive(Debug)]
pub struct Pages {
    start: NonNull<c_void>,
    length: NonZeroUsize,
    page: usize,
}

impl Pages {
    /// Maps `count` pages.
    ///
    /// # Errors
    ///
    /// What the kernel said; `EINVAL` for no pages. Also if it refuses to keep huge pages out.
    pub fn map(count: usize) -> Result<Self, Errno> {
        let page = page_size();
        let length = NonZeroUsize::new(count * page).ok_or(Errno::EINVAL)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_PRIVATE)? };
        let pages = Self { start, length, page };
        // Without this a huge page may answer the first touch, and the other 511 cost nothing.
        match pages.advise(MmapAdvise::MADV_NOHUGEPAGE) {
            // Kernels without huge pages do not know the advice, and need none.
            Ok(()) | Err(Errno::EINVAL) => Ok(pages),
            Err(errno) => Err(errno),
        }
    }

    /// How many pages there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.length.get() / self.page
    }

    /// Writes to page `index`; the kernel provides the page if it is not there.
    #[inline]
    pub fn touch(&self, index: usize) {
        let offset = index * self.page;
        if offset < self.length.get() {
            // SAFETY: the offset lies within the mapping, as just checked.
            let address = unsafe { self.start.cast::<u8>().add(offset) };
            // SAFETY: the mapping is writable and nobody else has a reference into it.
            unsafe { address.write_volatile(1) };
        }
    }

    /// Gives all pages back; the next touch faults again.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn discard(&self) -> Result<(), Errno> {
        self.advise(MmapAdvise::MADV_DONTNEED)
    }

    fn advise(&self, advice: MmapAdvise) -> Result<(), Errno> {
        // SAFETY: the range is exactly this mapping, and no reference into it exists.
        unsafe { madvise(self.start, self.length.get(), advice) }
    }
}

/// One huge page's worth of private anonymous memory, aligned, for which a huge page is wanted.
#[derive(Debug)]
pub struct HugePage {
    start: NonNull<c_void>,
    length: NonZeroUsize,
    /// First byte that is aligned to a huge page.
    aligned: NonNull<u8>,
    bytes: usize,
}

impl HugePage {
    /// Maps twice `bytes`, so that one aligned stretch of `bytes` lies within.
    ///
    /// # Errors
    ///
    /// What the kernel said; `EINVAL` where it has no transparent huge pages.
    pub fn map(bytes: usize) -> Result<Self, Errno> {
        let length = NonZeroUsize::new(bytes.saturating_mul(2)).ok_or(Errno::EINVAL)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_PRIVATE)? };
        let offset = (bytes - start.as_ptr().addr() % bytes) % bytes;
        // SAFETY: the offset is below `bytes`, and the mapping is twice as long.
        let aligned = unsafe { start.cast::<u8>().add(offset) };
        let huge = Self { start, length, aligned, bytes };
        // SAFETY: the aligned stretch lies within this mapping, and no reference into it exists.
        unsafe { madvise(huge.aligned.cast(), bytes, MmapAdvise::MADV_HUGEPAGE)? };
        Ok(huge)
    }

    /// Writes to its first byte; the kernel provides a huge page, or a small one if it has none to give.
    #[inline]
    pub fn touch(&self) {
        // SAFETY: the mapping is writable and nobody else has a reference into it.
        unsafe { self.aligned.write_volatile(1) };
    }

    /// How many of its pages are there: all, if the first touch gave a huge page (mincore(2)).
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn present(&self) -> Result<usize, Errno> {
        let mut there = vec![0_u8; self.bytes / page_size()];
        // SAFETY: the range is within this mapping, and the vector has a byte for each of its pages.
        let result =
            unsafe { nix::libc::mincore(self.aligned.as_ptr().cast(), self.bytes, there.as_mut_ptr()) };
        Errno::result(result)?;
        Ok(there.iter().filter(|page| **page & 1 == 1).count())
    }

    /// How many pages it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.bytes / page_size()
    }
}

impl Drop for HugePage {
    fn drop(&mut self) {
        // SAFETY: the range is exactly this mapping, and it is not used after.
        let _fails_only_for_bad_ranges = unsafe { munmap(self.start, self.length.get()) };
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the range is exactly this mapping, and it is not used after.
        let _fails_only_for_bad_ranges = unsafe { munmap(self.start, self.length.get()) };
    }
}

/// Bytes in a page.
#[must_use]
pub fn page_size() -> usize {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|bytes| usize::try_from(bytes).ok())
        .unwrap_or(4096)
}
