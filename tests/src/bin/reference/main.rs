//! lmbench's methods, written anew: no distribution packages them. Beside them the loops of `cyclictest` and `oslat` in
//! the agent's rhythm, which tells what is due to the rhythm and what to the agent.
//!
//! After the documentation of lmbench (lmbench.8, lat_syscall.8, lat_pagefault.8, lat_proc.8, lat_pipe.8, lat_udp.8,
//! lat_tcp.8, lat_connect.8) and McVoy and Staelin (1996): an operation is repeated, without a pause, until an interval is
//! long enough for the clock, and the median of several such intervals counts. Nothing is shared with the agent: neither
//! clock nor batches nor system call wrappers. lmbench takes eleven intervals of 5 ms or more; today's clocks allow for
//! shorter ones, of which more are free of what else the machine does.
//!
//! `reference NAME …` is a small static program, as the agent is, pinned by whoever starts it; it prints seconds.

#![expect(clippy::print_stdout, reason = "a program for `bench accuracy`, and for people at a terminal")]

mod call;
mod exit;
mod fault;
mod gap;
mod network;
mod pipe;
mod process;
mod storage;
mod wake_up;

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use storage::Operation;

/// Shortest interval: several hundred times what reading the clock takes, and shorter than the time between two
/// interruptions on a machine that has many, so that the median has none in it.
const ENOUGH: Duration = Duration::from_micros(10);

/// Intervals whose median counts.
const TRIES: usize = 2001;

/// Moves the calling thread to a CPU, if one is named.
fn go_to(cpu: Option<&String>) -> anyhow::Result<()> {
    let Some(cpu) = cpu else { return Ok(()) };
    move_to(cpu.parse().context("no CPU")?, Pid::this())
}

fn move_to(cpu: usize, thread: Pid) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(thread, &set)?)
}

/// How operations follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rhythm {
    /// Without a pause, as lmbench has it.
    OnEnd,
    /// So many after each pause, each timed alone, behind the first ones, which are thrown away: as the agent has it.
    Few(usize),
}

impl Rhythm {
    /// Seconds that one operation takes.
    fn time(self, mut operation: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
        match self {
            Self::OnEnd => time(operation),
            Self::Few(counted) => turns(TURNS, || {
                std::thread::sleep(PAUSE);
                turn(counted, &mut operation)
            }),
        }
    }
}

/// Turns of a few operations, the pause before each, and how many operations of it are thrown away. A second in all: where
/// a machine has two speeds, both sides of a pair shall meet the same one.
const TURNS: usize = 15;
const PAUSE: Duration = Duration::from_millis(60);
const WARM_UP: usize = 2;

/// Exchanges on one CPU before what is timed, as the agent has them there.
const BEFORE: usize = 15;

/// Of exchanges across CPUs: the pause between turns, how many of them count, and how many things are closed before them:
/// the agent closes what it exchanged on one CPU by, and what it read of itself.
const BETWEEN_TURNS: Duration = Duration::from_millis(20);
const ACROSS: usize = 5;
const CLOSED: usize = 4;

/// Closes something, as the agent does in each round: while the kernel frees it, an idle CPU keeps its timer tick, and is
/// woken more cheaply than without.
fn close_something() -> anyhow::Result<()> {
    drop(nix::unistd::pipe()?);
    Ok(())
}

/// The median of what so many turns have to say.
fn turns(number: usize, mut turn: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    Ok(median((0..number).map(|_| turn()).collect::<Result<_, _>>()?))
}

/// The median of a turn's operations.
fn turn(counted: usize, mut operation: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut seconds = Vec::with_capacity(counted);
    for number in 0..WARM_UP + counted {
        let begin = Instant::now();
        operation()?;
        let taken = begin.elapsed();
        if number >= WARM_UP {
            seconds.push(taken.as_secs_f64());
        }
    }
    Ok(median(seconds))
}

/// Exchanges across CPUs in the agent's rhythm, with a thread that answers. How deeply an idle CPU sleeps follows from
/// what it did before: here as in the agent, the ends change places from turn to turn, and both have been on the near
/// end's CPU for a while when the far one moves. Then both are left alone.
fn time_across(
    other: &str,
    answer: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    mut exchange: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        tell.send(nix::unistd::gettid())?;
        // An error shows at the other end.
        answer()
    });
    let far = told.recv()?;
    let (mut near, mut there) = (nix::sched::sched_getcpu()?, other.parse().context("no CPU")?);
    turns(TURNS, || {
        move_to(near, Pid::this())?;
        move_to(near, far)?;
        std::thread::sleep(BETWEEN_TURNS);
        for _ in 0..BEFORE {
            exchange()?;
        }
        move_to(there, far)?;
        exchange()?;
        for _ in 0..CLOSED {
            close_something()?;
        }
        std::thread::sleep(PAUSE);
        std::mem::swap(&mut near, &mut there);
        turn(ACROSS, &mut exchange)
    })
}

/// What answers: lmbench's servers are processes; the agent's partner is a thread, which shares its page tables.
#[derive(Debug, Clone, Copy)]
enum Far {
    /// Forked.
    Process,
    /// Of this process.
    Thread,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!("{}", run(&arguments)?);
    Ok(())
}

/// Runs the reference that the arguments name.
fn run(arguments: &[String]) -> anyhow::Result<f64> {
    let [name, rest @ ..] = arguments else { bail!("say which reference") };
    let argument = || rest.first().with_context(|| format!("reference {name}: one more argument is needed"));
    match name.as_str() {
        "syscall_null" => call::null(),
        "syscall_read" => call::read(),
        "syscall_write" => call::write(),
        "syscall_open" => call::open(argument()?),
        "vm_exit" => exit::cpuid(),
        "syscall_clock" => call::clock(),
        "syscall_futex" => call::futex(),
        "vdso" => call::vdso(),
        "page_fault" => fault::anonymous(fault::Touch::First),
        "page_fault_after_others" => fault::anonymous(fault::Touch::FirstAfterOthers),
        "page_fault_again" => fault::anonymous(fault::Touch::Again),
        "wake_up" => wake_up::delay(),
        "lost" => gap::lost(),
        "tick" => gap::tick(),
        "proc_fork" => process::fork(),
        "proc_fork_few" => process::fork_few(),
        "proc_fork_once" => process::fork_once(),
        "proc_vfork" => process::vfork(),
        "proc_vfork_few" => process::vfork_few(),
        "proc_vfork_once" => process::vfork_once(),
        "proc_exec" => process::exec(argument()?),
        "pipe" => pipe::exchange(Far::Process, rest.first()),
        "pipe_threads" => pipe::exchange(Far::Thread, None),
        "pipe_across_few" => pipe::across_few(argument()?),
        "pipe_alone" => pipe::alone(1, Rhythm::OnEnd),
        "pipe_alone_few" => pipe::alone(16, Rhythm::Few(7)),
        "udp" => network::udp(Far::Process, rest.first(), Rhythm::OnEnd),
        "udp_threads" => network::udp(Far::Thread, None, Rhythm::OnEnd),
        "udp_addressed" => network::udp_addressed(),
        "udp_few" => network::udp(Far::Thread, None, Rhythm::Few(11)),
        "udp_across_few" => network::udp_across_few(argument()?),
        "tcp" => network::tcp(Far::Process, rest.first(), Rhythm::OnEnd),
        "tcp_threads" => network::tcp(Far::Thread, None, Rhythm::OnEnd),
        "tcp_few" => network::tcp(Far::Thread, None, Rhythm::Few(11)),
        "tcp_across_few" => network::tcp_across_few(argument()?),
        "connect" => network::connect(Rhythm::OnEnd),
        "connect_few" => network::connect(Rhythm::Few(5)),
        "storage_overwrite" => storage::time(argument()?, Operation::Overwrite),
        "storage_clean" => storage::time(argument()?, Operation::Clean),
        "storage_read_buffered" => storage::time(argument()?, Operation::ReadBuffered),
        "storage_append" => storage::time(argument()?, Operation::Append),
        "storage_read_direct" => storage::time(argument()?, Operation::ReadDirect),
        _ => bail!("there is no reference {name}"),
    }
}

/// Seconds that one operation takes.
fn time(mut operation: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut interval = |operations: u32| -> anyhow::Result<Duration> {
        let start = Instant::now();
        for _ in 0..operations {
            operation()?;
        }
        Ok(start.elapsed())
    };
    let mut operations = 1;
    loop {
        let taken = interval(operations)?;
        if taken >= ENOUGH {
            break;
        }
        // A little more than what would have been enough, and never ten times as many at once.
        let factor = 1.2 * ENOUGH.as_secs_f64() / taken.as_secs_f64().max(1e-9);
        operations = if factor > 10.0 { operations * 10 } else { operations * 2 };
    }
    let mut seconds = Vec::with_capacity(TRIES);
    for _ in 0..TRIES {
        seconds.push(interval(operations)?.as_secs_f64() / f64::from(operations));
    }
    Ok(median(seconds))
}

/// The median, by nearest rank; NaN of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}
