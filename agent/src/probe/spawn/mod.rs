//! # What is measured
//!
//! The time from asking for a process until it has ended and been waited for: `vfork` (a child in the caller's memory),
//! `fork` (with a copy of it), `spawn` (the agent's own static program by `posix_spawn`, which ends at once). Each
//! child writes a mark and ends with a status of its own; what lacks either is no sample. A small process does it,
//! started for the round and pinned like it, because a fork costs more the more memory the caller has: it takes one
//! cold sample of each and three warm ones.
//!
//! # What distorts it
//!
//! Page tables are copied and built anew, so that nested paging and shadow paging show here more than elsewhere. A
//! seccomp filter, security modules and the auditing of `execve` cost each start. A dynamically linked program costs
//! more than this static one by what its linker does.
//!
//! # Cost
//!
//! 13 processes, 3 to 6 ms of CPU time, every 5 min.

pub mod helper;

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use tierprobe_model::{Family, Kind};

use super::{Helpers, Placement, Probe, ProbeError, Round, Spec};
use crate::measure::Samples;
use crate::sys::{clock, thread};

const TIME: Family = Family {
    name: "tierprobe_spawn_seconds",
    help: "Time from asking for a process until it has ended and been waited for, warmed up.",
    kind: Kind::Duration,
    labels: &["method"],
};
const COLD: Family = Family {
    name: "tierprobe_spawn_cold_seconds",
    help: "The same for the first process of a round.",
    kind: Kind::Gauge,
    labels: &["method"],
};

/// New processes.
pub(super) const SPEC: Spec = Spec {
    name: "spawn",
    measures: "new processes: vfork, fork, and the start of a static program",
    interval: Some(Duration::from_secs(300)),
    operations: Some(1),
    measures_waiting: false,
    families: &[&TIME, &COLD],
    prepare: |_| Ok(Box::new(Spawn::default())),
};

/// A helper that takes longer is not coming back.
const LIMIT: Duration = Duration::from_secs(2);

/// Longest text that a helper has to say.
const MOST_TEXT: usize = 4096;

/// Share of its time that a helper may be off the CPU without having waited for it: the accounts of several processes
/// are not read at one instant.
const INEXACT: u32 = 10;

#[derive(Default)]
struct Spawn {
    helpers: Helpers,
}

impl Probe for Spawn {
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let text = self.hear()?;
        self.helpers.waited = waited(&text);
        let mut round = Round::default();
        for method in helper::METHODS {
            match samples(&text, method.name) {
                Ok(samples) => round.add(&TIME, Some(&COLD), [method.name], samples),
                Err(why) => round.miss(method.name, why),
            }
        }
        round.complete()
    }

    fn feels_pressure(&mut self) -> bool {
        true
    }

    fn take_helpers(&mut self) -> Helpers {
        std::mem::take(&mut self.helpers)
    }
}

/// CPU time of all children that have been waited for.
fn children_cpu() -> Duration {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(Duration::ZERO, |usage| {
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    })
}

impl Spawn {
    /// Starts the helper and takes down what it says.
    fn hear(&mut self) -> Result<String, ProbeError> {
        let before = children_cpu();
        let mut child = start()?;
        let text = read_until_end(&mut child);
        if text.is_err() {
            // It is ours, and it hangs or talks too much.
            let _has_ended_by_itself = child.kill();
        }
        let status = child.wait();
        // Before others' orphans are buried, which would be added to it with all that they ever used.
        self.helpers.here = children_cpu().saturating_sub(before);
        bury_orphans();
        let text = text?;
        match status {
            Ok(status) if status.success() => Ok(text),
            Ok(status) => Err(ProbeError::failed(&format!("helper process ({status})"), text.trim())),
            Err(error) => Err(ProbeError::failed("helper process", error)),
        }
    }
}

/// Where the agent is the first process of its namespace, what a helper left behind is the agent's to bury.
fn bury_orphans() {
    let is_first = nix::unistd::getpid().as_raw() == 1;
    let bury = || waitpid(None, Some(WaitPidFlag::WNOHANG));
    while is_first && bury().is_ok_and(|status| status != WaitStatus::StillAlive) {}
}

/// How long the helper and its children waited for a CPU: they share one, and do nothing that sleeps, so it is the time
/// in which none of them ran.
fn waited(text: &str) -> Duration {
    let nanos = |what: &str| {
        let number = text.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(' '))?;
        number.parse().ok().map(Duration::from_nanos)
    };
    let (Some(elapsed), Some(ran)) = (nanos(helper::ELAPSED), nanos(helper::RAN)) else {
        return Duration::ZERO;
    };
    elapsed.saturating_sub(ran).saturating_sub(elapsed / INEXACT)
}

#[expect(clippy::disallowed_methods, reason = "the only program that the agent starts is itself")]
fn start() -> Result<Child, ProbeError> {
    Command::new(helper::OWN_PROGRAM)
        .arg(helper::HELPER)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                ProbeError::unsupported(format!(
                    "{}: {error}; is /proc mounted, and /dev?",
                    helper::OWN_PROGRAM
                ))
            } else {
                ProbeError::failed(&format!("cannot start {}", helper::OWN_PROGRAM), error)
            }
        })
}

fn read_until_end(child: &mut Child) -> Result<String, ProbeError> {
    let failed = |error: std::io::Error| ProbeError::failed("helper process", error);
    let Some(mut output) = child.stdout.take() else {
        return Err(ProbeError::Failed("helper process without output".to_owned()));
    };
    let deadline = clock::monotonic_nanos() + u64::try_from(LIMIT.as_nanos()).unwrap_or(u64::MAX);
    let mut text = Vec::new();
    loop {
        let timeout = thread::poll_timeout(deadline.saturating_sub(clock::monotonic_nanos()));
        let mut ready = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, timeout).map_err(|errno| failed(errno.into()))? == 0 {
            return Err(ProbeError::Failed(format!("helper process: no answer within {LIMIT:?}")));
        }
        let mut part = [0; 512];
        match output.read(&mut part).map_err(failed)? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            length => text.extend_from_slice(part.get(..length).unwrap_or_default()),
        }
        if text.len() > MOST_TEXT {
            return Err(ProbeError::Failed("helper process: says more than it has to".to_owned()));
        }
    }
}

/// The samples of one method: lines `METHOD NANOSECONDS`, the first one cold.
///
/// # Errors
///
/// What the helper said instead.
fn samples(text: &str, method: &str) -> Result<Samples, String> {
    let mut seconds = text
        .lines()
        .filter_map(|line| line.split_once(' ').filter(|(name, _)| *name == method))
        .filter_map(|(_, nanos)| nanos.parse().ok().map(crate::measure::seconds));
    let cold = seconds.next();
    let warm: Vec<f64> = seconds.collect();
    if warm.is_empty() {
        let why = text.lines().find_map(|line| line.strip_prefix(method)?.strip_prefix(": "));
        let said = why.unwrap_or("the helper process says nothing of it");
        return Err(said.chars().take(80).collect());
    }
    Ok(Samples { cold, warm })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_method_is_the_cold_one() {
        let found = samples("vfork 3000\nfork 9000\nvfork 2000\nvfork 1000\n", "vfork").unwrap();
        assert_eq!(found, Samples { cold: Some(3e-6), warm: vec![2e-6, 1e-6] });
    }

    #[test]
    fn time_that_nobody_ran_in_was_waited() {
        let waited = |text: &str| waited(text).as_micros();
        assert_eq!(waited("fork 9000\nelapsed 10000000\nran 4000000\n"), 5000);
        assert_eq!(waited("elapsed 10000000\nran 9500000\n"), 0);
        for text in ["", "elapsed 10000000\n", "ran 1\n", "elapsed x\nran 1\n"] {
            assert_eq!(waited(text), 0, "{text:?}");
        }
    }

    #[test]
    fn what_the_helper_does_not_say_is_a_failure_with_its_words() {
        assert_eq!(samples("vfork: EAGAIN\nfork: EPERM\nfork: EPERM\n", "fork").unwrap_err(), "EPERM");
        for text in ["", "fork 9000\n", "fork x\nfork y\n"] {
            assert!(samples(text, "fork").unwrap_err().contains("nothing"), "{text:?}");
        }
    }
}
