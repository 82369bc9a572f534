//! What each probe says where something that it needs is refused, missing or scarce: the shipped agent, confined.
//!
//! A probe that has lost everything is `failed` or `unsupported`, one that has lost a part goes on without it; either way
//! `check` says why, the metrics say so, and no other probe is any different.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

#[path = "denied/call.rs"]
mod call;
#[path = "denied/file.rs"]
mod file;
#[path = "denied/scarce.rs"]
mod scarce;
#[path = "denied/tree.rs"]
mod tree;

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;
use tierprobe_tests::binary;

/// What a probe is expected to say. The words are part of the reason.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// It measures, without a part.
    Lacks(&'static str),
    /// It should have worked.
    Failed(&'static str),
    /// There is no such thing here.
    Unsupported(&'static str),
}

use Expected::{Failed, Lacks, Unsupported};

/// A way to confine the agent.
struct Case<'a> {
    name: String,
    /// The agent, confined, without arguments.
    agent: &'a dyn Fn() -> Command,
    /// Probes that are different; all others are as they are without all this.
    expected: Vec<(&'static str, Expected)>,
    /// Parts of series that are there without all this, and now are not.
    absent: Vec<&'static str>,
}

/// The agent where everybody may run it, and a directory for the probe storage.
struct Place {
    folder: TempDir,
    agent: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let agent = folder.path().join("agent");
        binary::copy(binary::agent(), &agent);
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        Self { folder, agent }
    }

    fn directory(&self) -> &Path {
        self.folder.path()
    }
}

/// What an agent that nobody confines says.
static CONTROL: LazyLock<(Place, Answer)> = LazyLock::new(|| {
    let place = Place::new();
    let answer = Answer::of(&place, "nothing", &|| Command::new(&place.agent));
    (place, answer)
});

/// What `check` says of a probe.
#[derive(Debug, Default)]
struct Said {
    outcome: String,
    detail: String,
    absent: String,
}

/// What `check` and a scrape say.
struct Answer {
    /// Outcome, what follows it, and what is absent, by probe.
    check: BTreeMap<String, Said>,
    /// Whether `check` says that preemption is told by switches.
    by_switches: bool,
    /// Series, each with its value.
    series: Vec<String>,
}

impl Answer {
    fn of(place: &Place, case: &str, agent: &dyn Fn() -> Command) -> Self {
        let run = |arguments: &[&str]| {
            let mut command = agent();
            command.args(arguments).arg("--probe.storage.directory").arg(place.directory());
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!said.contains("panicked"), "{case}: {said}");
            (output.status.code(), String::from_utf8(output.stdout).unwrap(), said)
        };
        let (code, text, said) = run(&["check"]);
        let mut check: BTreeMap<String, Said> = BTreeMap::new();
        let mut last = String::new();
        for line in text.lines() {
            let is_of_the_last = line.starts_with(' ');
            let (name, rest) = line.trim_start().split_once(char::is_whitespace).unwrap_or_default();
            if is_of_the_last && name == "absent" {
                let said: &mut Said = check.get_mut(&last).unwrap();
                said.absent += &format!("{}; ", rest.trim());
            }
            let (outcome, detail) = rest.trim_start().split_once(char::is_whitespace).unwrap_or_default();
            if !is_of_the_last && ["ok", "failed", "unsupported"].contains(&outcome) {
                name.clone_into(&mut last);
                let (outcome, detail) = (outcome.to_owned(), detail.trim().to_owned());
                check.insert(name.to_owned(), Said { outcome, detail, ..Said::default() });
            }
        }
        assert!(check.len() >= 10, "{case}: {code:?}: {text}{said}");
        let by_switches = text.contains("Preemption is told by switches alone");
        let fails = check.values().any(|said| said.outcome == "failed");
        assert_eq!(code, Some(i32::from(fails)), "{case}: {text}");
        let (code, text, said) = run(&["measure", "--rounds", "1", "--format", "prometheus"]);
        assert_eq!(code, Some(0), "{case}: {said}");
        let series = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        Self { check, by_switches, series }
    }

    fn has(&self, part: &str) -> bool {
        self.series.iter().any(|series| series.contains(part))
    }

    /// The value of a gauge with the one label `probe`.
    fn of_probe(&self, family: &str, probe: &str) -> Option<&str> {
        let name = format!("{family}{{probe=\"{probe}\"}} ");
        self.series.iter().find_map(|series| series.strip_prefix(&name))
    }
}

/// Everything that is wrong about what was said in a case.
fn wrong(case: &Case<'_>, answer: &Answer) -> Vec<String> {
    let (_, control) = &*CONTROL;
    let mut wrong = Vec::new();
    for (probe, said) in &answer.check {
        let Said { outcome, detail, absent } = said;
        let before = control.check.get(probe).unwrap();
        let expected = case.expected.iter().find(|(name, _)| name == probe).map(|(_, expected)| expected);
        let is_as_expected = match expected {
            Some(Lacks(why)) => outcome == "ok" && absent.contains(why),
            Some(Failed(why)) => outcome == "failed" && detail.contains(why),
            Some(Unsupported(why)) => outcome == "unsupported" && detail.contains(why),
            None => (outcome, absent) == (&before.outcome, &before.absent),
        };
        if !is_as_expected {
            wrong.push(format!("{}: check says {probe} {said:?}", case.name));
        }
        let (supported, up) = match outcome.as_str() {
            "ok" => (Some("1"), Some("1")),
            "failed" => (Some("1"), Some("0")),
            _ => (Some("0"), None),
        };
        let found =
            ["tierprobe_probe_supported", "tierprobe_probe_up"].map(|name| answer.of_probe(name, probe));
        if found != [supported, up] {
            wrong.push(format!("{}: the metrics of {probe} say supported and up {found:?}", case.name));
        }
        // Absent is not zero.
        if outcome != "ok" && answer.has(&format!("tierprobe_{probe}_")) {
            wrong.push(format!("{}: {probe} has series", case.name));
        }
    }
    for part in &case.absent {
        if !control.has(part) || answer.has(part) {
            let (before, now) = (control.has(part), answer.has(part));
            wrong.push(format!("{}: {part} is there {before} without it, {now} with it", case.name));
        }
    }
    wrong
}

/// What is said in each case. Fails with every case that is wrong, not only the first.
fn hold(cases: &[Case<'_>]) -> Vec<Answer> {
    let (place, _) = &*CONTROL;
    let answers: Vec<Answer> = cases.iter().map(|case| Answer::of(place, &case.name, case.agent)).collect();
    let wrong: Vec<String> =
        cases.iter().zip(&answers).flat_map(|(case, answer)| wrong(case, answer)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    answers
}
