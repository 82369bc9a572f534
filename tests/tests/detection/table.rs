//! `DETECTION.md`: who said what.

use std::fmt::Write as _;

use tierprobe_model::Detection;

use super::case::{Case, Outcome};

const HEAD: &str = "# Who says what

Real places, started by `tests/tests/detection.rs`, and what is said in each of them by `tierprobe-agent detect`, by
`systemd-detect-virt` (without option, `-v`, `-c`) and by `virt-what`. Written by
`TIERPROBE_GOLDEN=write cargo test -p tierprobe-tests --test detection`, on the machine of the first row.

The agent's tier, kernel and stack are compared with what was started; the test fails if one of them is wrong, and
✗ stands by it here. In a cell of `-v` or `-c` ✗ stands by what contradicts the truth: no virtual machine or no
container where there is one, or the reverse. Names are not judged there, nor are the two columns that answer both
questions in one. `-` is `none` or silence; an empty cell was not asked (`virt-what` needs the machine's files).

| place | tierprobe | stack | systemd | `-v` | `-c` | virt-what |
|---|---|---|---|---|---|---|
";

/// The whole file. Names of the run are masked.
pub(crate) fn text(cases: &[Case], run: &str) -> String {
    let mut text = HEAD.to_owned();
    for case in cases {
        let cells = match &case.outcome {
            Outcome::Said(said) => {
                let systemd = |option: &str| said.peer(&format!("systemd-detect-virt{option}"));
                let contained = Some(case.expected.is_contained());
                [
                    verdict(case, &said.detection),
                    stack(&said.detection),
                    systemd("").map(word).unwrap_or_default(),
                    judged(systemd("-v"), case.expected.is_virtual()),
                    judged(systemd("-c"), contained),
                    said.peer("virt-what").map(word).unwrap_or_default(),
                ]
                .join(" | ")
            }
            Outcome::Impossible(why) | Outcome::Failed(why) => {
                format!("not on this machine | {} | | | | ", masked(why, run))
            }
        };
        writeln!(text, "| {} | {} |", case.name, cells.trim_end()).unwrap();
    }
    text
}

/// The places that a file tells of, in its order.
pub(crate) fn places(text: &str) -> Vec<&str> {
    let rows = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    rows.filter_map(|row| row.strip_prefix("| ")?.split(" | ").next()).collect()
}

fn verdict(case: &Case, detection: &Detection) -> String {
    let mark = if case.expected.differences(detection).is_empty() { "" } else { " ✗" };
    format!("`{}`, {} kernel{mark}", detection.tier, detection.kernel.as_str())
}

fn stack(detection: &Detection) -> String {
    let layers: Vec<&str> = detection.stack.iter().map(|layer| layer.name.as_str()).collect();
    layers.join(" on ")
}

fn word(said: &str) -> String {
    if matches!(said, "" | "none") { "-".to_owned() } else { said.replace('|', "/") }
}

fn judged(said: Option<&str>, truth: Option<bool>) -> String {
    let Some(said) = said else { return String::new() };
    let word = word(said);
    let is_wrong = truth.is_some_and(|truth| truth == (word == "-"));
    if is_wrong { format!("{word} ✗") } else { word }
}

/// One short line without what differs from run to run.
fn masked(why: &str, run: &str) -> String {
    let line = why.replace(run, "RUN").replace('|', "/").replace('\n', " ");
    let hexadecimal = |word: &str| word.len() >= 12 && word.chars().all(|c| c.is_ascii_hexdigit());
    let words = line.split_whitespace().map(|word| if hexadecimal(word) { "ID" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().take(300).collect()
}
