//! The lab: what would each tier cost on this machine?
//!
//! For someone who has no fleet yet, the lab starts the same agent in every tier that this machine can run, and
//! compares what the agents measure. It also measures from outside what no agent can see from inside: how long a
//! start takes, and what the host gives up for an instance.
//!
//! A run goes through these steps:
//!
//! 1. Each `launcher` is asked whether it can run here, and gets ready.
//! 2. The `starts`: instances come and go one at a time; start time and host memory.
//! 3. The measuring phase (`phase`): one instance of each launcher together, in `turns`; everything else.
//! 4. The clean-up, which also comes first when anything fails or a signal asks for the end, and the check that
//!    nothing was left (`residue`).
//!
//! With one instance a tier, the comparison says what holds for these instances, not for the tiers in general.
//!
//! What is started is put on a list of things to `undo` before it exists; the clean-up (`cleanup`) carries the list
//! out. A `guard` process knows the list, too, in case the lab is killed.

mod args;
mod bwrap;
mod cgroup;
mod cleanup;
mod command;
mod comparison;
mod cpio;
mod docker;
mod docker_daemon;
mod elf;
mod ending;
mod fetch;
mod guard;
mod guest;
mod guest_clock;
mod instance;
mod kernel;
mod launcher;
mod list;
mod observations;
mod oci;
mod phase;
mod process;
mod process_table;
mod progress;
mod qemu;
mod report;
mod residue;
mod run;
mod runc;
mod session;
mod starts;
mod stop;
mod tar;
mod turns;
mod undo;

use std::io;

pub use args::Args;

use crate::output;

/// Runs the lab, or what the arguments ask for instead.
///
/// # Errors
///
/// When no two tiers could be compared, when a signal ended the run, or when something was left behind.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.guard {
        return guard::guard(io::stdin().lock());
    }
    if args.list {
        let machine = launcher::Machine::here(args.kernel.clone());
        return output::write(&list::text(&machine, args.format)?, args.output.as_deref());
    }
    run::run(args)
}
