//! Runs probes on the calling thread: pins it, watches what disturbs it, counts what it costs.

mod neighbours;

use std::time::Duration;

use nix::errno::Errno;
use tierprobe_model::Cause;

use crate::cgroup::Cgroup;
use crate::host::HostFs;
use crate::measure::{LONGEST_WAIT, Watch};
use crate::probe::{Helpers, Placement, Probe, ProbeError, Round, Site, Spec};
use crate::sys::clock;
use crate::sys::thread::{self, Cpu};
use crate::waiting::{self, Waiting};
use neighbours::Neighbours;

/// What one run of one probe gave.
#[derive(Debug)]
pub struct Report {
    /// The probe, by its place among those of the [`Runner`].
    pub probe: usize,
    /// The round, or why there is none.
    pub result: Result<Round, ProbeError>,
    /// Where it ran.
    pub placement: Placement,
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

/// One probe of a [`Runner`].
struct Entry {
    spec: &'static Spec,
    ready: Ready,
    /// How often it has run: it takes turns on the CPUs by its own count. By a common one, a probe that runs in every
    /// second turn would see one of two CPUs for ever.
    runs: usize,
}

/// Probes that are ready to run, and the CPUs that they take turns on.
pub struct Runner {
    probes: Vec<Entry>,
    fs: HostFs,
    quota: Option<Cgroup>,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("probes", &self.probes.len()).finish_non_exhaustive()
    }
}

impl Runner {
    /// Prepares probes. One that cannot be prepared stays, and says why each time it is asked to run.
    #[must_use]
    pub fn new(specs: &[&'static Spec], site: &Site<'_>) -> Self {
        let entry = |spec: &&'static Spec| Entry { spec, ready: (spec.prepare)(site), runs: 0 };
        Self {
            probes: specs.iter().map(entry).collect(),
            fs: site.fs.clone(),
            quota: Cgroup::of(site.fs, "cpu"),
        }
    }

    /// Begins a turn, in which probes run one after another. Costs nothing until one does.
    pub const fn begin(&mut self) -> Turn<'_> {
        Turn { runner: self, start: None, pinned: None, reports: Vec::new() }
    }

    /// Whether some probe wants to be asked for news.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.probes.iter().any(|probe| probe.ready.as_ref().is_ok_and(|ready| ready.listens()))
    }

    /// The probes that something has happened for.
    pub fn news(&mut self) -> Vec<usize> {
        let has_news = |probe: &mut Entry| probe.ready.as_mut().is_ok_and(|ready| ready.has_news());
        let probes = self.probes.iter_mut().enumerate();
        probes.filter_map(|(index, probe)| has_news(probe).then_some(index)).collect()
    }

    /// The share of the last ten seconds in which some task waited for a CPU (PSI); `None` where the kernel does not tell.
    #[must_use]
    pub fn cpu_pressure(&self) -> Option<f64> {
        waiting::of_all(&self.fs)
    }
}

/// A turn: what runs in it is disturbed by whatever the coarse counters saw in it.
#[derive(Debug)]
pub struct Turn<'a> {
    runner: &'a mut Runner,
    /// What was when the first probe ran.
    start: Option<Start>,
    /// The CPU that the thread is pinned to, or was to be.
    pinned: Option<(Cpu, Result<(), Errno>)>,
    reports: Vec<Report>,
}

/// What a turn begins with.
#[derive(Debug)]
struct Start {
    /// The CPUs that the agent may use.
    cpus: Vec<Cpu>,
    neighbours: Neighbours,
}

impl Turn<'_> {
    /// Runs a probe, pinned to the CPU that is its next one. `None` if there is no such probe.
    pub fn run(&mut self, probe: usize) -> Option<&Report> {
        let Runner { probes, fs, quota } = &mut *self.runner;
        let entry = probes.get_mut(probe)?;
        let start = self.start.get_or_insert_with(|| {
            // Without it the kernel puts wake-ups off by fifty microseconds.
            let _stays_at_fifty_micros = thread::set_smallest_timer_slack();
            let cpus = thread::allowed_cpus().unwrap_or_default();
            Start { cpus, neighbours: Neighbours::read(fs, quota.as_ref()) }
        });
        let placement = placement(&start.cpus, entry.runs);
        entry.runs = entry.runs.wrapping_add(1);
        let pinned = match self.pinned {
            Some((cpu, pinned)) if cpu == placement.cpu => pinned,
            _ => thread::pin(&[placement.cpu]),
        };
        self.pinned = Some((placement.cpu, pinned));
        let report = run(entry, probe, fs, placement, pinned);
        Some(self.reports.push_mut(report))
    }

    /// Tells a probe that tasks wait for a CPU most of the time. Whether it leaves its round out.
    pub fn pauses(&mut self, probe: usize) -> bool {
        let ready = self.runner.probes.get_mut(probe).and_then(|entry| entry.ready.as_mut().ok());
        ready.is_some_and(|ready| ready.feels_pressure())
    }

    /// Whether none has run in it yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    /// What the probes reported.
    #[must_use]
    pub fn end(self) -> Vec<Report> {
        let Self { runner, start, mut reports, .. } = self;
        let Some(Start { neighbours: before, .. }) = start else { return reports };
        // These counters move in steps of 10 ms, longer than most rounds: a step anywhere in the turn
        // disturbs all of its rounds.
        let after = Neighbours::read(&runner.fs, runner.quota.as_ref());
        for report in &mut reports {
            let elsewhere = !report.helpers.elsewhere.is_zero();
            report.causes.extend(before.causes(&after, report.placement, elsewhere));
        }
        reports
    }
}

/// Where a probe runs for the `runs`-th time, if it may use `cpus`.
fn placement(cpus: &[Cpu], runs: usize) -> Placement {
    let at = |index: usize| cpus.get(index % cpus.len().max(1)).copied();
    let cpu = at(runs).unwrap_or_else(|| thread::current_cpu().unwrap_or(0));
    Placement { cpu, other: at(runs.wrapping_add(1)).filter(|other| *other != cpu) }
}

fn run(
    entry: &mut Entry,
    probe: usize,
    fs: &HostFs,
    placement: Placement,
    pinned: Result<(), Errno>,
) -> Report {
    let Entry { spec, ready, .. } = entry;
    // Leaving out rounds for what they measure would be choosing the outcome.
    let waited = || if spec.measures_waiting { Waiting::Unknown } else { Waiting::of_this_thread(fs) };
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
    let mut causes = watch.causes(placement.cpu, after, helpers.here + answering);
    // Where the kernel tells nothing of waiting, what helpers reckon is worth no more.
    let helpers_waited = matches!(after, Waiting::Delay(_)) && helpers.waited > LONGEST_WAIT;
    if helpers_waited && !causes.contains(&Cause::Preempted) {
        causes.push(Cause::Preempted);
    }
    Report {
        probe,
        result,
        placement,
        causes,
        cpu: clock::thread_cpu().saturating_sub(cpu) + helpers.cpu(),
        helpers,
        elapsed: Duration::from_nanos(clock::monotonic_nanos().saturating_sub(started)),
        timestamp: clock::realtime_seconds(),
    }
}

#[cfg(test)]
mod tests {
    use tierprobe_model::{Kernel, Tier};

    use super::*;
    use crate::probe::Settings;

    #[test]
    fn what_was_not_pinned_is_not_published() {
        let specs: Vec<&'static Spec> = crate::probe::PROBES.iter().collect();
        let (fs, settings) = (HostFs::live(), Settings::default());
        let site = Site { fs: &fs, tier: Tier::Unknown, kernel: Kernel::Unknown, settings: &settings };
        let mut runner = Runner::new(&specs, &site);
        let placement = Placement { cpu: 0, other: None };
        for (index, entry) in runner.probes.iter_mut().enumerate() {
            let report = run(entry, index, &fs, placement, Err(Errno::EPERM));
            let refused = matches!(&report.result, Err(ProbeError::Failed(why)) if why.contains("pinned"));
            assert_eq!(refused, entry.spec.operations.is_some(), "{}: {report:?}", entry.spec.name);
        }
    }

    #[test]
    fn every_probe_sees_every_cpu_whatever_the_others_do() {
        let specs: Vec<&'static Spec> =
            ["memory", "boot"].map(|name| crate::probe::find(name).unwrap()).into();
        let (fs, settings) = (HostFs::fixture(std::path::Path::new("/nowhere")), Settings::default());
        let site = Site { fs: &fs, tier: Tier::Unknown, kernel: Kernel::Unknown, settings: &settings };
        let mut runner = Runner::new(&specs, &site);
        // The second probe runs in every second turn, as those do whose interval is twice another's.
        let mut seen = [Vec::new(), Vec::new()];
        for number in 0..4 {
            let mut turn = runner.begin();
            turn.start = Some(Start { cpus: vec![0, 1], neighbours: Neighbours::default() });
            for (probe, cpus) in seen.iter_mut().enumerate().take(1 + number % 2) {
                cpus.push(turn.run(probe).unwrap().placement.cpu);
            }
        }
        assert_eq!(seen, [vec![0, 1, 0, 1], vec![0, 1]]);
        for cpus in 2..5_usize {
            let all: Vec<Cpu> = (0..cpus).collect();
            let mut places: Vec<Cpu> = (0..cpus).map(|runs| placement(&all, runs).cpu).collect();
            places.sort_unstable();
            assert_eq!(places, all);
            assert!((0..cpus).all(|runs| placement(&all, runs).other.is_some()));
        }
        assert_eq!(placement(&[7], 3).other, None);
    }
}
