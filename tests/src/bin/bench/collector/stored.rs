//! The same comparison through a Prometheus that holds the fleet's rounds: how long its own part takes, and how long
//! all.
//!
//! Sixty rounds of sixty series an instance are written as OpenMetrics and made into blocks by `promtool`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;
use tierprobe_model::Unit;
use tierprobe_tests::binary;
use tierprobe_tests::fleet::Random;
use tierprobe_tests::need::find;
use tierprobe_tests::prometheus::Prometheus;

use crate::process;
use crate::table::{Table, median};

/// Sizes of fleets, and how often each is compared.
const SIZES: [(usize, usize); 3] = [(100, 5), (1000, 5), (10_000, 3)];
const ROUNDS: usize = 60;
/// Series of each of the families.
const CALLS: [&str; 5] = ["read", "write", "openat", "futex", "getppid"];
const FAMILIES: usize = 12;
/// Seconds between rounds, and between scrapes.
const PAUSE: usize = 15;
/// Begin of the rounds, in seconds since the epoch; on the border of a block.
const BEGIN: usize = 1_699_999_200;

pub(crate) fn table() -> anyhow::Result<Table> {
    let mut table = Table::new(
        format!(
            "Comparing through Prometheus, {ROUNDS} rounds of {} series an instance",
            FAMILIES * CALLS.len()
        ),
        &["instances", "values", "Prometheus' part", "all", "ratio", "peak of memory", "promised"],
    );
    let (Some(prometheus), Some(promtool)) = (find("prometheus"), find("promtool")) else {
        // A table without rows would look like a measurement that gave nothing.
        anyhow::bail!("prometheus and promtool are not installed: tests/tools.sh test");
    };
    // It may have to be built first, which is no part of what is timed.
    let collector = binary::collector();
    eprintln!("Comparing through Prometheus:");
    for (size, turns) in SIZES {
        let folder = tempfile::tempdir()?;
        eprintln!("  making blocks of the rounds of {size} instances");
        load(&promtool, folder.path(), size)?;
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, "global: {}\n")?;
        let server = Prometheus::configured(&prometheus, folder, &config);
        // Once to have the blocks in memory, as a store that is in use has.
        compare(collector, &server, size)?;
        let (mut own, mut all, mut ratios, mut peak) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
        for turn in 1..=turns {
            eprintln!("  comparing {size} instances, turn {turn} of {turns}");
            let before = process::cpu_seconds(server.id())?;
            let (seconds, bytes) = compare(collector, &server, size)?;
            let busy = process::cpu_seconds(server.id())? - before;
            own.push(busy);
            all.push(seconds);
            ratios.push(seconds / busy);
            peak = peak.max(bytes);
        }
        let (own, seconds, ratio) = (median(&mut own), median(&mut all), median(&mut ratios));
        table.row([
            size.to_string(),
            (size * ROUNDS * FAMILIES * CALLS.len()).to_string(),
            Unit::Seconds.human(own),
            Unit::Seconds.human(seconds),
            format!("{ratio:.2}"),
            Unit::Bytes.human(peak),
            format!("2.00, {}", if ratio <= 2.0 { "met" } else { "not met" }),
        ]);
    }
    table.note(format!(
        "Medians of {} turns, of the largest {}, memory the most of them; Prometheus' part is the CPU time that it used meanwhile, as of two queries at a time each would count the other's",
        SIZES[0].1, SIZES[2].1
    ));
    Ok(table)
}

/// Seconds and bytes that a comparison takes.
fn compare(collector: &Path, server: &Prometheus, size: usize) -> anyhow::Result<(f64, f64)> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report.json");
    let end = BEGIN + ROUNDS * PAUSE;
    let begin = Instant::now();
    let mut child = Command::new(collector)
        .args(["compare", &format!("prometheus+http://{}", server.address()), "--format", "json"])
        .args(["--for", "1h", "--end", &end.to_string(), "--output"])
        .arg(&report)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut peak: f64 = 0.0;
    while child.try_wait()?.is_none() {
        // It may just have ended, and has no memory then.
        peak = peak.max(process::peak(child.id()).unwrap_or(0.0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let seconds = begin.elapsed().as_secs_f64();
    anyhow::ensure!(child.wait()?.success(), "the collector failed");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&report)?)?;
    let instances = report.pointer("/sources/0/instances").and_then(serde_json::Value::as_u64);
    let observations = report.pointer("/sources/0/observations").and_then(serde_json::Value::as_u64);
    let all = u64::try_from(size * ROUNDS * FAMILIES * CALLS.len())?;
    anyhow::ensure!(
        instances == Some(u64::try_from(size)?) && observations == Some(all),
        "{observations:?} of {all}"
    );
    Ok((seconds, peak))
}

/// Makes blocks of a fleet's rounds in `data` below the folder.
fn load(promtool: &Path, folder: &Path, size: usize) -> anyhow::Result<()> {
    let text = folder.join("rounds.om");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&text)?);
    let mut random = Random::new(7);
    let mut write =
        |name: &str, labels: &dyn Fn(usize) -> Vec<String>, value: &mut dyn FnMut(usize, usize) -> String| {
            writeln!(file, "# TYPE {name} gauge")?;
            for at in 0..size {
                for labels in labels(at) {
                    for round in 0..ROUNDS {
                        let time = BEGIN + round * PAUSE + 1;
                        writeln!(
                            file,
                            "{name}{{instance=\"host-{at:05}:10990\",job=\"tierprobe\"{labels}}} {} {time}",
                            value(at, round)
                        )?;
                    }
                }
            }
            std::io::Result::Ok(())
        };
    let one = |labels: &'static str| move |_: usize| vec![labels.to_owned()];
    write("tierprobe_probe_last_round_timestamp_seconds", &one(",probe=\"syscall\""), &mut |_, round| {
        (BEGIN + round * PAUSE).to_string()
    })?;
    write("tierprobe_probe_last_round_disturbed", &one(",probe=\"syscall\""), &mut |_, _| "0".to_owned())?;
    write("tierprobe_probe_resolution_seconds", &one(",probe=\"syscall\""), &mut |_, _| "1e-11".to_owned())?;
    write(
        "tierprobe_tier_info",
        &|at| vec![format!(",tier=\"{}\"", if at % 2 == 0 { "vm" } else { "container_in_vm" })],
        &mut |_, _| "1".to_owned(),
    )?;
    write("tierprobe_kernel_info", &|at| vec![format!(",boot_id=\"boot-{at}\"")], &mut |_, _| {
        "1".to_owned()
    })?;
    for family in 0..FAMILIES {
        let labels = |_: usize| {
            CALLS.iter().map(|call| format!(",syscall=\"{call}\",quantile=\"0.5\"")).collect::<Vec<_>>()
        };
        write(&format!("tierprobe_syscall_n{family}_round_seconds"), &labels, &mut |at, _| {
            format!("{:e}", 1e-7 * (1.0 + 0.1 * f64::from(u8::from(at % 2 == 1)) + 0.02 * random.normal()))
        })?;
    }
    file.write_all(b"# EOF\n")?;
    file.flush()?;
    let output = Command::new(promtool)
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .arg(&text)
        .arg(folder.join("data"))
        .output()
        .context("promtool")?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_file(&text)?;
    Ok(())
}
