//! What a bundle says about itself: `cpuid.toml`, `expected.toml`, `SOURCE.md`, `unreadable.txt`.

use std::fmt::Write as _;

use tierprobe_model::{Detection, LayerKind};

use super::mask::Masker;
use crate::cpuid::{Cpuid, Leaf};
use crate::host::Found;
use crate::sys::clock;

/// Seconds in a day.
const DAY_SECONDS: u64 = 86_400;

/// CPUID as `--cpuid` takes it.
pub(super) fn cpuid(cpuid: &Cpuid) -> String {
    let mut text = format!("hypervisor_bit = {}\n", cpuid.hypervisor_bit);
    if let Some(partition) = cpuid.hyperv_partition {
        let _infallible = writeln!(text, "hyperv_partition = {}", quoted(partition.as_str()));
    }
    text.push_str("\n[leaves]\n");
    for (Leaf(number), signature) in &cpuid.leaves {
        let _infallible = writeln!(text, "\"{number:#010x}\" = {}", quoted(signature));
    }
    text
}

/// A TOML string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _infallible = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// An id as it stands in the masked files: once as text, and then as a word of a path.
fn masked(masker: &mut Masker, id: &str) -> String {
    let text = masker.text(id);
    masker.words(&text)
}

/// The present verdict, as the tests of the host fixtures expect it.
///
/// Ids are masked as they are in the files.
pub(super) fn expected(detection: &Detection, arch: &str, masker: &mut Masker) -> String {
    let mut text =
        format!("tier = \"{}\"\nkernel = \"{}\"\n", detection.tier.as_str(), detection.kernel.as_str());
    // A tenth less than now, so that a finer weight elsewhere does not fail the test.
    let floor = ((detection.confidence * 10.0).floor() / 10.0 - 0.1).max(0.0);
    let _infallible = writeln!(text, "min_confidence = {floor:.1}\narch = {}", quoted(arch));
    let absent: Vec<String> = LayerKind::ALL
        .iter()
        .filter(|kind| detection.layer(**kind).is_none())
        .map(|kind| format!("\"{}\"", kind.as_str()))
        .collect();
    let _infallible = writeln!(text, "absent = [{}]", absent.join(", "));
    let roles: Vec<String> = detection.roles.iter().map(|role| quoted(role)).collect();
    let _infallible = writeln!(text, "roles = [{}]\n\n[stack]", roles.join(", "));
    for kind in LayerKind::ALL {
        if let Some(name) = detection.layer(*kind) {
            let _infallible = writeln!(text, "{} = {}", kind.as_str(), quoted(name));
        }
    }
    text.push_str("\n[ids]\n");
    for kind in LayerKind::ALL {
        let ids: Vec<String> = detection
            .stack
            .iter()
            .filter(|layer| layer.kind == *kind)
            .filter_map(|layer| Some(quoted(&masked(masker, layer.id.as_ref()?))))
            .collect();
        if !ids.is_empty() {
            let _infallible = writeln!(text, "{} = [{}]", kind.as_str(), ids.join(", "));
        }
    }
    text
}

/// Where the files are from.
pub(super) fn source(detection: &Detection, release: &str, arch: &str) -> String {
    format!(
        "# NAME\n\n\
         A host that tierprobe-agent {version} takes for: {tier}.\n\
         TODO: what it is in truth, and correct `expected.toml` if that is something else.\n\n\
         Kernel {release}, {arch}, {date}.\n\
         Made by `tierprobe-agent bundle`: the files that detection read, with ids, addresses, names and whatever it does not \
         know for public masked.\n",
        version = env!("CARGO_PKG_VERSION"),
        tier = detection.tier.as_str(),
        release = if release.is_empty() { "unknown" } else { release },
        date = date(clock::realtime_nanos() / 1_000_000_000),
    )
}

/// What detection wanted to read and could not, a line a file.
pub(super) fn unreadable(reads: &[(String, Found)]) -> String {
    let mut lines: Vec<String> = reads
        .iter()
        .filter_map(|(path, found)| match found {
            Found::Unreadable(error) => Some(format!("{path}: {error}\n")),
            Found::File(_) | Found::Link(_) | Found::Names(_) | Found::Exists { .. } | Found::Missing => None,
        })
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines.concat()
}

/// The day of an instant, as `2026-11-23`, by the proleptic Gregorian calendar.
fn date(seconds_since_epoch: u64) -> String {
    let leap = |year: u64| (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let (mut days, mut year) = (seconds_since_epoch / DAY_SECONDS, 1970);
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::HypervPartition;

    #[test]
    fn days_are_counted_over_leap_years() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_709_251_199, "2024-02-29"),
            (1_709_251_200, "2024-03-01"),
            (1_798_761_599, "2026-12-31"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn cpuid_is_written_as_it_is_read() {
        let cpuid_here = Cpuid {
            hypervisor_bit: true,
            leaves: [(Leaf(0x4000_0000), "a\"\\\u{1}b".to_owned())].into_iter().collect(),
            hyperv_partition: Some(HypervPartition::SevSnp),
        };
        let read: Cpuid = toml::from_str(&cpuid(&cpuid_here)).unwrap();
        assert_eq!(read, cpuid_here);
    }
}
