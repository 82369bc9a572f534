//! `rules` on the command line: what can be recorded, and what cannot.

use std::process::Command;

#[test]
fn what_agents_do_not_publish_is_not_recorded() {
    let rules = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tierprobe-collector"));
        let output = command.arg("rules").args(arguments).output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (done, _, said) = rules(&["--statistic", "p50,p95"]);
    assert!(!done && said.contains("--statistic p95") && said.contains("p50, p90, p99"), "{said}");
    let (done, _, said) = rules(&["--statistic", "median"]);
    assert!(!done && said.contains("p99.9"), "{said}");
    let (done, text, said) =
        rules(&["--family", "tierprobe_new_round_seconds{side}", "--statistic", "0.999"]);
    assert!(done && text.contains("record: instance:tierprobe_new_seconds:p99_9\n"), "{said}{text}");
    let (done, text, said) = rules(&["--all", "--statistic", "0.9"]);
    assert!(done && text.contains("record: tier:tierprobe_cpu_gaps:value\n"), "{said}{text}");
    assert!(text.contains("record: tier:tierprobe_syscall_seconds:p90\n"), "{text}");
}
