//! Runs probes on the calling thread: pins it, watches what disturbs it, counts what it costs.

use std::time::Duration;

use nix::errno::Errno;
use tierprobe_model::Cause;

use crate::cgroup::Cgroup;
use crate::host::HostFs;
use crate::measure::{LONGEST_WAIT, Watch};
use crate::probe::{Helpers, Placement, Probe, ProbeError, Round, Site, Spec};
use crate::sys::clock;
use crate::sys::thread::{self, Cpu};
use crate::waiting;

/// What one run of one probe gave.
#[derive(Debug)]
pub struct Report {
    /// The probe, by its place among those of the [`Runner`].
    pub probe: usize,
    /// The round, or why there is none.
    pub result: Result<Round, ProbeError>,
    /// What disturbed it.
    pub causes: Vec<Cause>,
    /// CPU time that it cost, that of its helpers included.
    pub cpu: Duration,
    /// What its other threads and processes did.
    pub helpers: Helpers,
    /// Time that it took.
    pub elapsed: Duration,
    /// When it ended, in seconds since the epoch.
    pub timestamp: f64,
}

/// A probe that is ready to run, or why it is not.
type Ready = Result<Box<dyn Probe>, ProbeError>;

/// Probes that are ready to run, and the CPUs that they take turns on.
pub struct Runner {
    probes: Vec<(&'static Spec, Ready)>,
    fs: HostFs,
    quota: Option<Cgroup>,
    turns: usize,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("probes", &self.probes.len())
            .field("turns", &self.turns)
            .finish_non_exhaustive()
    }
}

impl Runner {
    /// Prepares probes. One that cannot be prepared stays, and says why each time it is asked to run.
    #[must_use]
    pub fn new(specs: &[&'static Spec], site: &Site<'_>) -> Self {
        let probes = specs.iter().map(|spec| (*spec, (spec.prepare)(site))).collect();
        Self { probes, fs: site.fs.clone(), quota: Cgroup::of(site.fs, "cpu"), turns: 0 }
    }

    /// Runs those probes of `due` that `may_start` says yes to, each asked when its turn comes. The thread is pinned
    /// to the next of its CPUs.
    pub fn turn(&mut self, due: &[usize], mut may_start: impl FnMut(usize) -> bool) -> Vec<Report> {
        let (placement, pinned) = self.next_placement();
        let before = Neighbours::read(&self.fs, self.quota.as_ref(), placement);
        let mut reports: Vec<Report> = Vec::with_capacity(due.len());
        for probe in due {
            if may_start(*probe) {
                reports.extend(self.run(*probe, placement, pinned));
            }
        }
        // These counters move in steps of 10 ms, longer than most rounds: a step anywhere in the turn
        // disturbs all of its rounds.
        let after = Neighbours::read(&self.fs, self.quota.as_ref(), placement);
        for report in &mut reports {
            report.causes.extend(before.causes(&after, report.helpers.elsewhere));
        }
        reports
    }

    /// Whether some probe wants to be asked for news.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.probes.iter().any(|(_, ready)| ready.as_ref().is_ok_and(|probe| probe.listens()))
    }

    /// The probes that something has happened for.
    pub fn news(&mut self) -> Vec<usize> {
        let has_news = |(_, ready): &mut (&Spec, Ready)| ready.as_mut().is_ok_and(|probe| probe.has_news());
        let probes = self.probes.iter_mut().enumerate();
        probes.filter_map(|(index, probe)| has_news(probe).then_some(index)).collect()
    }

    /// The share of the last ten seconds in which some task waited for a CPU (PSI); `None` where the kernel does not tell.
    #[must_use]
    pub fn cpu_pressure(&self) -> Option<f64> {
        waiting::of_all(&self.fs)
    }

    /// The smallest timer slack, so that no wake-up is put off, and the next CPU in turn.
    fn next_placement(&mut self) -> (Placement, Result<(), Errno>) {
        self.turns = self.turns.wrapping_add(1);
        let _stays_at_fifty_micros = thread::set_smallest_timer_slack();
        let cpus = thread::allowed_cpus().unwrap_or_default();
        let at = |index: usize| cpus.get(index % cpus.len().max(1)).copied();
        let current = || thread::current_cpu().unwrap_or(0);
        let cpu = at(self.turns).unwrap_or_else(current);
        let other = at(self.turns + 1).filter(|other| *other != cpu);
        (Placement { cpu, other }, thread::pin(&[cpu]))
    }

    fn run(&mut self, probe: usize, placement: Placement, pinned: Result<(), Errno>) -> Option<Report> {
        let (spec, ready) = self.probes.get_mut(probe)?;
        // Leaving out rounds for what they measure would be choosing the outcome.
        let waited = || if spec.measures_waiting { None } else { waiting::of_this_thread(&self.fs) };
        let (started, cpu) = (clock::monotonic_nanos(), clock::thread_cpu());
        let watch = Watch::start(waited());
        let result = match (&mut *ready, pinned) {
            // The same time would be four times another from run to run, and look like a difference of places.
            (_, Err(errno)) if spec.operations.is_some() => {
                let what = "the measuring thread cannot be pinned to a CPU (sched_setaffinity)";
                Err(ProbeError::failed(what, errno))
            }
            (Ok(ready), _) => ready.measure(placement),
            (Err(error), _) => Err(error.clone()),
        };
        let helpers = ready.as_mut().map_or_else(|_| Helpers::default(), |ready| ready.take_helpers());
        let answering = result.as_ref().map_or(Duration::ZERO, |round| round.answering_cpu);
        let after = waited();
        let mut causes = watch.causes(placement.cpu, after, helpers.cpu + answering);
        // Where the kernel tells nothing of waiting, what helpers reckon is worth no more.
        let helpers_waited = after.is_some() && helpers.waited > LONGEST_WAIT;
        if helpers_waited && !causes.contains(&Cause::Preempted) {
            causes.push(Cause::Preempted);
        }
        Some(Report {
            probe,
            result,
            causes,
            cpu: clock::thread_cpu().saturating_sub(cpu) + helpers.cpu,
            helpers,
            elapsed: Duration::from_nanos(clock::monotonic_nanos().saturating_sub(started)),
            timestamp: clock::realtime_seconds(),
        })
    }
}

/// What others did to these CPUs and this control group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Neighbours {
    /// Ticks of the measuring thread's CPU that the hypervisor gave to others.
    steal: Option<u64>,
    /// The same of the other CPU.
    steal_elsewhere: Option<u64>,
    /// How often the quota of the control group, or of one around it, was used up.
    throttled: Option<u64>,
}

impl Neighbours {
    fn read(fs: &HostFs, quota: Option<&Cgroup>, placement: Placement) -> Self {
        // Under another root the files are not about this thread.
        if !fs.is_live() {
            return Self::default();
        }
        let stat = fs.text("/proc/stat").unwrap_or_default();
        Self {
            steal: steal(&stat, placement.cpu),
            steal_elsewhere: placement.other.and_then(|other| steal(&stat, other)),
            throttled: quota.and_then(|cgroup| cgroup.keyed_around(fs, "cpu.stat", "nr_throttled")),
        }
    }

    /// What happened until `after` to a round, of which a part ran `elsewhere`.
    fn causes(&self, after: &Self, elsewhere: bool) -> impl Iterator<Item = Cause> {
        let rose = |before: Option<u64>, after: Option<u64>| before.is_some() && after > before;
        let steal = (rose(self.steal, after.steal)
            || elsewhere && rose(self.steal_elsewhere, after.steal_elsewhere))
        .then_some(Cause::Steal);
        let throttled = rose(self.throttled, after.throttled).then_some(Cause::Throttled);
        [steal, throttled].into_iter().flatten()
    }
}

/// Field 8 of the CPU's line in `/proc/stat` (proc(5)).
fn steal(stat: &str, cpu: Cpu) -> Option<u64> {
    let name = format!("cpu{cpu}");
    let line = stat.lines().find(|line| line.split(' ').next() == Some(&name))?;
    line.split_ascii_whitespace().nth(8)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tierprobe_model::{Kernel, Tier};

    use super::*;
    use crate::probe::Settings;

    #[test]
    fn steal_is_the_eighth_number_of_the_cpus_own_line() {
        let stat = "cpu  1 2 3 4 5 6 7 80 9 10\ncpu1 1 2 3 4 5 6 7 41 9 10\ncpu10 1 2 3 4 5 6 7 42 9 10\n";
        assert_eq!(steal(stat, 1), Some(41));
        assert_eq!(steal(stat, 10), Some(42));
        assert_eq!(steal(stat, 2), None);
        assert_eq!(steal("cpu2 garbage", 2), None);
    }

    #[test]
    fn what_was_not_pinned_is_not_published() {
        let specs: Vec<&'static Spec> = crate::probe::PROBES.iter().collect();
        let settings = Settings::default();
        let site =
            Site { fs: &HostFs::live(), tier: Tier::Unknown, kernel: Kernel::Unknown, settings: &settings };
        let mut runner = Runner::new(&specs, &site);
        let placement = Placement { cpu: 0, other: None };
        for (index, spec) in specs.iter().enumerate() {
            let report = runner.run(index, placement, Err(Errno::EPERM)).unwrap();
            let refused = matches!(&report.result, Err(ProbeError::Failed(why)) if why.contains("pinned"));
            assert_eq!(refused, spec.operations.is_some(), "{}: {report:?}", spec.name);
        }
    }

    #[test]
    fn only_what_rose_is_a_cause() {
        let before = Neighbours { steal: Some(1), steal_elsewhere: Some(7), throttled: None };
        let after = Neighbours { steal: Some(2), throttled: Some(5), ..before };
        assert_eq!(before.causes(&after, false).collect::<Vec<_>>(), [Cause::Steal]);
        assert_eq!(before.causes(&before, true).count(), 0);
        let other = Neighbours { steal_elsewhere: Some(8), ..before };
        assert_eq!(before.causes(&other, true).collect::<Vec<_>>(), [Cause::Steal]);
        assert_eq!(before.causes(&other, false).count(), 0, "nothing of the round ran there");
    }
}
