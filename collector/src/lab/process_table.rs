//! What `/proc` says about the processes of an instance: kinship, memory, and whose they are.
//!
//! See proc_pid_stat(5), proc_pid_smaps(5) and proc_pid_environ(5).

use std::fs;
use std::path::PathBuf;

/// The environment variable that everything which the lab starts carries; its value is the name of the run.
pub(crate) const MARKER: &str = "TIERPROBE_LAB_RUN";

/// What `/proc/PID/stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The process.
    pub(crate) pid: i32,
    /// Its parent.
    pub(crate) parent: i32,
    /// When it started, in clock ticks after boot: with the pid, this names a process for good.
    pub(crate) started: u64,
    /// Whether it has ended and waits for its parent to ask how.
    pub(crate) is_zombie: bool,
}

fn folder(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

/// What the kernel says of the process; `None` when there is none.
#[must_use]
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(pid, &fs::read_to_string(folder(pid).join("stat")).ok()?)
}

fn parse_stat(pid: i32, text: &str) -> Option<Stat> {
    // The name in parentheses may itself hold spaces and parentheses.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // Field 22 of the line; `state` is field 3.
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat { pid, parent, started, is_zombie: matches!(state, "Z" | "X") })
}

/// Every process that is there now.
#[must_use]
pub(crate) fn all() -> Vec<Stat> {
    pids().into_iter().filter_map(stat).collect()
}

/// The number of every process that is there now.
#[must_use]
pub(crate) fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// `root` and everything that descends from it.
#[must_use]
pub(crate) fn family(root: i32) -> Vec<i32> {
    let table = all();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(table.iter().filter(|stat| stat.parent == parent).map(|stat| stat.pid));
        next += 1;
    }
    family
}

/// Whether the process was started by this run of the lab.
///
/// Zombies have no environment any more and so are nobody's.
#[must_use]
pub(crate) fn has_marker(pid: i32, run: &str) -> bool {
    has_variable(pid, MARKER, run)
}

/// Whether the process was started with this environment variable.
#[must_use]
pub(crate) fn has_variable(pid: i32, name: &str, value: &str) -> bool {
    let wanted = format!("{name}={value}");
    fs::read(folder(pid).join("environ"))
        .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes()))
}

/// All processes of this run of the lab.
#[must_use]
pub(crate) fn marked(run: &str) -> Vec<i32> {
    pids().into_iter().filter(|pid| has_marker(*pid, run)).collect()
}

/// The name that the kernel shows for the process.
#[must_use]
pub(crate) fn name(pid: i32) -> String {
    fs::read_to_string(folder(pid).join("comm")).map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// Proportional set size in bytes: private pages whole, shared pages divided by the number of their users.
///
/// `None` when the process is gone, or when the kernel does not let us look (another user's process).
#[must_use]
pub(crate) fn pss_bytes(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(folder(pid).join("smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = "7 (a) b (c)) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 2";
        let stat = parse_stat(7, line).unwrap();
        assert_eq!(stat, Stat { pid: 7, parent: 3, started: 4242, is_zombie: false });
    }

    #[test]
    fn this_process_has_a_parent_and_memory() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(stat(own).is_some_and(|stat| stat.parent > 0 && !stat.is_zombie));
        assert!(pss_bytes(own).is_some_and(|bytes| bytes > 4096));
        assert!(family(own).contains(&own));
    }
}
