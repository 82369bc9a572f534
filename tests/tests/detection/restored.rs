//! A guest that is saved while the agent runs in it, and restored under another hypervisor: what a snapshot, a live
//! migration and a change of the clock source look like from inside.
//!
//! QEMU writes the whole machine to a file and another QEMU goes on from there. That one hides its emulation's CPUID
//! signature, so that the guest is where it was not before. The guest has the device for the generation id, and gets a
//! schedule of a day: whatever is noticed, is noticed by its signs. See `docs/specs/vmgenid.rst` of QEMU.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::guest;
use super::kit::Lab;
use super::qemu::Image;
use super::run::{LOOK, Running};

/// How long any step may take; each takes seconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(90);

/// Attempts to boot, as for all guests.
const ATTEMPTS: u32 = 3;

/// Says that the saved machine is complete.
const SAVED: &str = "Migration status: completed";

/// What the guest printed of its metrics at one look.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Look {
    pub(crate) changes: f64,
    pub(crate) detected: f64,
    /// The labels of `tierprobe_tier_info`.
    pub(crate) tier: String,
    /// Why it was detected anew, as far as the log says: where the verdict changed.
    pub(crate) reason: Option<String>,
}

/// Before, after the restore, and after another clock source was chosen.
pub(crate) fn story(lab: &Lab, image: &Image) -> Result<[Look; 3], String> {
    let mut complaint = String::new();
    for attempt in 0..ATTEMPTS {
        match Machine::start(lab, image, &format!("before-{attempt}"), "max", None).and_then(|machine| {
            let before = machine.look(|_| true)?;
            Ok((machine, before))
        }) {
            Ok((machine, before)) => return after(lab, image, machine, before),
            Err(why) => complaint = why,
        }
    }
    Err(complaint)
}

fn after(lab: &Lab, image: &Image, machine: Machine, before: Look) -> Result<[Look; 3], String> {
    let saved = lab.path("saved-guest");
    machine.save(&saved)?;
    drop(machine);
    let machine = Machine::start(lab, image, "after", "max,tcg-cpuid=off", Some(&saved))?;
    let restored = machine.look(|look| look.detected > before.detected)?;
    machine.press_enter()?;
    let retimed = machine.look(|look| look.detected > restored.detected)?;
    Ok([before, restored, retimed])
}

struct Machine {
    serial: PathBuf,
    monitor: PathBuf,
    log: PathBuf,
    console: PathBuf,
    _running: Running,
}

impl Machine {
    /// Starts QEMU, from the beginning or from a saved machine.
    fn start(
        lab: &Lab,
        image: &Image,
        name: &str,
        processor: &str,
        saved: Option<&Path>,
    ) -> Result<Self, String> {
        let path = |end: &str| lab.path(&format!("{name}.{end}"));
        let (serial, monitor, log, console) = (path("serial"), path("monitor"), path("log"), path("console"));
        let mut command = Command::new(&image.qemu);
        command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-m", "384"]);
        command.args(["-machine", "q35,accel=tcg", "-cpu", processor, "-device", "vmgenid,guid=auto"]);
        command.args(["-device", "virtio-rng-pci"]);
        command.arg("-kernel").arg(&image.kernel).arg("-initrd").arg(&image.archive);
        command.args(["-append", &format!("console=ttyS0 loglevel=1 panic=-1 {}=serve", guest::PLACE)]);
        command.args(["-serial", &format!("file:{}", serial.display())]);
        command.args(["-serial", &format!("unix:{},server=on,wait=off", console.display())]);
        command.args(["-monitor", &format!("unix:{},server=on,wait=off", monitor.display())]);
        if let Some(saved) = saved {
            command.args(["-incoming", &format!("exec:cat {}", saved.display())]);
        }
        let output = File::create(&log).map_err(|error| error.to_string())?;
        command.stdout(output.try_clone().map_err(|error| error.to_string())?).stderr(output);
        let running = Running::start(&mut command, Duration::ZERO)?;
        Ok(Self { serial, monitor, log, console, _running: running })
    }

    /// Writes the machine to a file.
    fn save(&self, file: &Path) -> Result<(), String> {
        let mut monitor = UnixStream::connect(&self.monitor).map_err(|error| error.to_string())?;
        monitor.set_read_timeout(Some(LOOK)).map_err(|error| error.to_string())?;
        // It is stopped at the end, and goes on where it is restored; one that was stopped before would not.
        let migrate = format!("migrate -d \"exec:cat > {}\"\n", file.display());
        monitor.write_all(migrate.as_bytes()).map_err(|error| error.to_string())?;
        let (begin, mut heard) = (Instant::now(), String::new());
        while begin.elapsed() < LIMIT {
            monitor.write_all(b"info migrate\n").map_err(|error| error.to_string())?;
            sleep(Duration::from_millis(200));
            let mut buffer = [0_u8; 4096];
            while let Ok(length @ 1..) = monitor.read(&mut buffer) {
                heard.push_str(&String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()));
            }
            if heard.contains(SAVED) {
                return Ok(());
            }
        }
        Err(format!("the guest could not be saved: {heard}"))
    }

    /// Makes the guest choose another clock source.
    fn press_enter(&self) -> Result<(), String> {
        let mut console = UnixStream::connect(&self.console).map_err(|error| error.to_string())?;
        console.write_all(b"\n").map_err(|error| error.to_string())
    }

    /// The first look at the metrics that is as wanted.
    fn look(&self, wanted: impl Fn(&Look) -> bool) -> Result<Look, String> {
        let begin = Instant::now();
        loop {
            let text = String::from_utf8_lossy(&fs::read(&self.serial).unwrap_or_default()).into_owned();
            // The log's lines stand among the looks; the reason holds for all that follow.
            let mut reason = None;
            let looks = text.split(guest::LOOKED).filter_map(parse).map(|look| {
                reason = look.reason.clone().or_else(|| reason.clone());
                Look { reason: reason.clone(), ..look }
            });
            if let Some(look) = looks.into_iter().find(&wanted) {
                return Ok(look);
            }
            if begin.elapsed() > LIMIT {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                return Err(format!("the guest did not say what was awaited: {log}{text}"));
            }
            sleep(LOOK);
        }
    }
}

/// What stands before one mark of a look.
fn parse(text: &str) -> Option<Look> {
    let value =
        |family: &str| text.lines().find_map(|line| line.strip_prefix(family)?.trim().parse::<f64>().ok());
    Some(Look {
        changes: value("tierprobe_tier_changes_total ")?,
        detected: value("tierprobe_tier_last_detection_timestamp_seconds ")?,
        tier: text.lines().find(|line| line.starts_with("tierprobe_tier_info{"))?.trim().to_owned(),
        reason: text.split("reason=\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned),
    })
}
