//! # What is measured
//!
//! How long each phase of the boot took, on a kernel of the agent's own. The method is a label:
//! `systemd` is one question to systemd over D-Bus, by the rules of `systemd-analyze time`: `firmware` and `loader` where
//! the firmware tells, `kernel` until the first program, `initrd`, and `userspace` until nothing is left to start; their
//! sum is a family of its own. A boot that is not finished has no such phases yet: it is asked again every 15 s.
//! After a soft reboot, and where systemd itself runs in a container, `userspace` is all there is.
//! `kmsg` is the kernel's line "Run /sbin/init as init process". `efi` and `acpi` are what the boot loader left in EFI's
//! variables and the firmware in ACPI's performance table.
//! `starttime` is field 22 of `/proc/1/stat`, in ticks of 10 ms: when the kernel made its first process, long before it ran
//! a program in it, so that its phase is another one, `first_process`.
//! And when the kernel, the container and the agent started, as points in time: when somebody starts a container
//! says nothing about what it costs.
//!
//! # What distorts it
//!
//! Without systemd, EFI or ACPI, what comes before the kernel's clock is not seen: most virtual machines have none of it.
//! An initrd without systemd counts as part of the kernel's phase, and in `kmsg` the first program is the initrd's.
//! A service that never gets ready keeps the boot unfinished for ever. dbus-daemon lets nobody in whose user systemd has
//! made up (`DynamicUser=`), so that the shipped unit names one. The kernel's log may have lost its beginning or be
//! out of reach, which it is under the shipped unit. Points in time move with the wall clock; offsets of a time namespace
//! are taken out of the kernel's.
//!
//! # Cost
//!
//! Some small files and the kernel's log, 0.5 ms of CPU time, and one answer of 5 KiB over a socket, once; as long as the
//! boot is not finished again every 15 s. Nobody waits longer than 2 s for systemd.

mod bus;
mod firmware;
mod kernel;
mod message;
mod start;
mod systemd;

use std::time::Duration;

use tierprobe_model::{Family, Kernel, Kind};

use super::{Placement, Probe, ProbeError, Round, Spec};
use crate::host::HostFs;
use systemd::Boot as State;

const DURATION: Family = Family {
    name: "tierprobe_boot_duration_seconds",
    help: "How long a phase of the boot took, by the method that tells it.",
    kind: Kind::Gauge,
    labels: &["phase", "method"],
};
const TOTAL: Family = Family {
    name: "tierprobe_boot_total_seconds",
    help: "How long the whole boot took: the sum of the phases that this method tells.",
    kind: Kind::Gauge,
    labels: &["method"],
};
const START: Family = Family {
    name: "tierprobe_boot_start_timestamp_seconds",
    help: "When the kernel, the container's first process and the agent started.",
    kind: Kind::Gauge,
    labels: &["of"],
};

/// Boot time.
pub(super) const SPEC: Spec = Spec {
    name: "boot",
    measures: "phases of the boot, from firmware to user space; when kernel, container and agent started",
    interval: None,
    operations: None,
    measures_waiting: false,
    families: &[&DURATION, &TOTAL, &START],
    prepare: |site| {
        Ok(Box::new(Boot { fs: site.fs.clone(), kernel: site.kernel, patience: MOST_FAILED_QUESTIONS }))
    },
};

/// How often systemd is asked that gives no answer: five minutes, in which the slowest boot has started its bus.
const MOST_FAILED_QUESTIONS: u32 = 20;

struct Boot {
    fs: HostFs,
    kernel: Kernel,
    /// How many questions to systemd may still fail.
    patience: u32,
}

impl Probe for Boot {
    fn measure(&mut self, _: Placement) -> Result<Round, ProbeError> {
        let mut round = Round::default();
        if self.kernel == Kernel::Own {
            self.own_kernel(&mut round)?;
        }
        self.systemd(&mut round);
        start::read(&self.fs, self.kernel, &mut round)?;
        if round.gauges.is_empty() && !round.is_unfinished {
            return Err(ProbeError::unsupported(
                "neither systemd, the kernel's log, the firmware nor /proc/1/stat tells",
            ));
        }
        Ok(round)
    }
}

impl Boot {
    fn own_kernel(&self, round: &mut Round) -> Result<(), ProbeError> {
        let phase = |phase: &'static str, method: &'static str, round: &mut Round, time: Duration| {
            round.gauge(&DURATION, [phase, method], time.as_secs_f64());
        };
        for (method, stamps) in [("efi", firmware::efi(&self.fs)), ("acpi", firmware::acpi(&self.fs))] {
            match stamps {
                Ok(Some(stamps)) => {
                    phase("firmware", method, round, stamps.firmware);
                    phase("loader", method, round, stamps.loader);
                }
                Ok(None) => {}
                Err(why) => round.miss("the firmware's and the loader's phase", why),
            }
        }
        match self.fs.kernel_log().map(|log| kernel::first_program(&log)) {
            Ok(Some(time)) => phase("kernel", "kmsg", round, time),
            Ok(None) => {
                round.absent.push("the kernel's phase by its log: the log has no such line".to_owned())
            }
            Err(error) => round.absent.push(format!("the kernel's phase by its log: /dev/kmsg: {error}")),
        }
        match kernel::started(&self.fs, "/proc/1/stat")? {
            Ok(time) => phase("first_process", "starttime", round, time),
            Err(why) => round.miss("the first process's phase", why),
        }
        Ok(())
    }

    /// Publishes what systemd says of the boot, as far as it is the boot of this place.
    fn systemd(&mut self, round: &mut Round) {
        let state = match systemd::ask(&self.fs) {
            Ok(Some(state)) => state,
            Ok(None) => return,
            Err(error) => {
                self.patience = self.patience.saturating_sub(1);
                round.is_unfinished = self.patience > 0;
                round.absent.push(format!("phases by systemd: {error}"));
                return;
            }
        };
        let phases = match state {
            State::Unfinished => {
                round.is_unfinished = true;
                round.absent.push("phases by systemd: the boot is not finished".to_owned());
                return;
            }
            // A container that reaches the systemd of its host would publish the boot of its host.
            State::Machine(_) if self.kernel == Kernel::Shared => return,
            State::Machine(phases) | State::UserSpace(phases) => phases,
        };
        let mut total = Duration::ZERO;
        for (phase, time) in phases {
            round.gauge(&DURATION, [phase, "systemd"], time.as_secs_f64());
            total = total.saturating_add(time);
        }
        round.gauge(&TOTAL, ["systemd"], total.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(files: &[(&str, &[u8])], kernel: Kernel) -> Result<Round, ProbeError> {
        let tree = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let mut boot = Boot { fs: HostFs::fixture(tree.path()), kernel, patience: MOST_FAILED_QUESTIONS };
        boot.measure(Placement { cpu: 0, other: None })
    }

    fn phases(round: &Round) -> Vec<(String, f64)> {
        round.gauges.iter().map(|gauge| (gauge.labels.join(" "), gauge.value)).collect()
    }

    const STAT: &[u8] =
        b"1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 42 9 10 18446744073709551615 1 1 0 0 \
        0 0 0 4096 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
    const ACPI: [(&str, &[u8]); 2] = [
        ("sys/firmware/acpi/fpdt/boot/bootloader_launch_ns", b"5855973785\n"),
        ("sys/firmware/acpi/fpdt/boot/exitbootservice_end_ns", b"14325507185\n"),
    ];

    #[test]
    fn each_source_speaks_for_itself() {
        let files = [&ACPI[..], &[("proc/1/stat", STAT)]].concat();
        let round = measured(&files, Kernel::Own).unwrap();
        let expected = [
            ("firmware acpi", 5.855_973_785),
            ("loader acpi", 8.469_533_4),
            ("first_process starttime", 0.42),
        ];
        assert_eq!(phases(&round), expected.map(|(name, value)| (name.to_owned(), value)));
        assert!(!round.is_unfinished, "a tree of files has no systemd to wait for");
    }

    #[test]
    fn a_container_does_not_publish_the_boot_of_its_host() {
        let files = [&ACPI[..], &[("proc/1/stat", STAT), ("run/systemd/system/x", b"")]].concat();
        for kernel in [Kernel::Shared, Kernel::Unknown] {
            let error = measured(&files, kernel).unwrap_err();
            assert!(matches!(&error, ProbeError::Unsupported(_)), "{error:?}");
        }
    }

    #[test]
    fn garbage_is_named() {
        let error = measured(&[("proc/1/stat", b"garbage")], Kernel::Own).unwrap_err();
        assert!(matches!(&error, ProbeError::Failed(why) if why.starts_with("/proc/1/stat")), "{error:?}");
    }
}
