//! The agent's own CPU at defaults, scraped every 15 s as Prometheus would.

use std::path::Path;
use std::time::{Duration, Instant};

use tierprobe_model::Unit;

use crate::exporter::Exporter;
use crate::latency::scrape;
use crate::table::Table;

const SCRAPE_INTERVAL: Duration = Duration::from_secs(15);

pub(crate) fn over(agent: &Path, minutes: u32) -> anyhow::Result<Table> {
    eprintln!("The agent's own CPU over {minutes} minutes at defaults:");
    let exporter = Exporter::start(agent, &["serve"])?;
    let begin = Instant::now();
    let before = exporter.cpu_seconds()?;
    let end = begin + Duration::from_secs(60) * minutes;
    let mut next = begin;
    while next < end {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        scrape(exporter.address)?;
        next += SCRAPE_INTERVAL;
    }
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
    let elapsed = begin.elapsed().as_secs_f64();
    let share = (exporter.cpu_seconds()? - before) / elapsed;

    let mut table = Table::new(
        format!("Over {minutes} minutes at defaults, scraped every 15 s"),
        &["figure", "measured", "promised", "ratio"],
    );
    let mut row = |name: &str, unit: Unit, measured: f64, promised: f64| {
        let ratio = format!("{:.2}", measured / promised);
        table.row([name.to_owned(), unit.human(measured), unit.human(promised), ratio]);
    };
    row("share of one CPU", Unit::Ratio, share, 0.001);
    row("resident memory", Unit::Bytes, exporter.memory("status", "VmRSS")?, 6.0 * 1_048_576.0);
    row("resident memory, peak", Unit::Bytes, exporter.memory("status", "VmHWM")?, 6.0 * 1_048_576.0);
    row("anonymous memory", Unit::Bytes, exporter.memory("status", "RssAnon")?, 3.0 * 1_048_576.0);
    Ok(table)
}
