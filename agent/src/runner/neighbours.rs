//! What others did to the CPUs and to this control group, as far as the kernel counts it.

use tierprobe_model::Cause;

use crate::cgroup::Cgroup;
use crate::host::HostFs;
use crate::probe::Placement;
use crate::sys::thread::Cpu;

/// Counters at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Neighbours {
    /// Ticks of each CPU that the hypervisor gave to others, as `/proc/stat` lists them.
    steal: Vec<(Cpu, u64)>,
    /// How often the quota of the control group, or of one around it, was used up.
    throttled: Option<u64>,
}

impl Neighbours {
    pub(super) fn read(fs: &HostFs, quota: Option<&Cgroup>) -> Self {
        // Under another root the files are not about this thread.
        if !fs.is_live() {
            return Self::default();
        }
        let stat = fs.text("/proc/stat").unwrap_or_default();
        Self {
            steal: stat.lines().skip(1).map_while(steal).collect(),
            throttled: quota.and_then(|cgroup| cgroup.keyed_around(fs, "cpu.stat", "nr_throttled")),
        }
    }

    /// What happened until `after` to a round that ran at `placement`, with a part `elsewhere`.
    pub(super) fn causes(
        &self,
        after: &Self,
        placement: Placement,
        elsewhere: bool,
    ) -> impl Iterator<Item = Cause> {
        let rose = |before: Option<u64>, after: Option<u64>| before.is_some() && after > before;
        let stolen = |cpu: Cpu| rose(self.steal_of(cpu), after.steal_of(cpu));
        let is_stolen = stolen(placement.cpu) || elsewhere && placement.other.is_some_and(stolen);
        let throttled = rose(self.throttled, after.throttled).then_some(Cause::Throttled);
        [is_stolen.then_some(Cause::Steal), throttled].into_iter().flatten()
    }

    fn steal_of(&self, cpu: Cpu) -> Option<u64> {
        self.steal.iter().find(|(one, _)| *one == cpu).map(|(_, steal)| *steal)
    }
}

/// The CPU of its line in `/proc/stat`, and field 8 of that (proc(5)). `None` for what comes after the CPUs.
fn steal(line: &str) -> Option<(Cpu, u64)> {
    let mut fields = line.strip_prefix("cpu")?.split_ascii_whitespace();
    Some((fields.next()?.parse().ok()?, fields.nth(7)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_number_of_the_cpus_own_line() {
        assert_eq!(steal("cpu1 1 2 3 4 5 6 7 41 9 10"), Some((1, 41)));
        assert_eq!(steal("cpu10 1 2 3 4 5 6 7 42 9 10"), Some((10, 42)));
        for other in ["intr 1 2 3 4 5 6 7 8 9 10", "cpu2 garbage", "cpu", ""] {
            assert_eq!(steal(other), None, "{other}");
        }
        let live = Neighbours::read(&HostFs::live(), None);
        assert!(live.steal_of(0).is_some() || live.steal.is_empty(), "{live:?}");
    }

    #[test]
    fn only_what_rose_is_a_cause() {
        let place = Placement { cpu: 3, other: Some(4) };
        let counters = |here, other, throttled| Neighbours { steal: vec![(3, here), (4, other)], throttled };
        let before = counters(1, 7, None);
        let causes = |after: &Neighbours, elsewhere| -> Vec<Cause> {
            before.causes(after, place, elsewhere).collect()
        };
        assert_eq!(causes(&counters(2, 7, Some(5)), false), [Cause::Steal]);
        assert_eq!(causes(&before, true), []);
        assert_eq!(causes(&counters(1, 8, None), true), [Cause::Steal]);
        assert_eq!(causes(&counters(1, 8, None), false), [], "nothing of the round ran there");
        assert_eq!(causes(&Neighbours::default(), true), [], "what is not told is no cause");
    }
}
