//! Memory of a known size in the agent's control group.

use tierprobe_tests::confine::cgroup::Group;
use tierprobe_tests::hog::Hog;
use tierprobe_tests::measured::{Measured, median};
use tierprobe_tests::need::have;

use crate::{agent, alone, hog};

const HELD: f64 = 64.0 * 1_048_576.0;

#[test]
fn what_another_process_holds_is_charged_to_the_group() {
    let _alone = alone();
    let made = have("a control group for memory", Group::make("memory", "hog"));
    let Some(group) = made else { return };
    let charged = || {
        let mut command = agent(&["--rounds", "3", "--pause", "1ms", "--probe", "memory"]);
        group.confine(&mut command);
        let measured = Measured::by(&mut command);
        let current = median(measured.gauges("tierprobe_memory_cgroup_bytes", &[("value", "current")]));
        let peak = median(measured.gauges("tierprobe_memory_cgroup_bytes", &[("value", "peak")]));
        (current, peak)
    };
    let mut grown = Vec::new();
    for _ in 0..3 {
        let (before, _) = charged();
        let mut command = hog(&["memory", &format!("{HELD}")]);
        group.confine(&mut command);
        let held = Hog::start(&mut command);
        let (during, peak) = charged();
        drop(held);
        grown.push(during - before);
        assert!(peak.is_nan() || peak >= HELD, "the peak is {peak}");
    }
    println!("charged for {HELD} bytes: {grown:?}");
    // The process itself and its page tables come on top; the kernel charges in steps of some pages a CPU.
    for grown in grown {
        assert!((HELD * 0.98..HELD * 1.1).contains(&grown), "{HELD} bytes were taken, and {grown} charged");
    }
}
