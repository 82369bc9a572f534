//! Damaged hosts: losing or spoiling one file may cost the agent its verdict, but must never make it certain of a
//! wrong one.
//!
//! That holds for every host, file and kind of damage, without exceptions: no single piece of evidence may be all
//! that stands between the truth and a certain error.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tierprobe_model::Tier;

use super::{Host, fail_with, hosts, story};

/// From here on a verdict counts as certain, and a wrong one as a failure.
pub(super) const CERTAIN: f64 = 0.9;

/// Longest value in evidence, in characters: it ends up in logs and on terminals.
const MAX_VALUE_CHARS: usize = 200;

/// Longest that one detection may take; it takes milliseconds.
const MAX_SECONDS: f32 = 5.0;

#[test]
fn a_missing_file_or_folder_never_makes_a_wrong_verdict_certain() {
    for_each_entry(|host, file, wrong| {
        // Without the whole of /proc or /sys it is another host, of which `no_proc` is one.
        if file.is_dir() && file.parent().is_some_and(|parent| parent.ends_with("root")) {
            return;
        }
        let away = file.with_file_name("taken-away");
        // Out of the way under a name that no detector knows is as good as deleted, and can be undone.
        fs::rename(file, &away).unwrap();
        judge(host, &format!("without {}", shown(host, file)), wrong);
        fs::rename(&away, file).unwrap();
    });
}

/// What a file is full of instead. Nothing stands for itself too: the kernel has empty files that mean something
/// (`/proc/xen/capabilities` of a guest), yet a single one must not turn the verdict round.
const SPOILT: &[(&str, &[u8])] = &[
    ("0xff", &[0xff; 32]),
    ("control characters", b"\x1b[2J\x00\x07\r\n\t\x08\x7f=:/[]\n - \0\0\0\0\0\0\0\0\0\0\0"),
    ("nothing", b""),
];

const SPOILT_BYTES: usize = 1 << 20;

/// How much of it most hosts get: what a megabyte does to a parser does not depend on the host.
const SPOILT_BYTES_AGAIN: usize = 4 << 10;

#[test]
fn a_hostile_file_never_makes_a_wrong_verdict_certain() {
    let scratch = tempfile::tempdir().unwrap();
    for (name, pattern) in SPOILT {
        for size in [SPOILT_BYTES, SPOILT_BYTES_AGAIN] {
            let content = pattern.repeat(size / pattern.len().max(1));
            fs::write(scratch.path().join(format!("{size} {name}")), content).unwrap();
        }
    }
    let spoilt_before = Mutex::new(BTreeSet::new());
    for_each_entry(|host, file, wrong| {
        if file.is_dir() && !file.is_symlink() {
            return;
        }
        let path = shown(host, file);
        let is_first = spoilt_before.lock().unwrap().insert(path.clone());
        let size = if is_first { SPOILT_BYTES } else { SPOILT_BYTES_AGAIN };
        let away = file.with_file_name("taken-away");
        fs::rename(file, &away).unwrap();
        for (name, _) in SPOILT {
            let content = scratch.path().join(format!("{size} {name}"));
            // A hard link is quick and, unlike a symbolic one, does not lead out of the tree.
            fs::hard_link(&content, file).or_else(|_| fs::copy(&content, file).map(drop)).unwrap();
            judge(host, &format!("{path} is full of {name}"), wrong);
            fs::remove_file(file).unwrap();
        }
        fs::create_dir(file).unwrap();
        judge(host, &format!("{path} is a directory"), wrong);
        fs::remove_dir(file).unwrap();
        fs::rename(&away, file).unwrap();
    });
}

/// Detects and notes what is certain and wrong, or what would garble a terminal. Not to panic is part of the
/// test; a CPUID file that is no TOML may be refused.
fn judge(host: &Host, change: &str, wrong: &mut Vec<String>) {
    let started = Instant::now();
    let Ok(found) = host.detect() else { return };
    if started.elapsed().as_secs_f32() > MAX_SECONDS {
        wrong.push(format!("{}, {change}: took {:?}", host.name, started.elapsed()));
    }
    let tier = found.tier.as_str();
    if found.tier != Tier::Unknown && tier != host.expected.tier && found.confidence >= CERTAIN {
        wrong.push(format!("{}, {change}: expected {}\n{}", host.name, host.expected.tier, story(&found)));
    }
    // An id that the whole host does not have is made up of what was left.
    let wrong_id = found.stack.iter().find(|layer| {
        let expected = host.expected.ids.get(layer.kind.as_str());
        layer.id.as_ref().is_some_and(|id| !expected.is_some_and(|expected| expected.contains(id)))
    });
    if let Some(layer) = wrong_id {
        wrong.push(format!("{}, {change}: a wrong id: {layer:?}", host.name));
    }
    let garbled =
        |value: &str| value.chars().count() > MAX_VALUE_CHARS || value.chars().any(char::is_control);
    if let Some(evidence) = found.evidence.iter().find(|evidence| garbled(&evidence.value)) {
        wrong.push(format!("{}, {change}: value not fit to print: {evidence:?}", host.name));
    }
}

/// Calls `damage` for each file, link and folder of a copy of each host, on all processors.
pub(super) fn for_each_entry(damage: impl Fn(&Host, &Path, &mut Vec<String>) + Sync) {
    let (hosts, next, wrong) = (hosts(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(host) = hosts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let copy = tempfile::tempdir().unwrap();
            let mut files = Vec::new();
            copy_tree(&host.folder, copy.path(), &mut files);
            let expected = host.expected.clone();
            let host = Host { name: host.name.clone(), folder: copy.path().to_owned(), expected };
            let mut found = Vec::new();
            judge(&host, "undamaged", &mut found);
            // What is wrong by itself would be wrong with each damage again.
            if found.is_empty() {
                for file in files {
                    damage(&host, &file, &mut found);
                }
            }
            wrong.lock().unwrap().extend(found);
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(work);
        }
    });
    fail_with(&wrong.into_inner().unwrap(), "cargo test -p tierprobe-tests --test hosts certain");
}

/// Copies `root/` and `cpuid.toml`, links as links, and lists what was copied.
pub(super) fn copy_tree(from: &Path, to: &Path, files: &mut Vec<PathBuf>) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        let name = entry.file_name();
        if name == "expected.toml" || name == "SOURCE.md" {
            continue;
        } else if kind.is_dir() {
            copy_tree(&entry.path(), &target, files);
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path()).unwrap(), &target).unwrap();
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
        files.push(target);
    }
}

/// The path as it stands in the fixture.
pub(super) fn shown(host: &Host, file: &Path) -> String {
    file.strip_prefix(&host.folder).unwrap_or(file).display().to_string()
}
