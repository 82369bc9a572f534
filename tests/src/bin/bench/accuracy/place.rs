//! Where both sides run: the same CPU, and another one for those who answer from there.

use std::process::Command;

use anyhow::{Context as _, ensure};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

/// Two CPUs of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The CPU of both sides.
    pub cpu: usize,
    /// Another one.
    pub other: usize,
}

impl Place {
    /// The last two CPUs that this process may use: the first one has more interrupts on most machines.
    pub(super) fn choose() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(Pid::this())?;
        let mut cpus = (0..CpuSet::count()).rev().filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
        let (Some(cpu), Some(other)) = (cpus.next(), cpus.next()) else {
            anyhow::bail!("two CPUs are needed: taskset and cpusets leave fewer");
        };
        Ok(Self { cpu, other })
    }

    /// `program`, on the CPU.
    pub(super) fn pinned(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", &self.cpu.to_string()]).arg(program);
        command
    }

    /// `program`, on both CPUs.
    pub(super) fn on_both(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", &format!("{},{}", self.cpu, self.other)]).arg(program);
        command
    }
}

/// What a program prints.
pub(super) fn told(command: &mut Command) -> anyhow::Result<String> {
    let name = format!("{command:?}");
    let output = command.output().with_context(|| format!("{name}: is it installed?"))?;
    ensure!(
        output.status.success(),
        "{name}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
