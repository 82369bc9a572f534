//! What reads strangers' bytes, as fuzz targets.
//!
//! `make fuzz` runs each under libFuzzer, guided by coverage; `tierprobe-fuzz TARGET FILE…` replays files, and the tests
//! replay the seeds. A file that made a target fail becomes a seed. A target fails by panicking.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tierprobe_collector::compare::Options;
use tierprobe_collector::exposition::{self, Head, Line, Sink};
use tierprobe_collector::http::{Address, Rules};
use tierprobe_collector::observation::{Labels, Statistic, Vocabulary};
use tierprobe_collector::report::Format;
use tierprobe_collector::serve::config::Config;
use tierprobe_collector::serve::question::{Question, Window};
use tierprobe_collector::source::discovery::group;
use tierprobe_collector::source::scrape::Pace;
use tierprobe_collector::source::store::answer::{self, Matrix, Sample};
use tierprobe_collector::source::store::rounds::Rounds;
use tierprobe_collector::source::store::{StoreError, stream};
use tierprobe_collector::source::{Accumulator, record, unpack};
use tierprobe_collector::store::{Retention, pack};
use tierprobe_collector::{date, duration};

/// A target: its name, which is that of its folder of seeds, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("exposition", of_exposition),
    ("open_metrics", of_open_metrics),
    ("scrape", of_scrape),
    ("record", of_record),
    ("packed", of_packed),
    ("targets", of_targets),
    ("access", of_access),
    ("answer", of_answer),
    ("rounds", of_rounds),
    ("question", of_question),
    ("words", of_words),
];

/// The target of a name.
#[must_use]
pub fn target(name: &str) -> Option<fn(&[u8])> {
    TARGETS.iter().find(|(target, _)| *target == name).map(|(_, run)| *run)
}

#[derive(Default)]
struct Count {
    families: usize,
    lines: usize,
}

impl<'a> Sink<'a> for Count {
    fn family(&mut self, head: &Head<'a>) {
        assert!(!head.name.is_empty(), "a family without a name");
        self.families += 1;
    }

    fn line(&mut self, line: &Line<'a, '_>) {
        assert!(self.families > 0, "a line before its family");
        assert!(line.name.ends_with(line.suffix), "{} ends with {}", line.name, line.suffix);
        self.lines += 1;
    }
}

fn of_exposition(bytes: &[u8]) {
    let Ok(text) = exposition::decode(bytes) else { return };
    let mut count = Count::default();
    match exposition::read(text, exposition::Format::Text, &mut count) {
        Ok(()) => {
            // Each part that ends with a line is a text, too, or has an error that names a line of it.
            let half: String =
                text.lines().take(text.lines().count() / 2).flat_map(|line| [line, "\n"]).collect();
            let _half_may_be_refused = exposition::parse(&half);
        }
        Err(error) => {
            assert!(error.line <= text.split('\n').count(), "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
}

fn of_open_metrics(bytes: &[u8]) {
    let Ok(text) = exposition::decode(bytes) else { return };
    let mut count = Count::default();
    if exposition::read(text, exposition::Format::OpenMetrics, &mut count).is_ok() {
        assert_eq!(
            exposition::Format::guess(text),
            exposition::Format::OpenMetrics,
            "it ends as OpenMetrics does"
        );
        let lines: usize = exposition::parse(text).iter().flatten().map(|family| family.samples.len()).sum();
        assert_eq!(lines, count.lines, "events and values differ");
    }
}

fn of_scrape(bytes: &[u8]) {
    let Ok(text) = exposition::decode(bytes) else { return };
    let mut accumulator = Accumulator::new("fuzz", "fuzz");
    if accumulator.take(text).is_ok() {
        assert_eq!(accumulator.take(text).ok(), Some(0), "a round counted twice");
        let packed = accumulator.pack();
        let observations = packed.observations();
        assert_eq!(packed.unpack().observations.len(), observations, "packing lost something");
    }
}

fn of_record(bytes: &[u8]) {
    let vocabulary = Vocabulary::default();
    for packed in record::parse(Path::new("fuzz"), bytes, &vocabulary).flatten() {
        let observations = packed.observations();
        let collected = packed.unpack();
        assert_eq!(collected.observations.len(), observations, "packing lost something");
        assert!(collected.observations.iter().all(|one| one.value.is_finite() && one.timestamp.is_finite()));
    }
}

fn of_packed(bytes: &[u8]) {
    const LIMIT: usize = 1 << 16;
    for encoding in ["gzip", "zstd", ""] {
        if let Ok(unpacked) = unpack::decode(bytes, encoding, LIMIT) {
            assert!(unpacked.len() <= LIMIT, "more than the limit");
        }
    }
    assert!(unpack::read(bytes, LIMIT).map_or(0, |unpacked| unpacked.len()) <= LIMIT, "more than the limit");
}

fn of_targets(bytes: &[u8]) {
    let in_yaml = std::str::from_utf8(bytes).ok().map(group::of_yaml);
    for groups in [Some(group::of_json(bytes)), in_yaml].into_iter().flatten() {
        match groups.and_then(|groups| group::targets(&groups)) {
            Ok(targets) => {
                for (address, labels) in targets {
                    let text = address.to_string();
                    assert_eq!(text.parse::<Address>().ok(), Some(address), "{text} is another address");
                    assert!(labels.keys().all(|label| !label.starts_with("__")), "{labels:?}");
                }
            }
            Err(why) => assert!(!why.is_empty()),
        }
    }
}

/// Series as an answer tells them, one after the other.
#[derive(Debug, Default)]
struct Told {
    series: Vec<(Labels, Vec<Sample>)>,
    labels: Labels,
    samples: Vec<Sample>,
}

impl stream::Sink for Told {
    fn series(&mut self, labels: &[stream::Label<'_>]) {
        self.labels = labels.iter().map(|(label, value)| (label.to_string(), value.to_string())).collect();
    }

    fn sample(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    fn end(&mut self) {
        self.series.push((std::mem::take(&mut self.labels), std::mem::take(&mut self.samples)));
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn held_bytes(&self) -> usize {
        self.samples.len()
    }
}

/// What an answer says that comes in pieces of this length.
fn told(bytes: &[u8], length: usize) -> Result<(Told, answer::Said<()>), StoreError> {
    let mut told = Told::default();
    let mut decoder = stream::Decoder::new(&mut told);
    for piece in bytes.chunks(length.max(1)) {
        if decoder.feed(piece).is_break() {
            break;
        }
    }
    let said = decoder.end()?;
    Ok((told, said))
}

/// Numbers as they are, as some are none.
fn bits(samples: &[Sample]) -> Vec<(u64, u64)> {
    samples.iter().map(|sample| (sample.at.to_bits(), sample.value.to_bits())).collect()
}

/// The file of `--source.config`.
fn of_access(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // Which files it names is not its text's matter, and some never end or wait for somebody.
    if ["/dev", "/proc", "/sys"].iter().any(|folder| text.contains(folder)) {
        return;
    }
    match Rules::of_yaml(text, Path::new("nowhere/sources.yml")) {
        Ok(rules) => {
            for address in ["http://a.example.org:10990/metrics", "https://[::1]/prometheus/x?y"] {
                let Ok(address) = address.parse() else { continue };
                let (access, labels) = rules.find(&address);
                let (again, same) = rules.find(&address);
                assert!(Arc::ptr_eq(&access, &again) && labels == same, "another rule");
                assert!(!format!("{access:?}").is_empty());
            }
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.starts_with("nowhere/sources.yml: ") && !said.contains('\n'), "{said:?}");
        }
    }
}

/// What somebody asks `serve`: the query of an address.
fn of_question(bytes: &[u8]) {
    static CONFIG: LazyLock<Config> = LazyLock::new(|| Config {
        lists: Vec::new(),
        pace: Pace::default(),
        rules: Arc::default(),
        net: Arc::default(),
        listen: Vec::new(),
        storage: PathBuf::new(),
        retention: Retention { age: Duration::from_secs(86_400), bytes: 1 << 30 },
        window: Duration::from_secs(3600),
        options: Options::default(),
        readings_limit: 1_000_000,
    });
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(parameters) = tierprobe_web::parameters(text) else { return };
    match Question::parse(&CONFIG, &parameters, Format::Json) {
        Ok((question, format)) => {
            // Whoever asks the same is answered by the same.
            assert_eq!(Question::parse(&CONFIG, &parameters, format).ok(), Some((question.clone(), format)));
            let Options { by, baseline, filters, .. } = &question.options;
            let words =
                filters.iter().flat_map(|filter| [&filter.key, &filter.value]).chain(baseline).chain([by]);
            for word in words {
                assert!(word.len() <= 200 && !word.contains(char::is_control), "{word:?}");
            }
            assert!(filters.len() <= parameters.len(), "{filters:?}");
            let (Window::Last(length) | Window::Live(length)) = question.window;
            assert!(length >= CONFIG.pace.interval, "{length:?}");
        }
        Err(problem) => {
            assert_eq!(problem.status.as_u16(), 400);
            let is_line = !problem.message.is_empty() && !problem.message.contains(char::is_control);
            assert!(is_line && problem.message.len() < 2000, "{:?}", problem.message);
        }
    }
}

fn of_answer(bytes: &[u8]) {
    let whole = told(bytes, usize::MAX);
    // However it is cut, it says the same.
    for length in [1, 3, 1 + usize::from(bytes.first().copied().unwrap_or_default())] {
        let pieces = told(bytes, length);
        assert_eq!(whole.is_ok(), pieces.is_ok(), "in pieces of {length}: {whole:?} {pieces:?}");
        let (Ok((whole, _)), Ok((pieces, _))) = (&whole, &pieces) else { continue };
        assert_eq!(whole.series.len(), pieces.series.len(), "in pieces of {length}");
        for ((labels, samples), (others, other)) in whole.series.iter().zip(&pieces.series) {
            assert_eq!((labels, bits(samples)), (others, bits(other)), "in pieces of {length}");
        }
    }
    match whole {
        Ok((told, said)) => {
            assert!(
                said.warnings.iter().chain(&said.infos).all(|text| text.chars().count() <= 300),
                "endless"
            );
            // And as the whole of it at once.
            if let Ok(tree) = answer::open::<Matrix>(bytes) {
                let tree = tree.data.result;
                assert_eq!(told.series.len(), tree.len(), "series are lost");
                for ((labels, samples), other) in told.series.iter().zip(&tree) {
                    assert_eq!((labels, bits(samples)), (&other.metric, bits(&other.values.0)));
                }
            }
            for (_, samples) in told.series {
                let mut rounds = Rounds::default();
                rounds.add(&samples);
                rounds.add(&samples);
                rounds.mark(&samples);
                assert!(rounds.iter().map(|round| round.scraped).is_sorted_by(|a, b| a < b), "out of order");
                assert!(rounds.iter().all(|round| round.ended.is_finite() && round.ended > 0.0), "no end");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn of_rounds(bytes: &[u8]) {
    let Ok(groups) = pack::unpack(bytes) else { return };
    let mut values = groups.iter().flat_map(|group| &group.values);
    // What is no number takes more room than a round may have, and is never packed.
    if values.all(|value| value.is_finite()) {
        let again = pack::unpack(&pack::pack(&groups));
        assert_eq!(again.as_ref().map(Vec::len), Ok(groups.len()), "a group is lost");
        for (group, again) in groups.iter().zip(again.iter().flatten()) {
            let head = |group: &pack::Group| (group.layout, group.timestamp.to_bits(), group.disturbed);
            assert_eq!((head(again), again.values.len()), (head(group), group.values.len()));
            let is_close = |(a, b): (&f64, &f64)| (a - b).abs() <= a.abs() * 6e-8;
            assert!(group.values.iter().zip(&again.values).all(is_close), "{group:?} {again:?}");
        }
    }
}

fn of_words(bytes: &[u8]) {
    if let Some(seconds) = bytes.first_chunk() {
        assert!(!date::utc_minute(f64::from_le_bytes(*seconds)).is_empty());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _may_be_refused = duration::parse(text);
    if let Ok(statistic) = text.parse::<Statistic>() {
        assert_eq!(statistic.as_str().parse(), Ok(statistic), "{statistic} is not itself");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_replayed() {
        for (name, run) in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
            let mut seeds = 0;
            for entry in
                std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            {
                run(&std::fs::read(entry.unwrap().path()).unwrap());
                seeds += 1;
            }
            assert!(seeds > 0, "{} has no seeds", folder.display());
        }
    }
}
