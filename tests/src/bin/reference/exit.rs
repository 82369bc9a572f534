//! `cpuid` in a loop, counted by the processor's own clock, as the unit tests of KVM do (`vmexit.flat cpuid`).
#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "RDTSC has no safe form"))]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__cpuid, _rdtsc};
#[cfg(target_arch = "x86_64")]
use std::time::{Duration, Instant};

/// Instructions in an interval: as many as make some hundred microseconds under a hypervisor.
#[cfg(target_arch = "x86_64")]
const INSTRUCTIONS: u32 = 50;

#[cfg(target_arch = "x86_64")]
fn ticks() -> u64 {
    // SAFETY: RDTSC is there on every x86-64 processor, and touches nothing but registers.
    unsafe { _rdtsc() }
}

#[cfg(target_arch = "x86_64")]
pub(super) fn cpuid() -> anyhow::Result<f64> {
    // The frequency, by the system's clock.
    let (start, first) = (Instant::now(), ticks());
    while start.elapsed() < Duration::from_millis(50) {
        std::hint::spin_loop();
    }
    let ticks_per_second = real(ticks() - first) / start.elapsed().as_secs_f64();
    let seconds = (0..super::TRIES)
        .map(|_| {
            let first = ticks();
            for _ in 0..INSTRUCTIONS {
                std::hint::black_box(__cpuid(0));
            }
            real(ticks() - first) / ticks_per_second / f64::from(INSTRUCTIONS)
        })
        .collect();
    Ok(super::median(seconds))
}

#[cfg(target_arch = "x86_64")]
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 ticks, which are a month")]
const fn real(ticks: u64) -> f64 {
    ticks as f64
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn cpuid() -> anyhow::Result<f64> {
    anyhow::bail!("there is no CPUID on this processor")
}
