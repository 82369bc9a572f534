//! What Prometheus finds: the latest comparison that is complete, and how the collector is doing.

use std::fmt::Write as _;

use tierprobe_model::{Family, Kind};

use super::computing::Answer;
use super::process;
use super::site::Site;
use crate::compare::{Comparison, Row};
use crate::stats::real;
use crate::verdict::Verdict;

/// The form.
pub const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Most rows of the comparison, seven series each and one for each tag. Agents have a hundred a tier; what a label is used as a tier that
/// differs on every host must not take Prometheus down.
const MAX_ROWS: usize = 5_000;

const VERDICTS: [Verdict; 4] =
    [Verdict::Slower, Verdict::Faster, Verdict::NoDifference, Verdict::Inconclusive];

macro_rules! families {
    ($($id:ident = $kind:ident $name:literal [$($label:literal)*] $help:literal;)*) => {
        $(const $id: Family =
            Family { name: $name, help: $help, kind: Kind::$kind, labels: &[$($label),*] };)*
        const ALL: &[&Family] = &[$(&$id),*];
    };
}

families! {
    RATIO = Gauge "tierprobe_comparison_ratio" ["family" "label_*" "statistic" "tier" "baseline" "bound"]
        "Cost in a tier to that in the baseline, over the last window that is over; low and high are the ends of the 95 % interval, absent where it has none.";
    VERDICT = Gauge "tierprobe_comparison_verdict" ["family" "label_*" "statistic" "tier" "baseline" "verdict"]
        "1 for the verdict of the row, 0 for the others; above a ratio of 1 the tier is slower, or takes more.";
    TAG = Gauge "tierprobe_comparison_tag" ["family" "label_*" "statistic" "tier" "baseline" "tag"]
        "1 for each thing that is to be known beside the verdict of the row, such as confounded or provisional; absent where there is nothing.";
    WINDOW_BEGIN = Gauge "tierprobe_comparison_window_begin_timestamp_seconds" []
        "When the window of the comparison began.";
    WINDOW_END = Gauge "tierprobe_comparison_window_end_timestamp_seconds" []
        "When the window of the comparison ended.";
    WINDOW_WHOLE = Gauge "tierprobe_comparison_window_complete" []
        "1 if the window of the comparison was observed as a whole, 0 if so much of it is missing that there are no verdicts.";
    BUILD = Info "tierprobe_collector_build_info" ["version"] "The collector's release.";
    COMPARE_SECONDS = Gauge "tierprobe_collector_comparison_duration_seconds" []
        "How long the comparison took to compute.";
    COMPARE_FAILURES = Counter "tierprobe_collector_comparison_failures_total" []
        "Windows of which there is no comparison, as for want of two tiers.";
    ROWS_LEFT_OUT = Gauge "tierprobe_collector_comparison_rows_left_out" []
        "Rows of the comparison that are not among these metrics because there are too many.";
    TARGETS = Gauge "tierprobe_collector_targets" ["state"]
        "Targets by what became of their last scrape: up, down, or new before the first.";
    SCRAPES = Counter "tierprobe_collector_scrapes_total" ["outcome"] "Scrapes, ok or failed.";
    SCRAPE_SECONDS = Counter "tierprobe_collector_scrape_seconds_total" []
        "How long the scrapes that were ok took together.";
    ROUNDS = Counter "tierprobe_collector_rounds_total" [] "Rounds of probes that scrapes showed for the first time.";
    LEFT_OUT = Counter "tierprobe_collector_store_left_out_values_total" []
        "Numbers that were left out because targets show too many different series.";
    STORE_UP = Gauge "tierprobe_collector_store_up" []
        "1 while what comes in can be written, 0 while it cannot, as on a full disk.";
    STORE_SET_ASIDE = Gauge "tierprobe_collector_store_set_aside" []
        "1 if the store was broken at the start and was set aside, else 0.";
    STORE_BYTES = Gauge "tierprobe_collector_store_bytes" [] "Size of the store's database.";
    STORE_USED = Gauge "tierprobe_collector_store_used_bytes" [] "Bytes of the store's database that are in use.";
    STORE_LOG = Gauge "tierprobe_collector_store_log_bytes" [] "Size of the log ahead of the store's database.";
    STORE_ROUNDS = Counter "tierprobe_collector_store_written_rounds_total" [] "Rounds that were written.";
    STORE_VALUES = Counter "tierprobe_collector_store_written_values_total" [] "Numbers that were written.";
    STORE_PACKED = Counter "tierprobe_collector_store_written_bytes_total" []
        "Bytes that rounds were packed into before they were written.";
    STORE_FAILURES = Counter "tierprobe_collector_store_failures_total" [] "Transactions that failed.";
    STORE_LOST = Counter "tierprobe_collector_store_lost_scrapes_total" []
        "Scrapes that were given up because they could not be written.";
    STORE_FORGOTTEN = Counter "tierprobe_collector_store_forgotten_scrapes_total" []
        "Scrapes that were forgotten for their age or the store's size.";
    STORE_WRITE = Gauge "tierprobe_collector_store_last_write_timestamp_seconds" []
        "When the last transaction ended well.";
    STORE_WRITE_SECONDS = Gauge "tierprobe_collector_store_write_duration_seconds" []
        "How long the last transaction took.";
    STORE_OLDEST = Gauge "tierprobe_collector_store_oldest_timestamp_seconds" []
        "When the oldest scrape in the store was.";
    CPU = Counter "process_cpu_seconds_total" [] "CPU time of the collector, in user space and kernel.";
    RESIDENT = Gauge "process_resident_memory_bytes" [] "Resident memory of the collector.";
    VIRTUAL = Gauge "process_virtual_memory_bytes" [] "Virtual memory of the collector.";
    START = Gauge "process_start_time_seconds" [] "When the collector started.";
    THREADS = Gauge "process_threads" [] "Threads of the collector.";
    FILES = Gauge "process_open_fds" [] "File descriptors that the collector has open.";
    MAX_FILES = Gauge "process_max_fds" [] "File descriptors that the collector may open.";
}

/// The exposition.
#[must_use]
pub fn render(site: &Site) -> String {
    let mut text = Exposition::default();
    if let Some(answer) = site.comparisons().latest() {
        comparison(&mut text, &answer);
    }
    text.one(&BUILD, &[("version", env!("CARGO_PKG_VERSION"))], Some(1.0));
    text.count(&COMPARE_FAILURES, site.comparisons().failures());
    targets(&mut text, site);
    store(&mut text, site);
    let usage = process::usage();
    for (family, value) in [
        (&CPU, usage.cpu_seconds),
        (&RESIDENT, usage.resident_bytes),
        (&VIRTUAL, usage.virtual_bytes),
        (&START, Some(site.started())),
        (&THREADS, usage.threads),
        (&FILES, usage.open_files),
        (&MAX_FILES, usage.max_files),
    ] {
        text.one(family, &[], value);
    }
    text.0
}

fn comparison(text: &mut Exposition, answer: &Answer) {
    let comparison = &answer.comparison;
    let rows: Vec<(&Row, Vec<(String, String)>)> =
        comparison.rows().take(MAX_ROWS).map(|row| (row, labels(comparison, row))).collect();
    text.head(&RATIO);
    for (row, labels) in &rows {
        for (bound, value) in [("low", row.ratio_low), ("point", row.ratio), ("high", row.ratio_high)] {
            text.line(&RATIO, labels, ("bound", bound), value);
        }
    }
    text.head(&VERDICT);
    for (row, labels) in &rows {
        for verdict in VERDICTS {
            let value = if row.verdict == verdict { 1.0 } else { 0.0 };
            text.line(&VERDICT, labels, ("verdict", verdict.as_str()), Some(value));
        }
    }
    text.head(&TAG);
    for (row, labels) in &rows {
        for tag in &row.tags {
            text.line(&TAG, labels, ("tag", tag.as_str()), Some(1.0));
        }
    }
    text.one(&WINDOW_BEGIN, &[], Some(answer.span.from));
    text.one(&WINDOW_END, &[], Some(answer.span.until));
    text.one(&WINDOW_WHOLE, &[], Some(if answer.is_whole { 1.0 } else { 0.0 }));
    text.one(&COMPARE_SECONDS, &[], Some(answer.took.as_secs_f64()));
    text.one(&ROWS_LEFT_OUT, &[], Some(real(comparison.rows().count().saturating_sub(MAX_ROWS))));
}

/// The labels of a row; those of its series under a prefix, so that none can be taken for one of ours.
fn labels(comparison: &Comparison, row: &Row) -> Vec<(String, String)> {
    let mut labels = vec![("family".to_owned(), row.key.family.clone())];
    labels.extend(row.key.labels.iter().map(|(name, value)| (format!("label_{name}"), value.clone())));
    labels.push(("statistic".to_owned(), row.key.statistic.as_str().to_owned()));
    if comparison.by == "tier" {
        labels.push(("tier".to_owned(), row.group.clone()));
    } else {
        labels.push(("by".to_owned(), comparison.by.clone()));
        labels.push(("group".to_owned(), row.group.clone()));
    }
    labels.push(("baseline".to_owned(), comparison.baseline.group.clone()));
    labels
}

fn targets(text: &mut Exposition, site: &Site) {
    let states = site.board().states();
    text.head(&TARGETS);
    for (name, is_up) in [("up", Some(true)), ("down", Some(false)), ("new", None)] {
        let count = states.iter().filter(|state| state.is_up == is_up).count();
        text.line(&TARGETS, &[], ("state", name), Some(real(count)));
    }
    let totals = &site.board().totals;
    let load = |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
    text.head(&SCRAPES);
    for (outcome, count) in [("ok", load(&totals.good)), ("failed", load(&totals.failed))] {
        text.line(&SCRAPES, &[], ("outcome", outcome), Some(float(count)));
    }
    text.one(&SCRAPE_SECONDS, &[], Some(float(load(&totals.nanos)) / 1e9));
    text.count(&ROUNDS, load(&totals.rounds));
}

fn store(text: &mut Exposition, site: &Site) {
    if site.keeper().reader().is_none() {
        return;
    }
    let status = site.keeper().look();
    text.one(&STORE_UP, &[], Some(if status.error.is_none() { 1.0 } else { 0.0 }));
    text.one(&STORE_SET_ASIDE, &[], Some(if status.set_aside.is_some() { 1.0 } else { 0.0 }));
    for (family, count) in [
        (&STORE_BYTES, status.size.bytes),
        (&STORE_USED, status.size.used),
        (&STORE_LOG, status.size.log),
        (&STORE_ROUNDS, status.rounds),
        (&STORE_VALUES, status.values),
        (&STORE_PACKED, status.bytes),
        (&LEFT_OUT, status.left_out),
        (&STORE_FAILURES, status.failures),
        (&STORE_LOST, status.dropped),
        (&STORE_FORGOTTEN, status.forgotten),
    ] {
        text.count(family, count);
    }
    text.one(&STORE_WRITE, &[], status.last_write);
    text.one(&STORE_WRITE_SECONDS, &[], status.write_seconds);
    let oldest = status.size.oldest.and_then(|at| u64::try_from(at).ok());
    text.one(&STORE_OLDEST, &[], oldest.map(|at| float(at) / 1000.0));
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

/// Text that grows family by family.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn head(&mut self, family: &Family) {
        let kind = if family.kind == Kind::Counter { "counter" } else { "gauge" };
        let _infallible = writeln!(self.0, "# HELP {0} {1}\n# TYPE {0} {kind}", family.name, family.help);
    }

    fn line(&mut self, family: &Family, labels: &[(String, String)], last: (&str, &str), value: Option<f64>) {
        let Some(value) = value else { return };
        self.0.push_str(family.name);
        let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (at, (name, value)) in labels.chain([last]).filter(|(name, _)| !name.is_empty()).enumerate() {
            self.0.push(if at == 0 { '{' } else { ',' });
            let _infallible = write!(self.0, "{name}=\"{}\"", escaped(value));
        }
        if self.0.ends_with('"') {
            self.0.push('}');
        }
        let _infallible = writeln!(self.0, " {value}");
    }

    /// A family with one series, or with none where it has no value.
    fn one(&mut self, family: &Family, labels: &[(&str, &str)], value: Option<f64>) {
        if value.is_some() {
            self.head(family);
            self.line(family, &[], labels.first().copied().unwrap_or(("", "")), value);
        }
    }

    fn count(&mut self, family: &Family, count: u64) {
        self.one(family, &[], Some(float(count)));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// METRICS.md.
#[must_use]
pub fn document() -> String {
    let mut text = "# Metrics\n\n\
        What `tierprobe-collector serve` answers at `/metrics`.\n\
        Generated by `tierprobe-collector serve --metrics`; do not edit.\n\n\
        An **info** has the value 1 and says something by its labels.\n\
        What is unknown is absent, never zero.\n\
        Labels of the compared series stand under `label_`: `label_syscall=\"getppid\"`.\n\
        Where instances are grouped by another label than the tier, `by` and `group` take the place of `tier`.\n\n\
        | name | kind | labels | what |\n|---|---|---|---|\n"
        .to_owned();
    for family in ALL {
        let kind = match family.kind {
            Kind::Duration => "duration",
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Info => "info",
        };
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let _infallible =
            writeln!(text, "| `{}` | {kind} | {} | {} |", family.name, labels.join(" "), family.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_that_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/METRICS.md");
        if std::env::var_os("TIERPROBE_GOLDEN").is_some_and(|value| value == "write") {
            std::fs::write(path, document()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), document(), "make golden writes it anew");
    }

    #[test]
    fn no_label_can_end_its_line() {
        let mut text = Exposition::default();
        text.head(&BUILD);
        text.line(&BUILD, &[("a".to_owned(), "x\"} 1\ny{b=\"\\".to_owned())], ("version", "1"), Some(1.0));
        let families = crate::exposition::parse(&text.0).unwrap();
        assert_eq!(families.len(), 1);
        assert_eq!(families[0].samples[0].labels["a"], "x\"} 1\ny{b=\"\\");
    }
}
