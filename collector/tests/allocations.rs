//! What reading an exposition allocates.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fmt::Write as _;

use allocation_counter::measure;
use tierprobe_collector::exposition::{Format, Head, Line, Sink, read};

#[derive(Default)]
struct Exemplars(usize);

impl<'a> Sink<'a> for Exemplars {
    fn family(&mut self, _: &Head<'a>) {}
    fn line(&mut self, line: &Line<'a, '_>) {
        self.0 += usize::from(line.exemplar.is_some());
    }
}

/// How often memory was asked for while a text of so many lines was read.
fn allocations(lines: usize, format: Format) -> u64 {
    let mut text = String::from("# TYPE a counter\n");
    for line in 0..lines {
        let _infallible = match format {
            Format::Text => writeln!(text, "a{{x=\"a\\\\b\",n=\"{line}\"}} 1"),
            Format::OpenMetrics => {
                writeln!(
                    text,
                    "a_total{{x=\"a\\\\b\",n=\"{line}\"}} 1 # {{id=\"q\\\"{line}\",b=\"c\"}} 0.5 {line}"
                )
            }
        };
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    let mut found = Exemplars::default();
    let info = measure(|| read(&text, format, &mut found).unwrap());
    assert_eq!(found.0, if format == Format::OpenMetrics { lines } else { 0 });
    info.count_total
}

#[test]
fn samples_and_exemplars_are_read_without_allocating() {
    for format in [Format::Text, Format::OpenMetrics] {
        let (few, many) = (allocations(100, format), allocations(10_000, format));
        // Tables grow by doubling or more.
        assert!(many < few + 20, "{format:?}: {few} allocations for 100 lines, {many} for 10000");
    }
}
