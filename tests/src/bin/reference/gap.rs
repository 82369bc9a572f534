//! `oslat`'s loop in turns as short as the agent's: reading the clock for 2 ms, then leaving the CPU.
//!
//! `oslat` itself has the CPU on end. A program that comes back after a pause finds colder caches in each interrupt, and
//! often a tick that was off while the CPU was idle: that is dearer, and moves the coarse clock one time in five. What was
//! closed shortly before keeps the tick on, and the agent closes files in each round: so does each turn.

use std::time::{Duration, Instant};

use anyhow::ensure;
use nix::time::{ClockId, clock_gettime};

const TURN: Duration = Duration::from_millis(2);
/// With a turn no multiple of the timer tick, or all turns would see the same part of it.
const PAUSE: Duration = Duration::from_micros(4_700);
const TURNS: u32 = 150;
/// The same for ticks, whose length drifts within a minute: `bench accuracy` takes several short runs of it.
const TICK_TURNS: u32 = 50;

/// Shortest gap that counts; a clock read takes some 30 ns.
const SHORTEST: Duration = Duration::from_micros(2);

/// The share of its turns that the program did not have.
pub(super) fn lost() -> anyhow::Result<f64> {
    let mut lost = Duration::ZERO;
    for _ in 0..TURNS {
        lost += turn()?.gaps.iter().map(|(start, end)| *end - *start).sum::<Duration>();
    }
    Ok(lost.as_secs_f64() / (TURN * TURNS).as_secs_f64())
}

/// The median of the gaps in which the timer ticked: with or next to which the coarse clock moved.
pub(super) fn tick() -> anyhow::Result<f64> {
    let mut ticks = Vec::new();
    for _ in 0..TICK_TURNS {
        let Turn { gaps, moved } = turn()?;
        let near = |gap: &&(Instant, Instant)| {
            moved.is_some_and(|moved| gap.0 <= moved + NEAR && moved <= gap.1 + NEAR)
        };
        ticks.extend(gaps.iter().filter(near).map(|(start, end)| (*end - *start).as_secs_f64()));
    }
    ensure!(!ticks.is_empty(), "no timer ticked in {TICK_TURNS} turns of {TURN:?}");
    Ok(super::median(ticks))
}

/// How far a CPU's tick may be from that of the CPU that keeps the time.
const NEAR: Duration = Duration::from_micros(20);

/// What one turn saw.
struct Turn {
    /// Begin and end of each gap.
    gaps: Vec<(Instant, Instant)>,
    /// When the coarse clock was last seen to have moved.
    moved: Option<Instant>,
}

fn turn() -> anyhow::Result<Turn> {
    super::close_something()?;
    std::thread::sleep(PAUSE);
    // Reserved first: the allocator must not look like a gap.
    let mut gaps = Vec::with_capacity(1024);
    let mut moved = None;
    let begin = Instant::now();
    let (mut last, mut before) = (begin, coarse()?);
    while last - begin < TURN && gaps.len() < gaps.capacity() {
        let now = Instant::now();
        if now - last >= SHORTEST {
            gaps.push((last, now));
        }
        last = now;
        let after = coarse()?;
        if after != before {
            before = after;
            moved = Some(now);
        }
    }
    Ok(Turn { gaps, moved })
}

fn coarse() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE)?.into())
}
