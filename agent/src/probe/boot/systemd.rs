//! What systemd says of the boot: one question, and the rules by which `systemd-analyze time` reads the answer.
//!
//! See `org.freedesktop.systemd1`(5). Stamps are microseconds on `CLOCK_MONOTONIC`, zero where something did not take place;
//! those of firmware and boot loader count backwards from the kernel's start.

use std::time::Duration;

use super::bus::{self, Peer};
use crate::host::HostFs;

/// Where systemd answers itself, for root alone.
const PRIVATE_SOCKET: &str = "/run/systemd/private";
/// Where the bus is that everybody may ask.
const BUS_SOCKET: &str = "/run/dbus/system_bus_socket";

/// Longest that an answer may take; it takes some milliseconds, and the measuring thread has more to do.
const PATIENCE: Duration = Duration::from_secs(2);

/// How far a boot has got, as systemd sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Boot {
    /// Not yet to its end.
    Unfinished,
    /// The phases of a machine's boot; they add up to all of it.
    Machine(Vec<(&'static str, Duration)>),
    /// The one phase of a container's start, or of a soft reboot: the machine's boot was another.
    UserSpace(Vec<(&'static str, Duration)>),
}

/// Asks systemd, itself or over the bus. `None` where there is none.
///
/// # Errors
///
/// What went wrong, with the socket that was asked.
pub(super) fn ask(fs: &HostFs) -> Result<Option<Boot>, String> {
    // sd_booted(3): a bus can be there without systemd.
    if !fs.is_live() || fs.exists("/run/systemd/system") != Ok(true) {
        return Ok(None);
    }
    let (peer, path) = match fs.connect(PRIVATE_SOCKET) {
        Ok(stream) => (Peer::Itself(stream), PRIVATE_SOCKET),
        Err(_) => {
            (Peer::Bus(fs.connect(BUS_SOCKET).map_err(|error| format!("{BUS_SOCKET}: {error}"))?), BUS_SOCKET)
        }
    };
    let boot = bus::properties(peer, PATIENCE).and_then(|properties| read(&properties));
    boot.map(Some).map_err(|why| format!("{path}: {why}"))
}

/// The rules.
fn read(properties: &[(String, u64)]) -> Result<Boot, String> {
    let find = |name: &str| properties.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let stamp = |name: &str| find(&format!("{name}TimestampMonotonic")).unwrap_or(0);
    let finish = find("FinishTimestampMonotonic").ok_or("no FinishTimestampMonotonic")?;
    if finish == 0 {
        return Ok(Boot::Unfinished);
    }
    let (firmware, loader, initrd, userspace) =
        (stamp("Firmware"), stamp("Loader"), stamp("InitRD"), stamp("Userspace"));
    let span = |phase: &'static str, from: u64, to: u64| {
        let micros = to.checked_sub(from).ok_or_else(|| format!("{phase} ends before it begins"))?;
        Ok::<_, String>((phase, Duration::from_micros(micros)))
    };
    let last = span("userspace", userspace, finish)?;
    // Security modules are loaded on a machine only; after a soft reboot the stamps before are those of the boot before.
    if stamp("SecurityStart") == 0 || find("SoftRebootsCount").is_some_and(|count| count > 0) {
        return Ok(Boot::UserSpace(vec![last]));
    }
    let mut phases = Vec::new();
    if firmware > 0 {
        phases.push(span("firmware", loader, firmware)?);
    }
    if loader > 0 {
        phases.push(span("loader", 0, loader)?);
    }
    phases.push(span("kernel", 0, if initrd > 0 { initrd } else { userspace })?);
    if initrd > 0 {
        phases.push(span("initrd", initrd, userspace)?);
    }
    phases.push(last);
    Ok(Boot::Machine(phases))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn properties(values: &[(&str, u64)]) -> Vec<(String, u64)> {
        values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    fn stamps(values: &[(&str, u64)]) -> Vec<(String, u64)> {
        values.iter().map(|(name, value)| (format!("{name}TimestampMonotonic"), *value)).collect()
    }

    fn micros(phases: &[(&'static str, Duration)]) -> Vec<(&'static str, u128)> {
        phases.iter().map(|(phase, time)| (*phase, time.as_micros())).collect()
    }

    /// A laptop: firmware 8.1 s, loader 2 s, kernel 0.9 s, initrd 3.1 s, user space 12.4 s.
    const LAPTOP: [(&str, u64); 6] = [
        ("Firmware", 10_100_000),
        ("Loader", 2_000_000),
        ("InitRD", 900_000),
        ("Userspace", 4_000_000),
        ("SecurityStart", 4_010_000),
        ("Finish", 16_400_000),
    ];

    #[test]
    fn a_machines_phases_are_those_of_systemd_analyze() {
        let Ok(Boot::Machine(phases)) = read(&stamps(&LAPTOP)) else { panic!() };
        let expected = [
            ("firmware", 8_100_000),
            ("loader", 2_000_000),
            ("kernel", 900_000),
            ("initrd", 3_100_000),
            ("userspace", 12_400_000),
        ];
        assert_eq!(micros(&phases), expected);
    }

    #[test]
    fn what_did_not_take_place_has_no_phase() {
        // The guest of the tests, as its bus said it.
        let guest = [("Userspace", 3_035_262), ("SecurityStart", 3_041_000), ("Finish", 13_506_962)];
        let Ok(Boot::Machine(phases)) = read(&stamps(&guest)) else { panic!() };
        assert_eq!(micros(&phases), [("kernel", 3_035_262), ("userspace", 10_471_700)]);
    }

    #[test]
    fn a_boot_that_is_not_finished_has_no_phases() {
        let unfinished: Vec<(&str, u64)> =
            LAPTOP.iter().map(|(name, value)| (*name, if *name == "Finish" { 0 } else { *value })).collect();
        assert_eq!(read(&stamps(&unfinished)), Ok(Boot::Unfinished));
        assert!(read(&properties(&[("Version", 252)])).is_err(), "that was not systemd");
    }

    #[test]
    fn in_a_container_only_user_space_counts() {
        let container = [("Userspace", 500_000_000), ("Finish", 501_250_000), ("InitRD", 7)];
        assert_eq!(
            read(&stamps(&container)),
            Ok(Boot::UserSpace(vec![("userspace", Duration::from_micros(1_250_000))]))
        );
    }

    #[test]
    fn after_a_soft_reboot_earlier_stages_are_another_boots() {
        let mut again = stamps(&LAPTOP);
        again.extend(properties(&[("SoftRebootsCount", 1)]));
        assert_eq!(read(&again), Ok(Boot::UserSpace(vec![("userspace", Duration::from_micros(12_400_000))])));
        again.last_mut().unwrap().1 = 0;
        assert!(matches!(read(&again), Ok(Boot::Machine(_))));
    }

    proptest! {
        #[test]
        fn phases_add_up_to_the_whole_or_there_are_none(values in prop::array::uniform6(any::<u64>())) {
            let named: Vec<(&str, u64)> = LAPTOP.iter().zip(values).map(|((name, _), value)| (*name, value)).collect();
            if let Ok(Boot::Machine(phases)) = read(&stamps(&named)) {
                let sum: u128 = phases.iter().map(|(_, time)| time.as_micros()).sum();
                let of = |name: &str| u128::from(named.iter().find(|(known, _)| *known == name).unwrap().1);
                // The boot loader's stamp alone is a phase, too.
                let before = if of("Firmware") > 0 { of("Firmware") } else { of("Loader") };
                prop_assert_eq!(sum, before + of("Finish"));
            }
        }
    }
}
