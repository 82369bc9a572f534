//! What `systemd-analyze time` says of a boot: the reference for the probe `boot`.

use std::collections::BTreeMap;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tierprobe_model::record::Record;

use super::{Guest, Options, Parts};

/// How long a guest may take until its boot is finished: fifteen seconds on an idle machine.
const BOOT_LIMIT: Duration = Duration::from_secs(180);

/// Seconds of each phase by its name there: `kernel`, `userspace` and so on, and `total`.
pub type Phases = BTreeMap<String, f64>;

/// Asks `systemd-analyze` in the guest; `None` as long as the boot is not finished.
///
/// # Errors
///
/// When it cannot be asked, or says what is not understood.
pub fn analyze(guest: &mut Guest) -> anyhow::Result<Option<Phases>> {
    let answer = guest.run("LC_ALL=C systemd-analyze time")?;
    if answer.text.contains("not yet finished") {
        return Ok(None);
    }
    parse(&answer.text).map(Some).with_context(|| format!("{answer:?}"))
}

/// A phase of a boot, as the agent and `systemd-analyze time` have it, in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Beside {
    /// `kernel`, `userspace`, or `total`.
    pub phase: String,
    /// The agent's value.
    pub ours: f64,
    /// That of `systemd-analyze`, which rounds to milliseconds.
    pub theirs: f64,
}

/// Boots a guest, and compares each phase of its boot.
///
/// # Errors
///
/// When a part of the guest is missing, it does not come up, or a phase is missing on either side.
pub fn beside(parts: &Parts, agent: &Path) -> anyhow::Result<Vec<Beside>> {
    let mut guest = Guest::start(parts, &Options::default().with_agent(agent)?)?;
    guest.wait_for("systemd-analyze time", BOOT_LIMIT, |answer| answer.status == 0)?;
    let phases = analyze(&mut guest)?.context("not finished")?;
    let command = "tierprobe-agent measure --rounds 1 --probe boot --format json 2>/dev/null";
    let text = guest.output(command)?;
    let record: Record = serde_json::from_str(&text)?;
    let ours = |phase: &str| {
        let gauge = record.gauges.iter().find(|gauge| {
            let has = |name: &str, value: &str| gauge.labels.get(name).is_some_and(|is| is == value);
            let is_it = match phase {
                "total" => gauge.name == "tierprobe_boot_total_seconds",
                _ => gauge.name == "tierprobe_boot_duration_seconds" && has("phase", phase),
            };
            is_it && has("method", "systemd")
        });
        gauge.map(|gauge| gauge.value).with_context(|| format!("the agent has no phase {phase}"))
    };
    phases
        .iter()
        .map(|(phase, theirs)| Ok(Beside { phase: phase.clone(), ours: ours(phase)?, theirs: *theirs }))
        .collect()
}

/// `Startup finished in 2.3s (kernel) + 1min 18.8s (userspace) = 1min 21.1s`
fn parse(text: &str) -> anyhow::Result<Phases> {
    let line = text.lines().find_map(|line| line.split_once("Startup finished in ")).context("no times")?.1;
    let (phases, total) = match line.split_once('=') {
        Some((phases, total)) => (phases, Some(total)),
        None => (line, None),
    };
    let mut found = Phases::new();
    for phase in phases.split('+') {
        let (span, name) = phase.split_once('(').context("a phase without a name")?;
        found.insert(name.trim().trim_end_matches(')').to_owned(), seconds(span)?);
    }
    if let Some(total) = total {
        found.insert("total".to_owned(), seconds(total)?);
    }
    Ok(found)
}

/// A time span as systemd.time(7) writes it.
fn seconds(span: &str) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for word in span.split_whitespace() {
        let unit = word.find(|c: char| c.is_ascii_alphabetic()).context("a number without a unit")?;
        let (number, unit) = word.split_at(unit);
        let scale = match unit {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            _ => bail!("{unit:?} is no unit"),
        };
        sum += number.parse::<f64>().with_context(|| format!("{number:?}"))? * scale;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_analyze_prints_is_read_with_all_its_units() {
        let text = "Startup finished in 1.500s (firmware) + 250ms (loader) + 2.300s (kernel) + 1min 18.8s (userspace) \
                    = 1min 22.850s \ngraphical.target reached after 18.3s in userspace.";
        let phases = parse(text).unwrap();
        let near = |name: &str, expected: f64| (phases[name] - expected).abs() < 1e-9;
        assert!(near("firmware", 1.5) && near("loader", 0.25) && near("kernel", 2.3), "{phases:?}");
        assert!(near("userspace", 78.8) && near("total", 82.85), "{phases:?}");
        assert!(parse("nothing").is_err());
        assert!(parse("Startup finished in soon (kernel)").is_err());
    }
}
