//! One CPU.

use std::process::Command;

use tierprobe_tests::confine::cgroup::Group;
use tierprobe_tests::confine::cpu;
use tierprobe_tests::need::have;

use super::{CONTROL, Case, hold};

/// What only two CPUs have.
const ACROSS: &str = "placement=\"cross_cpu\"";

fn on_one(name: &str, confine: &dyn Fn(&mut Command)) {
    let (place, control) = &*CONTROL;
    let agent = || {
        let mut command = Command::new(&place.agent);
        confine(&mut command);
        command
    };
    // On a machine with one CPU there is nothing to take away.
    let absent = if control.has(ACROSS) { vec![ACROSS] } else { vec![] };
    hold(&[Case { name: name.to_owned(), agent: &agent, expected: vec![], absent }]);
}

#[test]
fn on_one_cpu_by_affinity_nothing_is_said_of_two() {
    let last = cpu::last().unwrap();
    on_one("an affinity of one CPU", &|command| cpu::pin(command, last));
}

#[test]
fn on_one_cpu_by_cpuset_nothing_is_said_of_two() {
    let Some(group) = have("a control group for CPUs", Group::make("cpuset", "one")) else { return };
    let last = cpu::last().unwrap().to_string();
    // In the first version a group has no memory of its own until it is told to.
    let set = group.set("cpuset.cpus", &last).and_then(|()| group.set("cpuset.mems", "0"));
    if have("a cpuset", set).is_none() {
        return;
    }
    on_one("a cpuset of one CPU", &|command| group.confine(command));
}
