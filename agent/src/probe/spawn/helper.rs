//! The small process that starts others and times them.
//!
//! `main` comes here before anything else, so that neither the helper nor its children do what the agent does.

use std::ffi::{CStr, CString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::Signal;
use nix::sys::time::TimeValLike as _;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};

use crate::sys::clock;
use crate::sys::process::{DONE, fork_child, vfork_child};
use crate::sys::raw;

/// The program that this process runs.
pub(super) const OWN_PROGRAM: &str = "/proc/self/exe";

/// First argument that makes the program the helper.
pub(super) const HELPER: &str = "spawn-helper";

/// First argument that makes it a child that writes its mark to standard output and ends.
const CHILD: &CStr = c"spawn-child";

/// First words of the lines on how long all of it took, and how much CPU time the helper and its children used
/// meanwhile; nanoseconds follow.
pub(super) const ELAPSED: &str = "elapsed";
pub(super) const RAN: &str = "ran";

/// Samples of each method: one cold, three warm.
const SAMPLES: usize = 4;

/// A way to a new process.
#[derive(Debug)]
pub(super) struct Method {
    /// Its name, a label value.
    pub name: &'static str,
    start: fn(BorrowedFd<'_>) -> Result<Pid, Errno>,
}

/// All of them.
pub(super) const METHODS: &[Method] = &[
    Method { name: "vfork", start: vfork_child },
    Method { name: "fork", start: fork_child },
    Method { name: "spawn", start: spawn_child },
];

/// What to do instead of being the agent, if the first argument says so.
#[must_use]
pub fn answer(argument: Option<&std::ffi::OsStr>) -> Option<ExitCode> {
    let argument = argument?;
    if argument.as_encoded_bytes() == CHILD.to_bytes() {
        let _unmarked_is_noticed = raw::write_byte(std::io::stdout().as_fd());
        return Some(ExitCode::from(u8::try_from(DONE).unwrap_or(1)));
    }
    (argument == HELPER).then(help)
}

fn help() -> ExitCode {
    // An orphan is of no use to anybody.
    let _lives_on = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
    let mut text = String::new();
    let (start, ran) = (clock::monotonic_nanos(), ran_nanos());
    for method in METHODS {
        for _ in 0..SAMPLES {
            let line = match time(method) {
                Ok(nanos) => format!("{} {nanos}", method.name),
                Err(why) => format!("{}: {why}", method.name),
            };
            let _infallible = writeln!(text, "{line}");
        }
    }
    let elapsed = clock::monotonic_nanos().saturating_sub(start);
    if let Some(ran) = ran_nanos().zip(ran).map(|(now, then)| now.saturating_sub(then)) {
        let _infallible = writeln!(text, "{ELAPSED} {elapsed}\n{RAN} {ran}");
    }
    let _nobody_listens = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// CPU time of the helper and of those children that it has waited for.
fn ran_nanos() -> Option<u64> {
    let of = |who| {
        let usage = getrusage(who).ok()?;
        u64::try_from((usage.user_time() + usage.system_time()).num_nanoseconds()).ok()
    };
    of(UsageWho::RUSAGE_SELF)?.checked_add(of(UsageWho::RUSAGE_CHILDREN)?)
}

/// Nanoseconds from asking for the process to having waited for it.
fn time(method: &Method) -> Result<u64, String> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| format!("pipe: {errno}"))?;
    let start = clock::monotonic_nanos();
    let child = (method.start)(writer.as_fd()).map_err(|errno| errno.to_string())?;
    let ended = waitpid(child, None);
    let end = clock::monotonic_nanos();
    drop(writer);
    match ended {
        Ok(WaitStatus::Exited(_, DONE)) => {}
        other => return Err(format!("the child has not ended as it should: {other:?}")),
    }
    if raw::read_byte(reader.as_fd()) != 1 {
        return Err("the child left no mark".to_owned());
    }
    Ok(end.saturating_sub(start))
}

fn spawn_child(mark: BorrowedFd<'_>) -> Result<Pid, Errno> {
    let mut actions = PosixSpawnFileActions::init()?;
    actions.add_dup2(mark.as_raw_fd(), 1)?;
    let program = CString::new(OWN_PROGRAM).map_err(|_| Errno::EINVAL)?;
    let no_environment: [&CStr; 0] = [];
    posix_spawn(
        program.as_c_str(),
        &actions,
        &PosixSpawnAttr::init()?,
        &[program.as_c_str(), CHILD],
        &no_environment,
    )
}
