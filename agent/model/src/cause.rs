//! What can disturb a round.

use crate::label_values;

/// A cause that makes a round say less about the tier than about the moment.
///
/// Rounds are marked by cause, never by their outcome: leaving out slow rounds would make the slower tier look
/// like the faster one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The measuring thread was switched out while it wanted to run.
    Preempted,
    /// The thread did not stay on the CPU it was pinned to.
    Migrated,
    /// The hypervisor ran somebody else on this CPU.
    Steal,
    /// The control group's CPU quota stopped the thread.
    Throttled,
    /// The wall clock was stepped.
    ClockStep,
    /// The machine slept, or was restored from a snapshot.
    Suspended,
}

label_values!(Cause {
    Preempted = "preempted",
    Migrated = "migrated",
    Steal = "steal",
    Throttled = "throttled",
    ClockStep = "clock_step",
    Suspended = "suspended",
});
