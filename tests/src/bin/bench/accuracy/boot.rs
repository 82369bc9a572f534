//! A Debian's boot, as the agent has it and as `systemd-analyze` does.

use std::cell::OnceCell;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use tierprobe_tests::guest::Parts;
use tierprobe_tests::guest::systemd::{Beside, beside};
use tierprobe_tests::need::find;

/// One boot, done when it is first asked for.
#[derive(Default)]
pub(super) struct Boot(OnceCell<Result<Vec<Beside>, String>>);

impl Boot {
    /// A phase, in seconds: the agent's value and the other.
    pub(super) fn phase(&self, agent: &Path, phase: &str) -> anyhow::Result<(f64, f64)> {
        let phases = self.0.get_or_init(|| start(agent).map_err(|error| format!("{error:#}")));
        let phases = phases.as_ref().map_err(|why| anyhow!("{why}"))?;
        let found = phases.iter().find(|one| one.phase == phase);
        found.map(|one| (one.ours, one.theirs)).with_context(|| format!("the boot has no {phase}"))
    }
}

fn start(agent: &Path) -> anyhow::Result<Vec<Beside>> {
    let program = |name: &str| find(name).with_context(|| format!("{name} is not installed"));
    let parts = Parts::find(program("qemu-system-x86_64")?, program("busybox")?)?;
    beside(&parts, agent)
}
