//! Calibration: of what is said with certainty, how much is right, over all hosts, whole and with each file missing.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tierprobe_model::{Detection, LayerKind, Tier};

use super::damage::{CERTAIN, for_each_entry};
use super::{Expected, Host, hosts};

/// Of a hundred certain answers, at least so many are right.
const RIGHT_PERCENT: usize = 97;

/// Right ones among certain ones.
#[derive(Debug, Default)]
struct Score {
    right: AtomicUsize,
    certain: AtomicUsize,
    all: AtomicUsize,
}

impl Score {
    fn add(&self, confidence: f64, right: bool) {
        self.all.fetch_add(1, Ordering::Relaxed);
        if confidence >= CERTAIN {
            self.certain.fetch_add(1, Ordering::Relaxed);
            self.right.fetch_add(usize::from(right), Ordering::Relaxed);
        }
    }

    #[expect(clippy::print_stdout, reason = "the number is what the test is for")]
    fn check(&self, what: &str) {
        let [right, certain, all] =
            [&self.right, &self.certain, &self.all].map(|n| n.load(Ordering::Relaxed));
        println!("{what}: of {all}, {certain} are at least {CERTAIN} sure, and {right} of these are right");
        assert!(certain > 1_000, "{what}: only {certain} are certain");
        assert!(right * 100 >= certain * RIGHT_PERCENT, "{what}: only {right} of {certain} are right");
    }
}

#[test]
fn what_is_certain_is_right() {
    let (tiers, layers, wrong) = (Score::default(), Score::default(), Mutex::new(Vec::new()));
    let judge = |host: &Host, change: &str| {
        let Ok(found) = host.detect() else { return };
        if found.tier != Tier::Unknown {
            tiers.add(found.confidence, found.tier.as_str() == host.expected.tier);
        }
        for (kind, confidence, right) in known_layers(&host.expected, &found) {
            layers.add(confidence, right);
            if confidence >= CERTAIN && !right {
                wrong.lock().unwrap().push(format!("{}, {change}: {}", host.name, kind.as_str()));
            }
        }
    };
    for host in hosts() {
        judge(&host, "whole");
    }
    for_each_entry(|host, file, _| {
        if file.is_dir() && !file.is_symlink() {
            return;
        }
        let away = file.with_file_name("taken-away");
        fs::rename(file, &away).unwrap();
        judge(host, &format!("without {}", file.display()));
        fs::rename(&away, file).unwrap();
    });
    for line in wrong.into_inner().unwrap() {
        println!("certain and wrong: {line}");
    }
    tiers.check("tiers");
    layers.check("layers");
}

/// The layers found of which the host says which they are, or that there are none.
fn known_layers(expected: &Expected, found: &Detection) -> Vec<(LayerKind, f64, bool)> {
    let known = |kind: &str| {
        let none = expected.absent.iter().any(|absent| absent == kind);
        expected.stack.get(kind).map(String::as_str).or_else(|| none.then_some(""))
    };
    let layers = found.stack.iter();
    layers.filter_map(|l| Some((l.kind, l.confidence, known(l.kind.as_str())? == l.name))).collect()
}
