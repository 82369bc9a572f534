//! Seccomp filters of a known length, which run at each system call.

use tierprobe_model::Seccomp;
use tierprobe_tests::confine::seccomp;
use tierprobe_tests::measured::{Measured, median};

use crate::{agent, alone};

/// Instructions of the filters; 0 is none.
const LENGTHS: [usize; 3] = [0, 300, 3000];
const TURNS: usize = 5;

#[test]
fn a_system_call_costs_more_the_longer_the_filter_is() {
    let _alone = alone();
    let mut costs = [const { Vec::new() }; LENGTHS.len()];
    for _ in 0..TURNS {
        for (length, costs) in LENGTHS.into_iter().zip(&mut costs) {
            let mut command = agent(&["--rounds", "8", "--pause", "2ms", "--probe", "syscall"]);
            if length > 0 {
                seccomp::confine(&mut command, seccomp::long(length));
            }
            let measured = Measured::by(&mut command);
            let isolation = &measured.0.detection.isolation;
            let expected = (u32::from(length > 0), if length > 0 { "filter" } else { "none" });
            let found = (isolation.seccomp_filters.unwrap(), isolation.seccomp.map(Seccomp::as_str).unwrap());
            assert_eq!(found, expected, "the agent does not say what filters its calls");
            let rounds = measured.quantiles("tierprobe_syscall_seconds", &[("syscall", "getppid")]);
            costs.push(median(rounds.iter().map(|round| round.min)));
        }
    }
    let [none, short, long] = costs.map(median);
    println!("getppid: {none:e} s, {short:e} s with 300 instructions, {long:e} s with 3000");
    assert!(none < short && short < long, "{none} {short} {long}");
    // Compiled, an instruction takes a cycle, a fifth of a nanosecond at 5 GHz; interpreted, some nanoseconds.
    let each = (long - none) / 3000.0;
    assert!((0.15e-9..20e-9).contains(&each), "{each:e} s an instruction");
    // Ten times as many cost about ten times as much: entering the filter counts once in both.
    let ratio = (long - none) / (short - none);
    assert!((3.0..20.0).contains(&ratio), "{ratio}: {none} {short} {long}");
}
