//! Detection for real: places that this machine can make, with the shipped agent in each, and its peers beside it.
//!
//! What was started is the truth that the agent's words are held against. Nothing is assumed of the machine: where a
//! container is, follows from what the machine is. The table of all answers is `DETECTION.md`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

#[path = "detection/case.rs"]
mod case;
#[path = "detection/docker.rs"]
mod docker;
#[path = "detection/guest.rs"]
mod guest;
#[path = "detection/gvisor.rs"]
mod gvisor;
#[path = "detection/kit.rs"]
mod kit;
#[path = "detection/local.rs"]
mod local;
#[path = "detection/nspawn.rs"]
mod nspawn;
#[path = "detection/qemu.rs"]
mod qemu;
#[path = "detection/restored.rs"]
mod restored;
#[path = "detection/run.rs"]
mod run;
#[path = "detection/runc.rs"]
mod runc;
#[path = "detection/table.rs"]
mod table;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tierprobe_model::{Detection, LayerKind, Tier};
use tierprobe_tests::need::need;

use case::{Case, Outcome};
use kit::Lab;

/// The tests here start guests, which must not slow each other down to their limits.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// All cases: the guests in two threads, everything else beside them.
fn cases(lab: &Lab) -> Vec<Case> {
    let image = qemu::image(lab);
    std::thread::scope(|scope| {
        let image = &image;
        let workers: Vec<_> =
            (0..qemu::WORKERS).map(|worker| scope.spawn(move || qemu::cases(lab, image, worker))).collect();
        let groups: [fn(&Lab) -> Vec<Case>; 6] =
            [local::processes, local::bubblewrap, nspawn::cases, runc::cases, docker::cases, gvisor::cases];
        let mut cases: Vec<Case> = groups.into_iter().flat_map(|group| group(lab)).collect();
        let mut guests: Vec<(usize, Case)> =
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
        guests.sort_by_key(|(index, _)| *index);
        cases.extend(guests.into_iter().map(|(_, case)| case));
        cases
    })
}

/// What the kernel itself tells of the machine, against which the agent's words about it can be held.
fn contradictions(host: &Detection) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut flags = cpuinfo.lines().filter(|line| line.starts_with("flags"));
    if flags.any(|line| line.split_whitespace().any(|flag| flag == "hypervisor"))
        && matches!(host.tier, Tier::BareMetal | Tier::Container)
    {
        wrong.push("/proc/cpuinfo has the flag `hypervisor`");
    }
    let table = fs::read("/sys/firmware/acpi/tables/FACP").unwrap_or_default();
    if table.windows(6).any(|window| window == b"FIRECK") && host.layer(LayerKind::Vmm) != Some("firecracker")
    {
        wrong.push("the ACPI tables are Firecracker's");
    }
    // The kernel's first namespaces, which have fixed numbers, see `linux/nsfs.h`.
    let first = [("pid", "pid:[4026531836]"), ("user", "user:[4026531837]"), ("mnt", "mnt:[4026531832]")];
    let is_first = |(name, link)| {
        fs::read_link(format!("/proc/self/ns/{name}")).is_ok_and(|found| found == Path::new(link))
    };
    if first.into_iter().all(is_first) && host.layer(LayerKind::Container).is_some() {
        wrong.push("all namespaces are the kernel's first ones");
    }
    wrong
}

#[test]
fn a_guest_that_is_restored_under_another_hypervisor_is_detected_anew() {
    if need("busybox").is_none() {
        return;
    }
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let lab = Lab::new();
    let image = match qemu::image(&lab) {
        Ok(image) => image,
        Err(why) => return drop(writeln!(std::io::stderr(), "SKIPPED {why}")),
    };
    let [before, restored, retimed] = restored::story(&lab, &image).unwrap();
    let is_tcg = |look: &restored::Look| look.tier.contains("hypervisor=\"tcg\"");
    assert!(is_tcg(&before) && before.changes.abs() < 0.5, "{before:?}");
    // The schedule is a day: this is the event of the new generation, and the verdict has changed by it.
    assert!(!is_tcg(&restored) && restored.tier.contains("tier=\"vm\""), "{restored:?}");
    assert!((restored.changes - 1.0).abs() < 0.5 && restored.detected > before.detected, "{restored:?}");
    assert_eq!(restored.reason.as_deref(), Some("a new generation"), "{restored:?}");
    // Another clock source is a reason to look, and none to say something else.
    assert!((retimed.changes - 1.0).abs() < 0.5 && retimed.detected > restored.detected, "{retimed:?}");
    assert_eq!(retimed.tier, restored.tier);
}

#[test]
fn the_agent_is_right_in_every_place_that_can_be_made_here() {
    if need("busybox").is_none() {
        return;
    }
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = run::traces();
    let lab = Lab::new();
    let (cases, run) = (cases(&lab), lab.run.clone());
    let contradictions = contradictions(&lab.host);
    drop(lab);

    let mut wrong: Vec<String> = cases.iter().filter_map(Case::complaint).collect();
    wrong.extend(contradictions.iter().map(|fact| format!("the machine as it is: but {fact}")));
    // Not eprintln!: of a test that passes, the harness would swallow it.
    let tell = |line: String| drop(writeln!(std::io::stderr(), "{line}"));
    // Other programs make and remove things meanwhile, too: only what has the run's name is surely ours.
    let new = run::traces().difference(&before).cloned().collect::<Vec<_>>();
    let (ours, others): (Vec<_>, Vec<_>) = new.into_iter().partition(|trace| trace.contains(&run));
    wrong.extend(ours.into_iter().chain(run::processes(&run)).map(|trace| format!("left behind: {trace}")));
    others.into_iter().for_each(|trace| tell(format!("since the test began there is {trace}")));
    for case in &cases {
        if let Outcome::Impossible(why) = &case.outcome {
            tell(format!("SKIPPED {}: {why}", case.name));
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("DETECTION.md");
    let written = table::text(&cases, &run);
    if std::env::var_os("TIERPROBE_GOLDEN").is_some_and(|value| value == "write") {
        fs::write(&file, &written).unwrap();
    }
    assert!(wrong.is_empty(), "\n{}\n{written}", wrong.join("\n"));
    let known = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(table::places(&known), table::places(&written), "{} tells of other places", file.display());
}
