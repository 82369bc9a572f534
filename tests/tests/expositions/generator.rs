//! Texts to read: expositions with all that the formats have, and the same with damage done to them.

use std::fmt::Write as _;

use tierprobe_tests::fleet::Random;

pub(super) struct Generator(pub(super) Random);

impl Generator {
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to below the limit"
        )]
        let number = (self.0.uniform() * f64::from(limit)) as u32;
        number
    }

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(u32::try_from(of.len()).unwrap()) as usize]
    }

    /// An exposition of gauges, counters, histograms, summaries and what has no type, some of them with timestamps and,
    /// in OpenMetrics, with exemplars.
    pub(super) fn text(&mut self, is_open: bool) -> String {
        let mut text = String::new();
        for at in 0..1 + self.below(5) {
            let kind = self.one_of(&["gauge", "counter", "histogram", "summary", ""]);
            let name = format!("family_{at}");
            let help = self.one_of(&["", "What it is.", "With \\\\ and \\n in it."]);
            if !kind.is_empty() {
                let _infallible = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            }
            for series in 0..1 + self.below(4) {
                let label =
                    self.one_of(&["", "a", "b c", "\\\"quoted\\\"", "line\\nfeed", "back\\\\slash", "ä"]);
                let labels = format!("series=\"{series}\",label=\"{label}\"");
                text.push_str(&self.series(kind, &name, &labels, is_open));
            }
        }
        text + if is_open { "# EOF\n" } else { "" }
    }

    /// The lines of one series.
    fn series(&mut self, kind: &str, name: &str, labels: &str, is_open: bool) -> String {
        let value = self.one_of(&["0", "1", "17", "0.1", "2.5e-7", "123456789.125", "+Inf"]);
        let times: &[&str] = if is_open {
            &["", "", " 1700000000", " 1700000000.125", " 0.5"]
        } else {
            &["", "", " 1700000000125", " 0", " -1"]
        };
        let time = self.one_of(times);
        let exemplars: &[&str] = if is_open {
            &[
                "",
                "",
                " # {} 0.3",
                " # {trace=\"a\"} 0.25 1700000000.5",
                " # {trace=\"b\\\"c\",span=\"ä\"} 1e-7",
            ]
        } else {
            &[""]
        };
        let exemplar = self.one_of(exemplars);
        match kind {
            "histogram" => format!(
                "{name}_bucket{{{labels},le=\"0.5\"}} 1{time}{exemplar}\n{name}_bucket{{{labels},le=\"+Inf\"}} 3{time}\n\
                 {name}_sum{{{labels}}} 2.5{time}\n{name}_count{{{labels}}} 3{time}\n"
            ),
            "summary" => {
                let median = self.one_of(&["0.5", "0.50", "5e-1"]);
                let most = self.one_of(&["1", "1.0"]);
                let nothing = self.one_of(&["NaN", "3"]);
                format!(
                    "{name}{{{labels},quantile=\"{median}\"}} 1.5{time}\n{name}{{{labels},quantile=\"0.999\"}} {nothing}{time}\n\
                     {name}{{{labels},quantile=\"{most}\"}} {value}{time}\n{name}_sum{{{labels}}} 2.5{time}\n\
                     {name}_count{{{labels}}} 3{time}\n"
                )
            }
            "counter" if is_open => format!("{name}_total{{{labels}}} {value}{time}{exemplar}\n"),
            _ => format!("{name}{{{labels}}} {value}{time}\n"),
        }
    }

    /// The same with one character changed, taken away, or put in.
    pub(super) fn damaged(&mut self, text: &str) -> String {
        let mut characters: Vec<char> = text.chars().collect();
        let at = self.below(u32::try_from(characters.len()).unwrap()) as usize;
        let new = self
            .one_of(&["\"", "\\", "{", "}", ",", "=", " ", "\n", "#", "x", "1", ".", "-"])
            .chars()
            .next()
            .unwrap();
        match self.below(3) {
            0 => characters[at] = new,
            1 => {
                characters.remove(at);
            }
            _ => characters.insert(at, new),
        }
        characters.into_iter().collect()
    }
}
