//! One running instance: how to reach it, what it consists of, what it costs the host.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::cgroup;
use super::command;
use super::fetch::{self, Address};
use super::guest_clock::GuestClock;
use super::process_table;
use super::session::last_words;
use super::stop::Stop;

/// An agent that the lab started in some tier.
#[derive(Debug)]
pub(crate) struct Instance {
    /// Where it listens.
    pub(crate) address: Address,
    /// When the launcher was spawned.
    pub(crate) spawned: Instant,
    /// The processes on the host that it is made of; their descendants belong to it, too.
    pub(crate) roots: Vec<i32>,
    /// How a virtual machine runs: `kvm` or `tcg`. Times of one say nothing about the other.
    pub(crate) accel: Option<&'static str>,
    /// How often the launcher had to be started again until it worked.
    pub(crate) retries: u32,
    /// The launcher's command, where it ends by itself once the instance runs.
    pub(crate) command: Option<Child>,
    /// Where it says why it failed.
    pub(crate) log: PathBuf,
    /// The guest's clock, which is not the host's.
    pub(crate) clock: Option<GuestClock>,
}

/// Memory that the host gives up for an instance, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct HostMemory {
    /// The sum of `parts` and `kernel_bytes`.
    pub(crate) total_bytes: u64,
    /// Proportional set size of each process.
    pub(crate) parts: Vec<MemoryPart>,
    /// What the kernel holds for its memory control group; absent where it has no group of its own, or the
    /// kernel does not account it.
    pub(crate) kernel_bytes: Option<u64>,
}

impl HostMemory {
    /// The proportional set size of all its processes together, in bytes.
    #[must_use]
    pub(crate) fn pss_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.pss_bytes).sum()
    }
}

/// Memory of one process of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MemoryPart {
    /// The process's name.
    pub(crate) process: String,
    /// Its proportional set size in bytes.
    pub(crate) pss_bytes: u64,
}

/// How often an instance that does not answer yet is asked again.
const ASK_EVERY: Duration = Duration::from_micros(300);
/// A virtual machine's answers cross a user-space network stack; asking it all the time would slow it down.
const ASK_GUEST_EVERY: Duration = Duration::from_millis(5);
/// How long one question may take at first. A forwarded port accepts connections before the guest listens, and a
/// long time limit would then be the start time that is measured.
const FIRST_LIMIT: Duration = Duration::from_millis(300);
/// How long one question may take once short ones did not help for `PATIENCE`.
const LATER_LIMIT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the launcher's command may take to end once the instance answers.
const COMMAND_LIMIT: Duration = Duration::from_secs(20);
/// How long a scrape may take.
const SCRAPE_LIMIT: Duration = Duration::from_secs(5);

impl Instance {
    /// Waits for the first HTTP 200 and returns the time from the launcher's spawn to it.
    ///
    /// # Errors
    ///
    /// When none comes within `limit`, the launcher's command fails, or `stop` is set.
    pub(crate) fn wait_for_answer(&mut self, limit: Duration, stop: &Stop) -> anyhow::Result<Duration> {
        let pause = if self.accel.is_some() { ASK_GUEST_EVERY } else { ASK_EVERY };
        let begin = Instant::now();
        loop {
            let patient = begin.elapsed() > PATIENCE;
            let attempt = if patient { LATER_LIMIT } else { FIRST_LIMIT };
            let problem = match fetch::get(&self.address, "/metrics", attempt) {
                Ok(answer) if answer.status == 200 => return Ok(self.spawned.elapsed()),
                Ok(answer) => format!("it answers HTTP {}", answer.status),
                Err(error) => error.to_string(),
            };
            stop.check()?;
            self.check_command()?;
            if self.spawned.elapsed() > limit {
                let words = last_words(&self.log);
                bail!("no answer within {} s: {problem}; it said: {words:?}", limit.as_secs());
            }
            std::thread::sleep(pause);
        }
    }

    /// Fails when the launcher's command, or the process itself, has ended badly.
    fn check_command(&mut self) -> anyhow::Result<()> {
        let status = self.command.as_mut().and_then(|child| child.try_wait().ok().flatten());
        if let Some(status) = status.filter(|status| !status.success()) {
            bail!("the launcher failed ({status}): {}", last_words(&self.log));
        }
        match self.roots.first() {
            Some(root) if process_table::stat(*root).is_none_or(|stat| stat.is_zombie) => {
                bail!("it ended at once: {}", last_words(&self.log))
            }
            _ => Ok(()),
        }
    }

    /// Waits for the launcher's command to end: its own work must not disturb what is measured next.
    ///
    /// # Errors
    ///
    /// When it does not end, or fails.
    pub(crate) fn wait_for_command(&mut self, stop: &Stop) -> anyhow::Result<()> {
        let Some(mut child) = self.command.take() else { return Ok(()) };
        let waited = command::wait(&mut child, COMMAND_LIMIT, Some(stop));
        if waited.is_err() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let status = waited.context("waiting for the launcher's command")?;
        if status.success() {
            Ok(())
        } else {
            bail!("the launcher failed ({status}): {}", last_words(&self.log))
        }
    }

    /// One scrape.
    ///
    /// # Errors
    ///
    /// When there is no answer, or not HTTP 200.
    pub(crate) fn scrape(&self) -> anyhow::Result<String> {
        let answer = fetch::get(&self.address, "/metrics", SCRAPE_LIMIT)?;
        if answer.status == 200 { Ok(answer.body) } else { bail!("it answers HTTP {}", answer.status) }
    }

    /// What the host gives up for it now.
    ///
    /// # Errors
    ///
    /// When a process is gone, or its memory may not be read.
    pub(crate) fn host_memory(&self) -> anyhow::Result<HostMemory> {
        let family: BTreeSet<i32> = self.roots.iter().flat_map(|root| process_table::family(*root)).collect();
        let mut parts = Vec::new();
        for pid in family {
            let process = process_table::name(pid);
            match process_table::pss_bytes(pid) {
                Some(pss_bytes) => parts.push(MemoryPart { process, pss_bytes }),
                // A short-lived child may be gone by now; one of the roots may not.
                None if self.roots.contains(&pid) => bail!("the memory of {process} ({pid}) cannot be read"),
                None => {}
            }
        }
        let group = self.roots.first().and_then(|pid| cgroup::memory_folder(*pid));
        let kernel_bytes = group.and_then(|folder| cgroup::kernel_bytes(&folder));
        let pss: u64 = parts.iter().map(|part| part.pss_bytes).sum();
        Ok(HostMemory { total_bytes: pss + kernel_bytes.unwrap_or(0), parts, kernel_bytes })
    }
}
