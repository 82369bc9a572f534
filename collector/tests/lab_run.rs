//! The lab for real: real processes, sandboxes and signals, with a stand-in for the agent.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a panic is how a test fails, and a test that is skipped says so"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// A static program that answers as an agent does.
fn stand_in() -> &'static Path {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, program) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("tierprobe-agent");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand_in/agent.rs");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut build = Command::new(rustc);
        build
            .args(["--edition", "2024", "-C", "target-feature=+crt-static", "-o"])
            .arg(&program)
            .arg(&source);
        assert!(build.status().unwrap().success(), "{build:?}");
        (folder, program)
    });
    program
}

/// The lab, with a folder of its own for everything that it puts on a disk.
fn lab(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tierprobe-collector"));
    command
        .arg("lab")
        .args(arguments)
        .arg("--agent")
        .arg(stand_in())
        .env("TMPDIR", folder)
        .stdin(Stdio::null());
    command
}

/// Runs it to its end.
fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

/// What a program said, for messages of failed tests.
fn words(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Names of processes that this lab started and that are still there.
fn left_processes(lab: u32) -> Vec<String> {
    let marker = format!("TIERPROBE_LAB_RUN=tierprobe-lab-{lab}-");
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let is_ours = |folder: &PathBuf| {
        fs::read(folder.join("environ"))
            .is_ok_and(|environ| environ.windows(marker.len()).any(|window| window == marker.as_bytes()))
    };
    entries
        .map(|entry| entry.path())
        .filter(is_ours)
        .map(|folder| fs::read_to_string(folder.join("comm")).unwrap_or_default())
        .collect()
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "still not so after 20 s: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether bubblewrap can make a sandbox for us; says so where it cannot.
fn has_bwrap() -> bool {
    let works = Command::new("bwrap")
        .args(["--ro-bind", "/", "/", "--unshare-pid", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        eprintln!("SKIPPED bwrap: not installed, or not allowed to make namespaces");
    }
    works
}

/// A lab that has got so far that an instance runs.
fn started(folder: &Path) -> Child {
    let mut command = lab(folder, &["--tier", "process,bwrap", "--for", "30s"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("an instance runs", || left_processes(child.id()).iter().any(|name| name.contains("agent")));
    child
}

#[test]
fn two_tiers_are_compared_and_nothing_is_left() {
    if !has_bwrap() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let results = tempfile::tempdir().unwrap();
    let file = results.path().join("lab.json");
    let mut command = lab(folder.path(), &["--tier", "process,bwrap", "--for", "3s", "--starts", "2"]);
    let output = run(command.arg("--output").arg(&file));
    assert!(output.status.success(), "{}", words(&output));
    assert!(is_empty(folder.path()));

    let document: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(document["baseline"], "process");
    let tiers = document["lab"]["tiers"].as_array().unwrap();
    for tier in tiers {
        assert_eq!(tier["starts"].as_array().unwrap().len(), 2, "{tier}");
        assert!(tier["host_memory_bytes_p50"].as_f64().unwrap() > 50_000.0, "{tier}");
        let start = tier["start_seconds_p50"].as_f64().unwrap();
        assert!(start > 0.0 && start < 10.0, "{tier}");
        assert!(tier["turns"]["rounds"].as_u64().unwrap() >= 1, "{tier}");
    }
    assert_eq!(tiers.len(), 2);
    let families: Vec<&str> =
        document["rows"].as_array().unwrap().iter().filter_map(|row| row["family"].as_str()).collect();
    for family in
        ["tierprobe_lab_start_seconds", "tierprobe_lab_host_memory_bytes", "tierprobe_syscall_seconds"]
    {
        assert!(families.contains(&family), "{family} is not in {families:?}");
    }
}

#[test]
fn a_file_gets_the_form_that_its_name_asks_for() {
    if !has_bwrap() {
        return;
    }
    let (folder, results) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = results.path().join("lab.html");
    let of = ["--tier", "process,bwrap", "--for", "3s", "--starts", "1", "--format", "html"];
    let output = run(lab(folder.path(), &of).arg("--output").arg(&file));
    assert!(output.status.success(), "{}", words(&output));
    let page = fs::read_to_string(&file).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"), "{page}");
    for part in ["<title>bwrap against process</title>", "lab start", "lab host memory", "syscall"] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    assert!(output.stdout.is_empty(), "the same is not printed, too: {}", words(&output));
}

#[test]
fn a_signal_in_the_middle_leaves_nothing() {
    if !has_bwrap() {
        return;
    }
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = tempfile::tempdir().unwrap();
        let mut lab = started(folder.path());
        kill(Pid::from_raw(i32::try_from(lab.id()).unwrap()), signal).unwrap();
        assert!(!lab.wait().unwrap().success());
        assert!(is_empty(folder.path()), "{signal} left files");
        assert_eq!(left_processes(lab.id()), Vec::<String>::new(), "{signal} left processes");
    }
}

#[test]
fn a_killed_lab_is_cleaned_up_by_its_guard() {
    if !has_bwrap() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut lab = started(folder.path());
    lab.kill().unwrap();
    lab.wait().unwrap();
    wait_until("the files are gone", || is_empty(folder.path()));
    wait_until("the processes are gone", || left_processes(lab.id()).is_empty());
}

#[test]
fn a_launcher_that_fails_is_named_and_cleaned_up() {
    let folder = tempfile::tempdir().unwrap();
    let programs = tempfile::tempdir().unwrap();
    let fake = programs.path().join("bwrap");
    fs::write(&fake, "#!/bin/sh\necho no such luck >&2\nexit 3\n").unwrap();
    fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").unwrap());
    let mut command = lab(folder.path(), &["--tier", "process,bwrap", "--for", "3s", "--starts", "1"]);
    let output = run(command.env("PATH", path));
    assert!(!output.status.success());
    assert!(words(&output).contains("no such luck"), "{}", words(&output));
    // The one that works was measured, as far as it got.
    assert!(words(&output).contains("process"), "{}", words(&output));
    assert!(is_empty(folder.path()));
}

#[test]
fn an_agent_that_needs_libraries_is_refused_with_the_remedy() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tierprobe-collector"));
    let output = run(command.args(["lab", "--agent", "/bin/sh"]));
    assert!(!output.status.success());
    assert!(words(&output).contains("crt-static"), "{}", words(&output));
}

#[test]
fn the_list_names_every_launcher_and_what_it_needs() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tierprobe-collector"));
    let output = run(command.args(["lab", "--list", "--format", "json"]));
    assert!(output.status.success(), "{}", words(&output));
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> =
        list["launchers"].as_array().unwrap().iter().filter_map(|line| line["launcher"].as_str()).collect();
    assert_eq!(names, ["process", "runc", "docker", "bwrap", "qemu"]);
}
