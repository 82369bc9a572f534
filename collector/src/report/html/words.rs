//! Plain words: where a tier is, what a cost is, how much longer something takes.

use tierprobe_model::{Tier, Unit};

use crate::dataset::SeriesKey;
use crate::observation::Statistic;
pub(super) use crate::observation::counted;
use crate::report::{figure, name};

/// Where something runs: `in a container in a VM`; by its label where groups are no tiers.
#[must_use]
pub fn place(by: &str, group: &str) -> String {
    let tier: Option<Tier> = if by == "tier" { group.parse().ok() } else { None };
    let words = match tier {
        Some(Tier::BareMetal) => "on bare metal",
        Some(Tier::Vm) => "in a VM",
        Some(Tier::MicroVm) => "in a microVM",
        Some(Tier::Container) => "in a container",
        Some(Tier::ContainerInVm) => "in a container in a VM",
        Some(Tier::ContainerInMicroVm) => "in a container in a microVM",
        Some(Tier::Sandbox) => "in a sandbox",
        Some(Tier::Unknown) => "where the tier is unknown",
        None => return format!("with {by} {group}"),
    };
    words.to_owned()
}

/// What costs something, in words: family, and how they begin. Others are called by their names.
const PHRASES: &[(&str, &str)] = &[
    ("tierprobe_lab_start_seconds", "a start until the first answer"),
    ("tierprobe_lab_host_memory_bytes", "an instance's memory on its host"),
    ("tierprobe_memory_upkeep_bytes", "the memory to stay alive"),
    ("tierprobe_boot_duration_seconds", "a boot"),
    ("tierprobe_syscall_seconds", "a system call"),
    ("tierprobe_syscall_vdso_seconds", "a look at the clock without a system call"),
    ("tierprobe_vm_exit_seconds", "an instruction that leaves a guest"),
    ("tierprobe_page_fault_seconds", "a page fault"),
    ("tierprobe_scheduler_wakeup_delay_seconds", "a wake-up"),
    ("tierprobe_scheduler_ping_pong_seconds", "an exchange between threads"),
    ("tierprobe_spawn_seconds", "a new process"),
    ("tierprobe_network_round_trip_seconds", "a network round trip"),
    ("tierprobe_network_connect_seconds", "a TCP connect"),
    ("tierprobe_storage_seconds", "a storage operation"),
];

/// A cost as the subject of a sentence: `a system call (getppid)`.
#[must_use]
pub fn cost(key: &SeriesKey) -> String {
    let Some((_, phrase)) = PHRASES.iter().find(|(family, _)| *family == key.family) else {
        return name::full(key);
    };
    let values: Vec<&str> =
        key.labels.values().map(String::as_str).filter(|value| !value.is_empty()).collect();
    let mut text = (*phrase).to_owned();
    if !values.is_empty() {
        text.push_str(&format!(" ({})", values.join(" ")));
    }
    if !matches!(key.statistic, Statistic::P50 | Statistic::Value) {
        text.push_str(&format!(" at {}", key.statistic));
    }
    text
}

/// How a ratio changes a cost: `takes 25 % longer`, `takes 7.6 times as long`, `takes 20 % less memory`.
#[must_use]
pub fn change(ratio: f64, unit: Unit) -> String {
    let share = (ratio - 1.0) * 100.0;
    match (unit, ratio >= 1.0) {
        (Unit::Seconds, true) if ratio >= 2.0 => format!("takes {} times as long", figure::ratio(ratio)),
        (Unit::Seconds, true) => format!("takes {} longer", percent(share)),
        (Unit::Seconds, false) => format!("takes {} less time", percent(-share)),
        (Unit::Bytes, true) if ratio >= 2.0 => format!("is {} times as much", figure::ratio(ratio)),
        (Unit::Bytes, true) => format!("is {} more", percent(share)),
        (Unit::Bytes, false) => format!("is {} less", percent(-share)),
        (Unit::Ratio | Unit::Count, true) if ratio >= 2.0 => {
            format!("is {} times as high", figure::ratio(ratio))
        }
        (Unit::Ratio | Unit::Count, true) => format!("is {} higher", percent(share)),
        (Unit::Ratio | Unit::Count, false) => format!("is {} lower", percent(-share)),
    }
}

/// The interval of such a change, in the words that its ratio is told in: `21 to 29 %`, `7.4 to 7.8 times`.
#[must_use]
pub fn range(ratio: f64, low: Option<f64>, high: Option<f64>) -> Option<String> {
    if ratio >= 2.0 {
        return match (low, high) {
            (Some(low), Some(high)) => {
                Some(format!("{} to {} times", figure::ratio(low), figure::ratio(high)))
            }
            (Some(low), None) => Some(format!("at least {} times", figure::ratio(low))),
            (None, Some(high)) => Some(format!("at most {} times", figure::ratio(high))),
            (None, None) => None,
        };
    }
    let sign = if ratio >= 1.0 { 1.0 } else { -1.0 };
    let share = |ratio: f64| (ratio - 1.0) * 100.0 * sign;
    let (near, far) = if sign > 0.0 { (low, high) } else { (high, low) };
    match (near.map(share), far.map(share)) {
        (Some(near), Some(far)) if number(near) == number(far) => Some(format!("{near:.1} to {far:.1} %")),
        (Some(near), Some(far)) => Some(format!("{} to {}", number(near), percent(far))),
        (Some(near), None) => Some(format!("at least {}", percent(near))),
        (None, Some(far)) => Some(format!("at most {}", percent(far))),
        (None, None) => None,
    }
}

/// A share of hundred, two digits where it is small.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{} %", number(share))
}

fn number(share: f64) -> String {
    if share.abs() < 9.95 && share.abs() > 0.05 {
        let text = format!("{share:.1}");
        text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
    } else if share > -0.5 && share <= 0.0 {
        "0".to_owned()
    } else if share > 99.0 && share < 100.0 {
        // 99.7 % less is not all of it.
        format!("{share:.1}")
    } else {
        format!("{share:.0}")
    }
}

/// How sure an interval is, never more than it is: `95 % sure`, `99.8 % sure`.
#[must_use]
pub fn sure(confidence: f64) -> String {
    // Half of the last digit that a double has, so that 0.995 is not 99.4.
    let tenths = (confidence * 1000.0 + 1e-9).floor() / 10.0;
    format!("{tenths} % sure")
}

/// Text with its first letter as a sentence has it.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The words of a family as a heading has them: `Page fault`, `VM exit`.
#[must_use]
pub fn title(text: &str) -> String {
    const LETTERS: [&str; 2] = ["cpu", "vm"];
    let of = |word: &str| if LETTERS.contains(&word) { word.to_uppercase() } else { word.to_owned() };
    sentence(&text.split(' ').map(of).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_begin_large_and_letters_stay_letters() {
        assert_eq!(["cpu", "vm exit", "page fault", ""].map(title), ["CPU", "VM exit", "Page fault", ""]);
    }

    #[test]
    fn changes_are_told_in_per_cent_and_large_ones_in_times() {
        assert_eq!(change(1.25, Unit::Seconds), "takes 25 % longer");
        assert_eq!(change(7.6, Unit::Seconds), "takes 7.60 times as long");
        assert_eq!(change(0.8, Unit::Seconds), "takes 20 % less time");
        assert_eq!(change(0.003, Unit::Seconds), "takes 99.7 % less time");
        assert_eq!(change(1.012, Unit::Bytes), "is 1.2 % more");
        assert_eq!(change(0.5, Unit::Count), "is 50 % lower");
    }

    #[test]
    fn nothing_is_said_to_be_surer_than_it_is() {
        assert_eq!(
            [0.95, 0.995, 0.99983, 0.9876].map(sure),
            ["95 % sure", "99.5 % sure", "99.9 % sure", "98.7 % sure"]
        );
    }

    #[test]
    fn ranges_have_the_smaller_change_first() {
        assert_eq!(range(1.25, Some(1.21), Some(1.29)).as_deref(), Some("21 to 29 %"));
        assert_eq!(range(0.8, Some(0.75), Some(0.85)).as_deref(), Some("15 to 25 %"));
        assert_eq!(range(763.0, Some(700.0), Some(820.0)).as_deref(), Some("700 to 820 times"));
        assert_eq!(range(1.2, Some(1.1), None).as_deref(), Some("at least 10 %"));
        assert_eq!(range(1.2, None, None), None);
    }

    #[test]
    fn groups_that_are_no_tiers_are_called_by_their_label() {
        assert_eq!(place("tier", "container_in_vm"), "in a container in a VM");
        assert_eq!(place("launcher", "vm"), "with launcher vm");
        assert_eq!(place("tier", "moon"), "with tier moon");
    }
}
