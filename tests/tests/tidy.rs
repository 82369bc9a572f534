//! The rules of the house that no lint knows: layout, boundaries, the sizes of files.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Files above this are two files.
const MOST_LINES: usize = 500;

/// The top-level folders.
const FOLDERS: &[&str] =
    &[".ci", ".git", "agent", "collector", "dashboards", "deploy", "out", "target", "tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All Rust files below a folder, by path from the root, with their text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() && !path.ends_with("fixtures") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().display().to_string(), text));
            }
        }
    }
    assert!(!found.is_empty(), "no sources below {folder}");
    found
}

fn all_sources() -> Vec<(String, String)> {
    ["agent", "collector", "tests"].into_iter().flat_map(sources).collect()
}

/// Fails with every offender, not only the first.
fn none(offenders: Vec<String>, rule: &str) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

fn offenders(files: &[(String, String)], offends: impl Fn(&str, &str) -> bool) -> Vec<String> {
    files.iter().filter(|(path, text)| offends(path, text)).map(|(path, _)| path.clone()).collect()
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    none(offenders(&all_sources(), |_, text| text.lines().count() > MOST_LINES), "files over 500 lines");
}

#[test]
fn every_file_says_what_it_is() {
    // A test module beside its code is introduced by the code.
    let unsaid = |path: &str, text: &str| !path.ends_with("tests.rs") && !text.starts_with("//!");
    none(offenders(&all_sources(), unsaid), "files without a module comment");
}

#[test]
fn agent_and_collector_share_only_the_model_and_the_wire() {
    let foreign = |other: &'static str| move |_: &str, text: &str| text.contains(other);
    none(offenders(&sources("agent"), foreign("tierprobe_collector")), "the agent knows the collector");
    none(offenders(&sources("collector"), foreign("tierprobe_agent::")), "the collector knows the agent");
    let ours = |_: &str, text: &str| {
        ["tierprobe_agent", "tierprobe_model", "tierprobe_collector"].iter().any(|name| text.contains(name))
    };
    none(offenders(&sources("agent/web"), ours), "the web knows what it serves");
    let model = ["std::fs", "std::net", "std::process", "tokio", "Instant", "SystemTime", "unsafe "];
    let impure = |_: &str, text: &str| model.iter().any(|word| text.contains(word));
    none(offenders(&sources("agent/model"), impure), "the model does more than name things");
}

#[test]
fn each_boundary_crate_has_one_user() {
    for (marker, home) in [
        ("sysinfo::", "agent/src/hostinfo.rs"),
        ("prometheus::", "agent/src/export/"),
        ("unsafe {", "agent/src/sys/"),
        ("indicatif::", "agent/src/command/"),
    ] {
        let elsewhere = |path: &str, text: &str| text.contains(marker) && !path.starts_with(home);
        none(offenders(&sources("agent/src"), elsewhere), &format!("`{marker}` outside of {home}"));
    }
    let unsafe_code = |_: &str, text: &str| text.contains("unsafe {");
    none(offenders(&sources("collector"), unsafe_code), "unsafe code in the collector");
}

#[test]
fn every_probe_and_detector_is_in_its_table() {
    for folder in ["agent/src/probe", "agent/src/detect"] {
        let table = fs::read_to_string(root().join(folder).join("mod.rs")).unwrap();
        for (path, text) in sources(folder) {
            let stem = Path::new(&path).file_stem().unwrap().to_str().unwrap();
            let module = if stem == "mod" {
                Path::new(&path).parent().unwrap().file_name().unwrap().to_str().unwrap()
            } else {
                stem
            };
            let is_row =
                text.contains("pub(super) const SPEC: Spec") || text.contains("impl super::Detector for");
            if is_row {
                assert!(
                    table.contains(&format!("    {module}::SPEC,"))
                        || table.contains(&format!("    &{module}::")),
                    "{path} has no row in {folder}/mod.rs"
                );
            }
        }
    }
}

#[test]
fn the_methodology_says_of_each_probe_what_its_code_says() {
    let methodology = fs::read_to_string(root().join("agent/METHODOLOGY.md")).unwrap();
    let mut missing = Vec::new();
    for (path, text) in sources("agent/src/probe") {
        if !text.contains("pub(super) const SPEC: Spec") {
            continue;
        }
        let doc: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
        for heading in ["# What is measured", "# What distorts it", "# Cost"] {
            assert!(doc.contains(&heading), "{path} lacks `{heading}`");
        }
        let spec = text.lines().skip_while(|line| !line.contains("const SPEC: Spec"));
        let name = spec.into_iter().find_map(|line| line.strip_prefix("    name: \"")?.strip_suffix("\","));
        let begin = format!("\n## Probe `{}`\n", name.unwrap());
        let section = methodology.split_once(&begin).map_or("", |(_, rest)| rest);
        let section = section.split("\n## ").next().unwrap_or_default();
        assert!(section.contains("\n### Reference\n"), "{path}: no reference in agent/METHODOLOGY.md");
        let lines = doc.iter().filter(|line| !line.is_empty() && !line.starts_with('#'));
        missing.extend(lines.filter(|line| !section.contains(**line)).map(|line| format!("{path}: {line}")));
    }
    none(missing, "agent/METHODOLOGY.md does not quote");
}

#[test]
fn the_top_level_is_what_the_architecture_says() {
    let unexpected = fs::read_dir(root())
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| !FOLDERS.contains(&name.as_str()))
        .collect();
    none(unexpected, "unexpected top-level folders");
}
