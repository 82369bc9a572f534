//! Finds out where the agent is, and notices that it may be elsewhere by now.
//!
//! A running machine moves: it is migrated, or saved and restored on another host, and nobody tells it. Detection runs
//! anew on a schedule, and at once when a sign of that is seen:
//!
//! - `/dev/vmclock0` (Linux 6.13): the hypervisor changes its disruption marker when the machine was moved or restored.
//! - an event of ACPI, where there is a device for the generation of the machine (VMGENCTR): its hypervisor raises one
//!   when it has restored or copied the machine. The kernel shows the generation id itself nowhere; it only mixes it into
//!   its random numbers. The interrupts of ACPI are counted, of which a virtual machine has few others.
//! - `CLOCK_BOOTTIME` runs ahead of `CLOCK_MONOTONIC` while the machine sleeps, and the wall clock ahead of both when it
//!   was stopped without being told.
//! - another boot id, another clock source.

mod generation;

use std::time::Duration;

use crate::detect;
use crate::host::HostFs;
use crate::hostinfo::HostInfo;
use crate::machine::Machine;
use crate::snapshot::Place;
use crate::sys::clock;
use generation::Calls;

/// How far two clocks may drift apart between two looks, which are seconds apart, without a jump: NTP slews by at most
/// 500 ppm.
const LARGEST_SLEW: Duration = Duration::from_millis(500);

/// The page that `/dev/vmclock0` shows begins with this (`linux/vmclock-abi.h`), and has the marker there.
const VMCLOCK_MAGIC: &[u8] = b"VCLK";
const DISRUPTION_MARKER: std::ops::Range<usize> = 16..24;

/// Finds out where the agent is.
#[must_use]
pub fn locate(machine: &Machine) -> Place {
    let detection = detect::detect(machine);
    let host = HostInfo::read(&machine.fs);
    Place { detection, host, clock: clock::cost(), detected: clock::realtime_seconds() }
}

/// What changes when a machine is another, or elsewhere. What cannot be read is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: Option<String>,
    /// What the kernel reads time from.
    pub clocksource: Option<String>,
    /// The hypervisor's disruption marker.
    pub disruption: Option<Vec<u8>>,
    /// Events of ACPI since the machine booted, where it has a device for its generation.
    pub events: Option<u64>,
    /// How long the machine has slept since it booted: `CLOCK_BOOTTIME` less `CLOCK_MONOTONIC`.
    pub slept: Duration,
    /// When it booted by its clocks, since the epoch: `CLOCK_REALTIME` less `CLOCK_BOOTTIME`.
    pub booted: Duration,
}

impl Signs {
    /// Reads them. Under another root the clocks are not about its machine.
    fn read(fs: &HostFs, calls: &Calls) -> Self {
        let line = |path: &str| fs.text(path).ok().map(|text| text.trim().to_owned());
        let page = fs.bytes("/dev/vmclock0").ok().filter(|page| page.starts_with(VMCLOCK_MAGIC));
        let (monotonic, boottime, realtime) = if fs.is_live() {
            (clock::monotonic_nanos(), clock::boottime_nanos(), clock::realtime_nanos())
        } else {
            (0, 0, 0)
        };
        Self {
            boot_id: line("/proc/sys/kernel/random/boot_id"),
            clocksource: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            disruption: page.and_then(|page| page.get(DISRUPTION_MARKER).map(<[u8]>::to_vec)),
            events: calls.count(fs),
            slept: Duration::from_nanos(boottime.saturating_sub(monotonic)),
            booted: Duration::from_nanos(realtime.saturating_sub(boottime)),
        }
    }

    /// Why detection should run anew, if these were the signs, these are they `now`, and detection ran `age` ago and is
    /// to run once an `interval`.
    #[must_use]
    pub fn reason(&self, now: &Self, age: Duration, interval: Duration) -> Option<&'static str> {
        fn differ<T: PartialEq>(then: Option<&T>, now: Option<&T>) -> bool {
            then.zip(now).is_some_and(|(then, now)| then != now)
        }
        let jumped = |then: Duration, now: Duration| now.abs_diff(then) > LARGEST_SLEW;
        [
            ("another boot id", differ(self.boot_id.as_ref(), now.boot_id.as_ref())),
            ("moved or restored", differ(self.disruption.as_ref(), now.disruption.as_ref())),
            ("a new generation", differ(self.events.as_ref(), now.events.as_ref())),
            ("another clock source", differ(self.clocksource.as_ref(), now.clocksource.as_ref())),
            ("suspended", jumped(self.slept, now.slept)),
            ("the clock jumped", jumped(self.booted, now.booted)),
            ("schedule", age >= interval),
        ]
        .into_iter()
        .find_map(|(reason, holds)| holds.then_some(reason))
    }
}

/// Looks for signs, and detects anew.
#[derive(Debug)]
pub struct Lookout {
    machine: Machine,
    interval: Duration,
    calls: Calls,
    signs: Signs,
    last: Duration,
}

impl Lookout {
    /// Looks out on a machine that was detected just now.
    #[must_use]
    pub fn new(machine: Machine, interval: Duration) -> Self {
        let calls = Calls::find(&machine.fs);
        let signs = Signs::read(&machine.fs, &calls);
        Self { machine, interval, calls, signs, last: now() }
    }

    /// Longest that detection may stay as it is.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// The place anew and why it was looked for, if it is time to.
    pub fn look(&mut self) -> Option<(Place, &'static str)> {
        let signs = Signs::read(&self.machine.fs, &self.calls);
        let reason = self.signs.reason(&signs, now().saturating_sub(self.last), self.interval)?;
        self.signs = signs;
        self.last = now();
        if self.machine.fs.is_live() {
            self.machine = Machine::live(self.machine.fs.clone());
        }
        Some((locate(&self.machine), reason))
    }
}

fn now() -> Duration {
    Duration::from_nanos(clock::monotonic_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(300);
    const YOUNG: Duration = Duration::from_secs(5);

    fn signs() -> Signs {
        Signs {
            boot_id: Some("one".to_owned()),
            clocksource: Some("tsc".to_owned()),
            disruption: Some(vec![1]),
            events: Some(2),
            slept: Duration::from_secs(10),
            booted: Duration::from_secs(1_790_000_000),
        }
    }

    #[test]
    fn without_a_sign_detection_waits_for_its_interval() {
        let slewed = Signs { booted: signs().booted + Duration::from_millis(3), ..signs() };
        assert_eq!(signs().reason(&slewed, YOUNG, INTERVAL), None);
        assert_eq!(signs().reason(&slewed, INTERVAL, INTERVAL), Some("schedule"));
    }

    #[test]
    fn each_sign_is_reason_enough() {
        for (now, reason) in [
            (Signs { boot_id: Some("two".to_owned()), ..signs() }, "another boot id"),
            (Signs { disruption: Some(vec![2]), ..signs() }, "moved or restored"),
            (Signs { events: Some(3), ..signs() }, "a new generation"),
            (Signs { clocksource: Some("kvm-clock".to_owned()), ..signs() }, "another clock source"),
            (Signs { slept: signs().slept + Duration::from_secs(1), ..signs() }, "suspended"),
            (Signs { booted: signs().booted - Duration::from_secs(60), ..signs() }, "the clock jumped"),
        ] {
            assert_eq!(signs().reason(&now, YOUNG, INTERVAL), Some(reason));
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_sign() {
        let nothing = Signs { boot_id: None, clocksource: None, disruption: None, events: None, ..signs() };
        assert_eq!(signs().reason(&nothing, YOUNG, INTERVAL), None);
        assert_eq!(nothing.reason(&signs(), YOUNG, INTERVAL), None);
    }

    #[test]
    fn the_hypervisors_marker_is_read_from_its_page() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("dev")).unwrap();
        let mut page = [0_u8; 64];
        page[..4].copy_from_slice(VMCLOCK_MAGIC);
        page[16] = 7;
        let fs = HostFs::fixture(tree.path());
        std::fs::write(tree.path().join("dev/vmclock0"), page).unwrap();
        assert_eq!(Signs::read(&fs, &Calls::Nowhere).disruption, Some(vec![7, 0, 0, 0, 0, 0, 0, 0]));
        std::fs::write(tree.path().join("dev/vmclock0"), b"nonsense").unwrap();
        assert_eq!(Signs::read(&fs, &Calls::Nowhere), Signs::default());
    }
}
