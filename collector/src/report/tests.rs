//! What must hold in every form of a report, from observations on.

use super::*;
use crate::compare::compare;
use crate::compare::tests::tier;
use crate::observation::Collected;

fn compared(collected: Vec<Collected>, options: &Options) -> (Comparison, Dataset) {
    let dataset = Dataset::new(collected);
    (compare(&dataset, options).unwrap(), dataset)
}

#[test]
fn what_targets_call_themselves_is_shown_and_not_obeyed() {
    let evil = "vm\u{1b}]0;pwn\u{7}";
    let mut fleet = [tier(evil, 2, 1.0), tier("sandbox", 2, 2.0)].concat();
    for host in &mut fleet {
        let labels: crate::observation::Labels =
            [("syscall".into(), "a\u{1b}[2J\n|\u{202e}\u{9b}".into())].into();
        host.observations.iter_mut().for_each(|round| round.labels = labels.clone());
    }
    let options = Options::default();
    let (comparison, dataset) = compared(fleet, &options);
    for format in [Format::Table, Format::Markdown] {
        let text = render(&Input::new(&comparison, &dataset, &options), format).unwrap();
        let raw: Vec<char> =
            text.chars().filter(|c| *c != '\n' && (c.is_control() || *c == '\u{202e}')).collect();
        assert!(raw.is_empty(), "{raw:?}: {text:?}");
        let name = r"a\u{1b}[2J\u{a}|\u{202e}\u{9b}";
        let name = if format == Format::Markdown {
            name.replace('\\', r"\\").replace('[', r"\[").replace('|', r"\|")
        } else {
            name.to_owned()
        };
        assert!(text.lines().any(|line| line.contains(&name)), "{name}: {text}");
    }
}
