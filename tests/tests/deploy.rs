//! What is in `deploy/`: accepted by the programs that read it, and by the agent.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::path::Path;
use std::process::Command;

use tierprobe_tests::need::need;
use tierprobe_tests::prometheus::promtool;
use tierprobe_tests::{agent, binary, repository};

const UNIT: &str = "deploy/systemd/tierprobe-agent.service";
const DROP_IN: &str = "deploy/systemd/measurement.conf";

/// Highest exposure, of 10, that `systemd-analyze security` may find.
const MOST_EXPOSED: f64 = 1.7;

/// What makes systemd install a seccomp filter: `context_has_seccomp()` in its `src/core/`.
const SECCOMP: &[&str] = &[
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "PrivateDevices",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SystemCallArchitectures",
    "SystemCallFilter",
    "SystemCallLog",
];

fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap()
}

/// `Name=value` of a unit file, in order.
fn directives(unit: &str) -> Vec<(&str, &str)> {
    let lines = unit.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).collect()
}

fn value<'a>(unit: &'a str, name: &str) -> Option<&'a str> {
    directives(unit).into_iter().rev().find(|(directive, _)| *directive == name).map(|(_, value)| value)
}

/// The unit in a folder, with the binary that was built, and the drop-in if asked for.
fn installed(with_drop_in: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let unit = text(UNIT).replace("/usr/bin/tierprobe-agent", binary::agent().to_str().unwrap());
    std::fs::write(folder.path().join("tierprobe-agent.service"), unit).unwrap();
    if with_drop_in {
        let drop_ins = folder.path().join("tierprobe-agent.service.d");
        std::fs::create_dir(&drop_ins).unwrap();
        std::fs::copy(repository(DROP_IN), drop_ins.join("measurement.conf")).unwrap();
    }
    folder
}

/// Everything that `systemd-analyze` says about the unit in `folder`; it must succeed.
fn analyze(program: &Path, arguments: &[&str], folder: &Path) -> String {
    let unit = folder.join("tierprobe-agent.service");
    let output = Command::new(program).args(arguments).arg(unit).env("LC_ALL", "C").output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "systemd-analyze {}: {}\n{said}", arguments.join(" "), output.status);
    said
}

#[test]
fn systemd_understands_the_unit_and_its_drop_in() {
    let Some(program) = need("systemd-analyze") else { return };
    for with_drop_in in [false, true] {
        let folder = installed(with_drop_in);
        let said = analyze(&program, &["verify", "--man=no"], folder.path());
        // Unknown directives are only warned of.
        let about_us: Vec<&str> = said.lines().filter(|line| line.contains("tierprobe-agent")).collect();
        assert!(about_us.is_empty(), "{}", about_us.join("\n"));
    }
}

#[test]
fn the_unit_is_as_closed_as_it_promises() {
    let Some(program) = need("systemd-analyze") else { return };
    let folder = installed(false);
    let said = analyze(&program, &["security", "--offline=true", "--no-pager"], folder.path());
    let level = said.split("Overall exposure level").nth(1).and_then(|rest| rest.split(": ").nth(1));
    let level: f64 =
        level.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_else(|| {
            panic!("no exposure level in:\n{said}");
        });
    assert!(level <= MOST_EXPOSED, "{level}:\n{said}");
}

#[test]
fn the_collectors_unit_is_understood_and_closed() {
    let Some(program) = need("systemd-analyze") else { return };
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("tierprobe-collector.service");
    // Only the program's path is another one: verifying wants it to be there.
    let own = text("deploy/systemd/tierprobe-collector.service")
        .replace("/usr/bin/tierprobe-collector", "/usr/bin/env tierprobe-collector");
    std::fs::write(&unit, own).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(&program).args(arguments).arg(&unit).env("LC_ALL", "C").output().unwrap();
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
    };
    let said = run(&["verify", "--man=no"]);
    let about_us: Vec<&str> = said.lines().filter(|line| line.contains("tierprobe-collector")).collect();
    assert!(about_us.is_empty(), "{}", about_us.join("\n"));
    let said = run(&["security", "--offline=true", "--no-pager"]);
    let level = said.split("Overall exposure level").nth(1).and_then(|rest| rest.split(": ").nth(1));
    let level: Option<f64> = level.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    assert!(level.is_some_and(|level| level <= MOST_EXPOSED), "{level:?}:\n{said}");
}

#[test]
fn the_unit_leaves_what_is_measured_in_sight() {
    let unit = text(UNIT);
    // Empty /proc or a loopback of its own: the numbers would be zero, or somebody else's.
    for hidden in ["ProcSubset", "PrivateNetwork", "PrivateUsers", "RootDirectory"] {
        assert_eq!(value(&unit, hidden), None, "{hidden}");
    }
    for bound in ["MemoryMax", "TasksMax"] {
        assert!(value(&unit, bound).is_some(), "{bound}");
    }
    assert_eq!(value(&unit, "DynamicUser"), Some("yes"));
    assert_eq!(value(&unit, "Type"), Some("exec"));
}

#[test]
fn the_drop_in_takes_back_every_seccomp_filter() {
    let (unit, drop_in) = (text(UNIT), text(DROP_IN));
    for directive in SECCOMP {
        if value(&unit, directive).is_some() {
            let taken_back = matches!(value(&drop_in, directive), Some("" | "no"));
            assert!(taken_back, "{DROP_IN} leaves {directive}");
        }
    }
    // It implies RestrictSUIDSGID=yes, whatever that says.
    assert_eq!(value(&drop_in, "DynamicUser"), Some("no"));
    assert_eq!(value(&drop_in, "User"), Some("tierprobe"), "not root, then");
    assert!(text("deploy/systemd/sysusers.conf").lines().any(|line| line.starts_with("u tierprobe ")));
    let kept = directives(&drop_in)
        .into_iter()
        .find(|(name, _)| !SECCOMP.contains(name) && !["DynamicUser", "User", "Group"].contains(name));
    assert_eq!(kept, None, "the drop-in is about seccomp and nothing else");
}

#[test]
fn the_agent_accepts_the_flags_it_is_started_with() {
    let unit = text(UNIT);
    let of_unit: Vec<String> = value(&unit, "ExecStart").unwrap().split(' ').map(str::to_owned).collect();
    let of_image = entrypoint(&text("deploy/Dockerfile"));
    for command in [of_unit, of_image] {
        assert!(command[0].ends_with("/tierprobe-agent"), "{command:?}");
        let flags: Vec<&str> = command[1..].iter().map(String::as_str).collect();
        assert_eq!(flags[0], "serve");
        // --help ends before anything is started, but not before the flags are read.
        let help = agent::output(&[flags.as_slice(), &["--help"]].concat());
        for flag in &flags[1..] {
            let name = flag.split('=').next().unwrap();
            assert!(help.contains(name), "{name} is not in the agent's help");
        }
    }
}

/// The words of the last `ENTRYPOINT`.
fn entrypoint(dockerfile: &str) -> Vec<String> {
    let line = dockerfile.lines().rev().find_map(|line| line.strip_prefix("ENTRYPOINT "));
    serde_json::from_str(line.unwrap()).unwrap()
}

#[test]
fn the_image_is_the_binary_alone_and_no_root() {
    let dockerfile = text("deploy/Dockerfile");
    let (_, last_stage) = dockerfile.rsplit_once("\nFROM ").unwrap();
    let instructions: Vec<&str> =
        last_stage.lines().skip(1).filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!(last_stage.lines().next(), Some("scratch"));
    let copies = instructions.iter().filter(|line| line.starts_with("COPY") || line.starts_with("ADD"));
    assert_eq!(copies.count(), 1, "{instructions:?}");
    let user = instructions.iter().find_map(|line| line.strip_prefix("USER ")).unwrap();
    for id in user.split(':') {
        assert!(id.parse::<u32>().unwrap() > 0, "{user} is not a number other than root's");
    }
    assert!(instructions.contains(&"EXPOSE 10990"), "{instructions:?}");
    let listens = entrypoint(&dockerfile).contains(&"--web.listen-address=0.0.0.0:10990".to_owned());
    assert!(listens, "a container's loopback interface is its own");
    // Nothing is there to load: a binary that wants an interpreter would not start.
    let binary = std::fs::read(binary::agent()).unwrap();
    let interpreter = b"/lib64/ld-linux";
    assert!(!binary.windows(interpreter.len()).any(|bytes| bytes == interpreter), "not static");
}

#[test]
fn the_build_context_has_every_member_of_the_workspace() {
    let kept = text(".dockerignore");
    let kept: Vec<&str> = kept.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    for member in manifest["workspace"]["members"].as_array().unwrap() {
        let member = member.as_str().unwrap();
        for needed in [format!("{member}/Cargo.toml"), format!("{member}/src")] {
            let whole = |path: &&str| needed == **path || needed.starts_with(&format!("{path}/"));
            assert!(kept.iter().any(whole), ".dockerignore leaves out {needed}");
        }
    }
}

#[test]
fn promtool_accepts_the_scrape_configuration() {
    let Some(program) = need("promtool") else { return };
    promtool(&program, &["check", "config", "deploy/prometheus/prometheus.yml"], "").unwrap();
}
