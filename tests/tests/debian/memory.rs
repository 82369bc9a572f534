//! The probe `memory` beside `/proc/meminfo`, the machine's size and the control groups of systemd.

use anyhow::{Context as _, ensure};
use tierprobe_tests::guest::{Guest, Options};

use super::{gauge, known, measure, near, record, scrape};

const MIB: f64 = 1024.0 * 1024.0;

/// What the firmware keeps below 1 MiB and above its image.
const FIRMWARE: f64 = MIB;

/// Two readings are some milliseconds apart, in a system that just started.
const BETWEEN_READINGS: f64 = 8.0 * MIB;

/// Sizes of the parts, of the whole, and of what is not in it.
pub(super) fn adds_up_to_the_machines_size(guest: &mut Guest) -> anyhow::Result<()> {
    let record = measure(guest, "--rounds 1 --probe memory")?;
    let meminfo = guest.output("cat /proc/meminfo")?;
    let line = |name: &str| -> anyhow::Result<f64> {
        let value = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kibibytes = value.and_then(|value| value.trim().strip_suffix(" kB")).context("no such line")?;
        Ok(kibibytes.parse::<f64>()? * 1024.0)
    };
    let ours = |family: &str, part: &[(&str, &str)]| {
        gauge(&record, &format!("tierprobe_memory_{family}_bytes"), part)
            .with_context(|| format!("no {family}"))
    };
    let part = |part: &str| ours("footprint", &[("part", part)]);
    let parts: f64 = record
        .gauges
        .iter()
        .filter(|gauge| gauge.name == "tierprobe_memory_footprint_bytes")
        .map(|gauge| gauge.value)
        .sum();
    let total = line("MemTotal")?;
    near(parts, total, 0.5, "the sum of the parts")?;
    for (name, of_kernel) in [
        ("free", "MemFree"),
        ("slab", "Slab"),
        ("kernel_stack", "KernelStack"),
        ("page_tables", "PageTables"),
        ("per_cpu", "Percpu"),
        ("anonymous", "AnonPages"),
        ("shared", "Shmem"),
    ] {
        near(part(name)?, line(of_kernel)?, BETWEEN_READINGS, name)?;
        ensure!(part(name)? > 0.0, "{name} is nothing");
    }
    near(
        part("page_cache")?,
        line("Cached")? + line("Buffers")? - line("Shmem")?,
        BETWEEN_READINGS,
        "page cache",
    )?;

    let size = f64::from(Options::default().memory_mib) * MIB;
    let (hardware, reserved) = (ours("hardware", &[])?, ours("reserved", &[])?);
    near(hardware, size, FIRMWARE, "what the machine has")?;
    near(hardware - total, reserved, 0.5, "reserved")?;
    near(size - total, reserved, FIRMWARE, "reserved by the machine's size")?;
    let upkeep = ours("upkeep", &[])?;
    near(upkeep, hardware - part("free")? - part("page_cache")? - ours("agent", &[])?, 0.5, "upkeep")?;
    println!(
        "a Debian of {:.0} MiB: MemTotal {:.1} MiB, reserved {:.1}, slab {:.1}, anonymous {:.1}, page cache {:.1}, \
         free {:.1}; to stay alive {:.1}",
        size / MIB,
        total / MIB,
        reserved / MIB,
        part("slab")? / MIB,
        part("anonymous")? / MIB,
        part("page_cache")? / MIB,
        part("free")? / MIB,
        upkeep / MIB
    );
    Ok(())
}

/// The unit's own, and one that only a slice around has.
pub(super) fn limits_of_control_groups_are_seen(guest: &mut Guest) -> anyhow::Result<()> {
    let ours = |value: &str| format!("tierprobe_memory_cgroup_bytes{{value=\"{value}\"}}");
    let text = scrape(guest)?;
    let limit: f64 = guest.output("systemctl show --value -p MemoryMax tierprobe-agent.service")?.parse()?;
    ensure!(limit == 64.0 * MIB, "the unit says {limit}");
    near(known(&text, &ours("limit"))?, limit, 0.5, "limit")?;
    near(known(&text, &ours("effective_limit"))?, limit, 0.5, "effective limit")?;
    let group = "/sys/fs/cgroup/system.slice/tierprobe-agent.service";
    let current: f64 = guest.output(&format!("cat {group}/memory.current"))?.parse()?;
    near(known(&text, &ours("current"))?, current, 4.0 * MIB, "current")?;
    let peak: f64 = guest.output(&format!("cat {group}/memory.peak"))?.parse()?;
    let ours_at_most = known(&text, &ours("peak"))?;
    ensure!(
        known(&text, &ours("current"))? <= ours_at_most && ours_at_most <= peak,
        "{ours_at_most} of {peak}"
    );

    guest.output("systemctl set-property --runtime tight.slice MemoryMax=48M")?;
    let command = "systemd-run --quiet --wait --pipe --slice=tight.slice tierprobe-agent measure --rounds 1 \
                   --probe memory --format json";
    let record = record(guest, command)?;
    let value = |value: &str| gauge(&record, "tierprobe_memory_cgroup_bytes", &[("value", value)]);
    ensure!(value("limit").is_none(), "its own group has no limit: {:?}", value("limit"));
    ensure!(value("effective_limit") == Some(48.0 * MIB), "{:?} around it", value("effective_limit"));
    ensure!(value("current") > Some(0.0) && value("peak") >= value("current"), "{record:?}");
    Ok(())
}
