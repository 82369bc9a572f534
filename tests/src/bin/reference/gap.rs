//! `oslat`'s loop in turns as short as the agent's: reading the clock for 2 ms, then leaving the CPU.
//!
//! `oslat` itself has the CPU on end. A program that comes back after a pause finds colder caches in each interrupt, and a
//! tick that was off while the CPU was idle.

use std::time::{Duration, Instant};

use anyhow::ensure;

const TURN: Duration = Duration::from_millis(2);
/// With a turn no multiple of the timer tick, or all turns would see the same part of it.
const PAUSE: Duration = Duration::from_micros(4_700);
const TURNS: u32 = 150;

/// Shortest gap that counts; a clock read takes some 30 ns.
const SHORTEST: Duration = Duration::from_micros(2);

/// The share of its turns that the program did not have.
pub(super) fn lost() -> anyhow::Result<f64> {
    let turns: Vec<Vec<f64>> = (0..TURNS).map(|_| turn()).collect();
    Ok(turns.iter().flatten().sum::<f64>() / (TURN * TURNS).as_secs_f64())
}

/// The median over the turns of the median of a turn's gaps; a turn without one says nothing.
pub(super) fn length() -> anyhow::Result<f64> {
    let turns = (0..TURNS).map(|_| turn()).filter(|gaps| !gaps.is_empty());
    let medians: Vec<f64> = turns.map(super::median).collect();
    ensure!(!medians.is_empty(), "nothing interrupted {TURNS} turns of {TURN:?}");
    Ok(super::median(medians))
}

/// The gaps of one turn, in seconds.
fn turn() -> Vec<f64> {
    std::thread::sleep(PAUSE);
    // Reserved first: the allocator must not look like a gap.
    let mut gaps = Vec::with_capacity(1024);
    let begin = Instant::now();
    let mut last = begin;
    while last - begin < TURN && gaps.len() < gaps.capacity() {
        let now = Instant::now();
        if now - last >= SHORTEST {
            gaps.push((now - last).as_secs_f64());
        }
        last = now;
    }
    gaps
}
