//! Detection over the trees in `fixtures/hosts`: one folder a host, no code a host.
//!
//! A host is `root/` (what the agent sees), `expected.toml`, on x86 `cpuid.toml`, and `SOURCE.md`.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "hosts/bundle.rs"]
mod bundle;
#[path = "hosts/calibration.rs"]
mod calibration;
#[path = "hosts/damage.rs"]
mod damage;

use serde::Deserialize;
use tierprobe_agent::detect::detect;
use tierprobe_agent::machine::Machine;
use tierprobe_model::{Detection, LayerKind, Tier};

/// `expected.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    tier: String,
    /// Left out where the answer is a matter of taste.
    kernel: Option<String>,
    #[serde(default)]
    min_confidence: f64,
    arch: String,
    /// Kinds of layer that must not be in the stack.
    #[serde(default)]
    absent: Vec<String>,
    /// Sources of evidence that the verdict must know of and go against.
    #[serde(default)]
    against: Vec<String>,
    /// Names of what its isolation lacks, worst first; left out where that is not looked at.
    findings: Option<Vec<String>>,
    /// All that it can do beside being a tier; left out where that is not looked at.
    roles: Option<Vec<String>>,
    /// The kinds of all layers, from the process outwards; left out where that is not looked at.
    order: Option<Vec<String>>,
    /// The names of all layers, from the process outwards; left out where that is not looked at.
    layers: Option<Vec<String>>,
    /// The ids of all layers that have one, by kind, from the process outwards.
    #[serde(default)]
    ids: BTreeMap<String, Vec<String>>,
    /// Layers by kind.
    #[serde(default)]
    stack: BTreeMap<String, String>,
}

/// A folder of `fixtures/hosts`, or a copy of one.
#[derive(Debug)]
struct Host {
    name: String,
    folder: PathBuf,
    expected: Expected,
}

impl Host {
    fn detect(&self) -> Result<Detection, String> {
        let cpuid = Some(self.folder.join("cpuid.toml")).filter(|file| file.exists());
        let machine =
            Machine::fixture(&self.folder.join("root"), cpuid.as_deref(), Some(&self.expected.arch));
        Ok(detect(&machine.map_err(|error| error.to_string())?))
    }
}

fn hosts() -> Vec<Host> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts");
    let mut hosts: Vec<Host> = fs::read_dir(all)
        .unwrap()
        .map(|entry| {
            let folder = entry.unwrap().path();
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(folder.join("SOURCE.md").exists(), "{name}: no SOURCE.md says where its facts are from");
            let text = fs::read_to_string(folder.join("expected.toml")).unwrap();
            let expected =
                toml::from_str(&text).unwrap_or_else(|error| panic!("{name}/expected.toml: {error}"));
            Host { name, folder, expected }
        })
        .collect();
    hosts.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(hosts.len() >= 24, "only {} hosts: were the fixtures checked out?", hosts.len());
    hosts
}

/// What differs from `expected.toml`, one line a difference.
fn differences(expected: &Expected, found: &Detection) -> Vec<String> {
    let mut wrong = Vec::new();
    if found.tier.as_str() != expected.tier {
        wrong.push(format!("tier is {}, expected {}", found.tier.as_str(), expected.tier));
    } else if found.confidence < expected.min_confidence {
        wrong.push(format!("only {} sure, expected {}", found.confidence, expected.min_confidence));
    }
    if let Some(kernel) = &expected.kernel
        && found.kernel.as_str() != kernel
    {
        wrong.push(format!("kernel is {}, expected {kernel}", found.kernel.as_str()));
    }
    let layer = |kind: &str| found.layer(kind.parse::<LayerKind>().unwrap_or_else(|error| panic!("{error}")));
    for (kind, name) in &expected.stack {
        if layer(kind) != Some(name) {
            wrong.push(format!("{kind} is {}, expected {name}", layer(kind).unwrap_or("absent")));
        }
    }
    for kind in &expected.absent {
        if let Some(name) = layer(kind) {
            wrong.push(format!("{kind} is {name}, expected none"));
        }
    }
    if let Some(roles) = &expected.roles
        && found.roles != *roles
    {
        wrong.push(format!("roles are {:?}, expected {roles:?}", found.roles));
    }
    let findings: Vec<&str> = found.isolation.findings.iter().map(|finding| finding.name.as_str()).collect();
    if let Some(expected) = &expected.findings
        && findings != *expected
    {
        wrong.push(format!("isolation lacks {findings:?}, expected {expected:?}"));
    }
    let order: Vec<&str> = found.stack.iter().map(|layer| layer.kind.as_str()).collect();
    if expected.order.as_ref().is_some_and(|expected| order != *expected) {
        wrong.push(format!("layers are {order:?}, expected {:?}", expected.order));
    }
    let layers: Vec<&str> = found.stack.iter().map(|layer| layer.name.as_str()).collect();
    if expected.layers.as_ref().is_some_and(|expected| layers != *expected) {
        wrong.push(format!("layers are {layers:?}, expected {:?}", expected.layers));
    }
    // An id that is not expected is a wrong one.
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for layer in &found.stack {
        if let Some(id) = &layer.id {
            ids.entry(layer.kind.as_str().to_owned()).or_default().push(id.clone());
        }
    }
    if ids != expected.ids {
        wrong.push(format!("ids are {ids:?}, expected {:?}", expected.ids));
    }
    for source in &expected.against {
        let set_aside =
            found.evidence.iter().any(|e| e.source == *source && e.supports != holds(found, &e.claim));
        if !set_aside {
            wrong.push(format!("no evidence from {source} is set aside"));
        }
    }
    wrong
}

/// Whether the verdict says what the claim says.
fn holds(found: &Detection, claim: &str) -> bool {
    match claim.split_once('=') {
        Some(("machine", "virtual")) => !matches!(found.tier, Tier::BareMetal | Tier::Container),
        Some((kind, "any")) => kind.parse().is_ok_and(|kind| found.layer(kind).is_some()),
        Some((kind, name)) => kind.parse().is_ok_and(|kind| found.layer(kind) == Some(name)),
        None => false,
    }
}

/// The verdict and all it rests on, for a failure that tells its own story.
fn story(found: &Detection) -> String {
    let stack: Vec<String> =
        found.stack.iter().map(|l| format!("{}={} ({})", l.kind.as_str(), l.name, l.confidence)).collect();
    let mut text = format!(
        "    found {} ({} sure), kernel {}, stack [{}]\n",
        found.tier.as_str(),
        found.confidence,
        found.kernel.as_str(),
        stack.join(", ")
    );
    for e in &found.evidence {
        let sign = if e.supports { "for" } else { "against" };
        let _ =
            writeln!(text, "    {} {} {sign} {}: {} {:?}", e.detector, e.weight, e.claim, e.source, e.value);
    }
    for gap in &found.unreadable {
        let _ = writeln!(text, "    unreadable {}: {}", gap.source, gap.reason);
    }
    text
}

fn fail_with(wrong: &[String], command: &str) {
    assert!(wrong.is_empty(), "\n{}\n{} wrong. Rerun: {command}\n", wrong.join("\n"), wrong.len());
}

#[test]
fn every_host_is_recognised_for_what_it_is() {
    let wrong: Vec<String> = hosts()
        .iter()
        .filter_map(|host| {
            let found = host.detect().unwrap();
            let differences = differences(&host.expected, &found);
            (!differences.is_empty())
                .then(|| format!("{}:\n  {}\n{}", host.name, differences.join("\n  "), story(&found)))
        })
        .collect();
    fail_with(&wrong, "cargo test -p tierprobe-tests --test hosts every_host");
}
