//! `lat_pagefault`, on anonymous memory: pages of a new mapping, touched in an order that nobody foresees.
//!
//! Mapping and unmapping stay outside of the interval; lmbench times them apart and subtracts them. A pass is timed in
//! intervals as short as those of all references: a third of a millisecond on end has interruptions in it.
#![expect(unsafe_code, reason = "a mapping that is only touched has no safe form")]

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};

/// As many as the agent maps, so that both find the same number of page tables and the same caches.
const PAGES: usize = 256;
const PAGE: usize = 4096;

/// Pages of an interval: some 20 µs.
const INTERVAL: usize = 16;

/// Passes, and the pause before each: the agent faults after a pause, when the caches hold what others did meanwhile.
const PASSES: usize = 41;
const PAUSE: Duration = Duration::from_millis(20);

/// Of which touch of a page the time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touch {
    /// The first one.
    First,
    /// The first one, after other memory was written to.
    FirstAfterOthers,
    /// The first one after the page was given back, its page table still there.
    Again,
}

/// The other memory: as much as the agent's huge page, which it clears in each round.
const OTHERS: usize = 2 << 20;

pub(super) fn anonymous(touch: Touch) -> anyhow::Result<f64> {
    // 97 has no divisor in common with the number of pages: each comes once.
    let order: Vec<usize> = (0..PAGES).map(|page| page * 97 % PAGES * PAGE).collect();
    let length = NonZeroUsize::new(PAGES * PAGE).context("no pages")?;
    let mut seconds = Vec::with_capacity(PASSES * PAGES / INTERVAL);
    let mut others = vec![0_u8; if touch == Touch::FirstAfterOthers { OTHERS } else { 0 }];
    for pass in 0..PASSES {
        std::hint::black_box(&mut others).fill(u8::try_from(pass)?);
        std::thread::sleep(PAUSE);
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_PRIVATE)? };
        // SAFETY: the range is the mapping just made, and no reference into it exists.
        unsafe { madvise(start, length.get(), MmapAdvise::MADV_NOHUGEPAGE)? };
        if touch == Touch::Again {
            order.iter().for_each(|offset| touch_page(start, *offset));
            // SAFETY: the range is the mapping, and nothing in it is read again.
            unsafe { madvise(start, length.get(), MmapAdvise::MADV_DONTNEED)? };
        }
        for offsets in order.chunks(INTERVAL) {
            let begin = Instant::now();
            offsets.iter().for_each(|offset| touch_page(start, *offset));
            seconds.push(begin.elapsed().as_secs_f64() / f64::from(u32::try_from(offsets.len())?));
        }
        // SAFETY: the range is the mapping, which is not used after.
        unsafe { munmap(start, length.get())? };
    }
    Ok(super::median(seconds))
}

/// Writes to a page of the mapping that begins at `start`.
#[inline]
fn touch_page(start: NonNull<c_void>, offset: usize) {
    // SAFETY: every offset lies within the mapping.
    let address = unsafe { start.cast::<u8>().add(offset) };
    // SAFETY: the mapping is writable, and nobody else knows of it.
    unsafe { address.write_volatile(1) };
}
