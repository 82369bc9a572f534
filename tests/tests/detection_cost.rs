//! What detection costs the host: time, opened files, and nothing else: no program, no socket, no privilege.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use tierprobe_model::Detection;
use tierprobe_tests::binary;
use tierprobe_tests::need::need;

/// Most files that are opened, tries of what is not there included.
const MOST_FILES: usize = 200;

/// Longest that detection may take, with the start of the program.
const LONGEST: Duration = Duration::from_millis(5);

/// Runs to find the fastest of: other work on the machine makes a run slower, and never faster.
const RUNS: usize = 200;

/// Not eprintln!: of a test that passes, the harness would swallow it.
fn tell(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// What the agent says, run through `command`, which ends in its path.
fn detect(mut command: Command) -> Detection {
    let output = command.args(["detect", "--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn detection_opens_few_files_starts_no_program_and_opens_no_socket() {
    let Some(strace) = need("strace") else { return };
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let mut command = Command::new(strace);
    command.args(["-f", "-e", "trace=open,openat,openat2,execve,execveat,socket", "-o"]).arg(&trace);
    command.arg(binary::agent());
    let detection = detect(command);
    assert!(!detection.evidence.is_empty(), "nothing was read: {detection:?}");
    let text = fs::read_to_string(trace).unwrap();
    // Each line is the process, and the call. A call that another thread interrupts has a second line.
    let calls: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .filter_map(|word| word.split_once('(').map(|(call, _)| call))
        .collect();
    let count = |name: &str| calls.iter().filter(|call| call.starts_with(name)).count();
    let opened = count("open");
    tell(&format!("detection opened or tried to open {opened} files"));
    assert!((10..=MOST_FILES).contains(&opened), "{opened} files: {text}");
    assert_eq!(count("exec"), 1, "the agent itself, and nothing else: {text}");
    assert_eq!(count("socket"), 0, "{text}");
}

#[test]
fn detection_takes_milliseconds() {
    let mut took: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let begin = Instant::now();
            detect(Command::new(binary::agent()));
            begin.elapsed()
        })
        .collect();
    took.sort_unstable();
    let (fastest, median) = (took.first().unwrap(), took.get(RUNS / 2).unwrap());
    tell(&format!("detection with the start of the agent: fastest {fastest:?}, median {median:?} of {RUNS}"));
    assert!(*fastest < LONGEST, "the fastest run took {fastest:?}");
}

#[test]
fn nobody_finds_the_same_tier_and_is_told_what_root_would_add() {
    if !nix::unistd::geteuid().is_root() {
        tell("SKIPPED: whoever runs this is nobody already");
        return;
    }
    let Some(setpriv) = need("setpriv") else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let agent = folder.path().join("agent");
    binary::copy(binary::agent(), &agent);
    let root = detect(Command::new(&agent));
    let mut command = Command::new(setpriv);
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--bounding-set=-all",
        "--no-new-privs",
    ]);
    command.arg(&agent);
    let nobody = detect(command);
    let names = |detection: &Detection| {
        let layers = detection.stack.iter().map(|layer| (layer.kind, layer.name.clone()));
        layers.collect::<Vec<_>>()
    };
    assert_eq!((nobody.tier, nobody.kernel, names(&nobody)), (root.tier, root.kernel, names(&root)));
    let hidden: Vec<_> = nobody.unreadable.iter().filter(|gap| !root.unreadable.contains(gap)).collect();
    for gap in &hidden {
        assert!(!gap.would_tell.is_empty() && !gap.reason.is_empty(), "{gap:?}");
        tell(&format!("hidden from nobody: {}, which would tell {}", gap.source, gap.would_tell));
    }
    // ACPI's tables are root's alone, wherever there are any.
    if fs::exists("/sys/firmware/acpi/tables/FACP").unwrap_or_default() {
        assert!(hidden.iter().any(|gap| gap.source.starts_with("/sys/firmware/acpi/")), "{hidden:?}");
    }
}
